"""``aurigraph-nb replay PATH``: a recording in the terminal as if it were live, or served again to any client."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ..errors import BadOption
from ..reading.recording import Recording, RecordingRecovered, open_recording
from ..replay import checked_speed, chosen_runs, chosen_span
from ..replay import replay as play
from ..rerun import Rerun
from . import watch
from .serve import PORT, stop_signals, warn_of_others
from .text import names, plain

FIRST = (
    "First time that is played, such as 2026-01-01T12:00; or since the start: 30s, 00:05:00; or before the end: -30s."
)


def replay(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Directory of the recording.")],
    speed: Annotated[str, typer.Option(help="Seconds of the recording in a second, or max.")] = "1",
    start: Annotated[str | None, typer.Option(help=FIRST)] = None,
    end: Annotated[str | None, typer.Option(help="Time from which on nothing is played.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end, until Ctrl-C.")] = False,
    topics: Annotated[str | None, typer.Option(help="Topics to show, with commas between. Default: all.")] = None,
    recorder: Annotated[str | None, typer.Option(help="Play what this recorder wrote, where several did.")] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the frames again, for any client to connect.")] = False,
    host: Annotated[str, typer.Option(help="With --serve: address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="With --serve: port to listen on; 0 for any free one.")] = PORT,
    token: Annotated[
        list[str] | None,
        typer.Option(
            envvar="AURIGRAPH_NODE_TOKEN",
            help="With --serve: token that clients need; repeat for more. Better set in the environment.",
        ),
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="With --serve: begin at once, not with the first client.")
    ] = False,
    no_reenact: Annotated[
        bool, typer.Option("--no-reenact", help="With --serve: keep connections where the recording lost them.")
    ] = False,
) -> None:
    """Play a recording in the terminal, or serve it again. Nothing is changed on the disk.

    \b
    Examples:
      aurigraph-nb replay runs/friday --speed 10
      aurigraph-nb replay runs/friday --start 2026-01-01T12:00 --end 2026-01-01T12:10 --loop
      aurigraph-nb replay runs/friday --serve --port 9000 --speed max
    """
    wanted = _speed(speed)
    pace = checked_speed(wanted)
    if serve and topics is not None:
        raise BadOption(f"--topics {topics!r} and --serve: what is served is chosen by each client; leave one out")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecordingRecovered)
        recording = open_recording(path, recover=False)
    if not serve:
        options: dict[str, Any] = {"speed": wanted, "start": start, "end": end, "loop": loop, "recorder": recorder}
        _show(recording, topics=names(topics, "--topics"), **options)
    runs = chosen_runs(recording, recorder)
    start_ns, end_ns = chosen_span(runs, start, end)
    rerun = Rerun(
        runs,
        recording.protocol,
        recording.url,
        speed=pace,
        loop=loop,
        start_ns=start_ns,
        end_ns=end_ns,
        wait=not no_wait,
        reenact=not no_reenact,
        host=host,
        port=port,
        token=token or None,
    )
    try:
        asyncio.run(_serve(rerun, recording))
    except KeyboardInterrupt:
        pass  # where the loop takes no signal handlers, Ctrl-C arrives as this, and everything is closed by now


def _speed(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _show(recording: Recording, **options: Any) -> None:
    feed = play(recording, **options)
    try:
        code = watch.follow(feed, Console(), topics=None if options["topics"] is None else tuple(options["topics"]))
    except KeyboardInterrupt:
        code = 0
    finally:
        feed.close()
    _tell_damage(recording)
    raise typer.Exit(code)


def _tell_damage(recording: Recording) -> None:
    for finding in recording.damage:
        typer.echo(f"Damaged: {plain(finding, 300)}", err=True)


async def _serve(rerun: Rerun, recording: Recording) -> None:
    stop = asyncio.Event()
    await rerun.start()
    try:
        _announce(rerun, recording)
        with stop_signals(stop):
            ways_to_end = [asyncio.create_task(rerun.wait_finished()), asyncio.create_task(stop.wait())]
            await asyncio.wait(ways_to_end, return_when=asyncio.FIRST_COMPLETED)
            for task in ways_to_end:
                task.cancel()
    finally:
        await rerun.close()
    told = rerun.stats()
    dropped = sum(told.dropped.values())
    lost = f", {dropped:,} dropped for slow clients" if dropped else ""
    end = "End of the recording" if rerun.finished.is_set() else "Stopped"
    many = "connection" if told.opened == 1 else "connections"
    typer.echo(f"{end}: {told.messages_sent:,} frames sent over {told.opened:,} {many}{lost}.")
    _tell_damage(recording)
    if rerun.player.error is not None:
        raise rerun.player.error


def _announce(rerun: Rerun, recording: Recording) -> None:
    typer.echo(f"Recording {plain(recording.path or recording.name, 300)} ({recording.protocol}) at {rerun.url}")
    for name, url in rerun.urls.items():
        typer.echo(f"  {name:<13} {url}")
    if rerun.options.tokens:
        typer.echo("Clients need a token.")
    warn_of_others(rerun.options.host, bool(rerun.options.tokens))
    if rerun.player.paused:
        typer.echo("It begins when the first client connects.")
    typer.echo("Ctrl-C stops it.")
