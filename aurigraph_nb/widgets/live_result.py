"""An analysis that is made again and again while somebody looks at it.

The function runs on a thread of its own, one computation at a time: neither the connections nor the notebook's cells,
nor the other widgets wait for it. The painter's thread only looks at the clock and sends what is ready.
"""

from __future__ import annotations

import functools
import inspect
import re
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Duration
from aurigraph_nb.errors import BadOptionType, FeedClosed

from .answers import Answer, answer_of, as_float, history_bytes
from .assets import script, style
from .base import LiveWidget, Message, checked_height
from .cells import milliseconds, text
from .sources import Source, is_feed, is_topic
from .ticks import Ticks, checked_interval

if TYPE_CHECKING:
    from aurigraph_nb.analytics import Result

HISTORY = 3_600
"""Values that :attr:`LiveResult.history` keeps; the oldest go."""
_FRAMES = frozenset({"pandas", "polars", "pyarrow", "dask"})
"""Packages whose tables do not change."""


def spawn(work: Callable[[], None]) -> None:
    """Run ``work`` on a thread of its own."""
    threading.Thread(target=work, name="aurigraph-result", daemon=True).start()


class LiveResult(LiveWidget):
    """The result of ``fn(*sources, **options)``, made again ``every`` so often: reading, value, figure, rows.

    ``fn``: one of :mod:`aurigraph_nb.analytics`, or anything that gives such a :class:`~aurigraph_nb.analytics.Result`;
    ``sources``: what it takes first, i.e. topics (live, replayed, recorded), feeds or tables; ``options``: its own
    options (for one that is called ``every``, ``title`` or ``height`` as well: ``functools.partial(fn, every="1s")``).
    ``every``: a duration of at least one second; ``height`` of the figures in pixels.

    Nothing is computed while nobody looks, or when the feed is closed and its last rows have been seen. A tick that
    comes while the function still works is left out and counted (:attr:`skipped`); an error is shown, counted
    (:attr:`errors`), and the next tick tries again. What the function warns of is not printed at every tick, unless
    your own filters say so: coverage and notes of the result tell the same.

    >>> import aurigraph_nb as ag
    >>> from aurigraph_nb import analytics
    >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="30s")
    >>> feed.join(timeout=30)
    >>> live = LiveResult(analytics.throughput, feed.metrics, every="10s")
    >>> live
    LiveResult(throughput, metrics)
    >>> live.refresh() is live.latest, len(live.history)
    (True, 1)

    Raises:
        BadOption: ``every`` is no duration or shorter than a second, or ``height`` is out of its bounds.
        BadOptionType: ``fn`` cannot be called, or not with these sources and options.
    """

    _esm = script("result")
    _css = style("result")

    def __init__(
        self,
        fn: Callable[..., Result],
        *sources: object,
        every: Duration = "10s",
        title: str | None = None,
        height: int = 260,
        **options: Any,
    ) -> None:
        self._fn_name = _name_of(fn)
        self._call = _checked_call(fn, sources, options, self._fn_name)
        _calm_warnings()
        self._sources = sources
        self._ticks = Ticks(checked_interval(every))
        self._working = threading.Lock()
        self._busy = False
        self._looked_at: float | None = None
        self._computed = 0
        self._took_s: float | None = None
        self._seen: tuple[Any, ...] | None = None
        self._latest: Result | None = None
        self._answer: Answer | None = None
        self._answered_ns: int | None = None
        self._history: deque[tuple[int, float]] = deque(maxlen=HISTORY)
        self._version = 0
        self._sent_version = -1
        heading = text(_words(self._fn_name) if title is None else title)
        setup = {"title": heading, "height": checked_height(height), "every_s": self._ticks.every_s}
        super().__init__(_source_of(sources), setup=setup)

    # ---- for users

    @property
    def latest(self) -> Result | None:
        """The newest result; None before the first."""
        return self._latest

    @property
    def history(self) -> pd.DataFrame:
        """The values so far, oldest first, at most 3,600: ``time`` (datetime64[ns, UTC], on the feed's clock) and
        ``value`` (float64, NaN where it was unknown or no number)."""
        with self._guard:
            points = list(self._history)
        times = np.array([at for at, _ in points], dtype="datetime64[ns]")
        values = np.array([value for _, value in points], dtype=np.float64)
        return pd.DataFrame({"time": pd.DatetimeIndex(times, tz="UTC"), "value": values})

    @property
    def computed(self) -> int:
        """How often the function has given a result."""
        return self._computed

    @property
    def skipped(self) -> int:
        """Ticks that were left out, because the function still worked at an earlier one."""
        return self._ticks.skipped

    @property
    def took_s(self) -> float | None:
        """How long the newest result took to be made, in seconds; None before the first."""
        return self._took_s

    def refresh(self) -> Result:
        """Compute now, whether or not anybody looks, wait for it, and return the result.

        Raises:
            FeedClosed: the widget was closed.
            Exception: whatever the function raises.
        """
        if self._shut:
            raise FeedClosed("refresh: this widget was closed; make a new LiveResult")
        return self._compute()

    def _repr_source(self) -> str:
        return ", ".join([self._fn_name, *(_label(source) for source in self._sources)])

    # ---- computing

    def _work(self) -> None:
        """One tick, on its own thread."""
        try:
            if not self._shut:
                self._compute()
        except Exception as error:  # noqa: BLE001 - the function is the user's: told, counted, tried again
            if not self._shut:
                self._action_failed(error)
        finally:
            self._busy = False

    @property
    def answer(self) -> Answer | None:
        """What a page gets of the latest result, or None before the first."""
        with self._guard:
            return self._answer

    def _compute(self) -> Result:
        with self._working:
            began = time.perf_counter()
            self._seen = self._mark()
            with np.errstate(all="ignore"):  # what overflows is shown as it is; nobody reads a warning at each tick
                result = self._call()
                answer = answer_of(result, every_s=self._ticks.every_s)
            took_s = time.perf_counter() - began
            at_ns = self._source.feed.now_ns() if self._source.feed is not None else time.time_ns()
            with self._guard:
                self._latest, self._answer, self._answered_ns, self._took_s = result, answer, at_ns, took_s
                self._history.append((at_ns, as_float(result.value)))
                self._computed += 1
                self._version += 1
                self._action_error = None
        self._painter.wake(self)
        return result

    def _tick(self, now: float) -> None:
        """Begin a computation if it is time for one; somebody looks."""
        if self._looked_at is None:
            self._looked_at = now
        if self._over():
            if self._busy or self._seen == self._mark():
                return
        elif self._seen is None and not self._filled() and now - self._looked_at < self._ticks.every_s:
            return  # the first rows are on their way
        if not self._ticks.due(now, busy=self._busy):
            return
        self._busy = True
        try:
            spawn(self._work)
        except BaseException:
            self._busy = False
            raise

    def _over(self) -> bool:
        """Whether the sources do not change any more."""
        feed = self._source.feed
        if feed is None:
            return all(type(source).__module__.partition(".")[0] in _FRAMES for source in self._sources)
        return self._source.closed or bool(getattr(feed, "ended", False))

    def _mark(self) -> tuple[Any, ...]:
        """Moves with the rows and the gaps of the sources, as far as they tell."""
        gaps = getattr(self._source.feed, "gaps", None)
        return (*(_count(source) for source in self._sources), getattr(gaps, "version", None))

    def _filled(self) -> bool:
        return all(topic.store.count for topic in self._source.topics)

    # ---- messages

    def _news(self, now: float) -> bool:
        self._tick(now)
        return self._version != self._sent_version

    def _snapshot(self, now: float) -> Message:
        with self._guard:
            answer, points, at_ns = self._answer, list(self._history), self._answered_ns
            before, self._sent_version = self._sent_version, self._version
            work = {"computed": self._computed, "skipped": self._ticks.skipped, "took_s": self._took_s}
        if answer is None:
            return Message({"answer": None, "work": work}, paced=False)
        count, line = history_bytes(points)
        body = {"answer": answer.body, "work": work, "at": milliseconds(at_ns), "count": count}
        merged = max(0, self._version - before - 1) if before >= 0 else 0
        return Message(body, [line, answer.figure], merged=merged, paced=False)

    def _delta(self, now: float) -> Message:
        if self._version == self._sent_version:  # only the notice line is new
            return Message({})
        return self._snapshot(now)


def _calm_warnings() -> None:
    """The last of all filters: warnings that point at the call in this module are not printed."""
    module = re.escape(__name__)
    if not any(action == "ignore" and place == re.compile(module) for action, _, _, place, _ in warnings.filters):
        warnings.filterwarnings("ignore", category=UserWarning, module=module, append=True)


def _source_of(sources: tuple[object, ...]) -> Source:
    topics: list[Any] = [source for source in sources if is_topic(source)]
    feeds: list[Any] = [source for source in sources if is_feed(source)]
    feeds += [topic.feed for topic in topics if getattr(topic, "feed", None) is not None]
    return Source(topics[0] if topics else None, feeds[0] if feeds else None, tuple(topics[1:]))


def _checked_call(fn: Any, sources: tuple[object, ...], options: dict[str, Any], name: str) -> Callable[[], Result]:
    if not callable(fn):
        raise BadOptionType(f"fn={fn!r}: expected a function such as ag.analytics.nakamoto")
    if not sources:
        raise BadOptionType(f"LiveResult needs what {name} is to read, such as feed.validators, after the function")
    try:
        inspect.signature(fn).bind(*sources, **options)
    except TypeError as error:
        raise BadOptionType(f"{name} cannot be called with these sources and options: {error}") from None
    except ValueError:
        pass  # a built-in that does not tell its parameters
    return functools.partial(fn, *sources, **options)


def _name_of(fn: Any) -> str:
    """A function's name; that of a lambda, which has none, is "result"."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    name = str(getattr(fn, "__name__", type(fn).__name__))
    return text("result" if name == "<lambda>" else name, 60)


def _words(name: str) -> str:
    spaced = name.replace("_", " ").strip()
    return spaced[:1].upper() + spaced[1:]


def _label(source: Any) -> str:
    """What stands for a source in the repr."""
    if is_topic(source):
        return text(source.name, 60)
    return "feed" if is_feed(source) else text(getattr(source, "name", None) or type(source).__name__, 60)


def _count(source: Any) -> int:
    """Rows that ever came; 0 for what does not tell."""
    topics = [source] if is_topic(source) else [source[name] for name in source.topics] if is_feed(source) else []
    return sum(int(topic.store.count) for topic in topics)
