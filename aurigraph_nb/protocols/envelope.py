"""What the systems whose messages stand in an envelope have in common: notices, and rows out of enveloped objects.

A *notice* carries no data: a welcome, an acknowledgement (with a ``type`` or without one), an error, a ping. Their
words differ from server to server; all that were met are in one table here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..schema import Record
from .base import Control, FieldCounts, Frame, Ledger
from .plans import Reading, Table
from .values import Unreadable, json_text, time

DETAIL_CHARS = 200
"""How much of a notice's text is kept."""

_WORDS = {
    "ping": "ping",
    "pong": "pong",
    "heartbeat": "heartbeat",
    "welcome": "welcome connected connection_established connection_ack hello ready",
    "subscribed": "subscribed subscription_confirmed subscribe_ack",
    "unsubscribed": "unsubscribed unsubscription_confirmed unsubscribe_ack",
    "ack": "ack acknowledged",
    "auth_required": "auth_required",
    "auth_ok": "auth_ok auth_success auth_response authenticated",
    "auth_refused": "auth_refused auth_failed auth_failure auth_error unauthorized",
    "error": "error",
    "info": "info",
}
NOTICES: Mapping[str, str] = {word: kind for kind, words in _WORDS.items() for word in words.split()}
"""Kind of :class:`Control` by the word that servers use."""

_IDS = ("connectionId", "connection_id", "clientId", "client_id", "sessionId", "session_id", "id")
_ACK_FIELDS = frozenset(
    """type event success ack status subscribed unsubscribed message channel channels error code reason result
    retry_after timestamp payload data""".split()
)
_ACK_MARKS = frozenset("success ack status subscribed unsubscribed message channel channels error result".split())
_REFUSED = frozenset("error failed failure refused rejected denied unauthorized invalid".split())


def fields_of(value: dict[str, Any]) -> dict[str, Any]:
    """Fields of a notice, whether they stand at the top or in its ``payload`` or ``data``."""
    for name in ("payload", "data"):
        inner = value.get(name)
        if type(inner) is dict:
            return {**value, **inner}
    return value


def notice(
    word: str, value: dict[str, Any], endpoint: str, *, pong: str, topics: Mapping[str, str] | None = None
) -> Control | None:
    """The notice that a message of type ``word`` is; None if that is no word of a notice.

    :param pong: what answers a ping
    :param topics: topic by the name of its channel on the wire
    """
    kind = NOTICES.get(word.lower())
    return None if kind is None else _control(kind, value, endpoint, pong, topics or {})


def untyped_notice(value: dict[str, Any], endpoint: str, *, topics: Mapping[str, str] | None = None) -> Control | None:
    """The acknowledgement or error that a message without a type is; None if it says more than those do."""
    names = fields_of(value).keys()
    if not names & _ACK_MARKS or not names <= _ACK_FIELDS:
        return None
    event = _lower(value.get("event"))
    kind = NOTICES.get(event) or ("error" if "error" in names else "ack")
    return _control(kind, value, endpoint, "", topics or {})


def _control(kind: str, value: dict[str, Any], endpoint: str, pong: str, topics: Mapping[str, str]) -> Control:
    fields = fields_of(value)
    kind = _refined(kind, fields)
    detail = _connection_id(fields) if kind == "welcome" else _said(value, fields)
    channel = fields.get("channel")
    topic = topics.get(channel, channel[:100]) if type(channel) is str else None
    return Control(kind, endpoint, detail, pong if kind == "ping" else None, topic)


def _refined(kind: str, fields: dict[str, Any]) -> str:
    """The kind that the fields tell where the word alone does not."""
    status = _lower(fields.get("status"))
    refused = fields.get("success") is False or status in _REFUSED
    if kind == "heartbeat" and _lower(fields.get("event")) in ("ping", "pong"):
        return _lower(fields["event"])
    if kind == "auth_ok" and (refused or fields.get("error")):
        return "auth_refused"
    if kind in ("subscribed", "unsubscribed", "ack"):
        return "error" if refused else _acknowledged(kind, status, fields)
    return kind


def _acknowledged(kind: str, status: str, fields: dict[str, Any]) -> str:
    """What is acknowledged: the end of a subscription if it says so, else a subscription if it names one."""
    said = f"{kind} {status} {_lower(fields.get('message'))} {' '.join(fields.keys() & {'unsubscribed'})}"
    if "unsubscri" in said:
        return "unsubscribed"
    named = fields.keys() & {"channel", "channels", "subscribed"}
    return "subscribed" if named or "subscri" in said else kind


def _lower(value: Any) -> str:
    return value.lower() if type(value) is str else ""


def _connection_id(fields: dict[str, Any]) -> str:
    return next((fields[name][:DETAIL_CHARS] for name in _IDS if type(fields.get(name)) is str), "")


def _said(value: dict[str, Any], fields: dict[str, Any]) -> str:
    """What a notice says, for people."""
    parts = [fields[name] for name in ("error", "message", "reason") if type(fields.get(name)) is str and fields[name]]
    text = "; ".join(parts) or json_text(value)
    after: Any = fields.get("retry_after")
    is_number = isinstance(after, int | float) and not isinstance(after, bool)
    tail = f"; retry after {after:g} s" if is_number and 0 <= after < 1e9 else ""
    return text[: DETAIL_CHARS - len(tail)] + tail


class TopicReader:
    """Makes the rows of one topic out of objects."""

    def __init__(
        self,
        topic: str,
        table: Table,
        counts: tuple[FieldCounts, FieldCounts, FieldCounts],
        *,
        key: str | None = None,
        constants: Mapping[str, Any] | None = None,
    ) -> None:
        """:param counts: of unnamed, wrongly typed and doubtful fields
        :param key: column without which an object is no row; None: any column but the time makes one
        :param constants: columns that have the same value in all rows
        """
        self.topic, self._key, self._constants = topic, key, dict(constants or {})
        self._reading = Reading(topic, table, *counts)
        self._wrong_type = counts[1]

    def rows(self, frame: Frame, ledger: Ledger, objects: list[Any], fallback_time: Any) -> tuple[list[Record], str]:
        """One row an object, all of one frame; or none, and the reason why.

        :param fallback_time: the envelope's time, for objects that have none
        """
        if not objects or not all(type(o) is dict for o in objects):
            return [], f"no object (or list of objects) to make a row of {self.topic} from"
        plans = [self._reading.plan(data) for data in objects]
        for data, plan in zip(objects, plans, strict=True):
            columns = {column for _, column, _ in plan.fields}
            if not (self._key in columns if self._key else columns - {"timestamp"}):
                came = ", ".join(data)[:200] or "none"
                return [], f"none of the fields that make a row of {self.topic}; fields were {came}"
        n, gap = ledger.take(self.topic), ledger.gap_before(self.topic)
        rows = []
        for data, plan in zip(objects, plans, strict=True):
            values = self._reading.values(data, plan)
            if "timestamp" not in values:
                values["timestamp"] = self._time(fallback_time)
            values.update(self._constants, recv_ns=frame.recv_ns, conn_epoch=frame.conn_epoch, n=n, gap_before=gap)
            rows.append(self._reading.table.record(**values))
            gap = False
        return rows, ""

    def _time(self, value: Any) -> int | None:
        return readable_time(value, self.topic, self._wrong_type)


def readable_time(value: Any, topic: str, wrong_type: FieldCounts) -> int | None:
    """An envelope's time, ns since 1970 UTC; None if it has none, and counted if it is none."""
    if value is None:
        return None
    try:
        result: int = time(value)
    except Unreadable:
        wrong_type.add(topic, "timestamp")
        return None
    return result
