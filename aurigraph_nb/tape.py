"""A recording as a tape: runs of journal lines in order, and the links of a feed on which they are played.

The links drive real sessions, so that a replayed feed shows the states, and calls the hooks, that the live one did.
What a session asks for on account of the tape is left undone: the tape says what happened next.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Protocol

from . import session as fsm
from .links import FeedLink
from .protocols import Control, Frame
from .recording.lines import Closed, Head, Line, Opened

END_OF_TAPE = 1000


class Run(Protocol):
    """What one recorder wrote in one go."""

    @property
    def recorder(self) -> str: ...

    @property
    def start_ns(self) -> int:
        """Time of its first line, ns since 1970 UTC."""

    @property
    def end_ns(self) -> int:
        """Time of its last line."""

    def lines(self, since_ns: int) -> Iterator[list[Line]]:
        """Its lines in order, from a :class:`Head` on that lets a decoder know at ``since_ns`` what it has to.

        What was left out lies before ``since_ns``.
        """


class Looker(Protocol):
    """What has to see the frames that are left out, for what comes after them."""

    def decode(self, frames: Iterable[Frame], /) -> object: ...


class Ear(Protocol):
    """What a tape is played to: the :class:`~aurigraph_nb.intake.Intake` of a feed, or what serves it again."""

    @property
    def decoder(self) -> Looker: ...

    def on_frames(self, link: FeedLink, frames: list[Frame], /) -> None: ...

    def on_request(self, link: FeedLink, request: fsm.GapOpened | fsm.GapClosed, /) -> None: ...

    def on_change(self, link: FeedLink, /) -> None: ...

    def apply(self, line: Line, /, *, silent: bool = False) -> None:
        """Take in what is no frame, no head and no connection."""

    def go_on_from(self, head: Head, /) -> None: ...

    def forget_past_gaps(self) -> None:
        """What was played so far lies before what is shown."""

    def restart(self) -> None:
        """It is played from its beginning."""

    def tell(self) -> None:
        """Something changed."""


class TapeLink:
    """One connection of a recording that is played."""

    def __init__(
        self, endpoint: str, url: str, topics: tuple[str, ...], *, policy: fsm.Policy, intake: Ear, clock: HasNow
    ) -> None:
        self.endpoint, self.url, self.topics = endpoint, url, topics
        self.why: str | None = None
        self.frames = 0
        self.subscriptions = fsm.Subscriptions()
        self.outbox: fsm.Outbox[str] = fsm.Outbox(0)
        self.finished = False
        """The tape is at its end."""
        self.away = False
        """The user does not want the connection for now; the tape goes on."""
        self._policy, self._intake, self._clock = policy, intake, clock
        self._up: int | None = None
        self._awaiting_data = self._missing = False
        self.session = self._new_session()

    def _new_session(self) -> fsm.Session:
        session = fsm.Session(self._policy, random.Random(0))
        session.handle(fsm.Connect(), self._clock.now_ns())
        return session

    # What the tape says

    def play(self, line: Opened | Closed) -> None:
        """The recorded connection opened, or ended."""
        if isinstance(line, Opened):
            self._up = line.c
            if not self.away:
                self._open(line.c)
        else:
            self._up = None
            if not self.away:
                self._end(line.why, line.over)
        self._intake.on_change(self)

    def _open(self, epoch: int) -> None:
        now_ns, session = self._clock.now_ns(), self.session
        if session.state is fsm.State.RECONNECTING:
            session.handle(fsm.TimerFired(), now_ns)
        else:
            session.handle(fsm.Connect(), now_ns)
        session.conn_epoch = epoch - 1
        session.handle(fsm.Opened(), now_ns)
        self._awaiting_data = True

    def _end(self, why: str, over: bool) -> None:
        now_ns = self._clock.now_ns()
        if over:
            self.session.handle(fsm.Lost(code=END_OF_TAPE), now_ns)
        elif why:
            self.session.handle(fsm.Lost(code=1006, reason=why), now_ns)
            self.session.last_error, self.session.next_try_ns = why, None
        else:
            self.session.handle(fsm.Disconnect(), now_ns)

    def finish(self) -> None:
        """The tape is at its end."""
        self.finished = True
        self._end("", over=self.session.state is fsm.State.CONNECTED)
        self._intake.on_change(self)

    def restart(self) -> None:
        """The tape is played from another place on."""
        self.session = self._new_session()
        self.finished, self._up, self.frames = False, None, 0
        self._awaiting_data = self._missing = False
        self._intake.on_change(self)

    # What the feed says

    @property
    def ended(self) -> bool:
        return self.finished or self.session.ended

    @property
    def latency_ms(self) -> float | None:
        return None

    @property
    def waiting(self) -> int:
        return 0

    def handle(self, event: fsm.Event) -> None:
        """The user's wishes. The tape goes on while he is away, and what it brings then is missing."""
        now_ns = self._clock.now_ns()
        if isinstance(event, fsm.Disconnect | fsm.Close):
            self.away = True
            self._pass_on(self.session.handle(event, now_ns))
        elif isinstance(event, fsm.Connect | fsm.Reconnect) and self.away and not self.finished:
            self.away = False
            self.session.handle(fsm.Connect(), now_ns)
            if self._up is not None:
                self._open(self._up)
        self._intake.on_change(self)

    def _pass_on(self, requests: Iterable[fsm.Request]) -> None:
        """Tell of the gap that the user's being away makes; those of the recording are told by the tape."""
        for request in requests:
            if isinstance(request, fsm.GapOpened) or (isinstance(request, fsm.GapClosed) and self._missing):
                self._missing = isinstance(request, fsm.GapOpened)
                self._intake.on_request(self, request)

    async def close(self) -> None:
        self.handle(fsm.Close())

    def send(self, message: str) -> fsm.Sent:
        """Nothing is sent to a recording."""
        return self.outbox.refuse()

    def want(self, topic: str) -> None:
        """What was not recorded does not come."""

    def unwant(self, topic: str) -> None:
        """The feed leaves it out."""

    def data_came(self, topics: Iterable[str] = ()) -> None:
        if self._awaiting_data:
            self._awaiting_data = False
            self._pass_on(self.session.handle(fsm.FirstData(), self._clock.now_ns()))
            self._intake.on_change(self)

    def on_control(self, control: Control, recv_ns: int) -> None:
        """What was answered then is in the past."""


class HasNow(Protocol):
    def now_ns(self) -> int: ...


class LinesRun:
    """A run whose lines are in memory.

    :raises ValueError: if they do not begin with a head
    """

    def __init__(self, lines: list[Line]) -> None:
        head = lines[0] if lines else None
        if not isinstance(head, Head):
            raise ValueError("the lines of a run begin with its head")
        self._lines = lines
        self.recorder = head.recorder
        self.start_ns = head.t
        self.end_ns = max(line.t for line in lines)

    def lines(self, since_ns: int) -> Iterator[list[Line]]:
        yield self._lines
