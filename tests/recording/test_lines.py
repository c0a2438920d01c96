"""Lines: what came off the socket comes back byte for byte, and equal lines are equal bytes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.gaps import Cause, Certainty, Gap
from aurigraph_nb.protocols import Frame
from aurigraph_nb.recording import lines
from aurigraph_nb.recording.lines import (
    Closed,
    Count,
    End,
    FrameLine,
    GapBegins,
    GapEnds,
    Head,
    Opened,
    Statistics,
    Tick,
)

GAP = Gap("blocks", Cause.DISCONNECT, Certainty.UNKNOWN, 5, None, None, 1, "gone")
EVERY_KIND = [
    Head(v=1, recorder="a", segment=1, t=1, protocol="live", url="ws://h", topics=("blocks",), open=(GAP,)),
    Opened(2, "main", 1),
    FrameLine(3, "main", 1, "{}"),
    GapBegins(4, GAP, marks=False),
    GapEnds(5, "blocks", "disconnect", 6, frames=2),
    Statistics(6, "{}"),
    Count(7, {"blocks": 3}, ("blocks",)),
    Closed(8, "main", 1, why="1006", over=True),
    Tick(9),
    End(10, frames=1, last=True),
]


@given(st.binary(max_size=200), st.booleans(), st.integers(0, 2**63 - 1), st.integers(0, 2**31), st.text(max_size=8))
def test_a_frame_comes_back_as_it_came(data, text, recv_ns, epoch, endpoint):
    frame = Frame(data, text, recv_ns, epoch, endpoint)
    (line,) = lines.decode(lines.encode([lines.frame_line(frame)]))
    assert lines.frame_of(line) == frame


def test_text_is_written_as_text_and_all_else_as_base64():
    text = lines.frame_line(Frame(b'{"a":1}', True, 1, 1, "main"))
    broken = lines.frame_line(Frame(b"\xff{", True, 1, 1, "main"))
    binary = lines.frame_line(Frame(b"ab", False, 1, 1, "main"))
    assert (text.d, text.enc, text.b) == ('{"a":1}', "", False)
    assert (broken.d, broken.enc, broken.b) == ("/3s=", "b64", False)
    assert (binary.d, binary.enc, binary.b) == ("YWI=", "b64", True)


def test_an_answer_by_http_comes_back_as_it_came():
    for body in (b'{"x":1}', b"\x00\xff"):
        (line,) = lines.decode(lines.encode([lines.statistics_line(7, body)]))
        assert (line.t, lines.data_of(line)) == (7, body)


def test_every_kind_of_line_survives_writing_and_reading():
    assert lines.decode(lines.encode(EVERY_KIND)) == EVERY_KIND


def test_equal_lines_are_equal_bytes_and_each_is_one_line():
    encoded = lines.encode(EVERY_KIND)
    assert lines.encode(lines.decode(encoded)) == encoded
    assert encoded.count(b"\n") == len(EVERY_KIND)


def test_base64_that_is_none_is_told():
    with pytest.raises(ValueError, match="not base64"):
        lines.data_of(FrameLine(1, "main", 1, "!!", "b64"))


@pytest.mark.parametrize("data", [b'{"k":"what"}\n', b"{", b'{"k":"tick"}\n', b"\xff\n"])
def test_what_is_no_line_is_told(data):
    with pytest.raises(ValueError):
        lines.decode(data)


def test_fields_of_a_later_version_are_read_over():
    assert lines.decode(b'{"k":"tick","t":5,"later":[1]}\n') == [Tick(5)]


def test_lines_are_json_that_anybody_reads():
    first = msgspec.json.decode(lines.encode(EVERY_KIND).split(b"\n")[2])
    assert first == {"k": "f", "t": 3, "e": "main", "c": 1, "d": "{}"}
