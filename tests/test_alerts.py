"""Alerts: told once at the edge, not too often, and never at the cost of the feed."""

import logging
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aurigraph_nb as ag
from aurigraph_nb.alerts import MOST_ALARMS, Alert, Trigger, alert
from aurigraph_nb.errors import BadOption, BadOptionType, FeedClosed
from aurigraph_nb.schema import Metrics

S = 1_000_000_000


class TopicDouble:
    """A topic whose rows come when told, on this thread."""

    name = "metrics"
    record_type = Metrics
    feed = None

    def __init__(self):
        self.fn = None

    def on_record(self, fn, where=None, batch=False):
        self.fn, self.closed, self.dropped = fn, False, 0
        return self

    def close(self):
        self.closed = True

    def put(self, *values, at=None):
        start = getattr(self, "n", 0)
        rows = [
            Metrics(recv_ns=(start + i if at is None else at) * S, conn_epoch=1, n=start + i, tps=value)
            for i, value in enumerate(values)
        ]
        self.n = start + len(rows)
        self.fn(rows)


def low(row):
    return row.tps < 10


@pytest.fixture
def topic():
    return TopicDouble()


def told(topic, **options):
    alarms = []
    return alert(topic, low, alarms.append, **{"cooldown": 0, **options}), alarms


def test_an_alert_is_told_at_the_edge_and_not_at_every_row(topic):
    made, alarms = told(topic)
    topic.put(20.0, 5.0, 4.0, 3.0, 20.0, 20.0, 5.0)
    assert [alarm.record.n for alarm in alarms] == [1, 6]
    assert (made.raised, made.rows, made.active) == (2, 7, True)
    assert [event.type for event in made.events] == ["ALERT", "CLEARED", "ALERT"]
    assert made.events[1].severity == "info"


def test_a_second_threshold_keeps_a_value_that_hovers_quiet(topic):
    made, alarms = told(topic, clear=lambda row: row.tps > 15)
    topic.put(9.0, 11.0, 9.0, 12.0, 9.0)
    assert len(alarms) == 1
    topic.put(16.0, 9.0)
    assert len(alarms) == 2
    assert made.active


def test_only_so_many_rows_in_sequence_raise_it(topic):
    _, alarms = told(topic, after=3)
    topic.put(5.0, 5.0, 20.0, 5.0, 5.0)
    assert not alarms
    topic.put(5.0)
    assert [alarm.record.n for alarm in alarms] == [5]


def test_what_is_over_before_the_cooldown_is_suppressed_and_counted(topic):
    made, alarms = told(topic, cooldown=5)
    topic.put(5.0, 20.0, 5.0, 20.0, 20.0, 20.0, 5.0)
    assert [alarm.record.n for alarm in alarms] == [0, 6]
    assert made.suppressed == 1


def test_what_still_holds_at_the_end_of_the_cooldown_is_told_then(topic):
    made, alarms = told(topic, cooldown="5s")
    topic.put(5.0, 20.0, 5.0, 5.0, 5.0, 5.0, 5.0)
    assert [alarm.record.n for alarm in alarms] == [0, 5]
    assert made.suppressed == 0


def test_a_row_that_cannot_be_judged_changes_nothing_and_is_counted(topic):
    made, alarms = told(topic)
    topic.put(5.0, None, 5.0)
    assert len(alarms) == 1
    assert made.errors == 1 and made.last_error.startswith("TypeError")


def test_an_action_that_raises_is_counted_and_the_alert_goes_on(topic):
    def action(alarm):
        raise RuntimeError("no siren")

    made = alert(topic, low, action, cooldown=0)
    topic.put(5.0, 20.0, 5.0)
    assert (made.raised, made.errors, made.last_error) == (2, 2, "RuntimeError: no siren")


def test_the_log_says_what_and_when_in_one_line(topic, caplog):
    with caplog.at_level(logging.INFO, "aurigraph_nb.alerts"):
        alert(topic, low, "log", name="too\nlow\x1b[31m", severity="error")
        topic.put(5.0)
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("ERROR", "alert: too low [31m (row 0, 1970-01-01T00:00:00+00:00)")
    ]


def test_the_alarms_kept_are_bounded(topic):
    made, _ = told(topic, keep=3)
    topic.put(*[5.0, 20.0] * 50)
    assert (len(made.events), made.events.total, made.raised) == (3, 100, 50)


def test_a_closed_alert_watches_no_longer_and_keeps_its_alarms(topic):
    with told(topic)[0] as made:
        topic.put(5.0)
        assert not made.closed
    made.close()
    assert made.closed and topic.closed
    assert made.events[0].name == "metrics: low"


def test_its_name_and_repr_are_plain_text(topic):
    assert repr(alert(topic, lambda row: False)) == "<Alert metrics: quiet, never raised, 0 rows looked at>"
    assert alert(topic, low, name="x" * 500).name == "x" * 119 + "…"
    assert alert(topic, low)._repr_mimebundle_() == {
        "text/plain": "<Alert metrics: low: quiet, never raised, 0 rows looked at>"
    }


def test_its_repr_tells_what_became_of_it(topic):
    made = told(topic)[0]
    topic.put(5.0)
    assert repr(made) == "<Alert metrics: low: active, raised once, 1 row looked at>"
    made.close()
    assert repr(made).startswith("<Alert metrics: low: closed, raised once")
    broken = alert(topic, lambda row: row.nosuch > 1, name="broken")
    topic.put(5.0)
    words = "1 error, the last: AttributeError: 'Metrics' object has no attribute 'nosuch'"
    assert repr(broken).endswith(f"{words}>")


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"action": "siren"}, BadOption, 'a function that takes the alarm, or one of "log"'),
        ({"action": None}, BadOption, "action=None"),
        ({"after": 0}, BadOption, "after=0: expected a whole number from 1 to 10,000"),
        ({"after": True}, BadOptionType, "after=True"),
        ({"keep": MOST_ALARMS + 1}, BadOption, "keep=10001"),
        ({"severity": "bad"}, BadOption, "expected one of 'info', 'warning', 'error'"),
        ({"clear": 5}, BadOptionType, "clear=5: something callable"),
        ({"name": 5}, BadOptionType, "name=5: expected a text"),
        ({"name": "\n"}, BadOption, "a text that can be read"),
        ({"cooldown": -1}, BadOption, "cooldown=-1 is negative"),
    ],
)
def test_a_bad_option_is_refused(topic, options, error, words):
    with pytest.raises(error, match=words):
        alert(topic, low, **options)
    assert topic.fn is None


@pytest.mark.parametrize("given", [None, [], "metrics"])
def test_something_else_than_a_topic_is_refused(given):
    with pytest.raises(BadOptionType, match=r"alert needs a topic such as feed\.metrics, not"):
        alert(given, low)


def test_a_condition_has_to_be_callable(topic):
    with pytest.raises(BadOptionType, match="condition=True: something callable"):
        alert(topic, True)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=80), st.integers(1, 3), st.integers(0, 20))
def test_alarms_alternate_keep_their_distance_and_need_their_rows(steps, after, cooldown):
    trigger, now, raised, changes = Trigger(after=after, cooldown_ns=cooldown), 0, [], []
    for bad, pause in steps:
        now += pause
        change = trigger.step(bad, not bad, now)
        changes += [change] if change else []
        if change == "raised":
            assert bad
            raised.append(now)
    assert changes == (["raised", "cleared"] * len(changes))[: len(changes)]
    assert all(b - a >= cooldown for a, b in pairwise(raised))
    assert trigger.active == (len(changes) % 2 == 1)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=80))
def test_without_a_cooldown_every_edge_is_told(steps):
    trigger, active = Trigger(), False
    for now, (bad, good) in enumerate(steps):
        change = trigger.step(bad, good, now)
        wanted = "raised" if bad and not active else "cleared" if good and not bad and active else None
        assert change == wanted
        active = trigger.active
    assert trigger.suppressed == 0


def run_of(**options):
    """A finite run on a clock of its own, and the alarms that it raised."""
    feed = ag.replay(ag.sample(duration="60s", seed=7, **options), speed="max", paused=True)
    alarms = []
    with alert(feed.metrics, lambda row: row.n % 20 >= 15, alarms.append, cooldown=0) as made:
        feed.resume()
        feed.join(timeout=60)
    feed.close()
    assert isinstance(made, Alert)
    return [(alarm.record.n, alarm.recv_ns) for alarm in alarms], made


def test_two_equal_runs_raise_equal_alarms():
    first, made = run_of()
    second, _ = run_of()
    assert [n for n, _ in first] == [15, 35, 55]
    assert first == second
    assert (made.rows, made.dropped) == (60, 0)


def test_a_fault_in_a_condition_shows_in_the_status_of_the_feed():
    feed = ag.replay(ag.sample(duration="5s", seed=7), speed="max", paused=True)
    with alert(feed.metrics, lambda row: 1 / 0) as made:
        feed.resume()
        feed.join(timeout=30)
    assert made.errors == feed.status.callback_errors == 5
    feed.close()
    with pytest.raises(FeedClosed):
        alert(feed.metrics, low)


def test_actions_run_on_the_callback_thread():
    feed = ag.replay(ag.sample(duration="5s", seed=7), speed="max", paused=True)
    names = []
    with alert(feed.metrics, lambda row: True, lambda alarm: names.append(threading.current_thread().name)):
        feed.resume()
        feed.join(timeout=30)
    feed.close()
    assert names == ["aurigraph-nb-callbacks"]
