"""What really happened, for whoever wants to check what a feed made of it."""

from __future__ import annotations

from collections import deque

import msgspec

KEPT = 20_000
"""Entries kept of each kind; the oldest go first. The counts go on."""


class Incident(msgspec.Struct, frozen=True):
    """Something that the scenario did, or somebody ordered."""

    kind: str
    """The scenario's name, or ``fault:<kind>``, ``stopped`` or ``late``."""
    start_ns: int
    end_ns: int | None
    """When it ends (known in advance for a scenario's incidents); None while that is open."""
    detail: str


class Round(msgspec.Struct, frozen=True):
    """One round of the consensus."""

    round: int
    epoch: int
    leader: str
    """The last one to lead it."""
    start_ns: int
    end_ns: int
    committed: bool
    height: int
    """Height of the block committed, or of the last one before."""


class Fate(msgspec.Struct, frozen=True):
    """What became of a transaction."""

    hash: str
    submitted_ns: int
    settled_ns: int
    status: str
    """CONFIRMED or FAILED."""


class Truth(msgspec.Struct, frozen=True):
    """A snapshot of what happened until now. Lists are oldest first and bounded to the newest 20,000 entries."""

    now_ns: int
    """The network's time of this snapshot."""
    scenario: str
    seed: int
    incidents: tuple[Incident, ...]
    rounds: tuple[Round, ...]
    transactions: tuple[Fate, ...]
    """The settled ones."""
    pending: int
    """Transactions submitted and not yet settled."""
    settled: int
    """Transactions settled, ever."""
    frames: dict[str, int]
    """Frames that the model gave, per topic, whether anybody was there to receive them or not."""


class Ledger:
    """Keeps the newest of what happened."""

    def __init__(self) -> None:
        self.incidents: deque[Incident] = deque(maxlen=KEPT)
        self.rounds: deque[Round] = deque(maxlen=KEPT)
        self.fates: deque[tuple[str, int, int, str]] = deque(maxlen=KEPT)
        self.pending = 0
        self.settled = 0
        self.frames: dict[str, int] = {}

    def end(self, kind: str, end_ns: int) -> None:
        """The newest incident of that kind that is open ends."""
        for i in range(len(self.incidents) - 1, -1, -1):
            incident = self.incidents[i]
            if incident.kind == kind and incident.end_ns is None:
                self.incidents[i] = msgspec.structs.replace(incident, end_ns=end_ns)
                return

    def snapshot(self, *, now_ns: int, scenario: str, seed: int) -> Truth:
        return Truth(
            now_ns=now_ns,
            scenario=scenario,
            seed=seed,
            incidents=tuple(self.incidents),
            rounds=tuple(self.rounds),
            transactions=tuple(Fate(*fate) for fate in self.fates),
            pending=self.pending,
            settled=self.settled,
            frames=dict(self.frames),
        )
