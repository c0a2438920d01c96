"""How far a recording has got."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

from aurigraph_nb.errors import BadOptionType
from aurigraph_nb.recorder import Progress, Recorder, set_view, size

from .base import refuse_unknown
from .cards import Card, Item, count
from .cells import full, short, text
from .flow import DEFAULT_RATE_HZ
from .sources import FeedLike, Source

LOOK_EVERY_S = 0.5
"""How often a recorder is asked, in seconds."""


class RecorderLike(Protocol):
    """What is read of a recorder."""

    @property
    def feed(self) -> FeedLike: ...
    def progress(self) -> Progress: ...


class RecorderView(Card):
    """A recording while it runs, and what it has when it is over: frames, rows, rate, disk, gaps, losses.

    It is what a notebook shows of ``feed.record(…)``. ``rate_hz``: most updates a second.

    Raises:
        BadOptionType: something else than a recorder was given, or there is no such option.
    """

    def __init__(self, recorder: object, *, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        if not hasattr(recorder, "progress") or not hasattr(recorder, "feed"):
            raise BadOptionType(
                f"RecorderView needs a recorder such as feed.record(…) returns, not {type(recorder).__name__}."
            )
        self._recorder = cast(RecorderLike, recorder)
        self._look_due = 0.0
        self._shown: Sequence[Item] = ()
        self._fresh: Sequence[Item] = ()
        self._build(Source(feed=self._recorder.feed), title="Recording", rate_hz=rate_hz)

    def _repr_source(self) -> str:
        return "recorder"

    def _news(self, now: float) -> bool:
        if now >= self._look_due:
            self._look_due = now + LOOK_EVERY_S
            self._fresh = _items(self._recorder.progress())
        return self._fresh != self._shown

    def _items(self) -> Sequence[Item]:
        self._shown = self._fresh = _items(self._recorder.progress())
        return self._shown


def _items(now: Progress) -> Sequence[Item]:
    failed = now.error is not None
    state = "RECORDING" if now.running else "FAILED" if failed else "ENDED"
    segments = f"{count(now.segments)} segment{'' if now.segments == 1 else 's'}"
    items = [
        Item(label="Frames", look="hero", text=count(now.frames), hint="on the disk"),
        Item(label="State", look="badge", text=state),
        Item(label="Rows", text=count(now.rows)),
        Item(label="Rate", text=f"{short(now.rate_hz)}/s", hint=full(round(now.rate_hz, 1), "frames/s")),
        Item(label="Journal", text=size(now.bytes), hint=f"{count(now.bytes)} bytes in {segments}"),
        Item(label="Free disk", text=size(now.free_bytes), hint="of the disk that it is on"),
        Item(label="Gaps", text=count(now.gaps), hint="since the start"),
        Item(label="Lost", text=count(now.lost), hint="frames that came and could not be written"),
    ]
    if now.unsealed:
        items.append(Item(label="To be sealed", text=count(now.unsealed), hint="segments that ended"))
    for label, error in (("Error", now.error), ("Not sealed", now.sealing_error)):
        if error is not None:
            items.append(Item(label=label, text=text(error), hint="the journal has everything up to here"))
    items.append(Item(label="Into", text=text(now.path)))
    return items


def _show(recorder: Recorder) -> RecorderView:
    return RecorderView(recorder)


set_view(_show)
