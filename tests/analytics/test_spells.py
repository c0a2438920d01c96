"""Spells against a brute force that walks every nanosecond."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.analytics.gaptimes import Holes
from aurigraph_nb.analytics.spells import in_state_at, known_until, spells

END = 40
ROWS = st.lists(st.tuples(st.integers(0, END), st.integers(-1, 2), st.integers(-1, 2)), max_size=14)
GAPS = st.lists(st.tuples(st.integers(0, END), st.integers(1, 6)).map(lambda g: (g[0], g[0] + g[1])), max_size=3)


def found(rows, gaps, end=END):
    times, things, states = (np.array(c, dtype=np.int64) for c in (zip(*rows, strict=True) if rows else ([], [], [])))
    return spells(times, things, states, Holes.merged(gaps), end if rows else None)


def state_by_hand(rows, gaps, thing, moment):
    """What is known of a thing during [moment, moment + 1)."""
    told = [(t, i, s) for i, (t, k, s) in enumerate(rows) if k == thing and s >= 0 and t <= moment]
    if not told:
        return None
    t, _, state = max(told)
    hidden = any(start <= moment and end > t for start, end in gaps)
    return None if hidden else state


@given(ROWS, GAPS)
def test_at_every_moment_each_thing_is_in_the_state_that_its_last_row_says_unless_a_gap_lies_between(rows, gaps):
    made = found(rows, gaps)
    for thing in range(3):
        for moment in range(END):
            mask = (made.thing == thing) & (made.start_ns <= moment) & (made.end_ns > moment)
            assert mask.sum() <= 1
            got = int(made.state[mask][0]) if mask.any() else None
            assert got == state_by_hand(rows, gaps, thing, moment)


@given(ROWS, GAPS)
def test_spells_are_in_order_and_a_cut_is_told_where_the_neighbour_is_not_known(rows, gaps):
    made = found(rows, gaps)
    for i in range(len(made.thing)):
        assert made.end_ns[i] >= made.start_ns[i]
        if not made.cut_right[i]:
            assert made.thing[i + 1] == made.thing[i] and made.state[i + 1] != made.state[i]
            assert made.start_ns[i + 1] == made.end_ns[i] and not made.cut_left[i + 1]


@given(ROWS, st.permutations(range(14)))
def test_the_order_of_rows_of_different_times_does_not_matter(rows, order):
    rows = list({t: (t, k, s) for t, k, s in rows}.values())
    mixed = [rows[i] for i in order if i < len(rows)]
    for a, b in zip(found(rows, []), found(mixed, []), strict=True):
        assert a.tolist() == b.tolist()


def test_a_gap_cuts_a_spell_in_two_though_the_state_is_the_same_on_both_sides():
    made = found([(0, 0, 1), (30, 0, 1)], [(10, 20)])
    assert made.start_ns.tolist() == [0, 30] and made.end_ns.tolist() == [10, 40]
    assert made.cut_right.tolist() == [True, True] and made.cut_left.tolist() == [True, True]


def test_a_gap_without_length_cuts_too():
    assert found([(0, 0, 1), (30, 0, 1)], [(10, 10)]).end_ns.tolist() == [10, 40]


def test_what_is_known_inside_a_gap_is_known_for_that_moment_alone():
    assert known_until(np.array([5, 12, 20]), Holes.merged([(10, 20)]))[:2].tolist() == [10, 12]


def test_counts_of_spells_that_go_on_take_the_begin_in_and_leave_the_end_out():
    made = found([(0, 0, 1), (10, 0, 2), (5, 1, 1)], [])
    assert in_state_at(made.where(made.state == 1), np.array([0, 4, 5, 9, 10])).tolist() == [1, 1, 2, 2, 1]


def test_no_rows_make_no_spells():
    assert len(found([], []).thing) == 0


def test_of_rows_of_one_time_the_last_one_given_counts():
    """A, then B and A again at one moment: A never ended, and B never was."""
    times, states = np.array([0, 1, 1, 3], np.int64), np.array([0, 1, 0, 1], np.int64)
    found = spells(times, np.zeros(4, np.int64), states, Holes.none(), 4)
    assert (found.state.tolist(), found.start_ns.tolist(), found.end_ns.tolist()) == ([0, 1], [0, 3], [3, 4])
