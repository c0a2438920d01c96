"""The modelled network: seeded, pure, in time order, without end unless told.

Every subject has random streams of its own, named after it and the seed: the rate of transactions or the scenario
shifts nobody else's draws, and the same seed gives the same events whoever listens.
"""

from __future__ import annotations

import heapq

import msgspec

from . import scenarios
from .chain import Chain
from .events import Event, ServingEvent
from .load import Load
from .peers import UPDATE_EVERY_S, Peers
from .transactions import Transactions
from .truth import Incident, Truth
from .validators import DELEGATION_EVERY_S
from .world import NS, SCENARIO, Active, World

DEFAULT_TRANSACTIONS_PER_S = 5.0
LEAST_TRANSACTIONS_PER_S = 0.1


class ModelOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the network is like. Checked by whoever takes them from a user (see :mod:`.options`)."""

    seed: int = 0
    scenario: str = "steady"
    rate: float | None = None
    """Frames a second over all topics; None: 5 transactions a second."""
    validators: int = 20
    peers: int = 17
    metrics_interval_s: float = 1.0
    duration_s: float | None = None
    """How long it runs; None: for ever."""

    @property
    def transactions_per_s(self) -> float:
        """What the transactions have to add for all topics to reach the rate. Each of them gives two frames."""
        if self.rate is None:
            return DEFAULT_TRANSACTIONS_PER_S
        return max(LEAST_TRANSACTIONS_PER_S, (self.rate - self._others_per_s) / 2)

    @property
    def frames_per_s(self) -> float:
        """Frames over all topics, on average, outside of incidents."""
        return self._others_per_s + 2 * self.transactions_per_s

    @property
    def _others_per_s(self) -> float:
        consensus, proposals = 2.05, 1.0
        validators = proposals + 1.0 / DELEGATION_EVERY_S
        return 1.0 / self.metrics_interval_s + consensus + validators + self.peers / UPDATE_EVERY_S


class Model:
    """Events in time order.

    :param start_ns: when the network begins, ns since 1970 UTC
    """

    def __init__(self, options: ModelOptions, start_ns: int) -> None:
        self.options = options
        self.start_ns = start_ns - start_ns % 1000
        self._end_ns = None if options.duration_s is None else self.start_ns + round(options.duration_s * NS)
        self._now = self.start_ns
        world = self._world = World(options.seed, self.start_ns)
        self._moments = scenarios.moments(options.scenario, self.start_ns, world.rng("scenario"))
        self.load = Load(world, options.metrics_interval_s)
        self.chain = Chain(world, options.validators)
        self.peers = Peers(world, options.peers)
        self._transactions = Transactions(world, options.transactions_per_s, lambda: self.chain.height)
        self._plan_incident()

    @property
    def end_ns(self) -> int | None:
        """When it ends; None: never."""
        return self._end_ns

    @property
    def next_ns(self) -> int | None:
        """Time of the next event, or of something without one; None after the end."""
        t = self._world.heap[0][0]
        return t if self._end_ns is None or t < self._end_ns else None

    def take(self, until_ns: int, limit: int = 10_000) -> list[Event]:
        """The events up to and including ``until_ns``; about ``limit`` of them at most, the others stay."""
        world = self._world
        out: list[Event] = []
        world.out = out
        heap, pop = world.heap, heapq.heappop
        stop = until_ns if self._end_ns is None else min(until_ns, self._end_ns - 1)
        while heap[0][0] <= stop and len(out) < limit:
            t, _, _, handler, arg = pop(heap)
            handler(t, arg)
        self._count(out)
        self._now = max(self._now, stop if heap[0][0] > stop else out[-1].time_ns)
        return out

    def _count(self, out: list[Event]) -> None:
        frames = self._world.truth.frames
        for event in out:
            topic = event.topic
            if topic:
                frames[topic] = frames.get(topic, 0) + 1

    def forget_transactions_until(self, ns: int) -> None:
        """Submit no transaction before ``ns``: for catching up with a time in which nobody listened."""
        self._transactions.forget_until(ns)

    def note(self, incident: Incident) -> None:
        """Put something that was done to the node into the truth."""
        self._world.truth.incidents.append(incident)

    def end(self, kind: str, end_ns: int) -> None:
        """An incident that was put there without an end ends."""
        self._world.truth.end(kind, end_ns)

    @property
    def truth(self) -> Truth:
        """What happened so far."""
        return self._world.truth.snapshot(now_ns=self._now, scenario=self.options.scenario, seed=self.options.seed)

    @property
    def truth_counts(self) -> tuple[int, int]:
        """Transactions settled and pending."""
        return self._world.truth.settled, self._world.truth.pending

    # Incidents

    def _plan_incident(self) -> None:
        moment = next(self._moments, None)
        if moment is not None:
            self._world.at(moment.start_ns, SCENARIO, self._begin_incident, moment)

    def _begin_incident(self, t: int, moment: scenarios.Moment) -> None:
        kind = self.options.scenario
        incident = Active(kind, t, moment.end_ns, moment.amount)
        self._world.incident = incident
        self._world.truth.incidents.append(Incident(kind, t, moment.end_ns, self._strike(incident)))
        self._world.at(moment.end_ns, SCENARIO, self._end_incident, incident)

    def _strike(self, incident: Active) -> str:
        """Do what happens at the start of an incident; returns what that is, for the truth."""
        t = incident.start_ns
        match incident.kind:
            case "spike":
                return f"load x{incident.amount:.1f}"
            case "leader-churn":
                return "several leaders a round"
            case "jailing":
                return self.chain.validators.jail_some(t, incident.amount, incident.end_ns)
            case "outage":
                self._world.out.append(ServingEvent(t, False))
                return "closed with 1012, then refused"
            case _:
                region, peers = self.peers.cut_off(t)
                validators = self.chain.validators.cut_off(t, region)
                return f"{region}: {peers} peers, {validators} validators; latency x{incident.amount:.1f}"

    def _end_incident(self, t: int, incident: Active) -> None:
        self._world.incident = None
        if incident.kind == "outage":
            self._world.out.append(ServingEvent(t, True))
        elif incident.kind == "partition":
            self.peers.rejoin(t)
            self.chain.validators.rejoin(t)
        self._plan_incident()
