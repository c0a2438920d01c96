"""``aurigraph-nb doctor URL``: from the name to the first row, one step after the other, to see where it fails.

The steps are probed in `probes` and judged in `findings`. A step that fails ends the examination of what hangs on it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, unquote, urlsplit

import typer

from ..durations import seconds
from ..errors import BadOption, BadUrl
from ..protocols import AURIGRAPH_HOSTS, PROTOCOLS, redact, tell
from . import findings
from .findings import Finding, Level, Opened
from .probes import HEALTH, Probes, Target
from .text import hide, plain

MIN_SECRET_CHARS = 4
"""Shorter query values are not blotted out of messages: every "1" in them would go."""

NEEDED = ("name", "TCP", "TLS", "handshake")
"""Steps without which the ones after them mean nothing."""
CHECKS = (*NEEDED, "compression", "health", "first frame", "lag")

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red", Level.SKIP: "bright_black"}


def doctor(
    url: Annotated[str, typer.Argument(metavar="URL", help="ws:// or wss:// URL of a node or of one of its topics.")],
    token: Annotated[
        str | None, typer.Option(help="Token for the server; AURIGRAPH_TOKEN is used for the host of AURIGRAPH_URL.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help=f"What it speaks, where the URL does not tell: {', '.join(PROTOCOLS)}.")
    ] = None,
    timeout: Annotated[str, typer.Option(help="Limit of each step, in seconds or like '1min'.")] = "10",
    ca: Annotated[Path | None, typer.Option(help="File with the certificate authority of the server.")] = None,
) -> None:
    """Find out why a feed does not come.

    Examines name, TCP, TLS, handshake, compression, health, first frame and lag. Ends with code 1 if a step failed.
    Tokens are never shown.

    \b
    Examples:
      aurigraph-nb doctor ws://localhost:9003
      aurigraph-nb doctor wss://dlt.aurigraph.io/ws/metrics --timeout 30
      aurigraph-nb doctor ws://localhost:8000/ws --protocol channels
    """
    target = read_target(url, token, os.environ, protocol)
    limit_s = seconds(timeout, option="--timeout")
    if not limit_s:
        raise BadOption("--timeout 0 leaves no time for an answer; expected more than 0 seconds.")
    failed = asyncio.run(_report(target, Probes(target, limit_s, ca)))
    raise typer.Exit(1 if failed else 0)


def read_target(url: str, token: str | None, environ: Mapping[str, str], protocol: str | None = None) -> Target:
    """What there is to examine at ``url``: the topic that it names, else the one that is sent every second.

    :raises BadUrl: for a URL of no known protocol
    :raises BadOption: for a token that would go over ws:// to another machine
    """
    try:
        protocol, full = tell(url, protocol)
    except BadUrl:
        if not _names_no_path(url):
            raise  # which of several a path means is for the user to say
        protocol, full = tell(url, "portal")
    endpoints = PROTOCOLS[protocol].endpoints(full)
    named = urlsplit(full).path.rstrip("/").rpartition("/")[2]
    topic = named if named in endpoints else next(iter(PROTOCOLS[protocol].periods_s), next(iter(endpoints)))
    address = endpoints.get(topic, next(iter(endpoints.values()))).url
    parts = urlsplit(address)
    secure = parts.scheme == "wss"
    values = [value for _, value in parse_qsl(parts.query)]
    raw = [pair.partition("=")[2] for pair in parts.query.split("&")]
    target = Target(
        url=address,
        shown=redact(address),
        secure=secure,
        host=parts.hostname or "",
        port=parts.port or (443 if secure else 80),
        path=parts.path,
        topic=topic,
        protocol=protocol,
        secrets=frozenset(),
        token=token or _token_of(parts.hostname or "", environ),
    )
    if target.token and not all("!" <= c <= "~" for c in target.token):
        raise BadOption("--token holds blanks or characters that no header can carry; give it as it was issued.")
    if target.token and not (secure or target.local):
        raise BadOption(f"A token is not sent over ws:// to another machine ({target.shown}); use wss://.")
    secrets = {s for s in (*values, *raw, target.token or "") if len(s) >= MIN_SECRET_CHARS}
    return replace(target, secrets=frozenset(secrets | {unquote(s) for s in secrets}))


def _names_no_path(url: str) -> bool:
    try:
        return urlsplit(url).path in ("", "/")
    except ValueError:  # no URL at all
        return False


def _token_of(host: str, environ: Mapping[str, str]) -> str | None:
    """The token of the environment, if it is meant for this host."""
    home = environ.get("AURIGRAPH_URL")
    meant = {urlsplit(home).hostname} if home else AURIGRAPH_HOSTS
    return environ.get("AURIGRAPH_TOKEN") if host in meant else None


async def _report(target: Target, probes: Probes) -> bool:
    """Print each finding as it comes; whether one of them failed."""
    typer.echo(f"Examining {target.shown}")
    failed = False
    async for finding in examine(target, probes):
        failed = failed or finding.level is Level.FAIL
        for line, colour in render(finding, target.secrets):
            typer.secho(line, fg=colour)
    return failed


def render(finding: Finding, secrets: frozenset[str]) -> list[tuple[str, str | None]]:
    """The lines of a finding with their colours; without secrets, and without control characters."""

    def clean(text: str) -> str:
        return plain(hide(text, secrets), 400)

    lines: list[tuple[str, str | None]] = [
        (f"  {finding.level:<9}  {finding.check:<11}  {clean(finding.detail)}", _COLOURS[finding.level])
    ]
    if finding.remedy:
        lines.append((f"{'':26}→ {clean(finding.remedy)}", None))
    return lines


async def examine(target: Target, probes: Probes) -> AsyncIterator[Finding]:
    """Findings in order; what hangs on a failed step is not tried, and says so."""
    done = 0
    async with aclosing(_steps(target, probes)) as steps:
        async for finding in steps:
            yield finding
            done += 1
            if finding.level is Level.FAIL and finding.check in NEEDED:
                break
    for check in CHECKS[done:]:
        yield Finding(check, Level.SKIP, "needs the step before")


async def _steps(target: Target, probes: Probes) -> AsyncGenerator[Finding]:
    host, port = probes.dial
    yield findings.name(host, await probes.name())
    yield findings.tcp(host, port, await probes.tcp())
    if probes.proxied:
        yield Finding("TLS", Level.SKIP, f"the connection goes through the proxy {host}:{port}")
    else:
        yield findings.tls(await probes.tls() if target.secure else None, local=target.local)
    async with probes.websocket() as (outcome, listening):
        yield findings.handshake(target.path, outcome)
        if not isinstance(outcome, Opened) or listening is None:
            return
        yield findings.compression(outcome.compression)
        if probes.proxied:
            yield Finding("health", Level.SKIP, "not asked through a proxy")
        else:
            yield findings.health(HEALTH, await probes.health())
        heard = await listening
        periodic = target.topic in PROTOCOLS[target.protocol].periods_s
        yield findings.first_frame(target.topic, heard, periodic=periodic)
        yield findings.lag(heard)
