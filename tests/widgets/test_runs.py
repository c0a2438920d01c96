"""What is over is told as what it is: recordings, replays and finite runs are no lost connections."""

from types import SimpleNamespace

import numpy as np
import pytest

from aurigraph_nb import widgets
from aurigraph_nb.gaps import Cause, Certainty, Gap, GapBook
from aurigraph_nb.replay import replay
from aurigraph_nb.sample import sample
from aurigraph_nb.widgets import runs
from aurigraph_nb.widgets.horizon import longest

from .doubles import START_NS, FakeFeed, a_status
from .test_still import Reader

S = 1_000_000_000
END_MS = START_NS / 1e6 + 100_000
PROTOCOLS = ["portal", "live", "channels", "fakeai"]


class FakeRecording(FakeFeed):
    """A recording of 100 seconds whose recorder ended as the test says."""

    def __init__(self, protocol="portal", state="ended", damage=()):
        super().__init__(protocol)
        self.name, self.closed, self.connections = "friday", True, ()
        self.recorded_topics = tuple(self.topics)[:-1]
        self.clock_ns = START_NS + 100 * S
        self.status = a_status(state="CLOSED", ended=True, protocol=protocol)
        self.asked = 0
        self._info = SimpleNamespace(
            recorders=(SimpleNamespace(state="ended"), SimpleNamespace(state=state)),
            first_ns=START_NS,
            last_ns=self.clock_ns,
            gaps=0,
            damage=damage,
        )

    def info(self):
        self.asked += 1
        return self._info


def a_replay(**player):
    """A replay that stands as the test says."""
    feed = FakeFeed()
    stands = {"seeking": False, "finished": False, "start_ns": START_NS, "end_ns": START_NS + 100 * S}
    feed.player, feed.paused = SimpleNamespace(**(stands | player)), False
    feed.recording = SimpleNamespace(name="friday")
    feed.clock_ns = START_NS + 100 * S
    return feed


def a_simulation():
    """A finite simulation that has come to its end."""
    feed = FakeFeed()
    feed.node = object()
    feed.status = a_status(state="DISCONNECTED", ended=True, last_update=START_NS + 100 * S)
    return feed


def notice_of(desk, widget):
    return desk.open(widget).take()[-1][0]["notice"]


def words_of(notice):
    """What a head says."""
    return notice["run"]["what"] + notice["run"]["words"]


@pytest.fixture(scope="module")
def recorded():
    """Twenty minutes with outages."""
    return sample("outage", duration="20min", seed=7)


# ---- recordings


@pytest.mark.parametrize("name", ["MetricsCard", "TPSChart", "ValidatorTable", "ConsensusLog", "NetworkMap"])
def test_each_widget_of_a_recording_says_what_it_is_and_when_it_ended(desk, recorded, name):
    notice = notice_of(desk, getattr(widgets, name)(recorded))
    assert words_of(notice) == "recording, ended at 00:19:59 UTC"
    assert (notice["run"]["over"], notice["run"]["kind"]) == (True, "recording")
    assert (notice["closed"], notice["link"], notice["error"]) == (False, None, None), "no trouble"


@pytest.mark.parametrize(
    "state, words",
    [
        ("ended", "recording, ended at 00:01:40 UTC"),
        ("recording", "still being recorded, up to 00:01:40 UTC"),
        ("broken off", "recording, broken off at 00:01:40 UTC"),
    ],
)
def test_a_recording_says_how_its_recorder_ended(desk, state, words):
    assert words_of(notice_of(desk, widgets.MetricsCard(FakeRecording(state=state)))) == words


def test_a_recording_is_not_asked_all_the_time_what_is_in_it(desk):
    feed = FakeRecording()
    page = desk.open(widgets.Dashboard(feed).widgets[0])
    page.take(5)
    assert 0 < feed.asked <= 6, "at most once in two seconds, however often it is painted"


def test_the_status_of_a_recording_is_a_description_and_no_closed_connection(desk, recorded):
    status = widgets.ConnectionStatus(recorded)
    message = desk.open(status).one()
    assert status._setup["title"] == "sample outage, duration='20min', seed=7"
    assert (message["kind"], message["run"], message["word"]) == ("snapshot", "recording", "RECORDING")
    assert (message["retry"], message["notice"]["closed"]) == (False, False)
    words = [told for _, _, told in message["facts"]]
    assert words[:2] == ["portal", "2026-01-01 00:00:00 – 00:19:59 UTC (20 min)"]
    assert words[2:] == [f"{sum(len(topic) for topic in recorded):,} rows", "23 gaps"]
    assert message["messages"] == sum(len(topic) for topic in recorded)
    assert {row[1] for row in message["topics"]} == {"RECORDED"}


def test_topics_that_were_not_recorded_and_damage_are_told(desk):
    message = desk.open(widgets.ConnectionStatus(FakeRecording(damage=("x", "y")))).one()
    assert message["facts"][-2:] == [["Gaps", "0", "no gaps"], ["Damage", "2", "damaged in 2 places"]]
    feed = FakeRecording()
    feed.status = a_status(
        state="CLOSED", ended=True, topics=dict.fromkeys(feed.topics, FakeFeed().status.topics["metrics"])
    )
    rows = desk.open(widgets.ConnectionStatus(feed)).one()["topics"]
    assert [row[1] for row in rows] == ["RECORDED"] * 4 + ["NOT RECORDED"]


def test_a_badge_and_the_figures_of_a_recording(desk, recorded):
    assert desk.open(widgets.ConnectionBadge(recorded)).one()["word"] == "RECORDING"
    message = desk.open(widgets.ConnectionStats(recorded)).one()
    figures = {item["label"]: item["text"] for item in message["items"]}
    assert (figures["Span"], figures["Gaps"], figures["Not understood"]) == ("20 min", "23", "0")
    assert message["notice"]["run"]["over"] and not message["notice"]["closed"]


def test_the_button_never_connects_what_is_recorded_or_played(desk):
    for feed in (FakeRecording(), a_replay()):
        feed.closed = False
        feed.status = a_status(state="DISCONNECTED")
        status = widgets.ConnectionStatus(feed)
        status.comm.say(kind="reconnect", page="page-1")
        desk.run(0.1)
        status._reconnecting.join(10)
        assert (feed.reconnects, feed.connects) == (0, 0)


# ---- charts of a recording


def points_of(message):
    content, buffers = message
    numbers = np.frombuffer(buffers[0], "<f8")
    return numbers[: content["count"]]


def test_a_chart_of_a_recording_shows_the_whole_span(desk, recorded):
    rows = recorded.metrics.to_pandas()
    for chart in (widgets.TPSChart(recorded), widgets.LiveChart(recorded.metrics, y="tps")):
        times = points_of(desk.open(chart).take()[0])
        assert times[0] == rows.index[0].value / 1e6 and times[-1] == rows.index[-1].value / 1e6
        assert len(chart.to_pandas()) == len(rows)


def test_the_whole_span_is_thinned_as_every_window_is(desk):
    feed = FakeRecording()
    for i in range(9_000):
        feed["metrics"].put(tps=float(i % 7))
    times = points_of(desk.open(widgets.TPSChart(feed)).take()[0])
    assert times[0] == START_NS / 1e6 and len(times) <= 2_000
    assert times[-1] == START_NS / 1e6 + 8_999_000


def test_last_and_points_still_narrow_it_to_the_end(desk, recorded):
    rows = recorded.metrics.to_pandas()
    ten = widgets.TPSChart(recorded, last="10min").to_pandas()
    assert ten.index[-1] == rows.index[-1]
    assert 590 <= (ten.index[-1] - ten.index[0]).total_seconds() <= 600
    assert len(widgets.LiveChart(recorded.metrics, y="tps", points=10).to_pandas()) == 10


def test_the_last_of_a_recording_ends_where_the_recording_ends(desk):
    feed = FakeRecording()
    for _ in range(50):
        feed["metrics"].put(tps=1.0)  # the recording goes on for 51 s more
    assert len(widgets.TPSChart(feed, last="60s").to_pandas()) == 10
    assert len(points_of(desk.open(widgets.TPSChart(feed, last="60s")).take()[0])) == 10
    nothing = widgets.TPSChart(feed, last="20s")
    assert nothing.to_pandas().empty and len(points_of(desk.open(nothing).take()[0])) == 0
    assert len(widgets.TPSChart(feed).to_pandas()) == 50


def test_charts_of_the_other_systems_show_all_of_it_too(desk):
    for protocol, topic, row in (
        ("channels", "bandwidth", {"upload_mbps": 1.0}),
        ("fakeai", "metrics", {"tokens_per_s": 1.0}),
    ):
        feed = FakeRecording(protocol)
        for _ in range(1_200):
            feed[topic].put(**row)
        (chart,) = [w for w in widgets.Dashboard(feed).widgets if isinstance(w, widgets.LiveChart)]
        assert len(chart.to_pandas()) == 1_200
        live = FakeFeed(protocol)
        for _ in range(1_200):
            live[topic].put(**row)
        (chart,) = [w for w in widgets.Dashboard(live).widgets if isinstance(w, widgets.LiveChart)]
        assert len(chart.to_pandas()) < 1_200, "of a live feed the newest"


def test_the_axis_of_a_recording_goes_to_its_end(desk):
    feed = FakeRecording()
    feed["metrics"].put(tps=1.0)
    assert desk.open(widgets.TPSChart(feed)).one()["clock"] == [END_MS, None, None, True]


def test_of_the_gaps_of_a_recording_the_longest_are_kept_in_their_order():
    ends = [5, None, 2, 9]
    gaps = [Gap("metrics", Cause.IDLE, Certainty.KNOWN, i, end and i + end) for i, end in enumerate(ends)]
    assert longest(gaps, 2) == [gaps[1], gaps[3]]
    assert longest(gaps, 9) == gaps


def test_what_is_lost_on_several_topics_at_once_is_one_gap():
    feed, book = FakeRecording(), GapBook()
    for topic in ("metrics", "network"):
        book.add(Gap(topic, Cause.DISCONNECT, Certainty.UNKNOWN, START_NS + S, START_NS + 2 * S, 1))
    feed.gaps = book
    assert runs.contents_of(feed).gaps == 1


# ---- tables


def test_nothing_is_new_in_a_recording(desk):
    for feed, marked in ((FakeRecording(), False), (FakeFeed(), True)):
        feed["transactions"].put(hash="0xa", status="PENDING")
        feed.clock_ns = START_NS + S // 2
        assert bool(desk.open(widgets.TransactionList(feed)).one().get("fresh")) is marked


# ---- replays


@pytest.mark.parametrize(
    "word, change",
    [
        ("PLAYING", {}),
        ("SEEKING", {"seeking": True}),
        ("REPLAY ENDED", {"finished": True}),
    ],
)
def test_the_status_of_a_replay_says_what_the_replay_does(desk, word, change):
    feed = a_replay(**change)
    message = desk.open(widgets.ConnectionStatus(feed)).one()
    assert (message["word"], message["run"], message["retry"]) == (word, "replay", False)
    assert message["over"] is (word == "REPLAY ENDED")


def test_an_ended_replay_is_no_lost_connection_and_recovers_its_words(desk):
    feed = a_replay(finished=True)
    feed.status = a_status(state="DISCONNECTED", ended=True)
    card, badge = desk.open(widgets.MetricsCard(feed)), desk.open(widgets.ConnectionBadge(feed))
    notice = card.one()["notice"]
    assert (notice["link"], words_of(notice)) == (None, "replay ended at 00:01:40 UTC")
    assert badge.one()["word"] == "REPLAY ENDED"
    feed.player.finished, feed.paused, feed.status = False, True, a_status()
    assert card.take(1)[-1][0]["notice"]["run"] == {"kind": "replay"}
    assert badge.take(1)[-1][0]["word"] == "PAUSED"
    feed.paused = False
    assert badge.take(1)[-1][0]["word"] == "PLAYING"


def test_a_connection_that_was_lost_in_the_recording_is_told_as_such(desk):
    feed = a_replay()
    feed.status = a_status(state="RECONNECTING", error="the server restarts")
    facts = desk.open(widgets.ConnectionStatus(feed)).one()["facts"]
    assert desk.open(widgets.ConnectionStatus(feed)).one()["error"] is None, "it was an error then"
    assert facts[-1] == ["Recorded state", "RECONNECTING", "reconnecting in the recording"]
    assert notice_of(desk, widgets.MetricsCard(feed))["link"] == "RECONNECTING"


def test_a_replay_that_could_not_go_on_is_an_error_and_not_over(desk):
    feed = a_replay(finished=True)
    feed.status = a_status(state="ERROR", error="the recording cannot be played on", ended=True)
    notice = notice_of(desk, widgets.MetricsCard(feed))
    assert (notice["run"], notice["error"]) == ({"kind": "replay"}, "the recording cannot be played on")
    message = desk.open(widgets.ConnectionBadge(feed)).one()
    assert (message["word"], message["state"]) == ("", "ERROR")


def test_a_real_replay_is_told_from_begin_to_end(desk):
    with replay(sample("steady", duration="30s", seed=7), paused=True, speed="max") as feed:
        badge = widgets.ConnectionBadge(feed)
        assert badge.overview().word == "PAUSED"
        feed.resume()
        feed.join(timeout=30)
        assert (badge.overview().word, badge.overview().over) == ("REPLAY ENDED", True)
        feed.pause()
        feed.seek(10)
        assert badge.overview().word == "PAUSED"
        assert badge.overview().facts[1][2].endswith("UTC (30 s)")


# ---- finite runs


def test_a_simulation_that_has_ended_is_told_as_such(desk):
    feed = a_simulation()
    notice = notice_of(desk, widgets.MetricsCard(feed))
    assert (notice["link"], words_of(notice)) == (None, "simulation ended at 00:01:40 UTC")
    message = desk.open(widgets.ConnectionStatus(feed)).one()
    assert (message["word"], message["retry"]) == ("SIMULATION ENDED", False)
    assert message["facts"] == [["Ended", "2026-01-01 00:01:40 UTC", "ended at 2026-01-01 00:01:40 UTC"]]
    assert message["messages"] == 42, "of its connections, as long as there are any"
    feed.connections = ()
    assert widgets.ConnectionStatus(feed).overview().messages == 0


def test_a_stream_that_its_server_ended_can_be_asked_for_again(desk):
    feed = a_simulation()
    del feed.node
    message = desk.open(widgets.ConnectionStatus(feed)).one()
    assert (message["word"], message["retry"]) == ("STREAM ENDED", True)


def test_made_up_data_do_not_take_the_place_of_a_run_that_is_over(desk):
    feed = FakeFeed("channels")
    feed.status = a_status(state="DISCONNECTED", protocol="channels", ended=True)
    page = desk.open(widgets.SessionTable(feed, when_offline="simulate"))
    assert not any(content.get("notice", {}).get("simulated") for content, _ in page.take(5))


def test_a_feed_that_was_closed_says_closed(desk):
    feed = a_simulation()
    feed.closed = True
    notice = notice_of(desk, widgets.MetricsCard(feed))
    assert (notice["closed"], notice["run"]) == (True, None)


def test_a_live_feed_has_nothing_to_say_of_it(desk, feed):
    assert notice_of(desk, widgets.MetricsCard(feed))["run"] is None
    message = desk.open(widgets.ConnectionStatus(feed)).one()
    assert {"run", "word", "retry"}.isdisjoint(message) and message["facts"] == []


# ---- words and pictures


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_picture_of_a_recordings_dashboard_says_what_it_is(desk, protocol):
    told = Reader(widgets.Dashboard(FakeRecording(protocol)).still().html).text
    assert told.startswith("Recording|friday")
    assert "recording, ended at 00:01:40 UTC" in told and "RECORDING" in told
    assert "CLOSED" not in told and "0 of 0" not in told


def test_a_dashboard_in_a_dashboard_is_pictured_too(desk, feed):
    feed["metrics"].put(tps=1234.0)
    inner = widgets.Dashboard(feed, layout=["metrics"])
    told = Reader(widgets.Dashboard(feed, layout=[["consensus", inner]]).still().html).texts
    assert told.count("Dashboard") == 2 and "1.23k tx/s" in told


@pytest.mark.parametrize(
    "seconds, words",
    [
        (0.4, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (7199, "2 h"),
        (172_799, "2 d"),
        (90_000, "1 d 1 h"),
    ],
)
def test_lengths_are_told_in_two_units(seconds, words):
    assert runs.length_words(seconds) == words


def test_a_span_over_midnight_has_both_dates():
    words = runs.span_words(START_NS - 3600 * S, START_NS)
    assert words == "2025-12-31 23:00:00 – 2026-01-01 00:00:00 UTC (1 h)"
