"""The map: which peers travel, how they are told, and what stands beside them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb import widgets
from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.schema import Peer
from aurigraph_nb.widgets import map_rows
from aurigraph_nb.widgets.map_rows import FIELDS, Held, figures, peer_row, place, volume
from aurigraph_nb.widgets.rows import RowChanges

HERE = {"latitude": 50.11, "longitude": 8.68}


def a_peer(**fields):
    return Peer(**({"recv_ns": 1, "conn_epoch": 1, "n": 0, "peer_id": "p1"} | fields))


def rows_of(message):
    return {row[0]: dict(zip(FIELDS, row, strict=True)) for row in message["rows"]}


def figures_of(message):
    return {label: figure for label, figure, _ in message["figures"]}


@pytest.fixture
def network(feed):
    return feed["network"]


def test_a_changed_peer_travels_alone(desk, feed, network):
    for i in range(5):
        network.put(peer_id=f"p{i}", status="CONNECTED", latency_ms=10.0)
    page = desk.open(widgets.NetworkMap(feed))
    assert list(rows_of(page.one())) == ["p0", "p1", "p2", "p3", "p4"]
    network.put(peer_id="p3", status="DISCONNECTED")
    message = page.one()
    assert list(rows_of(message)) == ["p3"]
    assert rows_of(message)["p3"]["status"] == "DISCONNECTED"
    assert page.take() == []


def test_several_changes_of_one_peer_are_merged_and_counted(desk, feed, network):
    shown = widgets.NetworkMap(feed)
    page = desk.open(shown)
    page.take()
    for latency in range(10):
        network.put(peer_id="p1", latency_ms=float(latency))
    assert rows_of(page.one())["p1"]["latency_ms"] == 9.0
    assert shown.flow.merged == 9


def test_a_row_says_all_that_is_known_of_a_peer():
    peer = a_peer(
        status="CONNECTED",
        connection_quality="GOOD",
        latency_ms=72.3456,
        latitude=50.110924,
        longitude=8.682127,
        city="Frankfurt",
        country="Germany",
        address="10.0.0.1",
        version="11.4.0",
        uptime_s=3600.4,
        last_seen=1_767_225_600_123_000_000,
        inbound_bytes=5,
        outbound_bytes=2**60,
    )
    assert dict(zip(FIELDS, peer_row("p1", peer), strict=True)) == {
        "key": "p1",
        "status": "CONNECTED",
        "quality": "GOOD",
        "latency_ms": 72.35,
        "latitude": 50.1109,
        "longitude": 8.6821,
        "city": "Frankfurt",
        "country": "Germany",
        "address": "10.0.0.1",
        "version": "11.4.0",
        "uptime_s": 3600,
        "last_seen": 1_767_225_600_123.0,
        "inbound": 5,
        "outbound": str(2**60),
    }


@pytest.mark.parametrize(
    "latitude, longitude",
    [(None, 8.0), (50.0, None), (math.nan, 8.0), (50.0, math.inf), (90.001, 0.0), (-91.0, 0.0), (0.0, 180.5)],
)
def test_coordinates_on_no_globe_are_none(latitude, longitude):
    peer = a_peer(latitude=latitude, longitude=longitude)
    assert place(peer) is None
    row = dict(zip(FIELDS, peer_row("p1", peer), strict=True))
    assert (row["latitude"], row["longitude"]) == (None, None)


@given(
    st.builds(
        a_peer,
        status=st.none() | st.text(),
        latency_ms=st.none() | st.floats(),
        latitude=st.none() | st.floats(),
        longitude=st.none() | st.floats(),
        city=st.none() | st.text(st.characters(codec=None), max_size=400),
        uptime_s=st.none() | st.floats(),
        inbound_bytes=st.none() | st.integers(),
        last_seen=st.none() | st.integers(-(2**62), 2**62),
    )
)
def test_whatever_a_peer_says_its_row_is_bounded_json(peer):
    told = json.dumps(peer_row("x" * 1_000_000, peer), allow_nan=False)
    assert len(told) < 8_000
    latitude, longitude = peer_row("p", peer)[4:6]
    assert (latitude is None) == (longitude is None)
    assert latitude is None or (abs(latitude) <= 90 and abs(longitude) <= 180)


# ---- which layout


def test_without_a_place_the_layout_is_by_latency_and_with_one_it_is_the_map(desk, feed, network):
    page = desk.open(widgets.NetworkMap(feed))
    assert page.one()["layout"] is None
    network.put(peer_id="p1", latency_ms=10.0)
    assert page.one()["layout"] == "radial"
    network.put(peer_id="p2", latitude=math.nan, longitude=0.0)
    assert page.one()["layout"] == "radial"
    network.put(peer_id="p1", **HERE)
    assert page.one()["layout"] == "geo"


@pytest.mark.parametrize("layout", ["geo", "radial"])
def test_a_layout_that_is_asked_for_stays(desk, feed, network, layout):
    page = desk.open(widgets.NetworkMap(feed, layout=layout))
    assert page.one()["layout"] == layout
    network.put(peer_id="p1", **(HERE if layout == "radial" else {}))
    assert page.one()["layout"] == layout


# ---- figures


def test_health_counts_latency_and_bytes_stand_beside_the_map(desk, feed, network):
    network.put(peer_id="a", status="CONNECTED", latency_ms=20.0, inbound_bytes=1_500_000_000, outbound_bytes=999)
    network.put(peer_id="b", status="CONNECTED", latency_ms=41.0, inbound_bytes=500_000_000)
    network.put(peer_id="c", status="DISCONNECTED", latency_ms=900.0)
    message = desk.open(widgets.NetworkMap(network)).one()
    assert (message["health"], message["connected"], message["total"]) == ("DEGRADED", 2, 3)
    assert figures_of(message) == {"Mean latency": "30.5 ms", "Received": "2.00 GB", "Sent": "999 B"}
    assert message["figures"][1][2] == "2,000,000,000 bytes, all peers"


def test_what_nobody_tells_is_a_dash_and_not_a_zero(desk, feed, network):
    network.put(peer_id="a", status="DISCONNECTED", latency_ms=20.0)
    message = desk.open(widgets.NetworkMap(feed)).one()
    assert figures_of(message) == {"Mean latency": "–", "Received": "–", "Sent": "–"}


def test_a_mean_that_is_no_number_is_a_dash(network):
    network.put(peer_id="a", status="CONNECTED", latency_ms=math.nan)
    assert figures(network.state.totals, [])[0][1] == "–"


@pytest.mark.parametrize(
    "nbytes, words", [(0, "0 B"), (999, "999 B"), (1_000, "1.00 kB"), (999_999, "1.00 MB"), (4.3e15, "4300 TB")]
)
def test_bytes_have_their_unit(nbytes, words):
    assert volume(int(nbytes)) == words


# ---- bounds


def changes(*peers, removed=(), reset=False):
    return RowChanges(1, [(p.peer_id, p) for p in peers], removed, reset)


def test_a_map_holds_no_more_peers_than_it_may_and_takes_others_when_there_is_room():
    held = Held(limit=2)
    a, b, c = (a_peer(peer_id=name, **HERE) for name in "abc")
    rows, _ = held.take(changes(a, b, c))
    assert [row[0] for row in rows] == ["a", "b"]
    assert (len(held), held.placed) == (2, 2)
    rows, removed = held.take(changes(c, b, removed=["a", "never"]))
    assert ([row[0] for row in rows], removed) == (["c", "b"], ["a"])
    rows, _ = held.take(changes(a_peer(peer_id="d"), reset=True))
    assert (len(held), held.placed) == (1, 0)


def test_peers_beyond_the_limit_are_counted_but_do_not_travel(desk, feed, network, monkeypatch):
    monkeypatch.setattr(map_rows.Held.__init__, "__defaults__", (3,))
    for i in range(5):
        network.put(peer_id=f"p{i}", status="CONNECTED")
    page = desk.open(widgets.NetworkMap(feed))
    message = page.one()
    assert (len(message["rows"]), message["total"]) == (3, 5)
    network.put(peer_id="p4", status="DISCONNECTED")
    message = page.one()
    assert (message["rows"], message["connected"]) == ([], 4)


def test_a_peer_that_leaves_the_state_leaves_the_map(desk, feed, network):
    network.put(peer_id="a")
    network.put(peer_id="b")
    page = desk.open(widgets.NetworkMap(feed))
    page.take()
    network.state.current.remove("a")
    message = page.one()
    assert (message["removed"], message["rows"]) == (["a"], [])


def test_a_cleared_state_replaces_everything(desk, feed, network):
    network.put(peer_id="a")
    page = desk.open(widgets.NetworkMap(feed))
    page.take()
    network.state.current.clear()
    network.put(peer_id="b")
    message = page.one()
    assert (message["reset"], list(rows_of(message))) == (True, ["b"])


def test_a_second_page_gets_everything(desk, feed, network):
    network.put(peer_id="a")
    network.put(peer_id="b")
    shown = widgets.NetworkMap(feed)
    desk.open(shown).take()
    network.put(peer_id="b", latency_ms=1.0)
    assert list(rows_of(desk.open(shown, "page-2").take()[-1][0])) == ["a", "b"]


# ---- what may be asked


def test_a_closed_feed_shows_what_it_has(desk, feed, network):
    network.put(peer_id="a", **HERE)
    feed.closed = True
    message = desk.open(widgets.NetworkMap(feed)).one()
    assert (list(rows_of(message)), message["notice"]["closed"]) == (["a"], True)
    assert network.opened == 0


def test_the_peers_of_now_as_a_frame(desk, feed, network):
    network.put(peer_id="a", latency_ms=1.0)
    network.put(peer_id="b", **HERE)
    network.put(peer_id="a", latency_ms=2.0)
    frame = widgets.NetworkMap(feed).to_pandas()
    assert frame["peer_id"].tolist() == ["a", "b"]
    assert frame["latency_ms"].iloc[0] == 2.0
    assert frame["latitude"].isna().tolist() == [True, False]


def test_options_are_checked_and_the_repr_is_constant(desk, feed):
    assert repr(widgets.NetworkMap(feed)) == "NetworkMap(network)"
    with pytest.raises(BadOption, match='\'globe\': expected "auto", "geo" or "radial"'):
        widgets.NetworkMap(feed, layout="globe")
    with pytest.raises(BadOptionType, match="pixels"):
        widgets.NetworkMap(feed, height=5)
    with pytest.raises(BadOptionType, match="it takes layout, height, rate_hz"):
        widgets.NetworkMap(feed, zoom=2)
    with pytest.raises(BadOptionType, match="needs a topic of Peer rows"):
        widgets.NetworkMap(feed["metrics"])
