"""The transactions as a list to look at: newest first, one row a transaction, new ones marked."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import pyarrow as pa

from aurigraph_nb.columns import records_to_table
from aurigraph_nb.schema import Transaction
from aurigraph_nb.state.keyed import Keyed
from aurigraph_nb.state.view import merge

NEW_NS: Final = 5_000_000_000
"""How long a transaction counts as new, in nanoseconds."""


class TransactionsState:
    """The newest transactions, and how many frames there were.

    >>> state = TransactionsState()
    >>> state.apply(Transaction(recv_ns=1, conn_epoch=1, n=0, hash="0xa", status="PENDING"))
    >>> state.apply(Transaction(recv_ns=2, conn_epoch=1, n=1, hash="0xa", status="CONFIRMED"))
    >>> [(row.hash, row.status) for row in state.recent], state.total
    ([('0xa', 'CONFIRMED')], 2)
    """

    def __init__(self, *, keep: int = 100) -> None:
        self._current: Keyed[str | int, Transaction] = Keyed(keep)
        self._arrivals: OrderedDict[str | int, int] = OrderedDict()
        self._total = 0

    @property
    def current(self) -> Keyed[str | int, Transaction]:
        """The rows kept by hash (one without a hash by its ordinal, an int), oldest first."""
        return self._current

    @property
    def recent(self) -> list[Transaction]:
        """The newest transactions, newest first (100 unless told otherwise).

        The same hash again updates its row, which keeps its place.
        """
        return [self._current[key] for key in reversed(self._current)]

    @property
    def total(self) -> int:
        """Every transaction ever received, each update of one included; not reset by :meth:`clear`."""
        return self._total

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._current.version

    def __repr__(self) -> str:
        return f"<TransactionsState: {len(self._current):,} transactions kept of {self._total:,} frames>"

    def apply(self, record: Transaction) -> None:
        """Take the next record."""
        self._total += 1
        key = self._total if record.hash is None else record.hash
        old = self._current.get(key)
        if old is None:
            self._arrivals[key] = record.recv_ns
        self._current.upsert(key, merge(old, record))
        if len(self._arrivals) > self._current.limit:
            self._arrivals.popitem(last=False)

    def clear(self) -> None:
        """Forget the rows; the total stays."""
        self._current.clear()
        self._arrivals.clear()

    def arrived_ns(self, transaction: Transaction) -> int:
        """Arrival of its first frame, ns since 1970 UTC; if the transaction is not listed, its own receive time."""
        if transaction.hash is None:
            return transaction.recv_ns
        return self._arrivals.get(transaction.hash, transaction.recv_ns)

    def is_new(self, transaction: Transaction, now_ns: int) -> bool:
        """Whether less than 5.000 s have passed since its first frame arrived; an update does not make it new again."""
        return now_ns - self.arrived_ns(transaction) < NEW_NS

    def table(self) -> pa.Table:
        """The rows of :attr:`recent`, newest first, with the schema of the topic."""
        return records_to_table(Transaction, self.recent)
