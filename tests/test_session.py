"""The session as a machine: every cell of its table, every race that a client can produce, and what always holds."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurigraph_nb.errors import AuthRefused, BadOption, BadOptionType, ConnectFailed
from aurigraph_nb.gaps import Cause, Certainty
from aurigraph_nb.session import (
    EVENTS,
    PRESETS,
    TABLE,
    Backoff,
    Close,
    Connect,
    Dial,
    Disconnect,
    Event,
    Failed,
    FirstData,
    GapClosed,
    GapOpened,
    Hangup,
    Healthy,
    Lost,
    Opened,
    Policy,
    Reconnect,
    Refused,
    Request,
    Session,
    StartTimer,
    State,
    StopTimer,
    TimerFired,
)

S = 1_000_000_000
EXACT = Backoff(initial_s=1, multiplier=2, max_s=30, jitter=False)
URL = "ws://node:9003/ws/metrics"


def session(**policy: object) -> Session:
    return Session(Policy(**{"url": URL, "backoff": EXACT, **policy}), random.Random(7))


def feed(target: Session, *events: Event, now_ns: int = 0) -> list[Request]:
    """Hand the events in at one moment; what the last one asks for."""
    requests: list[Request] = []
    for event in events:
        requests = target.handle(event, now_ns)
    return requests


# --- the table


WAYS: dict[State, tuple[Event, ...]] = {
    State.DISCONNECTED: (),
    State.CONNECTING: (Connect(),),
    State.CONNECTED: (Connect(), Opened()),
    State.RECONNECTING: (Connect(), Failed("tcp")),
    State.ERROR: (Connect(), Refused(404)),
    State.CLOSED: (Close(),),
}
SAMPLES: dict[type[Event], Event] = {
    Connect: Connect(),
    Reconnect: Reconnect(),
    Disconnect: Disconnect(),
    Close: Close(),
    Opened: Opened(),
    FirstData: FirstData(),
    Healthy: Healthy(),
    TimerFired: TimerFired(),
    Lost: Lost(1006),
    Refused: Refused(503),
    Failed: Failed("tcp"),
}
COLUMNS = (
    State.DISCONNECTED,
    State.CONNECTING,
    State.CONNECTED,
    State.RECONNECTING,
    State.ERROR,
    State.CLOSED,
)
# The state after each event, in the order of COLUMNS, and the kinds of request that it brings.
D, C, O, R, E, X = COLUMNS  # noqa: E741 - a table of single letters is what can be read here
EXPECTED: dict[type[Event], tuple[tuple[State, str], ...]] = {
    Connect: ((C, "Dial"), (C, ""), (O, ""), (R, ""), (C, "Dial"), (X, "")),
    Reconnect: ((C, "Dial"), (C, ""), (C, "Hangup GapOpened Dial"), (C, "StopTimer Dial"), (C, "Dial"), (X, "")),
    Disconnect: ((D, ""), (D, "Hangup"), (D, "Hangup GapOpened"), (D, "StopTimer"), (D, ""), (X, "")),
    Close: ((X, ""), (X, "Hangup"), (X, "Hangup"), (X, "StopTimer"), (X, ""), (X, "")),
    Opened: ((D, "Hangup"), (O, ""), (O, ""), (R, "Hangup"), (E, "Hangup"), (X, "Hangup")),
    FirstData: ((D, ""), (C, ""), (O, ""), (R, ""), (E, ""), (X, "")),
    Healthy: ((D, ""), (C, ""), (O, ""), (R, ""), (E, ""), (X, "")),
    TimerFired: ((D, ""), (C, ""), (O, ""), (C, "Dial"), (E, ""), (X, "")),
    Lost: ((D, ""), (R, "Hangup StartTimer"), (R, "GapOpened StartTimer"), (R, ""), (E, ""), (X, "")),
    Refused: ((D, ""), (R, "StartTimer"), (O, ""), (R, ""), (E, ""), (X, "")),
    Failed: ((D, ""), (R, "StartTimer"), (R, "Hangup GapOpened StartTimer"), (R, ""), (E, ""), (X, "")),
}


def test_every_state_has_an_entry_for_every_event() -> None:
    assert set(TABLE) == {(state, event) for state in State for event in EVENTS}
    assert set(EVENTS) == set(SAMPLES) == set(EXPECTED)


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: e.__name__)
@pytest.mark.parametrize("column", range(len(COLUMNS)), ids=lambda i: COLUMNS[i].value)
def test_every_event_in_every_state_does_what_the_table_says(column: int, event: type[Event]) -> None:
    target = session()
    feed(target, *WAYS[COLUMNS[column]])
    assert target.state is COLUMNS[column]
    requests = target.handle(SAMPLES[event], 5 * S)
    state, kinds = EXPECTED[event][column]
    assert (target.state, " ".join(type(r).__name__ for r in requests)) == (state, kinds)


def test_something_that_is_no_event_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="no event of a session"):
        session().handle("open", 0)  # type: ignore[arg-type]


# --- the ordinary life


def test_a_session_begins_disconnected_and_counts_nothing() -> None:
    target = session()
    assert (target.state, target.attempts, target.reconnects, target.conn_epoch) == (D, 0, 0, 0)
    assert (target.last_error, target.error, target.next_try_ns, target.last_code) == (None, None, None, None)
    assert not target.reconnecting and not target.ended and not target.in_gap


def test_a_loss_waits_dials_again_and_the_gap_ends_with_the_first_data() -> None:
    target = session()
    assert target.handle(Connect(), 0) == [Dial(None, 1)]
    assert target.handle(Opened(dial=1), 1 * S) == []
    assert target.handle(FirstData(dial=1), 2 * S) == []
    gap, timer = target.handle(Lost(1012, "back soon", dial=1), 9 * S)
    came = 'the server closed with 1012 (service restart) and the reason "back soon"'
    assert gap == GapOpened(Cause.DISCONNECT, 9 * S, came, Certainty.UNKNOWN)
    assert timer == StartTimer(1.0, 1)
    assert (target.state, target.next_try_ns, target.last_code) == (R, 10 * S, 1012)
    assert target.reconnecting and target.in_gap and target.last_disconnected_ns == 9 * S
    assert target.handle(TimerFired(1), 10 * S) == [Dial(None, 2)]
    assert target.reconnecting and target.next_try_ns is None
    assert target.handle(Opened(dial=2), 11 * S) == []
    assert not target.reconnecting and target.in_gap
    assert target.handle(FirstData(dial=2), 12 * S) == [GapClosed(12 * S)]
    assert (target.reconnects, target.conn_epoch, target.attempts, target.last_connected_ns) == (1, 2, 0, 11 * S)
    assert target.last_error is not None and "back soon" in target.last_error, "what went wrong stays to be read"


def test_a_first_attempt_is_not_called_reconnecting() -> None:
    target = session()
    feed(target, Connect())
    assert not target.reconnecting
    feed(target, Failed("tcp"))
    assert target.reconnecting


def test_attempts_that_never_connected_open_no_gap() -> None:
    target = session()
    feed(target, Connect())
    for _ in range(5):
        assert [type(r) for r in feed(target, Failed("tcp"))] == [StartTimer]
        feed(target, TimerFired())


def test_a_second_loss_before_any_data_prolongs_the_same_gap() -> None:
    target = session()
    feed(target, Connect(), Opened(), FirstData())
    assert GapOpened in map(type, feed(target, Lost(1006), now_ns=S))
    feed(target, TimerFired(), Opened(), now_ns=2 * S)
    assert [type(r) for r in feed(target, Lost(1006), now_ns=3 * S)] == [StartTimer]
    feed(target, TimerFired(), Opened(), now_ns=6 * S)
    assert feed(target, FirstData(), now_ns=7 * S) == [GapClosed(7 * S)]


def test_a_connection_that_broke_is_incomplete_from_its_last_frame_on() -> None:
    target = session()
    feed(target, Connect(), Opened(), FirstData(), now_ns=S)
    (gap, _) = feed(target, Lost(1006, last_ns=20 * S), now_ns=60 * S)
    assert isinstance(gap, GapOpened) and gap.start_ns == 20 * S


@pytest.mark.parametrize(
    "lost, start_s",
    [
        (Lost(1011, ours=True, last_ns=20 * S), 20),
        (Lost(1012, last_ns=20 * S), 60),
        (Lost(1006), 60),
        (Lost(1006, last_ns=99 * S), 60),
        (Lost(1006, last_ns=0), 1),
    ],
    ids=["no pong", "a close frame says all before it came", "not told", "in the future", "of an older connection"],
)
def test_a_gap_starts_within_the_connection_that_it_ends(lost: Lost, start_s: int) -> None:
    target = session()
    feed(target, Connect(), Opened(), FirstData(), now_ns=S)
    gap = feed(target, lost, now_ns=60 * S)[0]
    assert isinstance(gap, GapOpened) and gap.start_ns == start_s * S


def test_a_gap_never_ends_before_it_starts_when_the_clock_steps_back() -> None:
    target = session()
    feed(target, Connect(), Opened(), FirstData(), now_ns=100 * S)
    feed(target, Lost(1006), now_ns=110 * S)
    feed(target, TimerFired(), Opened(), now_ns=50 * S)
    assert feed(target, FirstData(), now_ns=51 * S) == [GapClosed(110 * S)]


def test_closing_ends_the_gap_and_opens_none() -> None:
    target = session()
    feed(target, Connect(), Opened(), FirstData(), Lost(1006))
    assert feed(target, Close(), now_ns=3 * S) == [StopTimer(), GapClosed(3 * S)]
    other = session()
    feed(other, Connect(), Opened(), FirstData())
    assert feed(other, Close()) == [Hangup(1000, "close", 1)]


def test_disconnect_and_connect_leave_one_gap_between_them() -> None:
    target = session()
    feed(target, Connect(), Opened(), FirstData())
    hangup, gap = feed(target, Disconnect(), now_ns=4 * S)
    assert hangup == Hangup(1000, "disconnect", 1)
    assert gap == GapOpened(Cause.DISCONNECT, 4 * S, "disconnect by request")
    assert target.last_disconnected_ns == 4 * S
    feed(target, Connect(), Opened(), now_ns=8 * S)
    assert feed(target, FirstData(), now_ns=9 * S) == [GapClosed(9 * S)]


# --- the series of delays, and what resets it


def delays(target: Session, count: int) -> list[float]:
    """Lose ``count`` attempts in a row; the delays asked for."""
    found = []
    feed(target, Connect())
    for _ in range(count):
        (timer,) = feed(target, Failed("tcp"))
        assert isinstance(timer, StartTimer)
        found.append(timer.delay_s)
        feed(target, TimerFired())
    return found


@pytest.mark.parametrize(
    "name, series",
    [
        ("portal", [1, 2, 4, 8, 16, 30, 30, 30]),
        ("live", [3, 6, 12, 24, 48]),
        ("channels", [3, 6, 12, 24, 30, 30, 30, 30, 30, 30]),
        ("fakeai", [1, 1.5, 2.25, 3.375, 5.0625, 7.59375, 11.390625, 17.0859375, 25.62890625, 30, 30]),
    ],
)
def test_without_jitter_each_preset_gives_its_documented_series(name: str, series: list[float]) -> None:
    preset = PRESETS[name]
    exact = Backoff(preset.initial_s, preset.multiplier, preset.max_s, preset.attempts, jitter=False)
    assert delays(session(backoff=exact), len(series)) == series


@pytest.mark.parametrize("name, attempts", [("live", 5), ("channels", 10)])
def test_a_limited_preset_gives_up_after_its_attempts(name: str, attempts: int) -> None:
    target = session(backoff=PRESETS[name])
    delays(target, attempts)
    assert target.state is C
    assert feed(target, Failed("tcp", "connection refused")) == []
    assert target.state is E and isinstance(target.error, ConnectFailed)
    assert str(target.error) == target.last_error
    assert f"Gave up after trying again {attempts} times; feed.reconnect() begins anew" in str(target.error)
    assert "node:9003" in str(target.error) and "Trying again." not in str(target.error)


@pytest.mark.parametrize("name", ["portal", "fakeai"])
def test_an_unlimited_preset_goes_on_for_ever(name: str) -> None:
    assert all(0 < d <= 30 for d in delays(session(backoff=PRESETS[name]), 5000))


def test_no_attempts_means_that_the_first_loss_is_the_last() -> None:
    target = session(backoff=Backoff(1, attempts=0))
    feed(target, Connect(), Opened(), FirstData())
    assert [type(r) for r in feed(target, Lost(1006))] == [GapOpened]
    assert target.state is E


def test_a_server_that_accepts_and_closes_meets_growing_delays() -> None:
    target = session()
    feed(target, Connect())
    found = []
    for _ in range(6):
        feed(target, Opened())
        found += [r.delay_s for r in feed(target, Lost(1001)) if isinstance(r, StartTimer)]
        feed(target, TimerFired())
    assert found == [1, 2, 4, 8, 16, 30]
    assert target.attempts == 6


@pytest.mark.parametrize("good", [FirstData(), Healthy()])
def test_data_or_health_begins_the_series_anew(good: Event) -> None:
    target = session()
    delays(target, 4)
    feed(target, Opened())
    assert target.attempts == 4
    feed(target, good)
    assert target.attempts == 0
    assert [r for r in feed(target, Lost(1006)) if isinstance(r, StartTimer)] == [StartTimer(1.0, 5)]


@pytest.mark.parametrize("stood_s, delay_s", [(29.999, 8.0), (30.0, 1.0)])
def test_a_quiet_connection_that_stood_its_time_counts_as_healthy_without_being_told(
    stood_s: float, delay_s: float
) -> None:
    target = session()
    delays(target, 3)
    feed(target, Opened(), now_ns=5 * S)
    requests = feed(target, Lost(1006), now_ns=5 * S + round(stood_s * S))
    assert [r.delay_s for r in requests if isinstance(r, StartTimer)] == [delay_s]


def test_health_does_not_end_a_gap_but_data_does() -> None:
    target = session()
    feed(target, Connect(), Opened(), FirstData(), Lost(1006), TimerFired(), Opened())
    assert feed(target, Healthy()) == [] and target.in_gap
    assert feed(target, FirstData(), now_ns=S) == [GapClosed(S)]
    assert feed(target, FirstData(), now_ns=2 * S) == [], "a repeated word changes nothing"


def test_reconnect_while_waiting_dials_at_once_and_keeps_the_series() -> None:
    target = session()
    feed(target, Connect(), Failed("tcp"), TimerFired(), Failed("tcp"))
    assert target.attempts == 2
    assert feed(target, Reconnect()) == [StopTimer(), Dial(None, 3)]
    assert target.attempts == 2 and target.next_try_ns is None
    assert feed(target, Failed("tcp")) == [StartTimer(4.0, 3)]


def test_connect_out_of_error_begins_the_series_and_the_tally_anew() -> None:
    target = session()
    feed(target, Connect())
    for _ in range(3):
        feed(target, Failed("dns"), TimerFired())
    assert target.state is E and target.error is not None
    assert feed(target, Connect()) == [Dial(None, 4)]
    assert (target.attempts, target.error) == (0, None)
    feed(target, Failed("dns"))
    assert target.state is R, "one unknown host is not three"


def test_reconnect_while_connected_hangs_up_and_dials_at_once_with_a_gap() -> None:
    target = session()
    feed(target, Connect(), Opened(), FirstData())
    assert feed(target, Reconnect(), now_ns=S) == [
        Hangup(1000, "reconnect", 1),
        GapOpened(Cause.DISCONNECT, S, "reconnect by request"),
        Dial(None, 2),
    ]
    assert feed(target, Lost(1000, dial=1)) == [], "the echo of our own hangup"
    assert target.state is C


def test_a_retry_after_longer_than_the_backoff_is_honoured_and_a_shorter_one_is_not_needed() -> None:
    target = session()
    feed(target, Connect())
    assert feed(target, Refused(503, retry_after_s=12.0), now_ns=S) == [StartTimer(12.0, 1)]
    assert target.next_try_ns == 13 * S
    feed(target, TimerFired())
    assert feed(target, Refused(429, retry_after_s=0.5)) == [StartTimer(2.0, 2)]


# --- races: a late word is never taken for a new one


def test_a_connection_that_opens_after_disconnect_is_hung_up() -> None:
    target = session()
    feed(target, Connect())
    assert feed(target, Disconnect()) == [Hangup(1000, "disconnect", 1)]
    assert feed(target, Opened(dial=1)) == [Hangup(1000, "no longer wanted", 1)]
    assert feed(target, Lost(1000, dial=1)) == []
    assert (target.state, target.conn_epoch) == (D, 0)


def test_a_late_open_of_an_older_attempt_is_not_taken_for_the_new_one() -> None:
    target = session()
    feed(target, Connect(), Disconnect(), Connect())
    assert feed(target, Opened(dial=1)) == [Hangup(1000, "no longer wanted", 1)]
    assert target.state is C
    assert feed(target, Refused(404, dial=1), Failed("tls", dial=1), Lost(1002, dial=1)) == []
    assert target.state is C
    assert feed(target, Opened(dial=2)) == []
    assert (target.state, target.conn_epoch) == (O, 1)


def test_an_attempt_that_opens_after_it_timed_out_is_hung_up_and_the_wait_goes_on() -> None:
    target = session()
    feed(target, Connect(), Failed("timeout", dial=1))
    assert feed(target, Opened(dial=1)) == [Hangup(1000, "no longer wanted", 1)]
    assert target.state is R


def test_our_own_hangup_is_no_loss() -> None:
    target = session()
    feed(target, Connect(), Opened(), FirstData(), Disconnect())
    assert feed(target, Lost(1000, dial=1)) == []
    assert (target.state, target.last_code, target.last_error) == (D, None, None)


def test_a_timer_that_fires_late_dials_nothing() -> None:
    target = session()
    feed(target, Connect(), Failed("tcp"), Disconnect(), Connect())
    assert feed(target, TimerFired(1)) == [] and target.state is C
    feed(target, Failed("tcp"))
    assert target.state is R
    assert feed(target, TimerFired(1)) == [], "it is the timer of the wait before"
    assert feed(target, TimerFired(2)) == [Dial(None, 3)]


def test_close_while_waiting_and_while_dialling_leaves_nothing_out() -> None:
    waiting = session()
    feed(waiting, Connect(), Failed("tcp"))
    assert feed(waiting, Close()) == [StopTimer()]
    dialling = session()
    feed(dialling, Connect())
    assert feed(dialling, Close()) == [Hangup(1000, "close", 1)]
    assert feed(dialling, Opened(dial=1)) == [Hangup(1000, "no longer wanted", 1)]
    for target in (waiting, dialling):
        assert feed(target, TimerFired(1), Connect(), Reconnect(), Disconnect(), Close()) == []
        assert (target.state, target.next_try_ns) == (X, None)


def test_a_failure_of_an_open_connection_is_a_loss_and_hangs_up_what_may_be_left() -> None:
    target = session()
    feed(target, Connect(), Opened(), FirstData())
    assert [type(r) for r in feed(target, Failed("protocol"))] == [Hangup, GapOpened, StartTimer]


# --- stop and fatal


def test_a_stop_code_ends_the_stream_without_a_gap() -> None:
    target = session(stop_codes=frozenset({1000}))
    feed(target, Connect(), Opened(), FirstData())
    assert feed(target, Lost(1000, "end of run"), now_ns=3 * S) == []
    assert (target.state, target.ended, target.error, target.last_code) == (D, True, None, 1000)
    assert target.last_disconnected_ns == 3 * S


def test_coming_back_after_a_stop_tells_what_lies_between() -> None:
    target = session(stop_codes=frozenset({1000}))
    feed(target, Connect(), Opened(), FirstData())
    feed(target, Lost(1000), now_ns=3 * S)
    gap, dial = feed(target, Connect(), now_ns=8 * S)
    assert isinstance(gap, GapOpened) and gap.start_ns == 3 * S
    assert dial == Dial(None, 2) and not target.ended
    feed(target, Opened(), now_ns=9 * S)
    assert feed(target, FirstData(), now_ns=10 * S) == [GapClosed(10 * S)]


def test_a_stop_before_data_came_again_ends_the_gap() -> None:
    target = session(stop_codes=frozenset({1000}))
    feed(target, Connect(), Opened(), FirstData(), Lost(1006), TimerFired(), Opened())
    assert feed(target, Lost(1000), now_ns=5 * S) == [GapClosed(5 * S)]


def test_a_fatal_loss_opens_a_gap_and_holds_the_error() -> None:
    target = session(token_sent=True)
    feed(target, Connect(), Opened(), FirstData())
    assert [type(r) for r in feed(target, Lost(1008, "token expired"))] == [GapOpened]
    assert target.state is E and isinstance(target.error, AuthRefused)
    assert str(target.error) == target.last_error
    assert feed(target, Disconnect()) == [] and target.state is D and target.error is None


def test_three_losses_of_a_kind_are_fatal_only_without_data_between() -> None:
    target = session()
    feed(target, Connect())
    for _ in range(10):
        feed(target, Opened(), FirstData(), Lost(4000))
        assert target.state is R
        feed(target, TimerFired())
    feed(target, Opened(), Lost(4001), TimerFired())
    assert target.state is C, "the second in a row: the first was the last one with data on its connection"
    feed(target, Opened(), Lost(4002))
    assert target.state is E


def test_a_host_that_was_reached_before_is_not_unknown_when_the_network_goes() -> None:
    target = session()
    feed(target, Connect(), Opened(), FirstData(), Lost(1006))
    for _ in range(20):
        feed(target, TimerFired(), Failed("dns"))
        assert target.state is R


# --- redirects


def test_a_redirect_on_the_same_host_is_dialled_at_once_and_costs_no_attempt() -> None:
    target = session()
    feed(target, Connect())
    assert feed(target, Refused(308, location="/v2/metrics", dial=1)) == [Dial("ws://node:9003/v2/metrics", 2)]
    assert (target.state, target.attempts, target.last_error) == (C, 0, None)
    feed(target, Opened(dial=2))
    assert target.state is O


def test_a_relative_redirect_is_read_from_where_the_last_one_led() -> None:
    target = session()
    feed(target, Connect())
    feed(target, Refused(302, location="/a/b/c"))
    assert feed(target, Refused(302, location="d")) == [Dial("ws://node:9003/a/b/d", 3)]


def test_five_redirects_are_followed_and_the_sixth_is_fatal() -> None:
    target = session()
    feed(target, Connect())
    for hop in range(5):
        assert [type(r) for r in feed(target, Refused(302, location=f"/{hop}"))] == [Dial]
    assert feed(target, Refused(302, location="/more")) == []
    assert target.state is E and "at most 5 redirects in a row" in str(target.error)


def test_after_a_redirect_a_retry_begins_at_the_url_of_the_session() -> None:
    target = session()
    feed(target, Connect())
    for _ in range(8):
        feed(target, Refused(302, location="/elsewhere"))
        feed(target, Refused(503))
        assert feed(target, TimerFired())[0].url is None  # type: ignore[union-attr]
    assert target.state is C, "eight chains of one hop are no chain of eight"


def test_a_redirect_that_worked_begins_a_new_chain() -> None:
    target = session()
    feed(target, Connect())
    for _ in range(8):
        feed(target, Refused(302, location="/elsewhere"), Opened())
        assert target.state is O
        assert feed(target, Reconnect())[-1].url is None  # type: ignore[union-attr]
        assert target.state is C


def test_a_redirect_to_another_host_is_fatal_and_shows_no_token() -> None:
    target = session(token_sent=True)
    feed(target, Connect())
    assert feed(target, Refused(302, location="wss://elsewhere/ws/metrics?token=S3CRET")) == []
    assert target.state is E
    assert "wss://elsewhere/ws/metrics" in str(target.error)
    assert "credentials never cross" in str(target.error) and "S3CRET" not in str(target.error)


# --- what always holds


class Client:
    """A client of the laziest kind: it does what it is asked, and checks that the asking makes sense."""

    def __init__(self, target: Session) -> None:
        self.target = target
        self.live: set[int] = set()
        self.timers: set[int] = set()
        self.gaps: list[Request] = []
        self.dials = 0
        self.timers_started = 0
        self.now_ns = 0

    def take(self, event: Event) -> None:
        before = self.target.state
        ended = isinstance(event, (Lost, Refused, Failed))
        dial = getattr(event, "dial", None)
        if ended:
            self.live.discard(self.dials if dial is None else dial)
        if isinstance(event, TimerFired):
            self.timers.discard(self.timers_started if event.timer is None else event.timer)
        for request in self.target.handle(event, self.now_ns):
            self.do(request)
        self.check(before)

    def do(self, request: Request) -> None:
        match request:
            case Dial(dial=dial):
                assert not self.live, "a second dial while one is out"
                assert dial == self.dials + 1
                self.dials = dial
                self.live.add(dial)
            case Hangup(code=code, reason=reason, dial=dial):
                assert code == 1000 and len(reason.encode()) <= 123
                self.live.discard(dial)
            case StartTimer(delay_s=delay_s, timer=timer):
                assert not self.timers, "a second timer while one runs"
                assert 0 <= delay_s <= 300
                assert self.target.next_try_ns == self.now_ns + round(delay_s * S)
                self.timers_started = timer
                self.timers.add(timer)
            case StopTimer():
                assert self.timers, "a timer stopped that does not run"
                self.timers.clear()
            case GapOpened() | GapClosed():
                self.gaps.append(request)

    def check(self, before: State) -> None:
        target = self.target
        if before is X:
            assert target.state is X, "closed is closed"
        if target.state in (D, E, X, R):
            assert not self.live
        assert (target.state is R) == (target.next_try_ns is not None)
        assert target.state is X or (target.state is E) == (target.error is not None)
        assert target.state is R or not self.timers
        opened = [type(g) is GapOpened for g in self.gaps]
        assert opened == [i % 2 == 0 for i in range(len(opened))], "gaps open and close by turns"
        assert target.in_gap == (len(opened) % 2 == 1)
        assert target.attempts >= 0 and len(target.causes) <= 65


Maker = Callable[[Client], Event]


def dials(client_dial: int | None, client: Client) -> int | None:
    """None, the current dial, or one before."""
    return None if client_dial is None else max(0, client.dials - client_dial)


def about(make: Callable[..., Event], *args: object, **more: object) -> st.SearchStrategy[Maker]:
    def maker(back: int | None) -> Maker:
        return lambda client: make(*args, **more, dial=dials(back, client))

    return st.sampled_from([None, 0, 0, 1, 2]).map(maker)


def plain(event: Event) -> st.SearchStrategy[Maker]:
    return st.just(lambda client: event)


TEXT = st.text(max_size=20)
MAKERS: st.SearchStrategy[Maker] = st.one_of(
    plain(Connect()),
    plain(Disconnect()),
    plain(Reconnect()),
    st.sampled_from([0, 0, 1]).map(lambda back: lambda client: TimerFired(max(0, client.timers_started - back))),
    about(Opened),
    about(Opened),
    about(FirstData),
    about(Healthy),
    st.tuples(st.one_of(st.sampled_from([1000, 1006, 1008, 1009, 4000]), st.integers(-5, 70000)), TEXT).flatmap(
        lambda lost: about(Lost, *lost)
    ),
    st.tuples(
        st.sampled_from([302, 401, 404, 429, 503, 200, 0, -1]),
        st.one_of(st.none(), st.floats()),
        st.one_of(st.none(), st.just("/next"), TEXT),
    ).flatmap(lambda refused: about(Refused, *refused)),
    st.sampled_from(["dns", "tcp", "tls", "url", "timeout", "handshake", "protocol", "weird"]).flatmap(
        lambda k: about(Failed, k)
    ),
)
POLICIES = st.builds(
    Policy,
    name=st.sampled_from(["portal", "fakeai"]),
    backoff=st.sampled_from([*PRESETS.values(), Backoff(0.5, 3.0, 10.0, 2)]),
    stop_codes=st.sampled_from([frozenset(), frozenset({1000})]),
    token_sent=st.booleans(),
    url=st.sampled_from([URL, "wss://node", "", "::nonsense["]),
    max_size=st.sampled_from([None, 2**20]),
)


@settings(max_examples=300, deadline=None)
@given(policy=POLICIES, makers=st.lists(st.tuples(MAKERS, st.integers(-S, 40 * S)), max_size=60), seed=st.integers())
def test_no_order_of_events_breaks_the_rules(policy: Policy, makers: list[tuple[Maker, int]], seed: int) -> None:
    client = Client(Session(policy, random.Random(seed)))
    client.take(Connect())
    for make, step_ns in makers:
        client.now_ns += step_ns
        client.take(make(client))
    client.take(Close())
    assert not client.live and not client.timers and client.target.state is X
    for make, _ in makers:
        client.take(make(client))
    assert not client.live and len(client.gaps) % 2 == 0


@given(
    initial_s=st.floats(0.001, 1e6),
    multiplier=st.floats(1, 1e6),
    max_s=st.one_of(st.none(), st.floats(0.001, 1e9)),
    attempt=st.integers(0, 10**6),
    seed=st.integers(),
)
def test_a_jittered_delay_lies_between_a_tenth_of_the_full_one_and_all_of_it(
    initial_s: float, multiplier: float, max_s: float | None, attempt: int, seed: int
) -> None:
    backoff = Backoff(initial_s, multiplier, max_s)
    full = backoff.full_delay(attempt)
    assert 0 < full <= 86_400
    assert 0.1 * full <= backoff.delay(attempt, random.Random(seed)) <= full


def test_jitter_spreads_over_the_whole_range_and_repeats_with_its_seed() -> None:
    backoff = Backoff(10.0)
    drawn = [backoff.delay(0, random.Random(seed)) for seed in range(500)]
    assert min(drawn) < 1.2 and max(drawn) > 9.8
    assert drawn == [backoff.delay(0, random.Random(seed)) for seed in range(500)]


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"initial_s": 0}, BadOption, "initial_s=0: expected a finite number above 0"),
        ({"initial_s": float("nan")}, BadOption, "initial_s=nan"),
        ({"initial_s": 10**400}, BadOption, "finite"),
        ({"initial_s": "1"}, BadOptionType, "initial_s='1': expected a number"),
        ({"initial_s": True}, BadOptionType, "expected a number"),
        ({"initial_s": 1, "multiplier": 0.5}, BadOption, "of at least 1"),
        ({"initial_s": 1, "max_s": -1}, BadOption, "max_s=-1"),
        ({"initial_s": 1, "attempts": -1}, BadOption, "attempts=-1: expected 0 or more"),
        ({"initial_s": 1, "attempts": 2.5}, BadOptionType, "attempts=2.5: expected a whole number"),
        ({"initial_s": 1, "attempts": True}, BadOptionType, "attempts=True"),
        ({"initial_s": 1, "jitter": 1}, BadOptionType, "jitter=1: expected True or False"),
    ],
)
def test_a_bad_backoff_names_what_came_and_what_was_expected(
    options: dict[str, object], error: type[BadOption], words: str
) -> None:
    with pytest.raises(error) as caught:
        Backoff(**options)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_attempts_are_counted_from_zero() -> None:
    with pytest.raises(BadOption, match="counted from 0"):
        Backoff(1).delay(-1, random.Random())


def test_the_causes_of_a_hostile_server_are_counted_without_growing() -> None:
    target = session()
    feed(target, Connect())
    for code in range(3000, 3200):
        feed(target, Opened(), FirstData(), Lost(code), TimerFired())
    assert len(target.causes) == 65 and target.causes["other"] == 136
    assert sum(target.causes.values()) == 200


def test_nothing_secret_stands_in_a_repr() -> None:
    secret = "wss://me:pw@node/ws?token=S3CRET"
    shown = [repr(Refused(302, location=secret)), repr(Dial(secret, 1)), repr(session())]
    assert all("S3CRET" not in text and "pw" not in text for text in shown)
    assert shown[2] == "<Session portal DISCONNECTED>"
