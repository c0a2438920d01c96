"""More rows than memory holds: a cluster of two small workers, Polars and DuckDB, over the same files."""

import os
import warnings

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aurigraph_nb.reading.recording import open_recording
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording.footers import footer_crc
from aurigraph_nb.recording.manifest import Manifest, SegmentEntry, TopicPart
from aurigraph_nb.recording.parts import FORMAT_KEY, part_path
from aurigraph_nb.schema import Transaction, arrow_schema

START = 1_767_225_600_000_000_000
GROUP = 64 * 1024
GROUPS = 2
"""Row groups of a file."""
LIMIT_S = 120
"""How long the cluster may take before it counts as dead."""
STATUSES = ("PENDING", "CONFIRMED", "FAILED")


def group(seed):
    """A row group of transactions, all columns filled, 1 ms apart."""
    rng = np.random.default_rng(seed)
    at = START + (np.arange(GROUP) + seed * GROUP) * 1_000_000
    made = {
        "timestamp": pa.array(at).cast(pa.timestamp("ns", "UTC")),
        "status": pa.DictionaryArray.from_arrays(pa.array(rng.integers(0, 3, GROUP), pa.int32()), list(STATUSES)),
        "value": pa.array(rng.integers(0, 2**60, GROUP)).cast(pa.decimal128(38, 0)),
        "recv_ns": pa.array(at + 1_000),
        "conn_epoch": pa.array(np.ones(GROUP, np.int64)),
        "n": pa.array(np.arange(GROUP) + seed * GROUP),
        "gap_before": pa.array(np.zeros(GROUP, bool)),
    }
    texts = {name: pa.array([f"0x{x:040x}" for x in rng.integers(0, 2**60, GROUP)]) for name in ("hash", "sender")}
    columns = []
    for field in arrow_schema(Transaction):
        if field.name in made or field.name in texts:
            column = made.get(field.name, texts.get(field.name))
        elif pa.types.is_string(field.type):
            column = texts["sender"]
        else:
            column = pa.array(rng.integers(0, 1_000_000, GROUP)).cast(field.type) if _number(field.type) else None
        columns.append(pa.nulls(GROUP, field.type) if column is None else column.cast(field.type))
    return pa.table(columns, schema=arrow_schema(Transaction))


def _number(kind):
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def repeated(path, files):
    """A recording of ``files`` segments with the same row groups (one file, linked), and the bytes it decodes to."""
    directory = directories.create_or_open(path, "portal", recording_id="big", created_ns=START)
    first = directory.path / part_path("transactions", "2026-01-01", "r1", 1)
    first.parent.mkdir(parents=True)
    decoded = 0
    schema = arrow_schema(Transaction).with_metadata({FORMAT_KEY: b"1"})
    with pq.ParquetWriter(first, schema, compression="zstd", write_page_checksum=True) as writer:
        for number in range(GROUPS):
            table = group(number)
            decoded += table.nbytes
            writer.write_table(table.replace_schema_metadata(schema.metadata), row_group_size=GROUP)
    entries = []
    for number in range(1, files + 1):
        part = part_path("transactions", "2026-01-01", "r1", number)
        if number > 1:
            os.link(first, directory.path / part)
        topic = TopicPart(
            topic="transactions",
            path=part,
            rows=GROUPS * GROUP,
            bytes=first.stat().st_size,
            sha256="",
            footer_crc=footer_crc(first),
        )
        name = f"{number:06d}.jsonl.zst"
        entries.append(SegmentEntry(number=number, journal=name, bytes=0, sha256="", lines=0, frames=0, parts=(topic,)))
    manifest = Manifest(
        recorder="r1",
        protocol="portal",
        url="ws://127.0.0.1/ws",
        topics=("transactions",),
        started_ns=START,
        state="ended",
    )
    msgspec.structs.replace(manifest, segments=tuple(entries)).save(directory.manifest_path("r1"))
    return open_recording(path, recover=False), decoded * files


def make_summary():
    """The function that each worker runs. Made here, for a worker cannot import this file: it gets all of it."""

    def summary(frame):
        """Of one partition, whole in memory: rows and gas by minute and status, and how long the texts are."""
        frame = frame.assign(
            minute=frame.index.floor("1min"),
            letters=sum(frame[name].str.len() for name in ("hash", "sender", "recipient")),
        )
        found = frame.groupby(["minute", "status"], observed=True).agg(
            rows=("n", "size"), gas=("gas_used", "sum"), letters=("letters", "sum")
        )
        return found.reset_index().astype({"status": "str", "gas": "int64", "letters": "int64"})

    return summary


def by_dask(recording, cluster):
    from distributed import Client

    summary = make_summary()
    with Client(cluster, set_as_default=False) as client:
        frame = recording.transactions.to_dask()
        meta = summary(frame._meta)
        parts = client.compute(frame.map_partitions(summary, meta=meta)).result(timeout=LIMIT_S)
    whole = parts.groupby(["minute", "status"]).sum().sort_index().reset_index()
    return [(row.minute.value, row.status, row.rows, row.gas, row.letters) for row in whole.itertuples()]


def by_polars(recording):
    import polars as pl

    letters = sum(pl.col(name).str.len_chars().cast(pl.Int64) for name in ("hash", "sender", "recipient"))
    found = (
        recording.transactions.scan()
        .with_columns(letters.alias("letters"), pl.col("timestamp").dt.truncate("1m").alias("minute"))
        .group_by("minute", pl.col("status").cast(pl.String))
        .agg(pl.len().cast(pl.Int64), pl.col("gas_used").sum().cast(pl.Int64), pl.col("letters").sum())
        .sort("minute", "status")
        .with_columns(pl.col("minute").dt.timestamp("ns"))
        .collect()
    )
    return found.rows()


def by_duckdb(recording):
    return recording.sql(
        """
        select epoch_ns(date_trunc('minute', timestamp)), status, count(*), sum(gas_used)::bigint,
               sum(length(hash) + length(sender) + length(recipient))::bigint
        from transactions group by all order by 1, 2
        """
    ).fetchall()


@pytest.fixture
def cluster(tmp_path):
    from distributed import LocalCluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the library leaves open in its own start is its own
        with LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            memory_limit="512MiB",
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            local_directory=str(tmp_path / "dask"),
            silence_logs=50,
        ) as found:
            yield found


def check(recording, cluster):
    expected = by_polars(recording)
    assert sum(row[2] for row in expected) == len(recording.transactions)
    assert {row[1] for row in expected} == set(STATUSES)
    assert by_duckdb(recording) == expected
    assert by_dask(recording, cluster) == expected


def test_a_cluster_works_through_more_than_its_memory(tmp_path, cluster):
    recording, decoded = repeated(tmp_path / "r", files=24)
    assert decoded >= 1.2e9
    check(recording, cluster)
