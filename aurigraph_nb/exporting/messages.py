"""The frames as they came, as an MCAP file: one channel a topic, for robotics viewers and whatever else reads MCAP."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..errors import MissingExtra
from ..gaps import Gap
from ..recording.digest import Digest
from ..recording.lines import FrameLine, Line, data_of
from ..schema import Record
from .progress import Tick

GAPS = "gaps"
SCHEMA = "jsonschema"
_SEQUENCES = 2**32
_EARLIEST, _LATEST = 0, 2**64 - 1

Journal = Iterable[tuple[str, Sequence[Line]]]


class Message(msgspec.Struct, frozen=True):
    """A frame, and what it turned out to be."""

    line: FrameLine
    rows: tuple[tuple[str, Record], ...]
    """The first row of each topic that it has rows of."""


def messages(protocol: str, journal: Journal) -> Iterator[Message]:
    """The frames of a journal with their rows, decoded anew; those of one recorder in order."""
    digests: dict[str, Digest] = {}
    for recorder, lines in journal:
        digest = digests.setdefault(recorder, Digest(protocol))
        for line in lines:
            digest.take(line)
            found = digest.drain()
            if isinstance(line, FrameLine):
                yield Message(line, tuple((topic, rows[0]) for topic, rows in found.items()))


def write_mcap(
    path: Path,
    protocol: str,
    journal: Journal,
    *,
    topics: Collection[str] | None,
    inside: Callable[[FrameLine], bool],
    gaps: Sequence[Gap],
    about: dict[str, str],
    tick: Tick,
) -> None:
    """One MCAP file. Log time is the receive time; publish time the server's, where a row tells it.

    A frame is on the channel of the first topic that it has rows of, once; a frame without rows on ``/endpoint/…`` of
    its connection. Gaps are messages on ``/gaps``, at their begin.

    :param topics: frames with rows of these alone; None: all frames
    :param inside: which frames
    :param about: what the file says about the recording
    :raises MissingExtra: if mcap is not installed
    """
    try:
        writer_module: Any = importlib.import_module("mcap.writer")
    except ImportError:
        raise MissingExtra(
            "the format mcap needs the package mcap, which is not installed: pip install 'aurigraph-nb[export]'"
        ) from None
    with open(path, "xb") as file:
        writer = writer_module.Writer(file)
        writer.start(profile="", library="aurigraph-nb")
        writer.add_metadata("aurigraph", about)
        channels = _Channels(writer, protocol)
        for message in messages(protocol, journal):
            tick(1)
            named = [(topic, row) for topic, row in message.rows if topics is None or topic in topics]
            if inside(message.line) and (named or topics is None):
                _add(writer, channels, message.line, named)
        for gap in gaps:
            at = _time(gap.start_ns)
            writer.add_message(channels.of(f"/{GAPS}", json=True), at, msgspec.json.encode(gap), at)
        writer.finish()


def _add(writer: Any, channels: _Channels, line: FrameLine, named: Sequence[tuple[str, Record]]) -> None:
    recv = _time(line.t)
    if not named:
        writer.add_message(channels.of(f"/endpoint/{line.e}", json=False, binary=line.b), recv, data_of(line), recv)
        return
    topic, row = named[0]
    published = recv if row.timestamp is None else _time(row.timestamp)
    channel = channels.of(f"/{topic}", json=not line.b)
    writer.add_message(channel, recv, data_of(line), published, row.n % _SEQUENCES)


def _time(ns: int) -> int:
    return min(max(ns, _EARLIEST), _LATEST)


class _Channels:
    """The channels so far, each with its schema."""

    def __init__(self, writer: Any, protocol: str) -> None:
        self._writer, self._protocol = writer, protocol
        self._ids: dict[tuple[str, bool, bool], int] = {}

    def of(self, topic: str, *, json: bool, binary: bool = False) -> int:
        """The channel of a topic; of messages that are JSON objects, or of whatever came."""
        key = (topic, json, binary)
        if key not in self._ids:
            schema = self._schema(topic) if json else 0
            meta = {"protocol": self._protocol, "opcode": "binary" if binary else "text"}
            self._ids[key] = self._writer.register_channel(topic, "json" if json else "", schema, meta)
        return self._ids[key]

    def _schema(self, topic: str) -> int:
        title = f"{self._protocol}{topic}"
        schema = {"title": title, "type": "object", "additionalProperties": True}
        found: int = self._writer.register_schema(title, SCHEMA, msgspec.json.encode(schema))
        return found
