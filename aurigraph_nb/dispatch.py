"""User callbacks: one dispatcher thread runs them all, bounded and counted.

A slow callback delays other callbacks and nothing else: the feed goes on, and what a subscription's queue cannot hold
is dropped there, oldest first, and counted. An exception is counted, kept (its text) and never ends anything.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from .session import brief

QUEUE_ROWS = 100_000
"""Rows that a subscription may be behind."""

log = logging.getLogger("aurigraph_nb")


class CallbackErrors:
    """Exceptions out of the callbacks of one feed: how many, and the last one."""

    def __init__(self) -> None:
        self.count = 0
        self.last: str | None = None

    def add(self, fn: Callable[..., Any], exc: BaseException) -> None:
        self.count += 1
        name = getattr(fn, "__qualname__", type(fn).__name__)
        where = traceback.extract_tb(exc.__traceback__)
        line = f" (line {where[-1].lineno})" if where else ""
        self.last = f"{name}: {type(exc).__name__}: {str(exc)[:300]}{line}"
        log.warning("callback %s raised %s", name, type(exc).__name__)

    def __repr__(self) -> str:
        if not self.count:
            return "<CallbackErrors: none>"
        return f"<CallbackErrors: {self.count:,}, the last: {brief(self.last, 120)}>"


class Subscription:
    """A callback bound to a topic. Close it, or use it as a context manager; closing twice is harmless."""

    def __init__(
        self,
        fn: Callable[[Any], object],
        *,
        where: Callable[[Any], object] | None,
        batch: bool,
        errors: CallbackErrors,
        on_close: Callable[[Subscription], None],
    ) -> None:
        self._fn, self._where, self._batch, self._errors, self._on_close = fn, where, batch, errors, on_close
        self._waiting: deque[Sequence[Any]] = deque()
        self._rows = 0
        self._lock = threading.Lock()
        self._running = threading.RLock()
        self._scheduled = False
        self.closed = False
        self.called = 0
        """How often the callback was called."""
        self.dropped = 0
        """Rows that the callback never saw because it was too slow."""

    def close(self) -> None:
        """End the subscription. What was not delivered yet is not delivered any more."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
            self._waiting.clear()
            self._rows = 0
        self._on_close(self)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Subscription {'closed' if self.closed else 'open'}>"

    @property
    def pending(self) -> int:
        """Rows that wait to be delivered."""
        return self._rows

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing runs."""
        with self._lock:
            return self.closed or not (self._scheduled or self._waiting)

    def offer(self, records: Sequence[Any]) -> None:
        """New rows; called where they arrive, returns at once."""
        with self._lock:
            if self.closed:
                return
            self._waiting.append(records)
            self._rows += len(records)
            while self._rows > QUEUE_ROWS and len(self._waiting) > 1:
                lost = self._waiting.popleft()
                self._rows -= len(lost)
                self.dropped += len(lost)
            schedule, self._scheduled = not self._scheduled, True
        if schedule:
            dispatcher().put(self)

    def run(self) -> None:
        """Deliver one portion; called on the dispatcher thread."""
        with self._lock:
            records: Sequence[Any] = self._waiting.popleft() if self._waiting else ()
            if self._batch and self._waiting:  # who takes lists gets all that waits in one
                records = list(itertools.chain(records, *self._waiting))
                self._waiting.clear()
            self._rows -= len(records)
        try:
            self._deliver(records)
        finally:
            with self._lock:
                self._scheduled = again = bool(self._waiting) and not self.closed
            if again:
                dispatcher().put(self)

    def _deliver(self, records: Sequence[Any]) -> None:
        if self._where is not None:
            records = [r for r in records if self._guarded(self._where, r)]
        if self._batch:
            if records and not self.closed:
                self.called += 1
                self._guarded(self._fn, list(records))
            return
        for record in records:
            if self.closed:
                return
            self.called += 1
            self._guarded(self._fn, record)

    def _guarded(self, fn: Callable[[Any], object], argument: Any) -> object:
        try:
            return fn(argument)
        except BaseException as exc:  # noqa: BLE001 - not even sys.exit() in a callback may end the callbacks of all
            self._errors.add(fn, exc)
            return None


class Dispatcher:
    """The thread that runs callbacks, started at the first one."""

    NAME = "aurigraph-nb-callbacks"

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Subscription] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main, name=self.NAME, daemon=True)
        self._thread.start()

    def put(self, subscription: Subscription) -> None:
        self._queue.put(subscription)

    @property
    def here(self) -> bool:
        return threading.current_thread() is self._thread

    def _main(self) -> None:
        while True:
            try:
                self._queue.get().run()
            except Exception:
                log.exception("a fault in the delivery of callbacks")


_lock = threading.Lock()
_dispatcher: Dispatcher | None = None


def here() -> bool:
    """Whether the caller is on the callback thread."""
    return _dispatcher is not None and _dispatcher.here


def forget() -> None:
    """In a forked child: the thread did not come along."""
    global _dispatcher, _lock
    _lock, _dispatcher = threading.Lock(), None


def dispatcher() -> Dispatcher:
    """The process's dispatcher."""
    global _dispatcher
    with _lock:
        if _dispatcher is None:
            _dispatcher = Dispatcher()
        return _dispatcher
