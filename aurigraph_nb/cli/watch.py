"""``aurigraph-nb watch [URL]``: a feed as a live table in the terminal."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

import aurigraph_nb as ag

from ..durations import seconds
from ..errors import BadOption
from ..gaps import Gap
from ..schema import LOCAL_COLUMNS, Kind, Record, columns
from ..session import State
from ..status import Status, TopicStatus
from .text import plain

OLD_MS = 86_400_000.0
"""A lag of more than a day is none: the rows are old, as those of a recording that is served again."""
NEWEST = 8
"""Rows shown, over all topics."""
GAPS = 3
"""Gaps shown, the latest."""
FIELDS = 5
"""Fields shown of a row."""
ERROR_CHARS = 2_000
"""Of an error that is shown: all that the package ever says, and a bound to what servers say."""
INSECURE = "Host to which a token may go over unencrypted ws://; repeat for more."
FIRST_ROW_WITHIN_S = 10.0
"""How long --once waits for a first row."""
ALL_TOPICS_WITHIN_S = 1.5
"""How much longer it waits for a first row of the others."""

_COLOURS = {
    State.CONNECTED: "green",
    State.CONNECTING: "yellow",
    State.RECONNECTING: "yellow",
    State.ERROR: "red",
}


class Store(Protocol):
    """What is read of a topic's store."""

    @property
    def count(self) -> int: ...
    def records(self, first: int | None = None) -> Iterator[Record]: ...


class Watchable(Protocol):
    """What is used of a feed."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> Status: ...
    @property
    def topics(self) -> Iterable[str]: ...
    @property
    def gaps(self) -> Any: ...
    def __getitem__(self, name: str) -> Any: ...
    def now_ns(self) -> int: ...


@dataclass(frozen=True, slots=True)
class View:
    """A feed at one moment, as far as the terminal shows it."""

    name: str
    status: Status
    newest: tuple[tuple[str, Record], ...]
    """(topic, row), the newest first."""
    gaps: tuple[Gap, ...]
    """The latest ones, oldest first."""
    now_ns: int


def watch(
    url: Annotated[
        str | None,
        typer.Argument(metavar="[URL]", help="ws:// or wss:// URL; without it a local node is started and watched."),
    ] = None,
    token: Annotated[str | None, typer.Option(help="Token for the server; see also AURIGRAPH_TOKEN.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Protocol, where the URL does not tell it.")] = None,
    duration: Annotated[str | None, typer.Option(help="End after so long: seconds, or a text like '5min'.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Print one table when first rows are there, and end.")] = False,
    interval: Annotated[str, typer.Option(help="Time from one picture to the next, at least 0.1 s.")] = "0.5",
    insecure_token_host: Annotated[list[str] | None, typer.Option(help=INSECURE)] = None,
) -> None:
    """Watch a network in the terminal.

    Shows topics, rates, lag, gaps and the newest rows. Ctrl-C ends it.

    \b
    Examples:
      aurigraph-nb watch
      aurigraph-nb watch wss://dlt.aurigraph.io
      aurigraph-nb watch ws://localhost:9003/ws/metrics --once
    """
    interval_s = seconds(interval, option="--interval")
    if interval_s < 0.1:
        raise BadOption(f"--interval {interval} is too short to read; expected at least 0.1 seconds.")
    limit_s = None if duration is None else seconds(duration, option="--duration")
    feed = feed_of(url, token, protocol, insecure_token_host or ())
    try:
        code = follow(feed, Console(), duration_s=limit_s, once=once, interval_s=interval_s)
    except KeyboardInterrupt:
        code = 0
    finally:
        feed.close()
    raise typer.Exit(code)


def feed_of(url: str | None, token: str | None, protocol: str | None, insecure_token_hosts: Sequence[str] = ()) -> Any:
    """The feed that a verb was asked for: of a server, or without a URL of a local node that is started for it."""
    if url is not None:
        return ag.connect(url, token=token, protocol=protocol, insecure_token_hosts=insecure_token_hosts)
    if token is not None:
        raise BadOption("token=…: without a URL a local node is started, which needs none; name the URL of the server.")
    how: dict[str, Any] = {} if protocol is None else {"protocol": protocol}
    return ag.simulate(**how)


def follow(
    feed: Watchable,
    console: Console,
    *,
    duration_s: float | None = None,
    once: bool = False,
    interval_s: float = 0.5,
    topics: Iterable[str] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Open every topic (or those of ``topics``) and show the feed until it ends, or the time is over.

    :param once: show one picture, when the first rows are there (or after ``duration_s``, by default 10 s)
    :returns: the exit code: 1 if the feed failed, or if ``once`` had nothing to show
    """
    for topic in feed.topics if topics is None else topics:
        feed[topic].open()
    limit_s = FIRST_ROW_WITHIN_S if once and duration_s is None else duration_s
    end_s = float("inf") if limit_s is None else monotonic() + limit_s
    if once:
        return _one_picture(feed, console, end_s, monotonic, sleep)
    view = look(feed)
    with Live(render(view), console=console, auto_refresh=False) as live:
        while not _over(view.status) and (left_s := end_s - monotonic()) > 0:
            sleep(min(interval_s, left_s))
            view = look(feed)
            live.update(render(view), refresh=True)
    if not console.is_terminal:
        console.line()  # where nothing moves, Live leaves the last line open
    return 1 if view.status.state is State.ERROR else 0


def _one_picture(
    feed: Watchable, console: Console, end_s: float, monotonic: Callable[[], float], sleep: Callable[[float], None]
) -> int:
    def wait(enough: Callable[[Status], bool], until_s: float) -> None:
        while not (enough(status := feed.status) or _over(status)) and monotonic() < until_s:
            sleep(0.05)

    wait(_any_row, end_s)
    wait(_all_rows, min(end_s, monotonic() + ALL_TOPICS_WITHIN_S))
    view = look(feed)
    console.print(render(view))
    return 0 if _any_row(view.status) and not _given_up(view.status) else 1


def _given_up(status: Status) -> bool:
    """Whether no stream comes any more, whatever statistics stand in for it."""
    return all(topic.state is State.ERROR for topic in status.topics.values())


def _any_row(status: Status) -> bool:
    return any(topic.rows for topic in status.topics.values())


def _all_rows(status: Status) -> bool:
    return all(topic.rows for topic in status.topics.values())


def _over(status: Status) -> bool:
    return status.ended or status.state in (State.ERROR, State.CLOSED)


def look(feed: Watchable) -> View:
    """Read what the terminal shows; nothing is opened by it."""
    newest: list[tuple[str, Record]] = []
    for name in feed.topics:
        store: Store = feed[name].store
        newest += ((name, row) for row in store.records(first=max(0, store.count - NEWEST)))
    newest.sort(key=lambda item: item[1].recv_ns, reverse=True)
    return View(feed.name, feed.status, tuple(newest[:NEWEST]), tuple(feed.gaps.rows()[-GAPS:]), feed.now_ns())


def render(view: View) -> RenderableType:
    """The picture. Everything that came from the network is laid out as plain text."""
    parts: list[RenderableType] = [_headline(view), _topics(view)]
    if view.gaps:
        parts.append(_gaps(view))
    parts.append(_newest(view) if view.newest else Text("no data yet", style="dim"))
    return Group(*parts)


def _headline(view: View) -> Text:
    status = view.status
    text = Text.assemble(
        (plain(view.name, 60), "bold"), "  ", (str(status.state), _COLOURS.get(status.state, "dim")), "  "
    )
    text.append(plain(status.url, 120), style="dim")
    if status.ended:
        text.append("  the run is over", style="dim")
    if status.next_try_ns is not None:
        wait_s = max(0.0, (status.next_try_ns - view.now_ns) / 1e9)
        text.append(f"  attempt {status.attempts}, next try in {wait_s:.0f} s", style="yellow")
    if status.error:
        text.append(f"\n{plain(status.error, ERROR_CHARS)}", style="red")
    return text


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table


def _topics(view: View) -> Table:
    table = _table("topic", "state")
    for heading in ("rows", "rate/s", "lag ms", "age s", "undec.", "drop.", "recon."):
        table.add_column(heading, justify="right", no_wrap=True)
    for topic in view.status.topics.values():
        table.add_row(*_topic_cells(topic))
    return table


def _topic_cells(topic: TopicStatus) -> Iterator[Text]:
    yield Text(plain(topic.name, 30))
    yield Text(str(topic.state), style=_COLOURS.get(topic.state, "dim"))
    yield Text(f"{topic.rows:,}")
    yield Text(f"{topic.rate_hz:,.1f}")
    yield Text("–" if topic.lag_ms is None or abs(topic.lag_ms) > OLD_MS else f"{topic.lag_ms:,.1f}")
    age = "–" if topic.staleness_s is None else f"{topic.staleness_s:,.1f}"
    yield Text(f"{age}!" if topic.stale else age, style="bold yellow" if topic.stale else "")
    for count in (topic.undecoded, topic.dropped, topic.reconnects):
        yield Text(f"{count:,}", style="yellow" if count else "")


def _gaps(view: View) -> Table:
    table = _table("gap in", "cause", "certainty", "from", "for")
    for gap in view.gaps:
        length = f"{((view.now_ns if gap.end_ns is None else gap.end_ns) - gap.start_ns) / 1e9:,.1f} s"
        table.add_row(
            Text(plain(gap.topic, 30)),
            Text(str(gap.cause)),
            Text(str(gap.certainty)),
            Text(_clock(gap.start_ns)),
            Text(f"{length}, still open" if gap.end_ns is None else length),
        )
    return table


def _newest(view: View) -> Table:
    table = _table("received", "topic")
    table.expand = True
    table.add_column("newest rows", overflow="ellipsis", no_wrap=True, ratio=1)
    for topic, row in view.newest:
        table.add_row(Text(_clock(row.recv_ns)), Text(plain(topic, 30)), Text(summary(row)))
    return table


def summary(row: Record) -> str:
    """The first fields of a row that say something: ``tps=8,512,345 cpu_percent=41.3``."""
    skipped = {*LOCAL_COLUMNS, "timestamp", "extra"}
    said = ((column, getattr(row, column.name)) for column in columns(type(row)) if column.name not in skipped)
    shown = [f"{column.name}={_value(value, column.kind)}" for column, value in said if value is not None]
    return " ".join(shown[:FIELDS])


def _value(value: object, kind: Kind | None = None) -> str:
    if kind is Kind.TIME and isinstance(value, int):
        return f"{_day(value)}{_clock(value)}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else plain(value, 24)


def _moment(ns: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=ns // 1000)


def _clock(ns: int) -> str:
    return _moment(ns).strftime("%H:%M:%S.%f")[:-3]


def _day(ns: int) -> str:
    return _moment(ns).strftime("%Y-%m-%dT")
