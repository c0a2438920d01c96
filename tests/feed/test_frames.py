"""Tables to DataFrames: one index, one set of types, whatever the data."""

from __future__ import annotations

import sys

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb import frames
from aurigraph_nb.columns import records_to_table
from aurigraph_nb.errors import BadOption, MissingExtra
from aurigraph_nb.schema import Consensus, Metrics, Peer, Record, Transaction, Validator, arrow_schema, columns

NOON = 1_767_268_800_000_000_000
S = 1_000_000_000
RECORDS = (Metrics, Transaction, Validator, Consensus, Peer)


def metrics(*times: int | None):
    return records_to_table(
        Metrics,
        [Metrics(timestamp=t, recv_ns=NOON + i * S, conn_epoch=1, n=i, tps=float(i)) for i, t in enumerate(times)],
    )


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("backend", frames.BACKENDS)
def test_types_do_not_depend_on_the_data(record, backend):
    empty = frames.to_pandas(records_to_table(record, []), dtype_backend=backend)
    one = frames.to_pandas(records_to_table(record, [record(recv_ns=NOON, conn_epoch=1, n=0)]), dtype_backend=backend)
    kinds = [{name: str(kind) for name, kind in frame.dtypes.items()} for frame in (empty, one)]
    assert kinds[0] == kinds[1]
    assert empty.index.dtype == one.index.dtype == "datetime64[ns, UTC]"


def test_the_promised_types():
    frame = frames.to_pandas(records_to_table(Validator, []))
    assert {c: str(frame[c].dtype) for c in ("id", "status", "delegators", "voting_power", "last_update", "n")} == {
        "id": "category",
        "status": "category",
        "delegators": "Int64",
        "voting_power": "float64",
        "last_update": "datetime64[ns, UTC]",
        "n": "int64",
    }
    assert str(frame["total_staked"].dtype) == "decimal128(38, 0)[pyarrow]"


def test_a_missing_server_time_is_the_receive_time_and_flagged():
    frame = frames.to_pandas(metrics(NOON - S, None))
    assert list(frame.index) == [pd.Timestamp(NOON - S, tz="UTC"), pd.Timestamp(NOON + S, tz="UTC")]
    assert frame["timestamp_is_recv"].tolist() == [False, True]
    plain = frames.to_pandas(metrics(NOON, None), index=None)
    assert plain["timestamp"].isna().tolist() == [False, True] and "timestamp_is_recv" not in plain


def test_rows_stay_in_arrival_order_and_the_index_may_repeat():
    frame = frames.to_pandas(metrics(NOON, NOON - 5 * S, NOON))
    assert frame["tps"].tolist() == [0, 1, 2] and not frame.index.is_unique


@given(
    st.lists(st.integers(-100, 100) | st.none(), max_size=20),
    st.integers(-100, 100),
    st.integers(-100, 100),
    st.sampled_from(["timestamp", "recv"]),
)
def test_a_range_includes_its_start_and_leaves_out_its_end(offsets, start, end, by):
    table = metrics(*(None if o is None else NOON + o * S for o in offsets))
    times = [NOON + i * S if o is None or by == "recv" else NOON + o * S for i, o in enumerate(offsets)]
    lower, upper = NOON + start * S, NOON + end * S
    chosen = frames.select(table, start=pd.Timestamp(lower), end=pd.Timestamp(upper), by=by)
    assert chosen.column("n").to_pylist() == [i for i, t in enumerate(times) if lower <= t < upper]


def test_the_last_stretch_is_counted_from_the_newest_row():
    table = metrics(NOON, NOON + S, NOON + 2 * S)
    assert frames.select(table, last="2s").column("n").to_pylist() == [1, 2]
    assert frames.select(table, last=1).column("n").to_pylist() == [2]
    assert frames.select(metrics(), last=1).num_rows == 0


@given(st.lists(st.sampled_from(["b", "a", "c", None]), max_size=30), st.integers(1, 7))
def test_categories_are_those_that_occur_in_order_whatever_the_batches(words, size):
    rows = [Consensus(recv_ns=i, conn_epoch=1, n=i, leader=w) for i, w in enumerate(words)]
    parts = [records_to_table(Consensus, rows[i : i + size]) for i in range(0, len(rows), size)]
    table = pa.concat_tables(parts) if parts else records_to_table(Consensus, [])
    leader = frames.to_pandas(table)["leader"]
    assert [None if pd.isna(v) else v for v in leader] == words
    assert list(leader.cat.categories) == sorted({w for w in words if w is not None})


def test_bad_arguments_are_told():
    table = metrics(NOON)
    for call, words in (
        (lambda: frames.to_pandas(table, index="time"), "timestamp"),
        (lambda: frames.to_pandas(table, dtype_backend="numpy"), "pyarrow"),
        (lambda: frames.select(table, columns="nope"), "no such column. There are timestamp"),
        (lambda: frames.select(table, limit=True), "whole number"),
        (lambda: frames.select(table, start="whenever"), "whenever"),
    ):
        with pytest.raises(BadOption, match=words):
            call()


def test_without_polars_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtra, match=r"aurigraph-nb\[scale\]"):
        frames.to_polars(metrics(NOON))


def test_local_and_canonical_columns_have_different_names():
    local = {"recv_ns", "conn_epoch", "n", "gap_before"}
    for record in RECORDS:
        names = [c.name for c in columns(record)]
        assert len(set(names)) == len(names) and names[-4:] == ["recv_ns", "conn_epoch", "n", "gap_before"]
        own = set(record.__struct_fields__) - set(Record.__struct_fields__)
        assert not own & local
        assert arrow_schema(record).names == names
    assert "epoch" in Consensus.__struct_fields__


def test_a_records_time_is_the_servers_or_else_the_receive_time():
    row = Metrics(timestamp=NOON, recv_ns=NOON + S, conn_epoch=1, n=0)
    assert row.time.isoformat() == "2026-01-01T12:00:00+00:00"
    assert Metrics(recv_ns=NOON + S, conn_epoch=1, n=0).time.second == 1
