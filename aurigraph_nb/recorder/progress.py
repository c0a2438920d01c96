"""How far a recording has got, for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A recording at one moment."""

    running: bool
    path: str
    frames: int
    """Frames on the disk."""
    rows: int
    """Rows of the recorded topics that came out of the frames since the start."""
    bytes: int
    """Bytes of journal written."""
    frame_bytes: int
    """Bytes of the frames, as they came."""
    rate_hz: float
    """Frames written per second, over the last ten."""
    waiting: int
    """Lines that wait to be written."""
    lost: int
    """Frames that came and could not be written."""
    gaps: int
    """Gaps since the start: the feed's, and those that only the recorder knows of."""
    segments: int
    """Segments of the journal begun by this recorder."""
    unsealed: int
    """Of those that ended: how many wait to be sealed."""
    free_bytes: int | None
    """Free space on the disk; None if it does not say."""
    elapsed_s: float
    """Seconds of real time since the start."""
    error: str | None
    """Why it ended early, if it did."""
    sealing_error: str | None
    """Why the last attempt to seal or to mirror a segment failed. It is tried again; the journal has everything."""


View = Callable[[Any], Any]
_view: list[View] = []


def set_view(make: View) -> None:
    """Say what shows a recorder in a notebook: called with the recorder, gives a widget."""
    _view[:] = [make]


def view() -> View | None:
    """What shows a recorder in a notebook, if anything does."""
    return _view[0] if _view else None


def size(nbytes: float | None) -> str:
    """Bytes, for people.

    >>> size(999), size(1_234_567), size(79_090_970_624), size(None)
    ('999 B', '1.2 MB', '79.1 GB', '–')
    """
    if nbytes is None:
        return "–"
    value, unit = float(nbytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.95:
            break
        value, unit = value / 1000, larger
    return f"{value:,.0f} B" if unit == "B" else f"{value:,.1f} {unit}"
