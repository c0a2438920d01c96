"""A node with no sockets: what it would send, as it would send it, to a client that is always there.

The same model, wires and systems as behind the server, played in the order in which the server's virtual clock plays
them. Pure: no clock, no loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from .events import TOPICS, Event, ServingEvent, TopicEvent
from .model import Model
from .options import NodeOptions
from .systems import Stage, Talk
from .truth import Truth
from .view import look
from .wire import Wire

_EVENTS = 1_000


class Sent(msgspec.Struct, frozen=True, gc=False):
    """One frame, to the client of one stream."""

    time_ns: int
    stream: str
    """A topic, or a system."""
    data: bytes


class Serving(msgspec.Struct, frozen=True, gc=False):
    """The node stops serving (all connections end with 1012), or resumes."""

    time_ns: int
    up: bool


class Passing(msgspec.Struct, frozen=True, gc=False):
    """Nothing for the client; time goes on, and whoever waits for it may have something to do."""

    time_ns: int


Happening: TypeAlias = Sent | Serving | Passing


class Unplugged:
    """A node without sockets, and one client of one of its systems.

    :param options: made by :func:`aurigraph_nb.node.options.make`, with a start and a duration
    :param system: portal (all five topic streams), live, channels or fakeai

    >>> from aurigraph_nb.node.options import make
    >>> node = Unplugged(make(seed=7, start="2026-01-01", duration="3s"), "live")
    >>> len(node.connect())
    1
    >>> next(happening for happening in node.play() if isinstance(happening, Sent)).data[:20]
    b'{"type":"tps_update"'
    """

    def __init__(self, options: NodeOptions, system: str) -> None:
        assert options.start_ns is not None
        self.start_ns = options.start_ns
        self.model = Model(options.model, options.start_ns)
        self.system = system
        self._wire = Wire(options.shape)
        self._stage = Stage(
            options.model.seed,
            lambda: self.start_ns,
            quirks=options.quirks,
            tokens=options.tokens,
            inference_shape=options.inference_shape,
            look=lambda: look(self.model),
        )
        self._talk: Talk | None = None

    @property
    def truth(self) -> Truth:
        """What happened so far."""
        return self.model.truth

    @property
    def streams(self) -> tuple[str, ...]:
        """What the client has a connection to each."""
        return TOPICS if self.system == "portal" else (self.system,)

    # The client of a system that speaks with its clients

    def connect(self, now_ns: int | None = None) -> list[bytes]:
        """The client opens a connection; returns the first frames it gets."""
        if self.system == "portal":
            return []
        at = self.start_ns if now_ns is None else now_ns
        self._talk = self._stage.talk(self.system, authenticated=True)
        greeting = self._talk.greeting(at)
        self._stage.enter(self.system, at)
        return greeting

    def say(self, message: str, now_ns: int) -> list[bytes]:
        """The client sends a message; returns the answers."""
        return [] if self._talk is None else list(self._talk.hear(message, now_ns).answers)

    def leave(self) -> None:
        """The client's connection is gone."""
        if self._talk is not None:
            self._talk = None
            self._stage.leave(self.system)

    # What happens

    def play(self) -> Iterator[Happening]:
        """Everything that is sent, in order, up to the end of the run."""
        while (due := self.model.next_ns) is not None:
            cue = self._cue()
            if cue is not None and cue < due:
                yield Passing(cue)
                yield from self._told(cue)
                continue
            yield Passing(due)
            for event in self.model.take(due, _EVENTS):
                yield from self._event(event)
        while (cue := self._cue()) is not None:
            yield from self._told(cue)

    def _cue(self) -> int | None:
        cue, end = self._stage.next_ns, self.model.end_ns
        return None if cue is None or (end is not None and cue >= end) else cue

    def _event(self, event: Event) -> Iterator[Happening]:
        if isinstance(event, ServingEvent):
            yield Serving(event.time_ns, event.up)
        elif self.system == "portal":
            yield self._sent(event)

    def _sent(self, event: TopicEvent) -> Sent:
        return Sent(event.time_ns, event.topic, self._wire.encode(event))

    def _told(self, cue_ns: int) -> Iterator[Sent]:
        for system, emissions in self._stage.take(cue_ns):
            for emission in emissions:
                if self._talk is not None:
                    yield from (Sent(cue_ns, system, data) for data in self._talk.frames(emission))
