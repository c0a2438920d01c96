"""Words and units for columns: the unit stands in a column's name, and in the header that people read."""

from __future__ import annotations

_UNITS = {"percent": "%", "mbps": "Mbit/s", "ms": "ms", "s": "s", "mb": "MB", "bytes": "bytes", "ns": "ns", "hz": "/s"}
_WORDS = {
    "tps": "TPS",
    "cpu": "CPU",
    "gpu": "GPU",
    "id": "ID",
    "ip": "IP",
    "nas": "NAS",
    "kv": "KV",
    "recv": "Received",
}
_WHOLE = {"tps": ("TPS", "tx/s")}
_RATE = "_per_s"


def unit_of(column: str) -> str:
    """The unit that a column's name ends with, or "".

    >>> unit_of("latency_ms"), unit_of("cpu_percent"), unit_of("tokens_per_s"), unit_of("round")
    ('ms', '%', '/s', '')
    """
    if column in _WHOLE:
        return _WHOLE[column][1]
    if column.endswith(_RATE):
        return "/s"
    _, _, ending = column.rpartition("_")
    return _UNITS.get(ending, "") if ending != column else ""


def label_of(column: str) -> str:
    """A column's name in words, without its unit.

    >>> label_of("latency_ms"), label_of("last_block_proposed"), label_of("peer_id"), label_of("tokens_per_s")
    ('Latency', 'Last block proposed', 'Peer ID', 'Tokens')
    """
    if column in _WHOLE:
        return _WHOLE[column][0]
    words = column.removesuffix(_RATE).split("_")
    if unit_of(column) and not column.endswith(_RATE):
        words = words[:-1]
    return sentence(" ".join(_WORDS.get(word, word) for word in words))


def sentence(words: str) -> str:
    """Words as a heading has them.

    >>> sentence("rate_limits")
    'Rate limits'
    """
    told = words.replace("_", " ")
    return told[:1].upper() + told[1:]
