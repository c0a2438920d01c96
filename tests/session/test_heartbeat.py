"""Heartbeats: when one is due, what silence means, whose answer measures the round trip; in any order of events."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.session import Heartbeat

S = 1_000_000_000
MS = 1_000_000


def opened(now_ns: int = 0, **options: Any) -> Heartbeat:
    heart = Heartbeat(**options)
    heart.opened(now_ns)
    return heart


def told(heart: Heartbeat) -> tuple[int | None, int | None, float | None]:
    return heart.due_ns, heart.deadline_ns, heart.latency_ms


def test_without_a_connection_nothing_is_due_and_nothing_can_die() -> None:
    heart = Heartbeat()
    assert told(heart) == (None, None, None)
    assert not heart.dead(10**18)


def test_a_heartbeat_is_due_as_soon_as_the_connection_opens() -> None:
    assert told(opened(7 * S)) == (7 * S, None, None)


def test_the_first_heartbeat_can_be_put_off_by_an_interval() -> None:
    heart = Heartbeat()
    heart.opened(7 * S, at_once=False)
    assert told(heart) == (37 * S, None, None)
    heart.sent(37 * S)
    heart.heard(37 * S + MS, pong=True)
    assert told(heart) == (67 * S, None, 1.0)


def test_the_documented_series_is_at_open_and_every_thirty_seconds_with_five_to_answer() -> None:
    heart = opened()
    for start in (0, 30 * S, 60 * S):
        assert heart.due_ns == start
        heart.sent(start)
        assert (heart.due_ns, heart.deadline_ns) == (start + 30 * S, start + 5 * S)
        heart.heard(start + 20 * MS, pong=True)
        assert told(heart) == (start + 30 * S, None, 20.0)


@pytest.mark.parametrize("pong", [True, False], ids=["the pong", "any other frame"])
def test_any_frame_after_the_heartbeat_is_life(pong: bool) -> None:
    heart = opened()
    heart.sent(0)
    heart.heard(5 * S - 1, pong=pong)
    assert heart.deadline_ns is None
    assert not heart.dead(10**18)


def test_a_server_that_never_answers_heartbeats_but_sends_data_stays_connected() -> None:
    heart = opened(interval_s=30, timeout_s=5)
    for second in range(600):
        if second * S == heart.due_ns:
            heart.sent(second * S)
        heart.heard(second * S + 500 * MS)
        assert not heart.dead(second * S + S)
    assert heart.latency_ms is None


def test_death_is_silence_for_the_whole_timeout_and_not_a_nanosecond_less() -> None:
    heart = opened()
    heart.heard(0)
    heart.sent(1 * S)
    assert not heart.dead(6 * S - 1)
    assert heart.dead(6 * S)
    assert heart.dead(7 * S)


def test_a_frame_that_came_before_the_heartbeat_went_out_is_no_answer_to_it() -> None:
    heart = opened()
    heart.heard(0)
    heart.sent(0)
    assert heart.deadline_ns == 5 * S


def test_a_frame_after_the_deadline_but_before_the_verdict_still_saves_the_connection() -> None:
    heart = opened()
    heart.sent(0)
    heart.heard(9 * S)
    assert not heart.dead(9 * S)


def test_where_no_answer_is_promised_silence_never_means_death() -> None:
    heart = opened(answered=False)
    heart.sent(0)
    assert (heart.due_ns, heart.deadline_ns) == (30 * S, None)
    assert not heart.dead(10**18)
    heart.heard(3 * MS, pong=True)
    assert heart.latency_ms == 3.0


def test_only_one_heartbeat_is_waited_for_even_if_the_timeout_is_longer_than_the_interval() -> None:
    heart = opened(interval_s=1, timeout_s=5)
    heart.sent(0)
    assert heart.due_ns == heart.deadline_ns == 5 * S
    heart.heard(2 * S)
    assert heart.due_ns == 1 * S  # overdue, so at once


def test_a_second_heartbeat_sent_all_the_same_does_not_put_off_the_verdict() -> None:
    heart = opened()
    heart.sent(0)
    heart.sent(4 * S)
    assert heart.deadline_ns == 5 * S


def test_latency_comes_from_a_pong_alone() -> None:
    heart = opened()
    heart.sent(0)
    heart.heard(10 * MS)
    assert heart.latency_ms is None
    heart.heard(40 * MS, pong=True)
    assert heart.latency_ms == 40.0


def test_a_pong_that_nobody_asked_for_measures_nothing() -> None:
    heart = opened()
    heart.heard(1 * S, pong=True)
    assert heart.latency_ms is None
    heart.sent(2 * S)
    heart.heard(2 * S + MS, pong=True)
    heart.heard(9 * S, pong=True)
    assert heart.latency_ms == 1.0


def test_a_pong_that_may_belong_to_an_earlier_heartbeat_measures_nothing() -> None:
    heart = opened()
    heart.sent(0)
    heart.heard(1 * S)  # data, but no pong
    heart.sent(30 * S)
    heart.heard(30 * S + MS, pong=True)
    assert heart.latency_ms is None
    heart.sent(60 * S)
    heart.heard(60 * S + 2 * MS, pong=True)
    assert heart.latency_ms == 2.0


def test_the_latency_is_that_of_the_present_connection() -> None:
    heart = opened()
    heart.sent(0)
    heart.heard(8 * MS, pong=True)
    heart.lost()
    assert told(heart) == (None, None, None)
    heart.opened(90 * S)
    assert told(heart) == (90 * S, None, None)


def test_a_lost_connection_takes_its_verdict_with_it_and_late_words_change_nothing() -> None:
    heart = opened()
    heart.sent(0)
    heart.lost()
    heart.lost()
    heart.sent(1 * S)
    heart.heard(2 * S, pong=True)
    assert told(heart) == (None, None, None)
    assert not heart.dead(10**18)


def test_a_new_connection_owes_nothing_to_the_old_one() -> None:
    heart = opened()
    heart.sent(0)
    heart.opened(1 * S)  # nobody said that the first one was lost
    assert told(heart) == (1 * S, None, None)
    heart.heard(2 * S, pong=True)
    assert heart.latency_ms is None


def test_a_clock_that_was_set_back_delays_neither_heartbeat_nor_verdict() -> None:
    heart = opened(3600 * S)
    heart.sent(3600 * S)
    assert not heart.dead(10 * S)
    assert heart.deadline_ns == 15 * S
    heart.heard(11 * S, pong=True)
    assert heart.due_ns == 40 * S
    assert heart.latency_ms is None  # the two times do not compare


@pytest.mark.parametrize("option", ["interval_s", "timeout_s"])
@pytest.mark.parametrize("value", [0, -1, 1e-9, float("nan"), float("inf"), 10**400])
def test_a_time_out_of_range_is_refused_by_the_name_that_users_know(option: str, value: float) -> None:
    with pytest.raises(BadOption, match=rf"heartbeat_{option}=.*of at least 0.001"):
        Heartbeat(**{option: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["5", None, True])
def test_a_time_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(BadOptionType, match=r"heartbeat_timeout_s=.*expected a number"):
        Heartbeat(timeout_s=value)


STEP = st.tuples(st.sampled_from(["open", "send", "data", "pong", "look", "lose"]), st.integers(0, 40 * S))


@given(st.lists(STEP, max_size=60), st.booleans(), st.integers(1, 40), st.integers(1, 40))
def test_in_any_order_of_events_death_needs_a_heartbeat_and_silence_since(
    steps: list[tuple[str, int]], answered: bool, interval_s: int, timeout_s: int
) -> None:
    heart = Heartbeat(interval_s, timeout_s, answered)
    now, is_open, silent_since, asked_last = 0, False, None, 0
    for step, pause in [("open", 0), *steps]:
        now += pause
        if step == "open":
            heart.opened(now)
            is_open, silent_since, asked_last = True, None, now - interval_s * S
        elif step == "send" and heart.due_ns is not None and now >= heart.due_ns:
            heart.sent(now)
            asked_last, silent_since = now, now
        elif step in ("data", "pong"):
            heart.heard(now, pong=step == "pong")
            silent_since = None
        elif step == "lose":
            heart.lost()
            is_open, silent_since = False, None
        expected = answered and silent_since is not None and now - silent_since >= timeout_s * S
        assert heart.dead(now) is expected
        assert (heart.due_ns is None) is not is_open
        assert (heart.deadline_ns is not None) is (answered and silent_since is not None)
        if heart.due_ns is not None:
            assert asked_last + interval_s * S <= heart.due_ns <= now + max(interval_s, timeout_s) * S
        if heart.latency_ms is not None:
            assert is_open and heart.latency_ms >= 0


@given(st.lists(st.tuples(st.booleans(), st.integers(-7200 * S, 7200 * S)), max_size=60))
def test_whatever_the_clock_does_frames_keep_the_connection_alive(steps: list[tuple[bool, int]]) -> None:
    heart, now = opened(), 0
    for send, jump in steps:
        now += jump
        if send:
            heart.sent(now)
        heart.heard(now)
        assert not heart.dead(now + 10**15)
        assert heart.due_ns is not None and heart.due_ns <= now + 30 * S
