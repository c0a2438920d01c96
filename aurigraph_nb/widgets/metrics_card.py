"""The card of a feed's metrics, whichever system they come from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aurigraph_nb.errors import BadOption
from aurigraph_nb.schema import InferenceMetrics, LiveMetrics, Metrics, Record

from .base import refuse_unknown
from .cards import Card, Item, count, gauge, level, megabytes, milli
from .cells import full, percent, short
from .flow import DEFAULT_RATE_HZ
from .pretend import PLAYS
from .sources import of_either


class MetricsCard(Card):
    """The metrics of a feed now. Takes a feed, or its metrics topic, of any system that has such.

    A node: TPS, CPU and memory as bars, connections, error rate. The live stream: TPS, its peak, average and target,
    latency. Inference: requests and tokens per second, latency, error rate, totals. Where a server sends memory in
    megabytes, nobody says of how many: the bar then ends at a round number of gigabytes (1, 2, 4, …) well above the
    most that this card has seen. ``rate_hz``: most updates a second; ``when_offline="simulate"`` (inference only):
    made-up data, labelled as such, while the feed is disconnected.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.MetricsCard(feed)
    MetricsCard(metrics)

    Raises:
        BadOption: ``when_offline`` for a system that has no made-up data.
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(
        self,
        feed: object,
        *,
        rate_hz: float = DEFAULT_RATE_HZ,
        when_offline: str | None = None,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        self._peak_mb = 0.0
        source = of_either(type(self).__name__, feed, "metrics", *_CARDS)
        record = source.topic.record_type
        if when_offline is not None and record not in PLAYS:
            raise BadOption(f"when_offline={when_offline!r}: there are no made-up data for {record.__name__}")
        title, self._describe = next(card for kind, card in _CARDS.items() if issubclass(record, kind))
        self._build(source, title=title, rate_hz=rate_hz, when_offline=when_offline)

    def _items(self) -> Sequence[Item]:
        latest = self._topic.store.latest
        return () if latest is None else self._describe(self, latest)

    def _of_node(self, now: Metrics) -> Sequence[Item]:
        return (
            _rate("TPS", now.tps, "tx/s", "hero"),
            gauge("CPU", now.cpu_percent),
            self._memory(now),
            Item(label="Connections", text=count(now.connections), hint="open client connections of the node"),
            _errors(now.error_rate),
        )

    def _memory(self, now: Metrics) -> Item:
        if now.memory_percent is not None:
            return gauge("Memory", now.memory_percent)
        used_mb = now.memory_mb
        self._peak_mb = max(self._peak_mb, used_mb or 0.0)
        end_mb = _round_end_mb(self._peak_mb)
        return Item(
            label="Memory",
            look="bar",
            text="–" if used_mb is None else megabytes(used_mb),
            hint=f"{full(used_mb, 'MB')}; the bar ends at {megabytes(end_mb)}, as the total is not told",
            level=level(used_mb, end_mb),
        )

    def _of_live(self, now: LiveMetrics) -> Sequence[Item]:
        told = [_rate("TPS", now.tps, "tx/s", "hero")]
        if now.peak_tps is not None and now.tps is not None:
            most = max(now.peak_tps, now.tps)  # servers send values above their own peak
            told.append(
                Item(
                    label="Peak",
                    look="bar",
                    text=short(now.peak_tps),
                    unit="tx/s",
                    hint=f"{full(now.peak_tps, 'tx/s')}; the bar is TPS now",
                    level=level(now.tps, most),
                )
            )
        else:
            told.append(_rate("Peak", now.peak_tps, "tx/s"))
        told.append(_rate("Average", now.average_tps, "tx/s"))
        if now.target_tps is not None:
            told.append(_rate("Target", now.target_tps, "tx/s"))
        told.append(Item(label="Latency", text=milli(now.latency_ms), hint=full(now.latency_ms, "ms")))
        if now.source == "rest":
            told.append(Item(label="Source", text="REST", hint="polled, while the stream cannot be reached"))
        return told

    def _of_inference(self, now: InferenceMetrics) -> Sequence[Item]:
        told = [
            _rate("Requests per second", now.requests_per_s, "requests/s", "hero"),
            _rate("Tokens per second", now.tokens_per_s, "tokens/s"),
        ]
        if now.avg_latency_ms is not None:
            told.append(Item(label="Mean latency", text=milli(now.avg_latency_ms), hint=full(now.avg_latency_ms, "ms")))
        if now.error_rate is not None:
            told.append(_errors(now.error_rate))
        if now.errors_per_s is not None:
            told.append(_rate("Errors per second", now.errors_per_s, "errors/s"))
        if now.total_requests is not None:
            told.append(Item(label="Requests", text=count(now.total_requests)))
        if now.total_tokens is not None:
            told.append(Item(label="Tokens", text=count(now.total_tokens)))
        if now.total_cost is not None:
            told.append(money("Cost", now.total_cost))
        if now.active_connections is not None:
            told.append(Item(label="Connections", text=count(now.active_connections)))
        return told


_CARDS: Mapping[type[Record], tuple[str, Callable[[MetricsCard, Any], Sequence[Item]]]] = {
    Metrics: ("Node", MetricsCard._of_node),
    LiveMetrics: ("Throughput", MetricsCard._of_live),
    InferenceMetrics: ("Inference", MetricsCard._of_inference),
}
"""Title and content of the card, by the rows of the topic."""


def money(label: str, value: float | None) -> Item:
    """A cost. The currency is the server's; none is told on the wire."""
    known = value is not None and math.isfinite(value)
    return Item(label=label, text=f"{value:,.4f}" if known else "–", hint=f"{full(value)}, in the server's currency")


def _rate(label: str, value: float | None, unit: str, look: str = "row") -> Item:
    told = "" if value is None or label.endswith("per second") else unit
    return Item(label=label, look=look, text=short(value), unit=told, hint=full(value, unit))


def _errors(rate: float | None) -> Item:
    value = None if rate is None else rate * 100
    return Item(label="Error rate", text=percent(value, 2), hint=f"{full(value, '%')} of requests")


def _round_end_mb(peak_mb: float) -> float:
    """End of a bar for megabytes of an unknown total: a power of two of gigabytes that leaves a third of it free."""
    end_mb = 1_000.0
    while end_mb < 1.5 * peak_mb and end_mb < 1e12:
        end_mb *= 2
    return end_mb
