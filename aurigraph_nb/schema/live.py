"""Rows of the Aurigraph live stream."""

from __future__ import annotations

from .base import Category, Record


class LiveRecord(Record, frozen=True, kw_only=True):
    """What the rows of the live stream have in common."""

    source: Category | None = None
    """``ws`` for a frame of the stream, ``rest`` for a poll of the statistics while the stream cannot be reached."""


class LiveMetrics(LiveRecord, frozen=True, kw_only=True):
    """Throughput of the network; every second."""

    tps: float | None = None
    """Transactions per second now. (Servers send values above the peak.)"""
    peak_tps: float | None = None
    average_tps: float | None = None
    target_tps: float | None = None
    """Documented; servers were not seen to send it."""
    latency_ms: float | None = None


class Block(LiveRecord, frozen=True, kw_only=True):
    """The newest block; every two seconds."""

    height: int | None = None
    block_time_ms: float | None = None
    transactions: int | None = None
    producer: Category | None = None


class NetworkSummary(LiveRecord, frozen=True, kw_only=True):
    """The network as a whole; every three seconds."""

    active_nodes: int | None = None
    total_nodes: int | None = None
    health: Category | None = None
    """In upper case."""
    average_latency_ms: float | None = None


class ValidatorSummary(LiveRecord, frozen=True, kw_only=True):
    """How many validators there are in which state; every five seconds."""

    total_validators: int | None = None
    active_validators: int | None = None
    inactive_validators: int | None = None
    jailed_validators: int | None = None
