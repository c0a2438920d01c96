"""The node on a virtual clock: over real sockets, and exact all the same."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from aurigraph_nb.node import NodeServer, options
from aurigraph_nb.node.events import TOPICS
from aurigraph_nb.node.model import Model, ModelOptions
from aurigraph_nb.node.wire import Wire

NS = 1_000_000_000
START = 1_767_225_600 * NS


async def watch(node, topic, got, ready, dials=1):
    """Receive a topic in step with the node's clock; dial again ``dials - 1`` times when a connection ends."""
    clock, codes = node.clock, []
    with clock.awake():
        for dial in range(dials):
            if dial:
                await clock.sleep(1.0)
            name = f"{topic}/{dial}"
            lockstep = clock.channel(name)
            headers = {"X-Aurigraph-Lockstep": name}
            url = node.topic_urls()[topic]
            try:
                async with connect(url, additional_headers=headers, compression=None, proxy=None) as client:
                    ready.set()
                    while True:
                        with_hold = client.recv(decode=False)
                        data = await _outside(clock, with_hold)
                        got.append((clock.now_ns(), data))
                        lockstep.received()
            except ConnectionClosed as end:
                codes.append(end.rcvd.code if end.rcvd else 1006)
            except ConnectionRefusedError:
                codes.append(0)
            clock.drop(name)
    return codes


async def _outside(clock, waiting):
    """Wait for a frame without holding the clock; what is on its way holds it."""
    clock.release()
    try:
        return await waiting
    finally:
        clock.hold()


async def whole_run(topics=TOPICS, dials=1, **given):
    node = NodeServer(options.make(start="2026-01-01", speed=None, compression=None, **given))
    await node.start()
    try:
        got = {topic: [] for topic in topics}
        ready = {topic: asyncio.Event() for topic in topics}
        tasks = [asyncio.create_task(watch(node, t, got[t], ready[t], dials)) for t in topics]
        await asyncio.gather(*(event.wait() for event in ready.values()))
        assert node.clock.now_ns() == START
        await node.begin()
        codes = await asyncio.wait_for(asyncio.gather(*tasks), 60)
        return node, got, dict(zip(topics, codes, strict=True))
    finally:
        await node.close()


def run(**given):
    return asyncio.run(whole_run(**given))


def expected(topic, seconds, shape="server", **given):
    model, wire = Model(ModelOptions(duration_s=seconds, **given), START), Wire(shape)
    return [wire.encode(e) for e in model.take(START + 10**6 * NS, 10**9) if e.topic == topic]


def test_a_run_is_complete_exact_and_ends_with_1000():
    node, got, codes = run(seed=7, duration="2min")
    for topic in TOPICS:
        assert [data for _, data in got[topic]] == expected(topic, 120, seed=7)
    assert codes == {topic: [1000] for topic in TOPICS}
    assert node.clock.now_ns() == START + 120 * NS and node.finished
    assert node.truth.frames == node.stats().sent


def test_two_runs_give_equal_frames_at_equal_times():
    first, second = (run(seed=7, duration=30, rate=200, shape="portal")[1] for _ in range(2))
    assert first == second
    lag_ns = [at - START for at, _ in first["metrics"]]
    assert lag_ns == [i * NS for i in range(30)]


def test_who_listens_makes_no_difference():
    _, all_topics, _ = run(seed=7, duration=10, rate=300)
    _, one, _ = run(seed=7, duration=10, rate=300, topics=("transactions",))
    assert one["transactions"] == all_topics["transactions"]


def test_frames_are_not_received_before_their_time_nor_much_after():
    _, got, _ = run(seed=7, duration=5, rate=2000, shape="portal", topics=("transactions",))
    model = Model(ModelOptions(seed=7, duration_s=5, rate=2000), START)
    sent = [e.time_ns for e in model.take(START + 10 * NS, 10**9) if e.topic == "transactions"]
    lags = [at - sent_at for (at, _), sent_at in zip(got["transactions"], sent, strict=True)]
    assert min(lags) >= 0 and max(lags) <= 5_000_000


def test_an_outage_closes_with_1012_refuses_and_returns():
    node, got, codes = run(seed=7, scenario="outage", duration=40, topics=("metrics",), dials=60)
    first, *rest = codes["metrics"]
    assert first == 1012
    refused = [code for code in rest if code == 0]
    assert refused and 1000 in rest
    incident = node.truth.incidents[0]
    times = [at for at, _ in got["metrics"]]
    assert not [t for t in times if incident.start_ns < t < incident.end_ns]
    assert max(times) > incident.end_ns


@pytest.mark.parametrize("fault, code", [({"kind": "drop"}, 1006), ({"kind": "close", "code": 1011}, 1011)])
def test_a_fault_in_lockstep_does_not_stop_the_clock(fault, code):
    async def faulty():
        node = NodeServer(options.make(start="2026-01-01", speed=None, duration=5, seed=1, compression=None))
        await node.start()
        got, ready = [], asyncio.Event()
        watching = asyncio.create_task(watch(node, "metrics", got, ready, dials=2))
        await ready.wait()
        assert await node.fault(**fault) == 1
        await node.begin()
        codes = await asyncio.wait_for(watching, 30)
        await node.close()
        return codes

    assert asyncio.run(faulty()) == [code, 1000]


def test_the_clock_stands_still_until_the_node_is_told_to_begin():
    async def waiting():
        node = NodeServer(options.make(start="2026-01-01", speed=None, duration=1))
        await node.start()
        sleeper = asyncio.create_task(sleep_a_second(node.clock))
        for _ in range(50):
            await asyncio.sleep(0)
        stood = node.clock.now_ns()
        await node.begin()
        await asyncio.wait_for(sleeper, 20)
        await node.wait_finished()
        await node.close()
        return stood

    async def sleep_a_second(clock):
        with clock.awake():
            await clock.sleep(1)

    assert asyncio.run(waiting()) == START


def test_a_node_that_never_began_lets_its_clock_go():
    async def never():
        node = NodeServer(options.make(start="2026-01-01", speed=None))
        await node.begin()  # not started: nothing to begin
        await node.start()
        await node.close()
        with node.clock.awake():
            await asyncio.wait_for(node.clock.sleep(3600), 20)
        return node.clock.now_ns()

    assert asyncio.run(never()) == START + 3600 * NS
