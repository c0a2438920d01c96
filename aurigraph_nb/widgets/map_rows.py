"""Peers as the map's front end gets them, the figures beside it, and which peers it holds. Pure.

Coordinates that are on no globe are none: a peer without a usable pair of them is shown as one whose place is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from aurigraph_nb.schema import Peer
from aurigraph_nb.state.network import NetworkTotals

from .cells import Cell, full, milliseconds, number, short, text
from .rows import RowChanges
from .table_base import row_key

MAX_PEERS = 2_000
"""Most peers on a map; the figures beside it are over all."""
FIELDS = (
    "key status quality latency_ms latitude longitude city country address version uptime_s last_seen inbound outbound"
).split()
"""What the values of a row are, in their order."""
_DEGREES_DIGITS = 4  # eleven metres


def place(peer: Peer) -> tuple[float, float] | None:
    """Latitude and longitude in degrees; None unless both are there, finite, and on the globe.

    >>> place(Peer(recv_ns=1, conn_epoch=1, n=0, latitude=50.11, longitude=8.68))
    (50.11, 8.68)
    >>> place(Peer(recv_ns=1, conn_epoch=1, n=0, latitude=50.11, longitude=float("nan")))
    """
    latitude, longitude = peer.latitude, peer.longitude
    if latitude is None or longitude is None or not (abs(latitude) <= 90 and abs(longitude) <= 180):
        return None  # NaN is not below anything
    return latitude, longitude


def peer_row(key: Any, peer: Peer) -> list[Cell]:
    """The values of :data:`FIELDS`; what is not known, or no number, is None."""
    latitude, longitude = place(peer) or (None, None)
    return [
        row_key(key),
        _word(peer.status),
        _word(peer.connection_quality),
        _figure(peer.latency_ms, 2),
        _figure(latitude, _DEGREES_DIGITS),
        _figure(longitude, _DEGREES_DIGITS),
        _word(peer.city),
        _word(peer.country),
        _word(peer.address),
        _word(peer.version),
        _figure(peer.uptime_s, 0),
        milliseconds(peer.last_seen),
        _figure(peer.inbound_bytes),
        _figure(peer.outbound_bytes),
    ]


def _word(value: str | None) -> str | None:
    return None if value is None else text(value)


def _figure(value: float | None, digits: int | None = None) -> Cell:
    return None if value is None else number(value, digits=digits)


class Held:
    """Which peers the front end has, and how many of them have a place."""

    def __init__(self, limit: int = MAX_PEERS) -> None:
        self._limit = limit
        self._placed: dict[Any, bool] = {}

    def __len__(self) -> int:
        return len(self._placed)

    @property
    def placed(self) -> int:
        """How many of them have a place."""
        return sum(self._placed.values())

    def take(self, changes: RowChanges) -> tuple[list[list[Cell]], list[Any]]:
        """Rows to send and keys to take away; peers beyond the limit are left out."""
        if changes.reset:
            self._placed.clear()
        removed = [key for key in changes.removed if self._placed.pop(key, None) is not None]
        rows = []
        for key, peer in changes.changed:
            if key in self._placed or len(self._placed) < self._limit:
                self._placed[key] = place(peer) is not None
                rows.append(peer_row(key, peer))
        return rows, [row_key(key) for key in removed]


def figures(totals: NetworkTotals, peers: Iterable[Peer]) -> list[list[str]]:
    """What stands beside the map: words, figure with unit, and what the tooltip says."""
    latency = totals.mean_latency_ms
    known = latency is not None and math.isfinite(latency)
    told = [["Mean latency", f"{latency:,.1f} ms" if known else "–", "over the connected peers"]]
    counted = any(peer.inbound_bytes is not None or peer.outbound_bytes is not None for peer in peers)
    for label, nbytes in (("Received", totals.inbound_bytes), ("Sent", totals.outbound_bytes)):
        hint = f"{full(nbytes, 'bytes')}, all peers" if counted else "the server tells no bytes"
        told.append([label, volume(nbytes) if counted else "–", hint])
    return told


def volume(nbytes: int) -> str:
    """Bytes in at most four digits or so, with their unit.

    >>> volume(1_840_000_000_000), volume(950), volume(2_000)
    ('1.84 TB', '950 B', '2.00 kB')
    """
    figure = short(nbytes).replace("B", "G")  # a billion bytes are a gigabyte
    return f"{figure[:-1]} {figure[-1]}B" if figure[-1:].isalpha() else f"{figure} B"
