"""The banner: what an alert says on the page, until its reader has had enough of it."""

import pytest

from aurigraph_nb import widgets
from aurigraph_nb.alerts import alert
from aurigraph_nb.errors import BadOptionType
from aurigraph_nb.widgets.banner import AlertBanner

from .doubles import START_NS


def made_alert(feed, **options):
    """An alert that looks at rows where the test puts them, not on the callback thread."""
    topic = feed["metrics"]
    topic.on_record = lambda fn, where=None, batch=False: NoSubscription()
    made = alert(topic, lambda row: row.tps < 10, options.pop("action", "banner"), **{"cooldown": 0, **options})
    made.put = lambda **fields: made.look([topic.put(**fields)])
    return made


class NoSubscription:
    closed, dropped = False, 0

    def close(self):
        self.closed = True


def test_an_alert_with_a_banner_shows_it_as_a_cells_result(desk, feed):
    made = made_alert(feed)
    assert isinstance(made.view, AlertBanner)
    assert "application/vnd.jupyter.widget-view+json" in made._repr_mimebundle_()[0]


def test_a_banner_says_what_since_when_and_whether_it_is_over(desk, feed):
    made = made_alert(feed, name="Load low", severity="error")
    page = desk.open(made.view)
    assert page.one()["alarms"] == []
    made.put(tps=5.0)
    message = page.one(1)
    assert message["alarms"] == [
        {
            "alert": 0,
            "name": "Load low",
            "severity": "error",
            "at": START_NS / 1e6,
            "active": True,
            "count": 1,
            "raised": 1,
            "error": None,
        }
    ]
    made.put(tps=50.0)
    assert page.one(1)["alarms"][0]["active"] is False
    made.put(tps=5.0)
    assert page.one(1)["alarms"][0]["count"] == 2


def test_rows_that_change_nothing_send_nothing(desk, feed):
    made = made_alert(feed)
    page = desk.open(made.view)
    page.take()
    for _ in range(50):
        made.put(tps=50.0)
    assert page.take(2) == []


def test_dismissed_alarms_go_from_every_page_and_the_next_one_comes(desk, feed):
    made = made_alert(feed)
    page = desk.open(made.view)
    made.put(tps=5.0)
    page.take(1)
    page.comm.say(kind="dismiss", page="page-1", seen=[[0, 1]])
    assert page.one(1)["alarms"] == []
    assert made.view.shown == ()
    made.put(tps=50.0)
    made.put(tps=5.0)
    assert page.take(1)[-1][0]["alarms"][0]["count"] == 1
    assert [alarm.record.tps for alarm in made.view.shown] == [5.0]


def test_an_alarm_that_nobody_saw_is_not_dismissed_with_the_others(desk, feed):
    made = made_alert(feed)
    page = desk.open(made.view)
    for tps in (5.0, 50.0, 5.0):
        made.put(tps=tps)
    page.comm.say(kind="dismiss", page="page-1", seen=[[0, 1]])
    desk.run(1)
    assert len(made.view.shown) == 1


@pytest.mark.parametrize("seen", [None, "all", [[0]], [["0", 1]], [[7, 1]], [[-1, 5]], [[0, True]], [[True, 1]]])
def test_nonsense_of_a_page_dismisses_nothing(desk, feed, seen):
    made = made_alert(feed)
    page = desk.open(made.view)
    made.put(tps=5.0)
    page.comm.say(kind="dismiss", page="page-1", seen=seen)
    desk.run(1)
    assert len(made.view.shown) == 1
    assert made.view.errors == 0


def test_python_can_dismiss_too(desk, feed):
    made = made_alert(feed)
    made.put(tps=5.0)
    made.view.dismiss()
    assert made.view.shown == ()


def test_one_banner_shows_several_alerts(desk, feed):
    low, high = made_alert(feed, name="low", action="log"), made_alert(feed, name="other", action="log")
    banner = AlertBanner(low, high, low)
    assert repr(banner) == "AlertBanner(2 alerts)"
    page = desk.open(banner)
    low.put(tps=1.0)
    high.put(tps=2.0)
    assert [a["name"] for a in page.take(1)[-1][0]["alarms"]] == ["low", "other"]


def test_closing_the_alert_closes_its_banner_and_closing_the_banner_no_alert(desk, feed):
    made = made_alert(feed)
    made.view.close()
    assert not made.closed
    other = made_alert(feed)
    comm = other.view.comm
    other.close()
    assert comm.closed and other.closed


def test_an_event_log_shows_the_alarms_of_an_alert(desk, feed):
    made = made_alert(feed, name="low", action="log")
    made.put(tps=5.0)
    made.put(tps=50.0)
    log = widgets.EventLog(made, keep=500)
    assert (log.comm.state["_setup"]["title"], made.events.keep) == ("Alert events", 500)
    assert [event[2:] for event in desk.open(log).one()["events"]] == [
        ["ALERT", "warning", "low"],
        ["CLEARED", "info", "low: over"],
    ]


@pytest.mark.parametrize("given", [(), (5,), ("x",)])
def test_a_banner_needs_alerts(desk, given):
    with pytest.raises(BadOptionType, match=r"AlertBanner needs 1 to 20 alerts as ag\.alert\(…\) returns them"):
        AlertBanner(*given)
