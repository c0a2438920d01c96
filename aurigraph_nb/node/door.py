"""The door of a node: the listening socket, handshakes, and what clients say."""

from __future__ import annotations

import asyncio
import http as status_codes
import logging
import weakref

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request, Response
from websockets.protocol import State

from ..clock import Clock
from .faults import Fault
from .http import Answer, Site
from .hub import Hub
from .options import FRAME_LIMIT, NodeOptions
from .outlet import CLOSE_TIMEOUT_S, Outlet
from .ports import Port
from .stats import Books

LOG = logging.getLogger("aurigraph_nb.node")
LOG.addHandler(logging.NullHandler())

RETRY_AFTER_S = 5
"""What a client is told that finds the node full."""
SHUT_TIMEOUT_S = 5.0
LOCKSTEP_HEADER = "X-Aurigraph-Lockstep"


class Door:
    """Lets connections in and hands them to the hub.

    :param options: of the node
    :param clock: the node's
    """

    def __init__(self, options: NodeOptions, clock: Clock, hub: Hub, books: Books) -> None:
        self._options = options
        self._clock = clock
        self._hub = hub
        self._books = books
        self._site = Site(options.path_prefix, options.cors, options.down_at)
        self._port = Port(options.host, options.port)
        self._listening: Server | None = None
        self._guests: weakref.WeakSet[ServerConnection] = weakref.WeakSet()
        self._farewell: tuple[int, str] | None = None  # how who comes in is closed at once
        self._refusal: tuple[Fault, int | None] | None = None  # and until when

    @property
    def port(self) -> int:
        """The port's number; 0 before the first :meth:`open`, if any free one was asked for."""
        return self._port.number

    async def open(self) -> None:
        """Listen.

        Raises:
            BadOption: the address cannot be listened on.
        """
        options = self._options
        level = options.compression_level
        deflate = ServerPerMessageDeflateFactory(
            server_max_window_bits=12, client_max_window_bits=12, compress_settings={"level": level, "memLevel": 5}
        )
        listener = self._port.listener()
        try:
            self._listening = await serve(
                self._handle,
                sock=listener,
                backlog=1024,
                ssl=options.ssl,
                process_request=self._process_request,
                compression=None,
                extensions=[] if level is None else [deflate],
                max_size=(options.max_size, min(options.max_size, FRAME_LIMIT)),
                ping_timeout=60,
                close_timeout=CLOSE_TIMEOUT_S,
                server_header="aurigraph-nb",
                logger=LOG,
                create_connection=self._guest_type(),
            )
        except BaseException:
            listener.close()
            raise
        self._farewell = None

    async def shut(self, code: int, reason: str) -> None:
        """Stop listening, then close what is open. Harmless when shut, and may be done again when interrupted."""
        listening = self._listening
        if listening is None:
            return
        listening.close(close_connections=False)
        await self.see_out(code, reason)
        for guest in list(self._guests):
            if guest.state is State.CONNECTING:
                guest.transport.abort()  # came in and said nothing yet, as browsers do in advance
        try:
            async with asyncio.timeout(SHUT_TIMEOUT_S):
                await listening.wait_closed()
        except TimeoutError:
            LOG.warning("connections were still open %s s after the node stopped", SHUT_TIMEOUT_S)
        self._listening = None

    async def see_out(self, code: int, reason: str) -> None:
        """Close what is open, and whoever comes in from now on."""
        self._farewell = (code, reason)
        await self._hub.close(code, reason)

    def release(self) -> None:
        """Give the port up."""
        self._port.release()

    def refuse(self, fault: Fault, until_ns: int | None) -> None:
        """Refuse handshakes as the fault says, until that time of the clock (None: until :meth:`admit`)."""
        self._refusal = (fault, until_ns)

    def admit(self) -> None:
        """End a refusal."""
        self._refusal = None

    def _guest_type(self) -> type[ServerConnection]:
        guests = self._guests

        class Guest(ServerConnection):
            """A connection that the door knows of before its handshake is over."""

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                guests.add(self)

        return Guest

    async def _handle(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None  # the handshake is over
        name = request.headers.get(LOCKSTEP_HEADER)
        lockstep = None if name is None else self._clock.lookup(name)
        topic = self._site.topics[request.path.partition("?")[0]]
        outlet = Outlet(connection, topic, lockstep, self._options.buffer_bytes)
        if self._farewell is not None:
            await outlet.close(*self._farewell)
            return
        if self._full:  # several may have passed the check of their handshakes at the same time
            await outlet.close(1013, "too many connections")
            return
        self._hub.add(outlet)
        try:
            async for message in connection:
                self._received(message)
        except ConnectionClosed:
            pass  # how it ended is the client's matter
        finally:
            self._hub.remove(outlet)

    def _received(self, message: str | bytes) -> None:
        """Clients of these streams have nothing to say; some send a heartbeat all the same."""
        try:
            heartbeat = len(message) < 1_000 and msgspec.json.decode(message)["type"] == "ping"
        except (msgspec.MsgspecError, UnicodeError, RecursionError, KeyError, TypeError, IndexError):
            heartbeat = False
        if heartbeat:
            self._books.pings += 1
        else:
            self._books.ignored += 1

    # Handshakes

    def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        origins = request.headers.get_all("Origin")
        origin = ", ".join(origins) if origins else None
        routed = self._site.route(
            request.method, request.path, origin, lambda: self._books.snapshot(self._hub.connections)
        )
        if isinstance(routed, Answer):
            return _response(routed)
        refusal = self._ordered_refusal(routed) or self._full_refusal()
        if refusal is None:
            return None
        self._books.refused += 1
        return _response(refusal)

    def _ordered_refusal(self, topic: str) -> Answer | None:
        if self._refusal is None:
            return None
        fault, until_ns = self._refusal
        if until_ns is not None and self._clock.now_ns() >= until_ns:
            self._refusal = None
            return None
        if topic not in fault.topics:
            return None
        after = fault.retry_after_s
        headers = () if after is None else (("Retry-After", str(after)),)
        return Answer(fault.status, b"Refused by order.\n", headers=headers)

    def _full_refusal(self) -> Answer | None:
        if not self._full:
            return None
        text = f"All {self._options.max_connections} connections of this node are taken.\n"
        return Answer(503, text.encode(), headers=(("Retry-After", str(RETRY_AFTER_S)),))

    @property
    def _full(self) -> bool:
        return sum(self._hub.connections.values()) >= self._options.max_connections


def _response(answer: Answer) -> Response:
    headers = Headers(answer.headers)
    headers["Connection"] = "close"
    if answer.status != 204:
        headers["Content-Type"] = answer.content_type
        headers["Content-Length"] = str(len(answer.body))
    return Response(answer.status, status_codes.HTTPStatus(answer.status).phrase, headers, answer.body)
