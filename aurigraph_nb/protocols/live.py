"""Aurigraph live stream: one socket for all topics, ``{type, payload, timestamp}`` both ways.

The throughput comes by itself; the other topics are subscribed to by the names of their channels. Servers were met
that send every frame twice after a second subscription, so exact repeats are left out here, and counted. While the
stream cannot be reached, the same figures are polled by HTTP: :meth:`LiveDecoder.statistics` reads them.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ..schema import Record
from .base import (
    Batch,
    Control,
    Endpoint,
    FieldCounts,
    Frame,
    Ledger,
    TokenBy,
    encode_message,
    parse_object,
    undecoded,
)
from .envelope import TopicReader, notice, untyped_notice
from .live_tables import FLAT, GROUPS, STATISTICS, TABLES
from .plans import Table

PATH = "/api/v11/live/stream"
STATISTICS_PATH = "/api/v11/blockchain/stats"

REPEATS_KNOWN = 8
"""How many frames of a topic back an exact repeat is recognised."""

CHANNELS: Mapping[str, str] = {
    "metrics": "tps_updates",
    "blocks": "block_updates",
    "network_status": "network_status",
    "validator_summary": "validator_metrics",
}
"""Name of the channel on the wire, by topic."""

TYPES: Mapping[str, str] = {
    "tps_update": "metrics",
    "block_update": "blocks",
    "network_update": "network_status",
    "validator_update": "validator_summary",
}
"""Topic by the type of its messages."""

_TOPIC_OF_CHANNEL = {channel: topic for topic, channel in CHANNELS.items()}
_UNASKED = "metrics"
_ENVELOPE = frozenset(("type", "timestamp", "channel"))


class LiveProtocol:
    """The live stream as a :class:`~aurigraph_nb.protocols.base.WireProtocol`."""

    name = "live"
    path = PATH
    topics: Mapping[str, type[Record]] = {name: table.record for name, table in TABLES.items()}
    other_topics: type[Record] | None = None
    keys: Mapping[str, str] = {}
    periods_s: Mapping[str, float] = {
        "metrics": 1.0,
        "blocks": 2.0,
        "network_status": 3.0,
        "validator_summary": 5.0,
    }
    token_by: TokenBy = "header"
    subprotocols: tuple[str, ...] = ()
    reconnects_when_idle = True
    heartbeat_answered = True

    def endpoints(self, url: str) -> dict[str, Endpoint]:
        """One connection for all topics."""
        return {"stream": Endpoint(url, tuple(self.topics))}

    def decoder(self, ledger: Ledger) -> LiveDecoder:
        return LiveDecoder(ledger)

    def greeting(self, token: str | None, now_ns: int) -> list[str]:
        """Nothing, but for relatives that want the token in the first message."""
        return [] if token is None else [encode_message({"type": "auth", "token": token})]

    def subscribe(self, topic: str, now_ns: int) -> list[str]:
        return [] if topic == _UNASKED else [self._about("subscribe", topic, now_ns)]

    def unsubscribe(self, topic: str, now_ns: int) -> list[str]:
        """What comes unasked is not ended either: nothing could ask for it again on the same connection."""
        return [] if topic == _UNASKED else [self._about("unsubscribe", topic, now_ns)]

    def _about(self, kind: str, topic: str, now_ns: int) -> str:
        return encode_message({"type": kind, "channel": CHANNELS.get(topic, topic), "timestamp": now_ns // 1_000_000})

    def acknowledges(self, topic: str) -> bool:
        return topic != _UNASKED

    def heartbeat(self, now_ns: int) -> str | None:
        return encode_message({"type": "ping", "timestamp": now_ns // 1_000_000})

    def message(self, kind: str, data: Any, now_ns: int) -> str:
        """``{type, payload, timestamp}``; a ``channel`` in the data stands at the top too, where servers look."""
        top = {"channel": data["channel"]} if type(data) is dict and "channel" in data else {}
        payload = {} if data is None else data
        return encode_message({"type": kind, **top, "payload": payload, "timestamp": now_ns // 1_000_000})

    def statistics_url(self, url: str) -> str | None:
        """The statistics of the same server, below the same prefix; without the query, which may hold a token."""
        parts = urlsplit(url)
        prefix = parts.path.rstrip("/")
        prefix = prefix.removesuffix(PATH) if prefix.endswith(PATH) else ""
        scheme = "https" if parts.scheme == "wss" else "http"
        return urlunsplit((scheme, parts.netloc, prefix + STATISTICS_PATH, "", ""))


class LiveDecoder:
    """Frames of the live stream to rows."""

    def __init__(self, ledger: Ledger) -> None:
        self.unnamed, self.wrong_type, self.doubtful = FieldCounts(), FieldCounts(), FieldCounts()
        self._ledger = ledger
        self._readers = self._make_readers(TABLES, "ws")
        self._statistics = self._make_readers(STATISTICS, "rest")
        self._conn_epoch = 0
        self._recent: dict[str, deque[bytes]] = {}

    def _make_readers(self, tables: Mapping[str, Table], source: str) -> dict[str, TopicReader]:
        counts = self.unnamed, self.wrong_type, self.doubtful
        return {t: TopicReader(t, table, counts, constants={"source": source}) for t, table in tables.items()}

    def decode(self, frames: Iterable[Frame]) -> Batch:
        batch = Batch()
        for frame in frames:
            if frame.conn_epoch != self._conn_epoch:
                self._conn_epoch = frame.conn_epoch
                self._recent.clear()
            self._frame(frame, batch)
        return batch

    def _frame(self, frame: Frame, batch: Batch) -> None:
        value, reason = parse_object(frame)
        if type(value) is not dict:
            self._failed(frame, None, reason or "JSON, but no object", batch)
            return
        kind = value.get("type")
        topic = TYPES.get(kind.lower()) if type(kind) is str else None
        if topic is None:
            control = _control(frame, kind, value)
            if control is not None:
                batch.control.append(control)
                return
            topic = _TOPIC_OF_CHANNEL.get(_channel(value))
        if topic is None:
            self._unknown(frame, kind, batch)
        else:
            self._data(frame, topic, value, batch)

    def _data(self, frame: Frame, topic: str, value: dict[str, Any], batch: Batch) -> None:
        recent = self._recent.setdefault(topic, deque(maxlen=REPEATS_KNOWN))
        objects = _objects(value)
        mark = _mark(frame, value, objects)
        if mark in recent:
            batch.suppressed[topic] += 1
            return
        rows, reason = self._readers[topic].rows(frame, self._ledger, objects, value.get("timestamp"))
        if not rows:
            self._failed(frame, topic, reason, batch)
            return
        if mark:
            recent.append(mark)
        batch.rows.setdefault(topic, []).extend(rows)

    def _unknown(self, frame: Frame, kind: Any, batch: Batch) -> None:
        """A message of another kind: no topic misses anything for it."""
        came = f"type {kind[:50]!r}" if type(kind) is str else "no type"
        reason = f"{came}; known are {', '.join(TYPES)}"
        batch.undecoded.append(undecoded(frame, None, 0, reason))

    def _failed(self, frame: Frame, topic: str | None, reason: str, batch: Batch) -> None:
        """What was not understood may have been of any topic, unless it said of which."""
        n = 0 if topic is None else self._ledger.take(topic)
        batch.undecoded.append(undecoded(frame, topic, n, reason))
        self._ledger.mark_gap(TABLES if topic is None else [topic])

    def statistics(self, data: bytes, recv_ns: int) -> Batch:
        """Rows of all topics out of the statistics' nested answer, or of the metrics out of a flat one."""
        batch = Batch()
        frame = Frame(data, True, recv_ns, 0, "statistics")
        value, reason = parse_object(frame)
        if type(value) is dict:
            reason = f"none of the known fields of the statistics; fields were {', '.join(value)[:200] or 'none'}"
            for topic, fields in _by_topic(value).items():
                rows, _ = self._statistics[topic].rows(frame, self._ledger, [fields], None)
                if rows:
                    batch.rows[topic] = rows
        if not batch.rows:
            batch.undecoded.append(undecoded(frame, None, 0, reason or "JSON, but no object"))
        return batch


def _control(frame: Frame, kind: Any, value: dict[str, Any]) -> Control | None:
    if type(kind) is str:
        pong = f'{{"type":"pong","timestamp":{frame.recv_ns // 1_000_000}}}'
        return notice(kind, value, frame.endpoint, pong=pong, topics=_TOPIC_OF_CHANNEL)
    return untyped_notice(value, frame.endpoint, topics=_TOPIC_OF_CHANNEL) if kind is None else None


def _body(value: dict[str, Any]) -> tuple[str, Any]:
    """Where the data stands, and what it is."""
    name = "payload" if value.get("payload") is not None else "data"
    return name, value.get(name)


def _channel(value: dict[str, Any]) -> str:
    """The channel that a message names, at the top or in its payload."""
    channel = value.get("channel")
    if channel is None:
        _, body = _body(value)
        channel = body.get("channel") if type(body) is dict else None
    return channel if type(channel) is str else ""


def _objects(value: dict[str, Any]) -> list[Any]:
    """The object(s) that a message holds: its payload, or a flat message's own fields."""
    name, body = _body(value)
    around = {k: v for k, v in value.items() if k not in _ENVELOPE and k != name and not (k == "payload" and v is None)}
    if body is None:
        return [around]
    bodies = body if type(body) is list else [body]
    return [_merged(around, b) if type(b) is dict else b for b in bodies]


def _merged(around: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    if "channel" in body:
        body = {name: value for name, value in body.items() if name != "channel"}
    return {**around, **body} if around else body


def _mark(frame: Frame, value: dict[str, Any], objects: list[Any]) -> bytes:
    """What tells a frame from all others; empty for one without a time, whose like may well come again."""
    timed = value.get("timestamp") is not None or any(type(o) is dict and "timestamp" in o for o in objects)
    return hashlib.blake2b(frame.data, digest_size=16).digest() if timed else b""


def _by_topic(value: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of the statistics' answer by the topic that they are about; those of none go with the metrics."""
    found: dict[str, dict[str, Any]] = {topic: {} for topic in STATISTICS}
    for name, item in value.items():
        if name in GROUPS and type(item) is dict:
            found[GROUPS[name]].update({f"{name}.{inner}": v for inner, v in item.items()})
        elif name != "timestamp":
            found[FLAT.get(name, "metrics")][name] = item
    if "timestamp" in value:
        for fields in found.values():
            fields["timestamp"] = value["timestamp"]
    return found
