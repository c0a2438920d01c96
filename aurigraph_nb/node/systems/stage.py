"""Which systems play: those that somebody listens to, from the moment on when the first one does."""

from __future__ import annotations

import functools
from collections.abc import Callable

from ..tokens import Tokens
from ..view import View
from .base import Emission, System, Talk
from .channels import Channels
from .documented import Documented
from .live import Live
from .real import Real

INFERENCE_SHAPES = ("documented", "real")


class Stage:
    """The systems of a node. Nothing is made of a system before its first client.

    :param start: tells when the network begins; asked once, when the first client comes
    :param inference_shape: documented or real
    :param look: gives the network as it stands
    """

    def __init__(
        self,
        seed: int,
        start: Callable[[], int],
        *,
        quirks: frozenset[str],
        tokens: Tokens,
        inference_shape: str,
        look: Callable[[], View],
    ) -> None:
        self._makers: dict[str, Callable[[], System]] = {
            "live": lambda: Live(seed, self._start_ns, quirks, look),
            "channels": lambda: Channels(seed, self._start_ns, quirks, tokens),
            "fakeai": lambda: (Documented if inference_shape == "documented" else Real)(seed, self._start_ns, quirks),
        }
        self._start = start
        self._systems: dict[str, System] = {}
        self._clients: dict[str, int] = {}
        """Open connections, of the systems that have any."""
        self._ordinals: dict[str, int] = {}
        self._played_ns: dict[str, int] = {}
        """Until when each has told, of those that ever did."""

    @functools.cached_property
    def _start_ns(self) -> int:
        now = self._start()
        return now - now % 1000

    def talk(self, name: str, *, authenticated: bool) -> Talk:
        """A talk with the next client of a system."""
        if name not in self._systems:
            self._systems[name] = self._makers[name]()
        ordinal = self._ordinals.get(name, 0)
        self._ordinals[name] = ordinal + 1
        return self._systems[name].talk(ordinal, authenticated=authenticated)

    def enter(self, name: str, now_ns: int) -> bool:
        """A client (one that :meth:`talk` was called for) begins to listen. Whether it is the system's first."""
        self._clients[name] = self._clients.get(name, 0) + 1
        if self._clients[name] > 1:
            return False
        # What happens at this very moment is still to come, unless somebody was told of it before.
        self._systems[name].score.skip_to(max(self._played_ns.get(name, 0), now_ns - 1))
        return True

    def leave(self, name: str) -> None:
        """A client that entered stops listening."""
        self._clients[name] -= 1
        if not self._clients[name]:
            del self._clients[name]

    @property
    def next_ns(self) -> int | None:
        """When the next one tells something; None while nobody listens."""
        if not self._clients:
            return None
        return min(self._systems[name].score.next_ns for name in self._clients)

    def take(self, until_ns: int) -> list[tuple[str, list[Emission]]]:
        """What the systems with listeners tell up to and including ``until_ns``."""
        self._played_ns |= dict.fromkeys(self._clients, until_ns)
        told = [(name, self._systems[name].score.take(until_ns)) for name in self._clients]
        return [(name, emissions) for name, emissions in told if emissions]

    def skip_to(self, t: int) -> None:
        """Leave out what was to be told up to ``t``."""
        self._played_ns |= dict.fromkeys(self._clients, t)
        for name in self._clients:
            self._systems[name].score.skip_to(t)
