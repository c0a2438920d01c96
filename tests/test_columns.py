"""The column store against a plain list, its two bounds, its counters, and readers beside a writer."""

from __future__ import annotations

import functools
import json
import threading
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurigraph_nb import columns as module
from aurigraph_nb.columns import ColumnStore, batch_to_records, fit, records_to_batch
from aurigraph_nb.errors import BadOption
from aurigraph_nb.schema import (
    DECIMAL_LIMIT,
    Consensus,
    Kind,
    Metrics,
    Peer,
    Record,
    Transaction,
    Validator,
    arrow_schema,
    columns,
)

TYPES = [Metrics, Transaction, Validator, Consensus, Peer]
exact = settings(derandomize=True, deadline=None, database=None, max_examples=60)

INT64 = st.integers(-(2**63), 2**63 - 1)
BIG = DECIMAL_LIMIT - 1


def values(column: Any) -> st.SearchStrategy[Any]:
    """Whatever the column can hold."""
    if column.kind is Kind.DECIMAL:
        some: st.SearchStrategy[Any] = st.integers(-BIG, BIG) | st.sampled_from([BIG, -BIG, 0])
    elif pa.types.is_string(column.arrow) or column.kind is Kind.CATEGORY:
        some = st.text(max_size=8) | st.sampled_from(["", "\x00", "𐍈 é", "<img onerror=x>"])
    elif pa.types.is_boolean(column.arrow):
        some = st.booleans()
    elif pa.types.is_floating(column.arrow):
        some = st.floats(allow_nan=False)
    else:
        some = INT64
    return st.none() | some if column.nullable else some


def records_of(kind: type[Record]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.builds(kind, **{c.name: values(c) for c in columns(kind)}), max_size=6)


def metrics(start: int, rows: int) -> list[Metrics]:
    return [Metrics(recv_ns=i, conn_epoch=1, n=i, tps=float(i)) for i in range(start, start + rows)]


def transactions(start: int, rows: int, text: str = "") -> list[Transaction]:
    status = ("PENDING", "CONFIRMED", "FAILED")
    return [
        Transaction(recv_ns=i, conn_epoch=1, n=i, hash=text + str(i), status=status[i % 3], value=i)
        for i in range(start, start + rows)
    ]


def numbers(store: ColumnStore[Any], **bounds: int | None) -> list[int]:
    return store.table(**bounds).column("n").to_pylist()


# ---- records and batches


@pytest.mark.parametrize("kind", TYPES)
def test_records_come_back_from_a_batch_exactly(kind: type[Record]) -> None:
    @exact
    @given(records_of(kind))
    def check(records: list[Record]) -> None:
        batch = records_to_batch(kind, records)
        batch.validate(full=True)
        assert batch.schema == arrow_schema(kind)
        assert batch_to_records(kind, batch) == records

    check()


def test_a_sliced_batch_gives_its_own_rows() -> None:
    records = transactions(0, 10)
    assert batch_to_records(Transaction, records_to_batch(Transaction, records).slice(3, 4)) == records[3:7]


@pytest.mark.parametrize("value", [BIG, -BIG, 0, None, 2**53 + 1, -(2**64)])
def test_decimals_are_exact_up_to_38_digits(value: int | None) -> None:
    records = [Transaction(recv_ns=0, conn_epoch=1, n=0, value=value)]
    assert batch_to_records(Transaction, records_to_batch(Transaction, records))[0].value == value


def test_not_a_number_and_infinities_are_values_and_no_nulls() -> None:
    batch = records_to_batch(
        Metrics, [Metrics(recv_ns=0, conn_epoch=1, n=0, tps=t) for t in (float("nan"), float("-inf"), None)]
    )
    assert batch.column("tps").null_count == 1
    nan, low, none = batch_to_records(Metrics, batch)
    assert nan.tps is not None
    assert nan.tps != nan.tps
    assert (low.tps, none.tps) == (float("-inf"), None)


@pytest.mark.parametrize("value", [DECIMAL_LIMIT, -DECIMAL_LIMIT])
def test_a_39_digit_decimal_does_not_convert(value: int) -> None:
    with pytest.raises(ValueError):
        records_to_batch(Transaction, [Transaction(recv_ns=0, conn_epoch=1, n=0, value=value)])


# ---- what does not fit


def test_a_record_that_fits_is_left_alone() -> None:
    record = transactions(0, 1)[0]
    assert fit(record) is record


def test_what_does_not_fit_moves_to_extra_and_keeps_what_was_there() -> None:
    record = Transaction(recv_ns=0, conn_epoch=1, n=0, hash="h", gas_used=2**70, extra='{"hash":"other","k":1}')
    fitted = fit(record)
    assert fitted.gas_used is None
    assert fitted.hash == "h"
    assert json.loads(fitted.extra or "") == {"hash": "other", "k": 1, "gas_used": 2**70}


def test_an_extra_that_is_no_object_is_kept_whole() -> None:
    fitted = fit(Transaction(recv_ns=0, conn_epoch=1, n=0, gas_used=2**70, extra="not json"))
    assert json.loads(fitted.extra or "") == {"extra": "not json", "gas_used": 2**70}


def test_a_lone_surrogate_survives_as_its_escape() -> None:
    assert json.loads(fit(Peer(recv_ns=0, conn_epoch=1, n=0, version="\ud800")).extra or "") == {"version": "\ud800"}
    assert json.loads(fit(Peer(recv_ns=0, conn_epoch=1, n=0, extra='{"a":"\ud800"}')).extra or "") == {"a": "\ud800"}


def test_one_unfit_row_spoils_no_other_row_and_is_counted() -> None:
    store = ColumnStore(Transaction)
    bad = Transaction(recv_ns=9, conn_epoch=1, n=9, hash="\udfff", value=DECIMAL_LIMIT)
    store.append([*transactions(0, 2), bad, *transactions(3, 2)])
    assert store.table().num_rows == 5
    assert store.unfit == 1
    rows = list(store.records())
    assert rows[:2] == transactions(0, 2)
    assert rows[3:] == transactions(3, 2)
    assert (rows[2].hash, rows[2].value) == (None, None)
    assert json.loads(rows[2].extra or "") == {"hash": "\udfff", "value": DECIMAL_LIMIT}
    assert store.latest == transactions(4, 1)[0]


# ---- the store as a list that forgets its oldest rows

STEPS = st.lists(
    st.tuples(st.just("append"), st.integers(0, 30) | st.sampled_from([255, 256, 700]))
    | st.tuples(st.just("since"), st.integers(0, 5))
    | st.tuples(st.just("range"), st.integers(-3, 60)),
    max_size=25,
)


@settings(exact, max_examples=150)
@given(STEPS, st.integers(1, 400), st.integers(1, 300))
def test_any_sequence_of_appends_and_reads_agrees_with_a_plain_list(
    steps: list[tuple[str, int]], max_rows: int, chunk_rows: int
) -> None:
    store = ColumnStore(Transaction, max_rows=max_rows, chunk_rows=chunk_rows)
    model: list[Transaction] = []
    cursor = 0
    for step, number in steps:
        first = max(0, len(model) - max_rows)
        if step == "append":
            store.append(transactions(len(model), number))
            model.extend(transactions(len(model), number))
        elif step == "since":
            cursor = max(0, cursor - number)
            new = store.since(cursor)
            assert new.missed == max(0, first - cursor)
            assert (new.first, new.next) == (max(cursor, first), len(model))
            assert [r for b in new.table.to_batches() for r in batch_to_records(Transaction, b)] == model[new.first :]
            cursor = new.next
        else:
            stop = number + 40
            wanted = model[max(number, first) : max(stop, 0)] if number < stop else []
            assert list(store.records(number, stop)) == wanted
        first = max(0, len(model) - max_rows)
        assert (store.count, store.first, store.dropped, len(store)) == (len(model), first, first, len(model) - first)
        assert store.latest == (model[-1] if model else None)
    assert list(store.records()) == model[first:] if steps else list(store.records()) == []
    assert store.table().schema == arrow_schema(Transaction)


@settings(exact, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(0, 400), st.booleans()), max_size=8),
    st.integers(1_000, 100_000),
)
def test_memory_stays_within_its_bound_whatever_the_rows_weigh(
    appends: list[tuple[int, int, bool]], max_bytes: int
) -> None:
    store = ColumnStore(Transaction, max_bytes=max_bytes)
    for rows, width, read in appends:
        store.append(transactions(store.count, rows, "é" * width))
        assert store.nbytes <= max_bytes
        if read:
            assert numbers(store) == list(range(store.first, store.count))
            assert store.nbytes <= max_bytes
    assert numbers(store) == list(range(store.first, store.count))


# ---- bounds


def test_rows_are_evicted_exactly_and_oldest_first() -> None:
    store = ColumnStore(Metrics, max_rows=1_000, chunk_rows=300)
    store.append(metrics(0, 2_500))
    assert (len(store), store.first, store.dropped) == (1_000, 1_500, 1_500)
    assert numbers(store) == list(range(1_500, 2_500))
    assert store.evicted_bytes > 0


def test_one_heavy_append_costs_old_rows_and_not_all_rows() -> None:
    store = ColumnStore(Transaction, max_bytes=160_000)
    store.append(transactions(0, 2_000, "x" * 1_000))
    assert 100 <= len(store) <= 160
    assert store.nbytes <= 160_000
    assert store.dropped == 2_000 - len(store)


def test_a_row_heavier_than_the_bound_is_counted_as_dropped_and_still_the_latest() -> None:
    store = ColumnStore(Transaction, max_bytes=10_000)
    heavy = transactions(0, 1, "x" * 20_000)
    store.append(heavy)
    assert (len(store), store.dropped, store.nbytes) == (0, 1, 0)
    assert store.evicted_bytes > 20_000
    assert store.latest == heavy[0]
    store.append(transactions(1, 1))
    assert numbers(store) == [1]


def test_many_single_heavy_rows_do_not_pile_up_unconverted() -> None:
    store = ColumnStore(Transaction, max_bytes=100_000)
    for row in transactions(0, 200, "x" * 5_000):
        store.append([row])
        assert store.nbytes <= 100_000
    assert 10 <= len(store) <= 20


def test_a_full_store_holds_at_most_one_batch_beyond_its_rows() -> None:
    store = ColumnStore(Metrics, max_rows=100, chunk_rows=10_000)
    store.append(metrics(0, 200))
    one = store.nbytes
    for start in range(200, 3_000, 7):
        store.append(metrics(start, 7))
        store.table()
    assert len(store) == 100
    assert store.nbytes <= 2 * one


@pytest.mark.parametrize("option", ["max_rows", "max_bytes", "chunk_rows"])
def test_a_bound_below_one_is_refused_by_name(option: str) -> None:
    with pytest.raises(BadOption, match=f"{option}=0"):
        ColumnStore(Metrics, **{option: 0})


# ---- reading


def test_an_empty_store_gives_an_empty_typed_table() -> None:
    store = ColumnStore(Peer)
    assert bool(store)
    assert store.latest is None
    assert (store.count, store.first, len(store), store.nbytes) == (0, 0, 0, 0)
    assert store.table().schema == arrow_schema(Peer)
    assert store.table().num_rows == 0
    assert list(store.records()) == []
    assert (store.since(0).next, store.since(0).missed) == (0, 0)
    store.append([])
    assert store.count == 0


def test_since_tells_what_was_missed_and_where_to_go_on() -> None:
    store = ColumnStore(Metrics, max_rows=10)
    store.append(metrics(0, 25))
    new = store.since(5)
    assert (new.first, new.next, new.missed, new.table.num_rows) == (15, 25, 10, 10)
    store.append(metrics(25, 2))
    new = store.since(new.next)
    assert (new.first, new.next, new.missed, new.table.num_rows) == (25, 27, 0, 2)
    again = store.since(new.next)
    assert (again.first, again.next, again.missed, again.table.num_rows) == (27, 27, 0, 0)
    assert again.table.schema == arrow_schema(Metrics)


def test_ranges_beyond_what_is_stored_are_cut_to_it() -> None:
    store = ColumnStore(Metrics, max_rows=10)
    store.append(metrics(0, 20))
    assert numbers(store, first=-5, stop=12) == [10, 11]
    assert numbers(store, first=18, stop=99) == [18, 19]
    assert numbers(store, first=3, stop=5) == []
    assert numbers(store, first=15, stop=12) == []


def test_columns_can_be_named_and_an_unknown_name_lists_the_known() -> None:
    store = ColumnStore(Metrics)
    store.append(metrics(0, 3))
    assert store.since(1, ["tps", "n"]).table.to_pydict() == {"tps": [1.0, 2.0], "n": [1, 2]}
    assert store.since(3, ["tps"]).table.column_names == ["tps"]
    assert store.table(columns=["n"]).column_names == ["n"]
    with pytest.raises(BadOption, match=r"no column 'speed'; the columns are timestamp, tps, cpu_percent"):
        store.since(0, ["speed"])


def test_categories_of_different_batches_share_one_dictionary() -> None:
    store = ColumnStore(Transaction, chunk_rows=2)
    store.append(transactions(0, 6))
    status = store.table().column("status")
    assert status.num_chunks == 3
    assert all(chunk.dictionary.to_pylist() == ["PENDING", "CONFIRMED", "FAILED"] for chunk in status.chunks)
    assert status.to_pylist() == ["PENDING", "CONFIRMED", "FAILED"] * 2


def test_a_sealed_batch_is_not_copied_into_a_table() -> None:
    store = ColumnStore(Metrics, chunk_rows=500)
    store.append(metrics(0, 500))
    once, again = (store.table().column("tps").chunk(0).buffers()[1] for _ in range(2))
    assert once.address == again.address


def test_records_are_those_of_the_time_of_the_call() -> None:
    store = ColumnStore(Metrics, max_rows=10)
    store.append(metrics(0, 10))
    rows = store.records()
    store.append(metrics(10, 10))
    assert [r.n for r in rows] == list(range(10))


def test_a_record_of_another_topic_is_refused_and_nothing_is_added() -> None:
    store = ColumnStore(Metrics)
    with pytest.raises(TypeError, match=r"a store of Metrics records was given Metrics, Transaction"):
        store.append([*metrics(0, 1), *transactions(1, 1)])  # type: ignore[list-item]
    assert store.count == 0


def test_the_repr_shows_no_live_numbers() -> None:
    assert repr(ColumnStore(Metrics, max_rows=5)) == "ColumnStore(Metrics, max_rows=5, max_bytes=268435456)"


# ---- cost


def test_reading_after_every_single_row_converts_each_row_once_and_copies_it_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    converted, copied = [], []
    convert, concat = module.records_to_batch, pa.concat_batches

    def count_converted(kind: type[Metrics], records: list[Metrics]) -> pa.RecordBatch:
        converted.append(len(records))
        return convert(kind, records)

    def count_copied(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
        copied.append(sum(b.num_rows for b in batches))
        return concat(batches)

    monkeypatch.setattr(module, "records_to_batch", count_converted)
    monkeypatch.setattr(pa, "concat_batches", count_copied)
    store, cursor, rows = ColumnStore(Metrics, chunk_rows=4_000), 0, 3_000
    for row in metrics(0, rows):
        store.append([row])
        new = store.since(cursor)
        assert (new.first, new.table.num_rows) == (cursor, 1)
        cursor = new.next
    assert sum(converted) == rows
    assert sum(copied) <= rows * 16
    assert store.table().column("n").num_chunks <= 16
    assert numbers(store) == list(range(rows))


def test_single_rows_that_nobody_reads_are_converted_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    converted, convert = [], module.records_to_batch

    def count(kind: type[Metrics], records: list[Metrics]) -> pa.RecordBatch:
        converted.append(len(records))
        return convert(kind, records)

    monkeypatch.setattr(module, "records_to_batch", count)
    store = ColumnStore(Metrics)
    for row in metrics(0, 2_560):
        store.append([row])
    assert converted == [module.TAIL_ROWS] * 10


# ---- threads


def test_readers_beside_a_writer_see_every_row_once_and_in_order() -> None:
    rows, limit_s = 30_000, 60.0
    store = ColumnStore(Transaction, max_rows=rows, chunk_rows=1_000)
    grown = threading.Condition()
    seen: list[list[int]] = [[], []]
    faults: list[BaseException] = []

    def write() -> None:
        start, step = 0, 1
        while start < rows:
            with grown:
                store.append(transactions(start, min(step, rows - start)))
                grown.notify_all()
            start, step = start + step, step % 97 + 1

    def unread(cursor: int) -> bool:
        return store.count > cursor

    def read(into: list[int]) -> None:
        cursor = 0
        try:
            while cursor < rows:
                with grown:
                    grown.wait_for(functools.partial(unread, cursor), limit_s)
                new = store.since(cursor, ["n"])
                assert (new.first, new.missed) == (cursor, 0)
                into.extend(new.table.column("n").to_pylist())
                cursor = new.next
                assert store.table().num_rows >= cursor
        except BaseException as fault:  # noqa: BLE001 - raised again below, where the test sees it
            faults.append(fault)

    threads = [threading.Thread(target=read, args=(into,), daemon=True) for into in seen]
    threads.append(threading.Thread(target=write, daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(limit_s)
    assert not faults
    assert not any(thread.is_alive() for thread in threads)
    assert seen == [list(range(rows))] * 2
