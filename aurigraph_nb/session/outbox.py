"""What the user sends while there is no connection: kept in order up to a limit, or refused, and counted either way.

The rules: with a connection a message goes out, behind those that still wait. Without one it is queued, if the system
has a queue (:data:`SEND_QUEUES`) and there is room; else it is dropped. A full queue drops the *new* message: what was
promised to those before it is kept. Nobody is left in the dark: :meth:`Outbox.offer` says what became of the message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Generic, Literal, TypeAlias, TypeVar

from aurigraph_nb.errors import BadOption, BadOptionType

SEND_QUEUES: Mapping[str, int] = MappingProxyType({"fakeai": 100})
"""How many outgoing messages each protocol keeps while offline; none for those not named."""

Sent: TypeAlias = Literal["sent", "queued", "dropped"]
"""What became of an outgoing message: handed to the connection, kept for the next one, or refused."""

M = TypeVar("M")


class Outbox(Generic[M]):
    """A bounded queue of outgoing messages. The books balance: offered = sent + queued + dropped.

    Args:
        limit: how many messages may wait; 0 for no queue.

    Raises:
        BadOption: ``limit`` is negative; BadOptionType: it is no whole number.

    >>> box: Outbox[str] = Outbox(limit=1)
    >>> box.offer("a", connected=False), box.offer("b", connected=False)
    ('queued', 'dropped')
    >>> box.drain(), box.offer("c", connected=True)
    (['a'], 'sent')
    """

    def __init__(self, limit: int) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise BadOptionType(f"send_queue={limit!r}: expected a whole number of messages, 0 for no queue")
        if limit < 0:
            raise BadOption(f"send_queue={limit!r}: expected 0 (no queue) or more")
        self.limit = limit
        self._waiting: deque[M] = deque()
        self._sent = 0
        self._dropped = 0

    @property
    def queued(self) -> int:
        """Messages that wait now."""
        return len(self._waiting)

    @property
    def sent(self) -> int:
        """Messages handed to a connection, ever."""
        return self._sent

    @property
    def dropped(self) -> int:
        """Messages refused, ever."""
        return self._dropped

    def offer(self, message: M, connected: bool) -> Sent:
        """Take a message of the user's, or say that it was dropped.

        Args:
            message: the message as it goes out.
            connected: whether there is a connection. If so, and nothing waits, the caller has to send the message; if
                something waits, that goes first, and the message is queued behind it for the next :meth:`drain`.
        """
        if connected and not self._waiting:
            self._sent += 1
            return "sent"
        if len(self._waiting) >= self.limit:
            self._dropped += 1
            return "dropped"
        self._waiting.append(message)
        return "queued"

    def refuse(self) -> Sent:
        """Count a message that cannot even wait: the server does not read."""
        self._dropped += 1
        return "dropped"

    def drain(self) -> list[M]:
        """All that waits, in the order in which it was offered; the caller has to send it."""
        messages = list(self._waiting)
        self._waiting.clear()
        self._sent += len(messages)
        return messages

    def put_back(self, messages: Sequence[M]) -> int:
        """Take back drained messages that could not be sent: they wait again, in front of those that came later.

        If that is more than :attr:`limit`, the newest are dropped. Returns how many were.
        """
        self._waiting.extendleft(reversed(messages))
        self._sent -= len(messages)
        excess = max(0, len(self._waiting) - self.limit)
        for _ in range(excess):
            self._waiting.pop()
        self._dropped += excess
        return excess

    def __repr__(self) -> str:
        return f"Outbox(limit={self.limit}, queued={self.queued})"
