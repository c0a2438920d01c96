"""The connections of all open feeds at a glance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from .dispatch import Subscription
from .frames import to_html
from .hooks import Hooks
from .session import State, brief
from .state import connections_health
from .status import ConnectionRecord, connections_frame

if TYPE_CHECKING:
    import pandas as pd


SHOWN = 8
"""Connections that a repr lists."""


class Connections:
    """The connections of all open feeds at a glance."""

    def __init__(self, records: tuple[ConnectionRecord, ...], hooks: Hooks) -> None:
        self._hooks = hooks
        self.records = records
        """One record a connection."""

    @property
    def total(self) -> int:
        """Connections that are wanted."""
        return len(self.records)

    @property
    def active(self) -> int:
        """Connections that stand."""
        return sum(record.state is State.CONNECTED for record in self.records)

    @property
    def health(self) -> str:
        """HEALTHY; DEGRADED if less than 0.8 of them stand; CRITICAL if less than half do."""
        return connections_health(self.active, self.total)

    def __iter__(self) -> Iterator[ConnectionRecord]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __bool__(self) -> bool:
        return True

    def to_pandas(self) -> pd.DataFrame:
        """One row a connection, with the columns of :class:`~aurigraph_nb.status.ConnectionRecord`."""
        return connections_frame(self.records)

    def diagnostics(self) -> dict[str, Any]:
        """Everything about them as plain values, fit to be sent to whoever helps: it holds no secrets."""
        rows = [msgspec.to_builtins(record) for record in self.records]
        return {"total": self.total, "active": self.active, "health": self.health, "connections": rows}

    def on_change(self, fn: Callable[[], object]) -> Subscription:
        """Call ``fn()``, on the callback thread, whenever a feed (of now or later) changes its state."""
        return self._hooks.add("change", fn)

    def __repr__(self) -> str:
        lines = [f"<Connections: {self._words()}"]
        lines += [f"  {_line(record)}" for record in self.records[:SHOWN]]
        if self.total > SHOWN:
            lines.append(f"  … and {self.total - SHOWN:,} more in to_pandas()")
        return "\n".join(lines) + ">"

    def _words(self) -> str:
        return f"{self.active} of {self.total} active, {self.health}"

    def _repr_html_(self) -> str:
        return to_html(f"Connections: {self._words()}", self.to_pandas())


def _line(record: ConnectionRecord) -> str:
    """A connection in a line; its last error while it is down."""
    known = [f"{record.messages:,} messages"]
    if record.latency_ms is not None:
        known.append(f"{record.latency_ms:,.0f} ms")
    if record.reconnects:
        known.append(f"{record.reconnects:,} reconnects")
    if record.last_error and record.state is not State.CONNECTED:
        known.append(brief(record.last_error, 120))
    return f"{record.state:<12}  {brief(record.feed, 60)} {brief(record.endpoint, 40)}: {', '.join(known)}"
