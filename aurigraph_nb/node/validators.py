"""The validator set: stake (skewed, as such sets are), status, uptime, commission, delegators.

Leaders are drawn by stake among the active. Who misses three proposals in a row is jailed: slashed by 5 %, without
voting power until released.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence

import msgspec

from . import geo
from .events import ValidatorEvent
from .world import NS, VALIDATORS, World

ACTIVE, INACTIVE, JAILED = "ACTIVE", "INACTIVE", "JAILED"

TOKEN = 10**18
MISSED_LIMIT = 3
SLASHED = 0.05
DELEGATION_EVERY_S = 4.0
"""Mean time between two changes of somebody's stake."""

_OPERATORS = (
    "Helios Aquila Boreal Cygnus Delphi Ember Fjord Glacier Harbor Indigo Juniper Kestrel Lumen Meridian Nimbus "
    "Orchid Pioneer Quartz Rowan Summit Tundra Umbra Vertex Willow Xenon Yarrow Zephyr"
).split()


class Validator(msgspec.Struct):
    """One validator, as it stands."""

    id: str
    address: str
    name: str
    region: str
    stake: int
    """Tokens."""
    commission_percent: float
    uptime_percent: float
    delegators: int
    skill: float
    """Quality of its machine, 0-1."""
    status: str = ACTIVE
    last_block: int = 0
    missed: int = 0
    """Proposals missed in a row."""

    @property
    def voting_power(self) -> int:
        return 0 if self.status == JAILED else self.stake

    def event(self, t: int) -> ValidatorEvent:
        return ValidatorEvent(
            t,
            self.id,
            self.address,
            self.name,
            self.status,
            self.voting_power,
            round(self.uptime_percent, 3),
            self.commission_percent,
            self.last_block,
            self.delegators,
            self.stake * TOKEN,
        )


class ValidatorSet:
    """The validators topic, and who may lead."""

    def __init__(self, world: World, count: int, height: int) -> None:
        self._world = world
        self._changes = world.rng("validators.changes")
        self._trouble = world.rng("validators.trouble")
        self.all = self._found(count, height)
        self._cut_off: list[Validator] = []
        self._active: list[Validator] | None = None  # None: to be made anew
        self._up_to: list[int] = []  # running sum of the active ones' stake
        world.at(world.start_ns + self._delegation_gap(), VALIDATORS, self._delegate)

    def _found(self, count: int, height: int) -> list[Validator]:
        rng = self._world.rng("validators")
        stakes = [min(8.0, rng.paretovariate(1.4)) for _ in range(count)]
        width = max(2, len(str(count)))
        found = []
        for i, share in enumerate(stakes):
            lap = i // len(_OPERATORS)
            found.append(
                Validator(
                    id=f"validator-{i + 1:0{width}d}",
                    address=f"0x{rng.getrandbits(160):040x}",
                    name=_OPERATORS[i % len(_OPERATORS)] + (f" {lap + 1}" if lap else ""),
                    region=geo.place(rng)[0],
                    stake=int(share * 1_000_000) + int(rng.random() * 90_000),
                    commission_percent=round(rng.uniform(2.0, 12.0), 1),
                    uptime_percent=round(100.0 - 2.5 * rng.random() ** 2, 3),
                    delegators=int(share * rng.uniform(40, 400)),
                    skill=rng.uniform(0.93, 0.995),
                    last_block=height - 1 - int(rng.random() * 40),
                )
            )
        for validator in sorted(found, key=lambda v: v.stake)[: count // 10]:
            validator.status = INACTIVE
        return found

    @property
    def active(self) -> Sequence[Validator]:
        """Those that may lead, in the order of their ids. Never empty."""
        if self._active is None:
            self._active = [v for v in self.all if v.status == ACTIVE]
            self._up_to = list(itertools.accumulate(v.stake for v in self._active))
        return self._active

    def leader(self, draw: float) -> Validator:
        """The one that ``draw`` (0 to 1) falls on, each having room by its stake."""
        active = self.active
        return active[min(len(active) - 1, bisect.bisect_right(self._up_to, draw * self._up_to[-1]))]

    def tell(self, t: int, validator: Validator) -> None:
        self._world.out.append(validator.event(t))

    def proposed(self, t: int, validator: Validator, height: int) -> None:
        """``validator`` proposed the block ``height``."""
        validator.last_block = height
        validator.missed = 0
        validator.uptime_percent = min(100.0, validator.uptime_percent + 0.002)
        self.tell(t, validator)

    def missed(self, t: int, validator: Validator) -> None:
        """``validator`` led, and nothing came of it."""
        validator.missed += 1
        validator.uptime_percent = max(0.0, validator.uptime_percent - 0.04)
        jail_s = self._trouble.uniform(30.0, 60.0)
        if validator.missed < MISSED_LIMIT or not self._jail(t, validator, t + round(jail_s * NS)):
            self.tell(t, validator)

    def new_epoch(self, t: int) -> None:
        """The least of the active may lose its place to one that waits."""
        waiting = [v for v in self.all if v.status == INACTIVE]
        swap = self._changes.random() < 0.5
        if not swap or not waiting or self._cut_off or len(self.active) < 2:
            return
        self._set(t, min(self.active, key=lambda v: v.stake), INACTIVE)
        self._set(t, max(waiting, key=lambda v: v.stake), ACTIVE)

    def _set(self, t: int, validator: Validator, status: str) -> None:
        validator.status = status
        self._active = None
        self.tell(t, validator)

    def _delegation_gap(self) -> int:
        return round(self._changes.expovariate(1.0 / DELEGATION_EVERY_S) * NS)

    def _delegate(self, t: int, _: object) -> None:
        rng = self._changes
        validator = self.all[int(rng.random() * len(self.all))]
        share = max(-0.02, min(0.02, rng.gauss(0.0, 0.005)))
        validator.stake = max(1_000, validator.stake + int(validator.stake * share))
        validator.delegators = max(1, validator.delegators + (1 if share > 0 else -1))
        self._active = None
        self.tell(t, validator)
        self._world.at(t + self._delegation_gap(), VALIDATORS, self._delegate)

    # Trouble

    def _jail(self, t: int, validator: Validator, until_ns: int) -> bool:
        """Jail, unless that would leave less than half of the set to lead."""
        if validator.status != ACTIVE or len(self.active) - 1 < max(1, len(self.all) // 2):
            return False
        validator.missed = 0
        validator.stake -= int(validator.stake * SLASHED)
        self._set(t, validator, JAILED)
        self._world.at(until_ns, VALIDATORS, self._release, validator)
        return True

    def _release(self, t: int, validator: Validator) -> None:
        if validator.status == JAILED:
            self._set(t, validator, ACTIVE)

    def jail_some(self, t: int, share: float, until_ns: int) -> str:
        """Jail ``share`` of the set within some seconds; they are released after ``until_ns``. Returns who."""
        active = list(self.active)
        self._trouble.shuffle(active)
        room = len(active) - max(1, len(self.all) // 2)
        chosen = active[: max(0, min(room, max(2, round(share * len(self.all)))))]
        for i, validator in enumerate(chosen):
            self._world.at(t + i * 3 * NS // 2, VALIDATORS, self._jail_now, (validator, until_ns + i * NS))
        return ", ".join(v.id for v in chosen) or "nobody: too few validators"

    def _jail_now(self, t: int, item: tuple[Validator, int]) -> None:
        self._jail(t, *item)

    def cut_off(self, t: int, region: str) -> int:
        """The validators of a region fall silent; one is left in any case. Returns how many did."""
        here = [v for v in self.active if v.region == region]
        self._cut_off = here[: len(self.active) - 1]
        for validator in self._cut_off:
            self._set(t, validator, INACTIVE)
        return len(self._cut_off)

    def rejoin(self, t: int) -> None:
        """Those who fell silent are back."""
        for validator in self._cut_off:
            if validator.status == INACTIVE:
                self._set(t, validator, ACTIVE)
        self._cut_off = []
