"""The people behind the channel provider: their sessions, tickets, invoices, and the line that they share.

A subscriber line (a slot) has one session after the other. Which one, how long it is and how much it moved by any time
follows from the slot's and the session's number.
"""

from __future__ import annotations

import math
import random
from typing import Any

import msgspec

from .base import MS, NS, Noise, draws, iso
from .series import Regular

SLOTS = 12
STEP_S = (8.0, 12.0)
"""How often a session tells of itself; one pace for each slot."""
STEPS = (6, 30)
"""How often it does so in its life."""

_FIRST = "ada alan barbara charles donald edsger frances grace hedy ivan john katherine leslie margaret niklaus".split()
_LAST = "archer brook carter dale ellis forster glen hale irving jarvis keller lund moss north oakley".split()
_PLANS = ("fiber-100", "fiber-250", "fiber-1000", "wireless-50")
_SUBJECTS = ("no signal", "slow in the evening", "billing question", "router replaced", "change of plan", "line noise")
_SITES = ("north", "east", "south", "west", "centre")


class Step(msgspec.Struct, frozen=True):
    """Where a slot is in the life of a session."""

    session: int
    """Its number on the slot."""
    step: int
    last: int
    """Number of the session's last step."""


class Slot:
    """One subscriber line. Its step ``k`` is told at ``series.time_of(k)``."""

    def __init__(self, seed: int, number: int, start_ns: int) -> None:
        rng = random.Random(f"{seed}/channels/slot/{number}")
        self._draw = draws(seed, f"channels/session/{number}")
        self._number = number
        self.step_ns = int(rng.uniform(*STEP_S) * 1000) * MS
        self._steps = rng.randint(*STEPS)
        self._shift = rng.randrange(self._steps)  # so that a population is there from the start
        first_ns = start_ns + int(rng.random() * self.step_ns) // MS * MS
        self.series = Regular(first_ns, self.step_ns)

    def step(self, k: int) -> Step:
        """What step ``k`` of the slot is."""
        session, step = divmod(k + self._shift, self._steps)
        return Step(session, step, self._steps - 1)

    def message(self, k: int, t: int) -> dict[str, Any]:
        """The data of the session_update of step ``k``."""
        at = self.step(k)
        rng = self._draw(at.session)
        elapsed_s = at.step * self.step_ns / NS
        up, down = rng.uniform(2e4, 4e5), rng.uniform(2e5, 6e6)  # bytes a second
        nas, user = rng.randrange(1, 5), rng.getrandbits(24)
        name = f"{rng.choice(_FIRST)}.{rng.choice(_LAST)}"
        session_id = f"sess-{rng.getrandbits(48):012x}"
        # More than a step's worth is never taken back: counters only rise.
        moved_s = elapsed_s + (0.4 * self.step_ns / NS * random.Random(f"{session_id}/{at.step}").random())
        action = "new" if at.step == 0 else "terminate" if at.step == at.last else "update"
        session = {
            "session_id": session_id,
            "username": name,
            "ip_address": f"100.{64 + (user >> 18)}.{(user >> 8) & 255}.{user & 255}",
            "nas_ip_address": f"10.0.{nas}.1",
            "upload_bytes": int(up * moved_s) if at.step else 0,
            "download_bytes": int(down * moved_s) if at.step else 0,
            "session_time_seconds": int(elapsed_s),
            "last_update": iso(t),
        }
        return {"action": action, "session": session}


class Line:
    """The line that all share: a day's swing, and what comes and goes within a minute."""

    def __init__(self, seed: int) -> None:
        self._slow = Noise(seed, "channels/line/slow", 300 * NS)
        self._down = Noise(seed, "channels/line/down", 11 * NS)
        self._up = Noise(seed, "channels/line/up", 13 * NS)
        self._latency = Noise(seed, "channels/line/latency", 7 * NS)

    def message(self, t: int) -> dict[str, Any]:
        """The data of the bandwidth_update at ``t``."""
        busy = 0.3 * self._slow.at(t)
        down = 420.0 * math.exp(busy + 0.18 * self._down.at(t))
        return {
            "timestamp": iso(t),
            "upload_mbps": round(95.0 * math.exp(busy + 0.2 * self._up.at(t)), 2),
            "download_mbps": round(down, 2),
            "latency_ms": round(11.0 + down / 150.0 + 2.0 * math.exp(0.5 * self._latency.at(t)), 2),
        }


class Office:
    """Subscribers, tickets and invoices: number ``k`` of each, with payloads that no document fixes."""

    def __init__(self, seed: int) -> None:
        self._subscribers = draws(seed, "channels/subscriber")
        self._tickets = draws(seed, "channels/ticket")
        self._invoices = draws(seed, "channels/invoice")
        self._subjects = draws(seed, "channels/subject")
        self._sites = draws(seed, "channels/site")

    def subscriber(self, k: int, t: int) -> dict[str, Any]:
        rng = self._subscribers(k)
        return {
            "id": 1_000 + rng.randrange(400),
            "username": f"{rng.choice(_FIRST)}.{rng.choice(_LAST)}",
            "plan": rng.choice(_PLANS),
            "status": rng.choices(("active", "suspended", "expired"), (8, 1, 1))[0],
            "balance": round(rng.gauss(20.0, 30.0), 2),
        }

    def ticket(self, k: int, t: int) -> dict[str, Any]:
        rng = self._tickets(k)
        return {
            "id": 52_000 + k // 3,  # each is told of about three times
            "subject": self._subjects(k // 3).choice(_SUBJECTS),
            "status": ("open", "in_progress", "closed")[k % 3],
            "priority": rng.choice(("low", "normal", "high")),
            "tags": rng.sample(("line", "router", "invoice", "speed", "visit"), rng.randrange(3)),
        }

    def invoice(self, k: int, t: int) -> dict[str, Any]:
        rng = self._invoices(k)
        net = rng.choice((19.9, 29.9, 49.9, 89.0))
        return {
            "id": f"INV-{2_026_000 + k}",
            "subscriber_id": 1_000 + rng.randrange(400),
            "amount": {"net": net, "vat": round(net * 0.2, 2), "currency": "EUR"},
            "status": rng.choices(("issued", "paid", "overdue"), (3, 5, 1))[0],
        }

    def network_status(self, k: int, t: int) -> dict[str, Any]:
        rng = self._sites(k)
        down = rng.random() < 0.06
        return {
            "site": _SITES[k % len(_SITES)],
            "status": "degraded" if down else "online",
            "devices": {"total": 24, "online": 24 - (rng.randrange(1, 5) if down else 0)},
            "load_percent": round(rng.uniform(15.0, 85.0), 1),
        }
