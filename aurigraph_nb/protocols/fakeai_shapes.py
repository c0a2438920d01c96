"""From the messages of the inference metrics stream to flat objects, one a row, each value under its name or path.

The documents' ``data`` are flat already. The real server's have sections, and some of those name an endpoint inside:
one message is rows of several topics. Names are those of :mod:`.fakeai_tables`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .fakeai_tables import ENVELOPE, KEYS
from .values import Unreadable, time

SECTIONS = frozenset("throughput latency cache queue streaming error".split())
"""What the real server's ``metrics_update`` is made of."""

_CONTENT = frozenset("type data deltas".split())

Parts = dict[str, list[dict[str, Any]]]
"""The objects of one frame that make rows, by topic."""


def objects(topic: str, data: Any) -> tuple[Parts, str]:
    """The flat object of a documented message; or several, as a list or by their key."""
    group, key = [data] if type(data) is dict else data, KEYS.get(topic)
    if type(group) is not list or not group or not all(type(o) is dict for o in group):
        return {}, f"its data are no object; a message for {topic} was expected to hold one"
    if type(data) is dict and key and data and all(type(inner) is dict for inner in data.values()):
        group = [{key: name, **inner} for name, inner in data.items()]
    return {topic: group}, ""


def sections(data: Any) -> Parts | None:
    """The objects of the real server's sections, each value under its path; None if ``data`` have no sections."""
    found = {name: data[name] for name in SECTIONS if type(data.get(name)) is dict} if type(data) is dict else {}
    if not found:
        return None
    totals = {name: value for name, value in data.items() if name not in found and value is not None}
    rates: dict[str, dict[str, Any]] = {}
    for section in ("throughput", "error"):
        for name, value in found.get(section, {}).items():
            if type(value) is dict:
                for endpoint, rate in value.items():
                    rates.setdefault(endpoint, {"endpoint": endpoint})[f"{section}.{name}"] = rate
            else:
                totals[f"{section}.{name}"] = value
    latencies = []
    for endpoint, spread in found.get("latency", {}).items():
        if type(spread) is not dict:
            totals[f"latency.{endpoint}"] = spread
        elif spread:  # an endpoint that the server's own filter emptied says nothing
            latencies.append({"endpoint": endpoint, **{f"latency.{name}": v for name, v in spread.items()}})
    parts: Parts = {"metrics": [totals] if totals else [], "throughput": list(rates.values()), "latency": latencies}
    for section, topic in (("queue", "queue"), ("cache", "kv_cache"), ("streaming", "streaming")):
        flat = dict(_paths(section, found.get(section, {})))
        parts[topic] = [flat] if flat else []
    return {topic: group for topic, group in parts.items() if group}


def _paths(section: str, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """``{"ttft": {"avg": 1}}`` as ``streaming.ttft.avg``."""
    for name, value in values.items():
        if type(value) is dict and section == "streaming":
            yield from ((f"{section}.{name}.{inner}", v) for inner, v in value.items())
        else:
            yield f"{section}.{name}", value


def with_envelope(parts: Parts, value: dict[str, Any]) -> Parts:
    """What stands around the data, added to each object; what nobody knows, to the first alone."""
    around = {f"envelope.{name}": v for name, v in value.items() if name not in _CONTENT and v is not None}
    known = {name: v for name, v in around.items() if name.removeprefix("envelope.") in ENVELOPE}
    result: Parts = {}
    for topic, group in parts.items():
        result[topic] = []
        for data in group:
            result[topic].append(_timed({**data, **around}))
            around = known
    return result


def _timed(data: dict[str, Any]) -> dict[str, Any]:
    """``data`` with one time: its own, or the message's where it has none that can be read."""
    if "timestamp" not in data:
        return data
    try:
        time(data["timestamp"])
    except Unreadable:
        own = data.pop("timestamp")
        return data if own is None else {**data, "data.timestamp": own}
    data.pop("envelope.timestamp", None)
    return data
