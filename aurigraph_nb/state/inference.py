"""What the inference metrics say now: models, endpoints and rate limits, the newest requests and errors, health.

Rows about a thing replace the row before; requests and errors are lists, newest first, that can be filtered, cleared
and made longer or shorter. :mod:`aurigraph_nb.state.sums` sums it up.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, TypeVar

import msgspec
import pyarrow as pa

from aurigraph_nb.columns import records_to_table
from aurigraph_nb.schema import (
    EndpointLatency,
    EndpointThroughput,
    InferenceError,
    InferenceRequest,
    ModelMetrics,
    RateLimit,
    Record,
    SystemMetrics,
)
from aurigraph_nb.state.rows import THINGS, Latest, Things
from aurigraph_nb.state.view import merge

R = TypeVar("R", bound=Record)

SEVERITIES: Final = ("critical", "high", "medium", "low")
"""The documented severities of an error, worst first."""
_SEVERITIES_KEPT: Final = 20


class ModelsState(Things[ModelMetrics]):
    """The last known totals of each model, and how fast its requests come.

    >>> state = ModelsState()
    >>> state.apply(ModelMetrics(recv_ns=0, conn_epoch=1, n=0, model="m", request_count=10))
    >>> state.apply(ModelMetrics(recv_ns=2_000_000_000, conn_epoch=1, n=1, model="m", request_count=16))
    >>> state.requests_per_s
    3.0
    """

    record_type = ModelMetrics
    key = "model"

    def __init__(self, *, limit: int = THINGS) -> None:
        super().__init__(limit=limit)
        self._counted: dict[str, tuple[ModelMetrics, float | None]] = {}  # last record with a count, rate at it

    @property
    def requests_per_s(self) -> float | None:
        """Requests per second over all models, each by its last two totals; None where no model has two yet."""
        rates = [rate for _, rate in self._counted.values() if rate is not None]
        return sum(rates) if rates else None

    def apply(self, record: ModelMetrics) -> None:
        """Take the next record."""
        super().apply(record)
        if record.model is None or record.request_count is None:
            return
        before, _ = self._counted.get(record.model, (None, None))
        self._counted[record.model] = (record, None if before is None else _rate(before, record))
        if len(self._counted) > len(self._current):
            self._counted = {name: kept for name, kept in self._counted.items() if name in self._current}


def _rate(old: ModelMetrics, new: ModelMetrics) -> float | None:
    """Requests per second between two totals of a model; None if they do not tell (a total that shrank began anew)."""
    if old.request_count is None or new.request_count is None or new.request_count < old.request_count:
        return None
    if old.timestamp is None or new.timestamp is None:
        passed_ns = new.recv_ns - old.recv_ns
    else:
        passed_ns = new.timestamp - old.timestamp
    return (new.request_count - old.request_count) * 1e9 / passed_ns if passed_ns > 0 else None


class RateLimitsState(Things[RateLimit]):
    """The last known rate limit of each endpoint."""

    record_type = RateLimit
    key = "endpoint"


class EndpointsState(Things[R]):
    """The last known row of each endpoint."""

    key = "endpoint"


class ThroughputState(EndpointsState[EndpointThroughput]):
    """The last known rates of each endpoint."""

    record_type = EndpointThroughput


class LatencyState(EndpointsState[EndpointLatency]):
    """The last known latencies of each endpoint."""

    record_type = EndpointLatency


class RequestsState(Latest[InferenceRequest]):
    """The newest requests, one row each: the same id again updates its row, which keeps its place.

    >>> state = RequestsState()
    >>> for n, status in enumerate(["in_progress", "success"]):
    ...     state.apply(InferenceRequest(recv_ns=n, conn_epoch=1, n=n, id="r1", model="m", status=status))
    >>> [row.status for row in state.filter(model="m")], state.total
    (['success'], 2)
    """

    record_type = InferenceRequest
    long_name = "history"

    def __init__(self, *, recent: int = 50, history: int = 100) -> None:
        super().__init__(recent, history)

    @property
    def history(self) -> list[InferenceRequest]:
        """The newest requests, newest first (100 unless told otherwise; of :attr:`recent`: 50)."""
        return self._newest(self._kept)

    def resize(self, *, recent: int | None = None, history: int | None = None) -> None:
        """Change how many rows the lists hold; None leaves a list as it is.

        Raises:
            BadOption: a number is below 1; BadOptionType: it is none.
        """
        self._resize(recent, history)

    def _key(self, record: InferenceRequest) -> str | int:
        return self._total if record.id is None else record.id


class ErrorsState(Latest[InferenceError]):
    """The newest errors, and how many of each severity there were."""

    record_type = InferenceError
    long_name = "monitor"

    def __init__(self, *, recent: int = 20, monitor: int = 50) -> None:
        super().__init__(recent, monitor)
        self._counts: Counter[str] = Counter()

    @property
    def monitor(self) -> list[InferenceError]:
        """The newest errors, newest first (50 unless told otherwise; of :attr:`recent`: 20)."""
        return self._newest(self._kept)

    @property
    def counts(self) -> dict[str, int]:
        """Errors since the start or the last :meth:`clear`, by severity, worst first; ``unknown`` for those without.

        Undocumented severities come last, and together as ``other`` when there are too many of them.
        """
        return {severity: self._counts[severity] for severity in (*SEVERITIES, *self._counts)}

    def resize(self, *, recent: int | None = None, monitor: int | None = None) -> None:
        """Change how many rows the lists hold; None leaves a list as it is.

        Raises:
            BadOption: a number is below 1; BadOptionType: it is none.
        """
        self._resize(recent, monitor)

    def apply(self, record: InferenceError) -> None:
        """Take the next record."""
        super().apply(record)
        severity = "unknown" if record.severity is None else record.severity
        new = severity not in self._counts and severity not in SEVERITIES
        self._counts["other" if new and len(self._counts) >= _SEVERITIES_KEPT else severity] += 1

    def clear(self) -> None:
        """Forget the rows and the counts; the total stays."""
        super().clear()
        self._counts.clear()


class SystemLimits(msgspec.Struct, frozen=True, kw_only=True):
    """From where on a machine is not healthy."""

    cpu_percent: float = 90
    memory_percent: float = 90
    gpu_percent: float = 95
    queue_size: float = 1000


class SystemState:
    """The machine behind the server now, and whether it is healthy.

    >>> state = SystemState()
    >>> record = SystemMetrics(recv_ns=0, conn_epoch=1, n=0, cpu_percent=91.0, memory_percent=40.0, queue_size=3)
    >>> state.apply(record)
    >>> state.healthy, state.over
    (False, ('cpu_percent',))
    """

    def __init__(self, *, limits: SystemLimits | None = None) -> None:
        self.limits = SystemLimits() if limits is None else limits
        self._current: SystemMetrics | None = None
        self._version = 0

    @property
    def current(self) -> SystemMetrics | None:
        """The last known figures (what a frame left out is kept), or None before the first."""
        return self._current

    @property
    def version(self) -> int:
        """Grows with every record."""
        return self._version

    @property
    def over(self) -> tuple[str, ...]:
        """The columns that have reached their limit: what makes the machine unhealthy."""
        return tuple(f for f in SystemLimits.__struct_fields__ if self._below(f) is False)

    @property
    def healthy(self) -> bool | None:
        """CPU and memory below 90 %, the GPU (if there is one) below 95 %, fewer than 1,000 in the queue.

        False as soon as one of them is not; None while none is known to be, but one is unknown.
        """
        below = [self._below(f) for f in SystemLimits.__struct_fields__ if f != "gpu_percent" or self._has_gpu]
        if False in below:
            return False
        return None if None in below else True

    @property
    def _has_gpu(self) -> bool:
        return self._current is not None and self._current.gpu_percent is not None

    def __repr__(self) -> str:
        if self._current is None:
            return "<SystemState: nothing known yet>"
        return f"<SystemState: {'healthy' if self.healthy else 'over its limits: ' + ', '.join(self.over)}>"

    def apply(self, record: SystemMetrics) -> None:
        """Take the next record."""
        self._current = merge(self._current, record)
        self._version += 1

    def table(self) -> pa.Table:
        """The current figures as one row (none before the first), with the schema of the topic."""
        return records_to_table(SystemMetrics, [] if self._current is None else [self._current])

    def _below(self, field: str) -> bool | None:
        value = None if self._current is None else getattr(self._current, field)
        return None if value is None else bool(value < getattr(self.limits, field))
