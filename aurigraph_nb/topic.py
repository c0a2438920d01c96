"""One topic of a feed: its rows as records, frames and tables, its state, its waiting and its callbacks.

A topic opens (its connection is made) at the first access to data: reading, waiting, iterating, a callback, a widget.
Naming it, printing it, or asking for counters does not open it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pyarrow as pa

from . import frames
from .columns import ColumnStore
from .dispatch import Subscription
from .durations import seconds, shown_time
from .errors import BadOption, BadOptionType, FeedClosed, FeedTimeout, did_you_mean
from .gaps import IdleWatch
from .schema import Record, arrow_schema
from .session import brief
from .state import VIEWS
from .status import RateMeter, TopicStatus

if TYPE_CHECKING:
    import pandas as pd
    import polars

    from .feed import Feed

R = TypeVar("R", bound=Record)

DEFAULT_TIMEOUT_S = 60.0
"""How long ``wait`` and ``take`` wait unless told otherwise; ``timeout=None`` waits for ever."""


def shown_names(kind: type, names: Iterable[str]) -> list[str]:
    """Of the names that a type and its instances have, those for people: not what its ``_PLUMBING`` lists."""
    hidden = {name for base in kind.__mro__ for name in vars(base).get("_PLUMBING", ())}
    return [name for name in names if name not in hidden and (not name.startswith("_") or name.startswith("__"))]


class Tidy(type):
    """A type that offers people what is meant for them: completion asks the type as well as the object."""

    def __dir__(cls) -> list[str]:
        return shown_names(cls, super().__dir__())


class Topic(Generic[R], metaclass=Tidy):
    """One topic of a feed. Get it as ``feed.metrics`` or ``feed["metrics"]``.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
    >>> feed.join(timeout=30)
    >>> feed.metrics, len(feed.metrics)
    (<Topic metrics: 10 rows, last 2026-01-01 00:00:09 UTC>, 10)
    """

    _PLUMBING = frozenset(
        {"bytes", "control", "count", "deliver", "idle", "last_recv_ns", "left", "restart", "status", "store"}
        | {"suppressed", "undecoded"}
    )

    def __init__(self, feed: Feed, name: str, record_type: type[R], *, period_s: float | None, key: str | None) -> None:
        self.name = name
        self.record_type = record_type
        self.key = key
        """Column that tells the things apart that the topic is about, if it is about things."""
        self.period_s = period_s
        self.store: ColumnStore[R] = ColumnStore(record_type)
        self._state: Any = VIEWS[record_type]() if record_type in VIEWS else None
        self.lock = threading.RLock()
        """Held while ``state`` changes; hold it to read ``state`` directly."""
        self.idle = IdleWatch(period_s) if period_s else None
        self.opened = False
        self.left = False
        """Unsubscribed: data access does not open it again, :meth:`open` does."""
        self.suppressed = 0
        self.control = 0
        self.undecoded = 0
        self.bytes = 0
        self.last_recv_ns: int | None = None
        self._feed = feed
        self._subscriptions: list[Subscription] = []
        self._meter = RateMeter()

    # Identity

    def __repr__(self) -> str:
        return f"<Topic {brief(self.name, 60)}: {', '.join(self._described())}>"

    def _described(self) -> Iterator[str]:
        """What is known of it without opening it."""
        if not self.opened and not len(self):
            yield "left" if self.left else "not open"
        yield _rows(len(self))
        if self.store.dropped:
            yield f"{self.store.dropped:,} older ones dropped"
        if self.last_recv_ns is not None:
            yield f"last {shown_time(self.last_recv_ns)}"
        if gaps := sum(gap.topic in (self.name, "*") for gap in self._feed.gaps):
            yield f"{gaps:,} {'gap' if gaps == 1 else 'gaps'}"

    def __dir__(self) -> list[str]:
        return shown_names(type(self), super().__dir__())

    if not TYPE_CHECKING:  # type checkers know what there is

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_") or hasattr(type(self), name):  # a property that failed tells why itself
                return object.__getattribute__(self, name)
            record = self.__dict__.get("record_type", Record)
            known = self.__dict__.get("name", "topic")
            here = f"feed.{known}" if known.isidentifier() else f"feed[{known!r}]"
            names = arrow_schema(record).names
            if name in names:
                words = (
                    f"is a column: {here}.to_pandas()[{name!r}] has all of it, {here}.latest.{name} the newest value."
                )
            else:
                words = f"is neither an attribute of a topic nor a column.{did_you_mean(name, [*names, *dir(self)])}"
            raise AttributeError(f"{here}.{name} {words}", name=name, obj=self)

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        """Rows stored now."""
        return len(self.store)

    @property
    def feed(self) -> Feed:
        return self._feed

    @property
    def state(self) -> Any:
        """What the rows so far tell, taken together, where a topic has such; hold ``lock`` while reading it."""
        self._feed.bring_up(self)
        return self._state

    def open(self) -> None:
        """Open the topic without reading anything, and return at once; harmless if it is open.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7)
        >>> feed.metrics.open()
        >>> feed.metrics.opened
        True
        """
        self.left = False
        self._touch()

    def unsubscribe(self) -> None:
        """Receive nothing more on this topic until :meth:`open`. What is stored can be read.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> _ = feed.metrics.wait(1, timeout=30)
        >>> feed.metrics.unsubscribe()
        >>> len(feed.metrics) >= 1
        True
        """
        self.left = True
        self._feed.close_topic(self)

    def _touch(self) -> None:
        """Data is asked for: that opens a topic, unless it was left on purpose."""
        self._feed.viewed()
        if not self.opened and not self.left:
            self._feed.open_topic(self)

    # Reading

    @property
    def latest(self) -> R | None:
        """The newest row, or None before the first.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
        >>> feed.join(timeout=30)
        >>> feed.metrics.latest.tps > 0
        True
        """
        self._touch()
        return self.store.latest

    def __iter__(self) -> Iterator[R]:
        """The rows stored now, oldest first."""
        self._touch()
        return iter(self.store.records())

    def to_arrow(
        self,
        columns: Sequence[str] | None = None,
        *,
        start: Any = None,
        end: Any = None,
        last: Any = None,
        limit: int | None = None,
    ) -> pa.Table:
        """The stored rows as an Arrow table, in arrival order, without copying what is already columnar.

        :param columns: names of columns, None for all
        :param start: first time, included (anything pandas reads as a time; naive means UTC). Of a recording, or a
            replay, also since its start: a duration such as "30s", or a time of day such as "00:00:30"
        :param end: end of the range, left out; told like ``start``
        :param last: only the newest stretch: seconds, or a duration such as "10min"
        :param limit: the first so many rows, or with a negative number the newest
        :raises BadOption: for an unknown column or an unreadable range

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
        >>> feed.join(timeout=30)
        >>> feed.metrics.to_arrow(["tps", "cpu_percent"], limit=-5).shape
        (5, 2)
        """
        self._touch()
        return self._select(columns=columns, start=start, end=end, last=last, limit=limit)

    def _select(self, **selection: Any) -> pa.Table:
        """The rows kept, as :func:`~aurigraph_nb.frames.select` selects them; a recording reads no more than those."""
        return frames.select(self.store.table(), **self._timed(selection))

    def _timed(self, selection: dict[str, Any]) -> dict[str, Any]:
        """A selection with its times as nanoseconds: the feed knows what they count from."""
        times = {name: selection[name] for name in ("start", "end") if selection.get(name) is not None}
        return {**selection, **{name: self._feed.time_of(value, option=name) for name, value in times.items()}}

    def to_pandas(
        self,
        columns: Sequence[str] | None = None,
        *,
        start: Any = None,
        end: Any = None,
        last: Any = None,
        limit: int | None = None,
        index: frames.Index = "timestamp",
        dtype_backend: frames.DtypeBackend = None,
    ) -> pd.DataFrame:
        """The stored rows as a DataFrame, in arrival order; the arguments of :meth:`to_arrow` and:

        :param index: "timestamp" (server time, UTC; receive time where it is missing, then ``timestamp_is_recv``),
            "recv" (receive time) or None (a plain range)
        :param dtype_backend: None, "numpy_nullable" or "pyarrow", as in pandas
        :returns: ids and statuses as category, integers that may be missing as Int64, big numbers as exact decimals
        :raises BadOption: for an unknown column, index or backend, or an unreadable range

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
        >>> feed.join(timeout=30)
        >>> feed.metrics.to_pandas(["tps"], last="5s")["tps"].dtype
        dtype('float64')
        """
        self._touch()
        by = "recv" if index == "recv" else "timestamp"
        asked = frames.wanted_columns(arrow_schema(self.record_type).empty_table(), columns)
        needed = ["timestamp", "recv_ns"] if index is not None else []
        table = self._select(columns=asked, start=start, end=end, last=last, limit=limit, by=by, keep=needed)
        frame = frames.to_pandas(table, index=index, dtype_backend=dtype_backend)
        return frame.drop(columns=[c for c in needed if c not in asked and c in frame.columns])

    def to_polars(
        self,
        columns: Sequence[str] | None = None,
        *,
        start: Any = None,
        end: Any = None,
        last: Any = None,
        limit: int | None = None,
    ) -> polars.DataFrame:
        """The stored rows as a Polars DataFrame; the arguments of :meth:`to_arrow`.

        :raises MissingExtra: if Polars is not installed

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
        >>> feed.join(timeout=30)
        >>> feed.metrics.to_polars(["tps"]).shape
        (10, 1)
        """
        return frames.to_polars(self.to_arrow(columns, start=start, end=end, last=last, limit=limit))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The Arrow stream interface, so that ``pl.DataFrame(topic)``, ``pa.table(topic)`` and DuckDB read a topic."""
        self._touch()
        return self._select().__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]

    # Waiting

    def wait(self, n: int = 1, timeout: Any = DEFAULT_TIMEOUT_S) -> int:
        """Wait until the topic has brought ``n`` rows in all (since the feed was made), and return how many it has.

        :param timeout: seconds or a duration, None for ever
        :raises FeedTimeout: if they do not come in time; says what is wrong, as far as known
        :raises FeedClosed: if the feed was closed, or its run ended, before
        :raises ConnectFailed: if the server cannot be reached and trying again would not help
        :raises WrongThread: on the I/O thread

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> feed.metrics.wait(2, timeout="30s") >= 2
        True
        """
        self._wait_for(_count("n", n), timeout, _rows(n))
        return self.store.count

    async def wait_async(self, n: int = 1, timeout: Any = DEFAULT_TIMEOUT_S) -> int:
        """:meth:`wait` for a coroutine, on any event loop.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> import asyncio
        >>> asyncio.run(feed.metrics.wait_async(1, timeout=30)) >= 1  # in a notebook: await feed.metrics.wait_async(1)
        True
        """
        await self._wait_for_async(_count("n", n), timeout, _rows(n))
        return self.store.count

    def take(self, n: int = 1, timeout: Any = DEFAULT_TIMEOUT_S) -> list[R]:
        """Wait for the next ``n`` rows, from now on, and return them. Raises as :meth:`wait`.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> [row.tps > 0 for row in feed.metrics.take(2, timeout=30)]
        [True, True]
        """
        first = self._take_from(n)
        self._wait_for(first + n, timeout, _rows(n, "new "))
        return list(self.store.records(first, first + n))

    async def take_async(self, n: int = 1, timeout: Any = DEFAULT_TIMEOUT_S) -> list[R]:
        """:meth:`take` for a coroutine, on any event loop.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> import asyncio
        >>> len(asyncio.run(feed.metrics.take_async(1, timeout=30)))  # in a notebook: await feed.metrics.take_async(1)
        1
        """
        first = self._take_from(n)
        await self._wait_for_async(first + n, timeout, _rows(n, "new "))
        return list(self.store.records(first, first + n))

    async def __aiter__(self) -> AsyncIterator[R]:
        """New rows, from now on, as they come; ends when the feed is closed or its run ends.

        :raises ConnectFailed: if the server cannot be reached and trying again would not help
        """
        self._touch()
        position = self.store.count
        while True:
            try:
                await self._wait_for_async(position + 1, None, "a new row")
            except FeedClosed:
                return
            stop = self.store.count
            for record in self.store.records(position, stop):
                yield record
            position = stop

    def _take_from(self, n: int) -> int:
        _count("n", n)
        if n > self.store.max_rows:
            raise BadOption(f"n={n}: the store holds {self.store.max_rows} rows; take them in smaller portions")
        self._feed.check_usable(f"{self.name}.take")
        self._touch()
        return self.store.count

    def _wait_for(self, count: int, timeout: Any, what: str) -> None:
        self._feed.check_usable(f"{self.name}.wait")
        self._feed.check_thread(f"{self.name}.wait")
        self._touch()
        limit_s = None if timeout is None else seconds(timeout, option="timeout")
        deadline = None if limit_s is None else time.monotonic() + limit_s
        news = self._feed.news
        with news:
            while self.store.count < count:
                self._feed.viewed()  # who waits reads
                self._raise_if_over(count, what)
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise self._timeout(count, limit_s or 0.0, what)
                news.wait(left)

    async def _wait_for_async(self, count: int, timeout: Any, what: str) -> None:
        self._feed.check_usable(f"{self.name}.wait_async")
        self._touch()
        limit_s = None if timeout is None else seconds(timeout, option="timeout")
        loop, came = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits any more
                loop.call_soon_threadsafe(came.set)

        with self._feed.listening(tell):
            try:
                async with asyncio.timeout(limit_s):
                    while self.store.count < count:
                        self._feed.viewed()
                        self._raise_if_over(count, what)
                        await came.wait()
                        came.clear()
            except TimeoutError:
                raise self._timeout(count, limit_s or 0.0, what) from None

    def _raise_if_over(self, count: int, what: str) -> None:
        cause = self._feed.why_over(self)
        if cause is not None and self.store.count < count:
            if isinstance(cause, FeedClosed):
                raise FeedClosed(f"{cause} {self.name} has brought {_rows(self.store.count)}; waited for {what}.")
            raise cause

    def _timeout(self, count: int, limit_s: float, what: str) -> FeedTimeout:
        status = self._feed.status
        mine = status.topics[self.name]
        have = self.store.count
        tail = f" Last error: {mine.error}" if mine.error else ""
        if status.undecoded:
            tail += f" Frames not understood: {status.undecoded}, see feed.undecoded"
            tail += "." if have else f"; is the protocol right? This feed speaks protocol={status.protocol!r}."
        return FeedTimeout(
            f"{self.name}: waited {limit_s:g} s for {what}; {have} of {count} came, and its connection "
            f"is {mine.state}.{tail} Give it more time (timeout=…), or ask: aurigraph-nb doctor {status.url}"
        )

    # Callbacks

    def on_record(
        self,
        fn: Callable[[Any], object],
        where: Callable[[R], object] | None = None,
        batch: bool = False,
    ) -> Subscription:
        """Call ``fn`` with every new row (or, with ``batch=True``, with lists of rows), on the callback thread.

        :param where: a test; only rows that pass are delivered
        :returns: a Subscription; close it, or use it as a context manager
        :raises FeedClosed: after close()

        >>> import aurigraph_nb as ag
        >>> seen = []
        >>> feed = ag.simulate(seed=7, start="2026-01-01", speed=20, duration="10s")
        >>> with feed.metrics.on_record(lambda row: seen.append(row.tps), where=lambda row: row.tps > 0):
        ...     feed.join(timeout=30)
        >>> len(seen) > 0
        True
        """
        for name, value in (("fn", fn), ("where", where)):
            if not callable(value) and not (name == "where" and value is None):
                raise BadOptionType(f"{name}={value!r}: something callable was expected, such as lambda row: …")
        self._feed.check_usable(f"{self.name}.on_record")
        subscription = Subscription(
            fn, where=where, batch=batch, errors=self._feed.callback_errors, on_close=self._forget
        )
        with self.lock:
            self._subscriptions.append(subscription)
        self._touch()
        return subscription

    def _forget(self, subscription: Subscription) -> None:
        with self.lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The open subscriptions.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7)
        >>> with feed.metrics.on_record(print, where=lambda row: False):
        ...     len(feed.metrics.subscriptions)
        1
        """
        with self.lock:
            return tuple(self._subscriptions)

    def restart(self) -> None:
        """Forget all rows and what they told; for a recording that is played from another place on."""
        with self.lock:
            self.store.reset()
            self._state = VIEWS[self.record_type]() if self.record_type in VIEWS else None
            self.suppressed = self.control = self.undecoded = self.bytes = 0
            self.last_recv_ns = None
            self._meter = RateMeter()

    # What the feed calls, on the I/O thread

    def deliver(self, records: Sequence[R]) -> None:
        """Store rows, bring the state up to date and offer them to the callbacks."""
        with self.lock:
            self.store.append(records)
            if self._state is not None:
                for record in records:
                    self._state.apply(record)
            subscriptions = tuple(self._subscriptions)
        for subscription in subscriptions:
            subscription.offer(records)

    def count(self, now_ns: int, frames_came: int, size: int) -> None:
        """Count frames that came, understood or not."""
        with self.lock:
            self._meter.add(now_ns, frames_came)
            self.bytes += size
            self.last_recv_ns = now_ns

    def status(self, now_ns: int, *, frames: int, **link: Any) -> TopicStatus:
        """The topic's status; ``frames`` came in all, ``link`` is what its connection says."""
        latest = self.store.latest
        lag_ms = (
            (latest.recv_ns - latest.timestamp) / 1e6 if latest is not None and latest.timestamp is not None else None
        )
        with self.lock:
            rate_hz = self._meter.rate(now_ns)
        quiet_s = None if self.last_recv_ns is None else max(0.0, (now_ns - self.last_recv_ns) / 1e9)
        return TopicStatus(
            name=self.name,
            messages=frames + self.control,
            rows=len(self.store),
            bytes=self.bytes,
            rate_hz=rate_hz,
            lag_ms=lag_ms,
            undecoded=self.undecoded,
            control=self.control,
            dropped=self.store.dropped,
            suppressed=self.suppressed,
            last_recv_ns=self.last_recv_ns,
            staleness_s=quiet_s,
            stale=(self.idle is not None and self.idle.idle) or self._feed.is_silent(self),
            **link,
        )


def _rows(n: int, kind: str = "") -> str:
    return f"{n:,} {kind}row{'' if n == 1 else 's'}"


def _count(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadOptionType(f"{name}={value!r}: a whole number of rows was expected")
    if value < 1:
        raise BadOption(f"{name}={value}: at least 1 row was expected")
    return value
