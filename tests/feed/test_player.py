"""The player: lines at their time, by a clock that the test turns itself."""

import heapq
import itertools
import math
from types import SimpleNamespace

import pytest

from aurigraph_nb import session as fsm
from aurigraph_nb.gaps import Cause, Certainty, Gap
from aurigraph_nb.player import SLICE_LINES, Player
from aurigraph_nb.protocols.base import Endpoint
from aurigraph_nb.recording.lines import (
    VERSION,
    Closed,
    End,
    FrameLine,
    GapBegins,
    GapEnds,
    Head,
    Opened,
    Statistics,
)
from aurigraph_nb.tape import LinesRun

S = 1_000_000_000
T0 = 1_767_225_600 * S


class HandClock:
    """A clock that goes as far as it is told; its timers fire on the way."""

    def __init__(self):
        self.ns = 5 * S
        self.timers = []
        self._order = itertools.count()

    def now_ns(self):
        return self.ns

    def call_later(self, seconds, fn):
        timer = SimpleNamespace(fn=fn, cancel=lambda: setattr(timer, "fn", None))
        heapq.heappush(self.timers, (self.ns + round(seconds * 1e9), next(self._order), timer))
        return timer

    def advance(self, seconds):
        until = self.ns + round(seconds * 1e9)
        while self.timers and self.timers[0][0] <= until:
            self.ns, _, timer = heapq.heappop(self.timers)
            if timer.fn is not None:
                timer.fn()
        self.ns = until

    @property
    def pending(self):
        return sum(timer.fn is not None for _, _, timer in self.timers)


class Ear:
    """An intake that writes down what it is given, and when."""

    def __init__(self):
        self.heard, self.warmed, self.applied, self.heads, self.requests = [], [], [], [], []
        self.told = self.restarts = self.forgotten = 0
        self.decoder = SimpleNamespace(decode=lambda frames: self.warmed.extend(f.data for f in frames))
        self.player = None

    def on_frames(self, link, frames):
        self.heard += [(frame.data, self.player.position_ns) for frame in frames]
        link.data_came()

    def apply(self, line, *, silent=False):
        self.applied.append((line, silent))

    def go_on_from(self, head):
        self.heads.append(head)

    def forget_past_gaps(self):
        self.forgotten += 1

    def restart(self):
        self.restarts += 1
        self.heard.clear()

    def on_request(self, link, request):
        self.requests.append(request)

    def on_change(self, link):
        pass

    def tell(self):
        self.told += 1

    @property
    def data(self):
        return [data for data, _ in self.heard]


def head(t=T0, *, first=True, up=(), recorder="r"):
    return Head(
        v=VERSION,
        recorder=recorder,
        segment=0,
        t=t,
        protocol="portal",
        url="ws://x",
        topics=("a",),
        first=first,
        up=dict.fromkeys(up, 1),
    )


def frame(seconds, text="", endpoint="a"):
    return FrameLine(T0 + round(seconds * S), endpoint, 1, text or f"{seconds:g}")


def ten(up=("a",)):
    return [head(up=up), *(frame(i) for i in range(10)), End(T0 + 9 * S, 10, True)]


def start(*runs, **options):
    clock, ear = HandClock(), Ear()
    player = Player([LinesRun(lines) for lines in runs or (ten(),)], clock=clock, **options)
    ear.player = player
    policy = fsm.Policy(stop_codes=frozenset({1000}))
    link = player.make_link("a", Endpoint("ws://x/a", ("a",)), policy, ear)
    player.begin(ear, lambda: None)
    return SimpleNamespace(clock=clock, ear=ear, player=player, link=link)


def texts(*seconds):
    return [f"{s:g}".encode() for s in seconds]


def test_each_frame_comes_at_its_time():
    tape = start()
    tape.clock.advance(0)
    assert tape.ear.data == texts(0)
    tape.clock.advance(2.9)
    assert tape.ear.data == texts(0, 1, 2)
    tape.clock.advance(0.1)
    assert tape.ear.data == texts(0, 1, 2, 3)
    assert tape.ear.heard[-1][1] == T0 + 3 * S


@pytest.mark.parametrize("speed, after_1s", [(2, 3), (10, 10), (0.5, 1)])
def test_speed_is_seconds_of_the_recording_in_a_second(speed, after_1s):
    tape = start(speed=speed)
    tape.clock.advance(1)
    assert len(tape.ear.data) == after_1s


def test_at_full_speed_nothing_waits_and_others_have_their_turn():
    lines = [head(up=("a",)), *(frame(i * 60) for i in range(3 * SLICE_LINES))]
    tape = start(lines, speed=math.inf)
    assert tape.clock.pending == 1 and not tape.ear.data
    tape.clock.timers[0][2].fn()
    assert 0 < len(tape.ear.data) <= SLICE_LINES
    tape.clock.advance(0)
    assert len(tape.ear.data) == 3 * SLICE_LINES and tape.player.finished


def test_its_time_goes_on_between_frames_and_stands_while_paused():
    tape = start()
    tape.clock.advance(2.5)
    assert tape.player.position_ns == T0 + 2.5 * S
    tape.player.pause()
    tape.clock.advance(100)
    assert tape.player.position_ns == T0 + 2.5 * S
    assert tape.ear.data == texts(0, 1, 2) and tape.clock.pending == 0
    tape.player.resume()
    tape.clock.advance(0.5)
    assert tape.ear.data == texts(0, 1, 2, 3)


def test_a_late_timer_does_not_shift_what_follows():
    tape = start()
    tape.clock.advance(0)
    tape.clock.ns += round(3.4 * S)  # the loop was busy
    tape.clock.advance(0)
    assert tape.ear.data == texts(0, 1, 2, 3)
    tape.clock.advance(0.6)
    assert tape.ear.data == texts(0, 1, 2, 3, 4)


def test_another_speed_counts_from_where_it_was_set():
    tape = start()
    tape.clock.advance(2.5)
    tape.player.set_speed(5)
    tape.clock.advance(0.5)
    assert tape.ear.data == texts(0, 1, 2, 3, 4, 5)
    assert tape.player.speed == 5


def test_the_end_is_the_end_and_resuming_begins_again():
    tape = start()
    tape.clock.advance(9)
    assert tape.player.finished and tape.link.ended and tape.player.laps == 1
    assert tape.clock.pending == 0
    tape.player.resume()
    tape.clock.advance(1)
    assert tape.ear.restarts == 1 and tape.ear.data == texts(0, 1) and not tape.link.ended


def test_in_a_loop_it_begins_again_by_itself():
    tape = start(loop=True)
    tape.clock.advance(9.5)
    assert tape.player.laps == 1 and not tape.player.finished
    assert tape.ear.data == texts(0)


def test_only_the_part_that_was_asked_for_is_played_and_what_came_before_is_known():
    lines = ten()
    lines.insert(2, GapBegins(T0, Gap("a", Cause.IDLE, Certainty.BOUNDED, T0)))
    tape = start(lines, start_ns=T0 + 3 * S, end_ns=T0 + 6 * S)
    tape.clock.advance(0)
    assert tape.ear.warmed == texts(0, 1, 2) and tape.ear.data == texts(3)
    assert tape.ear.applied[0][1] and tape.ear.forgotten == 1
    tape.clock.advance(60)
    assert tape.ear.data == texts(3, 4, 5) and tape.player.finished


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("back", [False, True])
def test_seeking_plays_what_lies_before_at_once(paused, back):
    tape = start()
    tape.clock.advance(8.2 if back else 1.2)
    if paused:
        tape.player.pause()
    tape.player.seek(T0 + 5 * S)
    tape.clock.advance(0)
    expected = texts(0, 1, 2, 3, 4) + ([] if paused else texts(5))
    assert tape.ear.data == expected and not tape.player.seeking
    assert tape.player.position_ns == T0 + 5 * S
    tape.clock.advance(1)
    assert tape.ear.data == (expected if paused else texts(*range(7)))


def test_seeking_stays_within_what_is_played():
    tape = start(start_ns=T0 + 2 * S)
    tape.player.seek(0)
    tape.clock.advance(0)
    assert tape.player.position_ns == T0 + 2 * S
    tape.player.seek(T0 + 10_000 * S)
    tape.clock.advance(0)
    assert tape.player.finished and tape.ear.data == texts(*range(2, 10))


def test_a_pause_while_seeking_holds_at_the_place_sought():
    tape = start()
    tape.player.seek(T0 + 7 * S)
    tape.player.pause()
    tape.clock.advance(100)
    assert tape.player.position_ns == T0 + 7 * S
    assert tape.ear.data == texts(*range(7))


def test_the_session_goes_through_what_the_connection_went_through():
    lines = [
        head(),
        Opened(T0, "a", 1),
        frame(0),
        Closed(T0 + 1 * S, "a", 1, "the network went"),
        Opened(T0 + 3 * S, "a", 2),
        frame(4),
        Closed(T0 + 5 * S, "a", 2, "", True),
    ]
    tape = start(lines)
    states = []
    for _ in range(6):
        tape.clock.advance(0)
        states.append((tape.link.session.state.value, tape.link.session.conn_epoch))
        tape.clock.advance(1)
    assert states == [
        ("CONNECTED", 1),
        ("RECONNECTING", 1),
        ("RECONNECTING", 1),
        ("CONNECTED", 2),
        ("CONNECTED", 2),
        ("DISCONNECTED", 2),
    ]
    assert tape.link.session.last_error == "the network went" and tape.link.ended
    assert not tape.ear.requests  # gaps come from the tape, not from the session


def test_who_leaves_misses_what_is_played_and_that_is_a_gap():
    tape = start()
    tape.clock.advance(1)
    tape.link.handle(fsm.Disconnect())
    tape.clock.advance(2)
    tape.link.handle(fsm.Connect())
    tape.clock.advance(1)
    assert tape.ear.data == texts(0, 1, 4) and tape.ear.warmed == texts(2, 3)
    opened, closed = tape.ear.requests
    assert opened.start_ns == T0 + 1 * S and closed.end_ns == T0 + 4 * S


def test_everything_else_that_was_written_down_is_applied_in_its_place():
    gap = GapBegins(T0 + S, Gap("a", Cause.IDLE, Certainty.BOUNDED, T0))
    end = GapEnds(T0 + 2 * S, "a", "idle", T0 + 2 * S)
    statistics = Statistics(T0 + 2 * S, "{}")
    tape = start([head(up=("a",)), frame(0), gap, end, statistics, frame(3)])
    tape.clock.advance(1)
    assert tape.ear.applied == [(gap, False)]
    tape.clock.advance(2)
    assert tape.ear.applied == [(gap, False), (end, False), (statistics, False)]


def test_runs_are_played_one_after_the_other():
    later = [head(T0 + 100 * S, recorder="s", up=("a",)), frame(101, "later")]
    tape = start(ten(), later)
    tape.clock.advance(102)
    assert tape.ear.data == [*texts(*range(10)), b"later"]
    assert [h.recorder for h in tape.ear.heads] == ["r", "s"]


def test_a_line_out_of_time_comes_with_its_neighbours():
    lines = [head(up=("a",)), frame(0), frame(5), frame(1, "stepped back"), frame(6)]
    tape = start(lines)
    tape.clock.advance(5)
    assert tape.ear.data == [b"0", b"5", b"stepped back"]
    assert tape.player.position_ns == T0 + 5 * S


def test_a_closed_player_does_nothing_more():
    tape = start()
    tape.player.close()
    tape.clock.advance(100)
    assert not tape.ear.data and tape.clock.pending == 0


def test_nothing_is_sent_to_a_recording():
    tape = start()
    assert tape.link.send("hello") == "dropped"


def test_its_clock_runs_at_its_speed():
    tape = start(speed=10)
    fired = []
    tape.player.clock.call_later(5, lambda: fired.append(tape.clock.ns))
    tape.clock.advance(1)
    assert fired == [5 * S + S // 2]
