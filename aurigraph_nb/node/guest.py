"""A connection as the door has it: known before its handshake is over, and able to fall silent for good."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

from websockets.asyncio.server import ServerConnection


class Guest(ServerConnection):
    """A connection to a node.

    :param known: where it is put as soon as it stands
    """

    def __init__(self, *args: Any, known: weakref.WeakSet[Guest], **options: Any) -> None:
        super().__init__(*args, **options)
        self._known = known
        self._silent = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._known.add(self)

    @property
    def silent(self) -> bool:
        return self._silent

    def fall_silent(self) -> None:
        """Answer nothing any more, neither pings nor a close. What comes is still read, so the client's end is seen."""
        self._silent = True
        if self.keepalive_task is not None:
            self.keepalive_task.cancel()

    def send_data(self) -> None:
        """Write what the protocol has to say; or, when silent, let it be forgotten."""
        if self._silent:
            self.protocol.data_to_send()
        else:
            super().send_data()
