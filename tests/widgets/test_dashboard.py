"""The dashboard: one grid, closed as one."""

import pytest

from aurigraph_nb import widgets
from aurigraph_nb.errors import BadOption, BadOptionType, UnknownTopic

from .doubles import FakeFeed, a_status


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
    assert dashboard.children == dashboard.widgets
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
    comms = [w.comm for w in dashboard.widgets]
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
    with pytest.raises(BadOptionType, match="has no option 'theme'; it takes rate_hz, when_offline"):
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
