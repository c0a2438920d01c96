"""The tables of the live stream."""

from __future__ import annotations

from aurigraph_nb.schema import Block

from .base import refuse_unknown
from .flow import DEFAULT_RATE_HZ
from .rows import NewestRows, TableColumn
from .sources import of_either
from .tables import NEWEST_ROWS, BaseTable


class BlockTable(BaseTable):
    """The newest blocks, newest first. Takes a feed of the live stream, or its blocks topic.

    ``height`` in pixels; ``rate_hz``: most updates a second.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(protocol="live", seed=7)
    >>> ag.BlockTable(feed)
    BlockTable(blocks)

    Raises:
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(self, feed: object, *, height: int = 320, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        source = of_either(type(self).__name__, feed, "blocks", Block)
        rows = NewestRows(source.topic.store, NEWEST_ROWS)
        self._build(
            source,
            rows,
            _COLUMNS,
            title="Blocks",
            height=height,
            rate_hz=rate_hz,
            newest_first=True,
            keep=NEWEST_ROWS,
        )


_COLUMNS = (
    TableColumn(field="timestamp", label="Time", kind="time", unit="UTC", digits=0, width=14),
    TableColumn(field="height", label="Height", kind="number", width=13),
    TableColumn(field="transactions", label="Transactions", kind="number", width=14),
    TableColumn(field="block_time_ms", label="Block time", kind="number", unit="ms", digits=0, width=16),
    TableColumn(field="producer", label="Producer", kind="mono", width=20),
)
