"""Which topics are wanted, and what is still to be said to the server about them.

The rules: a topic is asked for once on each connection. If the server acknowledges such requests and has not done so
``retry_s`` after one, the topic is asked for again, ``tries`` times in all; then it is given up until the next
connection (what data comes is taken all the same). There are servers that send everything twice to those who ask twice,
and on which the end of a subscription has no effect; so a topic that was let go and is wanted again is asked for again
only if the server had been told.

Nothing here reads a clock: every time is an argument, in nanoseconds since 1970 UTC.
"""

from __future__ import annotations

from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.session.backoff import _number
from aurigraph_nb.session.heartbeat import SHORTEST_S


class Subscriptions:
    """What to ask a server for, on one connection after another.

    Args:
        retry_s: seconds to wait for an acknowledgement, at least 0.001.
        tries: how often a topic is asked for on one connection at most, at least 1.

    Raises:
        BadOption: a number is out of range; BadOptionType: it is none.

    >>> subs = Subscriptions(retry_s=5, tries=3)
    >>> subs.want("blocks", acknowledged=True)
    >>> [topic for topic in subs.opened(0) if subs.ask(topic, 0)]
    ['blocks']
    >>> subs.ask("blocks", 1), subs.pending
    (False, ('blocks',))
    >>> subs.overdue(5_000_000_000)
    ['blocks']
    >>> subs.acknowledge("blocks"), subs.pending
    ('blocks', ())
    """

    def __init__(self, retry_s: float = 5.0, tries: int = 3) -> None:
        _number("retry_s", retry_s, low=SHORTEST_S)
        if isinstance(tries, bool) or not isinstance(tries, int):
            raise BadOptionType(f"tries={tries!r}: expected a whole number")
        if tries < 1:
            raise BadOption(f"tries={tries!r}: expected a whole number of at least 1")
        self.tries = tries
        self._retry_ns = round(retry_s * 1e9)
        self._wanted: dict[str, bool] = {}  # in order of the wish; whether its request is acknowledged
        self._connected = False
        self._forget()

    def _forget(self) -> None:
        self._asks: dict[str, int] = {}  # how often each was asked for on this connection
        self._pending: dict[str, int] = {}  # when it was asked for last, oldest first; no answer yet
        self._gave_up: set[str] = set()
        self._refused: set[str] = set()

    @property
    def wanted(self) -> tuple[str, ...]:
        """The topics that are wanted, in the order of the wish."""
        return tuple(self._wanted)

    @property
    def unasked(self) -> tuple[str, ...]:
        """The wanted topics that this connection was not asked for yet; none without a connection."""
        return tuple(t for t in self._wanted if t not in self._asks) if self._connected else ()

    @property
    def pending(self) -> tuple[str, ...]:
        """The wanted topics that were asked for and not acknowledged yet, those waiting longest first."""
        return tuple(self._pending)

    @property
    def gave_up(self) -> frozenset[str]:
        """The wanted topics that this connection did not acknowledge in all its tries."""
        return frozenset(self._gave_up)

    @property
    def refused(self) -> frozenset[str]:
        """The wanted topics that the server refused on this connection."""
        return frozenset(self._refused)

    @property
    def due_ns(self) -> int | None:
        """When :meth:`overdue` is worth calling; None if no answer is waited for."""
        return min(self._pending.values()) + self._retry_ns if self._pending else None

    def want(self, topic: str, acknowledged: bool) -> None:
        """From now on a topic is wanted, on every connection. Repeating the wish changes nothing but ``acknowledged``.

        Args:
            topic: its name.
            acknowledged: whether the server answers the request for it.
        """
        self._wanted[topic] = acknowledged
        if not acknowledged:
            self._settle(topic)

    def unwant(self, topic: str, told: bool = True) -> None:
        """A topic is not wanted any more; an unknown one is ignored.

        Args:
            topic: its name.
            told: whether the server is told, too. If so, it is asked anew when the topic is wanted again; if not (the
                system has no such message), it goes on sending, and a new wish has nothing to ask for.
        """
        self._wanted.pop(topic, None)
        self._settle(topic)
        if told:
            self._asks.pop(topic, None)

    def opened(self, now_ns: int) -> list[str]:
        """A connection opened. Returns the topics to ask for now (see :meth:`ask`), in the order of the wish."""
        self._connected = True
        self._forget()
        return list(self.unasked)

    def ask(self, topic: str, now_ns: int) -> bool:
        """Note that a topic is asked for now, if it is to be: True says "send it", False says "leave it".

        True if there is a connection, the topic is wanted, and it was not asked for on this connection before, or so
        long ago that an acknowledgement is overdue and another try is left.
        """
        if not self._connected or topic not in self._wanted or not self._open_to(topic, now_ns):
            return False
        self._asks[topic] = self._asks.get(topic, 0) + 1
        if self._wanted[topic]:
            self._pending.pop(topic, None)
            self._pending[topic] = now_ns
        return True

    def acknowledge(self, topic: str | None) -> str | None:
        """An acknowledgement came; data of the topic is as good as one.

        Args:
            topic: the topic that it names; None if it names none: then it is taken for the one waiting longest.

        Returns:
            the wanted topic that it was taken for; None if there is none, or no connection.
        """
        if topic is None:
            topic = next(iter(self._pending), None)
        if not self._connected or topic is None or topic not in self._wanted:
            return None
        self._asks.setdefault(topic, 0)  # told unasked: there is nothing left to ask for
        self._settle(topic)
        return topic

    def refuse(self, topic: str) -> None:
        """The server refused a topic: it is not asked for again on this connection."""
        if self._connected and topic in self._wanted:
            self._asks.setdefault(topic, 0)
            self._settle(topic)
            self._refused.add(topic)

    def overdue(self, now_ns: int) -> list[str]:
        """The topics to ask for again now (see :meth:`ask`), those waiting longest first.

        Those with no try left are moved to :attr:`gave_up`.
        """
        self._follow(now_ns)
        late = [t for t, asked_ns in self._pending.items() if now_ns - asked_ns >= self._retry_ns]
        for topic in late:
            if self._asks[topic] >= self.tries:
                del self._pending[topic]
                self._gave_up.add(topic)
        return [t for t in late if t in self._pending]

    def lost(self) -> None:
        """The connection is over; the wishes stay. Harmless to repeat."""
        self._connected = False
        self._forget()

    def _open_to(self, topic: str, now_ns: int) -> bool:
        if topic not in self._asks:
            return True
        asked_ns = self._pending.get(topic)
        return asked_ns is not None and now_ns - asked_ns >= self._retry_ns and self._asks[topic] < self.tries

    def _settle(self, topic: str) -> None:
        self._pending.pop(topic, None)
        self._gave_up.discard(topic)
        self._refused.discard(topic)

    def _follow(self, now_ns: int) -> None:
        """Follow a clock that was set back: nothing was asked for later than now."""
        for topic, asked_ns in self._pending.items():
            self._pending[topic] = min(asked_ns, now_ns)
