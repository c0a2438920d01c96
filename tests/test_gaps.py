"""The book of gaps, its table, and the watch for silence."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.errors import BadOption
from aurigraph_nb.gaps import GAP_SCHEMA, Cause, Certainty, Gap, GapBook, IdleWatch, gaps_to_table

S = 1_000_000_000


def begin(book: GapBook, topic: str = "metrics", cause: Cause = Cause.DISCONNECT, start_ns: int = S) -> Gap:
    return book.open(topic, cause, Certainty.UNKNOWN, start_ns, 1)


def test_an_empty_book_is_true_and_has_a_table_with_its_columns() -> None:
    book = GapBook()
    assert bool(book) and len(book) == 0 and book.rows() == ()
    assert (book.total, book.dropped, book.version) == (0, 0, 0)
    assert book.table().schema == GAP_SCHEMA and book.table().num_rows == 0


def test_a_gap_is_open_until_it_is_closed() -> None:
    book = GapBook()
    gap = book.open("metrics", Cause.DISCONNECT, Certainty.UNKNOWN, S, 3, "the server closed")
    assert gap == Gap("metrics", Cause.DISCONNECT, Certainty.UNKNOWN, S, None, None, 3, "the server closed")
    assert gap.duration_s is None and book.is_open("metrics") and not book.is_open("network")
    assert book.is_open("metrics", Cause.DISCONNECT) and not book.is_open("metrics", Cause.IDLE)
    closed = book.close("metrics", Cause.DISCONNECT, 3 * S + S // 2, frames=2)
    assert closed is not None and (closed.duration_s, closed.frames) == (2.5, 2)
    assert book.rows() == (closed,) and not book.is_open("metrics")


def test_closing_what_is_not_open_is_harmless_and_no_change() -> None:
    book = GapBook()
    assert book.close("metrics", Cause.IDLE, S) is None
    begin(book)
    book.close("metrics", Cause.DISCONNECT, 2 * S)
    version = book.version
    assert book.close("metrics", Cause.DISCONNECT, 3 * S) is None
    assert book.version == version and book.rows()[0].end_ns == 2 * S


def test_opening_twice_keeps_the_first_start_and_adds_the_frames() -> None:
    book = GapBook()
    begin(book)
    version = book.version
    assert begin(book, start_ns=5 * S).start_ns == S
    assert (book.total, book.version) == (1, version), "nothing changed"
    for _ in range(2):
        book.open("metrics", Cause.DISCONNECT, Certainty.KNOWN, 6 * S, 1, frames=4)
    assert book.total == 1 and book.version > version
    closed = book.close("metrics", Cause.DISCONNECT, 7 * S)
    assert closed is not None and closed.frames == 8


def test_gaps_of_other_topics_and_causes_are_their_own() -> None:
    book = GapBook()
    begin(book)
    begin(book, cause=Cause.CLOCK_STEP)
    begin(book, topic="network")
    book.close("metrics", Cause.DISCONNECT, 2 * S)
    assert book.is_open("metrics") and book.is_open("network")
    assert [g.end_ns for g in book.rows()] == [2 * S, None, None]


def test_an_end_before_the_start_counts_as_the_start() -> None:
    book = GapBook()
    begin(book, start_ns=9 * S)
    closed = book.close("metrics", Cause.DISCONNECT, 2 * S)
    assert closed is not None and (closed.end_ns, closed.duration_s) == (9 * S, 0.0)


def test_add_enters_a_finished_gap_and_opens_an_unfinished_one() -> None:
    book = GapBook()
    book.add(Gap("metrics", Cause.SEQUENCE_HOLE, Certainty.KNOWN, S, 2 * S, 7, 1))
    book.add(Gap("metrics", Cause.IDLE, Certainty.BOUNDED, 3 * S, None, None, 1))
    assert book.total == 2 and book.is_open("metrics", Cause.IDLE)
    assert not book.is_open("metrics", Cause.SEQUENCE_HOLE)


def overflow(start_s: int, end_s: int, frames: int | None = 1, topic: str = "metrics") -> Gap:
    return Gap(topic, Cause.CLIENT_OVERFLOW, Certainty.KNOWN, start_s * S, end_s * S, frames, 0, f"until {end_s}")


def test_a_gap_that_grows_stays_one_row() -> None:
    book = GapBook()
    for second in (2, 3, 4):
        grown = book.grow(overflow(1, second, frames=10))
    assert book.rows() == (grown,) and book.total == 1
    assert (grown.start_ns, grown.end_ns, grown.frames, grown.detail) == (S, 4 * S, 30, "until 4")
    book.grow(overflow(5, 6, topic="network"))
    assert [g.topic for g in book.rows()] == ["metrics", "network"]


def test_a_gap_that_grows_has_no_figure_once_a_part_has_none() -> None:
    book = GapBook()
    book.grow(overflow(1, 2, frames=3))
    assert book.grow(overflow(2, 3, frames=None)).frames is None
    assert book.grow(overflow(3, 4, frames=3)).frames is None


def test_a_gap_that_was_evicted_grows_anew() -> None:
    book = GapBook(keep=1)
    book.grow(overflow(1, 2, frames=5))
    book.add(overflow(8, 9, topic="network"))
    assert book.grow(overflow(9, 10, frames=1)).frames == 1
    assert (book.total, book.dropped) == (3, 2)


def test_the_current_gap_is_the_open_one() -> None:
    book = GapBook()
    assert book.current("metrics", Cause.DISCONNECT) is None
    gap = begin(book)
    assert book.current("metrics", Cause.DISCONNECT) == gap
    assert book.current("metrics", Cause.IDLE) is None
    book.close("metrics", Cause.DISCONNECT, 2 * S)
    assert book.current("metrics", Cause.DISCONNECT) is None


def test_a_full_book_drops_the_oldest_finished_gap_and_counts_it() -> None:
    book = GapBook(keep=3)
    begin(book)
    for second in (2, 3, 4):
        book.add(Gap("metrics", Cause.DECODE_ERROR, Certainty.KNOWN, second * S, second * S, 1, 1))
    assert [g.start_ns // S for g in book.rows()] == [1, 3, 4], "the open one stays"
    assert (len(book), book.total, book.dropped) == (3, 4, 1)
    closed = book.close("metrics", Cause.DISCONNECT, 9 * S)
    assert closed is not None and closed.duration_s == 8.0


def test_a_book_full_of_open_gaps_drops_the_oldest_and_its_end_is_harmless() -> None:
    book = GapBook(keep=2)
    for topic in ("metrics", "network", "consensus"):
        begin(book, topic=topic)
    assert [g.topic for g in book.rows()] == ["network", "consensus"] and not book.is_open("metrics")
    assert book.close("metrics", Cause.DISCONNECT, 5 * S) is None
    assert (book.total, book.dropped) == (3, 1)


def test_equal_versions_mean_the_very_same_rows() -> None:
    book = GapBook()
    begin(book)
    version, rows = book.version, book.rows()
    assert book.rows() is rows and book.version == version
    book.close("metrics", Cause.DISCONNECT, 2 * S)
    assert book.version > version and book.rows() is not rows
    assert rows[0].end_ns is None, "what was read does not change"


def test_the_table_has_utc_times_and_nulls_for_what_lasts() -> None:
    book = GapBook()
    book.add(Gap("metrics", Cause.IDLE, Certainty.BOUNDED, S, 4 * S, 2, 1, "silent"))
    begin(book, topic="network", start_ns=5 * S)
    table = book.table()
    assert table.schema.field("start").type == pa.timestamp("ns", "UTC")
    assert table.column("start").cast(pa.int64()).to_pylist() == [S, 5 * S]
    assert table.column("end").cast(pa.int64()).to_pylist() == [4 * S, None]
    assert table.column("duration_s").to_pylist() == [3.0, None]
    assert table.column("cause").to_pylist() == ["idle", "disconnect"]
    assert table.column("certainty").to_pylist() == ["bounded", "unknown"]
    assert table.column("frames").to_pylist() == [2, None]
    assert gaps_to_table(book.rows()).equals(table)


def test_causes_and_certainties_are_the_documented_words() -> None:
    assert [str(c) for c in Cause] == [
        "disconnect",
        "idle",
        "server_overflow",
        "client_overflow",
        "decode_error",
        "sequence_hole",
        "recorder_down",
        "clock_step",
    ]
    assert [str(c) for c in Certainty] == ["known", "bounded", "unknown", "none"]


@pytest.mark.parametrize("keep", [0, -1])
def test_a_book_that_keeps_nothing_is_refused(keep: int) -> None:
    with pytest.raises(BadOption, match="keeps at least 1 gap"):
        GapBook(keep)


def test_a_book_has_a_constant_repr() -> None:
    book = GapBook(keep=5)
    begin(book)
    assert repr(book) == "<GapBook keep=5>"


@given(
    keep=st.integers(1, 5),
    steps=st.lists(st.tuples(st.booleans(), st.sampled_from("ab"), st.sampled_from(list(Cause)[:3])), max_size=60),
)
def test_the_books_balance(keep: int, steps: list[tuple[bool, str, Cause]]) -> None:
    book = GapBook(keep)
    for now, (opens, topic, cause) in enumerate(steps):
        if opens:
            begin(book, topic, cause, now)
        else:
            book.close(topic, cause, now)
        rows = book.rows()
        lasting = [(g.topic, g.cause) for g in rows if g.end_ns is None]
        assert len(rows) == len(book) == book.total - book.dropped <= keep
        assert len(lasting) == len(set(lasting))
        assert all(book.is_open(topic, cause) for topic, cause in lasting)
        assert [g.start_ns for g in rows] == sorted(g.start_ns for g in rows)


def test_many_threads_lose_no_gap() -> None:
    book = GapBook()

    def write(topic: str) -> None:
        for second in range(500):
            begin(book, topic, start_ns=second)
            book.rows()
            book.close(topic, Cause.DISCONNECT, second + 1)

    threads = [threading.Thread(target=write, args=(f"t{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert book.total == 2000 and all(g.end_ns == g.start_ns + 1 for g in book.rows())


# --- silence


def test_five_silent_periods_are_told_once_and_end_with_a_frame() -> None:
    watch = IdleWatch(period_s=1.0)
    watch.start(0)
    assert watch.frame(S) is None and watch.due_ns == 6 * S
    assert watch.check(6 * S - 1) is None and not watch.idle
    assert watch.check(6 * S) == S and watch.idle and watch.due_ns is None
    assert watch.check(60 * S) is None, "it was told"
    assert watch.frame(61 * S) == S and not watch.idle
    assert watch.check(62 * S) is None and watch.due_ns == 66 * S


def test_without_a_connection_nobody_is_silent() -> None:
    watch = IdleWatch(period_s=1.0)
    assert watch.check(10**18) is None and watch.due_ns is None
    watch.start(0)
    assert watch.check(5 * S) == 0
    watch.stop()
    assert not watch.idle and watch.check(99 * S) is None
    watch.start(100 * S)
    assert watch.check(104 * S) is None and watch.frame(105 * S) is None


def test_a_clock_that_steps_back_makes_no_silence() -> None:
    watch = IdleWatch(period_s=1.0, periods=2)
    watch.start(100 * S)
    assert watch.check(0) is None
    assert watch.frame(S) is None and watch.due_ns == 3 * S


@pytest.mark.parametrize("start_s, end_s, missed", [(0, 1, 0), (0, 6, 5), (0, 1.4, 0), (0, 0, 0), (9, 3, 0)])
def test_missed_frames_are_those_that_were_due_in_between(start_s: float, end_s: float, missed: int) -> None:
    assert IdleWatch(1.0).missed(round(start_s * S), round(end_s * S)) == missed


@pytest.mark.parametrize("options", [(0.0, 5), (-1.0, 5), (float("nan"), 5), (float("inf"), 5), (1.0, 0)])
def test_a_watch_that_could_never_tell_is_refused(options: tuple[float, int]) -> None:
    with pytest.raises(BadOption, match="period"):
        IdleWatch(*options)
