"""What the doctor concludes: from the outcome of each probe to a finding with its remedy. Pure; see `probes`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..protocols import Batch

CLOCK_TOLERANCE_MS = 100.0
"""Server times this far ahead of ours are taken for jitter between two clocks that are kept by NTP."""
SLOW_MS = 2_000.0
"""A lag above this is worth a warning: twice the period of the metrics."""
CERTIFICATE_DAYS = 14.0
"""A certificate that ends sooner than this is worth a warning."""

SERVE = "start a local node with `aurigraph-nb serve`"


class Level(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warning"
    FAIL = "failed"
    SKIP = "not tried"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    check: str
    level: Level
    detail: str
    remedy: str = ""
    """What to do about it; empty if there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a probe got no answer."""

    kind: str
    """name, refused, timeout, unreachable, certificate, not-tls, closed, not-websocket, redirect or other."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Tls:
    """An encrypted connection."""

    version: str
    days_left: float | None
    """Until the certificate ends; None if it does not say."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer instead of a WebSocket."""

    status: int
    retry_after: str | None = None
    location: str | None = None
    """Where a redirect points to, without secrets."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A WebSocket that the server accepted."""

    ms: float
    compression: bool
    """Whether permessage-deflate was agreed."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The answer of the health endpoint."""

    status: int
    body: Any
    """Decoded JSON, None if it was none."""


@dataclass(frozen=True, slots=True)
class Listened:
    """What came over the WebSocket."""

    batch: Batch
    waited_s: float
    first_s: float | None
    """Until the first frame; None if none came."""
    close_code: int | None = None
    close_reason: str = ""


def name(host: str, outcome: tuple[str, ...] | Failure) -> Finding:
    if isinstance(outcome, Failure):
        return Finding(
            "name",
            Level.FAIL,
            f"no address is known for {host} ({outcome.detail})",
            "check the spelling of the host, and whether this machine needs a VPN or another name server for it",
        )
    return Finding("name", Level.OK, f"{host} is {', '.join(outcome[:4])}")


_TCP_REMEDIES = {
    "refused": "nothing listens on that port: check the port (a node's are often 9003, 9000 or 9004), or " + SERVE,
    "timeout": "a firewall may drop the packets, or the host is down: try from another network, ask who runs the host",
    "unreachable": "there is no route to the host: check this machine's network and VPN",
}


def tcp(host: str, port: int, outcome: float | Failure) -> Finding:
    """:param outcome: milliseconds until the connection stood, or why it does not."""
    place = f"{host}:{port}"
    if isinstance(outcome, Failure):
        remedy = _TCP_REMEDIES.get(outcome.kind, "check the address, and this machine's network")
        return Finding("TCP", Level.FAIL, f"{place} cannot be reached: {outcome.kind} ({outcome.detail})", remedy)
    return Finding("TCP", Level.OK, f"{place} accepts connections ({outcome:.1f} ms)")


_TLS_REMEDIES = {
    "certificate": "if the certificate is your own or your company's, name its authority: "
    "doctor --ca FILE, connect(url, ssl=ssl.create_default_context(cafile=FILE)); else ask who runs the server",
    "not-tls": "the port does not speak TLS: use ws:// in place of wss://, or the TLS port (often 443)",
    "closed": "the port may not speak TLS: try ws:// in place of wss://, or the TLS port (often 443)",
    "timeout": "the port accepts connections but says nothing: it may not speak TLS; try ws:// in place of wss://",
}


def tls(outcome: Tls | Failure | None, *, local: bool) -> Finding:
    """:param outcome: None for ws://, which has none
    :param local: whether the host is this machine
    """
    if outcome is None:
        if local:
            return Finding("TLS", Level.OK, "not used, nor needed on this machine")
        remedy = "use wss:// where the server offers it; a token is never sent over ws:// to another machine"
        return Finding("TLS", Level.WARN, "not used: everything can be read and changed on the way", remedy)
    if isinstance(outcome, Failure):
        remedy = _TLS_REMEDIES.get(outcome.kind, "ask who runs the server which TLS versions it accepts")
        return Finding("TLS", Level.FAIL, f"no encrypted connection: {outcome.detail}", remedy)
    if outcome.days_left is not None and outcome.days_left < CERTIFICATE_DAYS:
        return Finding(
            "TLS",
            Level.WARN,
            f"{outcome.version}, but the certificate ends in {outcome.days_left:.1f} days",
            "tell who runs the server to renew it",
        )
    days = "" if outcome.days_left is None else f", certificate good for {outcome.days_left:.0f} days"
    return Finding("TLS", Level.OK, f"{outcome.version}{days}")


_HANDSHAKE_REMEDIES = {
    "timeout": "the server may be overloaded, or no HTTP server: try again, or with a longer --timeout",
    "not-websocket": "the port speaks something else: check the port and the path; with ws:// on a TLS port use wss://",
    "closed": "the server hung up during the handshake: with ws:// on a TLS port use wss://, else see the server's log",
    "redirect": "give the address that it points to",
}


def handshake(path: str, outcome: Opened | Refusal | Failure) -> Finding:
    if isinstance(outcome, Opened):
        return Finding("handshake", Level.OK, f"WebSocket open on {path} ({outcome.ms:.1f} ms)")
    if isinstance(outcome, Failure):
        remedy = _HANDSHAKE_REMEDIES.get(outcome.kind, "see the server's log")
        return Finding("handshake", Level.FAIL, f"no WebSocket on {path}: {outcome.detail or outcome.kind}", remedy)
    return Finding("handshake", Level.FAIL, f"{path} answered HTTP {outcome.status}", _refusal_remedy(path, outcome))


def _refusal_remedy(path: str, refusal: Refusal) -> str:
    if refusal.status == 401:
        return "the server wants a token, or does not accept this one: doctor --token …, connect(url, token=…)"
    if refusal.status == 403:
        return f"the token may be refused or lack the right to {path}, or the path is not the one meant: check both"
    if refusal.status == 404:
        return f"the server knows no {path}: the topics are at /ws/<topic>, on some servers at /api/v11/ws/<topic>"
    if refusal.status in (429, 503):
        wait = f"wait {refusal.retry_after} s" if refusal.retry_after else "wait a minute"
        return f"the server is full, or has seen too many tries: {wait} and try again"
    if 300 <= refusal.status < 400:
        return f"use the address that it points to: {refusal.location or 'it names none'}"
    if refusal.status >= 500:
        return "the server, or the proxy before it, has a fault: see its log"
    return f"a web server answers there, but no WebSocket: check the path {path} and the port"


def compression(agreed: bool) -> Finding:
    if agreed:
        return Finding("compression", Level.OK, "permessage-deflate")
    remedy = "nothing is wrong, but frames take three to ten times the bandwidth; the server can switch it on"
    return Finding("compression", Level.WARN, "the server does not compress", remedy)


def health(path: str, outcome: HttpAnswer | Failure) -> Finding:
    optional = "only Aurigraph nodes have one; if this should be one, see whether a proxy before it hides the path"
    if isinstance(outcome, Failure):
        return Finding("health", Level.WARN, f"GET {path} got no answer: {outcome.detail or outcome.kind}", optional)
    body = outcome.body if isinstance(outcome.body, dict) else {}
    status = body.get("status")
    if status not in ("UP", "DOWN"):
        return Finding("health", Level.WARN, f"GET {path} answered HTTP {outcome.status} without a status", optional)
    total, limit = _connections(body)
    held = "" if total is None else f", {total} connections"
    if status == "UP":
        return Finding("health", Level.OK, f"UP{held}")
    full = total is not None and limit is not None and total >= limit
    remedy = f"it holds {total} of {limit} connections: try later" if full else "see the node's log; its feeds may stop"
    return Finding("health", Level.FAIL, f"the node says that it is DOWN{held}", remedy)


def _connections(body: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Open connections, and the number from which the node calls itself DOWN."""
    checks = body.get("checks")
    for check in checks if isinstance(checks, list) else []:
        data = check.get("data") if isinstance(check, dict) else None
        if isinstance(data, dict) and isinstance(data.get("total_connections"), int):
            limit = data.get("max_warning_threshold")
            return data["total_connections"], limit if isinstance(limit, int) else None
    return None, None


_CLOSE_REMEDIES = {
    1000: "the server ended the stream on purpose: a finite run may be over",
    1001: "the server is going away: try again in a minute",
    1008: "the server's policy: usually the token, a rate limit or a limit of connections",
    1009: "the server found a message too big: see its log",
    1011: "the server had a fault: see its log",
    1012: "the server restarts: try again in a minute",
    1013: "the server is full: try again later",
}


def first_frame(topic: str, heard: Listened, *, periodic: bool) -> Finding:
    """:param periodic: whether the topic is sent at a fixed period, so that silence means something"""
    rows = sum(map(len, heard.batch.rows.values()))
    if rows and heard.first_s is not None:
        return Finding("first frame", Level.OK, f"{topic} after {heard.first_s:.1f} s; {rows} rows so far")
    if heard.batch.undecoded:
        frame = heard.batch.undecoded[0]
        detail = f"frames come, but not rows of {topic}: {frame.reason} ({frame.size} bytes: {frame.preview[:60]})"
        return Finding("first frame", Level.FAIL, detail, "check that the path is the one of the topic")
    if heard.close_code is not None:
        reason = f" {heard.close_reason!r}" if heard.close_reason else ""
        remedy = _CLOSE_REMEDIES.get(heard.close_code, "the connection broke: see the server's log, or a proxy's")
        detail = f"closed with {heard.close_code}{reason} before a row of {topic} came"
        return Finding("first frame", Level.FAIL, detail, remedy)
    detail = f"no row of {topic} in {heard.waited_s:.0f} s"
    if periodic:
        remedy = f"{topic} should come every second or two: broadcasting may be off on the server; or try --timeout 60"
        return Finding("first frame", Level.FAIL, detail, remedy)
    return Finding("first frame", Level.WARN, detail, f"{topic} is sent on change only: wait longer with --timeout 60")


def lag(heard: Listened) -> Finding:
    """Median of receive time less server time."""
    rows = [row for topic in heard.batch.rows.values() for row in topic]
    lags_ms = sorted((row.recv_ns - row.timestamp) / 1e6 for row in rows if row.timestamp is not None)
    if not lags_ms:
        return Finding("lag", Level.SKIP, "frames without a server time" if rows else "no rows")
    median_ms = lags_ms[len(lags_ms) // 2]
    if median_ms < -CLOCK_TOLERANCE_MS:
        remedy = "check that both machines keep their clocks by NTP"
        return Finding("lag", Level.WARN, f"server times are {-median_ms:.0f} ms in the future", remedy)
    if median_ms > SLOW_MS:
        remedy = "the server is behind, the line is slow, or a clock is off: check NTP on both machines first"
        return Finding("lag", Level.WARN, f"frames are {median_ms:.0f} ms old when they come", remedy)
    return Finding("lag", Level.OK, f"{median_ms:.1f} ms from server time to receive time")
