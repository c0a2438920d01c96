"""The door of a node: the listening socket, handshakes, and who comes in.

The WebSocket library is given a log of its own that keeps to itself: its lines hold headers and messages, and those
hold tokens.
"""

from __future__ import annotations

import asyncio
import http as status_codes
import logging
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.typing import Subprotocol

from ..clock import Clock
from .faults import Fault
from .guest import Guest
from .http import Answer, Site
from .hub import Hub
from .options import FRAME_LIMIT, NodeOptions
from .outlet import CLOSE_TIMEOUT_S, Outlet
from .parlour import Parlour
from .ports import Port
from .stats import Books
from .systems.channels import NOT_AUTHENTICATED, SUBPROTOCOL, TOKEN_REFUSED
from .tokens import Verdict

LOG = logging.getLogger("aurigraph_nb.node")
LOG.addHandler(logging.NullHandler())

_quiet = logging.getLogger("aurigraph_nb.node.websockets")
_quiet.setLevel(logging.CRITICAL + 1)
_quiet.propagate = False

RETRY_AFTER_S = 5
"""What a client is told that finds the node full."""
SHUT_TIMEOUT_S = 5.0
LOCKSTEP_HEADER = "X-Aurigraph-Lockstep"
"""Names what holds a virtual clock while frames are on their way to this client."""
ANNOUNCED_HEADER = "X-Aurigraph-Lockstep-Sends"
"""The client announces its own messages there too; the node tells when it has heard one."""


class Door:
    """Lets connections in and hands them to the parlour.

    :param options: of the node
    :param clock: the node's
    :param chain: the statistics of the modelled network; None while there is none
    """

    def __init__(
        self, options: NodeOptions, clock: Clock, hub: Hub, books: Books, parlour: Parlour, chain: Callable[[], Any]
    ) -> None:
        self._options = options
        self._clock = clock
        self._hub = hub
        self._books = books
        self._parlour = parlour
        missing = 403 if "forbidden-paths" in options.quirks else 404
        self._site = Site(options.path_prefix, options.cors, options.down_at, chain, missing)
        self._port = Port(options.host, options.port)
        self._listening: Server | None = None
        self._guests: weakref.WeakSet[Guest] = weakref.WeakSet()
        self._farewell: tuple[int, str] | None = None  # how who comes in is closed at once
        self._refusal: tuple[Fault, int | None] | None = None  # and until when

    @property
    def port(self) -> int:
        """The port's number; 0 before the first :meth:`open`, if any free one was asked for."""
        return self._port.number

    @property
    def paths(self) -> dict[str, str]:
        """The streams that are served, by their paths; of several paths of one, the configured one."""
        return self._site.own_paths

    def serve_only(self, streams: Iterable[str]) -> None:
        """Leave all other streams out, and what is told of a modelled network."""
        self._site.keep_only(streams)

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
                logger=_quiet,
                select_subprotocol=_subprotocol,
                create_connection=cast("type[ServerConnection]", partial(Guest, known=self._guests)),
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
            # Some came in and said nothing yet, as browsers do in advance; some are half open.
            if guest.state is State.CONNECTING or guest.silent:
                guest.transport.abort()
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

    async def _handle(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None  # the handshake is over
        assert isinstance(connection, Guest)
        name = request.headers.get(LOCKSTEP_HEADER)
        lockstep = None if name is None else self._clock.lookup(name)
        stream = self._site.streams[request.path.partition("?")[0]]
        outlet = Outlet(connection, stream, lockstep, self._options.buffer_bytes)
        farewell = self._farewell_for(stream, request)
        if farewell is not None:
            await outlet.close(*farewell)
            return
        announced = lockstep if lockstep is not None and ANNOUNCED_HEADER in request.headers else None
        await self._parlour.receive(outlet, announced, authenticated=self._verdict(request) is Verdict.GRANTED)

    def _farewell_for(self, stream: str, request: Request) -> tuple[int, str] | None:
        """Code and reason to close a new connection with at once; None if it may stay."""
        if self._farewell is not None:
            return self._farewell
        if self._full:  # several may have passed the check of their handshakes at the same time
            return 1013, "too many connections"
        verdict = self._verdict(request)
        if self._may_pass(stream, verdict):
            return None
        self._books.denied += 1
        return NOT_AUTHENTICATED if verdict is Verdict.MISSING else TOKEN_REFUSED

    # Handshakes

    def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        origins = request.headers.get_all("Origin")
        origin = ", ".join(origins) if origins else None
        routed = self._site.route(
            request.method, request.path, origin, lambda: self._books.snapshot(self._hub.connections)
        )
        if isinstance(routed, Answer):
            return _response(routed)
        refusal = self._ordered_refusal(routed) or self._token_refusal(routed, request) or self._full_refusal()
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

    def _verdict(self, request: Request) -> Verdict:
        headers = request.headers
        return self._options.tokens.judge(request.path, headers.get_all("Authorization"), headers.get_all("Cookie"))

    @staticmethod
    def _may_pass(stream: str, verdict: Verdict) -> bool:
        return verdict.passes or (stream == "channels" and verdict is Verdict.MISSING)  # there it may come in a message

    def _token_refusal(self, stream: str, request: Request) -> Answer | None:
        verdict = self._verdict(request)
        if self._may_pass(stream, verdict) or "auth-after-upgrade" in self._options.quirks:
            return None
        self._books.denied += 1
        if verdict is Verdict.WRONG:
            return Answer(403, b"The token was refused.\n")
        text = b"A token is needed: Authorization: Bearer, ?token= or a cookie of that name.\n"
        return Answer(401, text, headers=(("WWW-Authenticate", "Bearer"),))

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


def _subprotocol(connection: ServerConnection, offered: object) -> Subprotocol | None:
    """The channel provider's relatives speak under a name of their own; who offers it is told yes."""
    known = Subprotocol(SUBPROTOCOL)
    return known if isinstance(offered, list | tuple) and known in offered else None
