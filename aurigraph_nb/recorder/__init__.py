"""Recorders: they write a feed down, frame by frame, while it runs. ``feed.record(path)`` makes one.

A recorder taps the feed on the I/O loop (:mod:`.inbox`), writes the journal on a thread of its own (:mod:`.writer`),
and makes the typed files of what is complete on another (:mod:`.sealing`). Nothing of that makes the feed wait.
"""

from __future__ import annotations

from .handle import Recorder
from .progress import Progress, set_view, size
from .start import record

__all__ = ["Progress", "Recorder", "record", "set_view", "size"]
