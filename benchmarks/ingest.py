"""Ingest: a burst over five connections, received, recorded, made into typed columns and five DataFrames.

CPU µs a message and peak memory, each case in a fresh process. The peer is what one would write by hand: websockets,
json.loads, a list of dicts, pd.DataFrame; it records nothing. The server runs in another process and writes frames
that were framed beforehand. ``seal_cpu_us`` is what it takes to seal the recording (Parquet) once the burst is over.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping

from .harness import Clocked, options, run, tell
from .processes import PYTHONS_LOOP, Beside, beside, fresh, installed, peak_memory_mb

BLOCK = 50_000
"""Different frames; a burst is these, over and over."""


def ours(url: str, topics: Mapping[str, int], transport: str) -> dict[str, float]:
    """The feed, recording on; ends when all rows are stored, all frames are on the disk, and the frames are made."""
    import aurigraph_nb as ag

    total = sum(topics.values())
    with tempfile.TemporaryDirectory() as place:
        feed = ag.connect(url, protocol="portal", transport=transport)  # type: ignore[arg-type]
        with Clocked() as clocked:
            recorder = feed.record(f"{place}/recording")
            for topic, count in topics.items():
                feed[topic].wait(count, timeout=600)
            recorder.wait(frames=total - recorder.lost, timeout=600)
            tables = [feed[topic].to_pandas() for topic in topics]
        peak = peak_memory_mb()
        evicted = sum(feed[topic].store.dropped for topic in topics)
        with Clocked() as sealing:
            recorder.close()
        feed.close()
    assert sum(map(len, tables)) == total - evicted
    return {
        "cpu_us": clocked.cpu_s / total * 1e6,
        "wall_us": clocked.wall_s / total * 1e6,
        "peak_mb": peak,
        "seal_cpu_us": sealing.cpu_s / total * 1e6,
        "not_recorded": recorder.lost,
        "evicted": evicted,
    }


def peer(url: str, topics: Mapping[str, int]) -> dict[str, float]:
    """By hand."""
    import asyncio
    import json

    import pandas as pd
    from websockets.asyncio.client import connect

    async def receive(topic: str, count: int) -> list[dict[str, object]]:
        rows = []
        async with connect(f"{url}/{topic}") as ws:
            async for message in ws:
                rows.append(json.loads(message))
                if len(rows) == count:
                    break
        return rows

    async def receive_all() -> list[list[dict[str, object]]]:
        return await asyncio.gather(*(receive(topic, count) for topic, count in topics.items()))

    total = sum(topics.values())
    with Clocked() as clocked:
        tables = [pd.DataFrame(rows) for rows in asyncio.run(receive_all())]
    assert sum(map(len, tables)) == total
    return {
        "cpu_us": clocked.cpu_s / total * 1e6,
        "wall_us": clocked.wall_s / total * 1e6,
        "peak_mb": peak_memory_mb(),
    }


def cases(server: Beside) -> dict[str, Callable[[], Mapping[str, float]]]:
    """The cases that can run here."""
    where = {"url": server.ready["url"], "topics": server.ready["topics"]}
    found: dict[str, Callable[[], Mapping[str, float]]] = {
        "ours, websockets": lambda: fresh("benchmarks.ingest:ours", PYTHONS_LOOP, **where, transport="websockets"),
        "peer": lambda: fresh("benchmarks.ingest:peer", **where),
    }
    if installed("picows"):
        found["ours, picows"] = lambda: fresh("benchmarks.ingest:ours", **where, transport="picows")
    return found


def main() -> None:
    chosen = options(__doc__ or "")
    repeats = 20 if chosen.full else 2
    with beside("benchmarks.burst:run", messages=BLOCK, repeats=repeats) as server:
        facts = {"messages": BLOCK * repeats, "bytes": server.ready["bytes"], "by_topic": server.ready["topics"]}
        result = run("ingest", cases(server), rounds=chosen.rounds, facts=facts)
    tell(result, as_json=chosen.json)


if __name__ == "__main__":
    main()
