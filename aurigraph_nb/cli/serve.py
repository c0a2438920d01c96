"""``aurigraph-nb serve``: a local node on a port, for notebooks, portals and tests to connect to."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ..node import QUIRKS, SCENARIOS, NodeServer
from ..node import options as node_options
from ..node.http import CHAIN, HEALTH, METRICS, STATS
from .text import plain

PORT = 9003
"""The port of the documented development node."""


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on. Other machines reach the node only if you say so.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any free one.")] = PORT,
    seed: Annotated[int, typer.Option(help="What all randomness comes from: the same seed, the same network.")] = 0,
    scenario: Annotated[str, typer.Option(help=f"What goes wrong: {', '.join(SCENARIOS)}.")] = "steady",
    rate: Annotated[
        float | None, typer.Option(help="Frames a second over all topics, say 10000. Default: 5 transactions a second.")
    ] = None,
    validators: Annotated[int, typer.Option(help="How many validators there are.")] = 20,
    peers: Annotated[int, typer.Option(help="How many peers there are.")] = 17,
    shape: Annotated[str, typer.Option(help="Field names and units of the frames: server or portal.")] = "server",
    metrics_interval: Annotated[
        str, typer.Option(help="Time between two frames of metrics: seconds, or a text such as 500ms.")
    ] = "1",
    no_broadcast: Annotated[bool, typer.Option("--no-broadcast", help="Accept connections, send nothing.")] = False,
    tls_cert: Annotated[
        Path | None, typer.Option(help="Certificate, a PEM file; the node then speaks wss and https.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Key of the certificate, a PEM file.")] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(help="Origin whose pages may connect, or *; repeat for more. Default: pages of this machine."),
    ] = None,
    duration: Annotated[
        str | None, typer.Option(help="How long the node runs: seconds, or a text such as 5min. Default: until Ctrl-C.")
    ] = None,
    max_size: Annotated[int, typer.Option(help="Bytes of a client's message at most.")] = node_options.MEBI,
    token: Annotated[
        list[str] | None,
        typer.Option(
            envvar="AURIGRAPH_NODE_TOKEN",
            help="Token that clients need; repeat for more. Better set in the environment, where others cannot see it.",
        ),
    ] = None,
    quirk: Annotated[
        list[str] | None,
        typer.Option(help=f"Habit of real servers to have; repeat for more: {', '.join(QUIRKS)}."),
    ] = None,
    inference_shape: Annotated[
        str, typer.Option(help="How the inference metrics stream speaks: documented or real.")
    ] = "documented",
    no_compression: Annotated[
        bool, typer.Option("--no-compression", help="Do not compress, even for clients that offer it.")
    ] = False,
) -> None:
    """Serve a local Aurigraph node.

    \b
    Examples:
      aurigraph-nb serve
      aurigraph-nb serve --scenario leader-churn --seed 7
      aurigraph-nb serve --rate 10000 --shape portal --port 9000
      aurigraph-nb serve --quirk doubled-frames --quirk unsubscribe-ignored --inference-shape real
    """
    options = node_options.make(
        host=host,
        port=port,
        seed=seed,
        scenario=scenario,
        rate=rate,
        validators=validators,
        peers=peers,
        shape=shape,
        metrics_interval=metrics_interval,
        broadcast=not no_broadcast,
        tls_cert=tls_cert,
        tls_key=tls_key,
        cors=cors,
        duration=duration,
        max_size=max_size,
        compression=None if no_compression else "deflate",
        token=token or None,
        quirks=quirk or (),
        inference_shape=inference_shape,
    )
    try:
        asyncio.run(_serve(options))
    except KeyboardInterrupt:
        pass  # where the loop takes no signal handlers, Ctrl-C arrives as this, and everything is closed by now


async def _serve(options: node_options.NodeOptions) -> None:
    node = NodeServer(options)
    stop = asyncio.Event()
    await node.start()
    try:
        _announce(node)
        with stop_signals(stop):
            ways_to_end = [asyncio.create_task(node.wait_finished()), asyncio.create_task(stop.wait())]
            await asyncio.wait(ways_to_end, return_when=asyncio.FIRST_COMPLETED)
            for task in ways_to_end:
                task.cancel()
    finally:
        await node.close()
    typer.echo(f"{'End of the run' if node.finished else 'Stopped'}: {node.stats().messages_sent:,} frames sent.")


def _announce(node: NodeServer) -> None:
    model = node.options.model
    typer.echo(f"Aurigraph node at {node.url} (scenario {model.scenario}, seed {model.seed})")
    for stream, url in (node.topic_urls() | node.system_urls()).items():
        typer.echo(f"  {stream:<13} {url}")
    web = node.url.replace("ws", "http", 1)
    for what, path in (("health", HEALTH), ("statistics", STATS), ("prometheus", METRICS), ("blockchain", CHAIN)):
        typer.echo(f"  {what:<13} {web}{path}")
    if node.options.tokens:
        typer.echo("Clients need a token.")
    warn_of_others(node.options.host, bool(node.options.tokens))
    typer.echo("Ctrl-C stops it.")


def warn_of_others(host: str, tokens: bool) -> None:
    """Say so if other machines can connect."""
    if reach(host) is None:
        return
    keys = "" if tokens else ", and no token is asked of them (--token)"
    typer.echo(
        f"Warning: everyone {reach(host)} can connect{keys}. --host 127.0.0.1 keeps it to this machine.", err=True
    )


def reach(host: str) -> str | None:
    """Where those are that can connect to an address beside this machine; None if there are none.

    >>> reach("127.0.0.1"), reach("localhost"), reach("0.0.0.0"), reach("192.168.1.2")
    (None, None, 'on its networks', 'who reaches 192.168.1.2')
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None if host == "localhost" else f"who reaches {plain(host, 100)}"
    if address.is_loopback:
        return None
    return "on its networks" if address.is_unspecified else f"who reaches {address}"


@contextlib.contextmanager
def stop_signals(stop: asyncio.Event) -> Iterator[None]:
    """Ctrl-C and a polite kill set ``stop``, where the loop can take signals."""
    loop = asyncio.get_running_loop()
    taken: list[signal.Signals] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except (NotImplementedError, RuntimeError, ValueError):
            continue  # Windows, or not the main thread
        taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
