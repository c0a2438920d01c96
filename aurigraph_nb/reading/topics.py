"""The topics of a recording: they read like a feed's, from files, and no more than is asked for.

Nothing is read before somebody asks. What only a recording can do is here, too: the state at a time, and the doors to
tools for more rows than memory holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from ..columns import ColumnStore, batch_to_records
from ..errors import BadOption
from ..frames import Index
from ..schema import (
    Consensus,
    EndpointLatency,
    EndpointThroughput,
    InferenceError,
    InferenceRequest,
    Message,
    Metrics,
    ModelMetrics,
    Peer,
    RateLimit,
    Record,
    SystemMetrics,
    Transaction,
    UserSession,
    Validator,
)
from ..state import VIEWS
from ..topic import Topic
from ..topics import (
    ConsensusTopic,
    ErrorsTopic,
    LatencyTopic,
    MessagesTopic,
    MetricsTopic,
    ModelsTopic,
    NetworkTopic,
    RateLimitsTopic,
    RequestsTopic,
    SessionsTopic,
    SystemTopic,
    ThroughputTopic,
    TransactionsTopic,
    ValidatorsTopic,
)
from . import scale

if TYPE_CHECKING:
    import dask.dataframe as dd
    import polars

    from ..feed import Feed
    from .recording import Recording

R = TypeVar("R", bound=Record)

REBUILD_ROWS = 1_000
"""Rows that are turned into records at a time."""


class Recorded(Topic[R]):
    """A topic of a recording. Everything that reads is as on a feed; nothing new comes, so that waiting raises."""

    _PLUMBING = frozenset(
        {"bring_to", "on_record", "open", "opened", "rise", "store_schema", "subscriptions", "take", "take_async"}
        | {"unsubscribe", "wait", "wait_async"}
    )
    """Waiting raises, as nothing new comes."""

    _feed: Recording

    def __init__(self, feed: Feed, name: str, record_type: type[R], *, period_s: float | None, key: str | None) -> None:
        self._loaded = False
        super().__init__(feed, name, record_type, period_s=period_s, key=key)

    @property
    def recorded(self) -> bool:
        """Whether the topic was recorded; one that was not has no rows."""
        return self.name in self._feed.recorded_topics

    # Reading

    @property
    def store(self) -> ColumnStore[R]:
        """The rows, as far as a store holds them (1 million, 256 MB, the newest); :meth:`to_arrow` reads all."""
        if not self._loaded:
            with self.lock:
                if not self._loaded:
                    self._store.adopt(self._feed.source.rows(self.name).batches())
                    self._loaded = True
        return self._store

    @store.setter
    def store(self, store: ColumnStore[R]) -> None:
        self._store = store

    def _described(self) -> Iterator[str]:
        if not self.recorded:
            yield "not recorded"
            return
        yield f"{len(self):,} rows recorded"
        if gaps := sum(gap.topic in (self.name, "*") for gap in self._feed.source.gaps().rows()):
            yield f"{gaps:,} {'gap' if gaps == 1 else 'gaps'}"

    def __len__(self) -> int:
        """Rows recorded."""
        return self._feed.source.count(self.name)

    def __iter__(self) -> Iterator[R]:
        """The rows recorded, oldest first; read as they are needed."""
        return self._records(self._feed.source.rows(self.name).batches())

    def _records(self, batches: Iterator[pa.RecordBatch]) -> Iterator[R]:
        for batch in batches:
            for start in range(0, batch.num_rows, REBUILD_ROWS):
                yield from batch_to_records(self.record_type, batch.slice(start, REBUILD_ROWS))

    @property
    def latest(self) -> R | None:
        """The last row, or None if there is none."""
        table = self._select(limit=-1)
        return batch_to_records(self.record_type, table.to_batches()[0])[0] if table.num_rows else None

    def _select(self, **selection: Any) -> pa.Table:
        table = self._feed.source.rows(self.name).select(**self._timed(selection))
        self._feed.warn()
        return table

    def restart(self) -> None:
        """Forget what was read; the recording has changed."""
        with self.lock:
            self._loaded = True  # what is not loaded need not be, to be forgotten
            super().restart()
            self._loaded = False

    # The state

    def at(self, time: Any) -> Any:
        """What the rows up to ``time`` tell, taken together: the same object as ``state``, as it was then.

        ``rec.validators.at("2026-01-01 00:05").current`` are the validators by id, ``.table()`` the same as a table.
        Rows count by server time (receive time where it is missing), those of ``time`` itself included.

        :param time: anything pandas reads as a time (naive means UTC); or since the recording's start: a duration such
            as "5min", or a time of day such as "00:05:00", where negative ones count back from its end
        :raises BadOption: for a time that cannot be read, or a topic that has no state
        """
        if self.record_type not in VIEWS:
            raise BadOption(f"{self.name} has no state: its rows stand alone. Ask for to_pandas(end=…, limit=-1)")
        state = VIEWS[self.record_type]()
        end_ns = self._feed.time_of(time, option="time") + 1
        self.bring_to(state, end_ns)
        return state

    def rise(self) -> None:
        """Bring the state up, to all rows."""
        if self._state is not None:
            self.bring_to(self._state, None)

    def bring_to(self, state: Any, end_ns: int | None) -> None:
        """Apply the rows before ``end_ns`` (ns since 1970 UTC; None: all) to a fresh ``state``."""
        for record in self._records(self._feed.source.rows(self.name).batches(end=end_ns)):
            state.apply(record)

    # More rows than memory holds

    def files(self) -> tuple[Path, ...]:
        """The Parquet files with the topic's rows, in the order of the rows. Rows may be in none of them, yet."""
        stretches = self._feed.source.stretches(self.name)
        return tuple(piece for stretch in stretches for piece in stretch.pieces if isinstance(piece, Path))

    def scan(self) -> polars.LazyFrame:
        """All rows as a Polars LazyFrame over the files (and what is in no file yet), with the columns of to_polars().

        :raises MissingExtra: if Polars is not installed
        """
        found = scale.scan(self._feed.source.stretches(self.name), self.store_schema)
        self._feed.warn()
        return found

    def to_dask(self, columns: Sequence[str] | None = None, *, index: Index = "timestamp") -> dd.DataFrame:
        """All rows as a Dask DataFrame with the columns of :meth:`to_pandas`.

        A partition is at most 65,536 rows of a row group, so that workers with little memory do. Partitions come
        recorder by recorder; divisions are not known.

        :param columns: names of columns, None for all
        :param index: "timestamp", "recv" or None, as in :meth:`to_pandas`
        :raises MissingExtra: if Dask is not installed
        :raises BadOption: for an unknown column or index
        """
        found = scale.to_dask(self._feed.source.stretches(self.name), self.store_schema, columns, index)
        self._feed.warn()
        return found

    @property
    def store_schema(self) -> pa.Schema:
        """Columns of the topic's tables."""
        return self._store.schema


class RecordedMetrics(Recorded[Metrics], MetricsTopic):
    """Recorded metrics."""


class RecordedTransactions(Recorded[Transaction], TransactionsTopic):
    """Recorded transactions."""


class RecordedValidators(Recorded[Validator], ValidatorsTopic):
    """Recorded validators."""

    def bring_to(self, state: Any, end_ns: int | None) -> None:
        """The rows, and how many validators there are by the topics of consensus."""
        super().bring_to(state, end_ns)
        for topic in self._feed:
            if isinstance(topic, RecordedConsensus):
                state.expect(*topic.totals_before(end_ns))


class RecordedConsensus(Recorded[Consensus], ConsensusTopic):
    """Recorded states of the consensus."""

    _PLUMBING = frozenset({"totals_before"})

    def totals_before(self, end_ns: int | None) -> tuple[int | None, int | None]:
        """The last known numbers of validators, all and active."""
        table = self._select(columns=["total_validators", "active_validators"], end=end_ns)
        known = (column.drop_null() for column in table.columns)
        total, active = (column[-1].as_py() if len(column) else None for column in known)
        return total, active


class RecordedNetwork(Recorded[Peer], NetworkTopic):
    """Recorded peers."""


class RecordedMessages(Recorded[Message], MessagesTopic):
    """Recorded messages with a free payload."""


class RecordedSessions(Recorded[UserSession], SessionsTopic):
    """Recorded subscriber sessions."""


class RecordedModels(Recorded[ModelMetrics], ModelsTopic):
    """Recorded totals per model."""


class RecordedRateLimits(Recorded[RateLimit], RateLimitsTopic):
    """Recorded rate limits."""


class RecordedThroughput(Recorded[EndpointThroughput], ThroughputTopic):
    """Recorded rates per endpoint."""


class RecordedLatency(Recorded[EndpointLatency], LatencyTopic):
    """Recorded latencies per endpoint."""


class RecordedRequests(Recorded[InferenceRequest], RequestsTopic):
    """Recorded requests."""


class RecordedErrors(Recorded[InferenceError], ErrorsTopic):
    """Recorded errors."""


class RecordedSystem(Recorded[SystemMetrics], SystemTopic):
    """Recorded metrics of the machine behind the server."""


RECORDED_TYPES: Mapping[type[Record], type[Recorded[Any]]] = {
    Metrics: RecordedMetrics,
    Transaction: RecordedTransactions,
    Validator: RecordedValidators,
    Consensus: RecordedConsensus,
    Peer: RecordedNetwork,
    Message: RecordedMessages,
    UserSession: RecordedSessions,
    ModelMetrics: RecordedModels,
    RateLimit: RecordedRateLimits,
    EndpointThroughput: RecordedThroughput,
    EndpointLatency: RecordedLatency,
    InferenceRequest: RecordedRequests,
    InferenceError: RecordedErrors,
    SystemMetrics: RecordedSystem,
}
"""The record types whose topics can do more than any."""
