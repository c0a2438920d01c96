"""The controls of a replay: what they tell, what they ask for, and what they do not let through."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from aurigraph_nb import widgets
from aurigraph_nb.columns import ColumnStore
from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.gaps import Cause, Certainty, Gap, GapBook
from aurigraph_nb.replay import checked_speed, replay
from aurigraph_nb.sample import sample
from aurigraph_nb.schema import Metrics
from aurigraph_nb.widgets.replay_controls import MAX_GAPS, stretches
from aurigraph_nb.widgets.rows import StoreRows

from .doubles import START_NS, FakeFeed
from .test_scripts import NODE, run

S = 1_000_000_000
LIMIT_S = 10
NO_NUMBERS = ["12", None, True, [1], {}, math.nan, math.inf, -math.inf, 1e300, 10**400, -(10**400)]


def gap(topic, start_s, end_s, cause=Cause.DISCONNECT, detail=""):
    end_ns = None if end_s is None else START_NS + round(end_s * S)
    return Gap(topic, cause, Certainty.UNKNOWN, START_NS + round(start_s * S), end_ns, None, 1, detail)


class FakeReplay(FakeFeed):
    """A replay of 100 seconds that stands where the test puts it."""

    def __init__(self, *gaps):
        super().__init__()
        book = GapBook()
        for one in gaps:
            book.add(one)
        self.recording = SimpleNamespace(gaps=book)
        self.player = SimpleNamespace(
            start_ns=START_NS,
            end_ns=START_NS + 100 * S,
            position_ns=START_NS,
            target_ns=START_NS,
            seeking=False,
            finished=False,
            laps=0,
        )
        self.paused, self.loop, self.did = False, False, []
        self._speed, self.refuse = 1.0, None

    def _set_speed(self, speed):
        self._speed = checked_speed(speed)

    speed = property(lambda self: self._speed, _set_speed)

    @property
    def position(self):
        return self.player.position_ns

    def _do(self, *what):
        if self.refuse is not None:
            raise self.refuse
        self.did.append(what)

    def pause(self):
        self._do("pause")
        self.paused = True

    def resume(self):
        self._do("resume")
        self.paused = False

    def seek(self, seconds, timeout):
        assert timeout == 0, "the kernel's thread must not wait"
        self._do("seek", seconds)

    def move(self, seconds):
        self.player.position_ns = START_NS + round(seconds * S)


@pytest.fixture
def feed():
    return FakeReplay(gap("metrics", 20, 30), gap("network", 21, 32.5), gap("metrics", 60, 61, Cause.IDLE))


def shown(desk, feed, **options):
    """The widget on a page, its gaps known."""
    controls = widgets.ReplayControls(feed, **options)
    controls._reader.join(LIMIT_S)
    return controls, desk.open(controls)


def last(messages):
    return messages[-1][0]


# ---- what it tells


def test_a_page_gets_everything_that_it_needs(desk, feed):
    feed.move(12.5)
    controls, page = shown(desk, feed)
    message = page.one()
    assert (message["start"], message["span"], message["at"]) == (START_NS / 1e6, 100_000, 12_500)
    assert (message["state"], message["paused"], message["loop"], message["target"]) == ("PLAYING", False, False, None)
    assert message["speed"] == 1 and 10 in message["speeds"]
    assert repr(controls) == "ReplayControls(feed)"


def test_gaps_are_those_of_the_whole_recording_one_for_topics_that_were_lost_together(desk, feed):
    message = shown(desk, feed)[1].one()
    assert message["gaps"] == [
        [20_000, 32_500, "disconnect", "metrics, network", ""],
        [60_000, 61_000, "idle", "metrics", ""],
    ]
    assert message["gap_total"] == 2


def test_gaps_come_once_and_again_for_a_page_that_is_new(desk, feed):
    _, page = shown(desk, feed)
    assert "gaps" in page.one()
    feed.paused = True
    assert "gaps" not in last(page.take())
    page.hello()
    assert "gaps" in last(page.take())


def test_gaps_that_are_found_later_come_by_themselves(desk, feed):
    controls = widgets.ReplayControls(feed)
    controls._reader.join(LIMIT_S)
    found, controls._gaps = controls._gaps, None
    page = desk.open(controls)
    assert "gaps" not in page.one()
    controls._gaps = found
    assert len(page.one()["gaps"]) == 2


def test_gaps_outside_what_is_played_are_left_out_and_one_that_lasts_has_no_end():
    gaps = [gap("a", -20, -10), gap("a", -5, 5), gap("a", 50, None), gap("b", 55, 60), gap("a", 100, 120)]
    found = stretches(gaps, START_NS, START_NS + 100 * S)
    places = [(each.start_ns - START_NS, each.end_ns and each.end_ns - START_NS, each.topics) for each in found]
    assert places == [(-5 * S, 5 * S, ["a"]), (50 * S, None, ["a", "b"])]


def test_of_many_gaps_the_longest_are_shown_and_all_are_counted(desk):
    feed = FakeReplay(*(gap("metrics", i / 10, i / 10 + (0.09 if i % 2 else 0.01)) for i in range(600)))
    message = shown(desk, feed)[1].one()
    assert (len(message["gaps"]), message["gap_total"]) == (MAX_GAPS, 600)
    assert min(end - start for start, end, *_ in message["gaps"]) > 80


def test_hostile_words_of_gaps_are_bounded(desk):
    feed = FakeReplay(*(gap(f"<b>\ud800{i}" * 50, 1, 2, detail="<script>" * 500) for i in range(50)))
    (told,) = shown(desk, feed)[1].one()["gaps"]
    assert all(len(words) <= 200 for words in told[2:]) and "\ud800" not in told[3]


def test_gaps_that_cannot_be_read_are_told(desk, feed):
    feed.recording = SimpleNamespace(gaps=SimpleNamespace(rows=lambda: 1 / 0))
    message = shown(desk, feed)[1].one()
    assert "ZeroDivisionError" in message["notice"]["error"]


@pytest.mark.parametrize(
    "word, change",
    [
        ("PAUSED", lambda feed: setattr(feed, "paused", True)),
        ("SEEKING", lambda feed: vars(feed.player).update(seeking=True, target_ns=START_NS + 50 * S)),
        ("ENDED", lambda feed: vars(feed.player).update(finished=True)),
        ("CLOSED", lambda feed: setattr(feed, "closed", True)),
    ],
)
def test_each_change_of_state_shows_at_once(desk, feed, word, change):
    _, page = shown(desk, feed)
    page.one()
    change(feed)
    message = last(page.take())
    assert message["state"] == word
    assert message["target"] == (50_000 if word == "SEEKING" else None)
    assert message.get("notice", {}).get("closed", False) == (word == "CLOSED")


def test_a_connection_that_was_lost_in_the_recording_is_no_trouble_of_the_controls(desk, feed):
    feed.status.state = "RECONNECTING"
    assert shown(desk, feed)[1].one()["notice"]["link"] is None


# ---- how often


def test_while_time_goes_on_at_its_pace_a_message_comes_once_a_second(desk, feed):
    controls, page = shown(desk, feed)
    for i in range(100):
        feed.move(i / 10)
        page.take(0.1)
    assert 9 <= controls.flow.sent <= 12


@pytest.mark.parametrize("fast", ["seeking", "max"])
def test_where_the_page_cannot_count_by_itself_each_frame_tells(desk, feed, fast):
    controls, page = shown(desk, feed)
    vars(feed.player).update(seeking=fast == "seeking", target_ns=START_NS + 99 * S)
    if fast == "max":
        feed.speed = "max"
    for i in range(100):
        feed.move(i / 10)
        page.take(0.1)
    assert 30 <= controls.flow.sent <= 42, "at most four a second"


def test_a_replay_that_stands_sends_nothing(desk, feed):
    feed.paused = True
    controls, page = shown(desk, feed)
    page.take(10)
    assert controls.flow.sent == 1


# ---- what a page asks for


def say(desk, page, kind, value):
    page.comm.say(kind=kind, page="page-1", value=value)
    desk.run(0.05)


def test_every_wish_is_answered_also_where_all_stays_as_it_was(desk, feed):
    _, page = shown(desk, feed)
    before = page.one()
    page.ack()
    say(desk, page, "loop", before["loop"])
    after = last(page.take())
    assert {key: after[key] for key in ("state", "at", "loop")} == {key: before[key] for key in ("state", "at", "loop")}


def test_a_page_can_do_everything_that_code_can(desk, feed):
    _, page = shown(desk, feed)
    say(desk, page, "play", False)
    say(desk, page, "seek", 12_345.5)
    say(desk, page, "play", True)
    assert feed.did == [("pause",), ("seek", 12.3455), ("resume",)]
    say(desk, page, "speed", 10)
    say(desk, page, "loop", True)
    assert (feed.speed, feed.loop) == (10, True)
    say(desk, page, "speed", "max")
    assert feed.speed == math.inf


def test_of_many_wishes_in_one_frame_the_last_of_each_kind_counts(desk, feed):
    _, page = shown(desk, feed)
    for at in range(100):
        page.comm.say(kind="seek", page="page-1", value=at)
        page.comm.say(kind="play", page="page-1", value=bool(at % 2))
    assert feed.did == [], "the handler only takes a note"
    desk.run(0.05)
    assert feed.did == [("seek", 0.099), ("resume",)]


@pytest.mark.parametrize("wish, to", [(-1, 0.0), (-1e17, 0.0), (100_001, 100.0), (1e17, 100.0)])
def test_a_wish_beyond_an_end_goes_to_that_end(desk, feed, wish, to):
    _, page = shown(desk, feed)
    say(desk, page, "seek", wish)
    assert feed.did == [("seek", to)]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda v: str(v)[:10])
@pytest.mark.parametrize("kind", ["seek", "speed"])
def test_what_is_no_number_is_not_passed_on(desk, feed, kind, value):
    controls, page = shown(desk, feed)
    say(desk, page, kind, value)
    assert feed.did == [] and feed.speed == 1 and controls.errors == 0


@pytest.mark.parametrize("value", ["yes", 1, 0, None, [True]], ids=str)
@pytest.mark.parametrize("kind", ["play", "loop"])
def test_what_is_neither_true_nor_false_is_not_passed_on(desk, feed, kind, value):
    _, page = shown(desk, feed)
    say(desk, page, kind, value)
    assert feed.did == [] and feed.loop is False


def test_what_the_replay_refuses_is_shown_until_the_next_wish(desk, feed):
    controls, page = shown(desk, feed)
    page.take()
    feed.refuse = BadOption("no such place")
    say(desk, page, "seek", 5)
    assert last(page.take())["notice"]["error"] == "BadOption: no such place"
    feed.refuse = None
    say(desk, page, "seek", 5)
    assert last(page.take())["notice"]["error"] is None and controls.errors == 1
    say(desk, page, "speed", 1e12)
    assert "a number above 0" in last(page.take())["notice"]["error"]


def test_a_closed_replay_is_asked_for_nothing(desk, feed):
    _, page = shown(desk, feed)
    feed.closed = True
    for kind, value in (("play", True), ("seek", 5), ("speed", 2), ("loop", True)):
        say(desk, page, kind, value)
    assert feed.did == [] and feed.speed == 1 and feed.loop is False


# ---- what it is given


def test_what_is_no_replay_is_refused_with_what_to_do(desk):
    live = FakeFeed()
    with pytest.raises(BadOptionType, match=r"needs a replay such as ag.replay\(…\) returns, not FakeFeed. .*record"):
        widgets.ReplayControls(live)
    with pytest.raises(BadOptionType, match="not FakeTopic"):
        widgets.ReplayControls(live["metrics"])
    with pytest.raises(BadOptionType, match=r"This is a recording: ag.ReplayControls\(ag.replay\(recording\)\)"):
        widgets.ReplayControls(sample(duration="1s"))
    with pytest.raises(BadOptionType, match="has no option 'colour'"):
        widgets.ReplayControls(FakeReplay(), colour="red")


def test_a_real_replay_obeys(desk):
    with replay(sample("outage", duration="1min", seed=7), paused=True) as feed:
        _, page = shown(desk, feed)
        message = page.one()
        assert (message["state"], message["at"], len(message["gaps"]) > 0) == ("PAUSED", 0, True)
        say(desk, page, "seek", 30_000)
        with feed.news:
            assert feed.news.wait_for(lambda: not feed.player.seeking, LIMIT_S)
        message = last(page.take())
        assert (message["at"], message["state"]) == (30_000, "PAUSED")
        say(desk, page, "seek", 1e9)
        with feed.news:
            assert feed.news.wait_for(lambda: feed.position == feed.span[1], LIMIT_S)
        assert last(page.take()).get("error") is None
        say(desk, page, "seek", 30_000)
        say(desk, page, "speed", "max")
        say(desk, page, "play", True)
        feed.join(timeout=LIMIT_S)
        assert last(page.take())["state"] == "ENDED"
    assert last(page.take())["state"] == "CLOSED"


# ---- what other widgets show after a seek


def put_anew(feed, name, *rows):
    """What a seek does to a topic: nothing of before is left."""
    topic = feed[name]
    with topic.lock:
        topic.store.reset()
        if topic.state is not None:
            topic.state = type(topic.state)()
    for row in rows:
        topic.put(**row)


def values_of(message, lines=1):
    content, buffers = message
    return np.frombuffer(buffers[0]).reshape(1 + lines, -1)[1].tolist(), content


def test_a_chart_shows_the_new_story_alone(desk):
    feed = FakeFeed()
    for tps in (1.0, 2.0, 3.0):
        feed["metrics"].put(tps=tps)
    page = desk.open(widgets.TPSChart(feed))
    assert values_of(page.take()[-1])[0] == [1, 2, 3]
    put_anew(feed, "metrics", {"tps": 7.0})
    values, content = values_of(page.take()[-1])
    assert values == [7] and content["kind"] == "snapshot"
    put_anew(feed, "metrics")
    assert page.take()[-1][0]["count"] == 0, "also when nothing has come yet"


def test_a_table_by_a_column_forgets_what_was_before(desk):
    feed = FakeFeed()
    feed["metrics"].put(tps=1.0, connections=1)
    feed["metrics"].put(tps=2.0, connections=2)
    table = widgets.LiveTable(feed["metrics"], key="connections", columns=["tps"])
    page = desk.open(table)
    assert [row[0] for row in last(page.take())["rows"]] == [1, 2]
    put_anew(feed, "metrics", {"tps": 3.0, "connections": 2})
    message = last(page.take())
    assert (message["kind"], message["rows"]) == ("snapshot", [[2, 3.0]])
    assert table.flow.dropped == 0


@pytest.mark.parametrize("name", ["metrics", "validators", "transactions"])
def test_a_table_of_rows_or_of_a_state_shows_the_new_story_alone(desk, name):
    feed = FakeFeed()
    key = {"validators": "id", "transactions": "hash", "metrics": "tps"}[name]
    old, new = (1.0, 9.0) if name == "metrics" else ("old", "new")
    feed[name].put(**{key: old})
    page = desk.open(widgets.LiveTable(feed[name], columns=[key]))
    assert last(page.take())["rows"][0][1] == old
    put_anew(feed, name, {key: new})
    message = last(page.take())
    assert message["kind"] == "snapshot" and [row[1] for row in message["rows"]] == [new]


def test_a_log_and_a_card_show_the_new_story_alone(desk):
    feed = FakeFeed()
    for leader in ("a", "b", "c"):
        feed["consensus"].put(leader=leader)
    log, card = desk.open(widgets.ConsensusLog(feed)), desk.open(widgets.ConsensusState(feed))
    assert last(log.take())["total"] > 0 and last(card.take())["items"][0]["text"] == "c"
    put_anew(feed, "consensus", {"leader": "z"})
    log_message, card_message = last(log.take()), last(card.take())
    assert log_message["kind"] == "snapshot"
    assert not any("b" in entry[4] for entry in log_message["events"])
    assert card_message["items"][0]["text"] == "z"
    put_anew(feed, "consensus")
    assert last(card.take())["items"] == []


def test_rows_by_a_column_know_where_a_new_story_begins():
    store = ColumnStore(Metrics)
    rows = StoreRows(store, "connections")

    def put(connections):
        store.append([Metrics(recv_ns=1, conn_epoch=1, n=0, connections=connections)])

    put(1)
    mark = rows.since(None).mark
    put(2)
    store.reset()
    put(3)
    changes = rows.since(mark)
    assert changes.reset and [key for key, _ in changes.changed] == [3] and changes.dropped == 0


# ---- the script


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_the_page_counts_on_between_messages_within_reason():
    code = """
    let time = 0;
    globalThis.performance = { now: () => time };
    const tape = new Tape();
    const now = { start: 0, span: 100000, at: 1000, target: null, state: "PLAYING", speed: 10, paused: false };
    const told = [tape.position()];
    tape.snapshot({ ...now }); time = 500; told.push(tape.position()); told.push(tape.position(true));
    time = 60000; told.push(tape.position());
    tape.snapshot({ ...now, at: 99000 }); time += 1000; told.push(tape.position());
    tape.snapshot({ ...now, state: "PAUSED" }); time += 1000; told.push(tape.position());
    tape.snapshot({ ...now, speed: null }); time += 1000; told.push(tape.position());
    tape.snapshot({ ...now, state: "SEEKING", target: 70000 }); told.push(tape.position());
    return told;
    """
    assert run("replay_controls", code) == [0, 6000, 1000, 31000, 100000, 1000, 1000, 70000]


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_after_a_seek_the_thumb_stays_until_the_kernel_confirms():
    code = """
    let time = 0;
    globalThis.performance = { now: () => time };
    const tape = new Tape();
    const now = { start: 0, span: 100000, at: 1000, target: null, state: "PAUSED", speed: 1, paused: true };
    tape.snapshot(now);
    tape.seek(50000); time = 100;
    const told = [tape.position()];
    tape.snapshot(now); told.push(tape.position());
    tape.snapshot({ ...now, target: 50000, state: "SEEKING" }); told.push(tape.position());
    tape.snapshot({ ...now, at: 50000 }); told.push(tape.position());
    tape.seek(7); time += 5000; told.push(tape.position());
    return told;
    """
    assert run("replay_controls", code) == [50000, 50000, 50000, 50000, 50000]


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_keys_move_by_steps_that_people_count_in():
    code = """
    const at = (key, shift = false) => keyTarget(key, shift, 600000, 1200000);
    return [at("ArrowRight"), at("ArrowDown"), at("ArrowUp", true), at("PageUp"), at("PageDown"), at("Home"), at("End"),
      at("x"), at("constructor"), keyTarget("ArrowLeft", false, 5, 1000), stepOf(1000), stepOf(1e15)];
    """
    moved = [620_000, 580_000, 601_000, 720_000, 480_000, 0, 1_200_000, None, None, 0, 100, 10_000_000_800_000]
    got = run("replay_controls", code)
    assert got[:-1] == moved[:-1] and got[-1] >= 1e13


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_words_for_lengths_moments_and_gaps():
    code = """
    const lengths = [0, 999, 1000, 12345, 59960, 60000, 192000, 3600000, 7325000].map(lengthWords);
    const moments = [momentWords(1767225792500, 1), momentWords(1767225792500), momentWords(NaN), localWords(NaN)];
    const gaps = [[1000, 13300, "disconnect", "metrics", "lost"], [1000, null, "recorder_down", "a, b", ""]];
    return [lengths, moments, gaps.map((gap) => gapWords(gap, 61000))];
    """
    lengths, moments, gaps = run("replay_controls", code)
    assert lengths == ["0 ms", "999 ms", "1.0 s", "12.3 s", "1 min", "1 min", "3 min 12 s", "1 h", "2 h 2 min"]
    assert moments == ["2026-01-01 00:03:12.5 UTC", "2026-01-01 00:03:12 UTC", "–", ""]
    assert gaps == ["disconnect, 12.3 s: metrics (lost)", "recorder down, 1 min, to the end: a, b"]
