"""What every system beside the topic streams has here: a score of what it sends, and a talk with each client.

Pure: times and messages in, frames out. What happens in a system depends on the seed and the time alone, not on who
listens nor since when: each happening can be had by its number, so a system that nobody listens to costs nothing.
"""

from __future__ import annotations

import datetime as dt
import math
import random
import uuid
from collections.abc import Callable
from typing import Any, Literal, Protocol

import msgspec

from .series import Score

NS = 1_000_000_000
MS = 1_000_000

encode = msgspec.json.Encoder().encode

SHOWN = 100
"""Characters of what a client said that an answer repeats."""


class Emission(msgspec.Struct, frozen=True, gc=False):
    """One thing that a system tells, before a connection's own part (filter, number) comes to it."""

    time_ns: int
    channel: str
    """Of the system: a channel or a type of messages."""
    body: bytes = b""
    """The frame, where it is the same for all."""
    data: Any = None
    """What the frame is made from, where it is not."""
    subject: str = ""
    """What it is about, for filters."""


class Heard(msgspec.Struct, frozen=True):
    """What a client's message was, and what it leads to."""

    kind: Literal["command", "ping", "ignored", "denied"]
    answers: tuple[bytes, ...] = ()
    close: tuple[int, str] | None = None


IGNORED = Heard("ignored")


class Talk(Protocol):
    """A system with one client. Not shared between connections."""

    @property
    def waits_for_token(self) -> bool:
        """Whether the client has to authenticate by a message; until then it is sent nothing."""

    def greeting(self, now_ns: int) -> list[bytes]:
        """What is sent first."""

    def hear(self, message: str | bytes, now_ns: int) -> Heard:
        """A message of the client. Never raises."""

    def frames(self, emission: Emission) -> list[bytes]:
        """What of an emission goes to this client: nothing, a frame, or the same one several times."""


class System(Protocol):
    """One of the systems."""

    score: Score[Emission]
    """What it tells, in time order."""

    def talk(self, ordinal: int, *, authenticated: bool) -> Talk:
        """The talk with the client that came as number ``ordinal``, from 0."""


class Talks(Protocol):
    """Who holds the talks with the clients of systems."""

    def talk(self, name: str, *, authenticated: bool) -> Talk:
        """A talk with the next client of a system."""

    def enter(self, name: str, now_ns: int) -> bool:
        """A client begins to listen. Whether it is the system's first."""

    def leave(self, name: str) -> None:
        """A client that entered stops listening."""


def parse(message: str | bytes) -> Any:
    """The JSON of a message.

    Raises:
        ValueError: it is none.
    """
    try:
        return msgspec.json.decode(message)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(str(error)[:SHOWN] or "invalid") from None


def member(value: Any, name: str) -> Any:
    """``value[name]`` if it is an object that has it, else None."""
    return value.get(name) if isinstance(value, dict) else None


def connection_id(seed: int, system: str, ordinal: int) -> str:
    """What a system calls its connection number ``ordinal``: a uuid4, from the seed."""
    bits = random.Random(f"{seed}/{system}/connection/{ordinal}").getrandbits(128)
    return str(uuid.UUID(int=bits, version=4))


def iso(ns: int) -> str:
    """``2026-01-01T00:00:00.123Z``."""
    second, rest = divmod(ns, NS)
    text = dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest // MS:03d}Z"


class Noise:
    """A smooth curve through random heights, one each ``step_ns``, of mean 0 and deviation about 1.

    Any time can be asked, in any order.
    """

    def __init__(self, seed: int, name: str, step_ns: int) -> None:
        self._name = f"{seed}/{name}"
        self._step_ns = step_ns
        self._known: dict[int, float] = {}

    def at(self, t: int) -> float:
        left, rest = divmod(t, self._step_ns)
        way = (1.0 - math.cos(math.pi * rest / self._step_ns)) / 2.0
        return self._height(left) * (1.0 - way) + self._height(left + 1) * way

    def _height(self, i: int) -> float:
        if i not in self._known:
            if len(self._known) > 8:
                self._known.clear()
            self._known[i] = max(-2.5, min(2.5, random.Random(f"{self._name}/{i}").gauss(0.0, 1.2)))
        return self._known[i]


Draw = Callable[[int], random.Random]
"""The random stream of one happening, by its number."""


def draws(seed: int, name: str) -> Draw:
    """The streams of the happenings called ``name``."""
    return lambda k: random.Random(f"{seed}/{name}/{k}")
