"""How a frame that makes no sense, or a hole in the numbering, becomes a gap: live, recorded and replayed alike."""

from __future__ import annotations

from .gaps import Cause, Certainty, Gap, GapBook
from .protocols.base import Fault, OrderFault, Undecoded

WHOLE = "*"
"""Stands in the gap book for all topics of a connection, where a frame is missing and nobody knows of which."""


def note_undecoded(book: GapBook, failed: Undecoded) -> None:
    """Enter a frame that was not understood: one growing gap a topic and connection.

    It has no number of frames: those are in the counters of what was not understood.
    """
    at = failed.recv_ns
    book.grow(
        Gap(
            failed.topic or WHOLE,
            Cause.DECODE_ERROR,
            Certainty.KNOWN,
            at,
            at,
            None,
            failed.conn_epoch,
            failed.reason,
        )
    )


def note_order(book: GapBook, fault: OrderFault) -> None:
    """Enter a hole in the numbering, or fill one where its frame came late; a repetition misses nothing."""
    if fault.kind is Fault.REORDER:
        book.fill(WHOLE, Cause.SEQUENCE_HOLE)
    if fault.kind is not Fault.HOLE:
        return
    detail = f"number {fault.expected} was expected and {fault.got} came"
    at = fault.recv_ns
    book.add(Gap(WHOLE, Cause.SEQUENCE_HOLE, Certainty.KNOWN, at, at, fault.frames, fault.conn_epoch, detail))
