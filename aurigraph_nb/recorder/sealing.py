"""The thread that seals: of every segment that ended it has the typed files made, one after the other."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from ..errors import AurigraphError
from .copying import Copying

RETRY_S = 30.0
"""After a failure it is tried again so much later."""

log = logging.getLogger("aurigraph_nb")


class Sealing(threading.Thread):
    """Seals segments in their order. A failure loses nothing: the journal has it all, and it is tried again.

    :param seal: seals a segment, by its number
    :param before: what is done first, once: sealing what recorders that are no more left unsealed
    :param copying: the thread that copies what is sealed to a mirror; it is started and ended with this one
    :param last_words: writes down how the recording ended, once all that can be sealed is
    :param on_end: called last
    """

    def __init__(
        self,
        name: str,
        *,
        seal: Callable[[int], object],
        before: Callable[[], object] | None = None,
        copying: Copying | None = None,
        last_words: Callable[[], object],
        on_end: Callable[[], None],
        retry_s: float = RETRY_S,
    ) -> None:
        super().__init__(name=f"aurigraph-nb-sealing-{name}", daemon=True)
        self._seal, self._before, self._last_words, self._on_end = seal, before, last_words, on_end
        self._copying = copying
        self._retry_s = retry_s
        self._news = threading.Condition()
        self._waiting: deque[int] = deque()
        self._finishing = False
        self._errors: dict[str, str] = {}

    @property
    def error(self) -> str | None:
        """Why the last attempt to seal, or to copy, failed; None if neither did."""
        found = next(iter(list(self._errors.values())), None)
        return self._copying.error if found is None and self._copying is not None else found

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

    def hurry(self) -> None:
        """Nobody wants to wait for a mirror any more."""
        if self._copying is not None:
            self._copying.hurry()

    def run(self) -> None:
        """Seal until the end."""
        try:
            if self._before is not None:
                self._try("before", self._before)
            if self._copying is not None:
                self._copying.start()
            while self._wait():
                last = self._finishing
                if self._next():
                    continue
                if last:
                    break
                self._pause()
            self._try("end", self._last_words)
            if self._copying is not None:
                self._copying.finish()
        finally:
            self._on_end()

    def _wait(self) -> bool:
        """Wait for something to do; False if nothing more comes."""
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._finishing)
            return bool(self._waiting)

    def _next(self) -> bool:
        """Seal the next segment; returns whether it succeeded."""
        if not self._try("seal", lambda: self._seal(self._waiting[0])):
            return False
        self._waiting.popleft()
        if self._copying is not None and not self._waiting:
            self._copying.copy()
        return True

    def _try(self, what: str, work: Callable[[], object]) -> bool:
        try:
            work()
        except Exception as exc:  # noqa: BLE001 - whatever it was, it is told, and the recording goes on
            self._errors[what] = str(exc) if isinstance(exc, AurigraphError) else f"{type(exc).__name__}: {exc}"
            log.warning("sealing a recording failed: %s", self._errors[what])
            return False
        self._errors.pop(what, None)
        return True

    def _pause(self) -> None:
        """Wait before the next attempt."""
        with self._news:
            self._news.wait_for(lambda: self._finishing, self._retry_s)
