"""The modelled network: the same from the same seed, and like a network."""

import hashlib
import statistics
from collections import Counter, defaultdict

import msgspec
import pytest

from aurigraph_nb.node.events import TOPICS, ServingEvent
from aurigraph_nb.node.model import Model, ModelOptions
from aurigraph_nb.node.scenarios import SCENARIOS
from aurigraph_nb.node.wire import Wire

NS = 1_000_000_000
START = 1_767_225_600 * NS


def run(seconds, **options):
    model = Model(ModelOptions(**options), START)
    return model, model.take(START + round(seconds * NS), 10**9)


def frames(events, shape="server"):
    wire = Wire(shape)
    return [wire.encode(event) for event in events if not isinstance(event, ServingEvent)]


def digest(events, shape):
    return hashlib.sha256(b"\n".join(frames(events, shape))).hexdigest()


def of(events, topic):
    return [event for event in events if event.topic == topic]


@pytest.mark.parametrize("shape", ["server", "portal"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_seed_gives_the_same_bytes(scenario, shape):
    first, second = (digest(run(90, seed=7, scenario=scenario)[1], shape) for _ in range(2))
    assert first == second


def test_another_seed_gives_another_network():
    assert digest(run(5, seed=1)[1], "server") != digest(run(5, seed=2)[1], "server")


@pytest.mark.parametrize("limit", [1, 7, 1000])
@pytest.mark.parametrize("step_ns", [3_000_000, 700_000_001])
def test_events_do_not_depend_on_how_they_are_taken(step_ns, limit):
    _, whole = run(3, seed=3, rate=200)
    model, parts, until = Model(ModelOptions(seed=3, rate=200), START), [], START
    while until < START + 3 * NS:
        until = min(until + step_ns, START + 3 * NS)
        while model.next_ns <= until:
            parts += model.take(until, limit)
    assert frames(parts) == frames(whole)


def test_events_come_in_time_order_and_in_whole_microseconds():
    _, events = run(60, seed=5, scenario="partition", rate=100)
    times = [event.time_ns for event in events]
    assert times == sorted(times)
    assert all(t % 1000 == 0 for t in times)
    assert times[0] == START


def test_the_rate_shifts_no_other_topic():
    _, slow = run(30, seed=7)
    _, fast = run(30, seed=7, rate=300)
    for topic in ("metrics", "validators", "consensus", "network"):
        assert frames(of(slow, topic)) == frames(of(fast, topic))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_shifts_nothing_before_its_first_incident(scenario):
    _, calm = run(20, seed=7)
    _, other = run(20, seed=7, scenario=scenario)
    assert frames(calm) == frames(other)


def test_metrics_keep_their_noise_in_a_scenario_that_does_not_touch_them():
    _, calm = run(120, seed=7)
    _, churn = run(120, seed=7, scenario="leader-churn")
    for topic in ("metrics", "network", "transactions"):
        strip = [msgspec.structs.asdict(e) | {"block_number": None} for e in of(calm, topic)]
        assert strip == [msgspec.structs.asdict(e) | {"block_number": None} for e in of(churn, topic)]


def test_all_topics_together_reach_the_rate():
    model, events = run(30, seed=7, rate=1000)
    settled = [event for event in events if event.time_ns >= START + 10 * NS]
    assert len(settled) / 20 == pytest.approx(1000, rel=0.03)
    assert model.truth.frames == Counter(event.topic for event in events)


def test_by_default_there_are_five_transactions_a_second():
    _, events = run(300, seed=7)
    submitted = [event for event in of(events, "transactions") if event.status == "PENDING"]
    assert len(submitted) / 300 == pytest.approx(5, rel=0.1)


def test_a_rate_below_what_the_other_topics_need_leaves_a_few_transactions():
    _, events = run(300, seed=7, rate=0.5)
    submitted = [event for event in of(events, "transactions") if event.status == "PENDING"]
    assert 10 <= len(submitted) <= 60


def test_every_transaction_is_pending_once_then_settled_once_some_seconds_later():
    model, events = run(120, seed=11)
    lives = defaultdict(list)
    for event in of(events, "transactions"):
        lives[event.hash].append(event)
    settled = {h: life for h, life in lives.items() if len(life) == 2}
    assert all(life[0].status == "PENDING" for life in lives.values())
    assert all(life[1].status in ("CONFIRMED", "FAILED") for life in settled.values())
    assert all(len(life) <= 2 for life in lives.values())
    assert all(0.4 <= (b.time_ns - a.time_ns) / NS <= 8.0 for a, b in settled.values())
    assert all(a.value == b.value and a.sender == b.sender for a, b in settled.values())
    assert all(a.block_number is None and b.block_number and b.gas_used >= 21_000 for a, b in settled.values())
    truth = model.truth
    assert (truth.settled, truth.pending) == (len(settled), len(lives) - len(settled))
    fates = {fate.hash: (fate.submitted_ns, fate.settled_ns, fate.status) for fate in truth.transactions}
    assert fates == {h: (a.time_ns, b.time_ns, b.status) for h, (a, b) in settled.items()}


def test_a_few_transactions_fail_and_most_values_exceed_what_a_float_holds():
    _, events = run(60, seed=11, rate=500)
    done = Counter(event.status for event in of(events, "transactions"))
    assert 0.005 < done["FAILED"] / (done["FAILED"] + done["CONFIRMED"]) < 0.05
    big = sum(int(event.value) > 2**53 for event in of(events, "transactions"))
    assert 0.6 < big / len(of(events, "transactions")) < 0.98


def test_there_is_one_round_a_second_and_a_hundred_an_epoch():
    model, events = run(150, seed=7)
    rounds = model.truth.rounds
    assert [r.round for r in rounds] == list(range(rounds[0].round, rounds[0].round + len(rounds)))
    assert [(r.start_ns - START) // NS for r in rounds] == list(range(len(rounds)))
    assert all(r.epoch == r.round // 100 and r.start_ns < r.end_ns < r.start_ns + NS for r in rounds)
    epochs = sorted({event.epoch for event in of(events, "consensus")})
    assert len(epochs) == 3 and epochs[-1] - epochs[0] == 2


def test_each_proposal_gives_a_validator_frame_with_its_block():
    model, events = run(200, seed=7)
    proposed = {(e.id, e.last_block_proposed, e.time_ns) for e in of(events, "validators")}
    committed = [r for r in model.truth.rounds if r.committed]
    assert all((r.leader, r.height, r.end_ns) in proposed for r in committed)
    assert [r.height for r in committed] == list(range(committed[0].height, committed[0].height + len(committed)))


def test_phases_follow_each_other_and_a_failed_round_has_no_leader_and_a_new_term():
    _, events = run(600, seed=7)
    by_round = defaultdict(list)
    for event in of(events, "consensus"):
        by_round[event.round].append(event)
    whole = [phases for _, phases in sorted(by_round.items())][:-1]
    kinds = {tuple(e.phase for e in phases) for phases in whole}
    assert kinds == {("PROPOSING", "COMMITTED"), ("PROPOSING", "VOTING", "FAILED")}
    failed = [phases for phases in whole if phases[-1].phase == "FAILED"]
    assert all(p[-1].leader is None and p[-1].term == p[0].term + 1 and p[-1].role == "CANDIDATE" for p in failed)
    assert 0 < len(failed) / len(whole) < 0.1


def test_leaders_take_turns_by_stake():
    model, events = run(3000, seed=7)
    led = Counter(r.leader for r in model.truth.rounds)
    stake = {e.id: e.total_staked for e in of(events, "validators")}
    by_stake = sorted(led, key=stake.__getitem__)
    poor, rich = by_stake[: len(by_stake) // 2], by_stake[len(by_stake) // 2 :]
    assert sum(led[v] for v in rich) > 1.5 * sum(led[v] for v in poor)
    assert led.most_common(1)[0][1] < 0.4 * sum(led.values())


def test_the_set_is_skewed_and_not_all_of_it_is_active():
    _, events = run(600, seed=7)
    stakes = sorted({e.id: e.voting_power for e in of(events, "validators")}.values())
    assert len(stakes) == 20 and stakes[-1] > 3 * statistics.median(stakes)
    first = of(events, "consensus")[0]
    assert (first.active_validators, first.total_validators) == (18, 20)


@pytest.mark.parametrize("validators, peers", [(1, 0), (2, 1), (3, 2), (150, 200)])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_any_number_of_validators_and_peers_works_in_every_scenario(scenario, validators, peers):
    model, events = run(90, seed=2, scenario=scenario, validators=validators, peers=peers)
    assert len({e.id for e in of(events, "validators")}) <= validators
    assert len({e.peer_id for e in of(events, "network")}) == peers
    assert all(1 <= e.active_validators <= validators for e in of(events, "consensus"))
    assert len(model.truth.rounds) >= 90


def test_every_peer_shows_itself_early_and_far_ones_are_slower():
    _, events = run(300, seed=7, peers=200)
    first = {}
    for event in of(events, "network"):
        first.setdefault(event.peer_id, event)
    assert len(first) == 200
    assert all(event.time_ns < START + 6 * NS for event in first.values())
    near = [e.latency_ms for e in first.values() if e.country == "Germany"]
    far = [e.latency_ms for e in first.values() if e.country in ("Australia", "New Zealand", "Japan")]
    assert max(near) < 60 < min(far)
    assert all(-90 <= e.latitude <= 90 and -180 <= e.longitude <= 180 for e in first.values())


def test_peers_leave_return_and_adopt_the_new_version():
    _, events = run(900, seed=7)
    state, left, returned, versions = {}, 0, 0, Counter()
    for event in of(events, "network"):
        before = state.get(event.peer_id)
        left += before is not None and before.connected and not event.connected
        returned += before is not None and not before.connected and event.connected
        if before is not None and event.inbound_bytes < before.inbound_bytes:
            pytest.fail("a counter of bytes went back")
        versions[event.version] += before is None or before.version != event.version
        state[event.peer_id] = event
    assert left > 5 and returned > 5
    assert versions["11.4.1"] > 3


def test_load_drifts_around_its_mean_and_the_cpu_follows():
    _, events = run(3000, seed=7)
    metrics = of(events, "metrics")
    tps, cpu = [e.tps for e in metrics], [e.cpu_percent for e in metrics]
    assert 500_000 < statistics.mean(tps) < 1_500_000
    assert statistics.correlation(tps, cpu) > 0.8
    assert max(tps) > 1.4 * statistics.median(tps)
    assert all(0 <= e.cpu_percent <= 100 and 0 <= e.memory_percent <= 100 and 0 <= e.error_rate < 1 for e in metrics)
    assert all(e.memory_mb == pytest.approx(e.memory_percent * 163.84, abs=1) for e in metrics)


def test_metrics_come_at_their_interval():
    _, events = run(10, seed=7, metrics_interval_s=0.25)
    assert [e.time_ns - START for e in of(events, "metrics")] == [i * NS // 4 for i in range(41)]


def test_a_run_ends_after_its_duration():
    model = Model(ModelOptions(seed=7, duration_s=5), START)
    events = model.take(START + 100 * NS, 10**9)
    assert model.end_ns == START + 5 * NS
    assert events[-1].time_ns < model.end_ns
    assert len(of(events, "metrics")) == 5
    assert model.next_ns is None and model.take(START + 100 * NS) == []


def test_the_time_in_which_nobody_listened_costs_no_transactions():
    model, _ = run(10, seed=7, rate=10_000)
    model.forget_transactions_until(START + 70 * NS)
    missed = model.take(START + 70 * NS, 10**9)
    assert all(e.status != "PENDING" for e in of(missed, "transactions"))
    assert len(of(missed, "consensus")) > 100
    again = model.take(START + 72 * NS, 10**9)
    assert sum(e.status == "PENDING" for e in of(again, "transactions")) == pytest.approx(10_000, rel=0.05)


def test_truth_is_bounded_and_its_counts_go_on():
    model, events = run(20, seed=7, rate=10_000)
    truth = model.truth
    assert len(truth.transactions) == 20_000 < truth.settled
    assert sum(truth.frames.values()) == len(events)
    assert set(truth.frames) <= set(TOPICS)
