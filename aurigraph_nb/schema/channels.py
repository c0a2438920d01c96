"""Rows of the channel provider."""

from __future__ import annotations

from .base import Category, Json, Record, Time


class Message(Record, frozen=True, kw_only=True):
    """One message of a channel with a free payload. ``topic.flat()`` gives the payload's fields as columns."""

    channel: Category | None = None
    payload: Json | None = None
    """The payload as JSON text (of ``feed["*"]``: the whole message)."""


class Bandwidth(Record, frozen=True, kw_only=True):
    """Throughput and latency of the line; every two seconds."""

    upload_mbps: float | None = None
    download_mbps: float | None = None
    latency_ms: float | None = None


class UserSession(Record, frozen=True, kw_only=True):
    """One subscriber session, at each change."""

    action: Category | None = None
    """new, update or terminate."""
    session_id: str | None = None
    username: str | None = None
    ip_address: str | None = None
    nas_ip_address: str | None = None
    upload_bytes: int | None = None
    download_bytes: int | None = None
    session_time_s: float | None = None
    last_update: Time | None = None
