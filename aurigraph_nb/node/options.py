"""The options of a node, checked once: what came, what is accepted."""

from __future__ import annotations

import ssl as tls
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from .. import durations
from ..clock import Clock
from ..errors import BadOption, BadOptionType
from . import quirks as habits
from . import scenarios
from . import tokens as passes
from .model import ModelOptions
from .systems.stage import INFERENCE_SHAPES
from .wire import SHAPES

MEBI = 2**20

DOWN_AT = 8_000
"""Connections from which on the documented health check says DOWN."""
FRAME_LIMIT = 64 * 2**10
"""Bytes of one incoming frame; a message may have several."""


class Cors(msgspec.Struct, frozen=True):
    """Which web pages may talk to the node.

    Without it, pages served from this machine may (``http://localhost:8888`` for one), others may not. Clients that
    are no web pages send no ``Origin`` and are not concerned.
    """

    origins: tuple[str, ...]
    """Such as ``https://portal.example``; ``*`` for all."""
    methods: tuple[str, ...] = ("GET", "OPTIONS")
    headers: tuple[str, ...] = ("Authorization", "Content-Type")
    max_age_s: int = 600
    """How long a browser may remember the answer."""


class NodeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a node. Made by :func:`make`, which checks."""

    model: ModelOptions
    shape: str
    start_ns: int | None
    speed: float | None
    host: str
    port: int
    broadcast: bool
    compression_level: int | None
    """None: no compression."""
    max_size: int
    buffer_bytes: int
    ssl: Any
    cors: Cors | None
    max_connections: int
    down_at: int
    path_prefix: str
    clock: Any
    quirks: frozenset[str]
    tokens: passes.Tokens
    """Shows none of them."""
    inference_shape: str


def make(
    *,
    seed: int = 0,
    scenario: str = "steady",
    rate: float | None = None,
    validators: int = 20,
    peers: int = 17,
    shape: str = "server",
    start: durations.Moment | None = None,
    speed: float | None = 1.0,
    duration: durations.Duration | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Clock | None = None,
    metrics_interval: durations.Duration = 1.0,
    broadcast: bool = True,
    compression: str | None = "deflate",
    compression_level: int = 6,
    max_size: int = MEBI,
    buffer_bytes: int = 8 * MEBI,
    ssl: tls.SSLContext | None = None,
    tls_cert: str | Path | None = None,
    tls_key: str | Path | None = None,
    cors: Cors | str | Iterable[str] | None = None,
    max_connections: int = 10_000,
    down_at: int = DOWN_AT,
    path_prefix: str = "/ws",
    quirks: str | Iterable[str] = (),
    token: str | Iterable[str] | None = None,
    inference_shape: str = "documented",
    **unknown: object,
) -> NodeOptions:
    """Check the options of a node; they are described at :class:`~aurigraph_nb.node.Node`.

    Raises:
        BadOption: a value is not accepted.
        BadOptionType: a value has a wrong type, or there is no such option.
    """
    if unknown:
        raise BadOptionType(f"a node has no option {', '.join(sorted(unknown))}; it has {', '.join(names())}.")
    scenarios.plan(scenario)
    if compression is not None:
        _choice("compression", compression, ("deflate",))
        _whole("compression_level", compression_level, 1, 9)
    if speed != 1.0 and start is None:
        raise BadOption(f"speed={speed!r} needs start=…: only a virtual clock can run fast.")
    return NodeOptions(
        model=ModelOptions(
            seed=_whole("seed", seed, -(2**63), 2**63 - 1),
            scenario=scenario,
            rate=None if rate is None else _number("rate", rate, 0.1, 1e6, "frames a second"),
            validators=_whole("validators", validators, 1, 10_000),
            peers=_whole("peers", peers, 0, 100_000),
            metrics_interval_s=_number(
                "metrics_interval", durations.seconds(metrics_interval, option="metrics_interval"), 0.001, 86_400.0, "s"
            ),
            duration_s=None if duration is None else _positive("duration", durations.seconds(duration)),
        ),
        shape=_choice("shape", shape, SHAPES),
        start_ns=None if start is None else durations.parse_time(start, option="start"),
        speed=None if speed is None else _number("speed", speed, 1e-6, 1e9, "times real time"),
        host=_text("host", host),
        port=_whole("port", port, 0, 65_535),
        broadcast=bool(broadcast),
        compression_level=None if compression is None else compression_level,
        max_size=_whole("max_size", max_size, 1, 2**40),
        buffer_bytes=_whole("buffer_bytes", buffer_bytes, 2**12, 2**40),
        ssl=_tls(ssl, tls_cert, tls_key),
        cors=_cors(cors),
        max_connections=_whole("max_connections", max_connections, 1, 10**7),
        down_at=_whole("down_at", down_at, 1, 10**9),
        path_prefix=_prefix(path_prefix),
        clock=clock,
        quirks=habits.check(quirks),
        tokens=passes.check(token),
        inference_shape=_choice("inference_shape", inference_shape, INFERENCE_SHAPES),
    )


def names() -> list[str]:
    """The names of all options."""
    return list(make.__kwdefaults__ or {})


def _number(name: str, value: Any, least: float, most: float, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadOptionType(f"{name}={value!r} is no number; expected {least:,.9g} to {most:,.9g} {unit}.")
    if not least <= value <= most:
        raise BadOption(f"{name}={value!r} is out of range; expected {least:,.9g} to {most:,.9g} {unit}.")
    return float(value)


def _positive(name: str, value: float) -> float:
    if value <= 0:
        raise BadOption(f"{name}={value!r} is not above 0.")
    return value


def _whole(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadOptionType(f"{name}={value!r} is no whole number; expected {least} to {most}.")
    if not least <= value <= most:
        raise BadOption(f"{name}={value!r} is out of range; expected {least} to {most}.")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise BadOptionType(f"{name}={value!r} is no text, or empty.")
    return value


def _choice(name: str, value: Any, accepted: tuple[str, ...]) -> str:
    if value not in accepted:
        raise BadOption(f"{name}={value!r} is not known; it can be {' or '.join(accepted)}.")
    return str(value)


def _prefix(value: str) -> str:
    prefix = _text("path_prefix", value).rstrip("/")
    if not prefix.startswith("/") or any(c in prefix for c in "?# "):
        raise BadOption(f"path_prefix={value!r} is no path; expected one such as /ws.")
    return prefix


def _cors(value: Cors | str | Iterable[str] | None) -> Cors | None:
    if value is None or isinstance(value, Cors):
        return value
    origins = (value,) if isinstance(value, str) else tuple(value)
    for origin in origins:
        if origin != "*" and (not isinstance(origin, str) or "://" not in origin or origin.endswith("/")):
            raise BadOption(f"cors={origin!r} is no origin; expected one such as https://portal.example, or *.")
    return Cors(origins) if origins else None


def _tls(context: Any, cert: str | Path | None, key: str | Path | None) -> tls.SSLContext | None:
    if context is not None and not isinstance(context, tls.SSLContext):
        raise BadOptionType(f"ssl={context!r} is no ssl.SSLContext.")
    if cert is None and key is None:
        return context
    if context is not None:
        raise BadOption("ssl= and tls_cert=/tls_key= were both given; give one of them.")
    if cert is None:
        raise BadOption(f"tls_key={str(key)!r} was given without tls_cert=…; the certificate is missing.")
    made = tls.create_default_context(tls.Purpose.CLIENT_AUTH)
    try:
        made.load_cert_chain(cert, key)
    except OSError as error:  # ssl.SSLError is one
        raise BadOption(_tls_words(cert, key, error)) from error
    return made


def _tls_words(cert: str | Path, key: str | Path | None, error: OSError) -> str:
    """Why a certificate and its key cannot be used."""
    given = f"tls_cert={str(cert)!r}" + ("" if key is None else f", tls_key={str(key)!r}")
    for path in (cert, key):
        if path is not None and not Path(path).is_file():
            return f"{given}: there is no file {str(path)!r}; expected PEM files of a certificate and its key."
    if key is None:
        return f"{given} holds no key, and none was given; name the PEM file of the key by tls_key=…."
    return (
        f"{given} cannot be used ({getattr(error, 'reason', None) or error.strerror or error}); "
        "expected PEM files of a certificate and of the key that belongs to it."
    )
