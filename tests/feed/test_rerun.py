"""A recording, served again over real sockets."""

import asyncio
import math

import msgspec
import pandas as pd
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import aurigraph_nb as ag
from aurigraph_nb import iothread
from aurigraph_nb.recording.lines import FrameLine, frame_of
from aurigraph_nb.rerun import Rerun
from aurigraph_nb.sample import Script, sample
from aurigraph_nb.tape import LinesRun

SYSTEMS = {
    "portal": {"protocol": "portal"},
    "portal's shape": {"protocol": "portal", "shape": "portal"},
    "live": {"protocol": "live"},
    "channels": {"protocol": "channels"},
    "fakeai": {"protocol": "fakeai"},
    "real fakeai": {"protocol": "fakeai", "inference_shape": "real"},
}
LIMIT_S = 20


def lines_of(**options):
    arguments = {"protocol": "portal", "scenario": "steady", "duration": "30s", "seed": 7, "start": "2026-01-01"}
    script = Script(**arguments | options)
    return list(script.lines()), script.url


async def collect(url, *words, headers=None):
    """Every frame that a client gets until the server closes, as (text, data)."""
    got = []
    async with connect(url, additional_headers=headers) as ws:
        for word in words:
            await ws.send(word)
        try:
            while True:
                data = await ws.recv()
                got.append((isinstance(data, str), data.encode() if isinstance(data, str) else data))
        except ConnectionClosed as end:
            return got, end.rcvd and end.rcvd.code


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, LIMIT_S))


async def served(rerun, talk):
    await rerun.start()
    try:
        return await talk(rerun)
    finally:
        await rerun.close()


def sent(lines, endpoint):
    frames = [frame_of(line) for line in lines if isinstance(line, FrameLine) and line.e == endpoint]
    return [(frame.text, frame.data) for frame in frames]


def test_each_client_of_a_topic_gets_its_frames_byte_for_byte_and_in_order():
    lines, url = lines_of()
    rerun = Rerun([LinesRun(lines)], "portal", url, speed=math.inf)

    async def talk(rerun):
        return await asyncio.gather(*(collect(rerun.urls[name]) for name in rerun.urls))

    for name, (got, code) in zip(rerun.urls, run(served(rerun, talk)), strict=True):
        assert got == sent(lines, name) and len(got) > 5
        assert code == 1000


def test_what_is_no_text_or_makes_no_sense_is_served_as_it_came():
    lines, url = lines_of()
    at = lines[-2].t
    odd = [
        FrameLine(at, "metrics", 1, "AP8=", "b64", True),
        FrameLine(at, "metrics", 1, "{not json"),
        FrameLine(at, "metrics", 1, ""),
    ]
    lines[-2:-2] = odd
    rerun = Rerun([LinesRun(lines)], "portal", url, speed=math.inf)
    got, _ = run(served(rerun, lambda r: collect(r.urls["metrics"])))
    assert got == sent(lines, "metrics")
    assert got[-3:] == [(False, b"\x00\xff"), (True, b"{not json"), (True, b"")]


@pytest.mark.parametrize("options", SYSTEMS.values(), ids=SYSTEMS)
def test_a_feed_on_it_has_the_rows_of_the_recording(options):
    recording = sample(duration="1min", seed=7, **options)
    (tape,) = recording.runs()
    rerun = Rerun([tape], recording.protocol, recording.url, speed=math.inf)
    io = iothread.get()
    io.run(rerun.start())
    feed = ag.connect(rerun.url, protocol=recording.protocol, shared=False)
    try:
        for topic in feed:
            topic.open()
        io.run(asyncio.wait_for(rerun.finished.wait(), LIMIT_S))
        for topic in feed:
            if rows := len(recording[topic.name]):
                topic.wait(rows, timeout=LIMIT_S)
            left_out = ["recv_ns", "conn_epoch", "n", "gap_before"]
            got, want = (t.to_pandas().drop(columns=left_out) for t in (topic, recording[topic.name]))
            if "timestamp_is_recv" in want and want["timestamp_is_recv"].any():
                got, want = got.reset_index(drop=True), want.reset_index(drop=True)
            pd.testing.assert_frame_equal(got, want)
    finally:
        feed.close()
        io.run(rerun.close())


def test_only_what_was_subscribed_comes_and_the_answers_are_the_clients_own():
    lines, url = lines_of(protocol="live")
    rerun = Rerun([LinesRun(lines)], "live", url, speed=math.inf)
    subscribe = '{"type":"subscribe","channel":"network_status"}'

    async def talk(rerun):
        async with connect(rerun.urls["live"]) as ws:
            kinds = [msgspec.json.decode(await ws.recv())["type"]]
            await ws.send(subscribe)
            async for message in ws:
                kinds.append(msgspec.json.decode(message)["type"])
        return kinds

    kinds = run(served(rerun, talk))
    assert kinds[0] == "connection_established" and kinds.count("connection_established") == 1
    assert kinds.count("subscription_confirmed") == 1
    assert set(kinds[1:]) <= {"tps_update", "subscription_confirmed", "network_update"}


def test_a_filter_by_model_leaves_the_other_models_out():
    lines, url = lines_of(protocol="fakeai", duration="2min")
    recording = sample(duration="2min", seed=7, protocol="fakeai")
    model = recording.requests.to_pandas()["model"].astype(str).mode()[0]
    rerun = Rerun([LinesRun(lines)], "fakeai", url, speed=math.inf, wait=False, start_ns=lines[0].t, end_ns=None)
    rerun.player.pause()

    async def talk(rerun):
        async with connect(rerun.urls["fakeai"]) as ws:
            await ws.send(msgspec.json.encode({"type": "subscribe", "filters": {"model": model}}).decode())
            answer = msgspec.json.decode(await ws.recv())
            rerun.player.resume()
            return answer, [msgspec.json.decode(message) async for message in ws]

    answer, got = run(served(rerun, talk))
    assert answer["filters"] == {"model": model}
    models = {frame["data"]["model"] for frame in got if "model" in frame.get("data", {})}
    assert models == {model}


def test_it_waits_for_the_first_client():
    lines, url = lines_of()
    rerun = Rerun([LinesRun(lines)], "portal", url, speed=math.inf)

    async def talk(rerun):
        assert rerun.player.paused and not rerun.finished.is_set()
        await collect(rerun.urls["metrics"])
        return rerun.finished.is_set()

    assert run(served(rerun, talk))


def test_a_recorded_loss_is_a_loss_again_and_refused_while_it_lasted():
    lines, url = lines_of(scenario="outage", duration="3min")
    rerun = Rerun([LinesRun(lines)], "portal", url, speed=math.inf)
    lost_at = next(line.t for line in lines if type(line).__name__ == "Closed")
    back_at = next(line.t for line in lines if type(line).__name__ == "Opened" and line.t > lost_at)

    async def talk(rerun):
        got, code = await collect(rerun.urls["metrics"])
        return len(got), code

    rerun.player.end_ns = (lost_at + back_at) // 2

    async def refused(rerun):
        result = await talk(rerun)
        rerun.player.pause()
        return result

    count, code = run(served(rerun, refused))
    assert code == 1012
    assert count == sum(line.e == "metrics" and line.t < lost_at for line in lines if isinstance(line, FrameLine))


def test_while_a_connection_was_lost_the_door_is_shut():
    lines, url = lines_of(scenario="outage", duration="3min")
    lost_at = next(line.t for line in lines if type(line).__name__ == "Closed")
    rerun = Rerun([LinesRun(lines)], "portal", url, speed=math.inf, wait=False)
    rerun.player.paused = True

    async def talk(rerun):
        rerun.player.seek(lost_at + 1_000_000)
        while rerun.player.seeking:  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0)
        with pytest.raises(InvalidStatus) as refused:
            async with connect(rerun.urls["metrics"]):
                pass
        return refused.value.response.status_code

    assert run(served(rerun, talk)) == 503


def test_other_paths_are_not_there_and_a_token_is_asked_for():
    lines, url = lines_of()
    rerun = Rerun([LinesRun(lines)], "portal", url, token="sesame")

    async def talk(rerun):
        statuses = []
        for target in (rerun.urls["metrics"], rerun.url + "/metrics/stream", rerun.url + "/ws"):
            with pytest.raises(InvalidStatus) as refused:
                async with connect(target):
                    pass
            statuses.append(refused.value.response.status_code)
        async with connect(rerun.urls["metrics"], additional_headers={"Authorization": "Bearer sesame"}):
            return statuses

    assert run(served(rerun, talk)) == [401, 404, 404]


def test_a_slow_client_holds_the_tape_and_loses_nothing():
    lines, url = lines_of(duration="2min", rate=400.0)
    rerun = Rerun([LinesRun(lines)], "portal", url, speed=math.inf, buffer_bytes=1 << 20, compression=None)

    async def talk(rerun):
        got = []
        async with connect(rerun.urls["transactions"], max_queue=1) as ws:
            async for message in ws:
                got.append(message)
                if len(got) % 100 == 0:
                    await asyncio.sleep(0)
        return got

    got = run(served(rerun, talk))
    assert len(got) == len(sent(lines, "transactions")) > 10_000
    assert sum(rerun.stats().dropped.values()) == 0


def test_an_option_that_there_is_not_is_told():
    lines, url = lines_of()
    with pytest.raises(ag.BadOption, match="wheels"):
        Rerun([LinesRun(lines)], "portal", url, wheels=4)
