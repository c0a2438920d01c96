"""Made-up data while a feed is offline: asked for, labelled, and never anything's but the widget's."""

import random

import pytest

from aurigraph_nb import widgets
from aurigraph_nb.errors import BadOption
from aurigraph_nb.schema import columns
from aurigraph_nb.widgets import offline
from aurigraph_nb.widgets.pretend import PLAYS

from .doubles import START_NS, FakeFeed, a_status

SECOND = 1_000_000_000
CHANNELS = [widgets.BandwidthChart, widgets.SessionTable]
INFERENCE = [
    widgets.MetricsCard,
    widgets.ModelTable,
    widgets.RequestHistory,
    widgets.RateLimits,
    widgets.SystemHealth,
    widgets.AggregateStats,
    widgets.ErrorMonitor,
]
ALL = [("channels", kind) for kind in CHANNELS] + [("fakeai", kind) for kind in INFERENCE]


def simulated_in(messages):
    """The label as the page has it after these messages."""
    return [content["notice"]["simulated"] for content, _ in messages if "notice" in content][-1]


def lose(feed):
    feed.status = a_status(state="RECONNECTING", protocol=feed.protocol)


def content_of(message):
    content, buffers = message
    return content.get("rows") or content.get("items") or content.get("events") or sum(map(len, buffers))


@pytest.mark.parametrize("protocol, kind", ALL)
def test_a_widget_that_was_asked_shows_made_up_data_with_a_label_and_nothing_else_has_them(desk, protocol, kind):
    feed = FakeFeed(protocol)
    page = desk.open(kind(feed, when_offline="simulate"))
    assert simulated_in(page.take()) is False
    lose(feed)
    messages = page.take(offline.AFTER_S + 1)
    assert simulated_in(messages) is True
    assert content_of(messages[-1])
    assert all(topic.store.count == 0 for topic in feed.topics.values())
    assert all(getattr(topic.state, "version", 0) == 0 for topic in feed.topics.values())


@pytest.mark.parametrize("protocol, kind", ALL)
def test_a_widget_that_was_not_asked_shows_the_last_known_state(desk, protocol, kind):
    feed = FakeFeed(protocol)
    page = desk.open(kind(feed))
    page.take()
    lose(feed)
    messages = page.take(10)
    assert simulated_in(messages) is False
    assert not content_of(messages[-1])


def test_label_and_data_come_and_go_in_one_message(desk):
    feed = FakeFeed("channels")
    feed["sessions"].put(action="new", session_id="real")
    page = desk.open(widgets.SessionTable(feed, when_offline="simulate"))
    page.take()
    lose(feed)
    came = [m for m, _ in page.take(4) if m.get("notice", {}).get("simulated")]
    assert came[0]["kind"] == "snapshot"
    assert came[0]["rows"] and all(str(row[0]).startswith("simulated-") for row in came[0]["rows"])
    feed.status = a_status(protocol="channels")
    gone = [m for m, _ in page.take(2) if m.get("notice", {}).get("simulated") is False]
    assert gone[0]["kind"] == "snapshot"
    assert [row[0] for row in gone[0]["rows"]] == ["real"]


def test_made_up_data_go_on_while_the_feed_is_away(desk):
    feed = FakeFeed("channels")
    lose(feed)
    page = desk.open(widgets.BandwidthChart(feed, when_offline="simulate"))
    page.take(4)
    feed.clock_ns += 4 * SECOND
    fresh = page.take(1)
    assert sum(content["count"] for content, _ in fresh) == 2


def test_a_short_loss_shows_nothing_made_up(desk):
    feed = FakeFeed("channels")
    page = desk.open(widgets.BandwidthChart(feed, when_offline="simulate"))
    page.take()
    lose(feed)
    messages = page.take(offline.AFTER_S - 0.5)
    feed.status = a_status(protocol="channels")
    messages += page.take(3)
    assert simulated_in(messages) is False


@pytest.mark.parametrize("kind", [widgets.LiveTable, widgets.LiveChart])
def test_a_widget_without_made_up_data_takes_no_notice(desk, kind):
    feed = FakeFeed("channels")
    feed["bandwidth"].put(upload_mbps=1.0)
    widget = kind(feed["bandwidth"])
    page = desk.open(widget)
    page.take()
    lose(feed)
    page.take(10)
    assert (widget.errors, widget.flow.snapshots) == (0, 1)


def test_a_closed_feed_shows_what_it_stored(desk):
    feed = FakeFeed("channels")
    feed.closed = True
    feed.status = a_status(state="CLOSED", protocol="channels")
    page = desk.open(widgets.BandwidthChart(feed, when_offline="simulate"))
    assert simulated_in(page.take(5)) is False


def test_an_exported_figure_holds_no_made_up_data(desk):
    feed = FakeFeed("channels")
    lose(feed)
    chart = widgets.BandwidthChart(feed, when_offline="simulate")
    desk.open(chart).take(5)
    assert len(chart.figure().data[0].x) == 0


def test_a_drawing_error_does_not_take_the_label_off(desk):
    feed = FakeFeed("channels")
    lose(feed)
    table = widgets.SessionTable(feed, when_offline="simulate")
    page = desk.open(table)
    page.take(4)
    feed.status = a_status(protocol="channels")
    table._snapshot = None  # the snapshot without made-up data cannot be made
    assert simulated_in(page.take(2)) is True


def test_made_up_errors_are_not_given_to_the_callback(desk):
    feed = FakeFeed("fakeai")
    lose(feed)
    seen = []
    page = desk.open(widgets.ErrorMonitor(feed, on_error=seen.append, when_offline="simulate"))
    messages = page.take(5)
    assert messages[-1][0]["total"] > 0
    assert seen == []


def test_clearing_while_offline_leaves_the_feed_alone(desk):
    feed = FakeFeed("fakeai")
    feed["requests"].put(id="r1")
    page = desk.open(widgets.RequestHistory(feed, when_offline="simulate"))
    page.take()
    lose(feed)
    page.take(4)
    page.comm.say(kind="clear", page=page.page)
    page.take(1)
    assert [row.id for row in feed["requests"].state.recent] == ["r1"]


@pytest.mark.parametrize("record", PLAYS)
def test_a_play_is_the_same_every_time_and_fits_its_record(record):
    first, second = (PLAYS[record](random.Random(3)) for _ in range(2))
    names = {column.name for column in columns(record)}
    for step in range(200):
        now_ns = START_NS + step * SECOND
        fields = first.step(now_ns)
        assert fields == second.step(now_ns)
        assert set(fields) <= names


def test_a_long_pause_is_not_made_up_for():
    topic = FakeFeed("channels")["bandwidth"]
    stand_in = offline.StandIn("bandwidth", topic.record_type, START_NS)
    stand_in.play(START_NS)
    stand_in.play(START_NS + 10**9 * SECOND)
    assert stand_in.store.count <= 2 * (offline.HISTORY_STEPS + 1)


def test_other_words_and_systems_without_made_up_data_are_refused(desk):
    with pytest.raises(BadOption, match=r'when_offline=\'pretend\': expected None or "simulate"'):
        widgets.BandwidthChart(FakeFeed("channels"), when_offline="pretend")
    with pytest.raises(BadOption, match="there are no made-up data for Metrics"):
        widgets.MetricsCard(FakeFeed(), when_offline="simulate")
