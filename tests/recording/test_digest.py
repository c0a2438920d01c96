"""Lines to rows: what a digest makes of a journal is what the feed made of the wire."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import URL, model_lines, rows_of, segments_of

import aurigraph_nb as ag
from aurigraph_nb.columns import records_to_table
from aurigraph_nb.errors import RecordingCorrupt, RecordingTooNew
from aurigraph_nb.gaps import Cause, Certainty, Gap
from aurigraph_nb.protocols import PROTOCOLS, Frame
from aurigraph_nb.recording.digest import KEPT, Digest
from aurigraph_nb.recording.lines import (
    Closed,
    Count,
    End,
    FrameLine,
    GapBegins,
    GapEnds,
    Head,
    Line,
    Opened,
    Tick,
    frame_line,
    statistics_line,
)
from aurigraph_nb.recording.parts import table_digest

SYSTEMS = sorted(PROTOCOLS)


def head(**changes: object) -> Head:
    base = Head(v=1, recorder="r", segment=1, t=0, protocol="portal", url=URL, topics=("metrics",), first=True)
    return msgspec.structs.replace(base, **changes)


def metric(t: int, tps: float = 1.0, epoch: int = 1) -> FrameLine:
    return FrameLine(t, "metrics", epoch, f'{{"tps": {tps}, "timestamp": {t}}}')


class Notes:
    """A tap that keeps everything as lines."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def frames(self, frames: Sequence[Frame]) -> None:
        self.lines += map(frame_line, frames)

    def line(self, line: Line) -> None:
        self.lines.append(line)


# Equal to live


@pytest.mark.parametrize("protocol", SYSTEMS)
def test_the_digest_of_a_feeds_lines_has_the_feeds_rows(protocol: str) -> None:
    feed = ag.simulate(protocol=protocol, start="2026-01-01", speed=20, duration="20s", seed=3, scenario="outage")
    notes = Notes()
    with feed:
        counting = feed.tap(notes)
        feed.join(timeout=60)
        topics = tuple(topic.name for topic in feed if topic.opened)
        digest = Digest(protocol)
        begin = {"ledger": counting.ledger, "marks": counting.marks, "open": counting.open, "up": counting.up}
        digest.take([head(protocol=protocol, topics=topics, **begin), *notes.lines])
        rows = digest.drain()
        assert digest.counts.frames > 10 and rows
        for name in topics:
            live = [row for row in feed[name].store.records() if row.n >= counting.ledger.get(name, 0)]
            assert rows.get(name, []) == live
        assert digest.counts.undecoded.total() == feed.status.undecoded
        assert digest.ledger.snapshot() == feed.ledger.snapshot()
        known = {id(gap): gap for gap in digest.book.rows()}
        assert [g for g in feed.gaps if g.cause is not Cause.CLIENT_OVERFLOW][-len(known) :] == list(known.values())


@pytest.mark.parametrize("protocol", SYSTEMS)
@settings(max_examples=8, deadline=None)
@given(portions=st.lists(st.integers(1, 200), min_size=1, max_size=5), count=st.integers(1, 5))
def test_rows_and_gaps_do_not_depend_on_portions_or_segments(protocol: str, portions: list[int], count: int) -> None:
    lines = model_lines(protocol)
    whole = Digest(protocol)
    whole.take([line for segment in segments_of(lines, 1, protocol=protocol) for line in segment])
    expected = whole.drain()
    split = [line for segment in segments_of(lines, count, protocol=protocol) for line in segment]
    digest, rows = Digest(protocol), {}
    while split:
        size = portions[len(split) % len(portions)]
        digest.take(split[:size])
        del split[:size]
        for topic, some in digest.drain().items():
            rows.setdefault(topic, []).extend(some)
    assert rows == expected
    assert digest.book.entries() == whole.book.entries()
    assert digest.counts.rows == whole.counts.rows and digest.counts.frames == whole.counts.frames


def test_only_topics_that_were_recorded_become_rows_and_the_others_are_counted() -> None:
    lines = model_lines("live")
    every = Digest("live")
    every.take([head(protocol="live", topics=tuple(PROTOCOLS["live"].topics)), *lines])
    one = Digest("live")
    one.take([head(protocol="live", topics=("blocks",)), *lines])
    rows = every.drain()
    assert one.drain() == {"blocks": rows["blocks"]}
    assert one.counts.filtered["metrics"] == len({row.n for row in rows["metrics"]})
    assert one.topics == {"blocks"}
    asked = Digest("live", ["metrics"])
    asked.take([head(protocol="live", topics=("blocks",)), *lines])
    assert list(asked.drain()) == ["metrics"]


# Heads, counts and connections


def test_a_first_head_begins_anew_and_the_next_goes_on() -> None:
    digest = Digest("portal")
    digest.take([head(ledger={"metrics": 7}, marks=("metrics",)), metric(1)])
    digest.take([head(segment=2, first=False, ledger={"metrics": 8}), metric(2)])
    assert [(row.n, row.gap_before) for row in digest.drain()["metrics"]] == [(7, True), (8, False)]
    digest.take([head(recorder="other", segment=3), metric(3)])
    assert [(row.n, row.gap_before) for row in digest.drain()["metrics"]] == [(0, False)]


def test_a_repeat_is_known_across_segments_of_a_run_and_not_across_runs() -> None:
    line = FrameLine(1, "stream", 1, '{"type":"tps_update","payload":{"tps":5},"timestamp":1767268800000}')
    own = head(protocol="live")
    digest = Digest("live")
    digest.take([own, line])
    digest.take([msgspec.structs.replace(own, segment=2, first=False, ledger={"metrics": 1}), line])
    assert len(digest.drain()["metrics"]) == 1 and digest.counts.suppressed == {"metrics": 1}
    digest.take([msgspec.structs.replace(own, recorder="again"), line])
    assert len(digest.drain()["metrics"]) == 1


def test_a_count_sets_where_the_numbers_go_on() -> None:
    digest = Digest("portal")
    digest.take([head(), metric(1), Count(2, {"metrics": 50}, ("metrics",)), metric(3)])
    assert [(row.n, row.gap_before) for row in digest.drain()["metrics"]] == [(0, False), (50, True)]


def test_connections_that_stand_are_known() -> None:
    digest = Digest("portal")
    digest.take([head(up={"metrics": 3}), Opened(1, "network", 1), Closed(2, "metrics", 3), Tick(3), End(4, 0)])
    assert digest.up == {"network": 1} and digest.end == End(4, 0)
    assert (digest.counts.opened, digest.counts.closed, digest.counts.lines) == (1, 1, 5)


def test_statistics_by_http_give_rows_of_their_own() -> None:
    digest = Digest("live")
    body = b'{"transactionStats":{"currentTPS":1500.5},"timestamp":"2026-01-01T12:00:00Z"}'
    digest.take([head(protocol="live"), statistics_line(9, body)])
    rows = digest.drain()["metrics"]
    assert [(row.recv_ns, row.source) for row in rows] == [(9, "rest")]


# Gaps


def test_gaps_open_close_and_mark_as_they_were_written_down() -> None:
    gap = Gap("metrics", Cause.DISCONNECT, Certainty.BOUNDED, 5, None, None, 1, "gone")
    quiet = Gap("metrics", Cause.CLOCK_STEP, Certainty.NONE, 6, 7)
    digest = Digest("portal")
    digest.take([head(), GapBegins(5, gap), metric(8), GapEnds(8, "metrics", "disconnect", 8, 2)])
    digest.take([GapBegins(9, quiet, marks=False), metric(10)])
    assert [row.gap_before for row in digest.drain()["metrics"]] == [True, False]
    assert digest.book.entries() == {0: msgspec.structs.replace(gap, end_ns=8, frames=2), 1: quiet}


def test_gaps_that_last_at_the_head_are_open_and_others_are_closed_by_it() -> None:
    lasting = Gap("metrics", Cause.IDLE, Certainty.BOUNDED, 5)
    other = Gap("metrics", Cause.DISCONNECT, Certainty.UNKNOWN, 3)
    digest = Digest("portal")
    digest.take([head(), GapBegins(3, other)])
    digest.take(head(segment=3, first=False, t=20, open=(lasting,)))  # the segment in between is missing
    assert digest.book.rows() == (msgspec.structs.replace(other, end_ns=20), lasting)


def test_what_is_not_understood_is_a_gap_counted_and_kept_in_bounds_and_cleaned() -> None:
    digest = Digest("portal", scrub=lambda text: text.replace("hunter2", "***"))
    digest.take([head(), *(FrameLine(t, "metrics", 1, f"hunter2 {t}") for t in range(1, 151)), metric(200)])
    assert digest.counts.undecoded == {"metrics": 150} and len(digest.undecoded) == KEPT
    assert "hunter2" not in repr(digest.undecoded) and "*** 150" in digest.undecoded[-1].preview
    (gap,) = digest.book.rows()
    assert (gap.topic, gap.cause, gap.start_ns, gap.end_ns) == ("metrics", Cause.DECODE_ERROR, 1, 150)
    assert digest.drain()["metrics"][0].gap_before


def numbered(t: int, number: int) -> FrameLine:
    data = {
        "type": "metrics_update",
        "timestamp": 1_767_268_800_000,
        "data": {"total_requests": number},
        "sequence": number,
    }
    return FrameLine(t, "stream", 1, msgspec.json.encode(data).decode())


def test_a_hole_in_the_servers_numbers_is_a_gap_and_a_late_frame_fills_it() -> None:
    digest = Digest("fakeai")
    digest.take([head(protocol="fakeai"), numbered(1, 0), numbered(2, 5)])
    (gap,) = digest.book.rows()
    assert (gap.topic, gap.cause, gap.start_ns, gap.frames) == ("*", Cause.SEQUENCE_HOLE, 2, 4)
    digest.take(numbered(3, 2))
    assert [gap.frames for gap in digest.book.rows()] == [3]
    assert digest.counts.order == {"hole": 1, "reorder": 1}


def test_a_stretch_that_cannot_be_read_is_a_gap_in_every_topic_and_marks_the_next_rows() -> None:
    digest = Digest("portal")
    digest.take([head(topics=("metrics", "network")), metric(5)])
    digest.hole("000001.jsonl.zst is damaged")
    digest.take([metric(30)])
    assert [row.gap_before for row in digest.drain()["metrics"]] == [False, True]
    gaps = digest.book.rows()
    assert [(g.topic, g.cause, g.certainty, g.start_ns, g.end_ns) for g in gaps] == [
        (topic, Cause.RECORDER_DOWN, Certainty.UNKNOWN, 5, 30) for topic in ("metrics", "network")
    ]
    assert "damaged" in gaps[0].detail


def test_a_hole_before_a_head_needs_no_gap_of_its_own() -> None:
    digest = Digest("portal")
    digest.hole("nothing came yet")
    digest.take([head(), metric(5)])
    digest.hole("the end is gone")
    digest.take([head(segment=2, first=False, ledger={"metrics": 4}, marks=("metrics",)), metric(30)])
    assert [(row.n, row.gap_before) for row in digest.drain()["metrics"]] == [(0, False), (4, True)]
    assert digest.book.rows() == ()


# What cannot be


@pytest.mark.parametrize(
    "lines, message",
    [
        ([metric(1)], "begins with a line of kind FrameLine; expected its head"),
        ([head(protocol="live")], "is of the protocol 'live'; the recording is of 'portal'"),
        ([head(), Tick(2**63)], "segment 1 by r has an impossible time"),
        ([head(), metric(2**70)], "impossible time"),
        ([head(), metric(1, epoch=-1)], "impossible connection: -1"),
        ([head(), FrameLine(1, "metrics", 1, "%", "b64")], "a frame of segment 1 by r cannot be read"),
        ([head(), statistics_line(1, b"\xff"), FrameLine(1, "metrics", 1, "!", "b64")], "cannot be read"),
        ([head(), GapEnds(1, "metrics", "boredom", 1)], "unknown cause: 'boredom'"),
        ([head(), GapEnds(1, "metrics", "idle", 2**64)], "impossible end"),
        ([head(), GapBegins(1, Gap("metrics", Cause.IDLE, Certainty.KNOWN, 2**80))], "impossible time or number"),
    ],
)
def test_lines_that_cannot_be_are_refused_by_name(lines: list[Line], message: str) -> None:
    with pytest.raises(RecordingCorrupt, match=message):
        Digest("portal").take(lines)


def test_what_stands_before_a_bad_line_counts() -> None:
    digest = Digest("portal")
    with pytest.raises(RecordingCorrupt):
        digest.take([head(), metric(1), metric(2), FrameLine(3, "metrics", 1, "%", "b64"), metric(4)])
    assert [row.recv_ns for row in digest.drain()["metrics"]] == [1, 2]


def test_a_newer_head_and_an_unknown_protocol_or_topic_are_named() -> None:
    with pytest.raises(
        RecordingTooNew, match="segment 1 by r has format version 9, and this aurigraph_nb reads up to 1"
    ):
        Digest("portal").take(head(v=9))
    with pytest.raises(RecordingCorrupt, match="protocol 'gopher' is not known here; known are portal"):
        Digest("gopher")
    with pytest.raises(RecordingCorrupt, match="names the topic 'weather'; portal has none such"):
        Digest("portal").record_type("weather")
    assert Digest("channels").record_type("weather") is Digest("channels").record_type("*")


def test_tables_of_equal_rows_have_equal_digests() -> None:
    lines = [segments_of(model_lines("portal"), count, protocol="portal") for count in (1, 4)]
    one, four = (rows_of("portal", [line for segment in split for line in segment]) for split in lines)
    record = Digest("portal").record_type
    assert {t: table_digest(records_to_table(record(t), r)) for t, r in one.items()} == {
        t: table_digest(records_to_table(record(t), r)) for t, r in four.items()
    }


def test_what_was_lost_before_a_new_segment_is_still_marked_in_it() -> None:
    digest = Digest("portal")
    lost = Count(2, {"metrics": 7}, ("metrics",))
    following = head(segment=2, t=3, first=False, ledger={"metrics": 7})
    digest.take([head(), metric(1), lost, following, metric(4), metric(5)])
    assert [(row.n, row.gap_before) for row in digest.drain()["metrics"]] == [(0, False), (7, True), (8, False)]
