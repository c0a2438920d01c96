"""How a recorder comes to be: all checks first, then the first line on the disk, and the tap at that very place."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import iothread
from ..clock import RealClock
from ..durations import Duration, seconds
from ..errors import BadOption, BadOptionType, RecordingInUse
from ..intake import Counting
from ..recording import directory as directories
from ..recording.directory import Contents, Directory
from ..recording.journal import DURABILITIES, JournalWriter
from ..recording.lines import VERSION, Head
from ..recording.manifest import Manifest
from ..recording.mirror import Mirror
from ..recording.rebuild import seal_left
from ..recording.sealer import Sealer
from . import copying, resume
from .copying import Copying
from .handle import Options, Place, Recorder
from .inbox import Inbox
from .sealing import Sealing
from .steps import StepWatch
from .writer import Plan, Writer, head_at

if TYPE_CHECKING:
    from ..feed import Feed

SEGMENT_BYTES = 64 * 2**20
SEGMENT_AGE = "10min"
LEAST_SEGMENT_BYTES = 2**12
MOST_SEGMENT_BYTES = 2**30

_turn = threading.Lock()
log = logging.getLogger("aurigraph_nb")


def record(
    feed: Feed,
    path: str | os.PathLike[str],
    topics: Sequence[str] | str | None = None,
    *,
    durability: str = "process",
    mirror: str | None = None,
    mirror_options: dict[str, Any] | None = None,
    name: str | None = None,
    segment_bytes: int = SEGMENT_BYTES,
    segment_age: Duration = SEGMENT_AGE,
) -> Recorder:
    """Write everything down that comes from now on; returns when the first line is on the disk.

    A directory that holds a recording of the same protocol is continued: with a gap for the time between, if nobody
    else was recording; and what recorders that were killed left is sealed meanwhile. The same call again, while it
    runs, gives the recorder that runs. With a feed whose run has an end, the recording ends by itself.

    :param feed: what is recorded; its topics are opened
    :param path: a directory on a local disk
    :param topics: the topics to open and to list; default: all that the feed has now
    :param durability: "process": what was flushed (every 1,000 lines or 250 ms) outlives the process; "power": it
        outlives a power cut, too
    :param mirror: where sealed segments are copied: any URL that fsspec knows, such as ``s3://bucket/path``. At the end
        of the recording it has ten seconds for each file, and a minute in all; what is not there then is told, and
        copied by the next recorder with this mirror
    :param mirror_options: what fsspec needs to get there, such as keys; stored nowhere
    :param name: what the recorder is called in the recording; default: a random name
    :param segment_bytes: size of the lines, uncompressed, at which a segment of the journal is sealed
    :param segment_age: age at which it is sealed all the same, seconds or a duration
    :raises BadOption: for an option that is not accepted (BadOptionType for a wrong type)
    :raises FeedClosed: after ``feed.close()``
    :raises MissingExtra: if ``mirror`` needs a package that is not installed
    :raises RecordingError: if the directory cannot be used, or is in use with other options (RecordingInUse)
    :raises RecordingCorrupt: if it holds a recording that cannot be read
    :raises UnknownTopic: if the feed has no such topic
    :raises WrongThread: on the I/O thread

    >>> import tempfile, aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7, rate=200)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with feed.record(f"{place}/monday") as recorder:
    ...         recorder.wait(frames=50, timeout=30)
    >>> recorder.frames >= 50, recorder.lost
    (True, 0)
    >>> feed.close()
    """
    feed.check_usable("record")
    feed.check_thread("record")
    where = _checked_path(path)
    options = Options(
        topics=_checked_topics(feed, topics),
        durability=_checked_durability(durability),
        mirror=_checked_text("mirror", mirror),
        mirror_options=_checked_mirror_options(mirror, mirror_options),
        name=_checked_text("name", name),
        segment_bytes=_checked_bytes(segment_bytes),
        segment_age_s=_checked_age(segment_age),
    )
    with _turn:
        recorder = _running(feed, where, options) or _start(feed, where, options)
    for topic in options.topics:
        feed[topic].open()
    recorder.follow()
    return recorder


def _running(feed: Feed, path: Path, options: Options) -> Recorder | None:
    """The recorder that writes this feed to this place already."""
    for recorder in feed.recorders:
        if recorder.running and recorder.path.resolve() == path.resolve():
            if recorder.options == options:
                return recorder
            raise RecordingInUse(
                f"Cannot record into {path}: a recorder of this feed writes there already, with other options. "
                "End it with its close() first; feed.recorders has it."
            )
    return None


def _start(feed: Feed, path: Path, options: Options) -> Recorder:
    mirror = None if options.mirror is None else Mirror(options.mirror, options.mirror_options)
    directory = directories.create_or_open(path, feed.protocol)
    place, contents = _take_place(directory, options.name)
    inbox = _inbox(feed, options.topics)
    try:
        return _begin(feed, place, options, inbox, mirror, contents)
    except BaseException:
        feed.untap(inbox)
        place.lock.release()
        raise


def _take_place(directory: Directory, wanted: str | None) -> tuple[Place, Contents]:
    """A name that nobody has had, locked; and what was in the recording before."""
    while True:
        contents = directory.read()
        name = resume.name_for(wanted, contents)
        lock = directory.lock(name)
        if not os.path.lexists(directory.manifest_path(name)):
            return Place(directory, name, lock), contents
        lock.release()  # another recorder of this name came and went meanwhile: its manifest is not written over


def on_real_time(feed: Feed) -> bool:
    """Whether a feed lives on the machine's clock."""
    return isinstance(feed.clock, RealClock)


def _inbox(feed: Feed, topics: Sequence[str]) -> Inbox:
    by_endpoint: dict[str, list[str]] = {}
    for topic in topics:
        by_endpoint.setdefault(feed.endpoint_of(topic), []).append(topic)
    return Inbox(
        by_endpoint,
        endpoint_of=feed.endpoint_of,
        counting=feed.intake.counting,
        now_ns=feed.now_ns,
        steps=StepWatch() if on_real_time(feed) else None,
    )


def _begin(
    feed: Feed, place: Place, options: Options, inbox: Inbox, mirror: Mirror | None, contents: Contents
) -> Recorder:
    directory = place.directory
    moments = resume.last_moments(contents)
    left = tuple(name for name in contents.recorders if name not in contents.live)
    t, counting = _tap(feed, inbox)
    journal = _first_segment(feed, place, options, t, counting)
    try:
        gaps = resume.missed([feed[name] for name in options.topics], moments, t)
        journal.write(gaps)
        sealer = _sealer(feed, place, options, t)
    except BaseException:
        journal.close()
        raise
    recorder = Recorder(feed, place, options, inbox, resumed=len(gaps), real_time=on_real_time(feed))
    plan = Plan(
        begin=lambda head: JournalWriter(directory.journal, head, options.durability),
        segment_bytes=options.segment_bytes,
        segment_age_s=options.segment_age_s,
        ticks=on_real_time(feed),
        beat=place.lock.beat,
    )
    sealing = Sealing(
        place.recorder,
        seal=sealer.seal,
        before=(lambda: _seal_left(directory)) if left else None,
        copying=None if mirror is None else _copying(mirror, directory, (*left, place.recorder)),
        last_words=lambda: sealer.note(**recorder.last_words()),
        on_end=recorder.sealed,
    )
    writer = Writer(plan, inbox, journal, feed.intake.secrets, on_segment=sealing.put, on_end=recorder.written)
    recorder.start(writer, sealing)
    return recorder


def _copying(mirror: Mirror, directory: Directory, names: tuple[str, ...]) -> Copying:
    return Copying(mirror, directory, names, patience_s=copying.PATIENCE_S, most_s=copying.MOST_S)


def _seal_left(directory: Directory) -> None:
    """Seal what recorders that are no more left; what cannot be sealed stays as it is, and is read from its journal."""
    done = seal_left(directory)
    if done.segments:
        log.info("sealed %d segments that earlier recorders had left in %s", done.segments, directory.path)
    for problem in done.problems:
        log.warning("an earlier recorder's segment was not sealed: %s", problem)


def _tap(feed: Feed, inbox: Inbox) -> tuple[int, Counting]:
    """Let the inbox have everything from this moment on, and say when that is."""

    async def tap() -> tuple[int, Counting]:
        return feed.now_ns(), feed.tap(inbox)

    return iothread.get().run(tap())


def _first_segment(feed: Feed, place: Place, options: Options, t: int, counting: Counting) -> JournalWriter:
    like = Head(
        v=VERSION,
        recorder=place.recorder,
        segment=0,
        t=t,
        protocol=feed.protocol,
        url=feed.url,
        topics=options.topics,
    )
    head = head_at(like, t, counting, segment=place.directory.next_segment(), first=True)
    return JournalWriter(place.directory.journal, head, options.durability)


def _sealer(feed: Feed, place: Place, options: Options, t: int) -> Sealer:
    manifest = Manifest(
        recorder=place.recorder, protocol=feed.protocol, url=feed.url, topics=options.topics, started_ns=t
    )
    sealer = Sealer(place.directory, manifest)
    sealer.note()
    return sealer


# Checks


def _checked_path(path: object) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise BadOptionType(f"path={path!r}: the name of a directory was expected")
    text = os.fspath(path)
    if not isinstance(text, str) or not text or "\0" in text:
        raise BadOption(f"path={path!r}: the name of a directory was expected")
    if "://" in text:
        raise BadOption(
            f"path={path!r} is a URL; a recording is written to a local disk, and mirror={text!r} copies it there"
        )
    return Path(text).expanduser().absolute()


def _checked_topics(feed: Feed, topics: object) -> tuple[str, ...]:
    if topics is None:
        return feed.topics
    if not isinstance(topics, str | Sequence) or isinstance(topics, bytes):
        raise BadOptionType(f"topics={topics!r}: a list of topic names was expected, such as {list(feed.topics)[:2]}")
    names = (topics,) if isinstance(topics, str) else tuple(topics)
    if not names:
        raise BadOption(f"topics={topics!r}: at least one topic was expected, of {', '.join(feed.topics)}")
    return tuple(dict.fromkeys(feed[name].name for name in names))


def _checked_durability(durability: object) -> str:
    if durability not in DURABILITIES:
        raise BadOption(f"durability={durability!r}: expected {' or '.join(map(repr, DURABILITIES))}")
    return str(durability)


def _checked_text(option: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise BadOptionType(f"{option}={value!r}: a text was expected")
    if value == "":
        raise BadOption(f"{option}='' is empty")
    return value


def _checked_mirror_options(mirror: object, options: object) -> dict[str, Any]:
    if options is None:
        return {}
    if not isinstance(options, dict) or not all(isinstance(key, str) for key in options):
        raise BadOptionType(f"mirror_options: a dict with texts as keys was expected, not {type(options).__name__}")
    if mirror is None:
        raise BadOption("mirror_options were given, but no mirror")
    return dict(options)


def _checked_bytes(size: object) -> int:
    if isinstance(size, bool) or not isinstance(size, int):
        raise BadOptionType(f"segment_bytes={size!r}: a whole number of bytes was expected")
    if not LEAST_SEGMENT_BYTES <= size <= MOST_SEGMENT_BYTES:
        raise BadOption(f"segment_bytes={size}: expected {LEAST_SEGMENT_BYTES:,} to {MOST_SEGMENT_BYTES:,}")
    return size


def _checked_age(age: Duration) -> float:
    age_s = seconds(age, option="segment_age")
    if age_s <= 0:
        raise BadOption(f"segment_age={age!r}: expected more than 0 seconds")
    return age_s
