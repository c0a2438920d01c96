"""One connection on the sending side: bounded, counted, never waited for by the others.

A frame is made once for all connections that do not compress. What a connection does not take in time waits in its
transport's buffer; when that is full, the connection loses frames, and only it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from websockets.frames import Frame, Opcode
from websockets.protocol import State

from ..clock import Lockstep
from .guest import Guest
from .mischief import Mischief
from .systems import Emission, Talk

CLOSE_TIMEOUT_S = 2.0
"""How long a client may take to answer a close frame."""


class Parcel:
    """Some frames of one topic, on their way to all of its connections; or to one, where each has its own.

    :param repeats: how many of them are there once more
    """

    def __init__(self, payloads: Sequence[bytes], repeats: int = 0) -> None:
        self.payloads = payloads
        self.repeats = repeats
        self._plain: bytes | None = None

    @property
    def plain(self) -> bytes:
        """What goes over a socket without compression; made when the first connection asks."""
        if self._plain is None:
            self._plain = b"".join([Frame(Opcode.TEXT, p).serialize(mask=False) for p in self.payloads])
        return self._plain


class Outlet:
    """A connection and what was sent over it.

    :param topic: or the system
    :param lockstep: what holds a virtual clock while frames are on their way; None for a client that lives elsewhere
    :param limit: bytes that may wait in its buffer
    """

    def __init__(self, connection: Guest, topic: str, lockstep: Lockstep | None, limit: int) -> None:
        self.connection = connection
        self.topic = topic
        self.talk: Talk | None = None
        """Where the client is spoken with; topics do not."""
        self.mischief: Mischief | None = None
        """What is to go wrong with the next frames."""
        self.mute = False
        """Whether it is half open: nothing is sent any more, not even a close."""
        self.slow = False
        """It was waited for in vain; it is not waited for again until it has caught up."""
        self._lockstep = lockstep
        self._limit = limit

    @property
    def open(self) -> bool:
        return self.connection.state is State.OPEN and not self.connection.transport.is_closing()

    @property
    def waiting_bytes(self) -> int:
        return self.connection.transport.get_write_buffer_size()

    @property
    def congested(self) -> bool:
        """Whether it has more to take than is good; tells a slow one that it has caught up, too."""
        waiting = self.waiting_bytes if self.open else 0
        if self.slow and waiting <= self._limit // 16:
            self.slow = False
        return waiting > self._limit // 8

    def send(self, parcel: Parcel) -> bool:
        """Send all of the parcel, or drop it whole because the buffer is full."""
        if self._lockstep is None and self.waiting_bytes >= self._limit:
            return False
        self._announce(len(parcel.payloads))
        protocol = self.connection.protocol
        if not protocol.extensions:
            self.connection.transport.write(parcel.plain)
            return True
        for payload in parcel.payloads:
            protocol.send_text(payload)
        self.connection.transport.write(b"".join(protocol.data_to_send()))
        return True

    def send_frame(self, text: bool, data: bytes) -> bool:
        """Send one frame as it is, or drop it because the buffer is full."""
        if self._lockstep is None and self.waiting_bytes >= self._limit:
            return False
        self.send_garbage(text, data)
        return True

    def send_garbage(self, text: bool, data: bytes) -> None:
        """Send one frame as it is, uncompressed, whether it makes sense or not."""
        self._announce(1)
        self.connection.transport.write(Frame(Opcode.TEXT if text else Opcode.BINARY, data).serialize(mask=False))

    def frames(self, emission: Emission) -> list[bytes]:
        """What of a system's emission goes over this connection."""
        return [] if self.talk is None else self.talk.frames(emission)

    # Faults

    def plan(self, kind: str, count: int) -> None:
        """Let ``count`` more frames come twice (``duplicate``) or late (``reorder``)."""
        if self.mischief is None:
            self.mischief = Mischief()
        if kind == "duplicate":
            self.mischief.duplicate += count
        else:
            self.mischief.reorder += count

    def confuse(self, parcel: Parcel) -> Parcel:
        """The parcel as mischief wants it."""
        assert self.mischief is not None
        payloads, repeats = self.mischief.apply(parcel.payloads)
        if self.mischief.over:
            self.mischief = None
        return Parcel(payloads, parcel.repeats + repeats)

    def fall_silent(self) -> None:
        """Say nothing any more, while the TCP connection stays."""
        self.mute = True
        self.connection.fall_silent()

    # The end

    async def close(self, code: int, reason: str) -> None:
        """Close with a handshake, or by force if the client takes too long. The closing is on its way like a frame."""
        if not self.open:
            return
        if self.mute:
            self.abort()
            return
        self._announce(1)
        try:
            # The library bounds its wait for the answer, but not the one for room in a full buffer.
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.connection.close(code, reason)
        except TimeoutError:
            self.connection.transport.abort()

    def abort(self) -> None:
        """Cut the TCP connection; what waits in the buffer is lost."""
        self._announce(1)
        self.connection.transport.abort()

    def _announce(self, count: int) -> None:
        if self._lockstep is not None:
            self._lockstep.sent(count)
