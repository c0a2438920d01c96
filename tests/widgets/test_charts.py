"""Charts: points as binary appends, windows, gaps, plotly.js on request."""

import gzip
import math

import numpy as np
import pytest

from aurigraph_nb import widgets
from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.gaps import Cause, Certainty
from aurigraph_nb.widgets.charts import DELTA_POINTS, MAX_POINTS, numeric_columns

from .doubles import START_NS, FakeTopic

SECOND = 1_000_000_000


def points_of(message):
    """(times in ms, values by line) of one message."""
    content, (buffer,) = message
    values = np.frombuffer(buffer, "<f8")
    count = content["count"]
    return values[:count].tolist(), values[count:].reshape(-1, count).tolist() if count else []


@pytest.fixture
def metrics(feed):
    return feed["metrics"]


def test_a_snapshot_carries_the_stored_points(desk, feed, metrics):
    for tps in (1.0, 2.0, 3.0):
        metrics.put(tps=tps)
    (message,) = desk.open(widgets.TPSChart(feed)).take()
    times, (tps,) = points_of(message)
    assert tps == [1, 2, 3]
    assert times == [START_NS / 1e6 + 1000 * i for i in range(3)]


def test_a_new_row_travels_alone_and_small(desk, feed, metrics):
    metrics.put(tps=1.0)
    chart = widgets.TPSChart(feed)
    page = desk.open(chart)
    page.take()
    before = chart.flow.bytes
    metrics.put(tps=2.0)
    (message,) = page.take()
    assert points_of(message)[1] == [[2.0]]
    assert chart.flow.bytes - before < 100


def test_several_columns_share_their_times(desk, metrics):
    metrics.put(tps=1.0, cpu_percent=50.0, error_rate=None)
    chart = widgets.LiveChart(metrics, y=["tps", "cpu_percent", "error_rate", "tps"])
    assert chart.y == ("tps", "cpu_percent", "error_rate")
    (message,) = desk.open(chart).take()
    (tps,), (cpu,), (errors,) = points_of(message)[1]
    assert (tps, cpu) == (1, 50)
    assert math.isnan(errors)


def test_lines_with_different_units_get_panels_of_their_own(desk, metrics):
    chart = widgets.LiveChart(metrics, y=["cpu_percent", "tps", "memory_percent", "connections"])
    panels = [(line["unit"], line["panel"]) for line in chart.comm.state["_setup"]["lines"]]
    assert panels == [("%", 0), ("tx/s", 1), ("%", 0), ("", 2)]


def test_a_gap_breaks_the_line_and_is_shaded(desk, feed, metrics):
    metrics.put(tps=1.0)
    page = desk.open(widgets.TPSChart(feed))
    page.take()
    feed.gaps.open("metrics", Cause.DISCONNECT, Certainty.UNKNOWN, START_NS, 1)
    feed.gaps.open("network", Cause.DISCONNECT, Certainty.UNKNOWN, START_NS, 1)
    (message,) = page.take()
    assert message[0]["gaps"] == [[START_NS / 1e6, None, "disconnect"]]
    metrics.put(tps=2.0, gap_before=True)
    feed.gaps.close("metrics", Cause.DISCONNECT, START_NS + SECOND)
    (message,) = page.take()
    assert message[0]["gaps"] == [[START_NS / 1e6, START_NS / 1e6 + 1000, "disconnect"]]
    broken, after = points_of(message)[1][0]
    assert (math.isnan(broken), after) == (True, 2.0)


def test_a_time_window_shows_its_span_and_no_more(desk, metrics):
    for i in range(10):
        metrics.put(tps=float(i))
    (message,) = desk.open(widgets.LiveChart(metrics, last="3s")).take()
    assert points_of(message)[1] == [[6, 7, 8, 9]]


def test_a_number_of_points_shows_the_newest_rows(desk, metrics):
    for i in range(50):
        metrics.put(tps=float(i))
    (message,) = desk.open(widgets.LiveChart(metrics, points=10)).take()
    assert points_of(message)[1] == [list(range(40, 50))]


def test_a_flood_is_thinned_and_counted(desk, metrics):
    chart = widgets.LiveChart(metrics, points=5000)
    page = desk.open(chart)
    page.take()
    record = metrics.put(tps=1.0)
    metrics.store.append([record] * 3000)
    ((content, _),) = page.take()
    assert content["kind"] == "delta"
    assert content["count"] <= DELTA_POINTS + 4
    assert chart.flow.merged == 3001 - content["count"]


def test_a_browser_that_holds_too_much_gets_a_thinned_snapshot(desk, metrics):
    chart = widgets.LiveChart(metrics, points=100)
    page = desk.open(chart)
    page.take()
    held = resets = 0
    for _ in range(20):
        record = metrics.put(tps=1.0)
        metrics.store.append([record] * 30)
        for content, _ in page.take(0.3):
            assert content["kind"] == "delta"
            resets += content.get("reset", False)
            held = content["count"] if content.get("reset") else held + content["count"]
            assert held <= chart.comm.state["_setup"]["points"]
    assert resets > 2


def test_rows_evicted_before_they_were_drawn_are_counted_as_dropped(desk):
    topic = FakeTopic("metrics", widgets.charts.Metrics, max_rows=100)
    chart = widgets.LiveChart(topic, points=50)
    page = desk.open(chart)
    page.take()
    record = topic.put(tps=1.0)
    topic.store.append([record] * 299)
    page.take()
    assert chart.flow.dropped == 200


def test_plotly_is_sent_when_asked_for_and_only_then(desk, feed):
    chart = widgets.TPSChart(feed)
    page = desk.open(chart)
    page.take()
    chart.comm.say(kind="plotly", page="page-1")
    (message,) = page.take(ack=False)
    assert message[0] == {"kind": "plotly"}
    script = gzip.decompress(message[1][0])
    assert b"plotly.js" in script[:200]
    assert len(message[1][0]) < 1_700_000
    assert page.take() == []


def test_plotly_is_not_part_of_what_opening_a_chart_costs(desk, feed):
    chart = widgets.TPSChart(feed)
    state = chart.comm.state
    assert len(state["_esm"]) + len(state["_css"]) < 60_000


def test_the_figure_shows_what_the_chart_shows(desk, feed, metrics):
    metrics.put(tps=1.0, cpu_percent=10.0)
    metrics.put(tps=2.0, cpu_percent=20.0, gap_before=True)
    feed.gaps.open("metrics", Cause.IDLE, Certainty.BOUNDED, START_NS, 1)
    figure = widgets.LiveChart(metrics, y=["tps", "cpu_percent"], title="Load").figure()
    assert [trace.name for trace in figure.data] == ["TPS", "CPU"]
    assert [trace.yaxis for trace in figure.data] == ["y", "y2"]
    assert len(figure.data[0].x) == 3
    assert str(figure.data[0].x[0]).startswith("2026-01-01T00:00:00")
    assert len(figure.layout.shapes) == 1
    assert figure.layout.title.text == "Load"


def test_the_figure_of_an_empty_chart_is_empty(desk, feed):
    feed.gaps.open("metrics", Cause.IDLE, Certainty.BOUNDED, START_NS, 1)
    assert len(widgets.TPSChart(feed).figure().data[0].x) == 0


def test_a_chart_takes_the_first_numeric_column_by_itself(desk, metrics):
    assert widgets.LiveChart(metrics).y == ("tps",)
    assert "timestamp" not in numeric_columns(metrics.record_type)


def test_tps_can_be_drawn_from_a_topic_alone(desk, metrics):
    metrics.feed = None
    chart = widgets.TPSChart(metrics)
    metrics.put(tps=3.0)
    (message,) = desk.open(chart).take()
    assert message[0]["gaps"] == []


@pytest.mark.parametrize(
    "options, words",
    [
        ({"y": "speed"}, "y='speed': Metrics has no such numeric column; it has tps, cpu_percent"),
        ({"y": "timestamp"}, "no such numeric column"),
        ({"y": []}, "expected one to 8 numeric columns"),
        ({"last": "10min", "points": 10}, "give one of them"),
        ({"last": 0}, "a span of time above 0"),
        ({"last": "soon"}, "last='soon'"),
        ({"points": 5}, f"from 10 to {MAX_POINTS}"),
        ({"points": MAX_POINTS + 1}, f"from 10 to {MAX_POINTS}"),
    ],
)
def test_a_bad_option_of_a_chart_is_refused(desk, metrics, options, words):
    with pytest.raises(BadOption, match=words):
        widgets.LiveChart(metrics, **options)


@pytest.mark.parametrize("points", ["many", 2.5, True])
def test_points_of_a_wrong_type_are_refused(desk, metrics, points):
    with pytest.raises(BadOptionType, match="points="):
        widgets.LiveChart(metrics, points=points)
