"""The connections: changes at once, figures once a second, and a button."""

import threading

import pytest

from aurigraph_nb import registry, widgets
from aurigraph_nb.errors import BadOption, BadOptionType

from .doubles import START_NS, FakeFeed, a_connection, a_status, a_topic_status

SECOND = 1_000_000_000
LIMIT_S = 10


def last_error_in(messages):
    """What the notice line says in the end."""
    return [content["notice"]["error"] for content, _ in messages if "notice" in content][-1]


def press(desk, status):
    """Press the button and wait until that has been done."""
    status.comm.say(kind="reconnect", page="page-1")
    desk.run(0.1)
    if status._reconnecting is not None:
        status._reconnecting.join(LIMIT_S)


def items_of(message):
    return {item["label"]: item["text"] for item in message["items"]}


def test_the_state_of_the_feed_is_shown(desk, feed):
    feed.clock_ns = START_NS + 2 * SECOND
    message = desk.open(widgets.ConnectionStatus(feed)).one()
    assert (message["state"], message["url"], message["protocol"]) == ("CONNECTED", "ws://127.0.0.1:1", "portal")
    assert (message["age_ms"], message["next_try_ms"], message["attempts"]) == (2000, None, 0)
    assert message["topics"] == [["metrics", "CONNECTED", False, 10, 1.0, 2.5, 500, 0, 0, None]]
    assert message["connections"] == [["stream", "CONNECTED", "EXCELLENT", 3.2, 0, 1, 42, None]]


def test_a_lost_connection_shows_within_half_a_second(desk, feed):
    page = desk.open(widgets.ConnectionStatus(feed))
    page.take(0.1)
    feed.clock_ns = START_NS + SECOND
    feed.status = a_status(state="RECONNECTING", attempts=2, next_try_ns=START_NS + 3 * SECOND, error="refused")
    message = page.take(0.5)[-1][0]
    assert (message["state"], message["attempts"], message["next_try_ms"]) == ("RECONNECTING", 2, 2000)
    assert message["error"] == "refused"


def test_while_nothing_happens_figures_come_once_a_second(desk, feed):
    status = widgets.ConnectionStatus(feed)
    page = desk.open(status)
    for _ in range(10):
        page.take(1)
    assert 9 <= status.flow.sent <= 12


def test_a_stale_topic_and_a_topic_in_error_are_told(desk, feed):
    quiet = a_topic_status(stale=True, staleness_s=9.0, lag_ms=None, error="404", rate_hz=float("nan"))
    feed.status = a_status(topics={"network": quiet})
    assert desk.open(widgets.ConnectionStatus(feed)).one()["topics"] == [
        ["network", "CONNECTED", True, 10, None, None, 9000, 0, 0, "404"]
    ]


def test_errors_of_callbacks_are_shown(desk, feed):
    feed.status = a_status(callback_errors=3, last_callback_error="ZeroDivisionError: division by zero")
    message = desk.open(widgets.ConnectionStatus(feed)).one()
    assert (message["callback_errors"], message["callback_error"]) == (3, "ZeroDivisionError: division by zero")


def test_a_run_that_has_ended_is_told(desk, feed):
    feed.status = a_status(state="DISCONNECTED", ended=True)
    assert desk.open(widgets.ConnectionStatus(feed)).one()["ended"] is True


def test_the_button_reconnects_the_feed_on_a_thread_of_its_own(desk, feed):
    feed.status = a_status(state="DISCONNECTED")
    status = widgets.ConnectionStatus(feed)
    status.comm.say(kind="reconnect", page="page-1")
    assert feed.reconnects == 0, "the handler only takes a note"
    desk.run(0.1)
    assert feed.reconnected.wait(LIMIT_S)
    status._reconnecting.join(LIMIT_S)
    assert (status.errors, feed.reconnects, feed.connects) == (0, 1, 0)


def test_after_an_error_the_button_connects_anew(desk, feed):
    feed.status = a_status(state="ERROR", error="404")
    press(desk, widgets.ConnectionStatus(feed))
    assert (feed.reconnects, feed.connects) == (0, 1)


@pytest.mark.parametrize("state", ["CONNECTED", "CONNECTING", "RECONNECTING"])
def test_the_button_does_nothing_where_there_is_nothing_to_do(desk, feed, state):
    feed.status = a_status(state=state)
    press(desk, widgets.ConnectionStatus(feed))
    assert (feed.reconnects, feed.connects) == (0, 0)


def test_the_button_does_nothing_while_a_try_is_under_way(desk, feed):
    feed.status = a_status(state="DISCONNECTED")
    release = threading.Event()
    started = threading.Event()

    def slow():
        started.set()
        feed.reconnects += 1
        release.wait(LIMIT_S)

    feed.reconnect = slow
    status = widgets.ConnectionStatus(feed)
    for _ in range(3):
        status.comm.say(kind="reconnect", page="page-1")
        desk.run(0.1)
        assert started.wait(LIMIT_S)
    release.set()
    status._reconnecting.join(LIMIT_S)
    assert feed.reconnects == 1


def test_a_reconnect_that_fails_is_shown_until_the_next_try(desk, feed):
    feed.status = a_status(state="DISCONNECTED")
    feed.reconnect_error = RuntimeError("no such node")
    status = widgets.ConnectionStatus(feed)
    page = desk.open(status)
    page.take()
    press(desk, status)
    assert last_error_in(page.take(1)) == "RuntimeError: no such node"
    feed.reconnect_error = None
    press(desk, status)
    assert last_error_in(page.take(1)) is None


def test_a_closed_feed_is_not_reconnected(desk, feed):
    feed.closed = True
    feed.status = a_status(state="DISCONNECTED")
    press(desk, widgets.ConnectionStatus(feed))
    assert feed.reconnects == 0


# ---- on_refresh


def test_on_refresh_is_called_after_the_button_on_the_thread_of_callbacks(desk, feed):
    called = threading.Event()
    threads = []
    status = widgets.ConnectionStatus(
        feed, on_refresh=lambda: (threads.append(threading.current_thread().name), called.set())
    )
    press(desk, status)
    assert called.wait(LIMIT_S)
    assert threads == ["aurigraph-nb-callbacks"]


def test_an_error_in_on_refresh_is_counted_by_the_feed(desk, feed):
    came = threading.Event()

    def broken():
        came.set()
        raise ZeroDivisionError("by zero")

    status = widgets.ConnectionStatus(feed, on_refresh=broken)
    press(desk, status)
    assert came.wait(LIMIT_S)
    after = threading.Event()
    status._refreshed._fn = lambda _: after.set()
    press(desk, status)
    assert after.wait(LIMIT_S), "the callbacks go on"
    assert feed.callback_errors.count == 1
    assert "broken: ZeroDivisionError: by zero" in feed.callback_errors.last


def test_after_closing_the_widget_on_refresh_is_not_called(desk, feed):
    status = widgets.ConnectionStatus(feed, on_refresh=lambda: None)
    status.close()
    status.close()
    assert status._refreshed.closed


# ---- what is shown


@pytest.mark.parametrize(
    "active, total, health", [(10, 10, "HEALTHY"), (8, 10, "HEALTHY"), (7, 10, "DEGRADED"), (4, 10, "CRITICAL")]
)
def test_health_goes_by_the_share_of_connections_that_stand(desk, feed, active, total, health):
    states = ["CONNECTED"] * active + ["RECONNECTING"] * (total - active)
    feed.connections = tuple(a_connection(endpoint=f"e{i}", state=state) for i, state in enumerate(states))
    message = desk.open(widgets.ConnectionStatus(feed)).one()
    assert (message["active"], message["total"], message["health"]) == (active, total, health)


def test_without_any_connection_there_is_no_health(desk, feed):
    feed.connections = ()
    assert desk.open(widgets.ConnectionStatus(feed)).one()["health"] is None


def test_a_feed_that_was_closed_is_not_called_critical(desk, feed):
    feed.connections = (a_connection(state="CLOSED"), a_connection(endpoint="e2", state="CLOSED"))
    feed.status = a_status(state="CLOSED")
    message = desk.open(widgets.ConnectionStatus(feed)).one()
    assert (message["active"], message["total"], message["health"]) == (0, 2, None)
    figures = {item.label: item.text for item in widgets.ConnectionStats(feed).items()}
    assert (figures["Active"], figures["Health"]) == ("0 of 2", "–")


def test_the_details_tell_of_fallback_identity_and_outgoing_messages(desk, feed):
    feed.status = a_status(
        fallback="rest", connection_id="c-1", queued_messages=3, dropped_messages=4, latency_ms=12.34
    )
    message = desk.open(widgets.ConnectionStatus(feed)).one()
    assert (message["fallback"], message["connection_id"]) == ("rest", "c-1")
    assert (message["queued"], message["dropped_messages"], message["latency_ms"]) == (3, 4, 12.3)


def test_without_details_no_rows_travel(desk, feed):
    message = desk.open(widgets.ConnectionStatus(feed, show_details=False)).one()
    assert "connections" not in message and "topics" not in message


def test_a_topic_that_nobody_asked_for_is_not_called_disconnected(desk, feed):
    feed.status = a_status(topics={"metrics": a_topic_status(state="DISCONNECTED")})
    message = desk.open(widgets.ConnectionStatus(feed)).one()
    assert (message["topics"][0][1], message["topics_open"], message["topics_total"]) == ("NOT OPEN", 0, 1)


def test_a_crowd_of_topics_is_cut_and_counted(desk, feed):
    feed.status = a_status(topics={f"t{i}": a_topic_status() for i in range(300)})
    feed.topics = {f"t{i}": feed.topics["metrics"] for i in range(300)}
    message = desk.open(widgets.ConnectionStatus(feed)).one()
    assert (len(message["topics"]), message["topics_total"]) == (50, 300)


def test_hostile_words_are_bounded(desk, feed):
    feed.connections = (a_connection(last_error="<b>" * 1000, endpoint="\ud800"),)
    row = desk.open(widgets.ConnectionStatus(feed)).one()["connections"][0]
    assert (row[0], len(row[7])) == ("?", 512)


@pytest.mark.parametrize("name", ["compact", "show_details", "show_latency"])
def test_a_flag_that_is_no_flag_is_refused(desk, feed, name):
    with pytest.raises(BadOptionType, match=f"{name}='yes': expected True or False"):
        widgets.ConnectionStatus(feed, **{name: "yes"})


def test_bad_options_are_refused(desk, feed):
    with pytest.raises(BadOption, match='position=\'top\': expected "inline" or "fixed"'):
        widgets.ConnectionStatus(feed, position="top")
    with pytest.raises(BadOptionType, match="on_refresh=5: something callable"):
        widgets.ConnectionStatus(feed, on_refresh=5)
    with pytest.raises(BadOptionType, match="ConnectionStatus needs a feed"):
        widgets.ConnectionStatus(5)
    with pytest.raises(BadOptionType, match="has no option 'colour'"):
        widgets.ConnectionStatus(feed, colour="red")


def test_the_options_reach_the_front_end(desk, feed):
    setup = widgets.ConnectionStatus(feed, compact=True, show_latency=False, position="fixed").comm.state["_setup"]
    assert setup == {
        "title": "Connection",
        "form": "compact",
        "details": True,
        "latency": False,
        "fixed": True,
        "fold_ms": 3000.0,
    }


# ---- all feeds


@pytest.fixture
def all_feeds(monkeypatch):
    """Two feeds are open: one stands, one is lost."""
    first, second = FakeFeed(), FakeFeed("fakeai")
    second.name = "other"
    second.status = a_status(state="RECONNECTING", protocol="fakeai", attempts=2, error="refused", latency_ms=9.0)
    second.connections = (a_connection(state="RECONNECTING", quality=None, latency_ms=None, last_error="refused"),)
    monkeypatch.setattr(registry, "feeds", lambda: (first, second))
    return first, second


def test_without_a_feed_all_open_feeds_are_shown(desk, all_feeds):
    status = widgets.ConnectionStatus()
    message = desk.open(status).one()
    assert (message["state"], message["url"], message["protocol"]) == ("RECONNECTING", "2 open feeds", "portal, fakeai")
    assert [row[0] for row in message["connections"]] == ["fake · stream", "other · stream"]
    assert (message["active"], message["total"], message["health"]) == (1, 2, "DEGRADED")
    assert (message["error"], message["attempts"], message["latency_ms"]) == ("refused", 2, 9.0)
    assert repr(status) == "ConnectionStatus(all feeds)"


def test_the_button_for_all_touches_only_those_that_are_not_connected(desk, all_feeds):
    first, second = all_feeds
    second.status = a_status(state="ERROR")
    press(desk, widgets.ConnectionStatus())
    assert (first.reconnects, first.connects, second.reconnects, second.connects) == (0, 0, 0, 1)


def test_without_any_feed_there_is_nothing_to_tell(desk, monkeypatch):
    monkeypatch.setattr(registry, "feeds", lambda: ())
    message = desk.open(widgets.ConnectionStatus()).one()
    assert (message["state"], message["url"], message["total"]) == ("DISCONNECTED", "0 open feeds", 0)
    assert desk.open(widgets.ConnectionBadge()).one()["state"] == "DISCONNECTED"


# ---- badge and figures


def test_the_badge_says_the_state_and_no_more(desk, feed):
    page = desk.open(widgets.ConnectionBadge(feed))
    message = page.one()
    assert {k: message[k] for k in ("state", "ended", "error")} == {"state": "CONNECTED", "ended": False, "error": None}
    feed.status = a_status(state="ERROR", error="404")
    assert page.take(0.5)[-1][0]["state"] == "ERROR"


def test_the_figures_add_up(desk, feed):
    feed.connections = (a_connection(), a_connection(state="RECONNECTING", messages=8, reconnects=2))
    topics = {"metrics": a_topic_status(undecoded=3, dropped=1), "network": a_topic_status(undecoded=2)}
    feed.status = a_status(latency_ms=5.0, topics=topics)
    assert items_of(desk.open(widgets.ConnectionStats(feed)).one()) == {
        "Active": "1 of 2",
        "Health": "DEGRADED",
        "Messages": "50",
        "Reconnects": "3",
        "Latency": "5.0 ms",
        "Not understood": "5",
        "Dropped": "1",
    }


def test_figures_that_do_not_change_send_nothing(desk, feed):
    stats = widgets.ConnectionStats(feed)
    page = desk.open(stats)
    page.take(5)
    assert stats.flow.sent == 1
    feed.connections = (a_connection(messages=43),)
    assert items_of(page.one(1.5))["Messages"] == "43"
    assert repr(stats) == "ConnectionStats(feed)"
