"""Rows of the inference metrics stream, in its documented and its real shape."""

from __future__ import annotations

from .base import Category, Json, Record, Time


class InferenceRecord(Record, frozen=True, kw_only=True):
    """What the rows of this stream have in common."""

    sequence: int | None = None
    """The server's own number of the frame, per connection; None if it sends none."""
    metadata: Json | None = None
    """What the server sent beside the data under this name."""


class InferenceMetrics(InferenceRecord, frozen=True, kw_only=True):
    """Totals and rates over all endpoints and models; every second."""

    total_requests: int | None = None
    total_tokens: int | None = None
    total_cost: float | None = None
    """In the currency of the server (its documents say US dollars)."""
    avg_latency_ms: float | None = None
    error_rate: float | None = None
    """Failed share of requests, as a fraction (0-1)."""
    streaming_percentage: float | None = None
    """Streamed share of requests, as sent: the name says percent, the documents' example (0.75) reads as a fraction."""
    requests_per_s: float | None = None
    tokens_per_s: float | None = None
    errors_per_s: float | None = None
    active_connections: int | None = None


class ModelMetrics(InferenceRecord, frozen=True, kw_only=True):
    """Totals of one model, since the server started."""

    model: Category | None = None
    request_count: int | None = None
    total_prompt_tokens: int | None = None
    total_completion_tokens: int | None = None
    total_tokens: int | None = None
    total_latency_ms: float | None = None
    error_count: int | None = None
    avg_latency_ms: float | None = None
    error_rate: float | None = None
    """As a fraction (0-1)."""
    total_cost: float | None = None
    tokens_per_s: float | None = None


class InferenceRequest(InferenceRecord, frozen=True, kw_only=True):
    """One request."""

    id: str | None = None
    model: Category | None = None
    created: Time | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    latency_ms: float | None = None
    streaming: bool | None = None
    status: Category | None = None
    """success, error or in_progress."""
    error_message: str | None = None
    cost: float | None = None
    user_id: str | None = None
    organization_id: str | None = None


class InferenceError(InferenceRecord, frozen=True, kw_only=True):
    """One error."""

    error_type: Category | None = None
    error_message: str | None = None
    model: Category | None = None
    stack_trace: str | None = None
    request_id: str | None = None
    severity: Category | None = None
    """low, medium, high or critical."""


class SystemMetrics(InferenceRecord, frozen=True, kw_only=True):
    """The machine behind the server."""

    cpu_percent: float | None = None
    memory_percent: float | None = None
    gpu_percent: float | None = None
    gpu_memory_percent: float | None = None
    disk_percent: float | None = None
    network_in_bytes: int | None = None
    network_out_bytes: int | None = None
    active_workers: int | None = None
    queue_size: int | None = None


class RateLimit(InferenceRecord, frozen=True, kw_only=True):
    """The rate limit of one endpoint."""

    endpoint: Category | None = None
    limit: int | None = None
    remaining: int | None = None
    reset_time: Time | None = None
    used_percent: float | None = None


class Cost(InferenceRecord, frozen=True, kw_only=True):
    """Cost over a period."""

    period: Category | None = None
    total_cost: float | None = None
    breakdown_by_model: Json | None = None
    breakdown_by_service: Json | None = None
    projected_monthly_cost: float | None = None


class KvCache(InferenceRecord, frozen=True, kw_only=True):
    """The key-value cache of the models."""

    cache_hits: int | None = None
    cache_misses: int | None = None
    hit_rate: float | None = None
    """As a fraction (0-1)."""
    cache_size_bytes: int | None = None
    cache_entries: int | None = None
    evictions: int | None = None
    avg_lookup_time_ms: float | None = None


class EndpointThroughput(InferenceRecord, frozen=True, kw_only=True):
    """Rates of one endpoint (the real server's shape)."""

    endpoint: Category | None = None
    requests_per_s: float | None = None
    responses_per_s: float | None = None
    tokens_per_s: float | None = None
    errors_per_s: float | None = None


class EndpointLatency(InferenceRecord, frozen=True, kw_only=True):
    """Latencies of one endpoint (the real server's shape), in ms."""

    endpoint: Category | None = None
    avg_ms: float | None = None
    min_ms: float | None = None
    max_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None


class Queue(InferenceRecord, frozen=True, kw_only=True):
    """Requests that wait (the real server's shape)."""

    active_streams: int | None = None
    queue_depth: int | None = None


class Streaming(InferenceRecord, frozen=True, kw_only=True):
    """Streams so far (the real server's shape)."""

    active_streams: int | None = None
    completed_streams: int | None = None
    failed_streams: int | None = None
    ttft_avg_ms: float | None = None
    """Time to first token, over the completed streams; like the other times and speeds, only once there are some."""
    ttft_min_ms: float | None = None
    ttft_max_ms: float | None = None
    ttft_p50_ms: float | None = None
    ttft_p90_ms: float | None = None
    ttft_p99_ms: float | None = None
    tokens_per_s_avg: float | None = None
    """Speed of one stream, over the completed streams."""
    tokens_per_s_min: float | None = None
    tokens_per_s_max: float | None = None
    tokens_per_s_p50: float | None = None
    tokens_per_s_p90: float | None = None
    tokens_per_s_p99: float | None = None
