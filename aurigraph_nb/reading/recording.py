"""Recordings, read: everything that a feed shows, from what was written down.

>>> import aurigraph_nb as ag
>>> rec = ag.sample("steady", duration="30s", seed=7)
>>> rec.metrics.to_pandas()["tps"].size
30

A recording is a feed whose run is over. Topics, states, gaps and widgets are a feed's; waiting for news raises
:class:`~aurigraph_nb.errors.FeedClosed`. Nothing is read before it is asked for.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .. import session as fsm
from ..dial import Options
from ..durations import offset_ns, parse_time, shown_time, time_within
from ..errors import BadOption, BadUrl, FeedClosed
from ..feed import Feed
from ..missing import Gaps
from ..protocols import PATHS, Undecoded, WireProtocol
from ..recording import directory as directories
from ..recording import rebuild as rebuilding
from ..recording import recover as recovering
from ..recording import verify as verifying
from ..recording.digest import Digest
from ..recording.lines import Line
from ..recording.rebuild import Rebuilt
from ..recording.recover import Recovered
from ..recording.verify import Finding, Verification
from ..schema import Record
from ..session import State, brief
from ..status import Status, TopicStatus
from ..tape import Run
from ..topic import Topic
from .directory import DirectorySource
from .info import RecordingInfo, info_of
from .memory import LinesSource
from .save import save_lines
from .scale import Database
from .source import Source, protocol_of, record_of
from .topics import RECORDED_TYPES, Recorded

if TYPE_CHECKING:
    import duckdb

    from ..node.truth import Truth

UNDECODED_KEPT = 100


class RecordingRecovered(UserWarning):
    """A recording was not ended in good order: what had been flushed is there, and what was torn was cut off.

    >>> import warnings
    >>> import aurigraph_nb as ag
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", ag.RecordingRecovered)  # open_recording raises instead of mending
    """


class RecordingDamaged(UserWarning):
    """Something in a recording cannot be read; the rest can.

    >>> import warnings
    >>> import aurigraph_nb as ag
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", ag.RecordingDamaged)  # reading stops at damage instead of leaving it out
    """


class Recording(Feed):
    """What was recorded, to be read. Made by :func:`open_recording` and :func:`aurigraph_nb.sample`.

    >>> import aurigraph_nb as ag
    >>> rec = ag.sample("leader-churn", duration="1min", seed=7)
    >>> rec.metrics.to_pandas().shape[0], rec.ended
    (60, True)
    """

    _PLUMBING = frozenset(
        {
            "callback_errors",
            "connect",
            "connections",
            "control",
            "disconnect",
            "join",
            "node",
            "on_change",
            "on_connect",
        }
        | {
            "on_disconnect",
            "on_error",
            "on_exhausted",
            "on_reconnected",
            "on_reconnecting",
            "raw",
            "reconnect",
            "record",
        }
        | {"recorders", "runs", "send", "source", "warn"}
    )
    """What needs a feed that goes on raises here."""

    def __init__(
        self, source: Source, *, title: str = "", recovered: Sequence[Recovered] = (), truth: Truth | None = None
    ) -> None:
        self.source = source
        """Where rows come from."""
        self.recovered = tuple(recovered)
        """What was done on opening about recorders that had ended suddenly."""
        self._database = Database()
        self._risen: set[str] = set()
        self._reread: list[Digest] | None = None
        self._warned = 0
        self._reading = threading.RLock()
        wire = protocol_of(source.protocol)
        url = source.url()
        super().__init__(
            _usable(url, wire),
            wire,
            policy=fsm.Policy(name=wire.name, backoff=fsm.PRESETS[wire.name], url=url),
            options=Options(),
            title=title or (source.id if source.path is None else source.path.name or str(source.path)),
            auto_connect=False,
            recorded=True,
        )
        self.truth = truth
        """What really happened, where the recording is a sample."""
        self._add_topics()
        self.closed = True

    def _make_topic(self, name: str, record: type[Record]) -> Topic[Any]:
        make = RECORDED_TYPES.get(record, Recorded)
        return make(self, name, record, period_s=self._wire.periods_s.get(name), key=self._wire.keys.get(name))

    def _add_topics(self) -> None:
        self.recorded_topics = self.source.topics()
        """Names of the topics that were recorded."""
        for name in sorted(set(self.recorded_topics) - set(self._topics)):
            self._topics[name] = self._make_topic(name, record_of(self.source.protocol, name))

    def _other_topic(self, name: object) -> Topic[Any]:
        raise self._no_topic(name, "this recording")

    def __repr__(self) -> str:
        known = f"{sum(self.source.count(topic) for topic in self.recorded_topics):,} rows"
        figures = self.source.figures()
        if figures.first_ns is not None and figures.last_ns is not None:
            known += f", {shown_time(figures.first_ns)} to {shown_time(figures.last_ns)}"
        topics = ", ".join(self.recorded_topics)
        return f"<{type(self).__name__} {brief(self.name)}: {known}, of {brief(topics, 120) or 'no topic'}>"

    # What a feed says about itself

    def now_ns(self) -> int:
        """The end of the recording: receive time of the last frame, ns since 1970 UTC."""
        return self.source.figures().last_ns or self.source.created_ns

    def time_of(self, value: Any, *, option: str) -> int:
        """A time, of which the start and the end are those of the recording.

        :raises BadOption: if it is no time, or told from a start or an end, and lies outside
        """
        if offset_ns(value, option=option) is None:
            return parse_time(value, option=option)
        runs = self.runs()
        if not runs:
            raise BadOption(f"{option}={value!r}: nothing was recorded yet, so there is no start to count from")
        first_ns, last_ns = min(run.start_ns for run in runs), max(run.end_ns for run in runs)
        return time_within(value, first_ns, last_ns, option=option)

    @property
    def status(self) -> Status:
        """Closed, with the counters of what was recorded.

        >>> import aurigraph_nb as ag
        >>> ag.sample(duration="10s").status.topics["metrics"].rows
        10
        """
        figures = self.source.figures()
        return Status(
            state=State.CLOSED,
            connected=False,
            reconnecting=False,
            error=None,
            last_update=figures.last_ns,
            attempts=0,
            next_try_ns=None,
            url=self.url,
            protocol=self.protocol,
            ended=True,
            undecoded=figures.undecoded,
            callback_errors=self.callback_errors.count,
            last_callback_error=self.callback_errors.last,
            topics={topic.name: self.topic_status(topic) for topic in self},
        )

    def topic_status(self, topic: Topic[Any]) -> TopicStatus:
        """The counters of a topic: rows, and bytes of their files."""
        rows = self.source.count(topic.name)
        return TopicStatus(
            name=topic.name,
            state=State.CLOSED,
            messages=rows,
            rows=rows,
            bytes=self.source.figures().topic_bytes.get(topic.name, 0),
            rate_hz=0.0,
            lag_ms=None,
            undecoded=0,
            control=0,
            dropped=0,
            reconnects=0,
            last_recv_ns=None,
            staleness_s=None,
            stale=False,
            attempts=0,
            next_try_ns=None,
            error=None,
        )

    @property
    def ended(self) -> bool:
        """True: a recording's run is over."""
        return True

    @property
    def gaps(self) -> Gaps:
        """What is missing, why, and how sure that is; those of several recorders by their begin.

        >>> import aurigraph_nb as ag
        >>> ag.sample("outage", duration="10min", seed=7).gaps.to_pandas()["cause"].unique().tolist()
        ['disconnect']
        """
        gaps = Gaps(self.source.gaps())
        self.warn()
        return gaps

    @property
    def undecoded(self) -> tuple[Undecoded, ...]:
        """The last 100 frames that were not understood; the journal is decoded again for it, once."""
        found = [failed for digest in self._again() for failed in digest.undecoded]
        return tuple(sorted(found, key=lambda failed: failed.recv_ns)[-UNDECODED_KEPT:])

    def fields(self, topic: str) -> dict[str, dict[str, int]]:
        """Fields of a topic's frames that did not fit, as on a feed; the journal is decoded again for it, once."""
        name, found = self[topic].name, {}
        for kind in ("unnamed", "wrong_type", "doubtful"):
            counts: dict[str, int] = {}
            for digest in self._again():
                for field, count in getattr(digest.decoder, kind).of(name).items():
                    counts[field] = counts.get(field, 0) + count
            found[kind] = counts
        return found

    def _again(self) -> list[Digest]:
        """The journal decoded with this version's decoders: what no row tells."""
        with self._reading:
            if self._reread is None:
                digests: dict[str, Digest] = {}
                for recorder, lines in self.source.lines():
                    digest = digests.setdefault(recorder, Digest(self.source.protocol, ()))
                    digest.take(lines)
                self._reread = list(digests.values())
            return self._reread

    def bring_up(self, topic: Topic[Any]) -> None:
        """Let a topic's state take all rows, at the first look at it."""
        if topic.name in self._risen or not isinstance(topic, Recorded):
            return
        with topic.lock:
            if topic.name not in self._risen:
                topic.rise()
                self._risen.add(topic.name)

    # Nothing new comes

    def check_usable(self, what: str) -> None:
        """:raises FeedClosed: always"""
        raise FeedClosed(
            f"{what}: this is a recording, nothing new comes. What was recorded can be read (to_pandas, latest, …); "
            "ag.replay(path) plays it like a feed."
        )

    def why_over(self, topic: Topic[Any]) -> Exception | None:
        return FeedClosed("This is a recording.")

    def record(self, path: object, topics: object = None, **options: Any) -> NoReturn:
        """:raises FeedClosed: always; :meth:`save` writes a recording that is in memory"""
        self.check_usable("record")
        raise AssertionError

    # What only a recording can do

    @property
    def path(self) -> Path | None:
        """The directory; None for a recording in memory."""
        return self.source.path

    @property
    def damage(self) -> tuple[Finding, ...]:
        """What was found wrong so far, while reading; :meth:`verify` looks at everything."""
        return self.source.damage()

    def warn(self) -> None:
        """Warn (:class:`RecordingDamaged`) of the damage that was met since the last time."""
        findings = self.source.damage()
        new, self._warned = findings[self._warned :], len(findings)
        if new:
            more = f" (and {len(new) - 1} more; rec.damage has all)" if len(new) > 1 else ""
            warnings.warn(f"{new[0]}{more}", RecordingDamaged, stacklevel=3)

    def runs(self) -> tuple[Run, ...]:
        """What each recorder wrote, line by line, as a replay plays it."""
        return self.source.tapes()

    def info(self) -> RecordingInfo:
        """What is in it, by whom, how much, and how complete. Prints as a report; ``to_dict()`` for programs.

        >>> import aurigraph_nb as ag
        >>> ag.sample(duration="10s").info().to_dict()["protocol"]
        'portal'
        """
        return info_of(self.source, self.recovered)

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """The answer of DuckDB to a query over views: one for each topic, named like it, and ``gaps``.

        Times (``timestamp``, ``recv``, …) are TIMESTAMP WITH TIME ZONE, so that ``date_trunc('minute', timestamp)``
        works, and stand beside whole nanoseconds (``timestamp_ns``, ``recv_ns``). Decimals are exact. A relation has
        ``df()``, ``pl()``, ``arrow()`` and ``fetchall()``.

        :raises MissingExtra: if DuckDB is not installed
        :raises BadOption: if DuckDB does not understand the query; names the tables, or the columns, that there are

        >>> import aurigraph_nb as ag
        >>> ag.sample(duration="10s").sql("SELECT count(*) FROM metrics").fetchall()
        [(10,)]
        """
        topics = {name: (topic.store_schema, self.source.stretches(name)) for name, topic in self._recorded_topics()}
        relation: duckdb.DuckDBPyRelation = self._database.sql(query, topics, self.source.gaps())
        self.warn()
        return relation

    def _recorded_topics(self) -> list[tuple[str, Recorded[Any]]]:
        return [(name, topic) for name, topic in self._topics.items() if isinstance(topic, Recorded)]

    def verify(self, *, quick: bool = False, progress: Callable[[int, int], object] | None = None) -> Verification:
        """Look at every file: checksums, counts, order. Nothing is written.

        :param quick: look only whether the files are there, in their sizes
        :param progress: is told the segments done and all segments, after each
        :returns: true if all is well; prints as a report
        :raises BadOption: for a recording in memory

        >>> import aurigraph_nb as ag
        >>> rec = ag.open_recording(ag.sample(duration="10s").save("ten-seconds"))
        >>> bool(rec.verify())
        True
        """
        return verifying.verify(self._directory("verify"), quick=quick, progress=progress)

    def rebuild(self) -> Rebuilt:
        """Make all Parquet files and manifests again from the journal, with this version's decoders.

        :returns: what was sealed, and what could not be; recorders that are at work are left alone
        :raises BadOption: for a recording in memory

        >>> import aurigraph_nb as ag
        >>> rec = ag.open_recording(ag.sample(duration="10s").save("ten-seconds"))
        >>> _ = rec.rebuild()
        >>> len(rec.metrics.to_pandas())
        10
        """
        done = rebuilding.rebuild(self._directory("rebuild"))
        self._look_again(anew=True)
        return done

    def refresh(self) -> bool:
        """Look again at a recording that is still being written; returns whether anything changed.

        Rows, states and gaps are then as of now; tables that were made before stay as they are.

        >>> import aurigraph_nb as ag
        >>> rec = ag.open_recording(ag.sample(duration="10s").save("ten-seconds"))
        >>> rec.refresh()  # nobody writes it any more
        False
        """
        return self._look_again()

    def _look_again(self, *, anew: bool = False) -> bool:
        changed = self.source.refresh(anew=anew)
        if changed:
            with self._reading:
                self._reread = None
                self._warned = 0
            self._database.close()
            self._add_topics()
            for topic in self:
                with topic.lock:
                    topic.restart()
                    self._risen.discard(topic.name)
            self.tell()
        return changed

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        id: str | None = None,  # noqa: A002 - the field's word
        created_ns: int | None = None,
    ) -> Path:
        """Write a recording that is in memory into a directory, sealed. The same lines give the same files.

        :param path: a directory that does not exist, or is empty
        :param id: what the recording is called; default: as in memory
        :param created_ns: when it was made, ns since 1970 UTC; default: as in memory
        :raises BadOption: if it is in a directory already
        :raises RecordingError: if the directory is not empty, or cannot be written

        >>> import aurigraph_nb as ag
        >>> ag.sample(duration="10s").save("ten-seconds").name
        'ten-seconds'
        """
        if not isinstance(self.source, LinesSource):
            raise BadOption(f"save: this recording is in {self.source.path} already; copy the directory")
        source = self.source
        return save_lines(
            Path(path),
            source.protocol,
            [line for _, lines in source.lines() for line in lines],
            recording_id=source.id if id is None else id,
            created_ns=source.created_ns if created_ns is None else created_ns,
        )

    def export(self, to: str, path: str | os.PathLike[str] | None = None, **options: Any) -> Path:
        """Write (a part of) it in another format: parquet, csv, arrow, jsonl, duckdb or mcap.

        The options are those of :func:`aurigraph_nb.exporting.export.export`: ``topics``, ``start``, ``end``,
        ``overwrite`` and ``progress``.

        :param to: the format
        :param path: the target; default: beside the recording
        :returns: the target, absolute
        :raises BadOption: for an option that is not accepted
        :raises RecordingError: if something is there, or it cannot be written
        :raises MissingExtra: if the format needs a package that is not installed

        >>> import aurigraph_nb as ag
        >>> ag.sample(duration="10s").export("csv", "as-csv").name
        'as-csv'
        """
        from ..exporting.export import export

        target = export(self, to, path, **options)
        self.warn()
        return target

    def _directory(self, what: str) -> directories.Directory:
        if not isinstance(self.source, DirectorySource):
            raise BadOption(f"{what}: this recording is in memory; save(path) writes it into a directory")
        return self.source.directory

    def close(self) -> None:
        """Let go of the database. Everything can still be read, and opens it again.

        >>> import aurigraph_nb as ag
        >>> rec = ag.sample(duration="10s")
        >>> rec.close()
        >>> len(rec.metrics.to_pandas())
        10
        """
        self._database.close()
        super().close()


def _usable(url: str, wire: WireProtocol) -> str:
    """A URL that the protocol finds its endpoints by; what was recorded may be cut for people's eyes."""
    try:
        wire.endpoints(url)
    except (BadUrl, ValueError):
        return f"ws://recording.invalid{PATHS[wire.name]}"
    return url


def from_lines(
    lines: Sequence[Line],
    *,
    id: str = "memory",  # noqa: A002 - the field's word
    created_ns: int | None = None,
    name: str = "",
    truth: Truth | None = None,
) -> Recording:
    """A recording in memory out of the lines of a journal.

    :param lines: of any number of segments and recorders, each segment begun by its head
    :param id: what it is called
    :param created_ns: when it was made, ns since 1970 UTC; default: when its first segment was begun
    :param name: what its repr shows; default: ``id``
    :param truth: what really happened, if that is known
    :raises RecordingCorrupt: if they do not begin with a head
    """
    source = LinesSource(lines, id=id, created_ns=lines[0].t if created_ns is None and lines else created_ns or 0)
    return make_recording(source, title=name, truth=truth)


def open_recording(path: str | os.PathLike[str], *, recover: bool = True) -> Recording:
    """Open the recording in a directory for reading; also while it is being written.

    If a recorder had ended suddenly, what it had flushed is there, and what was torn is cut off: that is told by a
    warning (:class:`RecordingRecovered`) and stands in ``rec.recovered``; the original is kept in ``kept/``.

    :param path: of the directory
    :param recover: False: change nothing on the disk; what is torn is read up to there
    :raises RecordingError: if there is no recording, or it cannot be read
    :raises RecordingTooNew: if a newer version made it
    :raises RecordingCorrupt: if it cannot be told what it is

    >>> import aurigraph_nb as ag
    >>> path = ag.sample(duration="10s", seed=7).save("ten-seconds")
    >>> len(ag.open_recording(path).metrics.to_pandas())
    10
    """
    directory = directories.open(path)
    recovered = recovering.recover(directory) if recover else ()
    for told in recovered:
        warnings.warn(str(told), RecordingRecovered, stacklevel=2)
    return make_recording(DirectorySource(directory), recovered=recovered)


def make_recording(
    source: Source, *, title: str = "", recovered: Sequence[Recovered] = (), truth: Truth | None = None
) -> Recording:
    """The recording of the right type for the protocol of ``source``."""
    from .feeds import RECORDING_TYPES

    return RECORDING_TYPES[source.protocol](source, title=title, recovered=recovered, truth=truth)
