"""Parts: Parquet that everybody reads, equal for equal rows, and damage that is told."""

from __future__ import annotations

import hashlib
import math
import os
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurigraph_nb.columns import records_to_table
from aurigraph_nb.errors import RecordingCorrupt, RecordingTooNew
from aurigraph_nb.recording import parts
from aurigraph_nb.recording.parts import part_path, read_batches, read_part, table_digest, topic_folder, write_part
from aurigraph_nb.schema import Message, Metrics, Validator, arrow_schema

NOON = 1_767_268_800_000_000_000  # 2026-01-01 12:00 UTC
DAY = 86_400_000_000_000
DAYS = ("2026-01-01", "2026-01-02")
BIG = 10**38 - 1


def validators(count: int = 40, start_ns: int = NOON) -> list[Validator]:
    """Rows with every kind of column in them, nulls too, and times that only nanoseconds can tell apart."""
    return [
        Validator(
            timestamp=None if i % 7 == 3 else start_ns + i,
            recv_ns=start_ns + 1_000 + i,
            conn_epoch=1,
            n=i,
            gap_before=i == 5,
            extra='{"schräg": "✓"}' if i % 5 == 0 else None,
            id=f"validator-{i % 4}",
            name=None if i % 4 == 1 else f"näme {i}",
            status=None if i % 3 == 0 else ("active", "jailed")[i % 2],
            voting_power=math.pi * i,
            delegators=None if i % 2 else 2**53 + i,
            total_staked=None if i % 5 == 4 else BIG - i,
        )
        for i in range(count)
    ]


def metrics(count: int) -> list[Metrics]:
    return [Metrics(timestamp=NOON + i, recv_ns=NOON + i, conn_epoch=1, n=i, tps=float(i)) for i in range(count)]


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / write_part(tmp_path, "validators", DAYS[0], "rec", 1, Validator, validators()).path


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for at, day in enumerate(DAYS):
        write_part(tmp_path, "validators", day, "rec", at + 1, Validator, validators(40, NOON + at * DAY))
        write_part(tmp_path, "metrics", day, "rec", at + 1, Metrics, metrics(10))
    return tmp_path


# Writing


def test_what_is_written_is_read_back_as_it_was(tmp_path: Path, part: Path) -> None:
    table = read_part(part)
    expected = records_to_table(Validator, validators())
    assert table.schema.equals(arrow_schema(Validator), check_metadata=True)
    assert table.equals(expected) and table_digest(table) == table_digest(expected)
    assert part.relative_to(tmp_path).as_posix() == "topic=validators/date=2026-01-01/rec-000001.parquet"


def test_a_part_is_told_with_its_size_checksum_and_times(tmp_path: Path) -> None:
    told = write_part(tmp_path, "validators", DAYS[0], "rec", 1, Validator, validators())
    data = (tmp_path / told.path).read_bytes()
    assert (told.topic, told.rows, told.bytes) == ("validators", 40, len(data))
    assert told.sha256 == hashlib.sha256(data).hexdigest()
    assert (told.first_ns, told.last_ns) == (NOON, NOON + 1_000 + 38)  # row 38 has no server time


def test_pages_carry_checksums_and_the_file_tells_what_it_is_and_nothing_of_its_making(part: Path) -> None:
    meta = pq.ParquetFile(part).metadata
    assert {meta.row_group(0).column(i).compression for i in range(meta.num_columns)} == {"ZSTD"}
    assert meta.created_by.startswith("parquet-cpp-arrow")
    own = {key: value for key, value in meta.metadata.items() if key != b"ARROW:schema"}
    assert own == {
        b"aurigraph.format": b"1",
        b"aurigraph.recorder": b"rec",
        b"aurigraph.segment": b"1",
        b"aurigraph.topic": b"validators",
    }


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 60), max_size=8))
def test_equal_rows_give_equal_bytes_however_they_arrive(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    folder, rows = tmp_path_factory.mktemp("equal"), validators(60)
    once = write_part(folder, "validators", DAYS[0], "rec", 1, Validator, rows)
    data = (folder / once.path).read_bytes()
    writer = parts.PartWriter(folder, once.path, Validator, "validators", parts.stamp("rec", 1, "validators"))
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), 60], strict=True):
        writer.append(rows[start:stop])
    assert writer.finish() == once
    assert (folder / once.path).read_bytes() == data


def test_row_groups_are_exact_and_few_rows_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PIECE", 8)
    monkeypatch.setattr(parts, "ROW_GROUP", 16)
    told = write_part(tmp_path, "validators", DAYS[0], "rec", 1, Validator, validators(40))
    meta = pq.ParquetFile(tmp_path / told.path).metadata
    assert [meta.row_group(i).num_rows for i in range(meta.num_row_groups)] == [16, 16, 8]
    assert table_digest(read_part(tmp_path / told.path)) == table_digest(records_to_table(Validator, validators(40)))


def test_words_are_written_once_a_row_group_whatever_words_each_piece_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PIECE", 4)
    rows = [Message(recv_ns=NOON, conn_epoch=1, n=i, channel=f"c{i % 9}", payload="") for i in range(90)]
    told = write_part(tmp_path, "*", DAYS[0], "rec", 1, Message, rows)
    group = pq.ParquetFile(tmp_path / told.path).metadata.row_group(0)
    column = next(c for c in map(group.column, range(group.num_columns)) if c.path_in_schema == "channel")
    assert column.has_dictionary_page and column.encodings == ("PLAIN", "RLE", "RLE_DICTIONARY")
    assert read_part(tmp_path / told.path)["channel"].to_pylist() == [row.channel for row in rows]


def test_heavy_rows_end_a_row_group_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PIECE", 4)
    monkeypatch.setattr(parts, "ROW_GROUP_BYTES", 8_000)
    rows = [Message(recv_ns=NOON, conn_epoch=1, n=i, channel="c", payload="x" * 1_000) for i in range(16)]
    told = write_part(tmp_path, "*", DAYS[0], "rec", 1, Message, rows)
    assert pq.ParquetFile(tmp_path / told.path).metadata.num_row_groups == 2


def test_values_that_fit_no_column_stand_in_extra(tmp_path: Path) -> None:
    rows = [Metrics(recv_ns=NOON, conn_epoch=1, n=0, connections=2**70, tps=1.0)]
    told = write_part(tmp_path, "metrics", DAYS[0], "rec", 1, Metrics, rows)
    table = read_part(tmp_path / told.path)
    assert table["connections"].to_pylist() == [None]
    assert table["extra"].to_pylist() == [f'{{"connections": {2**70}}}']


def test_a_part_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_part(tmp_path, "validators", DAYS[0], "rec", 1, Validator, validators())
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_what_a_killed_writer_left_is_in_nobodys_way(tmp_path: Path, part: Path) -> None:
    left = part.with_name(f".{part.name}.part")
    left.write_bytes(b"half")
    told = write_part(tmp_path, "validators", DAYS[0], "rec", 1, Validator, validators())
    assert not left.exists() and read_part(part, sha256=told.sha256).num_rows == 40


# Names


@given(topic=st.text(min_size=1, max_size=100))
def test_a_topics_folder_is_a_safe_name_and_tells_the_topic(topic: str) -> None:
    folder = topic_folder(topic)
    assert len(folder.encode()) < 255 and folder == os.path.basename(folder) and folder.isascii()
    assert folder == folder.split("%")[0].lower() + folder[len(folder.split("%")[0]) :]
    if "~" not in folder:
        assert unquote(folder.removeprefix("topic=")) == topic


@given(topics=st.lists(st.text(min_size=1, max_size=100), unique=True, min_size=2, max_size=6))
def test_different_topics_have_different_folders_even_where_capitals_do_not_count(topics: list[str]) -> None:
    assert len({topic_folder(topic).lower() for topic in topics}) == len(topics)


def test_the_day_is_of_utc() -> None:
    assert parts.day_of(NOON) == "2026-01-01" and parts.day_of(NOON + DAY // 2) == "2026-01-02"
    assert parts.day_of(-1) == "1969-12-31" and parts.day_of(2**63 - 1) == "2262-04-11"
    assert part_path("*", "2026-01-01", "a-b", 12) == "topic=%2A/date=2026-01-01/a-b-000012.parquet"


# Everybody reads it, and all agree


def by_pandas(path: str) -> list[dict[str, object]]:
    usual = pd.read_parquet(path)
    assert str(usual["timestamp"].dtype) == "datetime64[ns, UTC]" and usual["status"].dtype == "category"
    exact = pd.read_parquet(path, dtype_backend="pyarrow")  # the usual integers with nulls in them are floats
    return plain(pa.Table.from_pandas(exact, preserve_index=False))


def by_polars(path: str) -> list[dict[str, object]]:
    frame = pl.read_parquet(path, hive_partitioning=False)
    assert frame.schema["timestamp"] == pl.Datetime("ns", "UTC") and frame.schema["total_staked"] == pl.Decimal(38, 0)
    return frame.with_columns(
        pl.col("timestamp", "last_update").cast(pl.Int64), pl.col("status").cast(pl.String)
    ).to_dicts()


def by_duckdb(path: str) -> list[dict[str, object]]:
    query = f"select * replace (epoch_ns(timestamp) as timestamp) from read_parquet('{path}', hive_partitioning=false)"
    with duckdb.connect() as base:
        found = base.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def by_dask(path: str) -> list[dict[str, object]]:
    dd = pytest.importorskip("dask.dataframe")
    frame = dd.read_parquet(path)
    assert str(frame.dtypes["timestamp"]) == "datetime64[ns, UTC]"
    table = pa.Table.from_pandas(frame.compute(scheduler="synchronous"), preserve_index=False)
    return plain(table)


def by_pyarrow(path: str) -> list[dict[str, object]]:
    return plain(pq.read_table(path, partitioning=None))


def plain(table: pa.Table) -> list[dict[str, object]]:
    at = table.schema.get_field_index("timestamp")
    return table.set_column(at, "timestamp", table["timestamp"].cast(pa.int64())).to_pylist()


@pytest.mark.parametrize("reader", [by_pandas, by_polars, by_duckdb, by_dask, by_pyarrow])
def test_pandas_polars_duckdb_dask_and_pyarrow_agree(part: Path, reader: object) -> None:
    rows = reader(str(part))  # type: ignore[operator]
    assert len(rows) == 40
    for row, record in zip(rows, validators(), strict=True):
        assert row["timestamp"] == record.timestamp and row["recv_ns"] == record.recv_ns
        assert row["status"] == record.status and row["id"] == record.id and row["name"] == record.name
        assert row["total_staked"] == (None if record.total_staked is None else Decimal(record.total_staked))
        assert row["delegators"] == record.delegators and row["voting_power"] == record.voting_power
        assert row["gap_before"] == record.gap_before and row["extra"] == record.extra


def test_a_topics_folder_is_a_dataset_for_all_of_them(dataset: Path) -> None:
    folder = str(dataset / "topic=validators")
    dd = pytest.importorskip("dask.dataframe")
    base = duckdb.connect()
    counted = base.execute(
        f"select date::varchar, count(*), max(total_staked) from read_parquet('{folder}/**/*.parquet', "
        "hive_partitioning=true) group by 1 order by 1"
    ).fetchall()
    base.close()
    arrow = ds.dataset(folder, partitioning="hive").to_table()
    polars = pl.scan_parquet(f"{folder}/**/*.parquet", hive_partitioning=True).collect()
    assert counted == [(day, 40, Decimal(BIG)) for day in DAYS]
    assert arrow["date"].value_counts().to_pylist() == [{"values": day, "counts": 40} for day in DAYS]
    assert polars.height == 80 and polars["total_staked"].max() == Decimal(BIG)
    assert pd.read_parquet(folder)["date"].astype(str).value_counts().to_dict() == dict.fromkeys(DAYS, 40)
    assert len(dd.read_parquet(folder).compute(scheduler="synchronous")) == 80
    assert polars["timestamp"].cast(pl.Int64).to_list() == arrow["timestamp"].cast(pa.int64()).to_pylist()


def test_the_whole_recording_is_a_dataset_by_topic_and_date(dataset: Path) -> None:
    (dataset / "journal").mkdir()
    (dataset / "journal" / "000001.jsonl.zst").write_bytes(b"no Parquet")
    (dataset / "recording.json").write_text("{}")
    files = f"{dataset}/topic=*/date=*/*.parquet"
    expected = [("metrics", 20), ("validators", 80)]
    with duckdb.connect() as base:
        source = "read_parquet(?, hive_partitioning=true, union_by_name=true)"
        query = f"select topic, count(*) from {source} group by 1 order by 1"
        assert base.execute(query, [files]).fetchall() == expected
    lazy = pl.scan_parquet(files, hive_partitioning=True, missing_columns="insert", extra_columns="ignore")
    assert lazy.group_by("topic").len().sort("topic").collect().rows() == expected
    found = sorted(str(path) for path in dataset.glob("topic=*/date=*/*.parquet"))
    fields = [pq.read_schema(path) for path in found]
    whole = ds.dataset(found, pa.unify_schemas([*fields, pa.schema([("topic", pa.string())])]), partitioning="hive")
    assert whole.to_table(columns=["recv_ns"]).num_rows == 100


# Damage


def test_any_flipped_byte_is_told_where_the_checksum_is_known(tmp_path: Path) -> None:
    told = write_part(tmp_path, "validators", DAYS[0], "rec", 1, Validator, validators())
    path = tmp_path / told.path
    good = path.read_bytes()
    for at in range(0, len(good), 7):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :])
        with pytest.raises(RecordingCorrupt, match="rec-000001"):
            read_part(path, sha256=told.sha256)


def test_a_flipped_byte_in_a_page_is_told_by_the_page_itself(part: Path) -> None:
    good, meta = part.read_bytes(), pq.ParquetFile(part).metadata.row_group(0)
    for column in (meta.column(i) for i in range(meta.num_columns)):
        at = column.data_page_offset + column.total_compressed_size - 1  # the last byte is a page's, never a header's
        at = (
            at
            if column.dictionary_page_offset is None
            else column.dictionary_page_offset + column.total_compressed_size - 1
        )
        part.write_bytes(good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :])
        with pytest.raises(RecordingCorrupt, match=r"rec-000001\.parquet cannot be read: .*CRC"):
            read_part(part)
        with pytest.raises(RecordingCorrupt, match="rec-000001"):
            list(read_batches(part))


@pytest.mark.parametrize("cut", [0, 3, 100, -1])
def test_a_cut_file_is_told(part: Path, cut: int) -> None:
    part.write_bytes(part.read_bytes()[:cut])
    with pytest.raises(RecordingCorrupt, match=r"rec-000001\.parquet cannot be read: .*rebuild"):
        read_part(part)


def test_a_missing_part_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingCorrupt, match=r"gone\.parquet is missing; rebuild"):
        read_part(tmp_path / "gone.parquet")


def test_a_parquet_file_of_somebody_else_is_no_part_and_a_newer_part_is_named(tmp_path: Path) -> None:
    table = records_to_table(Metrics, metrics(2))
    pq.write_table(table, tmp_path / "other.parquet")
    with pytest.raises(RecordingCorrupt, match="not a part of a recording"):
        read_part(tmp_path / "other.parquet")
    pq.write_table(table.replace_schema_metadata({"aurigraph.format": "99"}), tmp_path / "newer.parquet")
    with pytest.raises(RecordingTooNew, match="format version 99, and this aurigraph_nb reads up to 1"):
        read_part(tmp_path / "newer.parquet")


# Reading


def test_columns_can_be_chosen_and_batches_are_bounded(part: Path) -> None:
    assert read_part(part, ["n", "status"]).column_names == ["n", "status"]
    batches = list(read_batches(part, ["n"], rows=16))
    assert [b.num_rows for b in batches] == [16, 16, 8]
    assert [n for b in batches for n in b["n"].to_pylist()] == list(range(40))


# The digest of a table

values = st.one_of(st.none(), st.text(max_size=5))


@given(
    rows=st.lists(st.tuples(values, st.none() | st.floats(), st.none() | st.booleans()), max_size=30), data=st.data()
)
def test_equal_tables_have_equal_digests_whatever_their_layout(
    rows: list[tuple[object, ...]], data: st.DataObject
) -> None:
    schema = pa.schema([("a", pa.string()), ("b", pa.float64()), ("c", pa.bool_())])
    table = pa.Table.from_pylist([dict(zip("abc", row, strict=True)) for row in rows], schema)
    cut = data.draw(st.integers(0, len(rows)))
    pieces = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    worded = pieces.set_column(0, "a", pieces["a"].dictionary_encode())
    large = table.set_column(0, "a", table["a"].cast(pa.large_string()))
    assert {table_digest(t) for t in (table, pieces, worded, large)} == {table_digest(table)}
    if len(rows) > 1:
        shorter = table.slice(0, len(rows) - 1)
        assert table_digest(shorter) != table_digest(table)


@pytest.mark.parametrize(
    "column, other",
    [
        (pa.array(["ab", "c"]), pa.array(["a", "bc"])),
        (pa.array(["", None]), pa.array([None, ""])),
        (pa.array([0, None]), pa.array([None, 0])),
        (pa.array([0.0, 1.0]), pa.array([-0.0, 1.0])),
        (pa.array([1, 2]), pa.array([1.0, 2.0])),
        (pa.array([Decimal(1)], pa.decimal128(38, 0)), pa.array([Decimal(2)], pa.decimal128(38, 0))),
        (pa.array([5], pa.timestamp("ns", "UTC")), pa.array([5], pa.int64())),
    ],
)
def test_different_tables_have_different_digests(column: pa.Array, other: pa.Array) -> None:
    assert table_digest(pa.table({"x": column})) != table_digest(pa.table({"x": other}))
    assert table_digest(pa.table({"x": column})) != table_digest(pa.table({"y": column}))
