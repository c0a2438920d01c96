"""The verb `replay`: a recording in the terminal, and served again over real sockets."""

import asyncio
import re
import signal
import socket
import subprocess
import sys
import threading

import pandas as pd
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import aurigraph_nb as ag
from aurigraph_nb import registry
from aurigraph_nb.cli import replay as verb
from aurigraph_nb.errors import BadOption, RecordingError, UnknownTopic
from aurigraph_nb.reading.recording import open_recording
from aurigraph_nb.recording.lines import FrameLine, frame_of
from aurigraph_nb.sample import sample

LIMIT_S = 30


@pytest.fixture(autouse=True)
def nothing_left_by_others():
    """Feeds that other tests of this process left open are none of ours."""
    registry.close_all()


@pytest.fixture(autouse=True)
def all_closed():
    yield
    ag.close_all()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return str(sample(duration="20s", seed=7).save(tmp_path_factory.mktemp("runs") / "friday"))


@pytest.fixture(scope="module")
def recording(path):
    return open_recording(path)


class Served:
    """The verb in a process of its own, which serves a recording."""

    def __init__(self, *words):
        line = [sys.executable, "-m", "aurigraph_nb", "replay", *words, "--serve", "--port", "0"]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.said = []
        self._watchdog = threading.Timer(LIMIT_S, self.process.kill)
        self._watchdog.start()
        for said in self.process.stdout:
            self.said.append(said)
            if "Ctrl-C" in said:
                break
        assert "Ctrl-C" in "".join(self.said), self.said
        self.url = self.said[0].split()[-1]
        self.urls = dict(line.split() for line in self.said if line.startswith("  "))

    def result(self, *, interrupt=False):
        """All that it said, once it has ended in good order."""
        if interrupt:
            self.process.send_signal(signal.SIGINT)
        self.said += self.process.stdout
        assert self.process.wait(LIMIT_S) == 0, self.said
        return "".join(self.said)

    def close(self):
        self._watchdog.cancel()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self._watchdog.join()


@pytest.fixture
def served():
    """Start the verb with ``--serve``."""
    running = []

    def start(*words):
        running.append(Served(*words))
        return running[-1]

    yield start
    for one in running:
        one.close()


def frames_of(recording, endpoint):
    lines = [line for _, some in recording.source.lines() for line in some]
    return [frame_of(line).data for line in lines if isinstance(line, FrameLine) and line.e == endpoint]


async def collect(url):
    got = []
    async with connect(url) as ws:
        try:
            while True:
                data = await ws.recv()
                got.append(data.encode() if isinstance(data, str) else data)
        except ConnectionClosed as end:
            return got, end.rcvd and end.rcvd.code


# ---- in the terminal


def test_it_is_shown_like_a_live_feed_and_ends_with_the_recording(cli, path, recording):
    result = cli("replay", path, "--speed", "max")
    assert result.exit_code == 0, result.output
    assert "the run is over" in result.output and "peer_id=" in result.output
    assert f"{len(recording.metrics):,}" in result.output
    assert not registry.feeds()


def test_topics_and_a_part_can_be_chosen(cli, path):
    words = ["--speed", "max", "--topics", "metrics, consensus", "--start", "2026-01-01 00:00:05"]
    result = cli("replay", path, *words, "--end", "2026-01-01 00:00:10", "--recorder", "sample")
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line.split()[2] for line in result.output.splitlines() if "DISCONNECTED" in line[10:40]}
    assert rows["metrics"] == "5" and rows["transactions"] == "0"


def test_ctrl_c_ends_it(cli, path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(verb.watch, "follow", interrupted)
    result = cli("replay", path, "--loop")
    assert result.exit_code == 0 and not registry.feeds()


@pytest.mark.parametrize("serve", [[], ["--serve"]], ids=["shown", "served"])
@pytest.mark.parametrize(
    "words, error, told",
    [
        (["--speed", "fast"], BadOption, 'speed=.fast.: expected a number above 0, such as 10, or "max"'),
        (["--speed", "0"], BadOption, "a number above 0"),
        (["--speed", "nan"], BadOption, "a number above 0"),
        (["--start", "soon"], BadOption, "start='soon'"),
        (["--start", "2027-01-01"], BadOption, "lies outside the recording, which goes from 2026-01-01"),
        (["--start", "00:00:30"], BadOption, "30 s after its start lies outside"),
        (["--recorder", "nobody"], BadOption, "there is none of that name; there are sample"),
    ],
)
def test_what_is_asked_for_wrongly_is_told(cli, path, words, error, told, serve):
    with pytest.raises(error, match=told):
        cli("replay", path, *words, *serve)


def test_an_unknown_topic_is_told_and_topics_are_not_for_serving(cli, path):
    with pytest.raises(UnknownTopic, match="'weather' was not recorded"):
        cli("replay", path, "--topics", "weather")
    with pytest.raises(BadOption, match="what is served is chosen by each client"):
        cli("replay", path, "--topics", "metrics", "--serve")


def test_where_no_recording_is_that_is_told(cli, tmp_path):
    with pytest.raises(RecordingError, match="nowhere"):
        cli("replay", str(tmp_path / "nowhere"))


# ---- served


def test_a_feed_on_what_is_served_has_the_rows_of_the_recording(served, path, recording):
    node = served(path, "--speed", "max")
    feed = ag.connect(node.url, protocol="portal", shared=False)
    for topic in feed:
        topic.open()
    output = node.result()
    for topic in feed:
        topic.wait(len(recording[topic.name]), timeout=LIMIT_S)
        left_out = ["recv_ns", "conn_epoch", "n", "gap_before"]
        got, want = (t.to_pandas().drop(columns=left_out) for t in (topic, recording[topic.name]))
        pd.testing.assert_frame_equal(got, want)
    assert "It begins when the first client connects." in output and path in output
    assert f"End of the recording: {sum(map(len, recording)):,} frames sent over 5 connections." in output


def test_two_clients_get_the_same_frames_in_order_and_a_regular_end(served, path, recording):
    node = served(path, "--speed", "max")

    async def both():
        return await asyncio.gather(*(collect(node.urls["metrics"]) for _ in range(2)))

    (one, code), (two, _) = asyncio.run(asyncio.wait_for(both(), LIMIT_S))
    assert one == two == frames_of(recording, "metrics") and code == 1000
    assert "over 2 connections" in node.result()


def test_without_waiting_it_begins_at_once(served, path):
    assert (
        "End of the recording: 0 frames sent over 0 connections."
        in served(path, "--speed", "max", "--no-wait").result()
    )


def test_in_a_loop_clients_stay_and_ctrl_c_ends_it_with_counts(served, path, recording):
    node = served(path, "--loop", "--speed", "500")

    async def some():
        async with connect(node.urls["metrics"]) as ws:
            return [(await ws.recv()).encode() for _ in range(50)]

    lap = frames_of(recording, "metrics")
    assert asyncio.run(asyncio.wait_for(some(), LIMIT_S)) == (lap * 3)[:50], "lap after lap over one connection"
    assert re.search(r"Stopped: \d+ frames sent over 1 connection\.", node.result(interrupt=True))


def test_a_token_is_asked_for(served, path):
    node = served(path, "--token", "sesame")

    async def refused():
        with pytest.raises(InvalidStatus) as answer:
            async with connect(node.urls["metrics"]):
                pass
        async with connect(node.urls["metrics"], additional_headers={"Authorization": "Bearer sesame"}):
            return answer.value.response.status_code

    assert asyncio.run(asyncio.wait_for(refused(), LIMIT_S)) == 401
    output = node.result(interrupt=True)
    assert "Clients need a token." in output and "sesame" not in output


@pytest.mark.parametrize("words, code", [([], 1012), (["--no-reenact"], 1000)], ids=["reenacted", "not"])
def test_a_loss_is_reenacted_unless_told_otherwise(served, tmp_path, words, code):
    lost = sample("outage", duration="1min", seed=7).save(tmp_path / "lost")
    node = served(str(lost), "--speed", "max", *words)
    assert asyncio.run(asyncio.wait_for(collect(node.urls["metrics"]), LIMIT_S))[1] == code
    node.result()


def test_a_port_that_is_taken_is_told(cli, path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BadOption, match="port"):
            cli("replay", path, "--serve", "--port", str(taken.getsockname()[1]))
