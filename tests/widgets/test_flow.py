"""The rules of the traffic to a front end."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.widgets.flow import (
    BYTES_PER_S,
    CREDIT,
    FORGOTTEN_BEHIND,
    LONGEST_PAUSE_S,
    MAX_PAGES,
    PACE_BYTES_PER_S,
    PATIENCE_S,
    SNAPSHOT_EVERY_S,
    Flow,
    FlowCounters,
    Turn,
    checked_rate,
)

PAGE = "page-1"


def opened(rate_hz=4.0, at=0.0):
    """A flow whose page has its snapshot."""
    flow = Flow(rate_hz)
    flow.ask(PAGE)
    send(flow, at)
    flow.acknowledge(PAGE, 1, at)
    return flow


def send(flow, now, changed=True):
    """One turn; what it was."""
    turn = flow.turn(now, changed)
    if turn is not Turn.NOTHING:
        flow.sent(turn, now, 100)
    return turn


def test_nothing_is_sent_before_a_page_asks():
    flow = Flow()
    assert flow.allowed_at() is None
    assert flow.turn(0.0, True) is Turn.NOTHING


def test_a_page_that_asks_gets_one_snapshot_even_if_nothing_changed():
    flow = Flow()
    flow.ask(PAGE)
    assert flow.turn(0.0, False) is Turn.SNAPSHOT
    flow.sent(Turn.SNAPSHOT, 0.0, 10)
    assert flow.turn(10.0, False) is Turn.NOTHING


def test_the_first_change_after_quiet_goes_at_once():
    flow = opened()
    assert flow.turn(5.0, False) is Turn.NOTHING
    assert flow.turn(5.001, True) is Turn.DELTA


def test_there_is_at_most_one_message_a_frame():
    flow = opened(rate_hz=4.0)
    assert send(flow, 1.0) is Turn.DELTA
    assert send(flow, 1.2) is Turn.NOTHING
    assert send(flow, 1.25) is Turn.DELTA


def test_even_a_snapshot_waits_for_its_frame():
    flow = opened()
    send(flow, 1.0)
    flow.ask(PAGE)
    assert flow.turn(1.1, True) is Turn.NOTHING
    assert flow.turn(1.25, True) is Turn.SNAPSHOT


def test_messages_are_numbered_from_one():
    flow = Flow()
    assert flow.next_number == 1
    flow.ask(PAGE)
    send(flow, 0.0)
    assert flow.next_number == 2


def test_two_deltas_may_be_unacknowledged_and_not_a_third():
    flow = opened()
    assert [send(flow, 1.0 + i / 4) for i in range(3)] == [Turn.DELTA, Turn.DELTA, Turn.NOTHING]


def test_an_acknowledgement_gives_credit_back():
    flow = opened()
    send(flow, 1.0)
    send(flow, 1.25)
    flow.acknowledge(PAGE, 3, 1.3)
    assert flow.counters.unacknowledged == 0
    assert flow.turn(1.5, True) is Turn.DELTA


def test_without_acknowledgement_a_snapshot_a_second_goes_out_for_a_minute_and_then_nothing():
    flow = opened()
    send(flow, 1.0)
    send(flow, 1.25)
    sent = [(t / 40, turn) for t in range(50, 5000) if (turn := send(flow, t / 40)) is not Turn.NOTHING]
    assert {turn for _, turn in sent} == {Turn.SNAPSHOT}
    assert 55 <= len(sent) <= 60
    assert all(b - a >= SNAPSHOT_EVERY_S for (a, _), (b, _) in itertools.pairwise(sent))
    assert sent[-1][0] <= 1.25 + PATIENCE_S
    assert flow.allowed_at() is None


def test_large_snapshots_that_nobody_acknowledges_are_further_apart():
    flow = opened()
    send(flow, 1.0)
    send(flow, 1.25)
    times = []
    for t in range(50, 400):
        if flow.turn(t / 40, True) is Turn.SNAPSHOT:
            flow.sent(Turn.SNAPSHOT, t / 40, 3 * BYTES_PER_S)
            times.append(t / 40)
    assert len(times) >= 2 and all(b - a >= 3 for a, b in itertools.pairwise(times))


def test_a_large_delta_is_followed_by_a_pause_unless_a_page_asks():
    flow = opened()
    assert flow.turn(1.0, True) is Turn.DELTA
    flow.sent(Turn.DELTA, 1.0, 2 * PACE_BYTES_PER_S)
    assert flow.allowed_at() == 3.0
    assert flow.turn(2.9, True) is Turn.NOTHING
    flow.ask(PAGE)
    assert flow.turn(2.9, True) is Turn.SNAPSHOT
    flow.sent(Turn.SNAPSHOT, 2.9, 20 * PACE_BYTES_PER_S)
    assert flow.turn(3.2, True) is Turn.DELTA, "what was asked for is not paid by what follows"


def test_the_pause_after_a_delta_is_bounded_and_is_left_out_for_who_bounds_its_bytes_itself():
    flow = opened()
    flow.sent(Turn.DELTA, 1.0, 10**9)
    assert flow.allowed_at() == 1.0 + LONGEST_PAUSE_S
    flow.acknowledge(PAGE, 2, 1.1)
    flow.sent(Turn.DELTA, 2.0, 10**9, paced=False)
    assert flow.allowed_at() == 2.25


def test_such_snapshots_are_only_sent_when_something_changed():
    flow = opened()
    send(flow, 1.0)
    send(flow, 1.25)
    assert flow.turn(10.0, False) is Turn.NOTHING
    assert flow.turn(10.0, True) is Turn.SNAPSHOT


def test_after_the_silence_a_page_that_asks_gets_a_snapshot_at_once():
    flow = opened()
    for t in range(400):
        send(flow, t / 4)
    assert flow.allowed_at() is None
    flow.ask(PAGE)
    assert flow.turn(500.0, False) is Turn.SNAPSHOT


def test_a_late_acknowledgement_wakes_the_flow_again():
    flow = opened()
    for t in range(400):
        send(flow, t / 4)
    flow.acknowledge(PAGE, flow.next_number - 1, 101.0)
    assert flow.turn(102.0, True) is Turn.DELTA


def test_a_slow_page_that_does_acknowledge_is_given_more_patience():
    flow = opened()
    send(flow, 1.0)
    send(flow, 1.25)
    for t in range(3, 200):
        assert send(flow, float(t)) is Turn.SNAPSHOT
        if t % 20 == 0:
            flow.acknowledge(PAGE, flow.next_number - 1 - CREDIT, float(t))


def test_acknowledgements_that_are_old_repeated_or_impossible_change_nothing():
    flow = opened()
    send(flow, 1.0)
    send(flow, 1.25)
    for number in (1, 0, -5, 4, 10**9):
        flow.acknowledge(PAGE, number, 1.3)
    assert flow.counters.unacknowledged == 2


def test_a_page_that_rests_gets_nothing_until_it_asks():
    flow = opened()
    flow.rest(PAGE)
    assert flow.allowed_at() is None
    assert flow.turn(9.0, True) is Turn.NOTHING
    flow.ask(PAGE)
    assert flow.turn(9.1, True) is Turn.SNAPSHOT


def test_a_page_that_rests_does_not_silence_another_one():
    flow = opened()
    flow.ask("page-2")
    send(flow, 1.0)
    flow.rest(PAGE)
    flow.acknowledge("page-2", 2, 1.1)
    assert flow.turn(2.0, True) is Turn.DELTA


def test_a_page_that_leaves_before_its_snapshot_does_not_get_it():
    flow = Flow()
    flow.ask(PAGE)
    flow.rest(PAGE)
    flow.ask("page-2")
    flow.rest("page-2")
    assert flow.turn(1.0, True) is Turn.NOTHING


def test_a_message_that_could_not_be_made_is_followed_by_a_snapshot():
    flow = opened()
    flow.miss()
    assert flow.turn(1.0, False) is Turn.SNAPSHOT
    resting = Flow()
    resting.miss()
    assert resting.turn(1.0, True) is Turn.NOTHING


def test_pages_are_bounded():
    flow = Flow()
    for i in range(100):
        flow.ask(f"page-{i}")
    for i in range(100 - MAX_PAGES, 100):
        flow.rest(f"page-{i}")
    assert flow.allowed_at() is None


def test_counters_count():
    flow = Flow()
    flow.ask(PAGE)
    flow.sent(flow.turn(0.0, True), 0.0, 1000, merged=3)
    flow.sent(flow.turn(1.0, True), 1.0, 50, merged=2, dropped=7)
    counters = flow.counters
    assert (counters.sent, counters.snapshots, counters.merged, counters.dropped) == (2, 1, 5, 7)
    assert (counters.unacknowledged, counters.bytes) == (2, 1050)


def test_counters_can_be_read_printed_and_taken_as_a_dict():
    counters = FlowCounters(sent=1200, snapshots=1, merged=5, dropped=7, unacknowledged=2, bytes=1050)
    assert counters.to_dict() == {
        "sent": 1200,
        "snapshots": 1,
        "merged": 5,
        "dropped": 7,
        "unacknowledged": 2,
        "bytes": 1050,
    }
    assert str(counters) == (
        "1,200 messages sent (1 snapshots), 1,050 bytes; 2 unacknowledged, 5 changes merged, 7 dropped"
    )
    with pytest.raises(AttributeError):
        counters.sent = 3


def test_the_repr_of_counters_is_always_the_same():
    assert repr(FlowCounters()) == repr(FlowCounters(sent=3, bytes=1))
    assert not any(character.isdigit() for character in repr(FlowCounters(sent=3)))


# ---- several pages


def test_a_page_that_comes_late_gets_its_snapshot_and_the_first_goes_on():
    flow = opened()
    send(flow, 1.0)
    flow.ask("late")
    assert send(flow, 1.25, changed=False) is Turn.SNAPSHOT
    flow.acknowledge("late", 3, 1.3)
    flow.acknowledge(PAGE, 3, 1.3)
    assert send(flow, 1.5) is Turn.DELTA


def test_a_page_that_asks_while_its_neighbour_is_answered_is_not_forgotten():
    flow = Flow()
    flow.ask(PAGE)
    turn = flow.turn(0.0, True)
    flow.ask("late")  # the snapshot is made, and may be on its way already
    flow.sent(turn, 0.0, 100)
    assert flow.turn(1.0, False) is Turn.SNAPSHOT


def test_a_page_that_asks_after_the_silence_has_full_patience_again():
    """A page comes back, and the cell after it blocks: what it shows goes on for a minute, as for anybody."""
    flow = opened()
    for t in range(4, 400):
        send(flow, t / 4)
    flow.ask(PAGE)
    turns = [turn for t in range(2000, 2400) if (turn := send(flow, t / 4)) is not Turn.NOTHING]
    assert turns[:3] == [Turn.SNAPSHOT, Turn.DELTA, Turn.SNAPSHOT]
    assert 55 <= len(turns) <= 62


def test_the_quickest_page_sets_the_pace_and_a_dead_one_holds_nobody_up():
    flow = opened()
    flow.ask("dead")
    send(flow, 1.0)
    for t in range(5, 1000):
        now = t / 4
        assert send(flow, now) is Turn.DELTA
        flow.acknowledge(PAGE, flow.next_number - 1, now)


def test_a_dead_page_is_forgotten_so_that_the_flow_rests_with_the_last_living_one():
    flow = opened()
    flow.ask("dead")
    for t in range(4, 8 + FORGOTTEN_BEHIND):
        send(flow, t / 4)
        flow.acknowledge(PAGE, flow.next_number - 1, t / 4)
    flow.rest(PAGE)
    assert flow.allowed_at() is None


def test_a_page_that_is_only_a_little_behind_keeps_the_flow_awake():
    flow = opened()
    flow.ask("slow")
    for t in range(4, FORGOTTEN_BEHIND):
        send(flow, t / 4)
        flow.acknowledge(PAGE, flow.next_number - 1, t / 4)
    flow.rest(PAGE)
    assert send(flow, 100.0) is Turn.DELTA


def test_a_page_whose_acknowledgement_comes_second_is_known_to_be_there():
    """Both pages drew what was sent while the kernel was busy; the first to say so must not stand for both."""
    flow = opened()
    flow.ask("second")
    for t in range(4, 400):
        send(flow, t / 4)
    assert flow.allowed_at() is None
    newest = flow.next_number - 1
    flow.acknowledge(PAGE, newest, 101.0)
    flow.acknowledge("second", newest, 101.0)
    flow.rest(PAGE)
    assert send(flow, 102.0) is Turn.DELTA


@pytest.mark.parametrize("rate", [0, -1, 10.5, float("inf"), float("nan")])
def test_a_rate_out_of_bounds_is_refused(rate):
    with pytest.raises(BadOption, match="above 0 and at most 10"):
        checked_rate(rate)


@pytest.mark.parametrize("rate", ["4", None, True])
def test_a_rate_that_is_no_number_is_refused(rate):
    with pytest.raises(BadOptionType, match="rate_hz"):
        checked_rate(rate)


EVENTS = st.one_of(
    st.tuples(st.just("pass"), st.floats(0.001, 5.0)),
    st.tuples(st.just("ask"), st.sampled_from(["a", "b"])),
    st.tuples(st.just("rest"), st.sampled_from(["a", "b"])),
    st.tuples(st.just("ack"), st.integers(0, 3)),
    st.tuples(st.just("miss"), st.none()),
)


@given(st.lists(EVENTS, max_size=200), st.sampled_from([0.5, 4.0, 10.0]))
def test_whatever_the_pages_do_the_limits_hold(events, rate):
    flow, now, sent, woken = Flow(rate), 0.0, [], False
    for kind, what in events:
        if kind == "pass":
            now += what
        elif kind == "ask":
            flow.ask(what)
            woken = True
        elif kind == "rest":
            flow.rest(what)
        elif kind == "ack":
            flow.acknowledge("a", flow.next_number - 1 - what, now)
        else:
            flow.miss()
        unacknowledged = flow.counters.unacknowledged
        turn = send(flow, now)
        if turn is not Turn.NOTHING:
            assert woken
            sent.append(now)
            assert turn is Turn.SNAPSHOT or unacknowledged < CREDIT
    assert all(b - a >= 1 / rate - 1e-9 for a, b in itertools.pairwise(sent))
    assert flow.counters.sent == len(sent)


@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.booleans(), st.booleans()), max_size=300))
def test_a_front_end_that_follows_the_numbers_ends_up_with_what_the_source_has(steps):
    """The source is one number; some messages get lost; the page asks when it sees a hole."""
    flow, now, truth, shown, last, waiting = Flow(), 0.0, 0, -1, 0, True
    sent_truth = -1
    flow.ask(PAGE)
    for pause, change, lose in [*steps, *[(2.0, False, False)] * 6]:
        now += pause
        truth += change
        number, turn = flow.next_number, flow.turn(now, truth != sent_truth)
        if turn is Turn.NOTHING:
            if waiting or shown != sent_truth:
                flow.ask(PAGE)  # the page's own timer: its snapshot, or the last message, is overdue
            continue
        flow.sent(turn, now, 1)
        sent_truth = truth
        if lose:
            continue
        if turn is Turn.SNAPSHOT or (not waiting and number == last + 1):
            shown, last, waiting = truth, number, False
            flow.acknowledge(PAGE, number, now)
        else:
            waiting = True
            flow.ask(PAGE)
    assert shown == truth
