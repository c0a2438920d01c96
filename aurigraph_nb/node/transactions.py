"""Transactions and their lives: submitted (PENDING), settled some seconds later (CONFIRMED, sometimes FAILED).

This is the stream that carries high rates, so what can be drawn in advance stands in tables: a transaction costs two
draws of bits and a lookup of each property.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heapify, heappush

from .events import TransactionEvent
from .world import NS, TRANSACTIONS, World

ACCOUNTS = 2_048
TABLE = 4_096
FAILED_OF_1024 = 20
FAILED_IN_SPIKE = 70

SETTLE_MEDIAN_S = 1.8
SETTLE_RANGE_S = (0.4, 8.0)


class Transactions:
    """The transactions topic: two events for each transaction.

    :param per_second: transactions submitted a second, on average, outside of a spike
    :param height: the chain's height, for the block that a transaction is in
    """

    def __init__(self, world: World, per_second: float, height: Callable[[], int]) -> None:
        self._world = world
        self._height = height
        self._per_second = per_second
        self._fill_tables()
        arrivals = world.rng("transactions.arrivals")
        self._uniform = arrivals.random
        self._bits = world.rng("transactions").getrandbits
        world.at(world.start_ns + self._gap(world.start_ns), TRANSACTIONS, self._submit)

    def _fill_tables(self) -> None:
        rng = self._world.rng("transactions.tables")
        owners = [f"0x{rng.getrandbits(160):040x}" for _ in range(ACCOUNTS // 4)]
        # A few accounts are in most of the transactions.
        self._accounts = [owners[int(len(owners) * rng.random() ** 3)] for _ in range(ACCOUNTS)]
        low, high = SETTLE_RANGE_S
        self._settle_ns = [
            round(NS * min(high, max(low, SETTLE_MEDIAN_S * math.exp(rng.gauss(0.0, 0.5))))) for _ in range(TABLE)
        ]
        # Most amounts are beyond 2**53 base units, one in twelve is dust below.
        self._values = [
            int(10 ** rng.uniform(3, 15)) if i % 12 == 0 else int(2.5e18 * math.exp(rng.gauss(0.0, 1.8)))
            for i in range(TABLE)
        ]
        self._gas = [21_000 if rng.random() < 0.6 else int(rng.uniform(30_000, 400_000)) for _ in range(1_024)]
        self._gas_prices = [str(int(1e9 * math.exp(rng.gauss(0.0, 0.3)))) for _ in range(256)]

    def _gap(self, t: int) -> int:
        rate = self._per_second * self._world.load_factor(t)
        return int(-math.log(1.0 - self._uniform()) * NS / rate)

    def _submit(self, t: int, _: object) -> None:
        digest, draw = self._bits(256), self._bits(64)
        event = TransactionEvent(
            t,
            f"0x{digest:064x}",
            self._accounts[draw & 2047],
            self._accounts[(draw >> 11) & 2047],
            str(self._values[(draw >> 22) & 4095] + (digest & 0xFFF)),
            "PENDING",
            0,
            self._gas_prices[(draw >> 34) & 255],
            None,
        )
        world = self._world
        world.truth.pending += 1
        world.out.append(event)
        heap, order = world.heap, world.order
        settles = t + self._settle_ns[(draw >> 42) & 4095]
        heappush(heap, (settles - settles % 1000, TRANSACTIONS, next(order), self._settle, (event, draw >> 54)))
        following = t + self._gap(t)
        heappush(heap, (following - following % 1000, TRANSACTIONS, next(order), self._submit, None))

    def _settle(self, t: int, item: tuple[TransactionEvent, int]) -> None:
        old, luck = item
        world = self._world
        failed = luck < (FAILED_OF_1024 if world.incident is None else self._failed_of_1024())
        status = "FAILED" if failed else "CONFIRMED"
        gas = self._gas[(luck * 7 + len(old.value)) & 1023]
        world.out.append(
            TransactionEvent(
                t, old.hash, old.sender, old.recipient, old.value, status, gas, old.gas_price, self._height()
            )
        )
        truth = world.truth
        truth.pending -= 1
        truth.settled += 1
        truth.fates.append((old.hash, old.time_ns, t, status))

    def _failed_of_1024(self) -> int:
        return FAILED_IN_SPIKE if self._world.during("spike") else FAILED_OF_1024

    def forget_until(self, t: int) -> None:
        """Submit nothing before ``t``: nobody will be told of what happens until then."""
        heap = self._world.heap
        for i, entry in enumerate(heap):
            if entry[3] == self._submit and entry[0] < t:
                del heap[i]
                break
        else:
            return
        heapify(heap)
        self._world.at(t + self._gap(t), TRANSACTIONS, self._submit)
