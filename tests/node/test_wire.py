"""The two documented shapes, name by name and unit by unit."""

import json

import pytest

from aurigraph_nb.node.events import (
    ConsensusEvent,
    MetricsEvent,
    PeerEvent,
    TransactionEvent,
    ValidatorEvent,
)
from aurigraph_nb.node.wire import Wire

T = 1_767_225_600_123_456_000
METRICS = MetricsEvent(T, 851234.5, 41.25, 7340.0, 44.8, 42, 0.0015)
PENDING = TransactionEvent(T, "0xab", "0x1", "0x2", "123456789012345678901", "PENDING", 0, "1000000007", None)
CONFIRMED = TransactionEvent(T, "0xab", "0x1", "0x2", "7", "CONFIRMED", 21000, "1000000007", 4213001)
VALIDATOR = ValidatorEvent(
    T, "validator-03", "0xcd", "Boreal", "JAILED", 0, 99.125, 5.5, 4213000, 120, 1_500_000 * 10**18
)
CONSENSUS = ConsensusEvent(
    T, "validator-03", "PROPOSING", "FOLLOWER", 1284, 128460, 7, 0.9681, 18, 20, T - 580_000_000, 1003.2, "OPTIMAL"
)
PEER = PeerEvent(
    T, "peer-1", "10.0.0.1", False, 120.5, "11.4.0", "Japan", "Tokyo", 35.68, 139.69, 3600, T - 10**9, 10, 20
)

SERVER = [
    (METRICS, "timestamp tps cpu memory connections errorRate"),
    (CONFIRMED, "timestamp txHash from to value status gasUsed"),
    (VALIDATOR, "timestamp validator status votingPower uptime lastBlockProposed"),
    (CONSENSUS, "timestamp leader epoch round term state performanceScore activeValidators"),
    (PEER, "timestamp peerId ip connected latency version"),
]
PORTAL = [
    (METRICS, "timestamp currentTPS cpuUsage memoryUsage activeConnections errorRate"),
    (CONFIRMED, "timestamp hash from to value status gasPrice blockNumber"),
    (PENDING, "timestamp hash from to value status gasPrice"),
    (
        VALIDATOR,
        "timestamp id address name status votingPower uptime commissionRate delegators totalStaked lastBlockProposed "
        "lastUpdate",
    ),
    (
        CONSENSUS,
        "timestamp currentLeader state epoch round term performanceScore activeValidators totalValidators "
        "lastBlockTime averageBlockTime consensusHealth",
    ),
    (
        PEER,
        "timestamp id address status latency version location uptime lastSeen inboundBytes outboundBytes "
        "connectionQuality",
    ),
]


def read(shape, event):
    return json.loads(Wire(shape).encode(event))


@pytest.mark.parametrize(
    "shape, event, names", [("server", *row) for row in SERVER] + [("portal", *row) for row in PORTAL]
)
def test_a_frame_has_exactly_the_documented_fields(shape, event, names):
    assert list(read(shape, event)) == names.split()


def test_the_server_shape_has_iso_times_fractions_and_megabytes():
    frame = read("server", METRICS)
    assert frame["timestamp"] == "2026-01-01T00:00:00.123456Z"
    assert (frame["memory"], frame["errorRate"]) == (7340.0, 0.0015)
    assert read("server", CONSENSUS)["performanceScore"] == 0.9681
    assert read("server", PEER)["connected"] is False


def test_the_portal_shape_has_milliseconds_and_percent():
    frame = read("portal", METRICS)
    assert frame["timestamp"] == 1_767_225_600_123
    assert (frame["memoryUsage"], frame["errorRate"]) == (44.8, 0.15)
    consensus = read("portal", CONSENSUS)
    assert (consensus["performanceScore"], consensus["state"]) == (96.81, "FOLLOWER")
    assert consensus["lastBlockTime"] == 1_767_225_599_543
    assert read("portal", PEER)["status"] == "DISCONNECTED"


def test_the_portal_says_success_where_the_server_says_confirmed():
    assert read("server", CONFIRMED)["status"] == "CONFIRMED"
    assert read("portal", CONFIRMED)["status"] == "SUCCESS"
    assert read("portal", PENDING)["status"] == "PENDING"


def test_large_numbers_travel_as_text():
    assert read("server", PENDING)["value"] == "123456789012345678901"
    assert read("portal", VALIDATOR)["totalStaked"] == "1500000000000000000000000"


def test_nobody_leads_is_null():
    lost = ConsensusEvent(T, None, "FAILED", "CANDIDATE", 1, 1, 1, 0.5, 1, 1, T, 1.0, "DEGRADED")
    assert read("server", lost)["leader"] is None
    assert read("portal", lost)["currentLeader"] is None


def test_a_place_has_country_city_and_coordinates():
    place = {"country": "Japan", "city": "Tokyo", "latitude": 35.68, "longitude": 139.69}
    assert read("portal", PEER)["location"] == place


@pytest.mark.parametrize(
    "latency, quality",
    [(49.9, "EXCELLENT"), (50, "GOOD"), (99.9, "GOOD"), (100, "FAIR"), (149.9, "FAIR"), (150, "POOR")],
)
def test_quality_follows_the_latency(latency, quality):
    peer = PeerEvent(T, "p", "a", True, latency, "v", "c", "c", 0.0, 0.0, 1, T, 1, 1)
    assert read("portal", peer)["connectionQuality"] == quality


def test_seconds_are_written_anew_when_they_change():
    wire = Wire("server")
    times = [T, T + 999, T + 10**9, T]
    texts = [json.loads(wire.encode(MetricsEvent(t, 1.0, 1.0, 1.0, 1.0, 1, 0.0)))["timestamp"] for t in times]
    assert texts == [
        "2026-01-01T00:00:00.123456Z",
        "2026-01-01T00:00:00.123456Z",
        "2026-01-01T00:00:01.123456Z",
        "2026-01-01T00:00:00.123456Z",
    ]
