"""A mirror: sealed segments copied to any place that fsspec can write to, such as ``s3://bucket/folder``.

What is copied is sealed and does not change any more: the identity, packed journals, Parquet files. A recorder's
manifest comes last and names only what is there, so the mirror is a whole recording at every moment, and many recorders
may share one. A failure never touches the recording: what could not be copied is copied the next time.
"""

from __future__ import annotations

import importlib
import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ..errors import BadOption, FileError, MissingExtra, RecordingCorrupt, RecordingError
from ..protocols import redact
from .directory import Directory
from .identity import FILE as IDENTITY
from .manifest import Manifest, SegmentEntry
from .whole import size_and_sha256

TRIES = 3
"""How often a file is tried at one push."""
WAIT_S = 0.5
"""Before the second try; twice as long before each further one."""
_AT_ONCE = frozenset("s3 s3a gs gcs abfs abfss az adl oss oci memory".split())
"""Where a file is there whole or not at all by itself; elsewhere it gets its name when it is whole."""
_S3_LIMITS: Mapping[str, Any] = {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 1}}
"""Unless ``config_kwargs`` among the options say otherwise."""
_NO_SECRETS = frozenset("endpoint_url region_name anon protocol signature_version addressing_style".split())
"""Options whose texts may be shown; of an address, all but a password in it."""


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied by one call."""

    segments: int
    """Copied whole, and named by a manifest over there."""
    files: int
    bytes: int


class Mirror:
    """Copies the sealed segments of recorders. For one thread at a time; the counts may be read on any.

    :param url: where to; anything that fsspec knows (``s3://…``, ``gs://…``, ``file:///…``)
    :param storage_options: for fsspec, e.g. keys and ``endpoint_url``; never shown, never written down
    :param wait: waits so many seconds and returns True, or False at once when nobody wants to wait any more
    :raises BadOption: if fsspec cannot read the URL or the options
    :raises MissingExtra: if what it takes is not installed
    """

    def __init__(
        self,
        url: str,
        storage_options: Mapping[str, Any] | None = None,
        *,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self.url = redact(url)
        """Without secrets."""
        self.copied_segments = 0
        self.copied_files = 0
        self.copied_bytes = 0
        self.failures = 0
        """Tries that failed."""
        self.waiting = 0
        """Sealed segments that are not over there yet."""
        self.error: str | None = None
        """What failed last, without secrets; None once everything is there."""
        self._secrets = sorted(_texts(storage_options or {}), key=len, reverse=True)
        self._stopped = threading.Event()
        self._wait = wait or (lambda seconds: not self._stopped.wait(seconds))
        self._fs, self._root = _file_system(url, dict(storage_options or {}))
        self._at_once = bool(_AT_ONCE & set(_protocols(self._fs)))
        self._there: dict[str, Manifest] = {}
        self._identity = False

    def __repr__(self) -> str:
        return f"<Mirror {self.url}>"

    def stop(self) -> None:
        """Wait no more between tries, and begin no further file; from any thread. The rest stays for another time."""
        self._stopped.set()

    def sync(self, directory: Directory, recorder: str | None = None) -> Synced:
        """Copy what is sealed and not over there yet, oldest first.

        :param recorder: copy only this one's segments
        :raises RecordingError: if something could not be copied, after some tries; what was copied counts, and the next
            call goes on from there. No secrets are in its words.
        :raises RecordingCorrupt: if a file is not what its manifest says; it is not copied
        """
        before = (self.copied_segments, self.copied_files, self.copied_bytes)
        names = directory.read().manifests if recorder is None else [recorder]
        manifests = [found for name in names if (found := directory.manifest(name)) is not None]
        self.waiting = sum(len(self._missing(manifest)) for manifest in manifests)
        try:
            for manifest in manifests:
                self._push(directory, manifest)
        except FileError as exc:
            self.error = str(exc)
            raise
        except Exception as exc:  # noqa: BLE001 - file systems of all makers raise what they like
            self.error = self._told(exc)
            raise RecordingError(f"Cannot copy to {self.url}: {self.error}") from None  # its cause may hold secrets
        self.error = None
        after = (self.copied_segments, self.copied_files, self.copied_bytes)
        segments, files, size = (new - old for new, old in zip(after, before, strict=True))
        return Synced(segments=segments, files=files, bytes=size)

    def _missing(self, manifest: Manifest) -> list[SegmentEntry]:
        """Entries that are not over there, as far as is known without asking."""
        there = self._there.get(manifest.recorder)
        return [e for e in manifest.segments if there is None or there.entry(e.number) != e]

    def _push(self, directory: Directory, manifest: Manifest) -> None:
        already = len(self._missing(manifest))
        self._ask(manifest.recorder)
        missing = self._missing(manifest)
        self.waiting -= already - len(missing)
        if not self._identity:
            self._copy(directory, IDENTITY)
            self._identity = True
        named = {e.number: e for e in manifest.segments if e not in missing}
        for entry in missing:
            for name, sha256 in _files(entry):
                self._copy(directory, name, sha256)
            named[entry.number] = entry
            self._put_manifest(manifest, named)
            self.copied_segments += 1
            self.waiting -= 1
        if self._there.get(manifest.recorder) != manifest:
            self._put_manifest(manifest, named)

    def _put_manifest(self, manifest: Manifest, named: Mapping[int, SegmentEntry]) -> None:
        ordered = tuple(named[number] for number in sorted(named))
        partial = msgspec.structs.replace(manifest, segments=ordered)
        self._try(lambda: self._write(_manifest_name(manifest.recorder), partial.encode()))
        self._there[manifest.recorder] = partial

    def _ask(self, recorder: str) -> None:
        """Learn what the recorder's manifest over there names; one that cannot be read names nothing."""
        if recorder in self._there:
            return
        data = self._try(lambda: self._read(_manifest_name(recorder)))
        try:
            if data is not None:
                self._there[recorder] = Manifest.decode(data)
        except RecordingCorrupt:
            return

    # Single files

    def _read(self, name: str) -> bytes | None:
        try:
            data: bytes = self._fs.cat_file(self._at(name))
        except FileNotFoundError:
            return None
        return data

    def _copy(self, directory: Directory, name: str, sha256: str | None = None) -> None:
        path = directory.inside(name)
        if sha256 is not None and size_and_sha256(path)[1] != sha256:
            raise RecordingCorrupt(f"{path} is not what its manifest says; it is not copied. See verify().")
        self._try(lambda: self._upload(path, name))
        if self._stopped.is_set():
            raise RecordingError(f"Cannot copy to {self.url}: it was stopped.")
        self.copied_files += 1
        self.copied_bytes += path.stat().st_size

    def _upload(self, path: Path, name: str) -> None:
        self._placed(name, lambda at: self._fs.put_file(str(path), at))

    def _write(self, name: str, data: bytes) -> None:
        self._placed(name, lambda at: self._fs.pipe_file(at, data))

    def _placed(self, name: str, write: Callable[[str], object]) -> None:
        at = self._at(name)
        if self._at_once:
            write(at)
            return
        folder, _, last = at.rpartition("/")
        self._fs.makedirs(folder, exist_ok=True)
        passing = f"{folder}/.{last}.part"
        write(passing)
        self._fs.mv(passing, at)

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _try(self, do: Callable[[], Any]) -> Any:
        for tries in range(1, TRIES + 1):
            try:
                return do()
            except Exception as exc:
                self.failures += 1
                self.error = self._told(exc)
                pause_s = WAIT_S * 2 ** (tries - 1) * random.uniform(0.75, 1.25)
                if tries == TRIES or not self._wait(pause_s):
                    raise
        return None

    def _told(self, exc: BaseException) -> str:
        """What went wrong, in words that hold no secret."""
        text = " ".join(str(exc).split())
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return f"{type(exc).__name__}: {text[:300]}" if text else type(exc).__name__


def _manifest_name(recorder: str) -> str:
    return f"manifest/{recorder}.json"


def _files(entry: SegmentEntry) -> Iterator[tuple[str, str]]:
    yield f"journal/{entry.journal}", entry.sha256
    for part in entry.parts:
        yield part.path, part.sha256


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _texts(value: Any) -> Iterator[str]:
    """All texts in some options that may be secret, and how they look in JSON."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _password(item) if key in _NO_SECRETS else _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str) and len(value) >= 4:
        yield from {value, json.dumps(value)[1:-1]}


def _password(value: Any) -> Iterator[str]:
    """What stands before the host of an address; nothing in other texts."""
    address = value if isinstance(value, str) else ""
    if "@" in address:
        before = address.rpartition("@")[0].rpartition("/")[2]
        yield from _texts([before, *before.split(":")])


def _file_system(url: str, options: dict[str, Any]) -> tuple[Any, str]:
    scheme = urlsplit(url).scheme if "://" in url else ""
    if not scheme:
        raise BadOption(f"mirror={redact(url)!r}: expected a URL such as 's3://bucket/folder' or 'file:///folder'")
    try:
        core = importlib.import_module("fsspec.core")
    except ImportError:
        raise MissingExtra("a mirror needs fsspec; install it with: pip install 'aurigraph-nb[s3]'") from None
    if scheme in ("s3", "s3a"):
        options["config_kwargs"] = {**_S3_LIMITS, **options.get("config_kwargs", {})}
    try:
        fs, root = core.url_to_fs(url, **options)
    except ImportError:
        raise MissingExtra(
            f"a mirror at {scheme}:// needs a package that is not installed (for s3://: pip install "
            f"'aurigraph-nb[s3]'; for others see fsspec's documentation)"
        ) from None
    except Exception as exc:  # noqa: BLE001 - its words may hold a secret, and are not repeated
        raise BadOption(
            f"mirror={redact(url)!r}: the place, or what was given to reach it, was refused ({type(exc).__name__}); "
            f"see the documentation of fsspec for {scheme}://"
        ) from None
    return fs, root.rstrip("/")
