"""The network at a glance, and the statistics that are made of it."""

import pytest

from aurigraph_nb.node.model import Model, ModelOptions
from aurigraph_nb.node.view import look, statistics

NS = 1_000_000_000
START = 1_767_225_600 * NS


def view(seconds=30, **given):
    model = Model(ModelOptions(seed=7, **given), START)
    return look(model), model.take(START + seconds * NS), look(model)


def test_before_anything_happened_there_is_a_view_too():
    before, _, _ = view()
    assert (before.tps, before.producer, before.latency_ms, before.latency_at(0.5)) == (0.0, None, 0.0, 0.0)
    assert statistics(before, START, flat=False)["performance"]["averageLatency"] == 0.0


def test_looking_changes_nothing():
    _, events, _ = view()
    assert Model(ModelOptions(seed=7), START).take(START + 30 * NS) == events


@pytest.mark.parametrize("scenario, worst", [("steady", "HEALTHY"), ("partition", "DEGRADED")])
def test_health_follows_the_share_of_connected_peers(scenario, worst):
    model = Model(ModelOptions(seed=7, scenario=scenario), START)
    seen = set()
    for second in range(90):
        model.take(START + second * NS)
        seen.add(look(model).network_health)
    assert worst in seen and (scenario == "partition" or seen == {"HEALTHY"})


def test_a_network_without_peers_is_healthy():
    _, _, now = view(peers=0)
    assert (now.active_nodes, now.total_nodes, now.peers_ms, now.network_health) == (0, 0, 0.0, "HEALTHY")


def test_the_statistics_are_nested_as_the_real_ones():
    _, events, now = view()
    told = statistics(now, START + 30 * NS, flat=False)
    last = [e for e in events if e.topic == "metrics"][-1]
    assert told["transactionStats"]["currentTPS"] == last.tps
    assert list(told["transactionStats"])[:3] == ["currentTPS", "peakTPS", "averageTPS"]
    latencies = told["performance"]
    assert list(latencies) == ["averageLatency", "p50Latency", "p95Latency", "p99Latency"]
    assert 0 < latencies["p50Latency"] <= latencies["p95Latency"] <= latencies["p99Latency"] < 1000
    assert list(told["validatorStats"]) == ["total", "active", "standby", "jailed"]
    assert told["validatorStats"]["total"] == 20
    assert list(told["networkHealth"]) == ["status", "peers", "activePeers", "consensusHealth"]
    assert told["networkHealth"]["status"] == "HEALTHY" and told["networkHealth"]["consensusHealth"] == "OPTIMAL"
    assert told["currentHeight"] == now.height and 0.5 < told["averageBlockTime"] < 2.0


def test_the_statistics_may_be_flat():
    _, _, now = view()
    told = statistics(now, START, flat=True)
    assert list(told) == ["currentTPS", "peakTPS", "averageTPS", "targetTPS", "latency", "throughput", "timestamp"]
    assert not any(isinstance(value, dict) for value in told.values())
