"""The thread that seals: of every segment that ended it has the typed files made, one after the other."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from ..errors import AurigraphError

RETRY_S = 30.0
"""After a failure it is tried again so much later."""

log = logging.getLogger("aurigraph_nb")


class Sealing(threading.Thread):
    """Seals segments in their order. A failure loses nothing: the journal has it all, and it is tried again.

    :param seal: seals a segment, by its number
    :param copy: copies what was sealed elsewhere; called when nothing waits to be sealed
    :param last_words: writes down how the recording ended, once all that can be sealed is
    :param on_end: called last
    """

    def __init__(
        self,
        name: str,
        *,
        seal: Callable[[int], object],
        copy: Callable[[], object] | None,
        last_words: Callable[[], object],
        on_end: Callable[[], None],
        retry_s: float = RETRY_S,
    ) -> None:
        super().__init__(name=f"aurigraph-nb-sealing-{name}", daemon=True)
        self._seal, self._copy, self._last_words, self._on_end = seal, copy, last_words, on_end
        self._retry_s = retry_s
        self._news = threading.Condition()
        self._waiting: deque[int] = deque()
        self._to_copy = False
        self._finishing = False
        self._errors: dict[str, str] = {}

    @property
    def error(self) -> str | None:
        """Why the last attempt to seal, or to copy, failed; None if neither did."""
        return next(iter(list(self._errors.values())), None)

    @property
    def backlog(self) -> int:
        """Segments that wait."""
        return len(self._waiting)

    def put(self, segment: int) -> None:
        """A segment has ended."""
        with self._news:
            self._waiting.append(segment)
            self._news.notify_all()

    def finish(self) -> None:
        """Nothing more comes. What waits is tried once more, and then the thread ends."""
        with self._news:
            self._finishing = True
            self._news.notify_all()

    def run(self) -> None:
        """Seal until the end."""
        try:
            while self._wait():
                if not self._next() and not self._pause():
                    break
            if self._try("end", self._last_words) and self._copy is not None:
                self._try("copy", self._copy)
        finally:
            self._on_end()

    def _wait(self) -> bool:
        """Wait for something to do; False if nothing more comes."""
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._to_copy or self._finishing)
            return bool(self._waiting) or (self._to_copy and not self._finishing)

    def _next(self) -> bool:
        """Do the next thing; returns whether it succeeded."""
        if self._waiting:
            if not self._try("seal", lambda: self._seal(self._waiting[0])):
                return False
            self._waiting.popleft()
            self._to_copy = self._copy is not None
            return True
        assert self._copy is not None
        self._to_copy = not self._try("copy", self._copy)
        return not self._to_copy

    def _try(self, what: str, work: Callable[[], object]) -> bool:
        try:
            work()
        except Exception as exc:  # noqa: BLE001 - whatever it was, it is told, and the recording goes on
            self._errors[what] = str(exc) if isinstance(exc, AurigraphError) else f"{type(exc).__name__}: {exc}"
            log.warning("sealing a recording failed: %s", self._errors[what])
            return False
        self._errors.pop(what, None)
        return True

    def _pause(self) -> bool:
        """Wait before the next attempt; False if there is none, because the recording is over."""
        with self._news:
            if self._finishing:
                return False
            self._news.wait_for(lambda: self._finishing, self._retry_s)
            return True
