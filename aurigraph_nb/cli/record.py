"""``aurigraph-nb record [URL] PATH``: write a feed down until told to stop, and say how far it has got."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Annotated, Protocol

import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..durations import seconds
from ..errors import BadOption
from ..recorder import Progress, size
from ..recording.verify import many
from ..session import State
from ..status import Status
from .text import names, plain
from .watch import ERROR_CHARS, INSECURE, feed_of

LOOK_S = 0.5
"""Time from one picture to the next."""

_COLOURS = {State.CONNECTED: "green", State.ERROR: "red"}


class Recorded(Protocol):
    """What is used of a feed."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> Status: ...


class Running(Protocol):
    """What is used of a recorder."""

    @property
    def running(self) -> bool: ...
    def progress(self) -> Progress: ...
    def close(self) -> None: ...


def record(
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="[URL] PATH",
            help="ws:// or wss:// URL (without it a local node is started and recorded), and a directory.",
        ),
    ],
    length: Annotated[
        str | None, typer.Option("--for", help="End after so long: seconds, or a text like '10m'. Default: at Ctrl-C.")
    ] = None,
    topics: Annotated[str | None, typer.Option(help="Topics, with commas between. Default: all of them.")] = None,
    token: Annotated[str | None, typer.Option(help="Token for the server; see also AURIGRAPH_TOKEN.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Protocol, where the URL does not tell it.")] = None,
    durability: Annotated[
        str, typer.Option(help="What outlives what: process, or power (a power cut, too).")
    ] = "process",
    mirror: Annotated[
        str | None, typer.Option(help="Where sealed segments are copied, such as s3://bucket/path.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the recorder. Default: a random one.")] = None,
    insecure_token_host: Annotated[list[str] | None, typer.Option(help=INSECURE)] = None,
) -> None:
    """Record a network: every frame as it comes, into a directory.

    What is on the disk survives whatever happens to this process. A recording that exists is continued. Ctrl-C ends it.

    \b
    Examples:
      aurigraph-nb record wss://dlt.aurigraph.io monday
      aurigraph-nb record ws://localhost:9003/ws/metrics monday --for 10m --topics metrics,consensus
    """
    url, path = _url_and_path(places)
    limit_s = None if length is None else seconds(length, option="--for")
    wanted = names(topics, "--topics")
    console = Console()
    with _polite_end():
        feed = feed_of(url, token, protocol, insecure_token_host or ())
        try:
            recorder = feed.record(path, wanted, durability=durability, mirror=mirror, name=name)
            code = follow(recorder, feed, console, duration_s=limit_s)
        finally:
            feed.close()
    raise typer.Exit(code)


def _url_and_path(places: list[str]) -> tuple[str | None, str]:
    if len(places) > 2:
        raise BadOption(f"{len(places)} places were named; expected a URL and a directory, or a directory alone")
    url, path = (None, places[0]) if len(places) == 1 else (places[0], places[1])
    if "://" in path:
        raise BadOption(f"{plain(path, 100)} is a URL; after it, the directory of the recording was expected")
    return url, path


@contextlib.contextmanager
def _polite_end() -> Iterator[None]:
    """A polite kill is like Ctrl-C, where signals can be had."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def follow(
    recorder: Running,
    feed: Recorded,
    console: Console,
    *,
    duration_s: float | None = None,
    interval_s: float = LOOK_S,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Show a recording until it ends, its feed ends, the time is over or somebody interrupts; then close it.

    :returns: the exit code: 1 if the recording or the feed failed, 130 if it was interrupted while it was finished
    """
    end_s = float("inf") if duration_s is None else monotonic() + duration_s
    status = feed.status
    try:
        with Live(render(recorder.progress(), status, feed.name), console=console, auto_refresh=False) as live:
            while recorder.running and not _over(status) and (left_s := end_s - monotonic()) > 0:
                sleep(min(interval_s, left_s))
                status = feed.status
                live.update(render(recorder.progress(), status, feed.name), refresh=True)
    except KeyboardInterrupt:
        status = feed.status
    if not console.is_terminal:
        console.line()  # where nothing moves, Live leaves the last line open
    return _finish(recorder, status, console)


def _over(status: Status) -> bool:
    return status.ended or status.state in (State.ERROR, State.CLOSED)


def _finish(recorder: Running, status: Status, console: Console) -> int:
    try:
        recorder.close()
    except KeyboardInterrupt:
        path = plain(recorder.progress().path, 300)
        console.print(Text(f"Interrupted while it was finished: everything received is in the journal of {path}."))
        return 130
    progress = recorder.progress()
    console.print(Text(closing_line(progress)), soft_wrap=True)
    silent = status.error is not None and not progress.frames
    if (status.state is State.ERROR or silent) and status.error:
        words = "Nothing came" if silent else "The feed ended"
        console.print(Text(f"{words}: {plain(status.error, ERROR_CHARS)}", style="red"), soft_wrap=True)
    return 1 if silent or progress.error is not None or status.state is State.ERROR else 0


def closing_line(progress: Progress) -> str:
    """What was recorded, and how to open it."""
    path = plain(progress.path, 300)
    lines = [
        f"Recorded {many(progress.frames, 'frame')} ({many(progress.rows, 'row')}, {size(progress.bytes)}) "
        f"in {length_of(progress.elapsed_s)}, {many(progress.gaps, 'gap')}, {progress.lost:,} lost: {path}",
        f"Open it with ag.open_recording({path!r}), or look at it with: aurigraph-nb info {path}",
    ]
    if progress.error is not None:
        lines.insert(0, f"The recording ended early: {plain(progress.error, ERROR_CHARS)}")
    if progress.sealing_error is not None:
        told = plain(progress.sealing_error, ERROR_CHARS)
        lines.append(f"Not everything could be sealed or mirrored ({told}); the journal has all that was written.")
    return "\n".join(lines)


def render(progress: Progress, status: Status, name: str) -> RenderableType:
    """The picture. Everything that came from the network is laid out as plain text."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True, min_width=len("recording"))
    table.add_column(overflow="fold")
    table.add_row("recording", Text(plain(name, 100), style="bold"))
    table.add_row("into", Text(plain(progress.path, 300)))
    table.add_row("feed", Text(str(status.state), style=_COLOURS.get(status.state, "yellow")))
    table.add_row("time", Text(length_of(progress.elapsed_s)))
    table.add_row("frames", Text(f"{progress.frames:,}, {progress.rate_hz:,.1f}/s"))
    table.add_row("rows", Text(f"{progress.rows:,}"))
    table.add_row("journal", Text(_journal(progress)))
    table.add_row("free disk", Text(size(progress.free_bytes)))
    table.add_row("gaps", Text(f"{progress.gaps:,}", style="yellow" if progress.gaps else ""))
    table.add_row("lost", Text(f"{progress.lost:,}", style="bold red" if progress.lost else ""))
    for error in (progress.error, progress.sealing_error, status.error):
        if error:
            table.add_row("error", Text(plain(error, ERROR_CHARS), style="red"))
    return table


def _journal(progress: Progress) -> str:
    text = f"{size(progress.bytes)} in {many(progress.segments, 'segment')}"
    return f"{text}, {progress.unsealed:,} to be sealed" if progress.unsealed else text


def length_of(duration_s: float) -> str:
    """A duration, for people.

    >>> length_of(2.66), length_of(61), length_of(7322)
    ('2.7 s', '1 min 1 s', '2 h 2 min')
    """
    if duration_s < 59.95:
        return f"{duration_s:.1f} s"
    minutes, rest = divmod(round(duration_s), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
