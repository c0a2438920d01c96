"""The controls of a replay: play, pause, speed, and a slider over the time that was recorded."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from typing import Any, Protocol, cast

from aurigraph_nb.errors import BadOptionType

from .assets import script, style
from .base import LiveWidget, Message, refuse_unknown
from .cells import text
from .flow import DEFAULT_RATE_HZ
from .runs import replay_word
from .sources import FeedLike, Source
from .stretches import Stretch, stretches

FIGURES_EVERY_S = 1.0
"""How often the position is told while time goes on at its pace: the page counts on by itself, in seconds."""
MAX_GAPS = 200
"""Gaps that the slider shows, the longest; more are counted."""
SPEEDS: tuple[float, ...] = (0.5, 1, 2, 5, 10, 60)
"""Those that can be chosen, beside "max" and the one that is set."""
MAX_TOPICS = 8
"""Topics of a gap that are named."""


class PlayerLike(Protocol):
    """What is read of a player."""

    @property
    def start_ns(self) -> int: ...
    @property
    def end_ns(self) -> int: ...
    @property
    def position_ns(self) -> int: ...
    @property
    def target_ns(self) -> int: ...
    @property
    def seeking(self) -> bool: ...
    @property
    def finished(self) -> bool: ...
    @property
    def laps(self) -> int: ...


class ReplayLike(FeedLike, Protocol):
    """What is used of a replay."""

    speed: Any
    loop: bool

    @property
    def player(self) -> PlayerLike: ...
    @property
    def recording(self) -> Any: ...
    @property
    def paused(self) -> bool: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def seek(self, time: float, timeout: float) -> None: ...


class ReplayControls(LiveWidget):
    """Play, pause, speed, loop, and a slider over the recording's time, which shows its gaps. Takes a replay.

    The slider is moved by the pointer or by keys: arrows for a step, with Shift for a second, Page Up and Page Down for
    a tenth, Home and End, and space for play and pause. Times are UTC; the local time shows on hover. The gaps are
    those of the whole recording, so that they are seen before they are reached. ``rate_hz``: most updates a second.

    >>> import aurigraph_nb as ag
    >>> from aurigraph_nb.replay import replay
    >>> from aurigraph_nb.sample import sample
    >>> with replay(sample(duration="1min", seed=7), paused=True) as feed:
    ...     ReplayControls(feed)
    ReplayControls(feed)

    Raises:
        BadOptionType: something else than a replay was given, or there is no such option.
    """

    _esm = script("replay_controls")
    _css = style("replay_controls")

    def __init__(self, feed: object, *, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        self._replay = _checked(feed)
        self._wishes: dict[str, Any] = {}
        self._gaps: list[list[Any]] | None = None
        self._gap_total = 0
        self._gaps_sent = False
        self._told: tuple[Any, ...] = ()
        self._position_ns = -1
        self._figures_due = 0.0
        super().__init__(Source(feed=self._replay), setup={"title": "Replay"}, rate_hz=rate_hz)
        # Of a recording that is not sealed the gaps are found by reading all of it.
        self._reader = threading.Thread(target=self._read_gaps, name="aurigraph-replay-gaps", daemon=True)
        self._reader.start()

    def _check_health(self, now: float) -> None:
        """Nothing to add: a connection that was lost in the recording is no trouble of now."""

    def place(self) -> tuple[int, int, int, str]:
        """Start, position and end of what is played, ns since 1970 UTC, and its state in a word."""
        player = self._replay.player
        return player.start_ns, player.position_ns, player.end_ns, replay_word(self._replay)

    # ---- messages

    def _state(self) -> tuple[Any, ...]:
        """What the page cannot work out by itself."""
        replay, player = self._replay, self._replay.player
        target_ns = player.target_ns if player.seeking else None
        span = (player.start_ns, player.end_ns)
        return span, replay_word(replay), replay.paused, _pace(replay.speed), replay.loop, target_ns, player.laps

    def _news(self, now: float) -> bool:
        if self._state() != self._told or (self._gaps is not None and not self._gaps_sent):
            return True
        _, word, _, speed, *_ = self._told
        counts_itself = word != "SEEKING" and speed is not None
        return self._replay.player.position_ns != self._position_ns and (now >= self._figures_due or not counts_itself)

    def _snapshot(self, now: float) -> Message:
        self._gaps_sent = False
        return self._delta(now)

    def _delta(self, now: float) -> Message:
        self._told = (start_ns, end_ns), word, paused, speed, loop, target_ns, laps = self._state()
        self._position_ns = self._replay.player.position_ns
        self._figures_due = now + FIGURES_EVERY_S
        body: dict[str, Any] = {
            "start": start_ns / 1e6,
            "span": (end_ns - start_ns) / 1e6,
            "at": (self._position_ns - start_ns) / 1e6,
            "target": None if target_ns is None else (target_ns - start_ns) / 1e6,
            "state": word,
            "paused": paused,
            "speed": speed,
            "speeds": SPEEDS,
            "loop": loop,
            "laps": laps,
        }
        if self._gaps is not None and not self._gaps_sent:
            self._gaps_sent = True
            body |= {"gaps": self._gaps, "gap_total": self._gap_total}
        return Message(body)

    # ---- gaps

    def _read_gaps(self) -> None:
        player = self._replay.player
        try:
            found = stretches(self._replay.recording.gaps.rows(), player.start_ns, player.end_ns)
        except Exception as error:  # noqa: BLE001 - whatever it was, the reader of the widget is told
            self._action_failed(error)
            return
        longest = sorted(found, key=lambda stretch: stretch.length, reverse=True)[:MAX_GAPS]
        self._gap_total = len(found)
        self._gaps = [_told(each, player.start_ns) for each in sorted(longest, key=lambda stretch: stretch.start_ns)]
        self._painter.wake(self)

    # ---- commands (notes are taken on any thread)

    def _receive(self, widget: object, content: object, buffers: object) -> None:
        if isinstance(content, dict):
            with self._guard:
                self._wishes |= _wish(content)
        super()._receive(widget, content, buffers)

    def _serve(self) -> None:
        with self._guard:
            wishes, self._wishes = self._wishes, {}
        if not wishes or self._source.closed:
            return
        self._action_error = None
        self._told = ()  # the page is told what came of it, also where that is what it was before
        try:
            self._obey(wishes)
        except Exception as error:  # noqa: BLE001 - whatever it was, the reader of the widget is told
            self._action_failed(error)

    def _obey(self, wishes: Mapping[str, Any]) -> None:
        replay = self._replay
        if "loop" in wishes:
            replay.loop = wishes["loop"]
        if "speed" in wishes:
            replay.speed = wishes["speed"]
        if "seek" in wishes:
            span_s = (replay.player.end_ns - replay.player.start_ns) / 1e9
            replay.seek(min(max(wishes["seek"] / 1e3, 0.0), span_s), timeout=0)  # what a hand is beyond, is the end
        if "play" in wishes:
            (replay.resume if wishes["play"] else replay.pause)()


def _wish(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a message from a page asks for; nothing, where it makes no sense."""
    kind, value = content.get("kind"), content.get("value")
    if kind in ("play", "loop"):
        return {kind: value} if isinstance(value, bool) else {}
    if kind == "speed" and (value == "max" or _is_number(value, above=0.0)):
        return {kind: value}
    return {kind: value} if kind == "seek" and _is_number(value) else {}


def _is_number(value: object, above: float = -1e18) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and above < value < 1e18


def _checked(given: object) -> ReplayLike:
    if all(hasattr(type(given), name) for name in ("seek", "resume", "position", "speed")):
        return cast(ReplayLike, given)
    words = f"ReplayControls needs a replay such as ag.replay(…) returns, not {type(given).__name__}."
    if hasattr(type(given), "runs") and hasattr(type(given), "gaps"):
        words += " This is a recording: ag.ReplayControls(ag.replay(recording))."
    elif hasattr(type(given), "reconnect"):
        words += " What a live feed brings can be recorded with feed.record(path), and replayed then."
    raise BadOptionType(words)


def _pace(speed: float) -> float | None:
    """None is as fast as it goes."""
    return speed if math.isfinite(speed) else None


def _told(stretch: Stretch, start_ns: int) -> list[Any]:
    """A stretch for the page: begin and end in ms after the start (None: it lasts), cause, topics, words."""
    end_ms = None if stretch.end_ns is None else (stretch.end_ns - start_ns) / 1e6
    topics = stretch.topics
    more = f" and {len(topics) - MAX_TOPICS} more" if len(topics) > MAX_TOPICS else ""
    named = ", ".join(topics[:MAX_TOPICS]) + more
    begin_ms = (stretch.start_ns - start_ns) / 1e6
    return [begin_ms, end_ms, text(stretch.cause, 40), text(named, 200), text(stretch.detail, 200)]
