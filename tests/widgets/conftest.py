"""Widgets without a kernel: comms that count, and time that moves when the test says so."""

import ipywidgets
import pytest

from aurigraph_nb.widgets import painter

from .doubles import CountingComm, Desk, FakeFeed


@pytest.fixture
def desk(monkeypatch):
    """The painter of this test, and its clock."""
    desk = Desk(painter.Painter)
    monkeypatch.setattr(painter, "shared", desk.painter)
    monkeypatch.setattr("ipywidgets.comm.create_comm", CountingComm)
    yield desk
    ipywidgets.Widget.close_all()


@pytest.fixture
def feed():
    return FakeFeed()
