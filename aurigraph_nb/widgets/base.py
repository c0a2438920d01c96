"""What all live widgets are: a thin view that reads a bounded store at a frame rate.

A widget says what is new (:meth:`LiveWidget._news`), all of it (:meth:`LiveWidget._snapshot`) or what came since the
last message (:meth:`LiveWidget._delta`). When, and whether at all, is decided by :mod:`.flow`; the painter's thread
asks. Messages from the front end only leave a note under a lock: they arrive in the main thread or in another one,
depending on the ipykernel version, so nothing else may happen there.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import anywidget
import msgspec
import traitlets

from aurigraph_nb.errors import BadOptionType

from . import painter
from .assets import plotly_script
from .cells import text
from .flow import DEFAULT_RATE_HZ, Flow, FlowCounters, Turn, checked_rate
from .offline import Understudy, checked_offline
from .runs import LIVE, Run, run_of
from .sources import Source
from .still import Still, with_still

HEALTH_EVERY_S = 0.5
"""How often the feed's own state is looked at for the notice line, in seconds."""
_MAX_PAGE_ID = 64
_QUIET_STATES = frozenset({"CONNECTED", "CONNECTING", "CLOSED"})


class Message(NamedTuple):
    """Content of one message to the front end."""

    body: dict[str, Any]
    buffers: Sequence[bytes] = ()
    merged: int = 0
    """Changes that are not in it on their own, because a later one replaced them."""
    dropped: int = 0
    """Changes that left the store before they could be read."""
    paced: bool = True
    """Whether a large message is followed by a pause; not if the widget itself bounds what it sends over time."""


class LiveWidget(anywidget.AnyWidget):
    """Base of the live widgets. Options are keyword-only; an unknown one is refused with the list of known ones.

    Raises:
        BadOptionType: ``rate_hz`` is no number, or there is no such option.
        BadOption: ``rate_hz`` is not above 0 and at most 10, or ``when_offline`` is neither None nor "simulate".
    """

    _setup = traitlets.Dict().tag(sync=True)
    _ui = traitlets.Dict().tag(sync=True, echo_update=False)  # sort, filter: survives a reload of the page

    def __init__(
        self,
        source: Source,
        *,
        setup: Mapping[str, Any] | None = None,
        rate_hz: float = DEFAULT_RATE_HZ,
        when_offline: str | None = None,
    ) -> None:
        self._source = source
        self._understudy = Understudy(source.topics if checked_offline(when_offline) else ())
        self._rate_hz = checked_rate(rate_hz)
        self._guard = threading.RLock()
        self._flow = Flow(self._rate_hz)
        self._painter = painter.shared
        self._plotly_wanted = False
        self._shut = False
        self._errors = 0
        self._error: str | None = None
        self._action_error: str | None = None
        self._last_error: str | None = None
        self._retry_at: float | None = None
        self._notice_sent: dict[str, Any] = {}
        self._link: str | None = None
        self._link_error: str | None = None
        self._link_due = 0.0
        self._story: tuple[int, ...] = ()
        self._status: Any = None  # of the feed, when it was looked at last
        self._run: Run = LIVE
        self._viewer_spoke = False  # since the last turn
        self._viewed_at: float | None = None
        source.open()
        super().__init__(_setup=dict(setup or {}))
        self.on_msg(self._receive)
        self._painter.add(self)

    # ---- for users

    @property
    def source(self) -> Any:
        """The topic that the widget reads, or the feed if it reads no single topic."""
        return self._source.feed if self._source.topic is None else self._source.topic

    @property
    def rate_hz(self) -> float:
        """Most messages a second to the front end."""
        return self._rate_hz

    @property
    def flow(self) -> FlowCounters:
        """What went to the front end so far: messages, bytes, what was merged, what was dropped."""
        with self._guard:
            return self._flow.counters

    @property
    def viewed_at(self) -> float | None:
        """When a page that shows the widget last asked or acknowledged, in monotonic seconds; None: never yet."""
        return self._viewed_at

    @property
    def errors(self) -> int:
        """How often the widget could not be drawn."""
        return self._errors

    @property
    def last_error(self) -> str | None:
        """Why it could not be drawn the last time, or None."""
        return self._last_error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._repr_source()})"

    def still(self) -> Still:
        """What the widget shows now, as plain HTML: it stays in a saved notebook, and on pages without a kernel.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="30s")
        >>> feed.join(timeout=30)
        >>> ag.MetricsCard(feed).still()
        Still(MetricsCard(metrics))
        """
        from . import stills  # knows every widget, this one among them

        return Still(repr(self), stills.still(self))

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        return with_still(super()._repr_mimebundle_(**kwargs), self.still)

    def close(self) -> None:
        """Remove the widget from the page and stop reading; the feed goes on. Closing twice is harmless."""
        shut = getattr(self, "_shut", None)
        if shut is False:
            self._shut = True
            self._painter.remove(self)
        super().close()

    # ---- for widgets

    @property
    def _topic(self) -> Any:
        """The topic that is shown: the source's, or while the feed is offline what stands for it."""
        return self._understudy.of(self._source.topic)

    def _recast(self) -> None:
        """Another topic is shown from now on; a snapshot follows."""

    def _repr_source(self) -> str:
        """What stands between the brackets of the repr: always the same, no numbers, no addresses."""
        return "feed" if self._source.topic is None else str(self._source.topic.name)

    def _news(self, now: float) -> bool:
        """Whether there is anything that the last message did not carry; cheap."""
        raise NotImplementedError

    def _snapshot(self, now: float) -> Message:
        """Everything that a new view needs."""
        raise NotImplementedError

    def _delta(self, now: float) -> Message:
        """What came since the last message. As large as a snapshot unless a widget knows better."""
        return self._snapshot(now)

    def _request(self, kind: str) -> None:
        """The front end sent a message of a kind that only this widget knows. Takes notes, does nothing else."""

    def _serve(self) -> None:
        """Do what :meth:`_request` noted; on the painter's thread."""

    # ---- painting (the painter's thread)

    def paint(self, now: float) -> float | None:
        """Send what is due at ``now`` (monotonic seconds); returns when to come again, None: after the next message."""
        if self._shut:
            return None
        self._tell_viewed(now)
        self._serve_plotly()
        self._serve()
        with self._guard:
            allowed_at = self._flow.allowed_at()
        if allowed_at is None:
            return None
        allowed_at = max(allowed_at, self._retry_at or 0.0)
        if now < allowed_at:
            return allowed_at
        self._check_health(now)
        self._check_story()
        changed = self._news(now) or self._notice() != self._notice_sent
        with self._guard:
            turn = self._flow.turn(now, changed)
        if turn is not Turn.NOTHING:
            self._post(turn, self._snapshot(now) if turn is Turn.SNAPSHOT else self._delta(now), now)
        return self._next_look(now)

    def failed(self, error: Exception) -> None:
        """Painting raised: count it, show it, and start afresh with a snapshot."""
        now = self._painter.clock()
        self._errors += 1
        self._error = self._last_error = text(f"{type(error).__name__}: {error}")
        self._retry_at = now + painter.RETRY_S
        if self._shut:
            return
        try:
            # What the page shows is still labelled as it was: the label changes with a snapshot only.
            label = {"simulated": self._notice_sent.get("simulated", False)}
            self._send_numbered("notice", Turn.DELTA, Message({"notice": self._notice() | label}), now)
        except Exception as second:  # noqa: BLE001 - the channel itself is broken, and nobody is there to tell
            self._last_error = text(f"{type(second).__name__}: {second}")
        with self._guard:
            self._flow.miss()

    def _action_failed(self, error: Exception) -> None:
        """Something that the user asked for raised, on any thread: count it and show it until the next action."""
        self._errors += 1
        self._action_error = self._last_error = text(f"{type(error).__name__}: {error}")
        self._painter.wake(self)

    def _next_look(self, now: float) -> float | None:
        with self._guard:
            allowed_at = self._flow.allowed_at()
        return None if allowed_at is None else max(allowed_at, now + painter.POLL_S)

    def _post(self, turn: Turn, message: Message, now: float) -> None:
        self._error, self._retry_at = None, None
        notice = self._notice()
        if turn is Turn.SNAPSHOT or notice != self._notice_sent:
            message.body["notice"] = notice
        self._send_numbered(turn.value, turn, message, now)
        self._notice_sent = notice

    def _send_numbered(self, kind: str, turn: Turn, message: Message, now: float) -> None:
        with self._guard:
            number = self._flow.next_number
        content = {"kind": kind, "number": number, **message.body}
        self.send(content, list(message.buffers) or None)
        nbytes = len(msgspec.json.encode(content)) + sum(map(len, message.buffers))
        with self._guard:
            self._flow.sent(turn, now, nbytes, merged=message.merged, dropped=message.dropped, paced=message.paced)

    def _tell_viewed(self, now: float) -> None:
        """Somebody looks: let the feed know, if it wants to (an embedded node ends when nobody has looked for long)."""
        with self._guard:
            spoke, self._viewer_spoke = self._viewer_spoke, False
        if spoke:
            self._viewed_at = now
            viewed = getattr(self._source.feed, "viewed", None)
            if callable(viewed):
                viewed()

    def _serve_plotly(self) -> None:
        with self._guard:
            wanted, self._plotly_wanted = self._plotly_wanted, False
        if wanted:
            self.send({"kind": "plotly"}, [plotly_script()])

    # ---- the notice line

    def _notice(self) -> dict[str, Any]:
        """What the front end shows besides the data: errors, a closed feed, a lost connection, a run that is over."""
        return {
            "error": self._error or self._action_error or self._link_error,
            "errors": self._errors,
            "last": self._last_error,
            "closed": self._source.closed and not self._run.over,
            "run": self._run.notice(),
            "link": self._link,
            "simulated": self._understudy.acting,
        }

    def _check_health(self, now: float) -> None:
        """Look at the feed's state now and then; asking for a status is not free."""
        feed = self._source.feed
        if feed is None:
            return
        if now >= self._link_due:
            self._link_due = now + HEALTH_EVERY_S
            self._status = status = feed.status
            self._run = run_of(feed, status)
            state = "CLOSED" if self._run.over else str(status.state)  # what is over is not offline
            self._link = None if state in _QUIET_STATES or self._source.closed else state
            self._link_error = text(status.error) if state == "ERROR" and status.error else None
            if self._understudy.look(state, now, feed.now_ns()):
                self._recast()
                with self._guard:
                    self._flow.miss()
        self._understudy.play(feed.now_ns())

    def _check_story(self) -> None:
        """After the topics began anew, what the page shows is another story: a snapshot takes its place."""
        story = self._source.story()
        if story != self._story:
            self._story = story
            with self._guard:
                self._flow.miss()

    # ---- messages from the front end (any thread)

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        if not isinstance(content, dict):
            return
        kind, page, number = content.get("kind"), content.get("page"), content.get("number")
        if not isinstance(kind, str) or not isinstance(page, str) or len(page) > _MAX_PAGE_ID:
            return
        with self._guard:
            self._note(kind, page, number if isinstance(number, int) else 0)
        self._painter.wake(self)

    def _note(self, kind: str, page: str, number: int) -> None:
        self._viewer_spoke = self._viewer_spoke or kind in ("hello", "ack")
        if kind == "hello":
            self._flow.ask(page)
        elif kind == "ack":
            self._flow.acknowledge(page, number, self._painter.clock())
        elif kind == "rest":
            self._flow.rest(page)
        elif kind == "plotly":
            self._plotly_wanted = True
        else:
            self._request(kind)


def refuse_unknown(widget: type, unknown: Mapping[str, object]) -> None:
    """Refuse options that ``widget`` does not have.

    Raises:
        BadOptionType: ``unknown`` is not empty; names what is accepted.
    """
    if not unknown:
        return
    parameters = inspect.signature(widget).parameters.values()
    known = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    names = ", ".join(map(repr, sorted(unknown)))
    accepted = f"it takes {', '.join(known)}" if known else "it takes none"
    raise BadOptionType(f"{widget.__name__} has no option {names}; {accepted}.")


def checked_height(height: float) -> int:
    """A height in pixels.

    Raises:
        BadOptionType: not a whole number from 80 to 4000.
    """
    if isinstance(height, bool) or not isinstance(height, int) or not 80 <= height <= 4000:
        raise BadOptionType(f"height={height!r}: expected a whole number of pixels from 80 to 4000")
    return height
