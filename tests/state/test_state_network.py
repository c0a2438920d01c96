"""Network: one row a peer, events with their thresholds, sums and health."""

from __future__ import annotations

from typing import Any

import pytest

from aurigraph_nb.schema import Peer, arrow_schema
from aurigraph_nb.state import NetworkState, NetworkTotals, connections_health, network_health


def peer(n: int, peer_id: str | None = "p1", **fields: Any) -> Peer:
    return Peer(recv_ns=n, timestamp=n + 5, conn_epoch=1, n=n, peer_id=peer_id, **fields)


def state_of(*records: Peer) -> NetworkState:
    state = NetworkState()
    for record in records:
        state.apply(record)
    return state


def told(state: NetworkState) -> list[tuple[str, str, str]]:
    return [(e.type, e.severity, e.message) for e in reversed(state.events)]


FULL = {"status": "CONNECTED", "latency_ms": 20.0, "version": "1.0"}


def test_an_unknown_peer_is_peer_connected() -> None:
    state = state_of(peer(0, **FULL), peer(1, "p2", status="CONNECTING"), peer(2, "p3"))
    assert told(state) == [
        ("PEER_CONNECTED", "info", "p1 connected"),
        ("PEER_CONNECTED", "info", "p2 first seen, CONNECTING"),
        ("PEER_CONNECTED", "info", "p3 first seen, None"),
    ]
    assert [e.peer_id for e in state.events] == ["p3", "p2", "p1"]
    assert (state.events[0].timestamp, state.events[0].recv_ns) == (7, 2)


def test_a_known_peer_that_goes_and_comes_back_is_told_both_times() -> None:
    state = state_of(peer(0, **FULL), peer(1, status="DISCONNECTED"), peer(2, status="CONNECTED"))
    assert told(state)[1:] == [
        ("PEER_DISCONNECTED", "warning", "p1 disconnected"),
        ("PEER_CONNECTED", "info", "p1 connected"),
    ]


def test_a_status_that_stays_or_is_connecting_gives_no_event() -> None:
    statuses = ("CONNECTED", "CONNECTED", "CONNECTING", "CONNECTING")
    assert len(state_of(*(peer(n, status=s) for n, s in enumerate(statuses))).events) == 1


def test_connecting_then_connected_is_peer_connected() -> None:
    assert told(state_of(peer(0, status="CONNECTING"), peer(1, status="CONNECTED")))[1:] == [
        ("PEER_CONNECTED", "info", "p1 connected")
    ]


@pytest.mark.parametrize(
    "old, new, event",
    [
        (20.0, 70.0, False),
        (70.0, 20.0, False),
        (20.0, 70.001, True),
        (170.0, 20.0, True),
        (0.1, 50.1, False),
        (20.0, None, False),
        (None, 400.0, False),
    ],
)
def test_the_latency_has_to_move_by_more_than_fifty_milliseconds(
    old: float | None, new: float | None, event: bool
) -> None:
    state = state_of(peer(0, latency_ms=old), peer(1, latency_ms=new))
    assert [e.type for e in state.events][:-1] == (["LATENCY_UPDATE"] if event else [])


def test_a_latency_update_says_from_what_to_what() -> None:
    event = state_of(peer(0, **FULL), peer(1, latency_ms=90.5)).events[0]
    assert (event.severity, event.message) == ("info", "p1: latency 20 → 90.5 ms")
    assert (event.old, event.new) == (20.0, 90.5)


def test_a_version_other_than_the_one_known_is_a_mismatch() -> None:
    state = state_of(peer(0, **FULL), peer(1, version="1.1"), peer(2, version="1.1"), peer(3))
    assert told(state)[1:] == [("VERSION_MISMATCH", "warning", "p1: version 1.0 → 1.1")]


def test_two_peers_may_differ_in_version() -> None:
    state = state_of(peer(0, version="1.0"), peer(1, "p2", version="2.0"))
    assert {e.type for e in state.events} == {"PEER_CONNECTED"}


def test_several_changes_of_one_frame_come_in_the_documented_order() -> None:
    state = state_of(peer(0, **FULL), peer(1, status="DISCONNECTED", latency_ms=200.0, version="2"))
    assert [kind for kind, _, _ in told(state)][1:] == ["PEER_DISCONNECTED", "LATENCY_UPDATE", "VERSION_MISMATCH"]


def test_a_partial_frame_keeps_what_it_does_not_tell() -> None:
    state = state_of(peer(0, city="Oslo", inbound_bytes=5, **FULL), peer(1, latency_ms=25.0))
    assert state.current["p1"] == peer(1, city="Oslo", inbound_bytes=5, **FULL | {"latency_ms": 25.0})
    assert len(state.events) == 1


def test_a_hundred_events_are_kept_newest_first() -> None:
    state = state_of(*(peer(n, f"p{n}") for n in range(120)))
    assert [e.peer_id for e in state.events] == [f"p{n}" for n in range(119, 19, -1)]
    assert state.events.total == 120


def test_the_sums_count_bytes_of_all_and_latency_of_connected_peers() -> None:
    state = state_of(
        peer(0, "a", status="CONNECTED", latency_ms=10.0, inbound_bytes=1, outbound_bytes=2**62),
        peer(1, "b", status="CONNECTED", latency_ms=40.0, inbound_bytes=2, outbound_bytes=2**62),
        peer(2, "c", status="CONNECTED", inbound_bytes=4),
        peer(3, "d", status="DISCONNECTED", latency_ms=900.0, inbound_bytes=8),
        peer(4, "e", status="CONNECTING", latency_ms=800.0),
    )
    assert state.totals == NetworkTotals(5, 3, 1, 25.0, 15, 2**63)


def test_the_sums_follow_every_record() -> None:
    state = state_of(peer(0, **FULL))
    assert state.totals == NetworkTotals(1, 1, 0, 20.0, 0, 0)
    state.apply(peer(1, status="DISCONNECTED"))
    assert state.totals == NetworkTotals(1, 0, 1, None, 0, 0)
    assert state.health == "CRITICAL"


def test_a_network_without_peers_is_healthy_and_sums_to_nothing() -> None:
    assert NetworkState().totals == NetworkTotals(0, 0, 0, None, 0, 0)
    assert NetworkState().health == "HEALTHY"


@pytest.mark.parametrize(
    "connected, total, latency, health",
    [
        (0, 0, None, "HEALTHY"),
        (10, 10, None, "HEALTHY"),
        (8, 10, 500.0, "HEALTHY"),
        (8, 10, 500.001, "DEGRADED"),
        (79, 100, 10.0, "DEGRADED"),
        (5, 10, 10.0, "DEGRADED"),
        (49, 100, 10.0, "CRITICAL"),
        (49, 100, 900.0, "CRITICAL"),
        (0, 3, None, "CRITICAL"),
    ],
)
def test_health_follows_the_share_of_connected_peers_and_the_mean_latency(
    connected: int, total: int, latency: float | None, health: str
) -> None:
    assert network_health(NetworkTotals(total, connected, total - connected, latency, 0, 0)) == health


@pytest.mark.parametrize(
    "active, total, health",
    [(0, 0, "HEALTHY"), (4, 5, "HEALTHY"), (79, 100, "DEGRADED"), (1, 2, "DEGRADED"), (49, 100, "CRITICAL")],
)
def test_health_of_connections_follows_their_share(active: int, total: int, health: str) -> None:
    assert connections_health(active, total) == health


def test_a_record_without_an_id_is_counted_and_in_no_row() -> None:
    state = state_of(peer(0, None, **FULL))
    assert (len(state.current), state.unkeyed, len(state.events)) == (0, 1, 0)
    assert state.version > 0


def test_the_current_rows_make_a_table_with_the_topics_schema() -> None:
    table = state_of(peer(0, **FULL), peer(1, "p2")).table()
    assert table.schema == arrow_schema(Peer)
    assert table.column("peer_id").to_pylist() == ["p1", "p2"]


def test_the_version_grows_with_every_change() -> None:
    state = NetworkState()
    versions = [state.version]
    for n in range(3):
        state.apply(peer(n, **FULL))
        versions.append(state.version)
    state.events.clear()
    assert versions == sorted(set(versions))
    assert state.version > versions[-1]


@pytest.mark.parametrize("hostile", [float("nan"), float("inf")])
def test_a_latency_that_is_no_number_does_not_spoil_the_mean(hostile: float) -> None:
    state = state_of(peer(0, **FULL), peer(1, "p2", status="CONNECTED", latency_ms=hostile))
    assert state.totals.mean_latency_ms == 20.0
