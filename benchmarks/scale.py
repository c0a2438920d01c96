"""Scale: one question to Polars, DuckDB and a Dask cluster of two workers; by our API, and by hand on the same files.

Transactions and their gas by hour and status. Ours includes opening the recording, by hand includes listing the files.
``peak_growth_mb`` is by how much the process (with Dask: its workers) grew at most during our first answer; asked of a
recording and of one with four times its rows, memory should not grow with the data. Each engine in fresh processes.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

import aurigraph_nb as ag
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording.journal import JournalWriter
from aurigraph_nb.recording.lines import End, FrameLine, Head
from aurigraph_nb.recording.manifest import Manifest
from aurigraph_nb.recording.sealer import Sealer
from aurigraph_nb.sample import Script

from .harness import Clocked, options, run, tell
from .processes import fresh, peak_memory_mb

DAY_NS = 86_400 * 10**9
DAYS = 28
"""The same day's frames are written into so many days of a month, and into so many months as it takes."""
FLUSH = 1_000
COLUMNS = ["timestamp", "status", "gas_used"]
SQL = """SELECT date_trunc('hour', timestamp::TIMESTAMPTZ) AS hour, status, count(*) AS n, sum(gas_used) AS gas
FROM {source} GROUP BY hour, status ORDER BY hour, status"""

Ask = Callable[[Path], Sequence[Any]]


# The data


def a_day(rows: int) -> tuple[Head, list[FrameLine]]:
    """So many transactions of the model, spread over one day."""
    script = Script("portal", scenario="steady", duration="1d", seed=7, start="2026-01-01", rate=rows / 86_400 * 1.3)
    head: Head | None = None
    found: list[FrameLine] = []
    for line in script.lines():
        if isinstance(line, Head):
            head = line
        elif isinstance(line, FrameLine) and line.e == "transactions":
            found.append(line)
            if len(found) == rows:
                break
    assert head is not None
    return head, found


def write(path: Path, head: Head, day: Sequence[FrameLine], days: int) -> None:
    """A recording of so many days, a segment each."""
    directory = directories.create_or_open(path, "portal")
    manifest = Manifest(recorder=head.recorder, protocol="portal", url="", topics=head.topics, started_ns=head.t)
    sealer = Sealer(directory, manifest)
    for number in range(days):
        month, of_month = divmod(number, DAYS)
        date = f"{2026 + month // 12}-{month % 12 + 1:02d}-{of_month + 1:02d}T"
        moved = [
            msgspec.structs.replace(line, t=line.t + number * DAY_NS, d=line.d.replace("2026-01-01T", date, 1))
            for line in day
        ]
        begin = msgspec.structs.replace(
            head,
            segment=number + 1,
            t=head.t + number * DAY_NS,
            first=number == 0,
            ledger={"transactions": number * len(day)} if number else {},
        )
        writer = JournalWriter(directory.journal, begin)
        for first in range(0, len(moved), FLUSH):
            writer.write(moved[first : first + FLUSH])
        writer.end(End(moved[-1].t, len(moved), number == days - 1))
        writer.close()
        sealer.seal(writer.segment)


# The question


def files(path: Path) -> list[str]:
    return [str(file) for file in sorted(path.rglob("*.parquet")) if "topic=transactions" in str(file)]


def _polars(lazy: Any) -> Sequence[Any]:
    import polars as pl

    by = pl.col("timestamp").dt.truncate("1h").alias("hour")
    asked = lazy.group_by(by, pl.col("status").cast(pl.String)).agg(pl.len(), pl.col("gas_used").sum())
    found: Sequence[Any] = asked.sort("hour", "status").collect().rows()
    return found


def _dask(frame: Any) -> Sequence[Any]:
    frame = frame.assign(hour=frame["timestamp"].dt.floor("h"), status=frame["status"].astype(object))
    found = frame.groupby(["hour", "status"])["gas_used"].agg(["count", "sum"]).compute().sort_index()
    return list(found.itertuples())


def ours_polars(path: Path) -> Sequence[Any]:
    return _polars(ag.open_recording(path)["transactions"].scan())


def hand_polars(path: Path) -> Sequence[Any]:
    import polars as pl

    return _polars(pl.scan_parquet(files(path), hive_partitioning=False))


def ours_duckdb(path: Path) -> Sequence[Any]:
    found: Sequence[Any] = ag.open_recording(path).sql(SQL.format(source="transactions")).fetchall()
    return found


def hand_duckdb(path: Path) -> Sequence[Any]:
    import duckdb

    paths = ", ".join(f"'{file}'" for file in files(path))
    with duckdb.connect(":memory:") as connection:
        connection.sql("SET TimeZone = 'UTC'")
        source = f"read_parquet([{paths}], hive_partitioning = false)"
        found: Sequence[Any] = connection.sql(SQL.format(source=source)).fetchall()
    return found


def ours_dask(path: Path) -> Sequence[Any]:
    return _dask(ag.open_recording(path)["transactions"].to_dask(COLUMNS, index=None))


def hand_dask(path: Path) -> Sequence[Any]:
    import dask.dataframe as dd

    return _dask(dd.read_parquet(files(path), columns=COLUMNS))


ENGINES: dict[str, tuple[Ask, Ask]] = {
    "polars": (ours_polars, hand_polars),
    "duckdb": (ours_duckdb, hand_duckdb),
    "dask": (ours_dask, hand_dask),
}


# Measuring


def answer(engine: str, path: str, rounds: int) -> dict[str, float]:
    """Ask ours and by hand, by turns."""
    ours, hand = ENGINES[engine]
    place = Path(path)
    times: dict[str, list[float]] = {"ours_s": [], "by_hand_s": []}
    with _memory(engine) as peak:
        before = peak()
        first = ours(place)
        growth = peak() - before
        assert len(first) == len(hand(place))
        for _ in range(rounds):
            for name, ask in (("ours_s", ours), ("by_hand_s", hand)):
                with Clocked() as clocked:
                    ask(place)
                times[name].append(clocked.wall_s)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {**medians, "ratio": medians["ours_s"] / medians["by_hand_s"], "peak_growth_mb": growth}


@contextmanager
def _memory(engine: str) -> Iterator[Callable[[], float]]:
    """What tells the peak of the memory, MB; with Dask, a cluster beside it."""
    if engine != "dask":
        yield peak_memory_mb
        return
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,  # type: ignore[no-untyped-call]
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        yield lambda: sum(client.run(peak_memory_mb).values())


def main() -> None:
    chosen = options(__doc__ or "")
    rows, days = (250_000, 12) if chosen.full else (40_000, 2)
    with tempfile.TemporaryDirectory() as folder:
        head, day = a_day(rows)
        sizes = {f"{rows * days * times:,} rows": days * times for times in (1, 4)}
        for name, many in sizes.items():
            write(Path(folder) / name, head, day, many)
        cases = {
            f"{engine}, {name}": _case(engine, str(Path(folder) / name), chosen.rounds)
            for engine in ENGINES
            for name in sizes
        }
        facts = {"rows": [rows * many for many in sizes.values()], "workers": 2}
        result = run("scale", cases, rounds=1, facts=facts) | {"rounds": chosen.rounds}
    tell(result, as_json=chosen.json)


def _case(engine: str, path: str, rounds: int) -> Callable[[], dict[str, float]]:
    return lambda: fresh("benchmarks.scale:answer", engine=engine, path=path, rounds=rounds)


if __name__ == "__main__":
    main()
