"""Replays, end to end: what was live, what was recorded, and what is played of it are one and the same."""

import threading
import time
from types import SimpleNamespace

import pandas as pd
import pytest

import aurigraph_nb as ag
from aurigraph_nb import iothread, registry
from aurigraph_nb.errors import BadOption, BadOptionType, FeedClosed, RecordingCorrupt, RecordingError, UnknownTopic
from aurigraph_nb.reading.recording import from_lines, open_recording
from aurigraph_nb.recording.lines import VERSION, End, FrameLine, Head, Opened
from aurigraph_nb.replay import Replay, replay
from aurigraph_nb.sample import sample
from aurigraph_nb.state import EventList, Keyed

from .test_player import HandClock

SYSTEMS = {
    "portal": {"protocol": "portal"},
    "portal's shape": {"protocol": "portal", "shape": "portal"},
    "live": {"protocol": "live"},
    "channels": {"protocol": "channels"},
    "fakeai": {"protocol": "fakeai"},
    "real fakeai": {"protocol": "fakeai", "inference_shape": "real"},
}
LIMIT_S = 30
VERSIONS = {"_version", "_other_changes"}
"""What counts changes, and depends on the order in which topics had their rows."""
S = 1_000_000_000
START = pd.Timestamp("2026-01-01", tz="UTC")


@pytest.fixture(autouse=True)
def all_closed():
    yield
    ag.close_all()


@pytest.fixture(scope="module")
def minute():
    return sample(duration="1min", seed=7)


@pytest.fixture(scope="module")
def outage():
    return sample("outage", duration="3min", seed=7)


@pytest.fixture
def clock():
    """A clock that the test turns, on the loop."""
    return LoopClock()


class LoopClock(HandClock):
    def turn(self, seconds):
        async def advance():
            self.advance(seconds)

        iothread.get().run(advance(), LIMIT_S)


def played(recording, **options):
    """A replay that has been played to its end."""
    feed = replay(recording, **{"speed": "max", **options})
    feed.join(timeout=LIMIT_S)
    return feed


def settled(feed):
    """Wait until what was asked of the player is done."""
    deadline = time.monotonic() + LIMIT_S
    with feed.news:
        while feed.player.seeking:
            assert time.monotonic() < deadline, "the place that was sought was not reached"
            feed.news.wait(0.01)


def assert_same_rows(one, other):
    assert one.topics == other.topics
    for name in one.topics:
        pd.testing.assert_frame_equal(one[name].to_pandas(), other[name].to_pandas(), obj=name)


def assert_same_gaps(one, other):
    pd.testing.assert_frame_equal(one.gaps.to_pandas(), other.gaps.to_pandas())


def told(value):
    """What a state says, as plain values."""
    if isinstance(value, Keyed):
        return dict(value)
    if isinstance(value, EventList):
        return value.total, value.items
    if not type(value).__module__.startswith("aurigraph_nb.state"):
        return value
    names = getattr(value, "__dict__", None) or getattr(value, "__struct_fields__", ()) or value.__slots__
    return {name: told(getattr(value, name)) for name in names if name not in VERSIONS}


def assert_same_states(one, other):
    for name in one.topics:
        assert told(one[name].state) == told(other[name].state), name


# ---- the same


@pytest.mark.parametrize("options", SYSTEMS.values(), ids=SYSTEMS)
def test_live_recorded_and_replayed_rows_are_equal_frame_for_frame(options, tmp_path):
    run = {"scenario": "leader-churn", "duration": "1min", "seed": 7, "start": "2026-01-01"}
    recorded = open_recording(sample(**run, **options).save(tmp_path / "run"))
    again = played(tmp_path / "run")
    assert sum(map(len, again)) > 50
    assert_same_rows(recorded, again)
    assert_same_states(recorded, again)
    assert_same_gaps(recorded, again)
    with ag.simulate(**run, **options) as live:
        live.join(timeout=LIMIT_S)
        assert_same_rows(live, again)
        assert_same_states(live, again)


@pytest.mark.parametrize("options", SYSTEMS.values(), ids=SYSTEMS)
def test_what_a_recorder_wrote_of_a_server_is_played_as_it_was_seen(options, tmp_path):
    with ag.simulate(seed=3, duration="2.5s", rate=200, **options) as live:
        recorder = live.record(tmp_path / "run")
        live.join(timeout=LIMIT_S)
        recorder.close()
    recorded = open_recording(tmp_path / "run")
    again = played(tmp_path / "run")
    assert sum(map(len, again)) > 0
    assert_same_rows(recorded, again)
    assert_same_rows(live, again)
    assert_same_states(live, again)


@pytest.mark.parametrize("options", SYSTEMS.values(), ids=SYSTEMS)
def test_gaps_are_the_same_and_at_their_place(options, tmp_path):
    recording = sample("outage", duration="3min", seed=7, **options)
    assert len(recording.gaps) > 0
    for source in (recording, recording.save(tmp_path / "run")):
        again = played(source)
        assert_same_gaps(recording, again)
        assert_same_rows(recording, again)
        assert_same_states(recording, again)


def test_a_gap_is_there_once_it_is_reached_and_the_states_are_those_of_then(outage):
    gap = outage.gaps.rows()[0]
    feed = replay(outage, paused=True)
    feed.seek(pd.Timestamp(gap.start_ns - S, tz="UTC"))
    settled(feed)
    assert len(feed.gaps) == 0 and feed.status.connected
    feed.seek(pd.Timestamp((gap.start_ns + gap.end_ns) // 2, tz="UTC"))
    settled(feed)
    lasting = {g.topic for g in feed.gaps if g.end_ns is None}
    assert gap.topic in lasting and str(feed.status.state) == "RECONNECTING"
    feed.seek(40)
    settled(feed)
    assert feed.status.connected and all(g.end_ns is not None for g in feed.gaps)


def test_hooks_are_called_as_they_were_live(outage):
    happened = []
    feed = replay(outage, paused=True)
    feed.on_disconnect(lambda why: happened.append(("lost", why)))
    feed.on_reconnected(lambda: happened.append(("again",)))
    feed.speed = "max"
    feed.resume()
    feed.join(timeout=LIMIT_S)
    deadline = time.monotonic() + LIMIT_S
    while len(happened) < 2 and time.monotonic() < deadline:
        with feed.news:
            feed.news.wait(0.02)
    assert happened[0][0] == "lost" and ("again",) in happened


def test_callbacks_get_every_row_in_order(minute):
    got = []
    feed = replay(minute, paused=True, speed="max")
    feed.metrics.on_record(got.append)
    feed.resume()
    feed.join(timeout=LIMIT_S)
    assert got == list(minute.metrics)


# ---- pace


def test_it_is_played_at_its_speed(minute, clock):
    feed = replay(minute, speed=10, clock=clock)
    clock.turn(2)
    assert feed.position == START + pd.Timedelta("20s")
    expected = minute.metrics.to_pandas(end="2026-01-01 00:00:20", index="recv")
    pd.testing.assert_frame_equal(feed.metrics.to_pandas(index="recv")[: len(expected)], expected)
    assert len(feed.metrics) in (len(expected), len(expected) + 1)
    feed.speed = 2
    assert feed.speed == 2
    clock.turn(5)
    assert feed.position == START + pd.Timedelta("30s")
    feed.speed = "max"
    assert feed.speed == float("inf")
    clock.turn(0)
    assert feed.ended and feed.position == feed.span[1]


def test_a_pause_holds_it_and_what_is_there_can_be_read(minute, clock):
    feed = replay(minute, clock=clock)
    clock.turn(10)
    feed.pause()
    feed.pause()
    rows = len(feed.metrics)
    clock.turn(1_000)
    assert feed.paused and feed.position == START + pd.Timedelta("10s") and len(feed.metrics) == rows > 0
    feed.resume()
    clock.turn(10)
    assert not feed.paused and len(feed.metrics) > rows


@pytest.mark.parametrize("to", ["2026-01-01 00:00:20", 20, 20.0, pd.Timestamp("2026-01-01T01:00:20+01:00")], ids=str)
def test_after_a_seek_rows_and_states_are_as_if_it_had_been_played_up_to_there(minute, to):
    feed = replay(minute, paused=True)
    for elsewhere in (50, 5):
        feed.seek(elsewhere)
        settled(feed)
        feed.seek(to)
        settled(feed)
        assert feed.position == START + pd.Timedelta("20s")
        until = replay(minute, end="2026-01-01 00:00:20", speed="max", name="until")
        until.join(timeout=LIMIT_S)
        assert_same_rows(feed, until)
        assert_same_states(feed, until)
        assert feed.status.topics["metrics"].dropped == 0


def test_a_seek_returns_when_it_is_there_unless_told_not_to_wait(minute):
    feed = replay(minute, paused=True)
    feed.seek(40)
    assert not feed.player.seeking and len(feed.metrics.to_pandas()) == 40
    feed.seek(10, timeout=0)
    settled(feed)
    assert len(feed.metrics.to_pandas()) == 10


def test_a_seek_that_takes_too_long_says_where_it_is(minute, monkeypatch):
    feed = replay(minute, paused=True)
    monkeypatch.setattr(feed.player, "seek", lambda to_ns: setattr(feed.player, "_target", to_ns))
    with pytest.raises(ag.FeedTimeout, match=r"was not there after 0.05 s; it is at 2026-01-01 00:00:00"):
        feed.seek(40, timeout=0.05)


def test_a_seek_ahead_brings_each_row_once_and_one_back_brings_them_again(minute):
    feed = replay(minute, paused=True)
    for to, generation in ((20, 0), (40, 0), (10, 1), (10, 2), (30, 2)):
        feed.seek(to)
        settled(feed)
        assert feed.metrics.store.generation == generation
        expected = minute.metrics.to_pandas(index="recv", end=START + pd.Timedelta(seconds=to))
        pd.testing.assert_frame_equal(feed.metrics.to_pandas(index="recv"), expected)


def test_in_a_loop_it_begins_again_with_empty_stores(minute, clock):
    feed = replay(minute, clock=clock, loop=True)
    clock.turn(70)
    assert feed.player.laps == 1 and not feed.ended and feed.position == START + pd.Timedelta("10s")
    lap = minute.metrics.to_pandas(end="2026-01-01 00:00:10", index="recv")
    pd.testing.assert_frame_equal(feed.metrics.to_pandas(index="recv")[: len(lap)], lap)
    assert len(feed.metrics) <= len(lap) + 1
    feed.loop = False
    clock.turn(60)
    assert feed.ended and feed.player.laps == 2 and feed.loop is False


def test_from_its_end_it_goes_on_from_the_start(minute):
    feed = played(minute)
    assert_same_rows(minute, feed)
    feed.resume()
    settled(feed)
    feed.join(timeout=LIMIT_S)
    assert feed.player.laps == 2
    assert_same_rows(minute, feed)


# ---- parts


def test_only_a_part_is_played_with_the_ordinals_and_states_of_the_whole(minute):
    feed = played(minute, start="2026-01-01 00:00:20", end="2026-01-01 00:00:40")
    assert feed.span == (START + pd.Timedelta("20s"), START + pd.Timedelta("40s"))
    for name in feed.topics:
        whole = minute[name].to_pandas(index="recv")
        received = whole.index
        part = whole[(received >= feed.span[0]) & (received < feed.span[1])]
        pd.testing.assert_frame_equal(feed[name].to_pandas(index="recv").astype(object), part.astype(object), obj=name)


def test_topics_that_were_not_wanted_stay_empty_and_can_be_opened(minute):
    feed = played(minute, topics=["metrics", "consensus"])
    assert len(feed.metrics) == len(minute.metrics) and not len(feed.transactions)
    assert len(played(minute, topics="metrics").consensus) == 0


def test_a_replay_of_the_same_name_takes_the_place_of_the_one_before(minute):
    first, other = replay(minute, paused=True), replay(minute, paused=True, speed=5)
    second = replay(minute, paused=True)
    assert first.closed and not other.closed and second in registry.feeds()
    named = [replay(minute, paused=True, speed=speed, name="mine") for speed in (1, 2)]
    assert [feed.closed for feed in named] == [True, False] and named[1].name == "mine"


def test_it_knows_where_it_is_and_what_it_plays(minute):
    feed = replay(minute, paused=True)
    assert isinstance(feed, Replay) and isinstance(feed, ag.PortalFeed)
    assert feed.span[0] == START and feed.span[1] >= START + pd.Timedelta("1min")
    assert feed.position == START and feed.paused and feed.speed == 1 and not feed.loop
    assert feed.recording is minute and feed.protocol == "portal"
    assert feed.send("ping") == "dropped"


# ---- errors


def two_recorders(apart_s):
    def run(name, start):
        head = Head(
            v=VERSION,
            recorder=name,
            segment=0,
            t=start,
            protocol="portal",
            url="ws://x",
            topics=("metrics",),
            first=True,
        )
        frames = [FrameLine(start + i * S, "metrics", 1, f'{{"tps":{i}}}') for i in range(5)]
        return [head, Opened(start, "metrics", 1), *frames, End(start + 5 * S, 5, True)]

    start = START.value
    return run("one", start) + run("two", start + apart_s * S)


def test_recorders_that_overlap_are_not_mixed_and_each_can_be_played():
    recording = from_lines(two_recorders(3), id="two", created_ns=START.value)
    assert [run.recorder for run in recording.runs()] == ["one", "two"]
    with pytest.raises(BadOption, match=r"one and two wrote at the same time.*recorder='one'"):
        replay(recording)
    feed = played(recording, recorder="two")
    assert feed.metrics.to_pandas()["tps"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(BadOption, match="there is none of that name; there are one, two"):
        replay(recording, recorder="three")


def test_recorders_one_after_the_other_are_played_in_that_order():
    recording = from_lines(two_recorders(60), id="two", created_ns=START.value)
    feed = played(recording)
    assert feed.metrics.to_pandas()["tps"].tolist() == [0, 1, 2, 3, 4] * 2
    assert_same_rows(recording, feed)


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"topics": ["metrics", "weather"]}, UnknownTopic, "'weather' was not recorded; there are"),
        ({"speed": 0}, BadOption, "a number above 0"),
        ({"speed": -1}, BadOption, "a number above 0"),
        ({"speed": float("nan")}, BadOption, "a number above 0"),
        ({"speed": float("-inf")}, BadOption, "a number above 0"),
        ({"speed": 10**400}, BadOption, "a number above 0"),
        ({"speed": "fast"}, BadOption, '"max"'),
        ({"speed": True}, BadOptionType, "a number above 0"),
        ({"loop": "yes"}, BadOptionType, "loop='yes': expected True or False"),
        ({"paused": 1}, BadOptionType, "paused=1: expected True or False"),
        (
            {"start": "2027-01-01"},
            BadOption,
            "2027-01-01 00:00:00 UTC lies outside the recording, which goes from 2026-",
        ),
        ({"start": "2min"}, BadOption, "start='2min': 120 s after its start lies outside"),
        ({"start": 61}, BadOption, "start=61: 61 s after its start lies outside"),
        (
            {"end": "00:00:20", "start": "-30s"},
            BadOption,
            "nothing lies between them; the recording goes from 2026-01-01",
        ),
        ({"start": "2026-01-01 00:00:30", "end": "2026-01-01 00:00:30"}, BadOption, "nothing lies between them"),
        ({"end": "2025-01-01"}, BadOption, "end='2025-01-01': 2025-01-01 00:00:00 UTC lies outside"),
        ({"end": 0}, BadOption, "nothing lies between them"),
        ({"start": "soon"}, BadOption, "start='soon'"),
    ],
)
def test_what_cannot_be_played_is_told_and_nothing_is_left_behind(minute, options, error, words):
    with pytest.raises(error, match=words):
        replay(minute, **options)
    assert not registry.feeds()


@pytest.mark.parametrize("to", [float("nan"), float("inf"), "soon", True], ids=str)
def test_a_place_that_is_none_is_refused(minute, to):
    feed = replay(minute, paused=True)
    with pytest.raises(BadOption):
        feed.seek(to)
    assert feed.position == START


@pytest.mark.parametrize("to", [-1e300, 1e300, 10**400, -61, 61, "-2min", "00:02", pd.Timestamp("1999-01-01")], ids=str)
def test_a_place_outside_is_refused_and_it_goes_on_where_it_was(minute, to):
    feed = replay(minute, paused=True)
    feed.seek(20)
    with pytest.raises(BadOption):
        feed.seek(to)
    assert feed.position == START + pd.Timedelta("20s")


def test_who_seeks_outside_is_told_what_there_is(minute):
    feed = replay(minute, start=10, end=40, paused=True)
    with pytest.raises(BadOption) as caught:
        feed.seek("2027-01-01")
    assert "from 2026-01-01 00:00:10 UTC to 2026-01-01 00:00:40 UTC (30 s)" in str(caught.value)


@pytest.mark.parametrize(
    "to", [30, 30.0, -30, "30s", "-30s", "00:00:30", "2026-01-01 00:00:30", pd.Timedelta("30s")], ids=str
)
def test_a_place_can_be_told_from_the_start_or_the_end(minute, to):
    feed = replay(minute, paused=True)
    feed.seek(to)
    assert abs(feed.position - START - pd.Timedelta("30s")) <= pd.Timedelta("1ns")


def test_a_part_can_be_told_from_the_start_or_the_end(minute):
    by_time = replay(minute, start="2026-01-01 00:00:20", end="2026-01-01 00:00:40", paused=True).span
    for start, end in (("00:00:20", "00:00:40"), ("20s", "-20s"), (20, 40), (-40, -20.0)):
        assert replay(minute, start=start, end=end, paused=True).span == by_time


def test_selections_of_a_replay_are_told_from_the_start_of_what_is_played(minute):
    feed = played(minute, start="20s", end="40s")
    assert len(feed.metrics.to_pandas(start="5s", end="00:00:15")) == 10
    with pytest.raises(BadOption, match="21 s after its start lies outside"):
        feed.metrics.to_pandas(start="21s")


def test_where_nothing_was_recorded_that_is_told(tmp_path):
    with pytest.raises(RecordingError, match="nowhere"):
        replay(tmp_path / "nowhere")


def test_where_the_journal_is_damaged_the_rest_is_played_with_a_gap(tmp_path):
    undamaged = sample(duration="3min", seed=7)
    path = undamaged.save(tmp_path / "run")
    (journal,) = (path / "journal").iterdir()
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(data)
    feed = played(path)
    whole = undamaged.metrics.to_pandas(index="recv")
    got = feed.metrics.to_pandas(index="recv")
    missing = whole.index.difference(got.index)
    assert 0 < len(missing) < len(whole) and feed.recording.damage
    gap = next(gap for gap in feed.gaps if gap.topic == "metrics")
    assert str(gap.cause) == "recorder_down" and "damaged" in gap.detail
    assert gap.start_ns <= missing[0].value and missing[-1].value <= gap.end_ns
    assert got["gap_before"].sum() == 1 and got["gap_before"][got.index > missing[-1]].iloc[0]


def test_a_line_that_makes_no_sense_ends_the_replay_and_whoever_waits_is_told(minute):
    lines = [line for _, some in minute.source.lines() for line in some]
    lines.insert(len(lines) // 2, FrameLine(lines[len(lines) // 2].t, "metrics", 1, "no base64!", "b64"))

    broken = SimpleNamespace(recorder="sample", start_ns=lines[0].t, end_ns=lines[-1].t, lines=lambda _: iter([lines]))
    recording = sample(duration="1min", seed=7)
    recording.runs = lambda: (broken,)
    feed = replay(recording, speed="max")
    with pytest.raises(RecordingCorrupt, match="cannot be played on from 2026-01-01 00:00:"):
        feed.join(timeout=LIMIT_S)
    with pytest.raises(RecordingCorrupt):
        feed.metrics.wait(10_000)
    assert str(feed.status.state) == "ERROR" and "cannot be played on" in feed.status.error
    assert 0 < len(feed.metrics) < 60, "what came before is there"
    feed.pause()
    feed.seek(5)
    settled(feed)
    assert feed.player.error is None and len(feed.metrics) == 5


# ---- closing


def test_a_closed_replay_can_be_read_and_nothing_else(minute):
    feed = played(minute)
    feed.close()
    feed.close()
    assert_same_rows(minute, feed)
    for act in (feed.pause, feed.resume, lambda: feed.seek(3), lambda: setattr(feed, "speed", 2)):
        with pytest.raises(FeedClosed):
            act()
    with pytest.raises(FeedClosed):
        feed.loop = True
    with pytest.raises(FeedClosed):
        feed.metrics.wait(10_000)


def test_after_close_no_timer_and_no_thread_is_left(minute, clock):
    replay(minute, paused=True).close()
    before = set(threading.enumerate())
    feeds = [replay(minute, clock=clock, name=f"feed {i}") for i in range(3)]
    clock.turn(1)
    assert clock.pending == 3
    ag.close_all()
    clock.turn(0)
    assert clock.pending == 0 and all(feed.closed for feed in feeds) and not registry.feeds()
    assert set(threading.enumerate()) <= before


def test_waiting_for_what_the_run_does_not_bring_ends_with_the_run(minute):
    feed = played(minute)
    with pytest.raises(FeedClosed, match="The run has ended"):
        feed.metrics.wait(10_000, timeout=LIMIT_S)


def test_what_is_no_recording_is_told(minute):
    with pytest.raises(BadOptionType, match="the directory of a recording was expected"):
        replay(42)
