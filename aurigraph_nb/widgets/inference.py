"""Widgets of the inference metrics stream: models, requests, rate limits, the machine, and all of it summed up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.schema import (
    InferenceError,
    InferenceMetrics,
    InferenceRequest,
    ModelMetrics,
    RateLimit,
    Record,
    SystemMetrics,
)
from aurigraph_nb.state import aggregates

from .base import refuse_unknown
from .cards import Card, Item, count, gauge, megabytes, milli
from .cells import full, percent, short
from .flow import DEFAULT_RATE_HZ
from .metrics_card import money
from .rows import StateRows, TableColumn
from .sources import of_either, of_feed
from .tables import BaseTable

MAX_HISTORY = 10_000


class _StateTable(BaseTable):
    """A table of the things that a topic's state knows."""

    def _of(self, feed: object, topic: str, record: type[Record], columns: Sequence[TableColumn], **how: Any) -> None:
        source = of_either(type(self).__name__, feed, topic, record)
        self._build(source, StateRows(lambda: self._topic.state.current, source.topic.lock), columns, **how)


class ModelTable(_StateTable):
    """The models: requests, tokens, latency, errors, cost, speed. Takes a feed of the inference stream, or its topic.

    ``height`` in pixels; ``rate_hz``: most updates a second; ``when_offline="simulate"``: made-up data, labelled as
    such, while the feed is disconnected.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(protocol="fakeai", seed=7)
    >>> ag.ModelTable(feed)
    ModelTable(models)

    Raises:
        BadOption: an option out of its bounds.
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(
        self,
        feed: object,
        *,
        height: int = 260,
        rate_hz: float = DEFAULT_RATE_HZ,
        when_offline: str | None = None,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        how = {"title": "Models", "height": height, "rate_hz": rate_hz, "when_offline": when_offline}
        self._of(feed, "models", ModelMetrics, _MODEL_COLUMNS, **how)

    def _caption(self) -> dict[str, Any]:
        models = len(self._topic.state.current)
        return {"text": f"{models:,} {'model' if models == 1 else 'models'}"} if models else {}


class RateLimits(_StateTable):
    """The rate limits by endpoint: how much is used, what remains, when it starts anew.

    Takes a feed of the inference stream, or its topic; the options are those of :class:`ModelTable`.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(protocol="fakeai", seed=7)
    >>> ag.RateLimits(feed)
    RateLimits(rate_limits)

    Raises:
        BadOption: an option out of its bounds.
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(
        self,
        feed: object,
        *,
        height: int = 220,
        rate_hz: float = DEFAULT_RATE_HZ,
        when_offline: str | None = None,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        how = {"title": "Rate limits", "height": height, "rate_hz": rate_hz, "when_offline": when_offline}
        self._of(feed, "rate_limits", RateLimit, _LIMIT_COLUMNS, **how)


class RequestHistory(_StateTable):
    """The newest requests, newest first, with a filter and a button that clears. Takes a feed, or its requests topic.

    ``size``: how many are kept (default 100; the topic keeps that many too, if it kept fewer). The button does what
    ``feed.requests.clear()`` does: the stored rows stay. The other options are those of :class:`ModelTable`.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(protocol="fakeai", seed=7)
    >>> ag.RequestHistory(feed)
    RequestHistory(requests)

    Raises:
        BadOption: an option out of its bounds.
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(
        self,
        feed: object,
        *,
        size: int = 100,
        height: int = 320,
        rate_hz: float = DEFAULT_RATE_HZ,
        when_offline: str | None = None,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        topic = of_either(type(self).__name__, feed, "requests", InferenceRequest).topic
        with topic.lock:
            if _checked_size(size) > topic.state.current.limit:
                topic.state.resize(history=size)
        how = {"title": "Requests", "height": height, "rate_hz": rate_hz, "when_offline": when_offline}
        more = {"clear": "Clear the list of requests"}
        self._of(feed, "requests", InferenceRequest, _REQUEST_COLUMNS, newest_first=True, keep=size, more=more, **how)

    def _caption(self) -> dict[str, Any]:
        total = self._topic.state.total
        return {"text": f"{total:,} in total"} if total else {}


class SystemHealth(Card):
    """The machine behind the server: healthy or not, CPU, memory, GPU, disk, network, queue.

    Takes a feed of the inference stream, or its system topic. Healthy: CPU and memory below 90 %, the GPU (if there is
    one) below 95 %, fewer than 1,000 in the queue. The options are those of :class:`ModelTable`, without a height.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(protocol="fakeai", seed=7)
    >>> ag.SystemHealth(feed)
    SystemHealth(system)

    Raises:
        BadOption: an option out of its bounds.
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(
        self, feed: object, *, rate_hz: float = DEFAULT_RATE_HZ, when_offline: str | None = None, **unknown: object
    ) -> None:
        refuse_unknown(type(self), unknown)
        source = of_either(type(self).__name__, feed, "system", SystemMetrics)
        self._build(source, title="System", rate_hz=rate_hz, when_offline=when_offline)

    def _items(self) -> Sequence[Item]:
        topic = self._topic
        with topic.lock:
            now: SystemMetrics | None = topic.state.current
            healthy, over = topic.state.healthy, topic.state.over
        if now is None:
            return ()
        bars = [
            ("CPU", "cpu_percent", True),
            ("Memory", "memory_percent", True),
            ("GPU", "gpu_percent", False),
            ("GPU memory", "gpu_memory_percent", False),
            ("Disk", "disk_percent", False),
        ]
        known = [(label, name) for label, name, always in bars if always or getattr(now, name) is not None]
        traffic = [("Received", now.network_in_bytes), ("Sent", now.network_out_bytes)]
        return [
            Item(label="Health", look="badge", text=_health_word(healthy), hint=_over_limits(over)),
            *(gauge(label, getattr(now, name), "over the limit" if name in over else "") for label, name in known),
            Item(label="Queue", text=count(now.queue_size), hint="over the limit" if "queue_size" in over else ""),
            Item(label="Workers", text=count(now.active_workers)),
            *(Item(label=label, text=megabytes(size / 1e6)) for label, size in traffic if size is not None),
        ]


class AggregateStats(Card):
    """Sums and means over the models, and how many requests and errors there were lately. Takes an inference feed.

    The options are those of :class:`ModelTable`, without a height.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(protocol="fakeai", seed=7)
    >>> ag.AggregateStats(feed)
    AggregateStats(feed)

    Raises:
        BadOption: an option out of its bounds.
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(
        self, feed: object, *, rate_hz: float = DEFAULT_RATE_HZ, when_offline: str | None = None, **unknown: object
    ) -> None:
        refuse_unknown(type(self), unknown)
        name = type(self).__name__
        of_feed(name, feed)
        topics = tuple(of_either(name, feed, topic, record).topic for topic, record in _SUMMED)
        source = msgspec.structs.replace(of_feed(name, feed), others=topics)
        self._build(source, title="All models", rate_hz=rate_hz, when_offline=when_offline)

    def _items(self) -> Sequence[Item]:
        models, requests, errors, metrics = map(self._understudy.of, self._source.topics)
        with models.lock, requests.lock, errors.lock:
            sums = aggregates(models.state, requests.state, errors.state, metrics.store.latest)
        if not self._count():
            return ()
        rate = None if sums.error_rate is None else sums.error_rate * 100
        return [
            Item(label="Requests per second", look="hero", text=short(sums.requests_per_s)),
            Item(label="Tokens per second", text=short(sums.tokens_per_s), hint=full(sums.tokens_per_s, "tokens/s")),
            Item(label="Models", text=count(sums.total_models)),
            Item(label="Requests", text=count(sums.requests if sums.total_models else None)),
            Item(label="Tokens", text=count(sums.tokens if sums.total_models else None)),
            money("Cost", sums.cost if sums.total_models else None),
            Item(label="Mean latency", text=milli(sums.mean_latency_ms), hint="each model as often as it had requests"),
            Item(label="Error rate", text=percent(rate, 2), hint=f"{full(rate, '%')} of requests"),
            Item(label="Recent requests", text=count(sums.recent_requests)),
            Item(label="Recent errors", text=count(sums.recent_errors)),
        ]


_SUMMED: tuple[tuple[str, type[Record]], ...] = (
    ("models", ModelMetrics),
    ("requests", InferenceRequest),
    ("errors", InferenceError),
    ("metrics", InferenceMetrics),
)


def _health_word(healthy: bool | None) -> str:
    return "–" if healthy is None else "HEALTHY" if healthy else "UNHEALTHY"


def _over_limits(over: Sequence[str]) -> str:
    return f"over the limit: {', '.join(name.removesuffix('_percent') for name in over)}" if over else ""


def _checked_size(size: int) -> int:
    if isinstance(size, bool) or not isinstance(size, int):
        raise BadOptionType(f"size={size!r}: expected a whole number of requests from 1 to {MAX_HISTORY}")
    if not 1 <= size <= MAX_HISTORY:
        raise BadOption(f"size={size!r}: expected a whole number of requests from 1 to {MAX_HISTORY}")
    return size


def _col(field: str, label: str, kind: Any = "number", **more: Any) -> TableColumn:
    return TableColumn(field=field, label=label, kind=kind, **more)


_MODEL_COLUMNS = (
    _col("model", "Model", "mono", width=20),
    _col("request_count", "Requests", width=12),
    _col("total_tokens", "Tokens", width=14),
    _col("avg_latency_ms", "Latency", unit="ms", digits=1, width=14),
    _col("tokens_per_s", "Tokens", unit="/s", digits=1, width=14),
    _col("error_count", "Errors", width=10),
    _col("error_rate", "Error rate", unit="%", scale=100, digits=2, width=16),
    _col("total_cost", "Cost", digits=4, width=12),
    _col("total_prompt_tokens", "Prompt", width=13, optional=True),
    _col("total_completion_tokens", "Completion", width=14, optional=True),
)
_LIMIT_COLUMNS = (
    _col("endpoint", "Endpoint", "mono", width=24),
    _col("used_percent", "Used", "gauge", unit="%", digits=1, width=22),
    _col("remaining", "Remaining", width=13),
    _col("limit", "Limit", width=11),
    _col("reset_time", "Reset", "time", unit="UTC", digits=0, width=14),
)
_REQUEST_COLUMNS = (
    _col("created", "Created", "time", unit="UTC", digits=0, width=14),
    _col("id", "ID", "mono", width=16),
    _col("model", "Model", "mono", width=16),
    _col("status", "Status", "badge", width=17),
    _col("latency_ms", "Latency", unit="ms", digits=1, width=14),
    _col("total_tokens", "Tokens", width=11),
    _col("cost", "Cost", digits=6, width=13),
    _col("streaming", "Streamed", "text", width=11, optional=True),
    _col("user_id", "User", "mono", width=12, optional=True),
    _col("error_message", "Error", "text", width=24, optional=True),
)
