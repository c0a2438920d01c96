"""The spellings of the inference metrics stream: which name on the wire is which column, with its unit.

Names without a dot are those of the documents, where ``data`` is flat. Names with one are paths into the real server's
sections (``latency.p99``), or into the message around the data (``envelope.sequence``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..schema import (
    Cost,
    EndpointLatency,
    EndpointThroughput,
    InferenceError,
    InferenceMetrics,
    InferenceRecord,
    InferenceRequest,
    KvCache,
    ModelMetrics,
    Queue,
    RateLimit,
    Streaming,
    SystemMetrics,
)
from .plans import Alias, Table
from .values import Reader, Unreadable, integer, json_text, number, percent, text, time

TOPIC_OF: Mapping[str, str] = {
    "metrics_update": "metrics",
    "model_update": "models",
    "request_update": "requests",
    "error_update": "errors",
    "system_update": "system",
    "rate_limit_update": "rate_limits",
    "cost_update": "costs",
    "kv_cache_update": "kv_cache",
}
"""Message types that carry rows, and the topic that they name."""

FRACTION, PERCENT = "fraction", "percent"


def sequence_number(value: Any) -> int:
    """A frame's number: whole, 0 or above."""
    result = integer(value)
    if result < 0:
        raise Unreadable
    return result


def _flag(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise Unreadable


def _lower_word(value: Any) -> str:
    if type(value) is str:
        return value.strip().lower()
    raise Unreadable


def _object(value: Any) -> str:
    if type(value) is dict:
        return json_text(value)
    raise Unreadable


def _same(read: Reader, names: str) -> list[Alias]:
    """Columns that are called on the wire what they are called here."""
    return [Alias(name, name, read) for name in names.split()]


_SPREAD = ("avg", "min", "max", "p50", "p90", "p99")

ENVELOPE = frozenset("timestamp sequence metadata".split())
"""Columns that the message around the data gives."""


def _table(record: type[InferenceRecord], aliases: Iterable[Alias]) -> Table:
    around = [
        Alias("timestamp", "timestamp", time),
        Alias("timestamp", "envelope.timestamp", time),
        Alias("sequence", "envelope.sequence", sequence_number),
        Alias("metadata", "envelope.metadata", json_text),
    ]
    return Table(record, [*around, *aliases])


METRICS = _table(
    InferenceMetrics,
    [
        *_same(integer, "total_requests total_tokens active_connections"),
        *_same(number, "total_cost avg_latency_ms error_rate streaming_percentage"),
        Alias("requests_per_s", "requests_per_second", number),
        Alias("requests_per_s", "throughput.total_requests_per_sec", number),
        Alias("tokens_per_s", "tokens_per_second", number),
        Alias("tokens_per_s", "throughput.total_tokens_per_sec", number),
        Alias("errors_per_s", "error.total_errors_per_sec", number),
    ],
)

MODELS = _table(
    ModelMetrics,
    [
        *_same(text, "model"),
        *_same(integer, "request_count total_prompt_tokens total_completion_tokens total_tokens error_count"),
        *_same(number, "total_latency_ms avg_latency_ms error_rate total_cost"),
        Alias("tokens_per_s", "tokens_per_second", number),
    ],
)

REQUESTS = _table(
    InferenceRequest,
    [
        *_same(text, "id model error_message user_id organization_id"),
        *_same(time, "created"),
        *_same(integer, "prompt_tokens completion_tokens total_tokens"),
        *_same(number, "latency_ms cost"),
        *_same(_flag, "streaming"),
        *_same(_lower_word, "status"),
    ],
)

ERRORS = _table(
    InferenceError,
    [*_same(text, "error_type error_message model stack_trace request_id"), *_same(_lower_word, "severity")],
)

SYSTEM = _table(
    SystemMetrics,
    [
        *(
            Alias(f"{part}_percent", f"{part}_usage", percent)
            for part in ("cpu", "memory", "gpu", "gpu_memory", "disk")
        ),
        *_same(integer, "network_in_bytes network_out_bytes active_workers queue_size"),
    ],
)

RATE_LIMITS = _table(
    RateLimit,
    [
        *_same(text, "endpoint"),
        *_same(integer, "limit remaining"),
        *_same(time, "reset_time"),
        Alias("used_percent", "percentage_used", percent),
    ],
)

COSTS = _table(
    Cost,
    [
        *_same(_lower_word, "period"),
        *_same(number, "total_cost projected_monthly_cost"),
        *_same(_object, "breakdown_by_model breakdown_by_service"),
    ],
)

KV_CACHE = _table(
    KvCache,
    [
        *_same(integer, "cache_hits cache_misses cache_size_bytes cache_entries evictions"),
        *_same(number, "hit_rate avg_lookup_time_ms"),
        Alias("cache_hits", "cache.cache_hits", integer),
        # The server has both kinds of rates by this name, and nothing in the frame tells which one came.
        Alias("hit_rate", "cache.hit_rate", number, FRACTION),
        Alias("hit_rate", "cache.hit_rate", number, PERCENT),
    ],
)

THROUGHPUT = _table(
    EndpointThroughput,
    [
        *_same(text, "endpoint"),
        *(Alias(f"{what}_per_s", f"throughput.{what}_per_sec", number) for what in ("requests", "responses", "tokens")),
        Alias("errors_per_s", "error.errors_per_sec", number),
    ],
)

LATENCY = _table(
    EndpointLatency,
    [*_same(text, "endpoint"), *(Alias(f"{point}_ms", f"latency.{point}", number) for point in _SPREAD)],
)

QUEUE = _table(Queue, [Alias(name, f"queue.{name}", integer) for name in ("active_streams", "queue_depth")])

STREAMING = _table(
    Streaming,
    [
        *(Alias(f"{kind}_streams", f"streaming.{kind}_streams", integer) for kind in ("active", "completed", "failed")),
        *(Alias(f"ttft_{point}_ms", f"streaming.ttft.{point}", number) for point in _SPREAD),
        *(Alias(f"tokens_per_s_{point}", f"streaming.tokens_per_second.{point}", number) for point in _SPREAD),
    ],
)

TABLES: Mapping[str, Table] = {
    "metrics": METRICS,
    "models": MODELS,
    "requests": REQUESTS,
    "errors": ERRORS,
    "system": SYSTEM,
    "rate_limits": RATE_LIMITS,
    "costs": COSTS,
    "kv_cache": KV_CACHE,
    "throughput": THROUGHPUT,
    "latency": LATENCY,
    "queue": QUEUE,
    "streaming": STREAMING,
}

KEYS: Mapping[str, str] = {
    "models": "model",
    "requests": "id",
    "rate_limits": "endpoint",
    "throughput": "endpoint",
    "latency": "endpoint",
}
"""The column, and the name on the wire, of what the rows of a topic are about."""
