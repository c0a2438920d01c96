"""The spellings of the live stream's columns, in its messages and in the statistics beside it, with their units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..schema import Block, LiveMetrics, NetworkSummary, ValidatorSummary
from .plans import Alias, Table
from .values import integer, number, text, time, word


def seconds_as_ms(value: Any) -> float:
    """A duration in seconds, as ms."""
    return number(value) * 1e3


_TIME = Alias("timestamp", "timestamp", time)

METRICS = Table(
    LiveMetrics,
    [
        _TIME,
        Alias("tps", "currentTPS", number),
        Alias("tps", "tps", number),
        Alias("peak_tps", "peakTPS", number),
        Alias("peak_tps", "peak", number),
        Alias("peak_tps", "peak_tps", number),
        Alias("average_tps", "averageTPS", number),
        Alias("average_tps", "average", number),
        Alias("average_tps", "average_tps", number),
        Alias("target_tps", "targetTPS", number),
        Alias("target_tps", "target", number),
        Alias("target_tps", "target_tps", number),
        Alias("latency_ms", "latency", number),
        Alias("latency_ms", "latency_ms", number),
    ],
)

BLOCKS = Table(
    Block,
    [
        _TIME,
        Alias("height", "blockHeight", integer),
        Alias("height", "height", integer),
        Alias("block_time_ms", "blockTime", number),
        Alias("block_time_ms", "block_time_ms", number),
        Alias("transactions", "transactions", integer),
        Alias("producer", "producer", text),
    ],
)

NETWORK_STATUS = Table(
    NetworkSummary,
    [
        _TIME,
        Alias("active_nodes", "activeNodes", integer),
        Alias("active_nodes", "active_nodes", integer),
        Alias("total_nodes", "totalNodes", integer),
        Alias("total_nodes", "total_nodes", integer),
        Alias("health", "networkHealth", word),
        Alias("health", "health", word),
        Alias("average_latency_ms", "avgLatency", number),
        Alias("average_latency_ms", "average_latency_ms", number),
    ],
)

VALIDATOR_SUMMARY = Table(
    ValidatorSummary,
    [
        _TIME,
        *(
            Alias(f"{which}_validators", wire, integer)
            for which in ("total", "active", "inactive", "jailed")
            for wire in (f"{which}Validators", f"{which}_validators")
        ),
    ],
)

TABLES: Mapping[str, Table] = {
    "metrics": METRICS,
    "blocks": BLOCKS,
    "network_status": NETWORK_STATUS,
    "validator_summary": VALIDATOR_SUMMARY,
}

STATISTICS: Mapping[str, Table] = {
    "metrics": Table(
        LiveMetrics,
        [
            Alias("tps", "transactionStats.currentTPS", number),
            Alias("peak_tps", "transactionStats.peakTPS", number),
            Alias("average_tps", "transactionStats.averageTPS", number),
            Alias("target_tps", "transactionStats.targetTPS", number),
            Alias("latency_ms", "performance.averageLatency", number),
            *METRICS.aliases,
        ],
    ),
    "blocks": Table(
        Block,
        [
            _TIME,
            Alias("height", "currentHeight", integer),
            Alias("height", "blockHeight", integer),
            Alias("block_time_ms", "averageBlockTime", seconds_as_ms),
        ],
    ),
    "network_status": Table(
        NetworkSummary,
        [
            Alias("active_nodes", "networkHealth.activePeers", integer),
            Alias("total_nodes", "networkHealth.peers", integer),
            Alias("health", "networkHealth.status", word),
            *NETWORK_STATUS.aliases,
        ],
    ),
    "validator_summary": Table(
        ValidatorSummary,
        [
            Alias("total_validators", "validatorStats.total", integer),
            Alias("active_validators", "validatorStats.active", integer),
            Alias("inactive_validators", "validatorStats.inactive", integer),
            Alias("inactive_validators", "validatorStats.standby", integer),
            Alias("jailed_validators", "validatorStats.jailed", integer),
            *VALIDATOR_SUMMARY.aliases,
        ],
    ),
}
"""Spellings of the statistics' answer, flattened: what stands in a group has the group's name as a prefix."""

GROUPS: Mapping[str, str] = {
    "transactionStats": "metrics",
    "performance": "metrics",
    "networkHealth": "network_status",
    "validatorStats": "validator_summary",
}
"""Topic that the group of fields is about."""

FLAT: Mapping[str, str] = {
    alias.wire: topic for topic, table in STATISTICS.items() for alias in table.aliases if alias is not _TIME
}
"""Topic that the field at the top is about."""
