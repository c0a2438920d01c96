"""The thread that copies what is sealed to a mirror, so that no mirror holds anything up: neither sealing nor an end.

A mirror may accept a connection and never answer. While a recording goes on, that costs nothing but the copy. At its
end the mirror has some time; then it is let go. What was not copied is told, and copied by the next recorder of the
same recording and mirror, or by :class:`~aurigraph_nb.recording.mirror.Mirror`'s ``sync``.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol

from ..errors import AurigraphError, RecordingCorrupt
from ..recording.directory import Directory

RETRY_S = 30.0
"""After a failure it is tried again so much later."""
PATIENCE_S = 10.0
"""At the end of a recording: a mirror that has taken no file for so long is let go."""
MOST_S = 60.0
"""At the end of a recording: so long it may take altogether."""
_LOOK_S = 0.05

log = logging.getLogger("aurigraph_nb")


class Target(Protocol):
    """What is used of a mirror."""

    @property
    def url(self) -> str: ...
    @property
    def copied_files(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    def sync(self, directory: Directory, recorder: str | None = None) -> object: ...
    def stop(self) -> None: ...


class Copying(threading.Thread):
    """Copies the sealed segments of some recorders whenever it is asked to. A failure is told, and tried again.

    :param names: the recorders, in the order in which they are copied; the one whose thread this is comes last
    """

    def __init__(
        self,
        mirror: Target,
        directory: Directory,
        names: tuple[str, ...],
        *,
        retry_s: float = RETRY_S,
        patience_s: float = PATIENCE_S,
        most_s: float = MOST_S,
    ) -> None:
        super().__init__(name=f"aurigraph-nb-copying-{names[-1]}", daemon=True)
        self._mirror, self._directory, self._names = mirror, directory, names
        self._retry_s, self._patience_s, self._most_s = retry_s, patience_s, most_s
        self._news = threading.Condition()
        self._asked = self._finishing = False
        self._hurry = threading.Event()
        self._failed: str | None = None
        self._let_go: str | None = None  # stays, whatever an attempt that ends after it says

    @property
    def error(self) -> str | None:
        """Why not everything is there: why the last attempt failed, or that it was not waited for; None if it is."""
        return self._let_go or self._failed

    def copy(self) -> None:
        """Something new was sealed."""
        with self._news:
            self._asked = True
            self._news.notify_all()

    def hurry(self) -> None:
        """Nobody wants to wait for the end any more."""
        self._mirror.stop()
        self._hurry.set()

    def finish(self) -> None:
        """Copy for the last time, and wait for that: not for ever, whatever the mirror does."""
        with self._news:
            self._asked = self._finishing = True
            self._news.notify_all()
        if not self._wait_for_end():
            self._let_go = (
                f"{self._mirror.url} did not take everything in time ({self._mirror.waiting:,} sealed segments are not "
                "there, or not known to be); the next recorder with this mirror copies them"
            )
            self._mirror.stop()
            log.warning("copying a recording: %s", self._let_go)

    def _wait_for_end(self) -> bool:
        """Whether the thread has ended; False if it was not worth while to wait on."""
        begun = moved = time.monotonic()
        copied = self._mirror.copied_files
        while self.is_alive():
            self.join(_LOOK_S)
            now, files = time.monotonic(), self._mirror.copied_files
            if files != copied:
                copied, moved = files, now
            if self._hurry.is_set() or now - moved > self._patience_s or now - begun > self._most_s:
                return not self.is_alive()
        return True

    def run(self) -> None:
        """Copy until the end."""
        while self._wait():
            last = self._finishing
            if self._copy():
                continue
            if last:
                return
            self._pause()

    def _wait(self) -> bool:
        """Wait for something to copy; False if nothing more comes."""
        with self._news:
            self._news.wait_for(lambda: self._asked or self._finishing)
            asked, self._asked = self._asked, False
            return asked

    def _copy(self) -> bool:
        failed = {name: told for name in self._names if (told := self._sync(name)) is not None}
        earlier = [name for name in self._names[:-1] if name in failed]
        self._names = (*earlier, self._names[-1])  # those of them that are over there were at their end
        self._failed = next(iter(failed.values()), None)
        return not failed

    def _sync(self, name: str) -> str | None:
        """Copy what a recorder sealed; returns why that failed, None if it did not."""
        try:
            self._mirror.sync(self._directory, name)
        except Exception as exc:  # noqa: BLE001 - whatever it was, it is told, and the recording goes on
            told = str(exc) if isinstance(exc, AurigraphError) else f"{type(exc).__name__}: {exc}"
            log.warning("copying a recording failed: %s", told)
            if isinstance(exc, RecordingCorrupt) and name != self._names[-1]:
                return None  # of an earlier recorder; trying again would not help
            return told
        return None

    def _pause(self) -> None:
        """Wait before the next attempt."""
        with self._news:
            self._asked = True
            self._news.wait_for(lambda: self._finishing, self._retry_s)
