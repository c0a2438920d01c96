"""What a widget may show while its feed is disconnected, if it was asked to: made-up data, and never without a label.

The data live in the widget alone. They are made anew at each loss, thrown away when the feed is back, and reach no
store, state or frame of the feed.
"""

from __future__ import annotations

import random
import threading
import zlib
from collections.abc import Sequence
from typing import Any

from aurigraph_nb.columns import ColumnStore
from aurigraph_nb.errors import BadOption
from aurigraph_nb.schema import Record
from aurigraph_nb.state import VIEWS

from .pretend import PLAYS, Play

AFTER_S = 2.0
"""How long a feed has to be without a connection before made-up data appear, in seconds: no flicker at the start."""
KEPT_ROWS = 200
HISTORY_STEPS = 50
"""Steps that are there at once, so that a chart has something to draw."""
_OFFLINE = frozenset({"DISCONNECTED", "CONNECTING", "RECONNECTING", "ERROR"})


def checked_offline(when_offline: str | None) -> str | None:
    """``when_offline`` if it is an option that widgets know.

    Raises:
        BadOption: neither None nor ``"simulate"``.
    """
    if when_offline not in (None, "simulate"):
        raise BadOption(f'when_offline={when_offline!r}: expected None or "simulate"')
    return when_offline


class StandIn:
    """Takes the place of a topic: the same reading surface, filled by a play."""

    closed = False

    def __init__(self, name: str, record_type: type[Record], now_ns: int) -> None:
        self.name = name
        self.record_type = record_type
        self.store: ColumnStore[Any] = ColumnStore(record_type, max_rows=KEPT_ROWS)
        self.state: Any = VIEWS[record_type]() if record_type in VIEWS else None
        self.lock = threading.RLock()
        self._play: Play = PLAYS[record_type](random.Random(zlib.crc32(name.encode())))
        self._step_ns = round(self._play.period_s * 1e9)
        self._due_ns = now_ns - HISTORY_STEPS * self._step_ns

    def open(self) -> None:
        """Nothing to open."""

    def play(self, now_ns: int) -> None:
        """Make what is due; a long pause is not made up for."""
        self._due_ns = max(self._due_ns, now_ns - HISTORY_STEPS * self._step_ns)
        while self._due_ns <= now_ns:
            self._take(self._play.step(self._due_ns))
            self._due_ns += self._step_ns

    def _take(self, fields: dict[str, Any]) -> None:
        row = {"timestamp": self._due_ns, "recv_ns": self._due_ns, "conn_epoch": 0, "n": self.store.count}
        record = self.record_type(**(row | fields))
        with self.lock:
            self.store.append([record])
            if self.state is not None:
                self.state.apply(record)


class Understudy:
    """Decides when stand-ins take the places of a widget's topics."""

    def __init__(self, topics: Sequence[Any]) -> None:
        self._topics = tuple(topics)
        self._stand_ins: dict[str, StandIn] = {}
        self._lost_at: float | None = None

    @property
    def acting(self) -> bool:
        """Whether made-up data are shown now."""
        return bool(self._stand_ins)

    def look(self, state: str, now: float, now_ns: int) -> bool:
        """The feed is in ``state`` at ``now`` (monotonic seconds); returns whether that changed what is shown."""
        if not self._topics:
            return False
        before = self.acting
        if state not in _OFFLINE:
            self._lost_at = None
            self._stand_ins.clear()
            return before
        if self._lost_at is None:
            self._lost_at = now
        if before or now - self._lost_at < AFTER_S:
            return False
        for topic in self._topics:
            self._stand_ins[topic.name] = StandIn(topic.name, topic.record_type, now_ns)
        return True

    def play(self, now_ns: int) -> None:
        """Go on with what is shown."""
        for stand_in in self._stand_ins.values():
            stand_in.play(now_ns)

    def of(self, topic: Any) -> Any:
        """What stands for ``topic`` now: a stand-in, or the topic itself."""
        return self._stand_ins.get(topic.name, topic)
