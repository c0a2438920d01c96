"""The peers: where they are, how far, which version they run; they come, go, slow down and upgrade."""

from __future__ import annotations

import math

import msgspec

from . import geo
from .events import PeerEvent
from .world import NS, PEERS, World

UPDATE_EVERY_S = 12.0
"""Mean time between two changes of one peer."""
KNOWN_WITHIN_S = 6.0
"""Every peer shows itself within this time from the start."""
VERSIONS = ("11.3.2", "11.4.0", "11.4.1")
"""Oldest first; the last is being adopted."""
LARGEST_CUT = 0.6
"""A partition does not cut off more than this share of the peers, if there is a smaller region."""


class Peer(msgspec.Struct):
    """One peer, as it stands."""

    id: str
    address: str
    region: str
    city: geo.City
    usual_ms: float
    version: str
    latency_ms: float = 0.0
    connected: bool = True
    since_ns: int = 0
    """When it connected."""
    seen_ns: int = 0
    counted_ns: int = 0
    """When its bytes were counted last."""
    inbound: int = 0
    outbound: int = 0
    bytes_per_s: float = 0.0


class Peers:
    """The network topic."""

    def __init__(self, world: World, count: int) -> None:
        self._world = world
        self._rng = world.rng("peers.changes")
        self._trouble = world.rng("peers.trouble")
        self.all = self._found(count)
        self._cut_off: set[str] = set()  # ids
        for peer in self.all:
            world.at(world.start_ns + round(self._rng.uniform(0.02, KNOWN_WITHIN_S) * NS), PEERS, self._change, peer)

    def _found(self, count: int) -> list[Peer]:
        rng = self._world.rng("peers")
        now = self._world.start_ns
        found = []
        for _ in range(count):
            region, city = geo.place(rng)
            usual = geo.round_trip_ms(city) * math.exp(0.15 * rng.gauss(0.0, 1.0))
            bits = rng.getrandbits(24)
            rate = 40_000.0 * math.exp(0.6 * rng.gauss(0.0, 1.0))
            up_s = int(rng.expovariate(1 / 90_000.0)) + 60
            peer = Peer(
                id=f"peer-{rng.getrandbits(48):012x}",
                address=f"10.{bits >> 16}.{(bits >> 8) & 255}.{bits & 255}",
                region=region,
                city=city,
                usual_ms=usual,
                version=VERSIONS[0] if rng.random() < 0.3 else VERSIONS[1],
                latency_ms=round(usual, 2),
                since_ns=now - up_s * NS,
                seen_ns=now,
                counted_ns=now,
                inbound=int(up_s * rate),
                outbound=int(up_s * rate * rng.uniform(0.6, 1.4)),
                bytes_per_s=rate,
            )
            found.append(peer)
        return found

    def _change(self, t: int, peer: Peer) -> None:
        """Measure the peer anew; sometimes it leaves or upgrades. The draws are the same in every case."""
        rng = self._rng
        gap, noise, slow, fate, away = (
            rng.expovariate(1.0),
            rng.gauss(0.0, 1.0),
            rng.random(),
            rng.random(),
            rng.random(),
        )
        self._world.at(t + round(gap * UPDATE_EVERY_S * NS) + NS // 10, PEERS, self._change, peer)
        if not peer.connected:
            return
        spike = 1.8 + 3.0 * away if slow < 0.03 else 1.0
        peer.latency_ms = round(peer.usual_ms * math.exp(0.1 * noise) * spike * self._congestion(), 2)
        upgrades = peer.version != VERSIONS[-1] and fate < 0.03
        if upgrades or fate > 0.985:
            self._leave(t, peer)
            back = self._upgrade if upgrades else self._join
            self._world.at(t + round((4.0 + 16.0 * away) * NS), PEERS, back, peer)
        else:
            self._tell(t, peer)

    def _congestion(self) -> float:
        partition = self._world.during("partition")
        return 1.0 if partition is None else partition.amount

    def _leave(self, t: int, peer: Peer) -> None:
        if peer.connected:
            self._tell(t, peer, connected=False)

    def _upgrade(self, t: int, peer: Peer) -> None:
        peer.version = VERSIONS[-1]
        self._join(t, peer)

    def _join(self, t: int, peer: Peer) -> None:
        if not peer.connected and peer.id not in self._cut_off:
            peer.since_ns = peer.counted_ns = t
            self._tell(t, peer, connected=True)

    def _tell(self, t: int, peer: Peer, *, connected: bool = True) -> None:
        moved = (t - peer.counted_ns) / NS * peer.bytes_per_s
        peer.inbound += int(moved)
        peer.outbound += int(moved * 0.9)
        peer.counted_ns = t
        if connected:
            peer.seen_ns = t
        peer.connected = connected
        self._world.out.append(
            PeerEvent(
                t,
                peer.id,
                peer.address,
                connected,
                peer.latency_ms,
                peer.version,
                peer.city.country,
                peer.city.name,
                peer.city.latitude,
                peer.city.longitude,
                (t - peer.since_ns) // NS if connected else 0,
                peer.seen_ns,
                peer.inbound,
                peer.outbound,
            )
        )

    # Trouble

    def cut_off(self, t: int) -> tuple[str, int]:
        """A region's peers go within 1.5 s, the others slow down within 3 s. Returns the region and how many went."""
        region = self._region_to_cut()
        self._cut_off = {p.id for p in self.all if p.region == region}
        for peer in self.all:
            if peer.id in self._cut_off:
                self._world.at(t + round(self._trouble.uniform(0.1, 1.5) * NS), PEERS, self._lose, peer)
            else:
                self._world.at(t + round(self._trouble.uniform(0.5, 3.0) * NS), PEERS, self._slow_down, peer)
        return region, sum(p.connected for p in self.all if p.id in self._cut_off)

    def _region_to_cut(self) -> str:
        counts: dict[str, int] = {}
        for peer in self.all:
            counts[peer.region] = counts.get(peer.region, 0) + 1
        small = {region: n for region, n in counts.items() if n <= LARGEST_CUT * len(self.all)}
        eligible = small or counts or {"europe": 0}
        return max(eligible, key=lambda region: eligible[region])

    def _lose(self, t: int, peer: Peer) -> None:
        self._leave(t, peer)

    def _slow_down(self, t: int, peer: Peer) -> None:
        if peer.connected:
            peer.latency_ms = round(peer.usual_ms * self._congestion() * self._trouble.uniform(0.9, 1.2), 2)
            self._tell(t, peer)

    def rejoin(self, t: int) -> None:
        """Those who were cut off come back within some seconds."""
        back, self._cut_off = self._cut_off, set()
        for peer in (p for p in self.all if p.id in back):
            self._world.at(t + round(self._trouble.uniform(0.2, 4.0) * NS), PEERS, self._join, peer)
