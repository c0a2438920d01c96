"""Frames that come twice or in the wrong order, on one connection. Pure."""

from __future__ import annotations

from collections.abc import Sequence


class Mischief:
    """What is still to be done wrong on a connection."""

    def __init__(self) -> None:
        self.duplicate = 0
        """Frames to send twice."""
        self.reorder = 0
        """Frames to send after the one that follows them."""
        self._held: bytes | None = None

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return not (self.duplicate or self.reorder or self._held)

    @property
    def holds(self) -> bool:
        """Whether a frame waits for the one that follows it."""
        return self._held is not None

    def apply(self, payloads: Sequence[bytes]) -> tuple[list[bytes], int]:
        """What to send in place of ``payloads``, and how many of these are repeats."""
        out: list[bytes] = []
        repeats = 0
        for payload in payloads:
            if self._held is None and self.reorder:
                self.reorder -= 1
                self._held = payload
                continue
            out.append(payload)
            if self.duplicate:
                self.duplicate -= 1
                out.append(payload)
                repeats += 1
            out += self.release()
        return out, repeats

    def forget(self) -> None:
        """Let no more frames come twice or late; one that waits for the next still does."""
        self.duplicate = self.reorder = 0

    def release(self) -> list[bytes]:
        """The frame that is held back, if there is one."""
        held, self._held = self._held, None
        return [] if held is None else [held]
