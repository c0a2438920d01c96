"""The node for people: synchronous, from a cell, a script or a callback."""

from __future__ import annotations

import ssl as tls
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .. import iothread
from ..clock import Clock
from ..durations import Duration, Moment
from . import options as node_options
from .server import NodeServer
from .stats import NodeStats
from .truth import Truth


class Node:
    """A local Aurigraph node: a seeded model of a network behind a real server.

    Beside the topic streams it speaks, on the same port, the live stream, the channel provider and the inference
    metrics stream (:attr:`system_urls`), and answers ``GET /api/v11/blockchain/stats``.

    The same seed gives the same frames, byte for byte. It can be started and stopped; after a stop it returns on the
    same port, and the network has gone on meanwhile.

    >>> with Node(seed=7, scenario="leader-churn") as node:
    ...     node.url.startswith("ws://127.0.0.1:")
    True

    :param seed: what all randomness comes from
    :param scenario: steady, spike, leader-churn, jailing, outage or partition
    :param rate: frames a second over all topics, reached after some seconds, when the first transactions settle; None:
        about 5 transactions a second. The transactions are adapted; there is always one in 10 s at least.
    :param validators: how many there are
    :param peers: how many there are
    :param shape: field names and units, ``server`` or ``portal``
    :param start: first time of a virtual clock; None: the real clock
    :param speed: seconds of virtual time in a real second; None: as fast as it goes
    :param duration: how long the run is; then every connection is closed with 1000 "end of run". None: for ever
    :param host: address to listen on
    :param port: 0: any free one
    :param clock: the clock to live on, instead of one made from ``start`` and ``speed``
    :param metrics_interval: seconds between two frames of metrics
    :param broadcast: False: accept connections, send nothing
    :param compression: ``deflate`` (used with clients that offer it) or None
    :param compression_level: 1 to 9
    :param max_size: bytes of an incoming message at most
    :param buffer_bytes: bytes that may wait for one slow connection before it loses frames
    :param ssl: serve ``wss`` with this context; or give ``tls_cert`` and ``tls_key``, PEM files
    :param cors: origins whose web pages may connect and read, or a :class:`Cors`; None: pages of this machine
    :param max_connections: further ones get 503
    :param down_at: connections from which on ``/q/health`` says DOWN
    :param path_prefix: where the topics are, next to ``/api/v11/ws``
    :param quirks: habits of real servers to have; those of :data:`~aurigraph_nb.node.QUIRKS`
    :param token: a token, or several, one of which every WebSocket needs: by ``Authorization: Bearer``, ``?token=``, a
        cookie ``token``, or (channels) in the first message. Never shown. None: nobody needs one
    :param inference_shape: how the inference metrics stream speaks: as ``documented``, or as the ``real`` server

    Raises:
        BadOption: an option, its value or its type is not accepted.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        scenario: str = "steady",
        rate: float | None = None,
        validators: int = 20,
        peers: int = 17,
        shape: str = "server",
        start: Moment | None = None,
        speed: float | None = 1.0,
        duration: Duration | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        metrics_interval: Duration = 1.0,
        broadcast: bool = True,
        compression: str | None = "deflate",
        compression_level: int = 6,
        max_size: int = 2**20,
        buffer_bytes: int = 8 * 2**20,
        ssl: tls.SSLContext | None = None,
        tls_cert: str | Path | None = None,
        tls_key: str | Path | None = None,
        cors: node_options.Cors | str | Iterable[str] | None = None,
        max_connections: int = 10_000,
        down_at: int = node_options.DOWN_AT,
        path_prefix: str = "/ws",
        quirks: str | Iterable[str] = (),
        token: str | Iterable[str] | None = None,
        inference_shape: str = "documented",
        **unknown: object,
    ) -> None:
        given: dict[str, Any] = {name: value for name, value in locals().items() if name not in ("self", "unknown")}
        self.server = NodeServer(node_options.make(**given | unknown))
        """The same on a loop, for code that runs on the I/O thread."""

    def __repr__(self) -> str:
        options = self.server.options
        model = options.model
        return f"Node(seed={model.seed}, scenario={model.scenario!r}, shape={options.shape!r})"

    def start(self) -> Self:
        """Listen, and begin unless the clock is virtual (then :meth:`begin` does). Harmless when running.

        Raises:
            BadOption: the address cannot be listened on.
            FeedClosed: the node was closed.
            WrongThread: called on the I/O thread; use ``node.server`` there.
        """
        iothread.get().run(self.server.start())
        return self

    def begin(self) -> None:
        """Let a virtual clock run; what is connected by now sees everything. Harmless when it runs."""
        iothread.get().run(self.server.begin())

    def stop(self) -> None:
        """Close all connections (1001) and refuse new ones, until :meth:`start`. Harmless when stopped."""
        iothread.get().run(self.server.stop())

    def close(self) -> None:
        """Stop for good and give the port up. Harmless when closed."""
        iothread.get().run(self.server.close())

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """``ws://127.0.0.1:PORT``; known from the first start on."""
        return self.server.url

    @property
    def system_urls(self) -> dict[str, str]:
        """Where the other systems are: live, channels, fakeai."""
        return self.server.system_urls()

    @property
    def running(self) -> bool:
        """Whether it is started and not stopped."""
        return self.server.running

    @property
    def truth(self) -> Truth:
        """What really happened: incidents, rounds, transactions, frames. A snapshot."""
        return self.server.truth

    def stats(self) -> NodeStats:
        """What was sent, dropped, withheld, refused. A snapshot."""
        return self.server.stats()

    def fault(self, kind: str, topic: str | None = None, **options: Any) -> int:
        """Let something go wrong.

        ``drop``: cut the TCP connections. ``close``: close them with ``code=`` and ``reason=``. ``stall``: send nothing
        for ``duration=``, or until cleared. ``garbage``: send ``n=`` frames that make no sense, of ``kinds=`` json,
        utf8, binary, types, unknown. ``duplicate``, ``reorder``: send each of the next ``n=`` frames of a connection
        twice, or after the one that follows it. ``oversize``: send a frame of ``size=`` bytes. ``half-open``: say
        nothing any more on the open connections, not even pongs, and leave them open. ``refuse``: answer new handshakes
        with ``status=``, ``retry_after=`` seconds, for ``duration=``. ``clear``: end all but half-open.

        :param topic: only the connections of this topic, or of live, channels or fakeai; None: all
        :returns: how many connections it met

        Raises:
            BadOption: there is no such fault, topic or option, or a value is not accepted.
        """
        return iothread.get().run(self.server.fault(kind, topic, **options))
