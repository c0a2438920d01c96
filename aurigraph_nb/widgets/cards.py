"""Cards: the present values of one topic, big enough to be read from across the room."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from aurigraph_nb.schema import Consensus, Metrics

from .assets import script, style
from .base import LiveWidget, Message, refuse_unknown
from .cells import full, milliseconds, percent, short, text
from .flow import DEFAULT_RATE_HZ
from .sources import Source, of_either


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One value of a card, ready to be shown as text."""

    label: str
    text: str
    look: str = "row"
    """``hero`` (big, above the others), ``bar``, ``badge`` or ``row``."""
    hint: str = ""
    """Exact value, for the tooltip."""
    level: float | None = None
    """Length of a bar, 0 to 1."""


class _Card(LiveWidget):
    """What both cards share: items made from the newest record."""

    _esm = script("card")
    _css = style("card")

    def _build(self, source: Source, *, title: str, rate_hz: float) -> None:
        self._seen = -1
        super().__init__(source, setup={"title": title}, rate_hz=rate_hz)

    def _items(self) -> Sequence[Item]:
        """The values now; empty before the first record."""
        raise NotImplementedError

    def _news(self, now: float) -> bool:
        count: int = self._source.topic.store.count
        return count != self._seen

    def _snapshot(self, now: float) -> Message:
        store = self._source.topic.store
        before, self._seen = self._seen, store.count
        items = self._items()
        latest = store.latest
        at_ns = None if latest is None else latest.recv_ns if latest.timestamp is None else latest.timestamp
        body = {"items": [msgspec.to_builtins(item) for item in items], "at": milliseconds(at_ns)}
        return Message(body, merged=max(0, self._seen - before - 1) if before >= 0 else 0)


class MetricsCard(_Card):
    """The node's load now: TPS, CPU and memory as bars, connections, error rate. Takes a feed, or its metrics topic.

    Where a server sends memory in megabytes, nobody says of how many: the bar then ends at a round number of gigabytes
    (1, 2, 4, …) well above the most that this card has seen. ``rate_hz``: most updates a second.

    Raises:
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(self, feed: object, *, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        self._peak_mb = 0.0
        source = of_either(type(self).__name__, feed, "metrics", Metrics)
        self._build(source, title="Node", rate_hz=rate_hz)

    def _items(self) -> Sequence[Item]:
        latest: Metrics | None = self._source.topic.store.latest
        if latest is None:
            return ()
        error_percent = None if latest.error_rate is None else latest.error_rate * 100
        return (
            Item(label="TPS", look="hero", text=short(latest.tps), hint=full(latest.tps, "tx/s")),
            Item(
                label="CPU",
                look="bar",
                text=percent(latest.cpu_percent),
                hint=full(latest.cpu_percent, "%"),
                level=_level(latest.cpu_percent, 100),
            ),
            self._memory(latest),
            Item(label="Connections", text=_count(latest.connections), hint="open client connections of the node"),
            Item(label="Error rate", text=percent(error_percent, 2), hint=f"{full(error_percent, '%')} of requests"),
        )

    def _memory(self, latest: Metrics) -> Item:
        if latest.memory_percent is not None:
            used = latest.memory_percent
            return Item(label="Memory", look="bar", text=percent(used), hint=full(used, "%"), level=_level(used, 100))
        used_mb = latest.memory_mb
        self._peak_mb = max(self._peak_mb, used_mb or 0.0)
        end_mb = _round_end_mb(self._peak_mb)
        return Item(
            label="Memory",
            look="bar",
            text="–" if used_mb is None else _megabytes(used_mb),
            hint=f"{full(used_mb, 'MB')}; the bar ends at {_megabytes(end_mb)}, as the total is not told",
            level=_level(used_mb, end_mb),
        )


def _round_end_mb(peak_mb: float) -> float:
    """End of a bar for megabytes of an unknown total: a power of two of gigabytes that leaves a third of it free."""
    end_mb = 1_000.0
    while end_mb < 1.5 * peak_mb and end_mb < 1e12:
        end_mb *= 2
    return end_mb


class ConsensusState(_Card):
    """The consensus now: state, leader, epoch, round, term, performance, validators, block times, health.

    Takes a feed, or its consensus topic. ``rate_hz``: most updates a second. Block times are shown as the server sends
    them: their unit is not told.

    Raises:
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(self, feed: object, *, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        source = of_either(type(self).__name__, feed, "consensus", Consensus)
        self._build(source, title="Consensus", rate_hz=rate_hz)

    def _items(self) -> Sequence[Item]:
        with self._source.topic.lock:
            now: Consensus | None = self._source.topic.state.current
        if now is None:
            return ()
        score = now.performance_percent
        items = [
            Item(label="Leader", look="hero", text="None" if now.leader is None else text(now.leader)),
            Item(label="State", look="badge", text=_word(now.state)),
        ]
        if now.health is not None:
            items.append(Item(label="Health", look="badge", text=_word(now.health)))
        items += [
            Item(label="Epoch", text=_count(now.epoch)),
            Item(label="Round", text=_count(now.round)),
            Item(label="Term", text=_count(now.term)),
            Item(label="Performance", look="bar", text=percent(score), hint=full(score, "%"), level=_level(score, 100)),
            Item(label="Validators", text=_share(now), hint="active of all"),
        ]
        if now.last_block_time is not None:
            items.append(Item(label="Last block time", text=full(now.last_block_time), hint="as sent"))
        if now.average_block_time is not None:
            items.append(Item(label="Average block time", text=full(now.average_block_time), hint="as sent"))
        return items


def _level(value: float | None, most: float) -> float | None:
    """How far a bar goes; a value outside the scale stops at its end."""
    if value is None or value != value or not most > 0:
        return None
    return round(min(1.0, max(0.0, value / most)), 4)


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _word(value: str | None) -> str:
    return "–" if value is None else text(value, 40)


def _share(now: Consensus) -> str:
    if now.total_validators is None:
        return "–" if now.active_validators is None else f"{now.active_validators:,} active"
    return f"{_count(now.active_validators)} of {now.total_validators:,} active"


def _megabytes(value: float) -> str:
    return f"{value / 1000:.2f} GB" if abs(value) >= 1000 else f"{value:.0f} MB"
