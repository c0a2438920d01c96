"""Where clients are spoken with, once they are in: greetings, what they say, answers, and the time they may take.

Clients of the topic streams have nothing to say, and some send a heartbeat all the same. With those of the other
systems a :class:`~.systems.Talk` is held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from websockets.exceptions import ConnectionClosed

from ..clock import Cancellable, Clock, Lockstep
from .events import SYSTEMS
from .hub import Hub
from .outlet import Outlet
from .stats import Books
from .systems import Heard, Talk, Talks
from .systems.base import member, parse
from .systems.channels import AUTH_WITHIN_S, TOO_LATE

LONGEST_HEARTBEAT = 1_000
"""Characters of a message on a topic stream that is looked into."""
AT_ONCE = 64
"""So many messages of one client are heard before others have their turn."""


class Parlour:
    """Holds the talks with the clients of a node.

    :param stage: what the systems play on
    :param poke: called when a system has its first listener
    """

    def __init__(self, clock: Clock, hub: Hub, books: Books, stage: Talks, poke: Callable[[], None]) -> None:
        self._clock = clock
        self._hub = hub
        self._books = books
        self._stage = stage
        self._poke = poke
        self._closings: set[asyncio.Task[None]] = set()

    async def receive(self, outlet: Outlet, announced: Lockstep | None, *, authenticated: bool) -> None:
        """Attend to a connection until it ends.

        :param announced: what a message of the client holds until it is heard; None if it holds nothing
        """
        system = outlet.topic if outlet.topic in SYSTEMS else None
        timer = None
        self._hub.add(outlet)
        try:
            if system is not None:
                timer = self._welcome(outlet, system, authenticated=authenticated)
            heard = 0
            async for message in outlet.connection:
                heard += 1
                if heard % AT_ONCE == 0:
                    await asyncio.sleep(0)
                try:
                    await self._heard(outlet, self._hear(outlet, message))
                finally:
                    if announced is not None:
                        announced.received()
        except ConnectionClosed:
            pass  # how it ended is the client's matter
        finally:
            self._hub.remove(outlet)
            if timer is not None:
                timer.cancel()
            if system is not None and outlet.talk is not None:
                self._stage.leave(system)

    def _welcome(self, outlet: Outlet, system: str, *, authenticated: bool) -> Cancellable | None:
        now_ns = self._clock.now_ns()
        talk = self._stage.talk(system, authenticated=authenticated)
        first = self._stage.enter(system, now_ns)
        outlet.talk = talk
        self._hub.answer(outlet, talk.greeting(now_ns))
        if first:
            self._poke()
        if not talk.waits_for_token:
            return None
        return self._clock.call_later(AUTH_WITHIN_S, lambda: self._end_if_waiting(outlet, talk))

    def _end_if_waiting(self, outlet: Outlet, talk: Talk) -> None:
        if not talk.waits_for_token:
            return
        self._books.denied += 1
        held = self._clock.awake()
        held.__enter__()  # the clock must not go on before the close is on its way
        task = asyncio.get_running_loop().create_task(outlet.close(*TOO_LATE))
        self._closings.add(task)
        task.add_done_callback(self._closings.discard)
        task.add_done_callback(lambda _: held.__exit__(None, None, None))

    def _hear(self, outlet: Outlet, message: str | bytes) -> Heard:
        if outlet.talk is not None:
            return outlet.talk.hear(message, self._clock.now_ns())
        try:
            heartbeat = len(message) < LONGEST_HEARTBEAT and member(parse(message), "type") == "ping"
        except ValueError:
            heartbeat = False
        return Heard("ping" if heartbeat else "ignored")

    async def _heard(self, outlet: Outlet, heard: Heard) -> None:
        books = self._books
        match heard.kind:
            case "ping":
                books.pings += 1
            case "command":
                books.commands += 1
            case "denied":
                books.denied += 1
            case _:
                books.ignored += 1
        self._hub.answer(outlet, heard.answers)
        if heard.close is not None:
            await outlet.close(*heard.close)
