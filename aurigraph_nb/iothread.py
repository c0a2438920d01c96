"""The I/O thread: one daemon thread with its own event loop, shared by all connections of the process.

A cell that blocks the kernel's main thread therefore stops no feed. Everything that touches a socket runs here; the
rest of the package hands work over with :meth:`IoThread.run` (and waits) or :meth:`IoThread.submit` (and does not).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from .errors import WrongThread

T = TypeVar("T")

NAME = "aurigraph-nb-io"


LOOP_VARIABLE = "AURIGRAPH_IO_LOOP"
"""Environment variable: "asyncio" keeps to Python's own loop where uvloop is installed."""


def new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, where it is installed (the extra [fast] brings it), else Python's own."""
    if os.environ.get(LOOP_VARIABLE) != "asyncio":
        with contextlib.suppress(ImportError):
            import uvloop

            return cast("asyncio.AbstractEventLoop", uvloop.new_event_loop())
    return asyncio.new_event_loop()


class IoThread:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self.loop = new_loop()
        self._thread = threading.Thread(target=self._main, name=NAME, daemon=True)
        self._thread.start()

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    @property
    def here(self) -> bool:
        """Whether the caller is on this thread."""
        return threading.current_thread() is self._thread

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start ``work`` on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def run(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run ``work`` on the loop and wait for its result.

        :param timeout: seconds, None for ever; what has not ended by then is cancelled
        :raises WrongThread: if called on the I/O thread, which would wait for itself
        :raises TimeoutError: after ``timeout``
        """
        if self.here:
            work.close()
            raise WrongThread(
                "a waiting call was made on the I/O thread, which would wait for itself for ever; "
                "call it from a cell, a script or a callback of on_record (they run on other threads)"
            )
        future = self.submit(work)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    def call(self, fn: Callable[[], object]) -> None:
        """Run ``fn`` on the loop soon."""
        self.loop.call_soon_threadsafe(fn)


async def off_loop(fn: Callable[[], T], timeout_s: float) -> T:
    """Run a blocking ``fn`` on a daemon thread of its own, so that not even the end of the process waits for it.

    :raises TimeoutError: after ``timeout_s``; what ``fn`` brings later is dropped
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(cast("T", result))
        else:
            done.set_exception(error)

    def run() -> None:
        try:
            outcome: tuple[T | None, BaseException | None] = (fn(), None)
        except Exception as exc:  # noqa: BLE001 - it is raised again where it is awaited
            outcome = (None, exc)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, name=f"{NAME}-errand", daemon=True).start()
    return await asyncio.wait_for(done, timeout_s)


_lock = threading.Lock()
_current: tuple[int, IoThread] | None = None


def get() -> IoThread:
    """The process's I/O thread, started at the first call (and anew in a forked child)."""
    global _current
    with _lock:
        if _current is None or _current[0] != os.getpid():
            _current = (os.getpid(), IoThread())
        return _current[1]
