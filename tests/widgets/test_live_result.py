"""Live results: when they are made, what a page gets of them, and what happens when the function is slow or fails."""

import json
import math
import threading
import warnings
from decimal import Decimal
from functools import partial

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from aurigraph_nb import analytics
from aurigraph_nb.errors import BadOption, BadOptionType, FeedClosed
from aurigraph_nb.widgets import answers, assets, live_result
from aurigraph_nb.widgets.live_result import LiveResult
from aurigraph_nb.widgets.ticks import Ticks

from .doubles import START_NS

OWN_THREAD = live_result.spawn
HOSTILE = '<img src=x onerror="alert(1)">'


class Answer:
    """A result that carries what a test wants it to."""

    def __init__(self, value=1.0, *, table=None, points=3, **parts):
        self.value = value
        self.unit = "tx/s"
        self.reading = f"mean: {value}"
        self.notes = ()
        self.table = pd.DataFrame({"id": ["a", "b"], "share": [0.5, 0.25]}) if table is None else table
        self.points = points
        self.__dict__.update(parts)

    def plot(self):
        return go.Figure(go.Scatter(y=np.arange(self.points, dtype=float)))


class Hands:
    """Keeps the computations that a widget begins, until the test does them."""

    def __init__(self):
        self.begun = []

    def begin(self, work):
        self.begun.append(work)

    def work(self):
        """Do what was begun; returns how much that was."""
        begun, self.begun = self.begun, []
        for work in begun:
            work()
        return len(begun)


@pytest.fixture(autouse=True)
def hands(monkeypatch):
    hands = Hands()
    monkeypatch.setattr(live_result, "spawn", hands.begin)
    return hands


@pytest.fixture
def metrics(feed):
    feed["metrics"].put(tps=5.0)
    return feed["metrics"]


def mean(topic):
    return Answer(float(np.mean([row.tps for row in topic.store.records()])))


def line_of(message):
    """(times in ms, values) of the history in one message."""
    content, buffers = message
    numbers = np.frombuffer(buffers[0], "<f8")
    return numbers[: content["count"]].tolist(), numbers[content["count"] :].tolist()


# ---- when it is computed


def test_nothing_is_computed_before_somebody_looks(desk, hands, metrics):
    live = LiveResult(mean, metrics, every=1)
    desk.run(30)
    assert hands.begun == []
    assert (live.latest, len(live.history), live.computed) == (None, 0, 0)


def test_a_page_gets_the_first_result_and_then_one_an_interval(desk, hands, metrics):
    live = LiveResult(mean, metrics, every="10s")
    page = desk.open(live)
    assert page.one()["answer"] is None
    assert hands.work() == 1
    assert page.one()["answer"]["value"] == "5"
    for n in range(3):
        metrics.put(tps=5.0 + n)
        page.take(10.1)
        assert hands.work() == 1
    assert live.computed == 4
    assert live.latest.value == live.history.value.iloc[-1]


def test_it_waits_for_the_first_rows_but_not_for_ever(desk, hands, feed):
    live = LiveResult(lambda topic: Answer(len(topic.store)), feed["metrics"], every="10s")
    page = desk.open(live)
    page.take(5)
    assert hands.work() == 0
    page.take(6)
    assert hands.work() == 1
    assert live.latest.value == 0


def test_rows_that_come_are_shown_at_once(desk, hands, feed):
    live = LiveResult(mean, feed["metrics"], every="60s")
    page = desk.open(live)
    page.take(1)
    feed["metrics"].put(tps=2.0)
    page.take(0.3)
    assert hands.work() == 1
    assert page.one()["answer"]["value"] == "2"
    assert live.computed == 1


def test_a_slow_function_skips_ticks_and_never_overlaps(desk, hands, metrics):
    live = LiveResult(mean, metrics, every=2)
    page = desk.open(live)
    page.take(9)
    assert len(hands.begun) == 1
    assert live.skipped == 4
    assert hands.work() == 1
    assert page.take(2)[-1][0]["work"]["skipped"] == 4
    assert len(hands.begun) == 1


def test_it_rests_while_the_page_is_hidden(desk, hands, metrics):
    live = LiveResult(mean, metrics, every=1)
    page = desk.open(live)
    page.take(0.5)
    hands.work()
    page.rest()
    desk.run(60)
    assert hands.begun == []
    page.hello()
    desk.run(0.1)
    assert hands.work() == 1
    assert live.skipped == 0


def test_it_rests_when_the_page_is_gone_without_a_word(desk, hands, metrics):
    live = LiveResult(mean, metrics, every=1)
    desk.open(live)
    for _ in range(200):
        desk.run(1)
        hands.work()
        metrics.put(tps=1.0)
    assert live.computed < 100
    desk.run(5)
    assert hands.begun == []


def test_a_closed_feed_is_computed_once_more_and_then_left_alone(desk, hands, feed, metrics):
    live = LiveResult(mean, metrics, every=1)
    page = desk.open(live)
    page.take(0.5)
    hands.work()
    metrics.put(tps=7.0)
    feed.closed = True
    page.take(3)
    assert hands.work() == 1
    assert live.latest.value == 6.0
    page.take(30)
    assert hands.begun == []


def test_a_table_is_computed_once_since_it_does_not_change(desk, hands):
    frame = pd.DataFrame({"id": ["a", "b", "c"], "voting_power": [50.0, 30.0, 20.0]})
    live = LiveResult(analytics.nakamoto, frame, every=1, threshold=0.5)
    page = desk.open(live)
    page.take(1)
    assert hands.work() == 1
    assert page.one()["answer"]["value"] == "2"
    page.take(30)
    assert hands.begun == []
    assert repr(live) == "LiveResult(nakamoto, DataFrame)"


def test_it_runs_on_a_thread_of_its_own(desk, metrics, monkeypatch):
    monkeypatch.setattr(live_result, "spawn", OWN_THREAD)
    threads = []
    done = threading.Event()

    def noting(topic):
        threads.append(threading.current_thread())
        done.set()
        return Answer()

    live = LiveResult(noting, metrics)
    desk.open(live).take(0.1)
    assert done.wait(20)
    assert threads[0] is not threading.current_thread()
    assert threads[0].name == "aurigraph-result"
    assert live.refresh() is live.latest


def test_a_refresh_and_a_tick_never_overlap(desk, metrics, monkeypatch):
    monkeypatch.setattr(live_result, "spawn", OWN_THREAD)
    inside, most, go_on, entered = [0], [0], threading.Event(), threading.Event()

    def slow(topic):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        entered.set()
        assert go_on.wait(20)
        inside[0] -= 1
        return Answer()

    live = LiveResult(slow, metrics)
    desk.open(live).take(0.1)
    assert entered.wait(20)
    asking = threading.Thread(target=live.refresh)
    asking.start()
    go_on.set()
    asking.join(20)
    assert not asking.is_alive()
    assert (live.computed, most[0]) == (2, 1)


def test_a_thread_that_cannot_be_started_is_told_and_tried_again(desk, hands, metrics, monkeypatch):
    def none_left(work):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(live_result, "spawn", none_left)
    live = LiveResult(mean, metrics, every=1)
    page = desk.open(live)
    page.take(1)
    assert live.last_error == "RuntimeError: can't start new thread"
    monkeypatch.setattr(live_result, "spawn", hands.begin)
    page.take(4)
    assert hands.work() == 1


# ---- errors


def test_an_error_of_the_function_is_shown_counted_and_tried_again(desk, hands, metrics):
    fails = [True]

    def fragile(topic):
        if fails[0]:
            raise ValueError(HOSTILE)
        return Answer(3.0)

    live = LiveResult(fragile, metrics, every=1)
    page = desk.open(live)
    page.take(0.2)
    hands.work()
    message = page.one()
    assert message["notice"]["error"] == live.last_error == f"ValueError: {HOSTILE}"
    page.take(1)
    hands.work()
    assert live.errors == 2
    fails[0] = False
    page.take(1)
    hands.work()
    message = page.take(1)[-1][0]
    assert message["notice"]["error"] is None
    assert (message["notice"]["errors"], message["answer"]["value"]) == (2, "3")
    assert live.latest.value == 3.0


def test_what_is_no_result_is_told(desk, hands, metrics):
    live = LiveResult(lambda topic: 5, metrics)
    with pytest.raises(BadOptionType, match="gave int, which has no reading, value, unit, table, plot"):
        live.refresh()


def test_refresh_raises_what_the_function_raises_and_refuses_after_close(desk, metrics):
    def broken(topic):
        raise ZeroDivisionError("no rows")

    live = LiveResult(broken, metrics)
    with pytest.raises(ZeroDivisionError, match="no rows"):
        live.refresh()
    live.close()
    live.close()
    with pytest.raises(FeedClosed, match="closed"):
        live.refresh()


def test_a_computation_that_ends_after_close_changes_nothing(desk, hands, metrics):
    live = LiveResult(mean, metrics)
    desk.open(live).take(0.1)
    live.close()
    assert hands.work() == 1
    assert live.latest is None
    assert live.errors == 0


def test_warnings_of_the_function_are_not_printed_at_every_tick_unless_asked_for(desk, metrics, recwarn):
    def warns(topic):
        warnings.warn("half of them are missing", analytics.AnalyticsWarning, stacklevel=2)
        return Answer()

    with warnings.catch_warnings():
        warnings.resetwarnings()
        live, _ = LiveResult(warns, metrics), LiveResult(warns, metrics)
        assert sum(action == "ignore" for action, *_ in warnings.filters) == 1
        live.refresh()
        assert not recwarn.list
        warnings.simplefilter("error", analytics.AnalyticsWarning)
        with pytest.raises(analytics.AnalyticsWarning, match="half"):
            live.refresh()


# ---- what the page gets


def test_the_message_carries_texts_rows_figure_and_history(desk, hands, feed, metrics):
    live = LiveResult(mean, metrics, every=1, title="Mean")
    assert live._setup == {"title": "Mean", "height": 260, "every_s": 1.0}
    page = desk.open(live)
    page.take(0.2)
    hands.work()
    page.take(0.2)
    feed.clock_ns += 10**9
    metrics.put(tps=7.0)
    page.take(1)
    hands.work()
    content, buffers = message = page.take(1)[0]
    assert content["answer"] | {"notes": 0} == {
        "reading": "mean: 6.0",
        "value": "6",
        "unit": "tx/s",
        "notes": 0,
        "columns": [["id", False], ["share", True]],
        "rows": [["a", "0.5"], ["b", "0.25"]],
        "more_rows": 0,
        "more_columns": 0,
    }
    assert line_of(message) == ([START_NS / 1e6, START_NS / 1e6 + 1000], [5, 6])
    assert json.loads(buffers[1])["data"][0]["type"] == "scatter"
    assert live.history.time.tolist() == [pd.Timestamp(START_NS, tz="UTC"), pd.Timestamp(START_NS + 10**9, tz="UTC")]
    assert live.history.dtypes.astype(str).tolist() == ["datetime64[ns, UTC]", "float64"]


def test_a_notice_alone_is_small(desk, hands, feed, metrics):
    live = LiveResult(mean, metrics, every="60s")
    page = desk.open(live)
    page.take(0.2)
    hands.work()
    page.take(1)
    feed.status.state = "RECONNECTING"
    (message,) = page.take(1)
    assert message[0]["notice"]["link"] == "RECONNECTING"
    assert "answer" not in message[0] and message[1] == []


def test_a_large_table_travels_in_part_and_says_so(desk, hands, metrics):
    table = pd.DataFrame(np.arange(12_000).reshape(1000, 12), columns=[f"c{i}" for i in range(12)])
    live = LiveResult(lambda topic: Answer(table=table), metrics)
    live.refresh()
    body = desk.open(live).one()["answer"]
    assert (len(body["rows"]), len(body["columns"])) == (answers.SHOWN_ROWS, answers.SHOWN_COLUMNS)
    assert (body["more_rows"], body["more_columns"]) == (950, 2)


@pytest.mark.parametrize("every, points, sent", [(1, 500, True), (1, 2_000, False), (60, 2_000, True)])
def test_a_figure_travels_only_if_the_line_can_bear_it_so_often(desk, metrics, every, points, sent):
    live = LiveResult(lambda topic: Answer(points=points), metrics, every=every)
    live.refresh()
    ((content, buffers),) = desk.open(live).take()
    assert bool(buffers[1]) is sent
    assert any(".latest.plot()" in note for note in content["answer"]["notes"]) is not sent


def test_a_busy_widget_stays_within_its_share_of_the_line(desk, hands, metrics):
    table = pd.DataFrame({"id": [f"validator-{i}" for i in range(400)], "share": np.random.default_rng(1).random(400)})
    live = LiveResult(lambda topic: Answer(1.5, table=table, points=400), metrics, every=1)
    page = desk.open(live)
    for _ in range(600):
        page.take(1)
        hands.work()
    assert live.computed > 550
    assert live.flow.bytes / 600 < 20_000
    assert live.flow.sent < 700


def test_the_history_is_bounded_and_thinned(desk, metrics, monkeypatch):
    monkeypatch.setattr(live_result, "HISTORY", 1000)
    values = iter(range(10_000))
    live = LiveResult(lambda topic: Answer(next(values), table=pd.DataFrame()), metrics)
    for _ in range(1100):
        live.refresh()
    assert live.history.value.tolist() == list(range(100, 1100))
    (message,) = desk.open(live).take()
    assert 2 < message[0]["count"] <= answers.HISTORY_POINTS + 2
    assert line_of(message)[1][-1] == 1099


def test_hostile_and_odd_cells_become_bounded_text(desk, metrics):
    table = pd.DataFrame(
        {
            "text": pd.Series([HOSTILE, "x" * 1000, "\ud800", None], dtype=object),
            "amount": [Decimal("12345678901234567890.5"), Decimal("NaN"), None, Decimal(2)],
            "at": pd.to_datetime(["2026-01-01T00:00:01.5Z", None, None, None]),
            "number": [float("inf"), float("nan"), 1e300, 1_500_000.4],
            "yes": [True, False, True, False],
        }
    )
    live = LiveResult(lambda topic: Answer(HOSTILE, table=table, unit=HOSTILE, notes=(HOSTILE,)), metrics)
    live.refresh()
    body = desk.open(live).one()["answer"]
    first, second, third, fourth = body["rows"]
    assert first == [HOSTILE, "12,345,678,901,234,567,890.5", "2026-01-01 00:00:01", "∞", "yes"]
    assert second == ["x" * 63 + "…", "–", "–", "–", "no"]
    assert third == ["?", "–", "–", "1e+300", "yes"]
    assert fourth[3] == "1,500,000"
    assert body["value"] == body["unit"] == body["notes"][0] == HOSTILE
    assert math.isnan(live.history.value.iloc[0])


def test_a_result_without_rows_has_no_figure(desk, metrics):
    live = LiveResult(lambda topic: Answer(None, table=pd.DataFrame({"id": []})), metrics)
    live.refresh()
    ((content, buffers),) = desk.open(live).take()
    assert (content["answer"]["value"], content["answer"]["rows"], buffers[1]) == ("–", [], b"")


@pytest.mark.parametrize("value", [True, 3, Decimal("1.5"), np.float64(2.5), np.int64(7)])
def test_every_kind_of_number_is_a_point_of_the_history(desk, metrics, value):
    live = LiveResult(lambda topic: Answer(value), metrics)
    live.refresh()
    assert live.history.value.tolist() == [float(value)]


# ---- options


@pytest.mark.parametrize("every", [0, 0.5, "10ms", -1, "soon", float("nan")])
def test_an_interval_has_to_be_a_second_at_least(desk, metrics, every):
    with pytest.raises(BadOption, match="every="):
        LiveResult(mean, metrics, every=every)


def test_an_interval_has_to_be_a_duration(desk, metrics):
    with pytest.raises(BadOptionType, match="every="):
        LiveResult(mean, metrics, every=[])


def test_options_that_the_function_does_not_have_are_refused_at_once(desk, metrics):
    with pytest.raises(BadOptionType, match=r"nakamoto cannot be called .*'treshold'"):
        LiveResult(analytics.nakamoto, metrics, treshold=0.5)
    with pytest.raises(BadOptionType, match="expected a function"):
        LiveResult("nakamoto", metrics)
    with pytest.raises(BadOptionType, match="needs what nakamoto is to read"):
        LiveResult(analytics.nakamoto)
    with pytest.raises(BadOptionType, match="height"):
        LiveResult(mean, metrics, height="tall")


def test_a_partial_brings_options_of_names_that_the_widget_has_too(desk, metrics):
    live = LiveResult(partial(analytics.resample, every="1s"), metrics, every="5s")
    assert repr(live) == "LiveResult(resample, metrics)"
    assert live._setup["title"] == "Resample"
    assert live._setup["every_s"] == 5.0


def test_a_feed_and_several_topics_can_be_read(desk, hands, feed, metrics):
    live = LiveResult(lambda a, b: Answer(len(a.store) + len(b.store)), metrics, feed["network"])
    assert (metrics.opened, feed["network"].opened) == (1, 1)
    assert repr(live) == "LiveResult(result, metrics, network)"
    whole = LiveResult(lambda f: Answer(len(f["metrics"].store)), feed, every=1)
    assert repr(whole) == "LiveResult(result, feed)"
    feed.closed = True
    page = desk.open(whole)
    page.take(1)
    assert hands.work() == 1
    page.take(20)
    assert hands.begun == []
    metrics.put(tps=1.0)
    page.take(2)
    assert hands.work() == 1


def test_the_script_is_small_and_writes_text_only():
    script = assets.script("result")
    assert len((script + assets.style("result")).encode()) <= 40_000
    assert script.index("class Link") < script.index("fetchPlotly") < script.index("export default defineWidget(")
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "cssText"):
        assert forbidden not in script


# ---- the interval


def test_ticks_keep_their_grid_and_make_up_for_no_pause():
    ticks = Ticks(10.0)
    assert [now for now in range(45) if ticks.due(float(now), busy=False)] == [0, 10, 20, 30, 40]
    assert ticks.due(1000.0, busy=False)
    assert not ticks.due(1005.0, busy=False)
    assert not ticks.due(1010.0, busy=True)
    assert ticks.skipped == 1


def test_numbers_without_bound_are_left_out_of_the_figure():
    figure = go.Figure([go.Scatter(y=[1.0, 2.0**1023, math.inf]), go.Bar(y=[3, 4])])
    figure.add_hline(y=2.0**1023)
    figure.add_hline(y=2.0)
    answer = answers.answer_of(Answer(plot=lambda: figure), every_s=60)
    made = json.loads(answer.figure)
    assert list(figure.data[0].y[:1]) == [1.0] and np.isnan(figure.data[0].y[1:]).all()
    assert list(figure.data[1].y) == [3, 4]
    assert [shape["y0"] for shape in made["layout"]["shapes"]] == [2.0]


def test_what_overflows_in_the_function_warns_nobody(desk, metrics):
    metrics.put(tps=1.0)

    def overflows(_):
        return Answer(float(np.float64(1e308) * np.float64(10)))

    live = LiveResult(overflows, metrics, every=1)
    live.refresh()
    assert live.latest.value == math.inf and live.last_error is None
