"""Aurigraph topic streams: one socket a topic, bare JSON objects without a ``type``.

Two shapes are in use, the server's and the web portal's; a later portal wraps frames in an envelope. All spellings are
in the tables below, with their units. Relatives in the wild send welcomes, acknowledgements and pings: those are told
apart here and are neither rows nor errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ..schema import Consensus, Metrics, Peer, Record, Transaction, Validator
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
from .plans import PORTAL, SERVER, Alias, Plan, Reading, Table, fits_decimal
from .quick import QuickWay
from .values import (
    RawNumber,
    Unreadable,
    big_integer,
    connected_word,
    exact_text,
    fraction_as_percent,
    integer,
    json_text,
    number,
    percent,
    percent_as_fraction,
    text,
    time,
    transaction_status,
    word,
)

_TIME = Alias("timestamp", "timestamp", time)

METRICS = Table(
    Metrics,
    [
        _TIME,
        Alias("tps", "tps", number, SERVER),
        Alias("tps", "currentTPS", number, PORTAL),
        Alias("cpu_percent", "cpu", number, SERVER),
        Alias("cpu_percent", "cpuUsage", number, PORTAL),
        Alias("cpu_percent", "cpuUsagePercent", percent),
        Alias("cpu_percent", "cpu_usage", percent),
        Alias("cpu_percent", "cpu_percent", percent),
        Alias("memory_mb", "memory", number, SERVER),
        Alias("memory_mb", "memoryUsageMb", number),
        Alias("memory_mb", "memory_mb", number),
        Alias("memory_percent", "memoryUsage", percent, PORTAL),
        Alias("memory_percent", "memory_percent", percent),
        Alias("connections", "connections", integer, SERVER),
        Alias("connections", "activeConnections", integer, PORTAL),
        Alias("error_rate", "errorRate", number, SERVER),
        Alias("error_rate", "errorRate", percent_as_fraction, PORTAL),
        Alias("error_rate", "error_rate", number),
    ],
)

TRANSACTIONS = Table(
    Transaction,
    [
        _TIME,
        Alias("hash", "txHash", text, SERVER),
        Alias("hash", "hash", text, PORTAL),
        Alias("hash", "transactionHash", text),
        Alias("hash", "id", text),
        Alias("sender", "from", text),
        Alias("sender", "fromAddress", text),
        Alias("sender", "sender", text),
        Alias("recipient", "to", text),
        Alias("recipient", "toAddress", text),
        Alias("recipient", "recipient", text),
        Alias("value_text", "value", exact_text),
        Alias("value_text", "amount", exact_text),
        Alias("status", "status", transaction_status),
        Alias("gas_used", "gasUsed", integer, SERVER),
        Alias("gas_used", "gas_used", integer),
        Alias("gas_price", "gasPrice", exact_text, PORTAL),
        Alias("gas_price", "gas_price", exact_text),
        Alias("fee", "fee", exact_text),
        Alias("block_number", "blockNumber", integer, PORTAL),
        Alias("block_number", "blockHeight", integer),
        Alias("block_number", "block_number", integer),
    ],
)

VALIDATORS = Table(
    Validator,
    [
        _TIME,
        Alias("id", "validator", text, SERVER),
        Alias("id", "id", text, PORTAL),
        Alias("id", "validatorId", text),
        Alias("id", "publicKey", text),
        Alias("address", "address", text, PORTAL),
        Alias("name", "name", text, PORTAL),
        Alias("status", "status", word),
        Alias("voting_power", "votingPower", number),
        Alias("voting_power", "voting_power", number),
        Alias("uptime_percent", "uptime", percent),
        Alias("uptime_percent", "uptime_percent", percent),
        Alias("commission_percent", "commissionRate", percent, PORTAL),
        Alias("commission_percent", "commission", percent),
        Alias("commission_percent", "commission_percent", percent),
        Alias("last_block_proposed", "lastBlockProposed", integer),
        Alias("last_block_proposed", "last_block_proposed", integer),
        Alias("delegators", "delegators", integer, PORTAL),
        Alias("total_staked", "totalStaked", big_integer, PORTAL),
        Alias("total_staked", "stake", big_integer),
        Alias("total_staked", "total_staked", big_integer),
        Alias("last_update", "lastUpdate", time, PORTAL),
        Alias("last_update", "last_update", time),
    ],
)

CONSENSUS = Table(
    Consensus,
    [
        _TIME,
        Alias("leader", "leader", text, SERVER),
        Alias("leader", "currentLeader", text, PORTAL),
        Alias("leader", "leaderId", text),
        Alias("leader", "leaderNodeId", text),
        Alias("state", "state", word),
        Alias("state", "nodeState", word),
        Alias("state", "phase", word),
        Alias("epoch", "epoch", integer),
        Alias("round", "round", integer),
        Alias("term", "term", integer),
        Alias("term", "currentTerm", integer),
        Alias("performance_percent", "performanceScore", fraction_as_percent, SERVER),
        Alias("performance_percent", "performanceScore", percent, PORTAL),
        Alias("performance_percent", "performance_percent", percent),
        Alias("active_validators", "activeValidators", integer),
        Alias("active_validators", "active_validators", integer),
        Alias("total_validators", "totalValidators", integer, PORTAL),
        Alias("total_validators", "totalNodes", integer),
        Alias("total_validators", "total_validators", integer),
        Alias("last_block_time", "lastBlockTime", number, PORTAL),
        Alias("average_block_time", "averageBlockTime", number, PORTAL),
        Alias("health", "consensusHealth", word, PORTAL),
        Alias("health", "health", word),
    ],
)

NETWORK = Table(
    Peer,
    [
        _TIME,
        Alias("peer_id", "peerId", text, SERVER),
        Alias("peer_id", "id", text, PORTAL),
        Alias("peer_id", "peer_id", text),
        Alias("address", "ip", text, SERVER),
        Alias("address", "address", text, PORTAL),
        Alias("address", "ipAddress", text),
        Alias("status", "connected", connected_word, SERVER),
        Alias("status", "status", word),
        Alias("latency_ms", "latency", number),
        Alias("latency_ms", "latency_ms", number),
        Alias("version", "version", text),
        Alias("country", "location.country", text, PORTAL),
        Alias("country", "country", text),
        Alias("city", "location.city", text, PORTAL),
        Alias("city", "city", text),
        *(
            Alias(column, f"{prefix}{name}", number, PORTAL if prefix else None)
            for column, spellings in (
                ("latitude", ("latitude", "lat")),
                ("longitude", ("longitude", "lng", "lon")),
            )
            for prefix in ("location.", "location.coordinates.", "")
            for name in spellings
        ),
        Alias("uptime_s", "uptime", number, PORTAL),
        Alias("uptime_s", "uptime_s", number),
        Alias("last_seen", "lastSeen", time, PORTAL),
        Alias("last_seen", "last_seen", time),
        Alias("inbound_bytes", "inboundBytes", integer, PORTAL),
        Alias("inbound_bytes", "inbound_bytes", integer),
        Alias("outbound_bytes", "outboundBytes", integer, PORTAL),
        Alias("outbound_bytes", "outbound_bytes", integer),
        Alias("connection_quality", "connectionQuality", word),
        Alias("connection_quality", "connection_quality", word),
        Alias("connection_quality", "quality", word),
    ],
)

TABLES: Mapping[str, Table] = {
    "metrics": METRICS,
    "transactions": TRANSACTIONS,
    "validators": VALIDATORS,
    "consensus": CONSENSUS,
    "network": NETWORK,
}

VALUE_UNITS = {SERVER: "base", PORTAL: "as-sent"}

_CONTROL_TYPES = frozenset(
    """ping pong heartbeat welcome connected connection_established ready hello auth_required auth_response
    authenticated ack subscribed unsubscribed subscription_confirmed error info""".split()
)
_ACK_FIELDS = frozenset("success ack subscribed message channel channels event error code result type".split())
_ACK_OR_MORE = _ACK_FIELDS | {"status", "timestamp"}
_DECIDED_BY_VALUE = frozenset({"type", "data", "location"})
"""Names of fields whose value decides what a frame is, or how it is read."""
_PLAIN_WORDS = ("PING", "PONG", "WELCOME", "SUBSCRIBED", "UNSUBSCRIBED", "ERROR", "OK", "ACK")


class PortalProtocol:
    """The topic streams as a :class:`~aurigraph_nb.protocols.base.WireProtocol`."""

    name = "portal"
    topics: Mapping[str, type[Record]] = {name: table.record for name, table in TABLES.items()}
    keys: Mapping[str, str] = {"transactions": "hash", "validators": "id", "network": "peer_id"}
    periods_s: Mapping[str, float] = {"metrics": 1.0}

    other_topics: type[Record] | None = None
    token_by: TokenBy = "header"
    subprotocols: tuple[str, ...] = ()
    reconnects_when_idle = False
    heartbeat_answered = False

    def endpoints(self, url: str) -> dict[str, Endpoint]:
        """One connection a topic; a URL that already ends in a topic gives the path that the others have too."""
        parts = urlsplit(url)
        path = parts.path.rstrip("/")
        head, _, last = path.rpartition("/")
        base = head if last in self.topics else path or "/ws"
        return {t: Endpoint(urlunsplit(parts._replace(path=f"{base}/{t}")), (t,)) for t in self.topics}

    def decoder(self, ledger: Ledger) -> PortalDecoder:
        return PortalDecoder(ledger)

    def greeting(self, token: str | None, now_ns: int) -> list[str]:
        """Nothing, but for relatives that want the token in the first message."""
        return [] if token is None else [encode_message({"type": "auth", "token": token})]

    def subscribe(self, topic: str, now_ns: int) -> list[str]:
        return []  # the path says it all

    def unsubscribe(self, topic: str, now_ns: int) -> list[str]:
        return []

    def acknowledges(self, topic: str) -> bool:
        return False

    def heartbeat(self, now_ns: int) -> str | None:
        """The portal's own ping; servers answer nothing, but it keeps middle boxes from closing a quiet connection."""
        return f'{{"type":"ping","timestamp":{now_ns // 1_000_000}}}'

    def message(self, kind: str, data: Any, now_ns: int) -> str:
        return encode_message({"type": kind, "data": data, "timestamp": now_ns // 1_000_000})

    def statistics_url(self, url: str) -> str | None:
        return None


class PortalDecoder:
    """Frames of the topic streams to rows."""

    def __init__(self, ledger: Ledger) -> None:
        self.unnamed, self.wrong_type, self.doubtful = FieldCounts(), FieldCounts(), FieldCounts()
        self._ledger = ledger
        self._readings = {
            topic: Reading(topic, table, self.unnamed, self.wrong_type, self.doubtful)
            for topic, table in TABLES.items()
        }
        self._quick = {topic: QuickWay(table) for topic, table in TABLES.items()}

    def decode(self, frames: Iterable[Frame]) -> Batch:
        batch = Batch()
        for frame in frames:
            try:
                if not self._take_quickly(frame, batch):
                    self._frame(frame, batch)
            except Exception as exc:  # noqa: BLE001 - a frame that this code has a fault with is one not understood
                topic = frame.endpoint
                batch.undecoded.append(undecoded(frame, topic, self._ledger.take(topic), f"a fault here: {exc!r:.100}"))
                self._ledger.mark_gap([topic])
        return batch

    def statistics(self, data: bytes, recv_ns: int) -> Batch:
        return Batch()  # this system's statistics hold no rows

    def _take_quickly(self, frame: Frame, batch: Batch) -> bool:
        """Take a frame that is like one before, if it is."""
        topic = frame.endpoint
        way = self._quick.get(topic) if frame.text else None
        found = None if way is None else way.values(frame.data)
        if found is None:
            return False
        values, shape = found
        self._complete(topic, values, shape)
        values["recv_ns"], values["conn_epoch"] = frame.recv_ns, frame.conn_epoch
        values["n"], values["gap_before"] = self._ledger.take(topic), self._ledger.gap_before(topic)
        row = TABLES[topic].record(**values)
        rows = batch.rows.get(topic)
        if rows is None:
            batch.rows[topic] = [row]
        else:
            rows.append(row)
        return True

    def _frame(self, frame: Frame, batch: Batch) -> None:
        topic = frame.endpoint
        value, reason = parse_object(frame)
        if value is None:
            if frame.text and (control := _plain_word(frame)):
                batch.control.append(control)
                return
            self._failed(frame, topic, reason, batch)
            return
        if type(value) is dict:
            control = _control(frame, value)
            if control is not None:
                batch.control.append(control)
                return
            topic, objects, fallback_time = _unwrap(topic, value)
        else:
            objects, fallback_time = value, None
        rows, reason = self._rows(frame, topic, objects, fallback_time)
        if rows is None:
            self._failed(frame, topic if topic in TABLES else frame.endpoint, reason, batch)
            return
        batch.rows.setdefault(topic, []).extend(rows)
        if objects is value and type(value) is dict and not value.keys() & _DECIDED_BY_VALUE:
            self._quick[topic].learn(tuple(value))

    def _failed(self, frame: Frame, topic: str, reason: str, batch: Batch) -> None:
        batch.undecoded.append(undecoded(frame, topic, self._ledger.take(topic), reason))
        self._ledger.mark_gap([topic])

    def _rows(self, frame: Frame, topic: str, objects: Any, fallback_time: Any) -> tuple[list[Record] | None, str]:
        reading = self._readings.get(topic)
        if reading is None:
            return None, f"unknown channel {topic[:50]!r}; known are {', '.join(TABLES)}"
        if type(objects) is dict:
            objects = [objects]
        if type(objects) is not list or not objects or not all(type(o) is dict for o in objects):
            return None, "JSON, but no object (or list of objects)"
        parts = []
        for data in objects:
            if topic == "network" and type(data.get("location", 0)) in (dict, type(None)):
                data = _flat_location(data)
            plan = reading.plan(data)
            if not _is_about(topic, plan.columns):
                return (
                    None,
                    f"none of the fields that make a row of {topic}; fields were {', '.join(data)[:200] or 'none'}",
                )
            parts.append((data, plan))
        n, gap = self._ledger.take(topic), self._ledger.gap_before(topic)
        rows = []
        for data, plan in parts:
            values = self._values(frame, reading, data, plan, fallback_time)
            rows.append(
                reading.table.record(recv_ns=frame.recv_ns, conn_epoch=frame.conn_epoch, n=n, gap_before=gap, **values)
            )
            gap = False
        return rows, ""

    def _values(
        self, frame: Frame, reading: Reading, data: dict[str, Any], plan: Plan, fallback: Any
    ) -> dict[str, Any]:
        if reading.topic == "transactions":
            data = _exact_amounts(frame, data)
        values = reading.values(data, plan)
        if "timestamp" not in values and fallback is not None:
            try:
                values["timestamp"] = time(fallback)
            except Unreadable:
                self.wrong_type.add(reading.topic, "timestamp")
        self._complete(reading.topic, values, plan.shape)
        return values

    def _complete(self, topic: str, values: dict[str, Any], shape: str | None) -> None:
        """Add what follows from other columns."""
        if topic == "transactions" and "value_text" in values:
            values["value"] = fits_decimal(values["value_text"])
            unit = values["value_unit"] = VALUE_UNITS.get(shape or "")
            if unit is None:
                self.doubtful.add(topic, "value")
        elif topic == "network" and "connection_quality" not in values and "latency_ms" in values:
            values["connection_quality"] = quality_of(values["latency_ms"])


def quality_of(latency_ms: float) -> str:
    """The portal's word for a latency: below 50 ms EXCELLENT, below 100 GOOD, below 150 FAIR, else POOR."""
    return "EXCELLENT" if latency_ms < 50 else "GOOD" if latency_ms < 100 else "FAIR" if latency_ms < 150 else "POOR"


def _is_about(topic: str, columns: frozenset[str]) -> bool:
    """Whether the columns of an object make a row: things need their key, the others anything beside a time."""
    key = PortalProtocol.keys.get(topic)
    return key in columns if key else bool(columns - {"timestamp"})


def _unwrap(topic: str, value: dict[str, Any]) -> tuple[str, Any, Any]:
    """Topic, object(s) and time out of the later portal's envelope; a bare frame as it is."""
    data = value.get("data")
    if type(data) not in (dict, list) or not ("channel" in value or "type" in value):
        return topic, value, None
    channel = value.get("channel")
    return (channel if type(channel) is str else topic), data, value.get("timestamp")


def _control(frame: Frame, value: dict[str, Any]) -> Control | None:
    """The control frames of relatives: by ``type``, or an acknowledgement without one."""
    kind = value.get("type")
    if type(kind) is str and kind.lower() in _CONTROL_TYPES:
        reply = '{"type":"pong"}' if kind.lower() == "ping" else None
        return Control(kind.lower(), frame.endpoint, json_text(value)[:200], reply)
    names = value.keys()
    if names and names <= _ACK_OR_MORE and names & _ACK_FIELDS:
        return Control("ack", frame.endpoint, json_text(value)[:200])
    return None


def _plain_word(frame: Frame) -> Control | None:
    """The plain-text commands of a relative: PING, PONG, SUBSCRIBED x, ERROR: …"""
    start = frame.data[:200].decode("utf-8", "replace").strip()
    first = start.split(maxsplit=1)[0].rstrip(":").upper() if start else ""
    if first not in _PLAIN_WORDS:
        return None
    return Control(first.lower(), frame.endpoint, start, "PONG" if first == "PING" else None)


def _flat_location(data: dict[str, Any]) -> dict[str, Any]:
    """``location{city, coordinates{lat}}`` as ``location.city``, ``location.coordinates.lat``."""
    flat = {name: value for name, value in data.items() if name != "location"}
    for name, value in (data["location"] or {}).items():
        if name == "coordinates" and type(value) is dict:
            flat.update({f"location.coordinates.{inner}": v for inner, v in value.items()})
        else:
            flat[f"location.{name}"] = value
    return flat


def _exact_amounts(frame: Frame, data: dict[str, Any]) -> dict[str, Any]:
    """Amounts that were sent as JSON fractions, in their own digits instead of as floats."""
    names = [name for name in ("value", "amount", "fee", "gasPrice", "gas_price") if type(data.get(name)) is float]
    if not names:
        return data
    raw = json.loads(frame.data, parse_float=RawNumber)
    source = _same_object(raw, data)
    return {**data, **{name: source[name] for name in names if name in source}}


def _same_object(raw: Any, data: dict[str, Any]) -> dict[str, Any]:
    """The object of the frame, read again, that ``data`` is: told by its other fields."""
    candidates = raw if type(raw) is list else [raw]
    if type(raw) is dict and type(raw.get("data")) in (dict, list):
        candidates = raw["data"] if type(raw["data"]) is list else [raw["data"]]
    for candidate in candidates:
        if type(candidate) is dict and all(_equal(candidate.get(name), value) for name, value in data.items()):
            return dict(candidate)
    return data


def _equal(raw: Any, value: Any) -> bool:
    return float(raw) == value if isinstance(raw, RawNumber) else raw == value or type(value) in (dict, list)
