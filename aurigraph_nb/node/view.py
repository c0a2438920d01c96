"""The modelled network at a glance: what the live stream and the statistics by HTTP tell of it.

Read from the same model that gives the topic streams' events, at the moment of asking, so that all systems tell of one
network. Nothing here draws or changes anything.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .model import Model
from .validators import ACTIVE, INACTIVE, JAILED

TARGET_TPS = 2_000_000.0
"""What the network is said to aim at."""


class View(msgspec.Struct, frozen=True):
    """The network as it stands. Times in ms, but for names that say otherwise."""

    tps: float
    peak_tps: float
    average_tps: float
    latency_ms: float
    """From the last proposal to its block."""
    latencies_ms: tuple[float, ...]
    """Of the last blocks, ascending."""
    height: int
    block_ms: float
    """Between the last two blocks."""
    average_block_ms: float
    block_transactions: int
    producer: str | None
    """Who proposed the last block; None before the first."""
    epoch: int
    round: int
    active_nodes: int
    total_nodes: int
    peers_ms: float
    """Mean round trip to the connected peers; 0 if there are none."""
    validators: dict[str, int]
    """How many there are in each state."""
    consensus_health: str
    """OPTIMAL, DEGRADED or CRITICAL."""
    settled: int
    pending: int

    @property
    def total_validators(self) -> int:
        return sum(self.validators.values())

    @property
    def network_health(self) -> str:
        """HEALTHY, DEGRADED or CRITICAL, by the share of connected peers and their distance."""
        ratio = self.active_nodes / self.total_nodes if self.total_nodes else 1.0
        if ratio < 0.5:
            return "CRITICAL"
        return "DEGRADED" if ratio < 0.8 or self.peers_ms > 500 else "HEALTHY"

    def latency_at(self, share: float) -> float:
        """The latency that ``share`` of the last blocks did not exceed."""
        known = self.latencies_ms
        return known[round(share * (len(known) - 1))] if known else 0.0


def look(model: Model) -> View:
    """The network of ``model`` as it stands."""
    load, chain, peers = model.load, model.chain, model.peers.all
    near = [peer.latency_ms for peer in peers if peer.connected]
    states = dict.fromkeys((ACTIVE, INACTIVE, JAILED), 0)
    for validator in chain.validators.all:
        states[validator.status] += 1
    truth = model.truth_counts
    return View(
        tps=load.tps,
        peak_tps=load.peak_tps,
        average_tps=round(load.average_tps, 1),
        latency_ms=chain.latencies_ms[-1] if chain.latencies_ms else 0.0,
        latencies_ms=tuple(sorted(chain.latencies_ms)),
        height=chain.height,
        block_ms=round(chain.block_ms, 1),
        average_block_ms=round(chain.average_block_ms, 1),
        block_transactions=round(load.tps * chain.block_ms / 1000.0),
        producer=chain.producer,
        epoch=chain.epoch,
        round=chain.round,
        active_nodes=len(near),
        total_nodes=len(peers),
        peers_ms=round(sum(near) / len(near), 2) if near else 0.0,
        validators=states,
        consensus_health=chain.health,
        settled=truth[0],
        pending=truth[1],
    )


def statistics(view: View, now_ns: int, *, flat: bool) -> dict[str, Any]:
    """The answer of ``GET /api/v11/blockchain/stats``: nested as servers send it, or flat."""
    if flat:
        return {
            "currentTPS": view.tps,
            "peakTPS": view.peak_tps,
            "averageTPS": view.average_tps,
            "targetTPS": TARGET_TPS,
            "latency": view.latency_ms,
            "throughput": view.tps,
            "timestamp": now_ns // 1_000_000,
        }
    mean_ms = sum(view.latencies_ms) / len(view.latencies_ms) if view.latencies_ms else 0.0
    states = view.validators
    return {
        "currentHeight": view.height,
        "currentEpoch": view.epoch,
        "currentRound": view.round,
        "averageBlockTime": round(view.average_block_ms / 1000.0, 4),
        "transactionStats": {
            "currentTPS": view.tps,
            "peakTPS": view.peak_tps,
            "averageTPS": view.average_tps,
            "targetTPS": TARGET_TPS,
            "settled": view.settled,
            "pending": view.pending,
        },
        "performance": {
            "averageLatency": round(mean_ms, 2),
            "p50Latency": view.latency_at(0.5),
            "p95Latency": view.latency_at(0.95),
            "p99Latency": view.latency_at(0.99),
        },
        "validatorStats": {
            "total": view.total_validators,
            "active": states[ACTIVE],
            "standby": states[INACTIVE],
            "jailed": states[JAILED],
        },
        "networkHealth": {
            "status": view.network_health,
            "peers": view.total_nodes,
            "activePeers": view.active_nodes,
            "consensusHealth": view.consensus_health,
        },
        "timestamp": now_ns // 1_000_000,
    }
