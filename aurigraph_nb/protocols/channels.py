"""Channel provider: one socket that carries channels by name, ``{type, data, timestamp}`` both ways.

Subscribing is local: the server sends everything. Two channels have columns of their own; the others' payloads are
free and kept as the very JSON text that came. Every message is, whole, a row of the topic ``*`` too. Relatives write
``event`` or a flat ``event_type`` in place of ``type``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ..schema import Bandwidth, Message, Record, UserSession
from .base import (
    NAMES_KEPT,
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
from .envelope import NOTICES, TopicReader, notice, readable_time, untyped_notice
from .plans import Alias, Table
from .values import Unreadable, integer, number, text, time

PATH = "/ws"

WHOLE = "*"
"""The topic of all messages."""

SUBPROTOCOL = "isp-protocol-v1"
"""The WebSocket sub-protocol that some servers speak under."""

NAME_CHARS = 100
"""A channel with a longer name is in the topic of all messages only."""


def lower_word(value: Any) -> str:
    """A word, in lower case."""
    if type(value) is str:
        return value.strip().lower()
    raise Unreadable


_TIME = Alias("timestamp", "timestamp", time)

BANDWIDTH = Table(
    Bandwidth,
    [
        _TIME,
        Alias("upload_mbps", "upload_mbps", number),
        Alias("download_mbps", "download_mbps", number),
        Alias("latency_ms", "latency_ms", number),
    ],
)

_SESSION_FIELDS = (
    ("session_id", "session_id", text),
    ("username", "username", text),
    ("ip_address", "ip_address", text),
    ("nas_ip_address", "nas_ip_address", text),
    ("upload_bytes", "upload_bytes", integer),
    ("download_bytes", "download_bytes", integer),
    ("session_time_s", "session_time_seconds", number),
    ("last_update", "last_update", time),
)

SESSIONS = Table(
    UserSession,
    [
        _TIME,
        Alias("action", "action", lower_word),
        *(Alias(column, f"session.{wire}", read) for column, wire, read in _SESSION_FIELDS),
        *(Alias(column, wire, read) for column, wire, read in _SESSION_FIELDS),
    ],
)

TABLES: Mapping[str, Table] = {"bandwidth": BANDWIDTH, "sessions": SESSIONS}
"""The topics with columns of their own."""

CHANNELS: Mapping[str, str] = {
    "bandwidth": "bandwidth_update",
    "sessions": "session_update",
    "subscribers": "subscriber_update",
    "tickets": "ticket_update",
    "invoices": "invoice_update",
    "network_status": "network_status",
}
"""Name of the channel on the wire, by topic. Any other channel's topic has the channel's name."""

_TOPIC_OF_CHANNEL = {channel: topic for topic, channel in CHANNELS.items()}
_NAMES = ("type", "event", "event_type")
_INNER_NAMES = ("event", "event_type", "channel")
_GENERIC = frozenset(("message", "event", "broadcast", "notification"))
# Words that a provider of channels by any name cannot mean as channels.
_NOTICES = NOTICES.keys() - {"hello", "ready", "info", "acknowledged"}
_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])


class ChannelsProtocol:
    """The channel provider as a :class:`~aurigraph_nb.protocols.base.WireProtocol`."""

    name = "channels"
    path = PATH
    subprotocols: tuple[str, ...] = (SUBPROTOCOL,)
    """Offered to the server; one that does not know it goes without."""
    topics: Mapping[str, type[Record]] = {
        **{topic: TABLES[topic].record if topic in TABLES else Message for topic in CHANNELS},
        WHOLE: Message,
    }
    other_topics: type[Record] | None = Message
    keys: Mapping[str, str] = {"sessions": "session_id"}
    periods_s: Mapping[str, float] = {"bandwidth": 2.0}
    token_by: TokenBy = "message"
    reconnects_when_idle = False
    heartbeat_answered = False

    def endpoints(self, url: str) -> dict[str, Endpoint]:
        """One connection for all topics."""
        return {"stream": Endpoint(url, tuple(self.topics))}

    def decoder(self, ledger: Ledger) -> ChannelsDecoder:
        return ChannelsDecoder(ledger)

    def greeting(self, token: str | None, now_ns: int) -> list[str]:
        return [] if token is None else [encode_message({"type": "auth", "token": token})]

    def subscribe(self, topic: str, now_ns: int) -> list[str]:
        return []  # the server sends everything

    def unsubscribe(self, topic: str, now_ns: int) -> list[str]:
        return []

    def acknowledges(self, topic: str) -> bool:
        return False

    def heartbeat(self, now_ns: int) -> str | None:
        """None: the system has none, and its relatives count what clients send."""
        return None

    def message(self, kind: str, data: Any, now_ns: int) -> str:
        return encode_message({"type": kind, "data": {} if data is None else data, "timestamp": iso_ms(now_ns)})

    def statistics_url(self, url: str) -> str | None:
        return None


class ChannelsDecoder:
    """Frames of the channel provider to rows."""

    def __init__(self, ledger: Ledger) -> None:
        self.unnamed, self.wrong_type, self.doubtful = FieldCounts(), FieldCounts(), FieldCounts()
        self.left_out = 0
        """Messages of channels beyond the first 1,000 other names, or with too long a name: in ``*`` only."""
        self._ledger = ledger
        counts = self.unnamed, self.wrong_type, self.doubtful
        keys = ChannelsProtocol.keys
        self._readers = {t: TopicReader(t, table, counts, key=keys.get(t)) for t, table in TABLES.items()}
        self._others: set[str] = set()

    def decode(self, frames: Iterable[Frame]) -> Batch:
        batch = Batch()
        for frame in frames:
            self._frame(frame, batch)
        return batch

    def statistics(self, data: bytes, recv_ns: int) -> Batch:
        return Batch()  # this system has no statistics

    def _frame(self, frame: Frame, batch: Batch) -> None:
        value, reason = parse_object(frame)
        if type(value) is not dict:
            self._failed(frame, None, reason or "JSON, but no object", batch)
            return
        named_by, channel = _channel(value)
        control = _control(frame, channel, value)
        if control is not None:
            batch.control.append(control)
        elif not channel:
            self._failed(frame, None, "no channel: none of type, event and event_type is a text", batch)
        else:
            self._message(frame, named_by, channel, value, batch)

    def _message(
        self, frame: Frame, named_by: tuple[str, ...], channel: str, value: dict[str, Any], batch: Batch
    ) -> None:
        topic = _TOPIC_OF_CHANNEL.get(channel, channel)
        reader = self._readers.get(topic)
        if reader is not None:
            objects = _objects(named_by, value)
            if topic == "sessions":
                objects = [_flat_session(o) for o in objects]
            rows, reason = reader.rows(frame, self._ledger, objects, value.get("timestamp"))
            if not rows:
                self._failed(frame, topic, reason, batch)
                return
            batch.rows.setdefault(topic, []).extend(rows)
        elif topic != WHOLE and self._keeps(topic):
            batch.rows.setdefault(topic, []).append(self._free(frame, topic, named_by, channel, value))
        whole = frame.data.decode().strip()
        batch.rows.setdefault(WHOLE, []).append(self._row(frame, WHOLE, channel, value, whole, None))

    def _keeps(self, topic: str) -> bool:
        """Whether a topic of a free payload gets rows; the number of different names is bounded."""
        if topic in CHANNELS or topic in self._others:
            return True
        if len(topic) > NAME_CHARS or len(self._others) >= NAMES_KEPT:
            self.left_out += 1
            return False
        self._others.add(topic)
        return True

    def _free(self, frame: Frame, topic: str, named_by: tuple[str, ...], channel: str, value: dict[str, Any]) -> Record:
        raw = _RAW.decode(frame.data)
        body = _body_name(value)
        rest = {name: item for name, item in raw.items() if name not in (*named_by, "timestamp", body)}
        if body is None:
            return self._row(frame, topic, channel, value, msgspec.json.encode(rest).decode(), None)
        for name in rest:
            self.unnamed.add(topic, name)
        extra = msgspec.json.encode(rest).decode() if rest else None
        return self._row(frame, topic, channel, value, bytes(raw[body]).decode(), extra)

    def _row(
        self, frame: Frame, topic: str, channel: str, value: dict[str, Any], payload: str, extra: str | None
    ) -> Record:
        return Message(
            timestamp=self._time(topic, value),
            recv_ns=frame.recv_ns,
            conn_epoch=frame.conn_epoch,
            n=self._ledger.take(topic),
            gap_before=self._ledger.gap_before(topic),
            extra=extra,
            channel=channel[:NAME_CHARS],
            payload=payload,
        )

    def _time(self, topic: str, value: dict[str, Any]) -> int | None:
        """The envelope's time; where it has none, that of the data, if the data is an object with one."""
        if value.get("timestamp") is not None:
            return readable_time(value["timestamp"], topic, self.wrong_type)
        body = _body_name(value)
        data = None if body is None else value[body]
        return readable_time(data.get("timestamp"), topic, self.wrong_type) if type(data) is dict else None

    def _failed(self, frame: Frame, topic: str | None, reason: str, batch: Batch) -> None:
        """What was not understood may have been of any topic, unless it said of which; ``*`` lacks it in any case."""
        n = 0 if topic is None else self._ledger.take(topic)
        batch.undecoded.append(undecoded(frame, topic, n, reason))
        topics = (*ChannelsProtocol.topics, *self._others) if topic is None else (topic, WHOLE)
        self._ledger.mark_gap(topics)


def iso_ms(ns: int) -> str:
    """A time as the system writes it: ISO with three digits and Z.

    >>> iso_ms(1_767_268_800_123_456_789)
    '2026-01-01T12:00:00.123Z'
    """
    at = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=ns // 1_000_000)
    return f"{at.isoformat(timespec='milliseconds')}Z"


def _channel(value: dict[str, Any]) -> tuple[tuple[str, ...], str]:
    """The fields that name the channel, and the name; where ``type`` is a general word, another field says more."""
    first = next((name for name in _NAMES if _named(value, name)), None)
    if first is None:
        return (), ""
    if value[first].lower() in _GENERIC:
        inner = next((name for name in _INNER_NAMES if name != first and _named(value, name)), None)
        if inner is not None:
            return (first, inner), value[inner]
    return (first,), value[first]


def _named(value: dict[str, Any], name: str) -> bool:
    return type(value.get(name)) is str and value[name] != ""


def _control(frame: Frame, channel: str, value: dict[str, Any]) -> Control | None:
    if not channel:
        return untyped_notice(value, frame.endpoint)
    if channel.lower() not in _NOTICES:
        return None
    pong = encode_message({"type": "pong", "data": {}, "timestamp": iso_ms(frame.recv_ns)})
    return notice(channel, value, frame.endpoint, pong=pong)


def _body_name(value: dict[str, Any]) -> str | None:
    """The field that holds the data; None in a flat message."""
    return next((name for name in ("data", "payload") if name in value), None)


def _objects(named_by: tuple[str, ...], value: dict[str, Any]) -> list[Any]:
    """The object(s) that a message holds: its data, or a flat message's own fields."""
    body = _body_name(value)
    around = {name: item for name, item in value.items() if name not in (*named_by, "timestamp", body)}
    if body is None:
        return [around]
    data = value[body]
    bodies = data if type(data) is list else [data]
    return [{**around, **b} if around and type(b) is dict else b for b in bodies]


def _flat_session(data: Any) -> Any:
    """``{action, session{username}}`` as ``action``, ``session.username``."""
    if type(data) is not dict or type(data.get("session")) is not dict:
        return data
    flat = {name: value for name, value in data.items() if name != "session"}
    return {**flat, **{f"session.{name}": value for name, value in data["session"].items()}}
