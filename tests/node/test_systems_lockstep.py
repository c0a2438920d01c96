"""The other systems on a virtual clock: complete, exact, and the same whoever else listens."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from aurigraph_nb.node import NodeServer, options
from aurigraph_nb.node.events import SYSTEMS
from aurigraph_nb.node.systems.live import CHANNELS

NS = 1_000_000_000
START = 1_767_225_600 * NS
ASK = [json.dumps({"type": "subscribe", "channel": channel}) for channel in CHANNELS if channel != "tps_updates"]


async def watch(node, stream, got, ready, *, said=(), after_s=0.0):
    """Receive a stream in step with the node's clock; say something first, in step too."""
    clock, name = node.clock, f"{stream}/{after_s}"
    with clock.awake():
        if after_s:
            ready.set()
            await clock.sleep(after_s)
        lockstep = clock.channel(name)
        headers = {"X-Aurigraph-Lockstep": name, "X-Aurigraph-Lockstep-Sends": "1"}
        url = (node.topic_urls() | node.system_urls())[stream]
        try:
            async with connect(url, additional_headers=headers, compression=None, proxy=None) as client:
                for message in said:
                    lockstep.sent()
                    await client.send(message)
                ready.set()
                while True:
                    data = await outside(clock, client.recv(decode=False))
                    got.append((clock.now_ns(), data))
                    lockstep.received()
        except ConnectionClosed as end:
            code = end.rcvd.code if end.rcvd else 1006
        clock.drop(name)
    return code


async def outside(clock, waiting):
    """Wait for a frame without holding the clock; what is on its way holds it."""
    clock.release()
    try:
        return await waiting
    finally:
        clock.hold()


async def whole_run(watchers, **given):
    node = NodeServer(options.make(**{"start": "2026-01-01", "speed": None, "compression": None, "seed": 7} | given))
    await node.start()
    try:
        tasks, results, ready = [], [], []
        for stream, how in watchers:
            results.append([])
            ready.append(asyncio.Event())
            tasks.append(asyncio.create_task(watch(node, stream, results[-1], ready[-1], **how)))
        await asyncio.gather(*(event.wait() for event in ready))
        await node.begin()
        codes = await asyncio.wait_for(asyncio.gather(*tasks), 60)
        return node, results, codes
    finally:
        await node.close()


def run(*watchers, **given):
    """Frames of each watcher: a stream, or a stream and how to watch it."""
    named = [(w, {"said": ASK if w == "live" else ()}) if isinstance(w, str) else w for w in watchers]
    return asyncio.run(whole_run(named, **given))


@pytest.mark.parametrize("shape", ["documented", "real"])
def test_two_runs_give_equal_frames_at_equal_times(shape):
    first, second = (run(*SYSTEMS, duration=30, inference_shape=shape)[1] for _ in range(2))
    assert first == second and all(len(frames) > 20 for frames in first)


def test_frames_are_received_at_the_time_that_they_carry():
    _, (live, channels, fakeai), codes = run(*SYSTEMS, duration=30)
    assert codes == [1000, 1000, 1000]
    for at, data in live + fakeai:
        assert json.loads(data)["timestamp"] == at // 10**6
    assert channels[0][0] == START
    assert {json.loads(data)["type"] for _, data in live} == {
        "connection_established", "subscription_confirmed",
        "tps_update", "block_update", "network_update", "validator_update",
    }  # fmt: skip
    tps = [at for at, data in live if b"tps_update" in data]
    assert tps == [START + i * NS for i in range(30)]


def test_a_run_is_whole_to_its_end():
    _, (live, _), _ = run("live", "metrics", duration=9.9)
    assert [json.loads(data)["type"] for at, data in live if at == START + 9 * NS] == ["tps_update", "network_update"]


def test_who_else_listens_makes_no_difference():
    _, alone, _ = run("fakeai", duration=20)
    _, among, _ = run("fakeai", "live", "channels", "transactions", duration=20)
    assert alone[0] == among[0]


def test_the_topics_are_the_same_with_and_without_the_systems():
    for rate in (None, 2000):
        _, (alone,), _ = run("transactions", duration=3, rate=rate)
        _, (among, *_), _ = run("transactions", *SYSTEMS, duration=3, rate=rate)
        assert alone == among


@pytest.mark.parametrize("system", SYSTEMS)
def test_who_comes_later_gets_the_same_from_then_on(system):
    later = (system, {"after_s": 7.3})
    _, (whole, late), _ = run((system, {}), later, duration=20)
    _, (alone,), _ = run(later, duration=20)
    skip = {"live": 1, "channels": 0, "fakeai": 1}[system]  # its greeting, with an id of its own

    def body(frames):
        return [(at, data.rpartition(b',"sequence"')[0] or data) for at, data in frames]

    assert body(late[skip:]) == [frame for frame in body(whole) if frame[0] > START + 73 * NS // 10]
    assert alone[skip:] == late[skip:] and len(alone) > 10
    if skip:
        assert alone[0][0] == START + 73 * NS // 10


def test_a_first_listener_does_not_wait_for_the_model_to_wake():
    """The next thing to do may be earlier than what the node slept for."""
    listener = ("fakeai", {"after_s": 0.1})
    _, (frames,), _ = run(listener, duration=3, rate=0.1, metrics_interval=60, peers=0)
    for at, data in frames:
        assert json.loads(data)["timestamp"] == at // 10**6


def test_an_order_in_a_subscription_is_heard_before_the_clock_goes_on():
    asked = ("live", {"after_s": 3.999, "said": ASK[:1]})
    _, (frames,), _ = run(asked, duration=9)
    blocks = [at for at, data in frames if b"block_update" in data and b"confirmed" not in data]
    assert blocks == [START + s * NS for s in (4, 6, 8)]


def test_who_does_not_authenticate_is_closed_on_the_clocks_time():
    node, (nothing, some), codes = run(
        ("channels", {}),
        ("channels", {"after_s": 1.0, "said": ['{"type":"auth","token":"sesame"}']}),
        duration=15,
        token="sesame",
    )
    assert codes == [1008, 1000]
    assert nothing == [] and len(some) > 10 and node.stats().denied == 1


@pytest.mark.parametrize("fault", ["duplicate", "reorder", "half-open", "drop"])
def test_a_fault_in_lockstep_does_not_stop_the_clock(fault):
    async def faulty():
        node = NodeServer(options.make(start="2026-01-01", speed=None, duration=5, seed=7, compression=None))
        await node.start()
        got, ready = [], asyncio.Event()
        watching = asyncio.create_task(watch(node, "live", got, ready, said=ASK))
        await ready.wait()
        assert await node.fault(fault, topic="live") == 1
        await node.begin()
        code = await asyncio.wait_for(watching, 30)
        await node.close()
        return code, [json.loads(data)["type"] for _, data in got]

    code, types = asyncio.run(faulty())
    assert code == {"drop": 1006, "half-open": 1006}.get(fault, 1000)
    expected = {"duplicate": 6, "reorder": 5}.get(fault, 0)
    assert types.count("tps_update") == expected


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_outage_closes_the_systems_too(system):
    node, (frames,), codes = run(system, duration=40, scenario="outage")
    assert codes == [1012]
    assert frames[-1][0] <= node.truth.incidents[0].start_ns


def test_a_failed_authentication_leaves_no_hold_on_the_clock():
    _, _, codes = run(("channels", {"said": ['{"type":"auth","token":"rye"}']}), duration=5, token="sesame")
    assert codes == [1008]
