"""Series and scores: the same happenings, from wherever one begins to listen."""

from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.node.systems.series import Irregular, Loop, Regular, Score

NS = 1_000_000_000
START = 1_767_225_600 * NS
MOMENTS = st.integers(START - 100 * NS, START + 1_000 * NS)
SERIES = [
    Regular(START, 2 * NS),
    Regular(START + 7, 333_333_333),
    Irregular(START, 3 * NS, "seven"),
    Loop(START - 60 * NS, 60 * NS, [0, 5 * NS, 5 * NS + 1, 59 * NS]),
]


@given(st.sampled_from(SERIES), MOMENTS)
def test_the_first_after_a_time_is_after_it_and_the_one_before_is_not(series, t):
    k = series.first_after(t)
    assert series.time_of(k) > t
    assert k == 0 or series.time_of(k - 1) <= t


@given(st.sampled_from(SERIES), st.integers(0, 10_000))
def test_a_series_does_not_go_back(series, k):
    assert series.time_of(k) <= series.time_of(k + 1)


def score(start=START):
    def play(name):
        return lambda k, t: [(t, name, k)]

    return Score([(series, play(i)) for i, series in enumerate(SERIES)], start)


def test_a_score_plays_in_time_order_and_at_the_same_time_in_the_order_of_its_parts():
    played = score().take(START + 100 * NS)
    assert [(t, name) for t, name, _ in played] == sorted((t, name) for t, name, _ in played)
    assert {name for _, name, _ in played} == {0, 1, 2, 3}


@given(MOMENTS)
def test_who_begins_later_hears_the_same_from_then_on(t):
    whole, late = score(), score()
    late.skip_to(t)
    until = START + 1_010 * NS
    assert late.take(until) == [event for event in whole.take(until) if event[0] > t]


def test_a_score_goes_on_where_it_stopped():
    at_once, bit_by_bit = score(), score()
    pieces = [bit_by_bit.take(START + second * NS) for second in range(31)]
    assert [event for piece in pieces for event in piece] == at_once.take(START + 30 * NS)
    assert bit_by_bit.next_ns > START + 30 * NS


def test_nothing_is_played_from_before_the_start():
    assert score().take(START + NS)[0][0] == START
