"""Transactions: newest first, one row a hash, new for five seconds, a total that nothing resets."""

from __future__ import annotations

from typing import Any

import pytest

from aurigraph_nb.schema import Transaction, arrow_schema
from aurigraph_nb.state import TransactionsState

S = 1_000_000_000


def transaction(n: int, hash_: str | None, **fields: Any) -> Transaction:
    return Transaction(recv_ns=n * S, conn_epoch=1, n=n, hash=hash_, **fields)


def state_of(*records: Transaction) -> TransactionsState:
    state = TransactionsState()
    for record in records:
        state.apply(record)
    return state


def hashes(state: TransactionsState) -> list[str | None]:
    return [row.hash for row in state.recent]


def test_the_newest_transaction_comes_first() -> None:
    assert hashes(state_of(*(transaction(n, h) for n, h in enumerate("abc")))) == ["c", "b", "a"]


def test_the_last_hundred_are_kept_and_all_are_counted() -> None:
    state = state_of(*(transaction(n, f"t{n}") for n in range(130)))
    assert hashes(state) == [f"t{n}" for n in range(129, 29, -1)]
    assert state.total == 130


def test_the_same_hash_again_updates_its_row_in_place_and_counts() -> None:
    pending, other = transaction(0, "a", status="PENDING", value=5), transaction(1, "b")
    state = state_of(pending, other, transaction(2, "a", status="CONFIRMED", block_number=9))
    assert hashes(state) == ["b", "a"]
    assert state.recent[1] == transaction(2, "a", status="CONFIRMED", value=5, block_number=9)
    assert state.total == 3


def test_a_hash_that_left_the_list_comes_back_as_a_new_row() -> None:
    state = TransactionsState(keep=2)
    for n, h in enumerate("abca"):
        state.apply(transaction(n, h))
    assert hashes(state) == ["a", "c"]
    assert state.is_new(state.recent[0], 3 * S)


def test_clear_empties_the_list_and_keeps_the_total() -> None:
    state = state_of(transaction(0, "a"), transaction(1, "b"))
    before = state.version
    state.clear()
    assert (state.recent, state.total) == ([], 2)
    assert state.version > before
    state.apply(transaction(2, "a"))
    assert (hashes(state), state.total) == (["a"], 3)


@pytest.mark.parametrize("after_ns, new", [(0, True), (5 * S - 1, True), (5 * S, False), (6 * S, False), (-S, True)])
def test_a_transaction_is_new_for_exactly_five_seconds_after_arrival(after_ns: int, new: bool) -> None:
    state = state_of(transaction(100, "a"))
    assert state.is_new(state.recent[0], 100 * S + after_ns) is new


def test_an_update_does_not_make_a_transaction_new_again() -> None:
    state = state_of(transaction(0, "a"), transaction(4, "a", status="CONFIRMED"))
    assert state.arrived_ns(state.recent[0]) == 0
    assert state.is_new(state.recent[0], 5 * S - 1)
    assert not state.is_new(state.recent[0], 5 * S)


def test_a_transaction_that_is_not_listed_is_judged_by_its_own_arrival() -> None:
    assert state_of().is_new(transaction(10, "x"), 14 * S)
    assert not state_of().is_new(transaction(10, None), 15 * S)


def test_transactions_without_a_hash_have_a_row_each() -> None:
    state = state_of(transaction(0, None), transaction(1, "2"), transaction(2, None), transaction(3, "3"))
    assert hashes(state) == ["3", None, "2", None]
    assert [row.n for row in state.recent] == [3, 2, 1, 0]


def test_readers_can_follow_the_rows_by_their_changes() -> None:
    state = state_of(transaction(0, "a"), transaction(1, "b"))
    version = state.current.version
    state.apply(transaction(2, "a", status="FAILED"))
    changes = state.current.changed_since(version)
    assert [key for key, _ in changes.changed] == ["a"]
    state.clear()
    assert state.current.changed_since(version).reset


def test_the_rows_make_a_table_with_the_topics_schema() -> None:
    table = state_of(transaction(0, "a", value=10**37), transaction(1, "b")).table()
    assert table.schema == arrow_schema(Transaction)
    assert table.column("hash").to_pylist() == ["b", "a"]
    assert TransactionsState().table().num_rows == 0


def test_memory_of_arrivals_is_bounded_with_the_rows() -> None:
    state = TransactionsState(keep=3)
    for n in range(50):
        state.apply(transaction(n, f"t{n % 7}"))
        state.apply(transaction(n, None))
    assert len(state.recent) == 3
    assert all(state.is_new(row, 50 * S) for row in state.recent)
