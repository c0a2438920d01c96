"""The rules of the traffic to a widget's front end. Pure: times are arguments, and nothing is sent here.

The Jupyter server drops messages above 1,000 a second and keeps without bound what a closed tab does not fetch. So:

- at most one message a frame (default 4 Hz, 10 at most); the first change after a quiet time goes at once;
- messages are numbered; a page that sees a hole, or is new, asks, and one snapshot answers;
- a delta of many bytes is followed by a pause, in which changes are merged, so that :data:`PACE_BYTES_PER_S` holds;
- at most :data:`CREDIT` deltas are on their way unacknowledged; what changes meanwhile is merged, latest wins;
- every page gets every message, so the quickest sets the pace; one far behind it is forgotten until it says a word;
- a page that asks is alive and needs nothing that was sent before: its snapshot opens a new account;
- no acknowledgement (closed page, cell that blocks): at most one snapshot a second (and 20 kB a second) for a minute,
  then nothing until a page asks or acknowledges;
- a page that shows none of its views says so ("rest") and gets nothing until it asks.

A *page* is one browser page's copy of the widget, by an id that it makes up.
"""

from __future__ import annotations

import enum
import math

import msgspec

from aurigraph_nb.errors import BadOption, BadOptionType

CREDIT = 2
"""Deltas that may be unacknowledged."""
SNAPSHOT_EVERY_S = 1.0
"""Least time between snapshots while nobody acknowledges, in seconds."""
BYTES_PER_S = 20_000
"""Such snapshots are further apart if they are large: what nobody is known to see must not fill the line."""
PACE_BYTES_PER_S = 15_000
"""Deltas are so far apart that no more bytes a second go out over time, however fast the feed is."""
LONGEST_PAUSE_S = 5.0
"""Longest pause after a delta, in seconds: thousands of rows that all change at once are sent all the same."""
PATIENCE_S = 60.0
"""How long such snapshots go on, in seconds."""
MAX_RATE_HZ = 10.0
DEFAULT_RATE_HZ = 4.0
MAX_PAGES = 16
"""Pages that are told apart; one more takes the place of an old one."""
FORGOTTEN_BEHIND = 40
"""A page whose last word is so many messages older than another's is taken for gone: a page that sees acknowledges
every second one."""


class Turn(enum.Enum):
    """What may be sent now."""

    NOTHING = "nothing"
    DELTA = "delta"
    SNAPSHOT = "snapshot"


class FlowCounters(msgspec.Struct, frozen=True):
    """What went to the front end so far, at one moment; ``widget.flow`` gives a new one each time.

    Its ``repr`` is always the same, so that a saved notebook does not change with it; ``print`` shows the numbers.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
    >>> chart = ag.TPSChart(feed)
    >>> chart.flow
    <flow: sent, snapshots, merged, dropped, unacknowledged, bytes>
    >>> print(chart.flow)
    0 messages sent (0 snapshots), 0 bytes; 0 unacknowledged, 0 changes merged, 0 dropped
    >>> chart.flow.to_dict()["sent"]
    0
    """

    sent: int = 0
    """Messages."""
    snapshots: int = 0
    """Messages that carried everything."""
    merged: int = 0
    """Changes that were not sent on their own, because a later one took their place in the same message."""
    dropped: int = 0
    """Changes that left the bounded store before they could be sent."""
    unacknowledged: int = 0
    """Messages that no page has acknowledged yet, since the last snapshot that a page asked for."""
    bytes: int = 0
    """Content and buffers of these messages, without Jupyter's own headers. The chart library (once a page) and what a
    reader asks for by hand (a row's details) are apart."""

    def to_dict(self) -> dict[str, int]:
        """All counters by name, as whole numbers.

        >>> FlowCounters(sent=3, snapshots=1, bytes=420).to_dict()["bytes"]
        420
        """
        return msgspec.structs.asdict(self)

    def __repr__(self) -> str:
        return f"<flow: {', '.join(self.__struct_fields__)}>"

    def __str__(self) -> str:
        return (
            f"{self.sent:,} messages sent ({self.snapshots:,} snapshots), {self.bytes:,} bytes; "
            f"{self.unacknowledged:,} unacknowledged, {self.merged:,} changes merged, {self.dropped:,} dropped"
        )


def checked_rate(rate_hz: float) -> float:
    """``rate_hz`` if it is a frame rate that a widget accepts.

    Raises:
        BadOptionType: not a number.
        BadOption: not above 0, or above 10.
    """
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, (int, float)):
        raise BadOptionType(f"rate_hz={rate_hz!r}: expected a number of frames a second, above 0 and at most 10")
    if not 0 < rate_hz <= MAX_RATE_HZ:
        raise BadOption(f"rate_hz={rate_hz!r}: expected frames a second, above 0 and at most {MAX_RATE_HZ:g}")
    return float(rate_hz)


class Flow:
    """Says when a widget may send what; told of every message both ways. Not locked: its owner does that."""

    def __init__(self, rate_hz: float = DEFAULT_RATE_HZ) -> None:
        self._period_s = 1 / checked_rate(rate_hz)
        self._pages: dict[str, int] = {}  # those that want data, by their last word: newest message at that time
        self._asked = False
        self._number = 0
        self._acknowledged = 0
        self._last_sent = -math.inf
        self._stalled_at: float | None = None
        self._snapshots = self._merged = self._dropped = self._bytes = 0
        self._snapshot_bytes = 0
        self._pause_s = 0.0  # after the newest message, if it was a delta

    @property
    def next_number(self) -> int:
        """Number that the next message has to carry; the first is 1."""
        return self._number + 1

    @property
    def counters(self) -> FlowCounters:
        """All counters at this moment."""
        return FlowCounters(
            self._number, self._snapshots, self._merged, self._dropped, self._unacknowledged, self._bytes
        )

    # ---- what the front end says

    def ask(self, page: str) -> None:
        """A page is new, shows the widget again, or missed a message."""
        self._asked = True
        self._hear(page)

    def miss(self) -> None:
        """A message could not be made: who listens needs a snapshot."""
        self._asked = bool(self._pages)

    def rest(self, page: str) -> None:
        """A page shows none of its views any more."""
        self._pages.pop(page, None)
        if not self._pages:
            self._asked = False

    def acknowledge(self, page: str, number: int, now: float) -> None:
        """A page has drawn everything up to message ``number``. Impossible numbers change nothing; one that another
        page was quicker to acknowledge only says that this page is there.
        """
        if not 0 < number <= self._number:
            return
        self._hear(page)
        if number > self._acknowledged:
            self._acknowledged = number
            self._stalled_at = now if self._unacknowledged >= CREDIT else None

    def _hear(self, page: str) -> None:
        self._pages.pop(page, None)
        self._pages[page] = self._number
        for other, heard_at in tuple(self._pages.items()):  # the longest silent first
            if len(self._pages) <= MAX_PAGES and heard_at >= self._number - FORGOTTEN_BEHIND:
                return
            del self._pages[other]

    # ---- what may be sent

    def allowed_at(self) -> float | None:
        """The earliest time at which something may be sent; None: not before a page says something."""
        if not self._pages:
            return None
        pause_s = self._period_s
        if not self._asked:
            pause_s = max(pause_s, self._pause_s)
            if self._stalled_at is not None:
                pause_s = max(pause_s, SNAPSHOT_EVERY_S, self._snapshot_bytes / BYTES_PER_S)
        return self._last_sent + pause_s

    def turn(self, now: float, changed: bool) -> Turn:
        """What to send at ``now``, if ``changed`` says whether there is anything new.

        A snapshot that was asked for counts as given: who cannot make it calls :meth:`miss`, and a page that asks while
        it is on its way is given another.
        """
        allowed_at = self.allowed_at()
        if allowed_at is None or now < allowed_at:
            return Turn.NOTHING
        if self._asked:
            self._asked, self._stalled_at, self._acknowledged = False, None, self._number
            return Turn.SNAPSHOT
        if self._stalled_at is None:
            return Turn.DELTA if changed else Turn.NOTHING
        if now - self._stalled_at >= PATIENCE_S:
            self._pages.clear()
            return Turn.NOTHING
        return Turn.SNAPSHOT if changed else Turn.NOTHING

    def sent(
        self, turn: Turn, now: float, nbytes: int, *, merged: int = 0, dropped: int = 0, paced: bool = True
    ) -> None:
        """The message numbered ``next_number`` was sent; a delta that is not ``paced`` is followed by no pause."""
        self._number += 1
        self._last_sent = now
        self._bytes += nbytes
        self._merged += merged
        self._dropped += dropped
        self._pause_s = min(LONGEST_PAUSE_S, nbytes / PACE_BYTES_PER_S) if paced and turn is Turn.DELTA else 0.0
        if turn is Turn.SNAPSHOT:
            self._snapshots += 1
            self._snapshot_bytes = nbytes
        if self._stalled_at is None and self._unacknowledged >= CREDIT:
            self._stalled_at = now

    @property
    def _unacknowledged(self) -> int:
        return self._number - self._acknowledged
