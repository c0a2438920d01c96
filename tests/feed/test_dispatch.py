"""Callbacks: bounded, counted, and harmless to everything else."""

from __future__ import annotations

import threading

import pytest

from aurigraph_nb import dispatch
from aurigraph_nb.dispatch import CallbackErrors, Subscription
from aurigraph_nb.schema import Metrics
from aurigraph_nb.session import State
from aurigraph_nb.status import RateMeter, overall

S = 1_000_000_000


def rows(*numbers):
    return [Metrics(recv_ns=i, conn_epoch=1, n=i, tps=float(i)) for i in numbers]


def subscribe(fn, *, where=None, batch=False):
    return Subscription(fn, where=where, batch=batch, errors=CallbackErrors(), on_close=lambda s: None)


def test_what_a_slow_callback_cannot_take_is_dropped_oldest_first_and_counted(monkeypatch):
    monkeypatch.setattr(dispatch, "QUEUE_ROWS", 10)
    seen, go, started, done = [], threading.Event(), threading.Event(), threading.Event()

    def slow(row):
        started.set()
        assert go.wait(10)
        seen.append(row.n)
        if row.n == 29:
            done.set()

    subscription = subscribe(slow)
    subscription.offer(rows(0))
    assert started.wait(10)
    for i in range(1, 30):
        subscription.offer(rows(i))
    assert subscription.pending == 10 and subscription.dropped == 19 and not subscription.idle
    go.set()
    assert done.wait(10)
    assert seen == [0, *range(20, 30)]
    assert subscription.called == 11


def test_a_portion_larger_than_the_bound_is_still_delivered(monkeypatch):
    monkeypatch.setattr(dispatch, "QUEUE_ROWS", 10)
    done, got = threading.Event(), []
    subscription = subscribe(lambda batch: (got.extend(batch), done.set()), batch=True)
    subscription.offer(rows(*range(50)))
    assert done.wait(10) and len(got) == 50 and subscription.dropped == 0


def test_a_failing_filter_is_an_error_of_the_callback_and_the_row_is_left_out():
    errors = CallbackErrors()
    done, seen = threading.Event(), []

    def where(row):
        if row.n == 1:
            raise ValueError("odd")
        return True

    def take(row):
        seen.append(row.n)
        if row.n == 2:
            done.set()

    subscription = Subscription(take, where=where, batch=False, errors=errors, on_close=lambda s: None)
    subscription.offer(rows(0, 1, 2))
    assert done.wait(10) and seen == [0, 2] and errors.count == 1 and "ValueError: odd" in errors.last


def test_closing_twice_is_harmless_and_nothing_comes_after():
    closed = []
    subscription = Subscription(print, where=None, batch=False, errors=CallbackErrors(), on_close=closed.append)
    subscription.close()
    subscription.close()
    subscription.offer(rows(0))
    assert closed == [subscription] and subscription.idle and subscription.pending == 0
    assert "closed" in repr(subscription)


def test_a_rate_is_of_the_last_ten_seconds():
    meter = RateMeter()
    assert meter.rate(5 * S) == 0
    for second in range(30):
        meter.add(second * S, 5)
    assert meter.rate(29 * S) == pytest.approx(5.0)
    assert meter.rate(34 * S) == pytest.approx(2.5)
    assert meter.rate(60 * S) == 0


@pytest.mark.parametrize(
    "states, shown",
    [
        ([], State.DISCONNECTED),
        ([State.CONNECTED, State.CONNECTED], State.CONNECTED),
        ([State.CONNECTED, State.CONNECTING], State.CONNECTING),
        ([State.CONNECTING, State.RECONNECTING], State.RECONNECTING),
        ([State.CONNECTED, State.ERROR], State.ERROR),
        ([State.DISCONNECTED], State.DISCONNECTED),
    ],
)
def test_a_feeds_state_is_the_worst_that_matters(states, shown):
    assert overall(states, closed=False) is shown
    assert overall(states, closed=True) is State.CLOSED
