"""Charts: points as binary appends, windows, gaps, plotly.js on request."""

import gzip
import math

import numpy as np
import pytest

from aurigraph_nb import widgets
from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.gaps import Cause, Certainty
from aurigraph_nb.widgets.chart_plan import BROWSER_POINTS, FINE_POINTS
from aurigraph_nb.widgets.charts import DELTA_POINTS, MAX_POINTS, numeric_columns

from .doubles import START_NS, FakeTopic, a_status

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
    (shade,) = figure.layout.shapes
    assert shade.x0 <= shade.x1 and shade.x0.startswith("2026-01-01T00:00:00")
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


# ---- many rows, and zooms


def fine_of(message, lines=1):
    """The answers to zooms in a message: view, times in ms, values by line."""
    content, buffers = message
    found = []
    for answer, buffer in zip(content.get("fine", []), buffers[1:], strict=True):
        values = np.frombuffer(buffer, "<f8").reshape(lines + 1, -1)
        assert values.shape[1] == answer["count"]
        found.append((answer["view"], values[0].tolist(), values[1:].tolist()))
    return found


def look_at(chart, start, end, view="v", page="page-1"):
    chart.comm.say(kind="range", page=page, view=view, start=start, end=end)


@pytest.fixture(scope="module")
def many_rows():
    """A topic with 200,001 rows, one a millisecond, a peak and a low of one row each."""
    topic = FakeTopic("metrics", widgets.charts.Metrics)
    rng = np.random.default_rng(7)
    values = 1e6 + rng.normal(0, 100, 200_000).cumsum()
    values[[123_456, 54_321]] = 9e9, -9e9
    first = topic.put(tps=1.0)
    for start in range(0, len(values), 10_000):
        times = [START_NS + n * 1_000_000 for n in range(start, start + 10_000)]
        topic.store.append(
            [
                type(first)(timestamp=t, recv_ns=t, conn_epoch=1, n=start + i, tps=float(values[start + i]))
                for i, t in enumerate(times)
            ]
        )
    return topic


@pytest.mark.parametrize("options", [{"last": "20min"}, {"points": MAX_POINTS}])
def test_any_number_of_rows_fits_into_the_browser_with_exact_extremes(desk, many_rows, options):
    chart = widgets.LiveChart(many_rows, **options)
    page = desk.open(chart)
    times, (tps,) = points_of(page.take()[0])
    assert len(times) <= 2000
    assert (max(tps), min(tps)) == (9e9, -9e9)
    assert chart.comm.state["_setup"]["points"] + FINE_POINTS <= BROWSER_POINTS


def test_a_zoom_gets_the_outline_of_its_range_with_the_exact_extremes(desk, many_rows):
    chart = widgets.LiveChart(many_rows, last="20min")
    page = desk.open(chart)
    page.take()
    start = START_NS / 1e6 + 120_000
    look_at(chart, start, start + 10_000)
    (message,) = page.take()
    ((view, times, (tps,)),) = fine_of(message)
    assert (view, message[0]["count"]) == ("v", 0)
    assert 1000 < len(times) <= FINE_POINTS
    assert times[0] <= start
    assert times[-1] >= start + 10_000
    assert times[-1] - times[0] <= 10_002
    assert max(tps) == 9e9


def test_a_narrow_zoom_has_every_row(desk, many_rows):
    chart = widgets.LiveChart(many_rows, last="20min")
    page = desk.open(chart)
    page.take()
    start = START_NS / 1e6 + 54_000
    look_at(chart, start, start + 500)
    ((_, times, (tps,)),) = fine_of(page.take()[0])
    assert len(times) == 503
    assert min(tps) == -9e9


def test_only_the_last_range_of_a_view_is_answered_and_following_asks_for_nothing(desk, feed, metrics):
    for i in range(10):
        metrics.put(tps=float(i))
    chart = widgets.TPSChart(feed)
    page = desk.open(chart)
    page.take()
    t0 = START_NS / 1e6
    look_at(chart, t0, t0 + 2000)
    look_at(chart, t0 + 4000, t0 + 5000)
    look_at(chart, t0, t0 + 1000, view="w")
    look_at(chart, None, None, view="w")
    (message,) = page.take()
    assert [(view, tps) for view, _, (tps,) in fine_of(message)] == [("v", [3, 4, 5, 6])]
    assert page.take() == []


def test_ranges_that_are_none_are_not_answered_and_those_that_wait_are_bounded(desk, feed, metrics):
    metrics.put(tps=1.0)
    chart = widgets.TPSChart(feed)
    page = desk.open(chart)
    page.take()
    for start, end in [(5, 5), (9, 1), ("a", "b"), (None, 5), (math.nan, 5), (1, math.inf), (True, 5)]:
        look_at(chart, start, end)
    look_at(chart, 1, 2, view=5)
    look_at(chart, 1, 2, view="x" * 65)
    assert page.take() == []
    for i in range(100):
        look_at(chart, 1, 2, view=f"v{i}")
    (message,) = page.take()
    assert [view for view, _, _ in fine_of(message)] == [f"v{i}" for i in range(92, 100)]


def test_a_fast_feed_is_sent_as_finely_as_its_window_and_seldom_anew(desk, metrics):
    chart = widgets.LiveChart(metrics, last="10min")
    page = desk.open(chart)
    page.take()
    resets = 0
    for second in range(60):
        now = START_NS + second * SECOND
        metrics.store.append(
            [
                metrics.record_type(timestamp=now + i * 1_000_000, recv_ns=now, conn_epoch=1, n=i, tps=float(i))
                for i in range(0, 1000, 2)
            ]
        )
        for content, _ in page.take(1.0):
            resets += content.get("reset", False)
            assert content["count"] <= 2 * chart.comm.state["_setup"]["points"]
    assert resets == 0
    assert chart.flow.bytes / 60 < 2_000


# ---- what is missing, and whether it is the present


def clock_of(messages):
    return [content["clock"] for content, _ in messages if "clock" in content]


def test_an_open_gap_is_told_at_once_and_the_axis_goes_on_until_data_return(desk, feed, metrics):
    metrics.put(tps=1.0)
    page = desk.open(widgets.TPSChart(feed, last="60s"))
    assert clock_of(page.take()) == [None]
    feed.gaps.open("metrics", Cause.DISCONNECT, Certainty.UNKNOWN, START_NS, 1)
    feed.clock_ns = START_NS + 2 * SECOND
    (message,) = page.take()
    t0 = START_NS / 1e6
    assert message[0]["gaps"] == [[t0, None, "disconnect"]]
    assert message[0]["clock"] == [t0 + 2000, t0, "no connection", False]
    feed.clock_ns += 5 * SECOND
    assert clock_of(page.take(1.2)) == [[t0 + 7000, t0, "no connection", False]]
    metrics.put(tps=2.0, gap_before=True, recv_ns=START_NS + 8 * SECOND)
    feed.gaps.close("metrics", Cause.DISCONNECT, START_NS + 8 * SECOND)
    assert clock_of(page.take()) == [None]


def test_a_lost_connection_is_stale_before_any_gap_is_known(desk, feed, metrics):
    metrics.put(tps=1.0)
    page = desk.open(widgets.TPSChart(feed))
    page.take()
    feed.status = a_status(state="RECONNECTING")
    feed.clock_ns = START_NS + 3 * SECOND
    (clock,) = clock_of(page.take(1.0))
    assert clock[1:] == [START_NS / 1e6, "no connection", False]


def test_while_nothing_comes_a_chart_costs_one_small_message_a_second_at_most(desk, feed, metrics):
    metrics.put(tps=1.0)
    chart = widgets.TPSChart(feed, last="10min")
    page = desk.open(chart)
    page.take()
    feed.gaps.open("metrics", Cause.IDLE, Certainty.BOUNDED, START_NS, 1)
    before, sent = chart.flow.bytes, 0
    for _ in range(30):
        feed.clock_ns += SECOND
        sent += len(page.take(1.0))
    assert 10 <= sent <= 31
    assert chart.flow.bytes - before < 31 * 200


def test_a_fast_clock_does_not_make_the_messages_more(desk, feed, metrics):
    metrics.put(tps=1.0)
    page = desk.open(widgets.TPSChart(feed, last="60s"))
    page.take()
    feed.gaps.open("metrics", Cause.IDLE, Certainty.BOUNDED, START_NS, 1)
    sent = 0
    for _ in range(40):
        feed.clock_ns += SECOND
        sent += len(page.take(0.25))
    assert 8 <= sent <= 11


def test_server_time_that_differs_does_not_tear_axis_and_gaps_apart(desk, feed, metrics):
    hour = 3600 * SECOND
    metrics.put(tps=1.0, timestamp=START_NS - hour)
    page = desk.open(widgets.TPSChart(feed))
    page.take()
    feed.gaps.open("metrics", Cause.IDLE, Certainty.BOUNDED, START_NS, 1)
    feed.clock_ns = START_NS + 9 * SECOND
    (message,) = page.take()
    t0 = (START_NS - hour) / 1e6
    assert message[0]["gaps"] == [[t0, None, "idle"]]
    assert message[0]["clock"] == [t0 + 9000, t0, "silent", False]


def test_a_finite_run_that_is_over_is_ended_and_not_stale(desk, feed, metrics):
    metrics.put(tps=1.0)
    page = desk.open(widgets.TPSChart(feed))
    page.take()
    feed.status = a_status(state="DISCONNECTED", ended=True)
    (clock,) = clock_of(page.take(2.0))
    assert clock[1:] == [None, None, True]


def test_a_feed_without_any_row_or_closed_is_not_stale(desk, feed, metrics):
    feed.status = a_status(state="RECONNECTING")
    page = desk.open(widgets.TPSChart(feed))
    assert clock_of(page.take(2.0))[-1] is None
    metrics.put(tps=1.0)
    feed.closed = True
    assert clock_of(page.take(2.0)) in ([], [None])


# ---- figures, axes, exports


def test_throughput_is_told_with_its_exact_average_and_peak(desk, feed, metrics):
    for tps in (10.0, 40.0, None, 10.0):
        metrics.put(tps=tps)
    page = desk.open(widgets.TPSChart(feed, last="3s"))
    (message,) = page.take()
    assert message[0]["stats"] == [20.0, 40.0, START_NS / 1e6 + 1000]
    metrics.put(tps=25.0)
    metrics.put(tps=28.0)
    (message,) = page.take()
    assert message[0]["stats"] == [21.0, 28.0, START_NS / 1e6 + 5000]


def test_the_target_and_the_threshold_are_lines_with_words(desk, feed):
    rules = widgets.TPSChart(feed, threshold=1.5e5, target=2e6).comm.state["_setup"]["rules"]
    assert [(rule["kind"], rule["value"], rule["label"]) for rule in rules] == [
        ("threshold", 150_000, "threshold 150,000 tx/s"),
        ("target", 2_000_000, "target 2,000,000 tx/s"),
    ]


def test_a_second_axis_stands_at_the_right_of_the_same_panel(desk, metrics):
    chart = widgets.LiveChart(metrics, y="tps", y2=["cpu_percent", "memory_percent"])
    setup = chart.comm.state["_setup"]
    assert [(line["unit"], line["panel"], line["right"]) for line in setup["lines"]] == [
        ("tx/s", 0, False),
        ("%", 0, True),
        ("%", 0, True),
    ]
    assert setup["panels"] == 1
    assert chart.y == ("tps", "cpu_percent", "memory_percent")
    metrics.put(tps=1.0, cpu_percent=2.0, memory_percent=3.0)
    assert points_of(desk.open(chart).take()[0])[1] == [[1], [2], [3]]


def test_the_figure_shows_axes_rules_marks_and_the_zoom(desk, feed, metrics):
    for tps in (1.0, 2.0, 3.0):
        metrics.put(tps=tps, cpu_percent=10 * tps)
    for leader in ("a", "<b>b</b>"):
        feed["consensus"].put(leader=leader)
    options = {"y2": "cpu_percent", "log": True, "y_range": (1, 100), "threshold": 2}
    chart = widgets.LiveChart(metrics, y="tps", title="<i>x</i>", annotations=feed["consensus"], **options)
    desk.open(chart).take()
    figure = chart.figure()
    assert [trace.yaxis for trace in figure.data] == ["y", "y2"]
    assert (figure.layout.yaxis2.side, figure.layout.yaxis.type) == ("right", "log")
    assert tuple(figure.layout.yaxis.range) == (0, 2)
    assert figure.layout.title.text == "&lt;i&gt;x&lt;/i&gt;"
    assert [shape.type for shape in figure.layout.shapes] == ["line", "line"]
    assert "a → &lt;b&gt;b&lt;/b&gt;" in figure.layout.annotations[0].hovertext
    look_at(chart, START_NS / 1e6 + 900, START_NS / 1e6 + 1100)
    zoomed = chart.figure()
    assert list(zoomed.data[0].y) == [1, 2, 3]
    assert str(zoomed.layout.xaxis.range[0]).startswith("2026-01-01T00:00:00.9")


def test_a_lone_point_is_a_marker_in_the_figure(desk, metrics):
    metrics.put(tps=1.0)
    metrics.put(tps=2.0, gap_before=True)
    metrics.put(tps=3.0)
    assert widgets.LiveChart(metrics).figure().data[0].mode == "lines+markers"


def test_what_is_shown_comes_as_a_frame_row_by_row(desk, metrics):
    for i in range(10):
        metrics.put(tps=float(i), cpu_percent=None, gap_before=i == 8)
    chart = widgets.LiveChart(metrics, y=["tps", "cpu_percent"], last="3s")
    frame = chart.to_pandas()
    assert list(frame.columns) == ["tps", "cpu_percent", "gap_before", "timestamp_is_recv"]
    assert frame["tps"].tolist() == [6, 7, 8, 9]
    assert frame["gap_before"].tolist() == [False, False, True, False]
    assert (frame.index.name, str(frame.index.tz)) == ("timestamp", "UTC")
    look_at(chart, START_NS / 1e6 + 1000, START_NS / 1e6 + 2000)
    assert chart.to_pandas()["tps"].tolist() == [1, 2]
    look_at(chart, None, None)
    assert chart.to_pandas()["tps"].tolist() == [6, 7, 8, 9]


def test_a_frame_of_a_thinned_chart_has_all_rows(desk, many_rows):
    assert len(widgets.LiveChart(many_rows, last="20min").to_pandas()) == len(many_rows.store)


@pytest.mark.parametrize(
    "options, kind, words",
    [
        ({"y": "tps", "y2": "tps"}, BadOption, "'tps' stands in y already"),
        ({"y": ["tps", "cpu_percent"], "y2": "error_rate"}, BadOption, "y=.*need the same unit"),
        ({"y2": ["cpu_percent", "connections"]}, BadOption, "y2=.*need the same unit"),
        ({"y2": "speed"}, BadOption, "y2='speed': Metrics has no such"),
        ({"y2": []}, BadOption, "y2=.*one to 8"),
        ({"log": 1}, BadOptionType, "log=1: expected True or False"),
        ({"y_range": 5}, BadOptionType, "two numbers"),
        ({"y_range": (5, 5)}, BadOption, "two ascending numbers"),
        ({"y_range": (0, math.inf)}, BadOption, "finite"),
        ({"y_range": (0, 5), "log": True}, BadOption, "only values above 0"),
        ({"speed": 5}, BadOptionType, "no option 'speed'; it takes y, y2, last, points, log"),
    ],
)
def test_a_bad_axis_is_refused(desk, metrics, options, kind, words):
    with pytest.raises(kind, match=words):
        widgets.LiveChart(metrics, **options)


# ---- names


@pytest.mark.parametrize(
    "y, title",
    [
        (None, "TPS"),
        ("cpu_percent", "CPU"),
        (["memory_mb"], "Memory"),
        (["tps", "cpu_percent"], "Metrics: TPS, CPU"),
    ],
)
def test_a_chart_is_called_by_its_lines_unless_it_has_a_title(desk, metrics, y, title):
    assert widgets.LiveChart(metrics, y=y)._setup["title"] == title
    assert widgets.LiveChart(metrics, y=y, title="Mine")._setup["title"] == "Mine"


def test_the_line_of_a_second_axis_is_in_the_name(desk, metrics):
    assert widgets.LiveChart(metrics, y="tps", y2="error_rate")._setup["title"] == "Metrics: TPS, Error rate"
