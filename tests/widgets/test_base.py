"""What every live widget does: the traffic, the notice line, closing, refusing what it does not know."""

import msgspec
import pytest

import aurigraph_nb as ag
from aurigraph_nb import widgets
from aurigraph_nb.errors import BadOption, BadOptionType, UnknownTopic
from aurigraph_nb.widgets.base import LiveWidget, Message
from aurigraph_nb.widgets.painter import RETRY_S
from aurigraph_nb.widgets.sources import Source

from .doubles import FakeFeed, Page, a_status

OF_A_FEED = [
    widgets.TPSChart,
    widgets.MetricsCard,
    widgets.ValidatorTable,
    widgets.TransactionList,
    widgets.PeerTable,
    widgets.ConsensusState,
    widgets.ConsensusLog,
    widgets.NetworkLog,
    widgets.ValidatorLog,
    widgets.ConnectionStatus,
]
OF_A_TOPIC = [(widgets.LiveChart, "metrics"), (widgets.LiveTable, "validators"), (widgets.EventLog, "consensus")]


class Counter(LiveWidget):
    """Shows one number; raises when told to."""

    _esm = "export default {}"

    def __init__(self, feed=None, **options):
        self.value = 0
        self.shown = None
        self.raises = None
        super().__init__(Source(feed=feed), **options)

    def _news(self, now):
        return self.value != self.shown

    def _snapshot(self, now):
        if self.raises is not None:
            raise self.raises
        self.shown = self.value
        return Message({"value": self.value})


def all_widgets(feed):
    return [kind(feed) for kind in OF_A_FEED] + [kind(feed[topic]) for kind, topic in OF_A_TOPIC]


def test_nothing_is_sent_before_a_page_says_hello(desk):
    widget = Counter()
    widget.value = 1
    desk.run(5)
    assert widget.comm.messages == []
    assert widget.flow.sent == 0


def test_hello_is_answered_by_one_snapshot(desk):
    widget = Counter()
    message = desk.open(widget).one()
    assert (message["kind"], message["number"], message["value"]) == ("snapshot", 1, 0)
    assert message["notice"]["closed"] is False


def test_a_change_after_quiet_shows_within_one_look(desk):
    widget = Counter()
    page = desk.open(widget)
    page.take(3)
    widget.value = 7
    message = page.one(seconds=0.03)
    assert (message["kind"], message["number"], message["value"]) == ("delta", 2, 7)
    assert "notice" not in message


def test_changes_are_merged_into_one_message_a_frame(desk):
    widget = Counter()
    page = desk.open(widget)
    page.take(1)
    for _ in range(40):
        widget.value += 1
        desk.run(0.025)
        page.ack()
    assert widget.flow.sent - 1 <= 4 + 1
    assert widget.comm.messages[-1][0]["value"] >= 30


def test_a_page_that_missed_a_message_gets_a_snapshot(desk):
    widget = Counter()
    page = desk.open(widget)
    page.take(1)
    page.hello()
    assert page.one()["kind"] == "snapshot"
    assert widget.flow.snapshots == 2


def test_a_second_page_gets_its_own_snapshot(desk):
    widget = Counter()
    desk.open(widget).take(1)
    second = Page(desk, widget, "page-2")
    second.read = len(widget.comm.messages)
    second.hello()
    assert second.one()["kind"] == "snapshot"


def test_a_hidden_page_costs_nothing(desk):
    widget = Counter()
    page = desk.open(widget)
    page.take(1)
    page.rest()
    widget.value = 5
    assert page.take(10) == []
    page.hello()
    assert page.one()["value"] == 5


def test_a_page_that_never_acknowledges_costs_a_bounded_number_of_messages(desk):
    widget = Counter()
    page = desk.open(widget)
    for _ in range(100):
        widget.value += 1
        page.take(1, ack=False)
    assert widget.flow.sent < 70
    assert desk.painter.tick(desk.now) is None


def test_a_late_view_on_another_page_follows_beside_the_first(desk):
    widget = Counter()
    first = desk.open(widget)
    first.take(1)
    second = Page(desk, widget, "page-2")
    second.read = len(widget.comm.messages)
    second.hello()
    assert second.one()["kind"] == "snapshot"
    first.take(0.3)
    for value in (1, 2, 3):
        widget.value = value
        (seen,), (also,) = first.take(0.5), second.take(0)
        assert seen == also
        assert (seen[0]["kind"], seen[0]["value"]) == ("delta", value)
    second.rest()
    widget.value = 4
    assert first.one(0.5)["value"] == 4
    first.rest()
    widget.value = 5
    assert first.take(5) == []


def test_a_page_that_asks_while_its_neighbours_snapshot_is_sent_gets_one_too(desk):
    widget = Counter()
    first = desk.open(widget)
    first.take(1)
    send = widget.comm.send

    def send_while_another_opens(*args, **more):
        send(*args, **more)
        widget.comm.send = send
        widget.comm.say(kind="hello", page="page-2")

    widget.comm.send = send_while_another_opens
    first.hello()
    assert [content["kind"] for content, _ in first.take(1)] == ["snapshot", "snapshot"]


def test_a_cell_that_blocks_and_then_ends_costs_few_messages_and_loses_nothing(desk):
    """Until ipykernel 7 nothing that a page says is heard while a cell runs; then all of it is heard at once."""
    widget = Counter()
    page = desk.open(widget)
    page.take(1)
    held, before = [], widget.flow.sent
    for _ in range(100):
        widget.value += 1
        for content, _buffers in page.take(0.1, ack=False):
            held.append(content["number"])
    assert 8 <= widget.flow.sent - before <= 13
    assert widget.comm.messages[-1][0]["value"] >= 85
    for number in held:
        page.ack(number)
    assert widget.flow.unacknowledged == 0
    widget.value = 1000
    assert page.one()["kind"] == "delta"


def test_a_feed_that_wants_to_know_is_told_that_somebody_looks(desk, feed):
    looks = []
    feed.viewed = lambda: looks.append(desk.now)
    widget = Counter(feed)
    desk.run(1)
    assert widget.viewed_at is None
    page = desk.open(widget)
    page.take(1)
    desk.run(0.025)
    assert len(looks) == 2  # it asked, and it acknowledged
    assert widget.viewed_at == looks[-1]
    page.rest()
    page.take(5)
    assert len(looks) == 2
    widget.comm.say(kind="plotly", page="page-1")
    desk.run(1)
    assert len(looks) == 2


def test_a_view_reaches_whoever_minds_a_real_feed(desk):
    looks = []
    with ag.simulate(seed=7) as feed:
        feed.on_view = lambda: looks.append(desk.now)
        page = desk.open(Counter(feed))
        page.take(1)
        desk.run(0.025)
    assert looks


def test_a_widget_on_a_feed_that_does_not_care_works_as_well(desk, feed):
    widget = Counter(feed)
    desk.open(widget).take(1)
    desk.run(0.025)
    assert widget.viewed_at is not None
    assert widget.errors == 0


def test_messages_that_make_no_sense_are_ignored(desk):
    widget = Counter()
    for content in (
        {},
        {"kind": "hello"},
        {"kind": 5, "page": "p"},
        {"kind": "ack", "page": "p", "number": "1"},
        {"kind": "hello", "page": "p" * 1000},
        {"kind": "unheard of", "page": "p"},
    ):
        widget.comm.say(**content)
    widget._receive(widget, "text", None)
    desk.run(1)
    assert widget.flow.sent == 0
    assert widget.errors == 0


def test_an_error_while_drawing_is_counted_shown_and_tried_again(desk):
    widget = Counter()
    widget.raises = ValueError("bad row")
    page = desk.open(widget)
    message = page.one()
    assert message["kind"] == "notice"
    assert message["notice"]["error"] == widget.last_error == "ValueError: bad row"
    widget.raises = None
    desk.run(RETRY_S)
    message = page.one()
    assert (message["kind"], message["notice"]["error"]) == ("snapshot", None)
    assert message["notice"]["errors"] == widget.errors == 1
    assert message["notice"]["last"] == "ValueError: bad row"


def test_an_error_that_stays_is_told_once_a_second_and_not_more(desk):
    widget = Counter()
    widget.raises = ValueError("bad row")
    page = desk.open(widget)
    for _ in range(10):
        page.take(1)
    assert 5 <= widget.errors <= 11


def test_a_broken_widget_does_not_stop_the_others(desk):
    bad, good = Counter(), Counter()
    bad.raises = RuntimeError("no")
    desk.open(bad)
    page = desk.open(good)
    page.take(1)
    good.value = 3
    assert page.one()["value"] == 3


def test_a_broken_channel_is_counted_too(desk):
    widget = Counter()
    page = desk.open(widget)
    page.take(1)
    widget.comm.broken = OSError("socket is gone")
    widget.value = 1
    desk.run(0.5)
    assert widget.last_error == "OSError: socket is gone"
    widget.comm.broken = None
    desk.run(RETRY_S)
    assert widget.comm.messages[-1][0]["value"] == 1


def test_a_closed_feed_is_told_and_its_data_stay(desk, feed):
    widget = Counter(feed)
    page = desk.open(widget)
    page.take(1)
    feed.closed = True
    assert page.one()["notice"]["closed"] is True
    page.hello()
    assert page.one()["notice"]["closed"] is True


def test_a_feed_that_reconnects_is_told_by_its_widgets(desk, feed):
    widget = Counter(feed)
    page = desk.open(widget)
    page.take(1)
    feed.status = a_status(state="RECONNECTING", error="refused")
    message = page.one(seconds=1)
    assert (message["notice"]["link"], message["notice"]["error"]) == ("RECONNECTING", None)
    feed.status = a_status(state="ERROR", error="401: token refused")
    assert page.one(seconds=1)["notice"]["error"] == "401: token refused"
    feed.status = a_status()
    assert page.one(seconds=1)["notice"]["link"] is None


def test_closing_ends_the_turns_and_twice_is_harmless(desk):
    widget = Counter()
    comm = widget.comm
    desk.open(widget).take(1)
    widget.close()
    widget.close()
    assert comm.closed
    assert len(desk.painter) == 0
    assert widget.paint(desk.now) is None
    widget.failed(ValueError("late"))
    assert len(comm.messages) == 1


def test_closing_a_widget_leaves_the_feed_open(desk, feed):
    widget = widgets.MetricsCard(feed)
    widget.close()
    assert not feed.closed


@pytest.mark.parametrize("kind", OF_A_FEED)
def test_a_widget_opens_its_topic_and_no_other(desk, feed, kind):
    widget = kind(feed)
    opened = [topic for topic in feed.topics.values() if topic.opened]
    assert opened == ([] if kind is widgets.ConnectionStatus else [widget.source])


def test_a_widget_on_a_closed_feed_opens_nothing_and_shows_what_is_stored(desk, feed):
    feed["metrics"].put(tps=5.0)
    feed.closed = True
    widget = widgets.MetricsCard(feed)
    assert feed["metrics"].opened == 0
    assert desk.open(widget).one()["items"]


def test_every_widget_answers_hello_with_nothing_stored_yet(desk, feed):
    for widget in all_widgets(feed):
        assert desk.open(widget).take(0.3)[0][0]["kind"] == "snapshot"
        assert widget.errors == 0


def test_the_bytes_of_a_message_are_counted(desk):
    widget = Counter()
    message = desk.open(widget).one()
    assert widget.flow.bytes == len(msgspec.json.encode(message))


EXPECTED_REPRS = {
    "TPSChart(metrics)",
    "MetricsCard(metrics)",
    "ValidatorTable(validators)",
    "TransactionList(transactions)",
    "PeerTable(network)",
    "ConsensusState(consensus)",
    "ConsensusLog(consensus)",
    "NetworkLog(network)",
    "ValidatorLog(validators)",
    "ConnectionStatus(feed)",
    "LiveChart(metrics)",
    "LiveTable(validators)",
    "EventLog(consensus)",
}


def test_the_repr_of_a_widget_is_always_the_same(desk):
    first, second = all_widgets(FakeFeed()), all_widgets(FakeFeed())
    for widget in second:
        desk.open(widget).take()
        widget.close()
    assert {repr(w) for w in first} == {repr(w) for w in second} == EXPECTED_REPRS


@pytest.mark.parametrize("kind", OF_A_FEED)
def test_an_unknown_option_is_refused_with_the_known_ones(desk, feed, kind):
    with pytest.raises(BadOptionType, match=r"has no option 'colour'; it takes .*rate_hz"):
        kind(feed, colour="red")


@pytest.mark.parametrize("kind, topic", OF_A_TOPIC)
def test_an_unknown_option_of_a_topic_widget_is_refused(desk, feed, kind, topic):
    with pytest.raises(TypeError, match=r"'color', 'zoom'; it takes .*height.*rate_hz"):
        kind(feed[topic], zoom=2, color=1)


@pytest.mark.parametrize("kind", OF_A_FEED)
def test_something_that_is_no_feed_is_refused(desk, kind):
    with pytest.raises(BadOptionType, match=f"{kind.__name__} needs a .*not str"):
        kind("wss://dlt.aurigraph.io")


@pytest.mark.parametrize("kind, topic", OF_A_TOPIC[:2])
def test_a_feed_where_a_topic_belongs_is_refused_with_a_hint(desk, feed, kind, topic):
    with pytest.raises(BadOptionType, match="choose one of its topics"):
        kind(feed)


def test_a_topic_with_other_rows_is_refused(desk, feed):
    with pytest.raises(BadOptionType, match="needs a topic of Validator rows; 'network' has Peer"):
        widgets.ValidatorTable(feed["network"])


def test_a_feed_without_the_topic_is_refused_by_name(desk, feed):
    del feed.topics["validators"]
    with pytest.raises(UnknownTopic, match="validators"):
        widgets.ValidatorTable(feed)


def test_a_rate_out_of_bounds_is_refused(desk, feed):
    with pytest.raises(BadOption, match="rate_hz=11"):
        widgets.MetricsCard(feed, rate_hz=11)


@pytest.mark.parametrize("height", [0, 79, 4001, 2.5, "300", True])
def test_a_height_out_of_bounds_is_refused(desk, feed, height):
    with pytest.raises(BadOptionType, match="pixels from 80 to 4000"):
        widgets.LiveTable(feed["metrics"], height=height)


def test_a_refused_widget_leaves_nothing_behind(desk, feed):
    with pytest.raises(BadOptionType):
        widgets.LiveTable(feed["metrics"], height=1)
    assert len(desk.painter) == 0


def test_source_and_rate_can_be_read(desk, feed):
    widget = widgets.MetricsCard(feed, rate_hz=2)
    assert widget.source is feed["metrics"]
    assert widget.rate_hz == 2.0
    assert widgets.ConnectionStatus(feed).source is feed


HOSTILE = "<img src=x onerror=alert(1)>\u202e\x00"


def test_hostile_text_passes_as_plain_data(desk, feed):
    feed["validators"].put(id=HOSTILE, status=HOSTILE)
    feed["transactions"].put(hash=HOSTILE, status=HOSTILE, sender=HOSTILE)
    feed["network"].put(peer_id=HOSTILE, status=HOSTILE, city=HOSTILE)
    feed["consensus"].put(leader="a", state="b")
    feed["consensus"].put(leader=HOSTILE, state=HOSTILE)
    feed.status = a_status(error=HOSTILE, url=HOSTILE)
    found = 0
    for widget in all_widgets(feed):
        content, _ = desk.open(widget).take()[0]
        found += HOSTILE.encode() in msgspec.json.encode(content).replace(b"\\u0000", b"\x00")
        assert all(HOSTILE not in str(state) for state in (widget.comm.state, widget._setup))
    assert found == 9


@pytest.mark.parametrize("size", [100_000])
def test_enormous_text_is_cut(desk, feed, size):
    feed["validators"].put(id="v", status="S" * size, name="n" * size)
    feed["consensus"].put(leader="a")
    feed["consensus"].put(leader="L" * size)
    feed.status = a_status(error="e" * size)
    for widget in all_widgets(feed):
        desk.open(widget).take()
        assert widget.flow.bytes < 10_000
