"""Frame numbers: what is missing, what came twice, what came late, and what is no fault at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.protocols.base import Fault, OrderFault
from aurigraph_nb.protocols.sequence import SequenceTracker

HOLE, REPEAT, REORDER = Fault.HOLE, Fault.REPEAT, Fault.REORDER


def observe(tracker: SequenceTracker, number: int, conn_epoch: int = 1, mark: object = None) -> OrderFault | None:
    return tracker.observe(number, recv_ns=7, conn_epoch=conn_epoch, mark=mark)


def kinds(*numbers: int, tracker: SequenceTracker | None = None) -> list[tuple[Fault, int] | None]:
    tracker = tracker or SequenceTracker()
    faults = [observe(tracker, number) for number in numbers]
    return [fault and (fault.kind, fault.frames) for fault in faults]


def test_numbers_in_order_have_no_fault():
    assert kinds(0, 1, 2, 3) == [None] * 4


def test_a_hole_says_what_was_expected_and_how_much_is_missing():
    tracker = SequenceTracker()
    observe(tracker, 0)
    assert observe(tracker, 4) == OrderFault(kind=HOLE, expected=1, got=4, frames=3, recv_ns=7, conn_epoch=1)
    assert observe(tracker, 5) is None


@pytest.mark.parametrize("again", [3, 2, 1, 0])
def test_a_number_that_comes_again_is_a_repeat(again):
    assert kinds(0, 1, 2, 3, again)[-1] == (REPEAT, 1)


def test_a_late_number_fills_its_hole_and_is_a_repeat_from_then_on():
    assert kinds(0, 1, 5, 3, 3, 2, 4, 2, 6) == [
        None,
        None,
        (HOLE, 3),
        (REORDER, 1),
        (REPEAT, 1),
        (REORDER, 1),
        (REORDER, 1),
        (REPEAT, 1),
        None,
    ]


def test_a_connection_begins_wherever_its_first_frame_stands():
    assert kinds(41, 42, 43) == [None] * 3
    assert kinds(1, 0, 2, 0) == [None, (REORDER, 1), None, (REPEAT, 1)]


def test_a_restart_at_0_after_a_reconnect_is_no_fault():
    tracker = SequenceTracker()
    assert [observe(tracker, number, conn_epoch=1) for number in (0, 1, 2)] == [None] * 3
    assert [observe(tracker, number, conn_epoch=2) for number in (0, 1)] == [None] * 2
    fault = observe(tracker, 5, conn_epoch=2)
    assert (fault.kind, fault.frames, fault.conn_epoch) == (HOLE, 3, 2)
    assert tracker.restarts == 0


def test_a_server_that_begins_anew_on_the_same_connection_is_followed():
    tracker = SequenceTracker()
    for number in range(5):
        observe(tracker, number, mark=f"before {number}")
    assert [observe(tracker, number, mark=f"after {number}") for number in range(3)] == [None] * 3
    assert tracker.restarts == 1
    assert observe(tracker, 0, mark="after 0").kind is REPEAT


def test_a_server_that_begins_anew_is_followed_where_its_first_0_was_not_seen():
    tracker = SequenceTracker()
    assert [observe(tracker, number) for number in (*range(5, 5 + 16), *range(30))] == [None] * 46
    assert tracker.restarts == 1
    assert kinds(*range(5, 5 + 15), 0)[-1] == (REORDER, 1)


def test_a_first_frame_that_comes_twice_is_a_repeat_and_no_restart():
    tracker = SequenceTracker()
    observe(tracker, 0, mark="a")
    assert observe(tracker, 0, mark="b").kind is REPEAT
    observe(tracker, 1, mark="c")
    assert observe(tracker, 0, mark="a").kind is REPEAT
    assert tracker.restarts == 0


def test_a_frame_that_could_not_be_read_is_not_missing():
    tracker = SequenceTracker()
    observe(tracker, 0)
    tracker.unreadable(1)
    assert observe(tracker, 2) is None
    tracker.unreadable(1)
    assert observe(tracker, 6).frames == 2
    assert observe(tracker, 8).frames == 1


def test_unreadable_frames_count_for_their_own_stretch_and_connection():
    tracker = SequenceTracker()
    tracker.unreadable(1)
    observe(tracker, 0)
    assert observe(tracker, 2).frames == 1
    tracker.unreadable(1)
    assert observe(tracker, 3) is None
    assert observe(tracker, 5).frames == 1
    tracker.unreadable(1)
    observe(tracker, 0, conn_epoch=2)
    assert observe(tracker, 2, conn_epoch=2).frames == 1


def test_what_is_older_than_all_that_is_remembered_is_taken_and_never_lost():
    tracker = SequenceTracker(holes_kept=2)
    assert kinds(0, 2, 4, 6, tracker=tracker)[1:] == [(HOLE, 1)] * 3
    assert kinds(5, 3, 1, 0, tracker=tracker) == [(REORDER, 1)] * 4
    assert kinds(4, 6, tracker=tracker) == [(REPEAT, 1)] * 2


def test_memory_is_bounded_whatever_comes():
    tracker = SequenceTracker(holes_kept=10)
    for number in range(0, 10_000, 3):
        observe(tracker, number)
    assert len(tracker._holes) == 10
    wide = SequenceTracker(holes_kept=3)
    observe(wide, 0)
    observe(wide, 1_000)
    for number in range(10, 900, 10):
        assert observe(wide, number).kind is REORDER
    assert len(wide._holes) <= 3
    assert observe(SequenceTracker(), 2**63 - 1) is None


@given(st.lists(st.integers(0, 40), max_size=60))
def test_the_verdicts_are_those_of_a_memory_without_bound(numbers):
    tracker, seen, missing = SequenceTracker(), set(), 0
    begins = numbers[0] if numbers else 0
    for number in numbers:
        fault = observe(tracker, number)
        if tracker.restarts:
            return  # the first 0, and late: another test's matter
        if number in seen:
            assert fault.kind is REPEAT
        elif seen and number < max(seen):
            assert fault.kind is REORDER
            missing -= number > begins
        elif seen and number > max(seen) + 1:
            assert (fault.kind, fault.frames, fault.expected) == (HOLE, number - max(seen) - 1, max(seen) + 1)
            missing += fault.frames
        else:
            assert fault is None
        seen.add(number)
    if seen:
        assert missing == max(seen) - begins + 1 - len({number for number in seen if number >= begins})


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 3), st.booleans(), st.text(max_size=1)), max_size=60))
def test_any_numbers_on_any_connections_never_raise(events):
    tracker = SequenceTracker(holes_kept=2)
    for number, conn_epoch, readable, mark in events:
        if readable:
            fault = observe(tracker, number, conn_epoch, mark)
            assert fault is None or (fault.got == number and fault.frames >= 1 and fault.conn_epoch == conn_epoch)
        else:
            tracker.unreadable(conn_epoch)
        assert len(tracker._holes) <= 2


def test_a_restart_whose_zero_was_missed_is_told_by_its_frames():
    tracker = SequenceTracker()
    for number in range(60):
        assert tracker.observe(number, recv_ns=0, conn_epoch=1, mark=("old", number)) is None
    for number in range(1, 60):
        assert tracker.observe(number, recv_ns=0, conn_epoch=1, mark=("new", number)) is None
    assert tracker.restarts == 1
    assert tracker.observe(5, recv_ns=0, conn_epoch=1, mark=("new", 5)).kind is Fault.REPEAT
