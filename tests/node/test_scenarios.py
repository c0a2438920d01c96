"""What each scenario does to the network, and that the truth tells it."""

import random
from itertools import islice, pairwise

import pytest

from aurigraph_nb.errors import BadOption
from aurigraph_nb.node import scenarios
from aurigraph_nb.node.events import ServingEvent
from aurigraph_nb.node.model import Model, ModelOptions

NS = 1_000_000_000
START = 1_767_225_600 * NS


def run(scenario, seconds=120, seed=7, **options):
    model = Model(ModelOptions(seed=seed, scenario=scenario, **options), START)
    events = model.take(START + seconds * NS, 10**9)
    return model.truth, events


def within(events, topic, start_ns, end_ns):
    return [e for e in events if e.topic == topic and start_ns <= e.time_ns < end_ns]


def first_incident(truth, kind):
    assert truth.incidents and {i.kind for i in truth.incidents} == {kind}
    return truth.incidents[0]


def test_steady_has_no_incidents():
    truth, _ = run("steady", 600)
    assert truth.incidents == ()


@pytest.mark.parametrize("scenario", [name for name in scenarios.SCENARIOS if name != "steady"])
@pytest.mark.parametrize("seed", range(5))
def test_incidents_begin_early_recur_and_do_not_overlap(scenario, seed):
    moments = list(islice(scenarios.moments(scenario, START, random.Random(seed)), 5))
    assert 20 * NS <= moments[0].start_ns - START <= 28 * NS
    assert all(a.end_ns + 35 * NS <= b.start_ns <= a.end_ns + 55 * NS for a, b in pairwise(moments))
    assert all(5 * NS < m.end_ns - m.start_ns <= 30 * NS for m in moments)


def test_an_unknown_scenario_is_named_with_those_that_exist():
    with pytest.raises(BadOption, match=r"'storm'.*steady, spike, leader-churn, jailing, outage, partition"):
        scenarios.plan("storm")


def test_spike_multiplies_load_and_transactions():
    truth, events = run("spike", rate=200)
    incident = first_incident(truth, "spike")
    middle = incident.start_ns + 4 * NS, incident.end_ns - 4 * NS
    before = START + 8 * NS, incident.start_ns

    def rate(topic, span):
        return len(within(events, topic, *span)) / ((span[1] - span[0]) / NS)

    assert rate("transactions", middle) > 2.5 * rate("transactions", before)
    high = max(e.tps for e in within(events, "metrics", *middle))
    usual = max(e.tps for e in within(events, "metrics", *before))
    assert high > 2 * usual
    assert incident.detail.startswith("load x")


def test_leader_churn_changes_leaders_within_rounds_fails_some_and_spoils_the_performance():
    truth, events = run("leader-churn")
    incident = first_incident(truth, "leader-churn")
    before = within(events, "consensus", START, incident.start_ns)
    amid = within(events, "consensus", incident.start_ns, incident.end_ns)

    def changes(some):
        return sum(a.leader != b.leader for a, b in pairwise(some)) / (some[-1].time_ns - some[0].time_ns) * NS

    assert changes(amid) > 2.5 * changes(before)
    assert any(not r.committed for r in truth.rounds if incident.start_ns <= r.start_ns < incident.end_ns)
    assert amid[-1].term - amid[0].term > 20
    assert min(e.performance for e in amid) < 0.7 < before[-1].performance
    assert {e.health for e in amid} - {"OPTIMAL"}
    assert {e.phase for e in amid} >= {"PROPOSING", "FAILED", "COMMITTED"}


def test_jailing_takes_the_voting_power_of_several_and_gives_it_back_slashed():
    truth, events = run("jailing", seed=5)
    incident = first_incident(truth, "jailing")
    victims = incident.detail.split(", ")
    assert len(victims) >= 2
    for victim in victims:
        of_it = [e for e in within(events, "validators", incident.start_ns, START + 120 * NS) if e.id == victim]
        jailed = next(e for e in of_it if e.status == "JAILED")
        assert jailed.voting_power == 0
        released = next(e for e in of_it if e.time_ns > incident.end_ns - NS and e.status == "ACTIVE")
        assert released.voting_power > 0
    lowest = min(e.active_validators for e in within(events, "consensus", incident.start_ns, incident.end_ns))
    assert lowest <= within(events, "consensus", START, incident.start_ns)[-1].active_validators - len(victims)


def test_outage_orders_the_node_down_and_up_at_the_times_that_the_truth_tells():
    truth, events = run("outage")
    orders = [(e.time_ns, e.up) for e in events if isinstance(e, ServingEvent)]
    told = [(t, up) for i in truth.incidents for t, up in ((i.start_ns, False), (i.end_ns, True))]
    assert orders == told[: len(orders)] and len(orders) >= 4


def test_partition_cuts_a_region_off_slows_the_rest_and_weakens_the_set():
    truth, events = run("partition")
    incident = first_incident(truth, "partition")
    amid = within(events, "network", incident.start_ns, incident.end_ns)
    gone = {e.peer_id for e in amid if not e.connected}
    region, _, rest = incident.detail.partition(": ")
    assert region in ("europe", "north-america", "asia")
    assert len(gone) >= int(rest.split()[0]) >= 2
    before = {e.peer_id: e.latency_ms for e in within(events, "network", START, incident.start_ns)}
    slower = [e.latency_ms / before[e.peer_id] for e in amid if e.connected]
    assert sum(ratio > 1.4 for ratio in slower) > 0.8 * len(slower)
    consensus = within(events, "consensus", incident.start_ns + NS, incident.end_ns)
    assert (
        min(e.active_validators for e in consensus)
        < within(events, "consensus", START, incident.start_ns)[-1].active_validators
    )
    assert {e.health for e in consensus} & {"DEGRADED", "CRITICAL"}
    after = {e.peer_id: e.connected for e in within(events, "network", START, incident.end_ns + 30 * NS)}
    assert sum(after[p] for p in gone) >= 0.8 * len(gone)
