"""The lines of a journal: everything that a recorder writes down, one JSON object a line.

A journal is a run of segments. Each begins with a :class:`Head`, which says what it is a recording of and where the
counting stands, and holds in the order of their happening: frames as they came, connections that opened and closed,
gaps that only a client can know of, statistics by HTTP. What can be found out by decoding the frames again (rows,
frames that make no sense, holes in the server's numbering) is not written down twice.

The order of keys is fixed and defaults are left out, so that equal lines are equal bytes.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from ..gaps import Gap
from ..protocols import Frame

VERSION = 1
"""Version of the format. A reader refuses a higher one by name; it reads all lower ones."""


class _Line(msgspec.Struct, frozen=True, gc=False, tag_field="k", omit_defaults=True):
    pass


class Head(_Line, frozen=True, tag="head", kw_only=True, gc=True):
    """The first line of a segment."""

    v: int = msgspec.field(name="v")
    """Version of the format."""
    recorder: str
    """Who wrote it; unique in a recording for each run of a recorder."""
    segment: int
    """Its number; unique in the recording."""
    t: int
    """When it was begun, ns since 1970 UTC, on the feed's clock."""
    protocol: str
    url: str
    """Of the server, without secrets."""
    topics: tuple[str, ...]
    """What was subscribed for the recording."""
    first: bool = False
    """Whether the run of the recorder begins here: nothing that was decoded before counts any more."""
    ledger: dict[str, int] = {}
    """Ordinal of each topic's next frame."""
    marks: tuple[str, ...] = ()
    """Topics whose next row comes after a gap."""
    open: tuple[Gap, ...] = ()
    """Gaps that last at this moment."""
    up: dict[str, int] = {}
    """Connections that stand, by endpoint, with their ordinals."""


class FrameLine(_Line, frozen=True, tag="f"):
    """A frame as it came off the socket."""

    t: int
    """Receive time, ns since 1970 UTC."""
    e: str
    """Endpoint: which connection of the feed brought it."""
    c: int
    """Ordinal of the connection."""
    d: str
    """The data: text as it is, or base64."""
    enc: str = ""
    """"b64" if ``d`` is base64 (binary, or text that is not valid UTF-8)."""
    b: bool = False
    """Whether it was a binary message."""


class Opened(_Line, frozen=True, tag="open"):
    """A connection stands."""

    t: int
    e: str
    c: int


class Closed(_Line, frozen=True, tag="close"):
    """A connection ended."""

    t: int
    e: str
    c: int
    why: str = ""
    """Without secrets; empty if it was ended by request."""
    over: bool = False
    """Whether the server ended the stream for good."""


class GapBegins(_Line, frozen=True, tag="gap", gc=True):
    """From ``gap.start_ns`` on something is missing, or may be. With an end: it is over already."""

    t: int
    gap: Gap
    marks: bool = True
    """Whether the next row of the topic is marked with ``gap_before``."""


class GapEnds(_Line, frozen=True, tag="gap-end"):
    """The open gap of this topic and cause ended."""

    t: int
    topic: str
    cause: str
    end_ns: int
    frames: int | None = None


class Statistics(_Line, frozen=True, tag="rest"):
    """The answer to a request for statistics by HTTP, which stands in for the stream."""

    t: int
    d: str
    enc: str = ""


class Count(_Line, frozen=True, tag="count", gc=True):
    """Where the counting stands after frames were lost on this side: ordinals go on from here."""

    t: int
    ledger: dict[str, int]
    marks: tuple[str, ...] = ()


class Tick(_Line, frozen=True, tag="tick"):
    """Nothing came for a while, and the recorder was alive."""

    t: int


class End(_Line, frozen=True, tag="end"):
    """The last line of a segment that was ended in good order."""

    t: int
    frames: int
    """Frames in the segment."""
    last: bool = False
    """Whether the recorder ended with it."""


Line: TypeAlias = Head | FrameLine | Opened | Closed | GapBegins | GapEnds | Statistics | Count | Tick | End

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)


def frame_line(frame: Frame) -> FrameLine:
    """The line of a frame."""
    text, enc = _text_of(frame.data, plain=frame.text)
    return FrameLine(frame.recv_ns, frame.endpoint, frame.conn_epoch, text, enc, not frame.text)


def frame_of(line: FrameLine) -> Frame:
    """The frame of a line, as it came.

    :raises ValueError: if its base64 is none
    """
    return Frame(data_of(line), not line.b, line.t, line.c, line.e)


def statistics_line(recv_ns: int, body: bytes) -> Statistics:
    """The line of an answer by HTTP."""
    text, enc = _text_of(body, plain=True)
    return Statistics(recv_ns, text, enc)


def data_of(line: FrameLine | Statistics) -> bytes:
    """What came, byte for byte.

    :raises ValueError: if its base64 is none
    """
    if line.enc == "b64":
        try:
            return base64.b64decode(line.d, validate=True)
        except binascii.Error as exc:
            raise ValueError(f"not base64: {exc}") from None
    return line.d.encode()


def _text_of(data: bytes, *, plain: bool) -> tuple[str, str]:
    if plain:
        try:
            return data.decode(), ""
        except UnicodeDecodeError:
            pass
    return base64.b64encode(data).decode(), "b64"


def encode(lines: Sequence[Line]) -> bytes:
    """JSON lines, each ended by a line feed.

    >>> encode([Tick(5)])
    b'{"k":"tick","t":5}\\n'
    """
    return _encoder.encode_lines(lines)


def decode(data: bytes) -> list[Line]:
    """The lines of a run of JSON lines.

    :raises ValueError: if one of them cannot be read (msgspec.DecodeError and ValidationError are ValueErrors)
    """
    return _decoder.decode_lines(data)
