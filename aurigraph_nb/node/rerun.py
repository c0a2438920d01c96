"""The talks of a server of recorded frames: they subscribe and acknowledge; what is told comes from elsewhere."""

from __future__ import annotations

from .systems import Emission, Heard, Talk
from .systems.base import IGNORED, MS, SHOWN, connection_id, encode, member, parse
from .systems.channels import ChannelsTalk
from .systems.live import LiveTalk
from .tokens import Tokens


class RerunStage:
    """Gives each client of a recorded system a talk of its own."""

    def __init__(self, protocol: str, tokens: Tokens) -> None:
        self._protocol, self._tokens = protocol, tokens
        self._ordinal = 0

    def talk(self, name: str, *, authenticated: bool) -> Talk:
        """A talk with the next client."""
        self._ordinal += 1
        if name == "live":
            return LiveTalk(connection_id(0, "live", self._ordinal), frozenset())
        if name == "channels":
            return ChannelsTalk(frozenset(), self._tokens, authenticated=authenticated)
        return InferenceTalk()

    def enter(self, name: str, now_ns: int) -> bool:
        """A client begins to listen; what is told does not depend on that."""
        return False

    def leave(self, name: str) -> None:
        """A client went."""


class InferenceTalk:
    """The inference metrics stream with one client, in both of its manners.

    A filter by model leaves out frames about another one. (Frames are served as they were recorded: what a real server
    would have left out *inside* a frame stays, and numbers have holes where a filter leaves frames out.)
    """

    waits_for_token = False

    def __init__(self) -> None:
        self._model: str | None = None

    def greeting(self, now_ns: int) -> list[bytes]:
        """Nothing: the recorded one was another client's."""
        return []

    def hear(self, message: str | bytes, now_ns: int) -> Heard:
        """Heartbeats, and filters by model."""
        try:
            said = parse(message)
        except ValueError:
            return Heard("ignored", (_said("error", now_ns, message="Invalid JSON"),))
        kind = member(said, "type")
        if kind in ("ping", "heartbeat"):
            return Heard("ping", (_said("pong", now_ns),))
        if kind == "subscribe":
            model = member(said.get("filters"), "model")
            self._model = model if isinstance(model, str) and model else None
            filters = {} if self._model is None else {"model": self._model[:SHOWN]}
            return Heard("command", (_said("subscribed", now_ns, filters=filters),))
        if kind == "unsubscribe":
            self._model = None
            return Heard("command", (_said("unsubscribed", now_ns),))
        return IGNORED

    def frames(self, emission: Emission) -> list[bytes]:
        """The frame, unless the filter keeps it out."""
        if self._model is not None and emission.subject and emission.subject != self._model:
            return []
        return [emission.body]


def _said(kind: str, now_ns: int, **rest: object) -> bytes:
    return encode({"type": kind, "timestamp": now_ns // MS, **rest})
