"""The dashboard: one grid, closed as one, in the layout that was asked for."""

from types import SimpleNamespace

import ipywidgets
import pytest

from aurigraph_nb import widgets
from aurigraph_nb.errors import BadOption, BadOptionType, UnknownTopic
from aurigraph_nb.widgets.base import LiveWidget
from aurigraph_nb.widgets.layouts import COLUMNS, LAYOUTS, PARTS, PLACES, places
from aurigraph_nb.widgets.sources import Source

from .doubles import FakeFeed, a_status

SPANS = {"full": 12, "rest": 8, "half": 6, "third": 4, "quarter": 3}


def names_of(dashboard):
    return [type(widget).__name__ for widget in dashboard.widgets]


def places_of(dashboard):
    return [widget._dom_classes[-1] for widget in dashboard.widgets]


def test_the_dashboard_shows_every_topic(desk, feed):
    dashboard = widgets.Dashboard(feed)
    assert [type(w).__name__ for w in dashboard.widgets] == [
        "ConnectionStatus",
        "MetricsCard",
        "TPSChart",
        "ConsensusState",
        "ValidatorTable",
        "TransactionList",
        "PeerTable",
        "ConsensusLog",
        "NetworkLog",
    ]
    assert dashboard.children[1:] == dashboard.widgets
    assert repr(dashboard.children[0]) == "DashboardBar()"
    assert all(topic.opened for topic in feed.topics.values())


def test_its_repr_is_always_the_same(desk, feed):
    assert repr(widgets.Dashboard(feed)) == "Dashboard(feed)"


def test_every_widget_knows_its_place_in_the_grid(desk, feed):
    dashboard = widgets.Dashboard(feed)
    assert "ag-dashboard" in dashboard._dom_classes
    places = [widget._dom_classes[-1] for widget in dashboard.widgets]
    assert places == ["ag-full", *["ag-third", "ag-rest"] * 2, *["ag-half"] * 4]


def test_closing_it_closes_its_widgets_and_twice_is_harmless(desk, feed):
    dashboard = widgets.Dashboard(feed)
    comms = [w.comm for w in dashboard.children]
    dashboard.close()
    dashboard.close()
    assert all(comm.closed for comm in comms)
    assert len(desk.painter) == 0
    assert not feed.closed


def test_a_feed_that_lacks_a_topic_leaves_no_widget_behind(desk, feed):
    del feed.topics["network"]
    with pytest.raises(UnknownTopic, match="network"):
        widgets.Dashboard(feed)
    assert len(desk.painter) == 0


def test_options_are_checked_before_anything_is_made(desk, feed):
    with pytest.raises(BadOptionType, match="has no option 'theme'; it takes layout, rate_hz, when_offline"):
        widgets.Dashboard(feed, theme="dark")
    with pytest.raises(BadOption, match="rate_hz=0"):
        widgets.Dashboard(feed, rate_hz=0)
    with pytest.raises(BadOptionType, match="Dashboard needs a feed"):
        widgets.Dashboard(None)
    assert not any(topic.opened for topic in feed.topics.values())


def test_the_rate_goes_to_every_widget(desk, feed):
    assert {w.rate_hz for w in widgets.Dashboard(feed, rate_hz=2).widgets} == {2.0}


@pytest.mark.parametrize(
    "protocol, names",
    [
        ("live", "ConnectionStatus MetricsCard TPSChart NetworkCard BlockTable"),
        ("channels", "ConnectionStatus BandwidthChart ConnectionStats SessionTable LiveTable"),
        (
            "fakeai",
            "ConnectionStatus MetricsCard LiveChart AggregateStats ModelTable SystemHealth RequestHistory RateLimits "
            "ErrorMonitor LiveTable LiveTable",
        ),
    ],
)
def test_the_dashboard_goes_by_the_system_of_the_feed(desk, protocol, names):
    feed = FakeFeed(protocol)
    dashboard = widgets.Dashboard(feed)
    assert [type(w).__name__ for w in dashboard.widgets] == names.split()
    assert all(topic.opened for topic in feed.topics.values())


@pytest.mark.parametrize("protocol, able", [("portal", 0), ("live", 0), ("channels", 2), ("fakeai", 7)])
def test_made_up_data_are_shown_by_those_widgets_that_can(desk, protocol, able):
    feed = FakeFeed(protocol)
    feed.status = a_status(state="DISCONNECTED", protocol=protocol)
    dashboard = widgets.Dashboard(feed, when_offline="simulate")
    pages = [desk.open(widget) for widget in dashboard.widgets]
    desk.run(4)
    labels = [
        any(m.get("notice", {}).get("simulated") for m, _ in page.comm.messages if m.get("kind") == "snapshot")
        for page in pages
    ]
    assert sum(labels) == able
    with pytest.raises(BadOption, match="when_offline='x'"):
        widgets.Dashboard(feed, when_offline="x")


# ---- layouts


@pytest.mark.parametrize("protocol, layout", [(p, name) for p, layouts in LAYOUTS.items() for name in layouts])
def test_every_layout_that_has_a_name_can_be_made(desk, protocol, layout):
    dashboard = widgets.Dashboard(FakeFeed(protocol), layout=layout)
    assert len(dashboard.widgets) == sum(len(row) for row in LAYOUTS[protocol][layout])


@pytest.mark.parametrize("protocol", PARTS)
def test_every_part_of_a_system_can_stand_alone(desk, protocol):
    feed = FakeFeed(protocol)
    for name in widgets.Dashboard.parts(feed):
        dashboard = widgets.Dashboard(feed, layout=[name])
        assert places_of(dashboard) == ["ag-full"]
        dashboard.close()
    assert len(desk.painter) == 0


@pytest.mark.parametrize("protocol", PARTS)
def test_all_systems_have_the_common_layouts(protocol):
    assert list(LAYOUTS[protocol])[:3] == ["default", "wide", "compact"]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_row_fills_the_grid_whatever_stands_in_it(count):
    for bits in range(2**count):
        named = places([bool(bits >> i & 1) for i in range(count)])
        assert set(named) <= set(PLACES)
        assert sum(SPANS.get(name) or int(name.removeprefix("span-")) for name in named) == COLUMNS


def test_rows_of_names_and_widgets_stand_as_they_are_given(desk, feed):
    mine = widgets.LiveChart(feed["metrics"], y="tps")
    dashboard = widgets.Dashboard(feed, layout=[["metrics", mine], "validators", ("consensus", "tps", "figures")])
    assert names_of(dashboard) == [
        "MetricsCard",
        "LiveChart",
        "ValidatorTable",
        "ConsensusState",
        "TPSChart",
        "ConnectionStats",
    ]
    assert places_of(dashboard) == ["ag-third", "ag-rest", "ag-full", "ag-quarter", "ag-half", "ag-quarter"]


def test_a_widget_that_was_given_outlives_the_dashboard(desk, feed):
    mine, label = widgets.MetricsCard(feed), ipywidgets.Label("Hello")
    widgets.Dashboard(feed, layout=[[mine, label], "tps"]).close()
    assert not mine.comm.closed and not label.comm.closed
    assert len(desk.painter) == 1


def test_a_widget_takes_the_place_of_the_dashboard_that_shows_it_last(desk, feed):
    mine = widgets.MetricsCard(feed)
    widgets.Dashboard(feed, layout=[[mine, "tps"]])
    widgets.Dashboard(feed, layout=[mine])
    assert [name for name in mine._dom_classes if name.removeprefix("ag-") in PLACES] == ["ag-full"]


@pytest.mark.parametrize(
    "layout, error, words",
    [
        ("tall", BadOption, "layout='tall': this feed has the layouts 'default', 'wide', 'compact', 'network'"),
        (["tpz"], BadOption, "there is no 'tpz' for this feed; there are status, figures, metrics"),
        ([["tps"] * 5], BadOption, "1 to 4 widgets; 5 came"),
        ([[]], BadOption, "1 to 4 widgets; 0 came"),
        ([["tps"]] * 41, BadOption, "at most 40 widgets"),
        ([], BadOptionType, "the name of a layout or a list of rows"),
        (5, BadOptionType, "layout=5"),
        ([5], BadOptionType, "a list of names and widgets, not 5"),
        ([["tps", 5]], BadOptionType, "a list of names and widgets"),
    ],
)
def test_a_layout_that_makes_no_sense_is_refused_before_anything_is_made(desk, feed, layout, error, words):
    with pytest.raises(error, match=words):
        widgets.Dashboard(feed, layout=layout)
    assert len(desk.painter) == 0
    assert not any(topic.opened for topic in feed.topics.values())


def test_the_same_widget_cannot_stand_in_two_places(desk, feed):
    mine = widgets.MetricsCard(feed)
    with pytest.raises(BadOption, match="each widget once"):
        widgets.Dashboard(feed, layout=[mine, mine])


# ---- recordings and replays


class Controls(LiveWidget):
    """Stands for the controls of a replay."""

    def __init__(self, feed, *, rate_hz):
        super().__init__(Source(feed=feed), setup={"title": "Replay"}, rate_hz=rate_hz)


@pytest.mark.parametrize("protocol", PARTS)
def test_a_recording_is_shown_as_what_it_is(desk, protocol):
    feed = FakeFeed(protocol)
    feed.closed = True
    feed.status = a_status(state="CLOSED", protocol=protocol, ended=True)
    dashboard = widgets.Dashboard(feed)
    assert dashboard.children[0]._title == "Recording"
    assert not any(topic.opened for topic in feed.topics.values()), "what is over is not opened"
    pages = [desk.open(widget) for widget in dashboard.widgets]
    assert all(page.take() for page in pages), "each shows what there is"


def test_a_replay_has_its_controls_above_the_rest(desk, feed, monkeypatch):
    feed.player = SimpleNamespace()
    monkeypatch.setattr(widgets, "ReplayControls", Controls, raising=False)
    dashboard = widgets.Dashboard(feed, layout="compact")
    assert names_of(dashboard)[:2] == ["Controls", "ConnectionStatus"]
    assert places_of(dashboard)[0] == "ag-full"
    assert dashboard.children[0]._title == "Replay"
    assert names_of(widgets.Dashboard(feed, layout=["tps", "replay"])) == ["TPSChart", "Controls"]


def test_where_there_are_no_controls_a_replay_is_shown_without(desk, feed, monkeypatch):
    feed.player = SimpleNamespace()
    monkeypatch.delattr(widgets, "ReplayControls", raising=False)
    assert names_of(widgets.Dashboard(feed, layout="compact"))[0] == "ConnectionStatus"


def test_a_live_feed_has_no_controls(desk, feed, monkeypatch):
    monkeypatch.setattr(widgets, "ReplayControls", Controls, raising=False)
    assert "replay" not in widgets.Dashboard.parts(feed)
