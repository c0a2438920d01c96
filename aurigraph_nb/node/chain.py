"""Rounds, epochs, terms and blocks: one round a second, a hundred rounds an epoch.

A round begins with a leader's proposal and ends with a block (COMMITTED) or without (FAILED; the term rises, and for
a moment nobody leads). What a round needs is drawn from streams of its own in every round, used or not, so that
trouble in one round does not shift the next.
"""

from __future__ import annotations

import math
from collections import deque

from .events import ConsensusEvent
from .truth import Round
from .validators import Validator, ValidatorSet
from .world import CHAIN, MS, NS, World

ROUND_NS = NS
EPOCH_ROUNDS = 100
FIRST_ROUND = 128_460
"""So that the first new epoch comes after 40 s."""
FIRST_HEIGHT = 4_213_000
FIRST_TERM = 7

LATENCIES_KEPT = 300
"""Blocks whose latency is known."""

CHURN_FAILS = 0.8
"""Share of the proposals that fail while leaders churn."""


class Chain:
    """The consensus topic, and the proposals among the validators'."""

    def __init__(self, world: World, validators: int) -> None:
        self._world = world
        self.height = FIRST_HEIGHT
        self.validators = ValidatorSet(world, validators, FIRST_HEIGHT)
        self._leaders = world.rng("chain.leaders")
        self._times = world.rng("chain.times")
        self._luck = world.rng("chain.luck")
        self._churn = world.rng("chain.churn")
        self._self_id = self.validators.all[0].id  # the node is a validator too
        self._round = FIRST_ROUND - 1
        self._term = FIRST_TERM
        self._performance = 0.968
        self._started_ns = 0
        self._last_block_ns = world.start_ns
        self.average_block_ms = 1000.0
        self.block_ms = 0.0
        """Between the last two blocks; 0 before the first."""
        self.producer: str | None = None
        """Who proposed the last block."""
        self.latencies_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)
        """From the round's begin to its block."""
        world.at(world.start_ns, CHAIN, self._begin)

    @property
    def epoch(self) -> int:
        return self._round // EPOCH_ROUNDS

    @property
    def round(self) -> int:
        return self._round

    def _begin(self, t: int, _: object) -> None:
        self._round += 1
        self._started_ns = t
        if self._round % EPOCH_ROUNDS == 0:
            self.validators.new_epoch(t)
        self._world.at(t + ROUND_NS, CHAIN, self._begin)
        leader = self.validators.leader(self._leaders.random())
        takes_ms = min(800.0, max(180.0, 420.0 * math.exp(0.2 * self._times.gauss(0.0, 1.0))))
        unlucky = self._luck.random()
        if self._world.during("leader-churn"):
            self._propose_in_churn(t, leader)
        elif unlucky < 0.004 + 0.25 * (1.0 - leader.skill):
            self._say(t, "PROPOSING", leader)
            self._world.at(t + 450 * MS, CHAIN, self._vote, leader)
            self._world.at(t + 900 * MS, CHAIN, self._fail, (leader, True))
        else:
            self._say(t, "PROPOSING", leader)
            self._world.at(t + round(takes_ms * MS), CHAIN, self._commit, leader)

    def _propose_in_churn(self, t: int, leader: Validator) -> None:
        """A proposal that probably fails after a fifth of a second, to be followed by another leader's."""
        rng = self._churn
        step = rng.uniform(0.16, 0.24)
        last = t + 2 * round(step * NS) >= self._started_ns + ROUND_NS
        self._say(t, "PROPOSING", leader)
        t += round(step * NS)
        if rng.random() < CHURN_FAILS:
            self._world.at(t, CHAIN, self._fail, (leader, last))
        else:
            self._world.at(t, CHAIN, self._commit, leader)

    def _vote(self, t: int, leader: Validator) -> None:
        self._say(t, "VOTING", leader)

    def _commit(self, t: int, leader: Validator) -> None:
        self.height += 1
        self.block_ms = max(1, t - self._last_block_ns) / MS
        self.average_block_ms += (self.block_ms - self.average_block_ms) * 0.1
        self._last_block_ns = t
        self.producer = leader.id
        self.latencies_ms.append((t - self._started_ns) / MS)
        self._score(leader.skill)
        self.validators.proposed(t, leader, self.height)
        self._say(t, "COMMITTED", leader)
        self._end(t, leader, committed=True)

    def _fail(self, t: int, item: tuple[Validator, bool]) -> None:
        leader, last = item
        self._term += 1
        self._score(0.45)
        self.validators.missed(t, leader)
        self._say(t, "FAILED", None)
        if last:
            self._end(t, leader, committed=False)
            return
        following = self.validators.leader(self._churn.random())
        self._world.at(t + 15 * MS, CHAIN, self._propose_again, following)

    def _propose_again(self, t: int, leader: Validator) -> None:
        self._propose_in_churn(t, leader)

    def _end(self, t: int, leader: Validator, *, committed: bool) -> None:
        self._world.truth.rounds.append(
            Round(self._round, self.epoch, leader.id, self._started_ns, t, committed, self.height)
        )

    def _score(self, sample: float) -> None:
        self._performance += (sample - self._performance) * 0.2

    @property
    def health(self) -> str:
        """OPTIMAL, DEGRADED or CRITICAL."""
        ratio = len(self.validators.active) / len(self.validators.all)
        if ratio < 0.5 or self._performance < 0.55:
            return "CRITICAL"
        return "DEGRADED" if ratio < 0.8 or self._performance < 0.85 else "OPTIMAL"

    def _role(self, leader: Validator | None) -> str:
        if leader is None:
            return "CANDIDATE"
        if leader.id == self._self_id:
            return "LEADER"
        return "FOLLOWER" if self.validators.all[0].status == "ACTIVE" else "OBSERVER"

    def _say(self, t: int, phase: str, leader: Validator | None) -> None:
        self._world.out.append(
            ConsensusEvent(
                t,
                None if leader is None else leader.id,
                phase,
                self._role(leader),
                self.epoch,
                self._round,
                self._term,
                round(self._performance, 4),
                len(self.validators.active),
                len(self.validators.all),
                self._last_block_ns,
                round(self.average_block_ms, 1),
                self.health,
            )
        )
