"""What a feed needs of a connection: a real one (:class:`~aurigraph_nb.client.Link`), or one that is played back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from . import session as fsm
from .protocols import Control


class FeedLink(Protocol):
    """One connection of a feed, over all its reconnects. Lives on the I/O loop; looked at from anywhere."""

    endpoint: str
    url: str
    topics: tuple[str, ...]
    session: fsm.Session
    why: str | None
    """Why the feed itself asked for a new connection, if it did."""
    frames: int
    """Frames received, whatever they were."""
    subscriptions: fsm.Subscriptions
    outbox: fsm.Outbox[str]

    @property
    def ended(self) -> bool:
        """The stream ended for good and in good order."""

    @property
    def latency_ms(self) -> float | None:
        """Round trip, ms, if it is known."""

    @property
    def waiting(self) -> int:
        """Messages of the user's that were not sent yet."""

    def handle(self, event: fsm.Event) -> None:
        """Take in what the user, or the feed, wants of the connection."""

    async def close(self) -> None:
        """End for good, and wait until nothing is left."""

    def send(self, message: str) -> fsm.Sent:
        """Send a text message, or queue it: "sent", "queued" or "dropped"."""

    def want(self, topic: str) -> None:
        """Subscribe a topic, now or when a connection stands."""

    def unwant(self, topic: str) -> None:
        """End a subscription."""

    def data_came(self, topics: Iterable[str] = ()) -> None:
        """Frames of data topics came."""

    def on_control(self, control: Control, recv_ns: int) -> Any:
        """A frame without data came."""
