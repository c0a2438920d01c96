"""The connection: changes at once, figures once a second, and a button."""

import threading

from aurigraph_nb import widgets

from .doubles import START_NS, a_status, a_topic_status

SECOND = 1_000_000_000
LIMIT_S = 10


def last_error_in(messages):
    """What the notice line says in the end."""
    return [content["notice"]["error"] for content, _ in messages if "notice" in content][-1]


def test_the_state_of_the_feed_is_shown(desk, feed):
    feed.clock_ns = START_NS + 2 * SECOND
    message = desk.open(widgets.ConnectionStatus(feed)).one()
    assert (message["state"], message["url"], message["protocol"]) == ("CONNECTED", "ws://127.0.0.1:1", "portal")
    assert (message["age_ms"], message["next_try_ms"], message["attempts"]) == (2000, None, 0)
    assert message["topics"] == [["metrics", "CONNECTED", False, 10, 1.0, 2.5, 500, 0, 0, None]]


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
    status = widgets.ConnectionStatus(feed)
    status.comm.say(kind="reconnect", page="page-1")
    assert feed.reconnects == 0, "the handler only takes a note"
    desk.run(0.1)
    assert feed.reconnected.wait(LIMIT_S)
    status._reconnecting.join(LIMIT_S)
    assert status.errors == 0


def test_the_button_does_nothing_while_a_try_is_under_way(desk, feed):
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
    feed.reconnect_error = RuntimeError("no such node")
    status = widgets.ConnectionStatus(feed)
    page = desk.open(status)
    page.take()
    status.comm.say(kind="reconnect", page="page-1")
    desk.run(0.1)
    status._reconnecting.join(LIMIT_S)
    assert last_error_in(page.take(1)) == "RuntimeError: no such node"
    feed.reconnect_error = None
    status.comm.say(kind="reconnect", page="page-1")
    desk.run(0.1)
    status._reconnecting.join(LIMIT_S)
    assert last_error_in(page.take(1)) is None


def test_a_closed_feed_is_not_reconnected(desk, feed):
    feed.closed = True
    status = widgets.ConnectionStatus(feed)
    status.comm.say(kind="reconnect", page="page-1")
    desk.run(0.1)
    assert feed.reconnects == 0
