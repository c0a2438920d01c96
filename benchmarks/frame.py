"""Frames: the rows of a topic to pandas, Polars and Arrow; against pd.DataFrame of a list of dicts.

One million rows of metrics. ``copied_mb`` is what Arrow allocates for the table: nothing, where it is what the store
holds.
"""

from __future__ import annotations

import random
from typing import Any

import aurigraph_nb as ag
from aurigraph_nb.schema import Metrics

from .harness import Clocked, options, run, tell

SECOND_NS = 1_000_000_000
START_NS = 1_767_225_600 * SECOND_NS
BATCH = 1_000


def messages(rows: int) -> list[dict[str, Any]]:
    """What came, as a script keeps it."""
    rng = random.Random(7)
    return [
        {
            "timestamp": START_NS + i * SECOND_NS,
            "tps": rng.uniform(1e6, 2e6),
            "cpu": rng.uniform(5, 95),
            "memory": rng.uniform(1_000, 8_000),
            "connections": rng.randrange(10_000),
            "errorRate": rng.random() / 100,
        }
        for i in range(rows)
    ]


def filled(kept: list[dict[str, Any]]) -> Any:
    """A topic that received the same."""
    feed: Any = ag.connect("ws://127.0.0.1:9/ws/metrics", auto_connect=False, shared=False)
    for first in range(0, len(kept), BATCH):
        feed.metrics.deliver([_record(n, kept[n]) for n in range(first, min(first + BATCH, len(kept)))])
    return feed.metrics


def _record(n: int, row: dict[str, Any]) -> Metrics:
    return Metrics(
        recv_ns=row["timestamp"],
        conn_epoch=1,
        n=n,
        timestamp=row["timestamp"],
        tps=row["tps"],
        cpu_percent=row["cpu"],
        memory_mb=row["memory"],
        connections=row["connections"],
        error_rate=row["errorRate"],
    )


def main() -> None:
    import pandas as pd
    import pyarrow as pa

    chosen = options(__doc__ or "", rows=1_000_000)
    rows = chosen.rows
    kept = messages(rows)
    topic = filled(kept)

    def peer() -> dict[str, float]:
        with Clocked() as clocked:
            frame = pd.DataFrame(kept)
            frame.index = pd.DatetimeIndex(frame.pop("timestamp")).tz_localize("UTC")
        assert len(frame) == rows
        return {"wall_s": clocked.wall_s, "cpu_s": clocked.cpu_s}

    def ours(name: str) -> dict[str, float]:
        before = pa.total_allocated_bytes()
        with Clocked() as clocked:
            frame = getattr(topic, name)()
        copied = pa.total_allocated_bytes() - before
        assert len(frame) == rows
        return {"wall_s": clocked.wall_s, "cpu_s": clocked.cpu_s, "copied_mb": copied / 1e6}

    cases = {
        "ours, to_pandas": lambda: ours("to_pandas"),
        "ours, to_polars": lambda: ours("to_polars"),
        "ours, to_arrow": lambda: ours("to_arrow"),
        "peer, pd.DataFrame": peer,
    }
    tell(run("frame", cases, rounds=chosen.rounds, facts={"rows": rows}), as_json=chosen.json)


if __name__ == "__main__":
    main()
