"""What kind of source a widget reads, and whether anything is still to come: live, simulated, replayed, recorded.

What is over is no trouble: its widgets show the end state, and say in calm words what it is and when it ended.
"""

from __future__ import annotations

import time
import weakref
from typing import Any, NamedTuple

import msgspec

from .cells import milliseconds, text
from .shown import iso_time
from .stretches import stretches

INFO_EVERY_S = 2.0
"""How often a recording is asked what is in it: it may be written still."""
_ENDED = {"simulation": "simulation", "replay": "replay", "live": "stream"}
_RECORDED = {"recording": ("", "still being recorded, up to"), "broken off": ("recording, ", "broken off at")}
_contents: weakref.WeakKeyDictionary[Any, tuple[float, Contents]] = weakref.WeakKeyDictionary()


class Run(msgspec.Struct, frozen=True):
    """How the run of a source stands."""

    kind: str = "live"
    """``live``, ``simulation``, ``replay`` or ``recording``."""
    word: str = ""
    """What stands in place of the state of a connection, in capitals; "" where that state says it all."""
    over: bool = False
    """Whether nothing more is due, and that is as it should be."""
    what: str = ""
    """What it is that is over, in a word, as the words of a sentence begin."""
    words: str = ""
    """What each widget of a run that is over says behind that in its head; the time follows."""
    at_ns: int | None = None
    """When it ended, ns since 1970 UTC on the clock of the source."""

    def notice(self) -> dict[str, Any] | None:
        """What a page is told of it; None of a source that is simply live."""
        if not self.over:
            return {"kind": self.kind} if self.kind == "replay" else None
        at_ms = milliseconds(self.at_ns)
        told = self.words if at_ms is None else f"{self.words} {iso_time(at_ms)[11:19]} UTC"
        return {"kind": self.kind, "over": True, "what": self.what, "words": told, "at": at_ms}


LIVE = Run()


def is_recording(feed: Any) -> bool:
    """Whether it is a recording that is read: a source that was over before anybody looked."""
    return getattr(feed, "recorded_topics", None) is not None


def is_replay(feed: Any) -> bool:
    """Whether it is a recording that is played."""
    return getattr(feed, "player", None) is not None


def kind_of(feed: Any) -> str:
    """``live``, ``simulation``, ``replay`` or ``recording``."""
    if is_recording(feed):
        return "recording"
    if is_replay(feed):
        return "replay"
    return "live" if getattr(feed, "node", None) is None else "simulation"


def run_of(feed: Any, status: Any) -> Run:
    """How the run of ``feed`` stands; ``status``: the feed's."""
    kind = kind_of(feed)
    if kind == "recording":
        what, words = _RECORDED.get(contents_of(feed).state, ("recording, ", "ended at"))
        return Run(kind, "RECORDING", over=True, what=what, words=words, at_ns=feed.now_ns())
    if feed.closed:
        return Run(kind)
    word = replay_word(feed) if kind == "replay" else ""
    if str(status.state) == "ERROR":
        return Run(kind)  # a recording that could not be played on has ended, too, but not as it should
    if word == "ENDED" or (status.ended and not word):
        at_ns = feed.now_ns() if kind == "replay" or status.last_update is None else status.last_update
        what = _ENDED[kind]
        return Run(kind, f"{what.upper()} ENDED", over=True, what=f"{what} ", words="ended at", at_ns=at_ns)
    return Run(kind, word)


def replay_word(feed: Any) -> str:
    """The state of a replay in a word: CLOSED, SEEKING, ENDED, PAUSED or PLAYING."""
    if feed.closed:
        return "CLOSED"
    if getattr(feed.player, "seeking", False):
        return "SEEKING"
    if getattr(feed.player, "finished", False):
        return "ENDED"
    return "PAUSED" if getattr(feed, "paused", False) else "PLAYING"


class Contents(NamedTuple):
    """What is in a recording."""

    state: str
    """Whether it is still written (``recording``), was ``broken off``, or ``ended`` in good order."""
    bounds: tuple[int, int] | None
    """First and last receive time, ns since 1970 UTC."""
    gaps: int
    """Stretches in which something is missing, on whatever topics."""
    damage: int


def contents_of(feed: Any) -> Contents:
    """What is in a recording, as of two seconds ago at most."""
    now = time.monotonic()
    read_at, told = _contents.get(feed, (now, None))
    if told is None or now - read_at >= INFO_EVERY_S:
        told = _read(feed)
        _contents[feed] = (now, told)
    return told


def _read(feed: Any) -> Contents:
    info = feed.info()
    states = {recorder.state for recorder in info.recorders}
    state = next((state for state in ("recording", "broken off") if state in states), "ended")
    if info.first_ns is None or info.last_ns is None:
        return Contents(state, None, info.gaps, len(info.damage))
    gaps = stretches(feed.gaps.rows(), info.first_ns, info.last_ns + 1)
    return Contents(state, (info.first_ns, info.last_ns), len(gaps), len(info.damage))


def name_of(feed: Any) -> str:
    """What a recording, or the one that is played, is called."""
    return text(getattr(getattr(feed, "recording", feed), "name", ""), 80)


def bounds_of(feed: Any) -> tuple[int, int] | None:
    """First and last time of a recording, or of what is played, ns since 1970 UTC; None where there is none."""
    if is_recording(feed):
        return contents_of(feed).bounds
    first, last = (getattr(feed.player, name, None) for name in ("start_ns", "end_ns"))
    return None if first is None or last is None else (first, last)


def span_words(first_ns: int, last_ns: int) -> str:
    """A span of time in UTC, with its length.

    >>> span_words(1_767_225_600_000_000_000, 1_767_228_000_000_000_000)
    '2026-01-01 00:00:00 – 00:40:00 UTC (40 min)'
    """
    first, last = iso_time(milliseconds(first_ns)), iso_time(milliseconds(last_ns))
    end = last[11:19] if first[:10] == last[:10] else f"{last[:10]} {last[11:19]}"
    return f"{first[:10]} {first[11:19]} – {end} UTC ({length_words((last_ns - first_ns) / 1e9)})"


def length_words(seconds: float) -> str:
    """A length of time in at most two units.

    >>> length_words(45), length_words(2_400), length_words(7_500), length_words(100_000)
    ('45 s', '40 min', '2 h 5 min', '1 d 4 h')
    """
    whole = round(seconds)
    for size, unit, part, smaller in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = round(whole % size / part)
            return f"{whole // size} {unit} {rest} {smaller}" if 0 < rest < size // part else _even(whole, size, unit)
    return f"{whole} s"


def _even(whole: int, size: int, unit: str) -> str:
    return f"{round(whole / size)} {unit}"


def fact_rows(feed: Any, counted: int) -> list[list[str]]:
    """A recording, or what is played of one, in facts: label, figure, and both in words.

    ``counted``: rows of a recording.
    """
    protocol = text(feed.status.protocol, 32)
    told = [["Protocol", protocol, protocol]]
    if (bounds := bounds_of(feed)) is not None:
        told.append(["Span", length_words((bounds[1] - bounds[0]) / 1e9), span_words(*bounds)])
    if is_recording(feed):
        told.append(["Rows", f"{counted:,}", f"{counted:,} {'row' if counted == 1 else 'rows'}"])
        _, _, gaps, damage = contents_of(feed)
        told.append(["Gaps", f"{gaps:,}", f"{gaps:,} {'gap' if gaps == 1 else 'gaps'}" if gaps else "no gaps"])
        if damage:
            told.append(["Damage", f"{damage:,}", f"damaged in {damage:,} {'place' if damage == 1 else 'places'}"])
    return told
