"""The six scenarios: what goes wrong, when, for how long.

A scenario is a series of incidents of one kind. When they happen is drawn from a stream of its own, so that no other
subject of the model is shifted by it; what they do is told by the subjects (:mod:`.load`, :mod:`.chain`, …).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec

from ..errors import BadOption

NS = 1_000_000_000


class Plan(msgspec.Struct, frozen=True):
    """One scenario. Ranges are (least, most), drawn uniformly."""

    about: str
    length_s: tuple[float, float] | None = None
    """How long an incident lasts; None where there are no incidents."""
    amount: tuple[float, float] = (0.0, 0.0)
    """How strong it is; what that means depends on the kind."""


FIRST_S = (20.0, 28.0)
"""When the first incident begins, after the start of the model."""
PAUSE_S = (35.0, 55.0)
"""Quiet time between two incidents."""

SCENARIOS: dict[str, Plan] = {
    "steady": Plan("nothing out of the ordinary"),
    "spike": Plan("load and transactions rise several times over", (12.0, 20.0), (3.5, 6.0)),
    "leader-churn": Plan("leaders change several times a round, rounds fail, performance falls", (15.0, 25.0)),
    "jailing": Plan("a share of the validators is jailed and slashed", (20.0, 30.0), (0.15, 0.3)),
    "outage": Plan("the node closes its connections (1012) and refuses new ones", (6.0, 12.0)),
    "partition": Plan("a region's peers and validators are cut off, latency rises", (15.0, 25.0), (2.0, 3.0)),
}


class Moment(msgspec.Struct, frozen=True):
    """When an incident happens and how strong it is."""

    start_ns: int
    end_ns: int
    amount: float


def plan(scenario: str) -> Plan:
    """The scenario of that name.

    Raises:
        BadOption: there is none.
    """
    try:
        return SCENARIOS[scenario]
    except (KeyError, TypeError):
        raise BadOption(f"scenario={scenario!r} is not known; it can be {', '.join(SCENARIOS)}.") from None


def moments(scenario: str, start_ns: int, rng: random.Random) -> Iterator[Moment]:
    """The scenario's incidents, one after the other, without end (none for ``steady``)."""
    what = plan(scenario)
    if what.length_s is None:
        return
    begin = start_ns + _ns(rng, FIRST_S)
    while True:
        end = begin + _ns(rng, what.length_s)
        yield Moment(begin, end, rng.uniform(*what.amount))
        begin = end + _ns(rng, PAUSE_S)


def _ns(rng: random.Random, range_s: tuple[float, float]) -> int:
    return round(rng.uniform(*range_s) * 1000) * (NS // 1000)
