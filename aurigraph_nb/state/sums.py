"""The inference metrics on one card: sums and means over the models, and how much happened lately."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from aurigraph_nb.schema import InferenceMetrics, ModelMetrics
from aurigraph_nb.state.inference import ErrorsState, ModelsState, RequestsState


class Aggregates(msgspec.Struct, frozen=True, kw_only=True):
    """Sums and means over the models, with the counts of the recent requests and errors."""

    total_models: int
    requests: int
    """Sum over the models; unknown counts as 0, here and in the other sums."""
    tokens: int
    cost: float
    """In the currency of the server (its documents say US dollars)."""
    mean_latency_ms: float | None
    """Mean over the models with a known latency, each as often as it had requests; None if there are none."""
    error_rate: float | None
    """Failed share of the requests of the models that tell it, as a fraction (0-1); None if none does."""
    requests_per_s: float | None
    tokens_per_s: float | None
    recent_requests: int
    recent_errors: int


def aggregates(
    models: ModelsState, requests: RequestsState, errors: ErrorsState, metrics: InferenceMetrics | None = None
) -> Aggregates:
    """Sums and means over the models as they are known now.

    Args:
        models: the models.
        requests: the requests, for their number.
        errors: the errors, for their number.
        metrics: the server's own totals, for the rates: requests per second is the server's, else by the models' last
            two totals; tokens per second is the sum of the models', else the server's.
    """
    rows = list(models.current.values())
    told = [row.tokens_per_s for row in rows if row.tokens_per_s is not None]
    requests_per_s = None if metrics is None else metrics.requests_per_s
    tokens_per_s = None if metrics is None else metrics.tokens_per_s
    return Aggregates(
        total_models=len(rows),
        requests=sum(row.request_count or 0 for row in rows),
        tokens=sum(_tokens(row) for row in rows),
        cost=sum((row.total_cost or 0.0 for row in rows), 0.0),
        mean_latency_ms=_weighted((_latency_ms(row), row.request_count) for row in rows),
        error_rate=_weighted((_error_rate(row), row.request_count) for row in rows),
        requests_per_s=models.requests_per_s if requests_per_s is None else requests_per_s,
        tokens_per_s=sum(told) if told else tokens_per_s,
        recent_requests=len(requests.recent),
        recent_errors=len(errors.recent),
    )


def _tokens(row: ModelMetrics) -> int:
    if row.total_tokens is not None:
        return row.total_tokens
    return (row.total_prompt_tokens or 0) + (row.total_completion_tokens or 0)


def _latency_ms(row: ModelMetrics) -> float | None:
    if row.avg_latency_ms is None and row.total_latency_ms is not None and row.request_count:
        return row.total_latency_ms / row.request_count
    return row.avg_latency_ms


def _error_rate(row: ModelMetrics) -> float | None:
    if row.error_count is not None and row.request_count:
        return row.error_count / row.request_count
    return row.error_rate


def _weighted(pairs: Iterable[tuple[float | None, int | None]]) -> float | None:
    known = [(value, weight) for value, weight in pairs if value is not None and weight is not None and weight > 0]
    weights = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / weights if weights else None
