"""Is the other side still there, and how far away is it? Decides when to ask and what silence means.

The rules: a heartbeat is due as soon as a connection opens (unless told otherwise), then every ``interval_s``. *Any*
frame that comes counts as life, not only the answer (there are servers that answer a heartbeat with an error, or with
nothing but their data). Only if nothing at all comes within ``timeout_s`` of a heartbeat is the connection dead, and
only where the system promises an answer. The round trip is measured by answers alone, and never from an answer that
may belong to an earlier heartbeat.

Nothing here reads a clock: every time is an argument, in nanoseconds since 1970 UTC. A clock that was set back delays
neither the next heartbeat nor the verdict by more than their own length, counted from the next word.
"""

from __future__ import annotations

from aurigraph_nb.session.backoff import _number

SHORTEST_S = 0.001
"""No wait of this package's own making is shorter, so that a mistyped option cannot flood a server."""


class Heartbeat:
    """When to send a heartbeat on one connection after another, and when silence after one means death.

    Args:
        interval_s: seconds between two heartbeats, at least 0.001.
        timeout_s: seconds of silence after a heartbeat that mean death, at least 0.001.
        answered: whether the system promises an answer; if not, silence never means death.

    Raises:
        BadOption: a number is out of range; BadOptionType: it is none.

    >>> heart = Heartbeat(interval_s=30, timeout_s=5)
    >>> heart.opened(0)
    >>> heart.due_ns, heart.deadline_ns
    (0, None)
    >>> heart.sent(0)
    >>> heart.due_ns, heart.deadline_ns
    (30000000000, 5000000000)
    >>> heart.heard(12_000_000, pong=True)
    >>> heart.latency_ms, heart.deadline_ns, heart.dead(9_000_000_000)
    (12.0, None, False)
    """

    def __init__(self, interval_s: float = 30.0, timeout_s: float = 5.0, answered: bool = True) -> None:
        _number("heartbeat_interval_s", interval_s, low=SHORTEST_S)
        _number("heartbeat_timeout_s", timeout_s, low=SHORTEST_S)
        self.answered = answered
        self._interval_ns = round(interval_s * 1e9)
        self._timeout_ns = round(timeout_s * 1e9)
        self._forget()

    def _forget(self) -> None:
        self._next_ns: int | None = None  # when the next heartbeat is due; None without a connection
        self._asked_ns: int | None = None  # when the heartbeat went out that nothing has come after yet
        self._sent_ns = 0  # when the last heartbeat went out
        self._unanswered = 0  # heartbeats without a pong; from 2 on nobody knows whose pong the next one is
        self._latency_ms: float | None = None

    @property
    def due_ns(self) -> int | None:
        """When the next heartbeat is to be sent; None without a connection.

        While a verdict is open that is not before :attr:`deadline_ns`, so at most one heartbeat is waited for.
        """
        deadline = self.deadline_ns
        if self._next_ns is None or deadline is None:
            return self._next_ns
        return max(self._next_ns, deadline)

    @property
    def deadline_ns(self) -> int | None:
        """When silence becomes death; None if no heartbeat is out that nothing came after, or no answer is promised."""
        if not self.answered or self._asked_ns is None:
            return None
        return self._asked_ns + self._timeout_ns

    @property
    def latency_ms(self) -> float | None:
        """The last round trip measured on this connection, milliseconds; None if there was none yet."""
        return self._latency_ms

    def opened(self, now_ns: int, at_once: bool = True) -> None:
        """A connection opened: the first heartbeat is due at once.

        Args:
            now_ns: when it opened.
            at_once: False if the first is due after an interval only (there are servers that close on an early frame).
        """
        self._forget()
        self._next_ns = now_ns if at_once else now_ns + self._interval_ns

    def sent(self, now_ns: int) -> None:
        """A heartbeat went out. Without a connection that changes nothing."""
        if self._next_ns is None:
            return
        self._next_ns = now_ns + self._interval_ns
        self._sent_ns = now_ns
        self._unanswered += 1
        if self._asked_ns is None:
            self._asked_ns = now_ns

    def heard(self, now_ns: int, pong: bool = False) -> None:
        """A frame came, of whatever kind: the connection lives. Without a connection that changes nothing.

        Args:
            now_ns: when it was received.
            pong: whether it answers a heartbeat; that alone measures the latency.
        """
        if self._next_ns is None:
            return
        if pong:
            if self._unanswered == 1 and now_ns >= self._sent_ns:
                self._latency_ms = (now_ns - self._sent_ns) / 1e6
            self._unanswered = 0
        self._asked_ns = None
        self._follow(now_ns)

    def dead(self, now_ns: int) -> bool:
        """Whether a heartbeat went out, nothing at all came since, and the time for that is over."""
        self._follow(now_ns)
        deadline = self.deadline_ns
        return deadline is not None and now_ns >= deadline

    def lost(self) -> None:
        """The connection is over: nothing is due and nothing is known. Harmless to repeat."""
        self._forget()

    def _follow(self, now_ns: int) -> None:
        """Follow a clock that was set back: no wait begins later than now."""
        if self._next_ns is not None:
            self._next_ns = min(self._next_ns, now_ns + self._interval_ns)
        if self._asked_ns is not None:
            self._asked_ns = min(self._asked_ns, now_ns)
