"""Cards: present values, big enough to be read from across the room."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from aurigraph_nb.schema import Consensus, NetworkSummary, ValidatorSummary

from .assets import script, style
from .base import LiveWidget, Message, refuse_unknown
from .cells import full, milliseconds, percent, text
from .flow import DEFAULT_RATE_HZ
from .horizon import Horizon
from .sources import Source, of_either, of_feed


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One value of a card, ready to be shown as text."""

    label: str
    text: str
    unit: str = ""
    """Stands behind the text, where neither the text nor the label tells it."""
    look: str = "row"
    """``hero`` (big, above the others), ``bar``, ``badge`` or ``row``."""
    hint: str = ""
    """Exact value, for the tooltip."""
    level: float | None = None
    """Length of a bar, 0 to 1."""


class Card(LiveWidget):
    """What all cards share: items made from what is known now."""

    _esm = script("card")
    _css = style("card")

    def _build(self, source: Source, *, title: str, rate_hz: float, when_offline: str | None = None) -> None:
        self._seen = -1
        self._horizon = None if source.topic is None else Horizon(source)
        self._stale_sent: str | None = None
        super().__init__(source, setup={"title": title}, rate_hz=rate_hz, when_offline=when_offline)

    def items(self) -> Sequence[Item]:
        """The values that the card shows now, as text; empty before the first record."""
        return self._items()

    def _items(self) -> Sequence[Item]:
        """The values now; empty before the first record."""
        raise NotImplementedError

    def _count(self) -> int:
        """Grows with everything that the card shows."""
        return sum(topic.store.count for topic in map(self._understudy.of, self._source.topics))

    def _at_ns(self) -> int | None:
        """The time that the card tells: of the newest row."""
        rows = [topic.store.latest for topic in map(self._understudy.of, self._source.topics)]
        times = [row.recv_ns if row.timestamp is None else row.timestamp for row in rows if row is not None]
        return max(times, default=None)

    def _stale(self) -> str | None:
        """Why the values are not those of now, in words; None while they are, or are made up."""
        if self._horizon is None or self._understudy.acting:
            return None
        stands = self._horizon.freshness(self._status)
        return "ended" if stands.ended else stands.why

    def _news(self, now: float) -> bool:
        return self._count() != self._seen or self._stale() != self._stale_sent

    def _snapshot(self, now: float) -> Message:
        before, self._seen = self._seen, self._count()
        self._stale_sent = self._stale()
        body = {
            "items": [msgspec.to_builtins(item) for item in self._items()],
            "at": milliseconds(self._at_ns()),
            "stale": self._stale_sent,
        }
        return Message(body, merged=max(0, self._seen - before - 1) if before >= 0 else 0)


class ConsensusState(Card):
    """The consensus now: state, leader, epoch, round, term, performance, validators, block times, health.

    Takes a feed, or its consensus topic. ``rate_hz``: most updates a second. Block times are shown as the server sends
    them: their unit is not told.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.ConsensusState(feed)
    ConsensusState(consensus)

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
        items = [
            Item(label="Leader", look="hero", text="None" if now.leader is None else text(now.leader)),
            Item(label="State", look="badge", text=word(now.state)),
        ]
        if now.health is not None:
            items.append(Item(label="Health", look="badge", text=word(now.health)))
        items += [
            Item(label="Epoch", text=count(now.epoch)),
            Item(label="Round", text=count(now.round)),
            Item(label="Term", text=count(now.term)),
            gauge("Performance", now.performance_percent),
            Item(label="Validators", text=_active(now), hint="active of all"),
        ]
        if now.last_block_time is not None:
            items.append(Item(label="Last block time", text=full(now.last_block_time), hint="as sent"))
        if now.average_block_time is not None:
            items.append(Item(label="Average block time", text=full(now.average_block_time), hint="as sent"))
        return items


def _active(now: Consensus) -> str:
    if now.total_validators is None:
        return "–" if now.active_validators is None else f"{now.active_validators:,} active"
    return f"{count(now.active_validators)} of {now.total_validators:,} active"


class NetworkCard(Card):
    """The network as a whole: its health, nodes and validators, from a feed of the live stream.

    ``rate_hz``: most updates a second.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(protocol="live", seed=7)
    >>> ag.NetworkCard(feed)
    NetworkCard(network_status)

    Raises:
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(self, feed: object, *, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        name = type(self).__name__
        source = of_either(name, of_feed(name, feed).feed, "network_status", NetworkSummary)
        validators = of_either(name, feed, "validator_summary", ValidatorSummary).topic
        self._build(msgspec.structs.replace(source, others=(validators,)), title="Network", rate_hz=rate_hz)

    def _items(self) -> Sequence[Item]:
        network, validators = (topic.store.latest for topic in self._source.topics)
        return [*_of_network(network), *_of_validators(validators)]


def _of_network(now: NetworkSummary | None) -> list[Item]:
    if now is None:
        return []
    return [
        Item(label="Health", look="badge", text=word(now.health)),
        share("Nodes", now.active_nodes, now.total_nodes),
        Item(label="Mean latency", text=milli(now.average_latency_ms), hint=full(now.average_latency_ms, "ms")),
    ]


def _of_validators(now: ValidatorSummary | None) -> list[Item]:
    if now is None:
        return []
    return [
        share("Validators", now.active_validators, now.total_validators),
        Item(label="Inactive", text=count(now.inactive_validators)),
        Item(label="Jailed", text=count(now.jailed_validators)),
    ]


def level(value: float | None, most: float) -> float | None:
    """How far a bar goes; a value outside the scale stops at its end."""
    if value is None or value != value or not most > 0:
        return None
    return round(min(1.0, max(0.0, value / most)), 4)


def count(value: int | None) -> str:
    """A number of things, all its digits."""
    return "–" if value is None else f"{value:,}"


def word(value: str | None) -> str:
    """A short word of the feed."""
    return "–" if value is None else text(value, 40)


def gauge(label: str, value: float | None, hint: str = "") -> Item:
    """A percentage as a bar."""
    told = "; ".join(part for part in (full(value, "%"), hint) if part)
    return Item(label=label, look="bar", text=percent(value), hint=told, level=level(value, 100))


def share(label: str, active: int | None, total: int | None) -> Item:
    """So many of all, as a bar where both are known."""
    if total is None:
        return Item(label=label, text="–" if active is None else f"{active:,} active")
    told = f"{count(active)} of {total:,} active"
    return Item(label=label, look="bar", text=told, level=level(active, total))


def megabytes(value: float) -> str:
    """Megabytes, or gigabytes from one on."""
    return f"{value / 1000:.2f} GB" if abs(value) >= 1000 else f"{value:.0f} MB"


def milli(value: float | None) -> str:
    """Milliseconds."""
    return "–" if value is None else f"{value:,.1f} ms"
