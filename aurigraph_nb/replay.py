"""A recording as a feed: the same topics, states, widgets and gaps, at their time, or at any other pace."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from . import iothread, registry
from . import session as fsm
from .clock import Clock
from .dial import Options
from .durations import seconds, shown_time, time_within
from .errors import BadOption, BadOptionType, FeedTimeout, RecordingCorrupt, UnknownTopic
from .feed import Feed
from .feeds import ChannelsFeed, FakeaiFeed, LiveFeed, PortalFeed
from .intake import Intake
from .links import FeedLink
from .player import Player
from .protocols import PROTOCOLS
from .protocols.base import Endpoint
from .tape import Run
from .topic import DEFAULT_TIMEOUT_S, Topic

if TYPE_CHECKING:
    from .reading.recording import Recording

MAX_SPEED = 1e9


class Replay(Feed):
    """What a replayed feed has beside the rest: it can stand still, go faster, and go elsewhere."""

    _PLUMBING = frozenset({"player"})

    player: Player
    recording: Recording
    """What is played; its gaps, for one, are known from the beginning."""

    def pause(self) -> None:
        """Let time stand still. What is there can be read; harmless if it stands."""
        self._do("pause", self.player.pause)

    def resume(self) -> None:
        """Let time go on; after the end, from the start again. Harmless if it goes on."""
        self._do("resume", self.player.resume)

    def seek(self, time: Any, timeout: Any = DEFAULT_TIMEOUT_S) -> None:
        """Go to a time; rows, states and gaps are then as if it had been played up to there.

        Going back, everything begins anew, and callbacks get rows that they had before.

        :param time: a time in :attr:`span`, as pandas reads it (naive means UTC); or since the start: a number of
            seconds, a duration such as "1min 5s", or a time of day such as "00:01:05". Negative ones count back from
            the end: ``seek(-30)`` plays the last 30 s.
        :param timeout: how long to wait until it is there, seconds or a duration; None for ever, 0 not at all
        :raises BadOption: if that is no time, or one outside of what is played
        :raises FeedTimeout: if it is not there in time; it goes on
        :raises FeedClosed: after close()

        >>> import aurigraph_nb as ag
        >>> feed = ag.replay(ag.sample(duration="1min"), paused=True)
        >>> feed.seek("00:00:30")
        >>> feed.position, len(feed.metrics.to_pandas())
        (Timestamp('2026-01-01 00:00:30+0000', tz='UTC'), 30)
        """
        player = self.player
        to_ns = time_within(time, player.start_ns, player.end_ns, option="time", numbers=True)
        limit_s = None if timeout is None else seconds(timeout, option="timeout")
        self._do("seek", partial(self.player.seek, to_ns))
        if limit_s != 0 and not self._io.here:
            self._arrive(limit_s)

    def _arrive(self, limit_s: float | None) -> None:
        """Wait until the tape is where it was sought."""
        with self.news:
            there = self.news.wait_for(lambda: self.closed or not self.player.seeking, limit_s)
        self._raise_fatal()
        if not there:
            raise FeedTimeout(f"seek: the tape was not there after {limit_s:g} s; it is at {self.position} and goes on")

    @property
    def speed(self) -> float:
        """Seconds of the recording in a second; infinite for as fast as it goes. Can be set, to "max" as well."""
        return self.player.speed

    @speed.setter
    def speed(self, speed: float | str) -> None:
        self._do("speed", partial(self.player.set_speed, checked_speed(speed)))

    @property
    def paused(self) -> bool:
        """Whether time stands still by request."""
        return self.player.paused

    @property
    def loop(self) -> bool:
        """Whether it begins again at its end. Can be set."""
        return self.player.loop

    @loop.setter
    def loop(self, loop: bool) -> None:
        self.check_usable("loop")
        self.player.loop = _flag("loop", loop)

    @property
    def position(self) -> pd.Timestamp:
        """The time that it is in the replay, UTC."""
        return pd.Timestamp(self.player.position_ns, tz="UTC")

    @property
    def span(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """First time, and the time after the last, of what is played; UTC."""
        return pd.Timestamp(self.player.start_ns, tz="UTC"), pd.Timestamp(self.player.end_ns, tz="UTC")

    def why_over(self, topic: Topic[Any]) -> Exception | None:
        return super().why_over(topic) if self.player.error is None else RecordingCorrupt(str(self.player.error))

    def time_of(self, value: Any, *, option: str) -> int:
        """A time, of which the start and the end are those of what is played."""
        return time_within(value, self.player.start_ns, self.player.end_ns, option=option, inside=False)

    def _raise_fatal(self) -> None:
        if self.player.error is not None:
            raise RecordingCorrupt(str(self.player.error))
        super()._raise_fatal()

    def _do(self, what: str, work: Callable[[], None]) -> None:
        self.check_usable(what)
        self._run(work)


class PortalReplay(Replay, PortalFeed):
    """A replay of the Aurigraph topic streams."""


class LiveReplay(Replay, LiveFeed):
    """A replay of the Aurigraph live stream."""


class ChannelsReplay(Replay, ChannelsFeed):
    """A replay of the channel provider."""


class FakeaiReplay(Replay, FakeaiFeed):
    """A replay of the inference metrics stream."""


REPLAY_TYPES: dict[str, type[Replay]] = {
    "portal": PortalReplay,
    "live": LiveReplay,
    "channels": ChannelsReplay,
    "fakeai": FakeaiReplay,
}


def replay(
    recording: str | os.PathLike[str] | Recording,
    speed: float | str = 1.0,
    *,
    start: Any = None,
    end: Any = None,
    loop: bool = False,
    topics: Sequence[str] | str | None = None,
    paused: bool = False,
    recorder: str | None = None,
    name: str | None = None,
    clock: Clock | None = None,
) -> Replay:
    """A feed that brings what a recording holds: the same frames in the same order, with their receive times.

    It begins at once, with all its topics open, so that nothing is missed. Its time, and what depends on it, is that of
    the recording. What several recorders wrote one after another is played in that order; nothing is ever sent.

    :param recording: its directory, or what :func:`open_recording` or :func:`sample` returned
    :param speed: seconds of the recording in a second, or "max" for as fast as it goes
    :param start: first time that is played, included; what happened before is known where it matters. A time in the
        recording; or since its start: seconds, a duration such as "30s", or a time of day such as "00:00:30", where
        negative ones count back from its end
    :param end: end of what is played, left out; told like ``start``
    :param loop: begin again at the end
    :param topics: the topics to open; default: all that were recorded
    :param paused: wait for :meth:`Replay.resume`
    :param recorder: play what this one wrote; needed where several wrote at the same time
    :param name: a feed of the same name is closed first. Default: made from the arguments, so that running a cell again
        leaves nothing behind
    :param clock: what paces, instead of the machine's time
    :raises RecordingError: if there is no recording
    :raises BadOption: for an option that is not accepted, and where recorders overlap and none was chosen
    :raises UnknownTopic: if a topic was not recorded

    >>> import aurigraph_nb as ag
    >>> feed = ag.replay(ag.sample(duration="10s"), speed="max")
    >>> feed.join(timeout=30)
    >>> len(feed.metrics.to_pandas())
    10
    """
    from .reading.recording import Recording, open_recording

    pace = checked_speed(speed)
    source = recording if isinstance(recording, Recording) else open_recording(_path_of(recording))
    runs = chosen_runs(source, recorder)
    wanted = _wanted(topics, source.recorded_topics)
    start_ns, end_ns = chosen_span(runs, start, end)
    player = Player(
        runs,
        clock=clock,
        speed=pace,
        start_ns=start_ns,
        end_ns=end_ns,
        loop=_flag("loop", loop),
        paused=_flag("paused", paused),
    )
    given = {"speed": speed, "start": start, "end": end, "loop": loop or None, "topics": topics, "recorder": recorder}
    shown = "".join(f", {k}={v!r}" for k, v in given.items() if v is not None)
    title = name or f"replay {source.name}{shown}"
    return cast("Replay", registry.replace(title, lambda: _make(source, player, title, wanted)))


def _make(source: Recording, player: Player, title: str, topics: tuple[str, ...]) -> Replay:
    protocol = source.protocol
    policy = fsm.Policy(name=protocol, backoff=fsm.PRESETS["portal"], stop_codes=frozenset({1000}), url=source.url)

    def link(_: Feed, name: str, end: Endpoint, intake: Intake) -> FeedLink:
        return player.make_link(name, end, policy, intake)

    feed = REPLAY_TYPES[protocol](
        source.url,
        PROTOCOLS[protocol],
        policy=policy,
        options=Options(),
        clock=player.clock,
        title=title,
        make_link=link,
        recorded=True,
    )
    feed.player, feed.recording = player, source
    for name in topics:
        feed[name].open()

    def restart() -> None:
        for topic in feed:
            topic.restart()

    io = iothread.get()
    feed.at_close(lambda: io.call(player.close))
    io.call(lambda: player.begin(feed.intake, restart))
    return feed


def _path_of(recording: object) -> str | os.PathLike[str]:
    if not isinstance(recording, str | os.PathLike):
        raise BadOptionType(
            f"replay({recording!r}): the directory of a recording was expected, or what open_recording or sample "
            "returned"
        )
    return recording


def checked_speed(speed: object) -> float:
    """Seconds of the recording in a second.

    :raises BadOption: if it is neither a number above 0 nor "max"
    """
    words = f'speed={speed!r}: expected a number above 0, such as 10, or "max"'
    if isinstance(speed, str):
        if speed != "max":
            raise BadOption(words)
        return math.inf
    if isinstance(speed, bool) or not isinstance(speed, int | float):
        raise BadOptionType(words)
    if not 0 < speed <= MAX_SPEED and speed != math.inf:
        raise BadOption(words)
    return float(speed)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise BadOptionType(f"{name}={value!r}: expected True or False")
    return value


def _wanted(topics: Sequence[str] | str | None, recorded: Sequence[str]) -> tuple[str, ...]:
    names = tuple(recorded) if topics is None else (topics,) if isinstance(topics, str) else tuple(topics)
    if not names and recorded:
        raise BadOption(f"topics={topics!r}: at least one topic was expected, of {', '.join(recorded)}")
    for name in names:
        if name not in recorded:
            raise UnknownTopic(f"topics={topics!r}: {name!r} was not recorded; there are {', '.join(recorded)}")
    return names


def chosen_span(runs: Sequence[Run], start: Any, end: Any) -> tuple[int, int]:
    """First time that is played, and the time from which on nothing is, ns since 1970 UTC.

    :raises BadOption: if one of them is no time, or outside the recording, or nothing lies between them
    """
    first_ns, last_ns = runs[0].start_ns, max(run.end_ns for run in runs)
    start_ns = first_ns if start is None else time_within(start, first_ns, last_ns, option="start", numbers=True)
    end_ns = last_ns + 1 if end is None else time_within(end, first_ns, last_ns, option="end", numbers=True)
    if start_ns >= end_ns:
        raise BadOption(
            f"start={start!r}, end={end!r}: nothing lies between them; the recording goes from "
            f"{shown_time(first_ns)} to {shown_time(last_ns)}"
        )
    return start_ns, end_ns


def chosen_runs(source: Recording, recorder: str | None) -> list[Run]:
    """What is played of a recording: its runs in order, or those of one recorder.

    :raises BadOption: if there is none, or recorders overlap and none was chosen
    """
    runs = sorted(source.runs(), key=lambda run: run.start_ns)
    if not runs:
        raise BadOption(f"{source.name}: nothing was recorded yet, so there is nothing to play")
    writers = list(dict.fromkeys(run.recorder for run in runs))
    if recorder is not None:
        runs = [run for run in runs if run.recorder == recorder]
        if not runs:
            raise BadOption(f"recorder={recorder!r}: there is none of that name; there are {', '.join(writers)}")
    for before, after in itertools.pairwise(runs):
        if after.start_ns < before.end_ns:
            raise BadOption(
                f"{source.name}: {before.recorder} and {after.recorder} wrote at the same time, and what two recorders "
                f"saw cannot be played as one feed; choose: recorder={before.recorder!r}"
            )
    return runs
