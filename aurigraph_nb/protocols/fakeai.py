"""The inference metrics stream: one socket, messages ``{type, timestamp, data, sequence?, metadata?}``.

Its documents and its server differ, and both shapes are read here. As documented, times are milliseconds, ``data`` is
flat, each message type is a topic, and frames are numbered from 0. The real server sends times in seconds, no numbers,
first a snapshot of all (``historical_data``, which is no data: it repeats what was), then every second a
``metrics_update`` whose ``data`` has a section each for throughput, latency, cache, queue, streaming and errors: one
frame, rows of several topics. Its ``deltas`` say what two rows say, and are left out.

Nothing needs to be sent to be told everything. The real server takes ``{"type": "subscribe", "filters": {…}}`` and
narrows what it sends, but a filter by endpoint also empties all latencies, and one by kind does nothing. So topics are
chosen on this side, and filters are the user's to send.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ..schema import Record
from .base import (
    Batch,
    Control,
    Endpoint,
    Fault,
    FieldCounts,
    Frame,
    Ledger,
    TokenBy,
    encode_message,
    parse_object,
    undecoded,
)
from .fakeai_shapes import objects, sections, with_envelope
from .fakeai_tables import ENVELOPE, KEYS, TABLES, TOPIC_OF, sequence_number
from .plans import Reading
from .sequence import SequenceTracker
from .values import Unreadable, json_text

PATH = "/metrics/stream"

CONTROLS: Mapping[str, str] = {
    "init": "welcome",
    "historical_data": "snapshot",
    "heartbeat": "heartbeat",
    "ping": "ping",
    "pong": "pong",
    "subscribed": "subscribed",
    "unsubscribed": "unsubscribed",
    "error": "error",
}
"""Message types that carry no rows, and the kind of control that each is."""

_IDS = ("connection_id", "connectionId", "client_id", "id")
_TELLS = ("message", "error", "error_message")


class FakeaiProtocol:
    """The inference metrics stream as a :class:`~aurigraph_nb.protocols.base.WireProtocol`."""

    name = "fakeai"
    path = PATH
    topics: Mapping[str, type[Record]] = {name: table.record for name, table in TABLES.items()}
    other_topics: type[Record] | None = None
    keys: Mapping[str, str] = KEYS
    periods_s: Mapping[str, float] = {"metrics": 1.0}
    token_by: TokenBy = "header"
    subprotocols: tuple[str, ...] = ()
    reconnects_when_idle = False
    heartbeat_answered = True

    def endpoints(self, url: str) -> dict[str, Endpoint]:
        """One connection for everything; a URL without a path gets the usual one."""
        parts = urlsplit(url)
        whole = urlunsplit(parts._replace(path=PATH)) if parts.path in ("", "/") else url
        return {"stream": Endpoint(whole, tuple(self.topics))}

    def decoder(self, ledger: Ledger) -> FakeaiDecoder:
        return FakeaiDecoder(ledger)

    def greeting(self, token: str | None, now_ns: int) -> list[str]:
        """Nothing, but for servers behind something that wants the token in the first message."""
        return [] if token is None else [encode_message({"type": "auth", "token": token})]

    def subscribe(self, topic: str, now_ns: int) -> list[str]:
        return []  # everything comes unasked

    def unsubscribe(self, topic: str, now_ns: int) -> list[str]:
        return []

    def acknowledges(self, topic: str) -> bool:
        return False

    def heartbeat(self, now_ns: int) -> str | None:
        """``ping``, and not the ``heartbeat`` of the documents: the real server answers the one with a pong and the
        other with an error. Where a server knows neither, any frame of its own is life enough."""
        return f'{{"type":"ping","timestamp":{now_ns // 1_000_000}}}'

    def message(self, kind: str, data: Any, now_ns: int) -> str:
        """``{type, timestamp, data}``; but the ``filters`` of a ``subscribe`` stand where the server looks for them.

        ``data`` of a ``subscribe`` are the filters themselves (``endpoint``, ``model``, ``metric_type``,
        ``interval`` in s), or a dict with them under ``filters``.
        """
        if kind == "subscribe":
            filters = data.get("filters", data) if isinstance(data, dict) else data
            return encode_message({"type": kind, "filters": {} if filters is None else filters})
        body = {} if data is None else {"data": data}
        return encode_message({"type": kind, "timestamp": now_ns // 1_000_000, **body})

    def statistics_url(self, url: str) -> str | None:
        return None


class FakeaiDecoder:
    """Frames of the inference metrics stream to rows."""

    def __init__(self, ledger: Ledger) -> None:
        self.unnamed, self.wrong_type, self.doubtful = FieldCounts(), FieldCounts(), FieldCounts()
        self._ledger = ledger
        self._sequence = SequenceTracker()
        self._readings = {
            topic: Reading(topic, table, self.unnamed, self.wrong_type, self.doubtful)
            for topic, table in TABLES.items()
        }

    def decode(self, frames: Iterable[Frame]) -> Batch:
        batch = Batch()
        for frame in frames:
            self._frame(frame, batch)
        return batch

    def statistics(self, data: bytes, recv_ns: int) -> Batch:
        return Batch()  # this system has no statistics to fall back on

    def _frame(self, frame: Frame, batch: Batch) -> None:
        value, reason = parse_object(frame)
        kind = value.get("type") if type(value) is dict else None
        if type(kind) is not str:
            self._sequence.unreadable(frame.conn_epoch)
            reason = reason or f"JSON, but no object with a type; this system sends one of {', '.join(TOPIC_OF)}"
            batch.undecoded.append(undecoded(frame, None, 0, reason))
            self._ledger.mark_gap(TABLES)  # it could have been anything
            return
        topic, control = TOPIC_OF.get(kind.lower()), CONTROLS.get(kind.lower())
        if self._repeats(frame, value, topic, batch):
            return
        if topic is not None:
            self._data(frame, topic, value, batch)
        elif control is not None:
            batch.control.append(_control(frame, control, value))
        else:
            known = ", ".join((*TOPIC_OF, *CONTROLS))
            batch.undecoded.append(undecoded(frame, None, 0, f"unknown type {kind[:50]!r}; known are {known}"))

    def _repeats(self, frame: Frame, value: dict[str, Any], topic: str | None, batch: Batch) -> bool:
        """Keeps account of the frame's number; True if the frame is a repeat of data, and to be left out."""
        try:
            number = sequence_number(value["sequence"])
        except (KeyError, Unreadable):
            return False
        fault = self._sequence.observe(
            number, recv_ns=frame.recv_ns, conn_epoch=frame.conn_epoch, mark=hash(frame.data)
        )
        if fault is None or (fault.kind is Fault.REPEAT and topic is None):
            return False  # a pong or heartbeat may well carry the number of the frame before it
        batch.order.append(fault)
        if fault.kind is Fault.HOLE:
            self._ledger.mark_gap(TABLES)
        elif fault.kind is Fault.REPEAT and topic is not None:
            batch.suppressed[topic] += 1
        return fault.kind is Fault.REPEAT

    def _data(self, frame: Frame, topic: str, value: dict[str, Any], batch: Batch) -> None:
        data, reason = value.get("data"), ""
        parts = sections(data) if topic == "metrics" else None
        nested = parts is not None
        if parts is None:
            parts, reason = objects(topic, data)
        read: dict[str, list[dict[str, Any]]] = {}
        for part, group in with_envelope(parts, value).items():
            reading = self._readings[part]
            read[part] = [reading.values(d, reading.plan(d)) for d in group]
            reason = reason or ("" if nested else _not_rows(reading, group, read[part]))
        if reason:
            batch.undecoded.append(undecoded(frame, topic, self._ledger.take(topic), reason))
            self._ledger.mark_gap([topic])
            return
        for part, rows in read.items():
            batch.rows.setdefault(part, []).extend(self._rows(frame, part, rows))
        if not read:
            batch.control.append(Control("info", frame.endpoint, f"a {value['type']} without values"))

    def _rows(self, frame: Frame, topic: str, read: list[dict[str, Any]]) -> list[Record]:
        record = TABLES[topic].record
        n, gap = self._ledger.take(topic), self._ledger.gap_before(topic)
        return [
            record(recv_ns=frame.recv_ns, conn_epoch=frame.conn_epoch, n=n, gap_before=gap and at == 0, **values)
            for at, values in enumerate(read)
        ]


def _not_rows(reading: Reading, group: list[dict[str, Any]], read: list[dict[str, Any]]) -> str:
    """Why one of the objects makes no row; empty if all do."""
    key = KEYS.get(reading.topic)
    for data, values in zip(group, read, strict=True):
        names = [name for name in data if not name.startswith("envelope.")]
        came = f"fields were {', '.join(names)[:200] or 'none'}"
        if key is not None and values.get(key) is None:
            return f"a row of {reading.topic} needs {key!r}; {came}"
        if not {column for _, column, _ in reading.plan(data).fields} - ENVELOPE:
            return f"none of the fields that make a row of {reading.topic}; {came}"
    return ""


def _control(frame: Frame, kind: str, value: dict[str, Any]) -> Control:
    data = value["data"] if type(value.get("data")) is dict else {}
    if kind == "welcome":
        detail = next((o[name] for o in (data, value) for name in _IDS if type(o.get(name)) is str), "")
    elif kind == "error":
        detail = next((o[name] for o in (value, data) for name in _TELLS if type(o.get(name)) is str), "")
        detail = detail or json_text(value)
    elif kind == "snapshot":
        detail = ", ".join(data)
    else:
        detail = json_text({name: v for name, v in value.items() if name != "type"})
    return Control(kind, frame.endpoint, detail[:200], '{"type":"pong"}' if kind == "ping" else None)
