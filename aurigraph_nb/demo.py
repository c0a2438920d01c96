"""Manners of a public demo: the node of a simulated feed that nobody looks at stands still until somebody does.

A demo runs on other people's machines, and a page that was left open goes on for as long as nobody stops it. Where the
environment's ``AURIGRAPH_NB_DEMO_IDLE`` holds a duration ("15min"), every simulated feed minds its manners: after so
long without a viewer it closes its connections and stops its node; a widget that is shown, or data that are read, start
both again. A view is an acknowledgement or a request of a page, or an access to the data of a topic. What was missed is
a gap, as after any other disconnect.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from . import iothread
from .durations import seconds
from .errors import BadOption, FeedClosed

if TYPE_CHECKING:
    from .feed import Feed
    from .node import Node

IDLE = "AURIGRAPH_NB_DEMO_IDLE"
"""The variable that makes a demo of a process; unset or empty: none."""
log = logging.getLogger(__name__)


def idle_limit_s(environment: Mapping[str, str] = os.environ) -> float | None:
    """How long a simulated feed goes on without a viewer, in seconds; None: for ever, this is no demo.

    >>> idle_limit_s({"AURIGRAPH_NB_DEMO_IDLE": "15min"}), idle_limit_s({})
    (900.0, None)

    :raises BadOption: if the variable holds no duration above 0
    """
    value = environment.get(IDLE, "").strip()
    if not value:
        return None
    limit_s = seconds(value, option=IDLE)
    if not limit_s > 0:
        raise BadOption(f"{IDLE}={value!r}: expected a duration above 0, such as 15min, or nothing")
    return limit_s


class Idleness:
    """Says when it is time to rest, and whether a view has to end a rest. Pure: times are arguments.

    >>> idle = Idleness(900.0, now=0.0)
    >>> idle.look(600.0), idle.viewed(700.0), idle.look(1500.0), idle.look(1600.0)
    (300.0, False, 100.0, 0.0)
    >>> idle.resting, idle.viewed(5000.0), idle.resting
    (True, True, False)
    """

    def __init__(self, limit_s: float, now: float) -> None:
        self.limit_s = limit_s
        self.resting = False
        self._viewed = now

    def viewed(self, now: float) -> bool:
        """Somebody looks; true once a rest, if it has to end."""
        self._viewed = max(self._viewed, now)
        was, self.resting = self.resting, False
        return was

    def look(self, now: float) -> float:
        """Seconds until the next look; 0: rest from now on; infinite while it rests."""
        if self.resting:
            return math.inf
        left_s = self._viewed + self.limit_s - now
        if left_s > 0:
            return left_s
        self.resting = True
        return 0.0


class Manners:
    """Lets a simulated feed and its node rest while nobody looks.

    :param limit_s: after how long, in seconds
    :param clock: monotonic seconds; a demo's viewers live on real time, whatever clock the node has
    """

    def __init__(self, feed: Feed, node: Node, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._feed, self._node, self._clock = feed, node, clock
        self._idle = Idleness(limit_s, clock())
        self._lock = threading.Lock()
        self._io = iothread.get()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        told = f"{limit_s / 60:g} min" if limit_s >= 60 else f"{limit_s:g} s"
        self._reason = (
            f"resting, since nobody has looked for {told}; it starts again when a widget is shown or data are read"
        )
        feed.on_view = self.viewed
        feed.at_close(lambda: self._io.call(self._end))
        self._io.call(self._begin)

    def viewed(self) -> None:
        """Somebody looks. Cheap, waits for nothing; from any thread."""
        with self._lock:
            wake = self._idle.viewed(self._clock())
        if wake and not self._feed.closed:
            self._io.call(self._woken.set)

    @property
    def resting(self) -> bool:
        """Whether the feed stands still until somebody looks."""
        return self._idle.resting

    # On the loop

    def _begin(self) -> None:
        if not self._feed.closed:
            self._task = asyncio.get_running_loop().create_task(self._mind())

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _mind(self) -> None:
        while not self._feed.closed:
            with self._lock:
                # A node that was stopped by hand, or whose run is over, has nothing to rest from.
                left_s = self._idle.look(self._clock()) if self._node.running and not self._feed.ended else math.nan
            if left_s:
                await asyncio.sleep(self._idle.limit_s if math.isnan(left_s) else left_s)
                continue
            await self._rest()
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._wake()
            except FeedClosed:  # the node was closed meanwhile
                return

    async def _rest(self) -> None:
        log.info("%s: %s", self._feed.name, self._reason)
        self._feed.rest(self._reason)
        await self._node.server.stop(1001, "nobody looks")
        self._feed.tell()

    async def _wake(self) -> None:
        log.info("%s: somebody looks; it goes on", self._feed.name)
        await self._node.server.start()
        self._feed.wake()


def mind(feed: Feed) -> None:
    """Give a simulated feed the manners of a demo, if this is one.

    :raises BadOption: as :func:`idle_limit_s`
    """
    limit_s = idle_limit_s()
    if limit_s is not None and feed.node is not None:
        Manners(feed, feed.node, limit_s)
