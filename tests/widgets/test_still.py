"""Still pictures: what is left of a widget where no kernel is. Plain, bounded, and of hostile text only the text."""

import warnings
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aurigraph_nb as ag
from aurigraph_nb import widgets
from aurigraph_nb.widgets import still, stills
from aurigraph_nb.widgets.series import Series

from .doubles import START_NS, FakeFeed, a_status

TAGS = {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "svg", "path"}
ATTRIBUTES = {"style", "xmlns", "viewbox", "width", "height", "preserveaspectratio", "role", "aria-label", "fill"}
ATTRIBUTES |= {"stroke", "stroke-width", "d", "stroke-opacity", "stroke-dasharray", "vector-effect"}
HOSTILE = "<img src=x onerror=alert(1)>\u202e'\"<script>alert(1)</script>&\ud800\x00"


class Reader(HTMLParser):
    """Reads a picture strictly: known elements, known attributes, every one closed."""

    def __init__(self, source):
        super().__init__()
        self.open, self.texts, self.counts = [], [], {}
        self.feed(source)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS, tag
        assert {name for name, _ in attrs} <= ATTRIBUTES, attrs
        assert all(
            value == "text-align:right" or value == "text-align:left" for name, value in attrs if name == "style"
        )
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return "|".join(self.texts)


def fill(feed, word="a", rows=30):
    """Some rows in every topic that the portal has."""
    for i in range(rows):
        feed["metrics"].put(tps=1000.0 + i, cpu_percent=40.0, memory_percent=50.0, connections=i, error_rate=0.01)
        feed["transactions"].put(hash=f"{word}{i}", status="PENDING", sender=word, recipient=word)
        feed["validators"].put(id=f"{word}{i}", status=word, voting_power=i)
        feed["consensus"].put(leader=f"{word}{i % 3}", state="COMMITTED", epoch=i)
        feed["network"].put(peer_id=f"{word}{i}", status="CONNECTED", latency_ms=5.0, city=word)


def bundle_of(widget):
    """The forms of an output, without what belongs to them."""
    told = widget._repr_mimebundle_()
    return told[0]


NO_WIDGETS = {"Crossing", "FlowCounters", "LiveWidget", "TimeLink", "link_time"}
OF_NO_FEED_ALONE = {"AlertBanner", "LiveResult", "RecorderView", "ReplayControls"}
"""Widgets that are made of something else than a feed: their pictures are looked at below."""
ALL = sorted(set(widgets.__all__) - NO_WIDGETS - OF_NO_FEED_ALONE)


def made(name, feed):
    """A widget of this name, on a feed of a system that has what it shows."""
    kind = getattr(widgets, name)
    if name in ("LiveChart", "LiveTable", "EventLog"):
        topic = {"LiveChart": "metrics", "LiveTable": "network", "EventLog": "consensus"}[name]
        return kind(feed[topic])
    for protocol in ("portal", "live", "channels", "fakeai"):
        try:
            return kind(feed if protocol == "portal" else FakeFeed(protocol))
        except (KeyError, TypeError):
            continue
    raise AssertionError(f"no system has what {name} shows")


@pytest.mark.parametrize("name", ALL)
def test_every_widget_leaves_a_picture_beside_its_view(desk, feed, name):
    fill(feed)
    widget = made(name, feed)
    bundle = bundle_of(widget)
    assert sorted(bundle) == ["application/vnd.jupyter.widget-view+json", "text/html", "text/plain"]
    assert bundle["text/plain"] == repr(widget)
    Reader(bundle["text/html"])
    assert len(bundle["text/html"].encode()) <= still.MAX_BYTES


@pytest.mark.parametrize("name", ALL)
def test_before_the_first_row_there_is_a_picture_too(desk, feed, name):
    assert Reader(bundle_of(made(name, feed))["text/html"]).text


@pytest.mark.parametrize("name", ALL)
def test_of_hostile_text_only_the_text_is_left(desk, feed, name):
    fill(feed, word=HOSTILE)
    told = bundle_of(made(name, feed))["text/html"]
    Reader(told)
    assert "\u202e" not in told and "<script" not in told and "<img" not in told


@pytest.mark.parametrize("name", ALL)
def test_the_size_is_bounded_whatever_comes(desk, feed, name):
    fill(feed, word="&\U0001f4a5" * 500, rows=300)
    told = bundle_of(made(name, feed))["text/html"]
    Reader(told)
    assert len(told.encode()) <= still.MAX_BYTES


def test_a_picture_moves_no_mark_and_opens_nothing_more(desk, feed):
    table, log, figures = widgets.PeerTable(feed), widgets.ConsensusLog(feed), widgets.ConnectionStats(feed)
    pages = [desk.open(widget) for widget in (table, log, figures)]
    assert all(page.take() for page in pages)
    fill(feed, rows=3)
    feed.connections = (*feed.connections, feed.connections[0])
    for widget in (table, log, figures):
        widget.still()
    messages = [page.take(2) for page in pages]
    assert all(messages), "what is new still goes to the page"
    assert len(messages[0][0][0]["rows"]) == 3


def test_the_newest_rows_are_told_and_the_others_counted(desk, feed):
    fill(feed)
    told = Reader(widgets.TransactionList(feed).still().html)
    assert "a29" in told.text and "a5|" not in told.text
    assert "and 10 more rows" in told.text
    assert "as of 2026-01-01 00:00:29 UTC" in told.text


def test_a_table_is_pictured_as_its_reader_sorted_and_filtered_it(desk, feed):
    fill(feed, rows=9)
    table = widgets.ValidatorTable(feed)
    table._ui = {"sort": 0, "down": True, "filter": "a"}
    texts = Reader(table.still().html).texts
    assert texts.index("a8") < texts.index("a1")
    table._ui = {"filter": "a3"}
    assert "a8" not in Reader(table.still().html).texts


def test_a_chart_is_drawn_and_told_in_figures(desk, feed):
    fill(feed)
    told = Reader(widgets.TPSChart(feed).still().html)
    assert told.counts["svg"] == 1 and told.counts["path"] == 2
    assert {"TPS", "1.03k", "1.00k", "tx/s", "▁▁▁▁▂▂▂▂▃▃▃▄▄▄▄▅▅▅▅▆▆▆▇▇▇▇████"} <= set(told.texts)


def test_made_up_data_are_labelled_in_the_picture(desk):
    feed = FakeFeed("channels")
    feed.status = a_status(state="DISCONNECTED", protocol="channels")
    chart = widgets.BandwidthChart(feed, when_offline="simulate")
    desk.open(chart)
    desk.run(4)
    assert "simulated" in Reader(chart.still().html).text


def test_the_status_tells_state_address_and_topics(desk, feed):
    texts = Reader(widgets.ConnectionStatus(feed).still().html).texts
    assert {"CONNECTED", "ws://127.0.0.1:1", "1 of 1", "metrics"} <= set(texts)
    assert "metrics" not in Reader(widgets.ConnectionBadge(feed).still().html).texts


def test_a_dashboard_is_pictured_whole_within_the_same_bound(desk, feed):
    fill(feed, word="<b>&" * 40, rows=300)
    dashboard = widgets.Dashboard(feed)
    told = bundle_of(dashboard)["text/html"]
    wanted = ["Connection", "Node", "Validators", "Peers", "Network events"]
    assert list(dict.fromkeys(text for text in Reader(told).texts if text in wanted)) == wanted
    assert len(told.encode()) <= still.MAX_BYTES
    assert bundle_of(dashboard)["text/plain"] == "Dashboard(feed)"


def test_a_picture_can_be_kept_by_itself(desk, feed):
    fill(feed)
    kept = widgets.MetricsCard(feed).still()
    assert repr(kept) == "Still(MetricsCard(metrics))"
    assert kept._repr_html_() == kept.html
    assert "1.03k tx/s" in kept.html
    assert repr(widgets.Dashboard(feed).still()) == "Still(Dashboard(feed))"


def test_a_picture_that_fails_leaves_the_live_widget_alone(desk, feed, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("<by zero>")

    monkeypatch.setattr(stills, "still", broken)
    bundle = bundle_of(widgets.MetricsCard(feed))
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "ZeroDivisionError: <by zero>" in Reader(bundle["text/html"]).text


def test_what_has_no_view_has_no_picture():
    assert still.with_still(None, lambda: still.Still("nothing", "")) is None


# ---- the pieces


@given(st.text(), st.integers(1, 200))
def test_text_is_never_markup(value, limit):
    told = still.escaped(value, limit)
    assert not set("<>\"'") & set(told)
    assert "\u202e" not in told and "\x00" not in told


@given(st.lists(st.floats(), max_size=50), st.integers(1, 60))
def test_a_course_takes_any_numbers(values, width):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told = still.course(np.array(values, dtype=float), width)
    assert len(told) <= width
    assert set(told) <= set(" ▁▂▃▄▅▆▇█")


@given(st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.floats()), max_size=50))
def test_a_drawing_takes_any_numbers(points):
    times = np.sort(np.array([START_NS / 1e6 + t % 1e9 for t, _ in points], dtype=float))
    series = Series(times, np.array([[v for _, v in points]], dtype=float).reshape(1, len(points)))
    Reader(still.drawing(series, [still.Column("Line")]))


def test_a_break_in_a_line_is_a_break_in_its_drawing():
    series = Series(np.arange(5.0), np.array([[1.0, 2.0, np.nan, 1.0, 2.0]]))
    told = still.drawing(series, [still.Column("Line")])
    line = next(path for path in told.split("<path ") if "vector-effect" in path)
    assert line.partition('" vector')[0].count("M") == 2


def test_lines_differ_by_their_dashes():
    series = Series(np.arange(3.0), np.array([[1.0, 2.0, 3.0]] * 3))
    told = still.drawing(series, [still.Column(name) for name in "abc"])
    assert told.count("stroke-dasharray") == 2


def test_what_does_not_fit_is_made_smaller_and_at_last_left_out():
    asked = []

    def make(rows):
        asked.append(rows)
        return "x" * 1000 * rows

    assert still.whole("T", [], make, limit=3000).count("x") == 2000
    assert asked == [20, 10, 5, 2]
    assert "Too much" in still.whole("T", [], lambda _: "x" * 1000, limit=300)


def test_times_that_no_calendar_has_are_a_dash():
    assert (still.time_of(None), still.time_of(1e300)) == ("–", "–")


class Told:
    """A result, as the analytics give them."""

    value, unit, reading, notes = 3, "members", f"3 members {HOSTILE}", ()
    table = pd.DataFrame({"id": ["a", HOSTILE.replace("\ud800", "")], "share": [0.5, 0.25]})

    def plot(self):
        return None


def test_a_live_result_is_pictured_with_value_reading_and_table(desk, feed):
    live = widgets.LiveResult(lambda _: Told(), feed["metrics"], every=1)
    assert "No result yet" in Reader(bundle_of(live)["text/html"]).text
    live.refresh()
    told = bundle_of(live)["text/html"]
    assert {"3 members", "id", "share", "0.25"} <= set(Reader(told).texts)
    assert "<script" not in told and "<img" not in told


def test_a_banner_is_pictured_with_its_alarms(desk):
    replay = ag.replay(ag.sample(duration="5s", seed=7), speed="max", paused=True)
    with replay, ag.alert(replay.metrics, lambda row: row.n == 2, name=HOSTILE) as alert:
        banner = widgets.AlertBanner(alert)
        assert "No alarms" in Reader(bundle_of(banner)["text/html"]).text
        replay.resume()
        replay.join(timeout=30)
        told = bundle_of(banner)["text/html"]
    assert "ALERT" in Reader(told).texts and "<script" not in told and "<img" not in told


def test_controls_of_a_replay_are_pictured_with_where_it_is(desk):
    with ag.replay(ag.sample(duration="30s", seed=7), paused=True) as replay:
        replay.seek(10)
        texts = Reader(bundle_of(widgets.ReplayControls(replay))["text/html"]).texts
    assert {"PAUSED", "2026-01-01 00:00:10 UTC"} <= set(texts)


def test_a_recorder_is_pictured_in_figures(desk, tmp_path):
    with ag.simulate(seed=7) as simulated, simulated.record(tmp_path / "r", topics="metrics") as recorder:
        assert "State" in Reader(bundle_of(widgets.RecorderView(recorder))["text/html"]).texts
