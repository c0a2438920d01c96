"""The benchmarks' own arithmetic, and one tiny round of the cheapest: what they print, never how fast it is."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
if not (CHECKOUT / "benchmarks").is_dir():
    pytest.skip("the benchmarks lie in the checkout alone", allow_module_level=True)


@pytest.fixture(autouse=True)
def found(monkeypatch):
    monkeypatch.syspath_prepend(str(CHECKOUT))


def test_cases_run_by_turns_and_their_medians_are_told():
    from benchmarks import harness

    turns = []

    def case(name, figures):
        rest = iter(figures)

        def measure():
            turns.append(name)
            return {"s": next(rest)}

        return measure

    result = harness.run("x", {"ours": case("ours", [3, 1, 2]), "peer": case("peer", [5, 9, 7])}, facts={"rows": 4})
    assert turns == ["ours", "peer"] * 3
    assert result["figures"] == {"ours": {"s": 2}, "peer": {"s": 7}}
    assert (result["benchmark"], result["rounds"], result["rows"]) == ("x", 3, 4)


def test_fewer_than_three_rounds_are_no_median(monkeypatch):
    from benchmarks import harness

    monkeypatch.setattr(sys, "argv", ["x", "--rounds", "1", "--json"])
    chosen = harness.options("")
    assert (chosen.rounds, chosen.json, chosen.full) == (3, True, False)


def test_a_burst_is_the_frames_of_all_topics_over_and_over():
    from benchmarks import burst

    frames = burst.topic_frames(200)
    assert set(frames) == {"metrics", "transactions", "validators", "consensus", "network"}
    assert sum(map(len, frames.values())) == 200
    of_one = frames["transactions"]
    assert b"".join(burst.chunks(of_one, 3)) == b"".join(of_one) * 3
    assert all(len(chunk) <= 2 * burst.CHUNK for chunk in burst.chunks(of_one * 1_000, 1))


def test_a_client_of_the_crowd_counts_whole_frames_however_they_are_cut():
    from benchmarks import burst, crowd

    class Transport(asyncio.Transport):
        def write(self, data):
            pass

        def pause_reading(self):
            pass

    async def cut(size):
        came = []
        client = crowd.Client("host", "/ws/metrics", came.append)
        client.connection_made(Transport())
        stream = b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + b"".join(frames)
        for at in range(0, len(stream), size):
            client.data_received(stream[at : at + size])
        return [json.loads(frame) for frame in came]

    frames = burst.topic_frames(20)["transactions"]
    for size in (1, 7, 10_000):
        assert len(asyncio.run(cut(size))) == len(frames)


def test_a_case_runs_in_a_process_of_its_own():
    from benchmarks.processes import fresh, installed

    assert fresh("benchmarks.start:importing", modules=["json"])["modules"] > 10
    with pytest.raises(subprocess.CalledProcessError):
        fresh("benchmarks.start:importing", modules=["no_such_module"])
    assert installed("json") and not installed("json", "no_such_module")


def test_a_benchmark_prints_one_json_object_with_its_figures():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")])}
    line = [sys.executable, "-m", "benchmarks.frame", "--json", "--rows", "2000"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=CHECKOUT, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["benchmark"], result["rounds"], result["rows"]) == ("frame", 3, 2000)
    assert {"ours, to_pandas", "peer, pd.DataFrame"} < set(result["figures"])
    assert all(value >= 0 for figures in result["figures"].values() for value in figures.values())
