"""Mirrors: whole at every moment, resumed where they were left, and quiet about secrets; read back from S3."""

from __future__ import annotations

import importlib
import json
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from journals import model_lines, segments_of, tables_of, unsealed

from aurigraph_nb.errors import BadOption, MissingExtra, RecordingCorrupt, RecordingError
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording import mirror as module
from aurigraph_nb.recording.directory import Directory
from aurigraph_nb.recording.mirror import Mirror
from aurigraph_nb.recording.parts import table_digest
from aurigraph_nb.recording.sealer import Sealer
from aurigraph_nb.recording.verify import verify

fsspec = pytest.importorskip("fsspec")

KEYS = {"key": "testing-key", "secret": "testing-secret"}


@pytest.fixture
def work(tmp_path: Path) -> tuple[Directory, Sealer]:
    """A recording of three segments, two of them sealed."""
    directory, manifest = unsealed(tmp_path / "rec", topics=("metrics", "validators"))
    sealer = Sealer(directory, manifest)
    sealer.seal(1)
    sealer.seal(2)
    return directory, sealer


def at_once(seconds: float) -> bool:
    """Waits for nothing."""
    return True


def copied(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def expected() -> dict[str, str]:
    lines = segments_of(model_lines(), 1, protocol="portal")[0]
    return {topic: table_digest(table) for topic, table in tables_of("portal", lines).items()}


def test_what_is_sealed_is_copied_as_it_is_and_what_is_not_stays_here(
    work: tuple[Directory, Sealer], tmp_path: Path
) -> None:
    directory, sealer = work
    mirror = Mirror(f"file://{tmp_path}/there/deep")
    done = mirror.sync(directory)
    there = copied(tmp_path / "there" / "deep")
    names = {"recording.json", "manifest/rec.json"}
    for entry in sealer.manifest.segments:
        names |= {f"journal/{entry.journal}", *(part.path for part in entry.parts)}
    assert set(there) == names and "journal/000003.jsonl.zst" not in names
    assert all((directory.path / name).read_bytes() == data for name, data in there.items())
    assert (done.segments, done.files, mirror.waiting, mirror.failures) == (2, len(names) - 1, 0, 0)
    assert done.bytes == sum(len(data) for name, data in there.items() if not name.startswith("manifest"))


def test_the_mirror_is_a_recording(work: tuple[Directory, Sealer], tmp_path: Path) -> None:
    directory, sealer = work
    sealer.seal(3)
    Mirror(f"file://{tmp_path}/there").sync(directory, "rec")
    there = directories.open(tmp_path / "there")
    assert verify(there).ok and there.manifest("rec") == sealer.manifest
    table = ds.dataset(tmp_path / "there" / "topic=metrics").to_table()
    assert table_digest(table) == expected()["metrics"]


def test_the_next_sync_copies_what_is_new_and_nothing_twice(work: tuple[Directory, Sealer], tmp_path: Path) -> None:
    directory, sealer = work
    url = f"file://{tmp_path}/there"
    mirror = Mirror(url)
    mirror.sync(directory)
    assert (mirror.sync(directory).files, mirror.copied_segments) == (0, 2)
    entry = sealer.seal(3)
    sealer.note(state="ended", ended_ns=7)
    assert mirror.sync(directory).files == 1 + len(entry.parts)
    again = Mirror(url).sync(directory)  # of another process, which asks what is there
    assert (again.segments, again.files) == (0, 1)
    found = directories.open(tmp_path / "there").manifest("rec")
    assert found is not None and found.state == "ended"


def test_several_recorders_share_a_mirror(tmp_path: Path) -> None:
    for name in ("one", "two"):
        directory, manifest = unsealed(tmp_path / "rec", count=1, topics=("metrics",), recorder=name)
        Sealer(directory, manifest).seal(1 if name == "one" else 2)
    mirror = Mirror("memory://bucket/shared")
    assert mirror.sync(directory, "two").segments == 1
    assert mirror.sync(directory).segments == 1
    store = fsspec.filesystem("memory")
    found = sorted(path.removeprefix("/bucket/shared/") for path in store.find("/bucket/shared"))
    assert found == sorted(name for name in copied(directory.path) if not name.startswith("lock"))
    store.rm("/bucket", recursive=True)


class Moody:
    """A file system whose operations fail when they are told to."""

    def __init__(self, fs: Any, fails: Callable[[int, str], bool]) -> None:
        self._fs, self._fails, self.calls = fs, fails, 0
        self.protocol = fs.protocol

    def __getattr__(self, name: str) -> Any:
        do = getattr(self._fs, name)

        def called(*args: Any, **options: Any) -> Any:
            self.calls += 1
            if self._fails(self.calls, str(args[-1])[:200]):
                raise ConnectionError(f"the server is gone (key={KEYS['secret']})")
            return do(*args, **options)

        return called


def moody(mirror: Mirror, fails: Callable[[int, str], bool]) -> Moody:
    mirror._fs = Moody(mirror._fs, fails)
    return mirror._fs


def test_what_fails_once_is_tried_again_and_counted(work: tuple[Directory, Sealer], tmp_path: Path) -> None:
    waits: list[float] = []
    mirror = Mirror(f"file://{tmp_path}/there", wait=lambda s: (waits.append(s), True)[1])
    moody(mirror, lambda call, _: call % 4 == 1)
    done = mirror.sync(work[0])
    assert done.segments == 2 and mirror.failures == len(waits) > 5 and mirror.error is None
    assert all(0 < wait <= module.WAIT_S * 2**module.TRIES for wait in waits)
    assert verify(directories.open(tmp_path / "there")).ok


def test_a_server_that_is_gone_is_told_without_secrets_and_synced_later(
    work: tuple[Directory, Sealer], tmp_path: Path
) -> None:
    directory, sealer = work
    mirror = Mirror(f"file://{tmp_path}/there", {"auto_mkdir": True}, wait=at_once)
    mirror._secrets = [KEYS["secret"]]
    down = True
    moody(mirror, lambda *_: down)
    with pytest.raises(
        RecordingError, match=r"Cannot copy to file://.*: ConnectionError: the server is gone \(key=\*\*\*\)"
    ):
        mirror.sync(directory)
    assert mirror.failures == module.TRIES and mirror.waiting == 2
    assert mirror.error == "ConnectionError: the server is gone (key=***)"
    down = False
    sealer.seal(3)
    assert mirror.sync(directory).segments == 3 and mirror.error is None and mirror.waiting == 0


def test_at_every_step_the_manifest_over_there_names_only_what_is_there(
    work: tuple[Directory, Sealer], tmp_path: Path
) -> None:
    directory, _ = work
    counted = moody(Mirror(f"file://{tmp_path}/count"), lambda *_: False)
    probe = Mirror(f"file://{tmp_path}/count")
    probe._fs = counted
    probe.sync(directory)
    assert counted.calls > 20
    for fatal in range(1, counted.calls + 1):
        url, folder = f"file://{tmp_path}/at-{fatal}", tmp_path / f"at-{fatal}"
        mirror = Mirror(url, wait=lambda s: False)
        moody(mirror, lambda call, _, fatal=fatal: call >= fatal)
        with pytest.raises(RecordingError):
            mirror.sync(directory)
        if (folder / "manifest" / "rec.json").exists():
            assert verify(directories.open(folder)).ok
        Mirror(url).sync(directory)
        assert {n: d for n, d in copied(folder).items() if "/." not in n} == copied(tmp_path / "count")


def test_whoever_stops_waits_no_longer(work: tuple[Directory, Sealer], tmp_path: Path) -> None:
    mirror = Mirror(f"file://{tmp_path}/there")
    moody(mirror, lambda *_: True)
    mirror.stop()
    with pytest.raises(RecordingError):
        mirror.sync(work[0])
    assert mirror.failures == 1


def test_who_was_stopped_while_a_file_went_over_begins_no_further_one(
    work: tuple[Directory, Sealer], tmp_path: Path
) -> None:
    mirror = Mirror(f"file://{tmp_path}/there")
    store = moody(mirror, lambda *_: bool(mirror.stop()))
    with pytest.raises(RecordingError, match="it was stopped"):
        mirror.sync(work[0])
    assert store.calls > 0 and list(copied(tmp_path / "there")) == ["recording.json"]


def test_a_damaged_file_is_not_copied(work: tuple[Directory, Sealer], tmp_path: Path) -> None:
    directory, sealer = work
    part = directory.path / sealer.manifest.segments[1].parts[0].path
    part.write_bytes(part.read_bytes()[:-1])
    mirror = Mirror(f"file://{tmp_path}/there")
    with pytest.raises(RecordingCorrupt, match="is not what its manifest says; it is not copied"):
        mirror.sync(directory)
    found = directories.open(tmp_path / "there").manifest("rec")
    assert found is not None and [entry.number for entry in found.segments] == [1]


def test_an_unreadable_manifest_over_there_is_written_anew(work: tuple[Directory, Sealer], tmp_path: Path) -> None:
    (tmp_path / "there" / "manifest").mkdir(parents=True)
    (tmp_path / "there" / "manifest" / "rec.json").write_text("{")
    assert Mirror(f"file://{tmp_path}/there").sync(work[0]).segments == 2


# How it is asked for


@pytest.mark.parametrize("url", ["", "/data/there", "bucket", "gopher://there"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadOption, match="mirror="):
        Mirror(url)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, package: str | None = None) -> Any:
        raise ImportError(name)

    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtra, match=r"a mirror at s3:// needs a package .*aurigraph-nb\[s3\]"):
        Mirror("s3://bucket/x", {"skip_instance_cache": True})
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtra, match=r"needs fsspec; install it with: pip install 'aurigraph-nb\[s3\]'"):
        Mirror("file:///there")


def test_secrets_are_in_no_repr_and_no_refusal() -> None:
    mirror = Mirror("memory://user:hunter22@place/x?key=abcdefgh", {"password": "hunter33"})
    assert "hunter" not in repr(mirror) + mirror.url and "abcdefgh" not in mirror.url
    assert "hunter33" not in mirror._told(ValueError("password hunter33 was wrong"))
    with pytest.raises(BadOption) as refused:
        Mirror("gopher://user:hunter22@place")
    assert "hunter22" not in str(refused.value)


def test_an_endpoint_is_no_secret_but_a_password_in_it_and_keys_are() -> None:
    client = {"region_name": "eu-central-1", "aws_session_token": "hunter55"}
    options = {**KEYS, "endpoint_url": "http://me:hunter44@127.0.0.1:9000", "client_kwargs": client}
    mirror = Mirror("memory://bucket", options)
    told = mirror._told(ValueError("http://me:hunter44@127.0.0.1:9000/bucket testing-secret hunter55 eu-central-1"))
    assert told == "ValueError: http://***@127.0.0.1:9000/bucket *** *** eu-central-1"


@pytest.mark.parametrize("given, used", [({}, 20), ({"read_timeout": 90}, 90)])
def test_s3_is_not_waited_for_for_minutes_unless_that_is_asked_for(given: dict[str, int], used: int) -> None:
    pytest.importorskip("s3fs")
    fs = Mirror("s3://bucket/x", {**KEYS, "config_kwargs": given})._fs
    assert fs.config_kwargs["read_timeout"] == used and fs.config_kwargs["connect_timeout"] == 5


# S3


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A double of S3 on this machine."""
    pytest.importorskip("s3fs")
    server_of = pytest.importorskip("moto.server").ThreadedMotoServer
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = server_of(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(scope="module")
def there(s3: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A whole recording in a bucket; the options to read it with."""
    options = {**KEYS, "endpoint_url": s3, "client_kwargs": {"region_name": "eu-central-1"}}
    fsspec.filesystem("s3", **options).mkdir("bucket")
    directory, manifest = unsealed(tmp_path_factory.mktemp("s3") / "rec")
    sealer = Sealer(directory, manifest)
    mirror = Mirror("s3://bucket/folder", options)
    for number in (1, 2, 3):
        sealer.seal(number)
        assert mirror.sync(directory).segments == 1
    assert mirror.failures == 0 and mirror.copied_segments == 3
    return options


METRICS = "s3://bucket/folder/topic=metrics"


def test_the_files_in_s3_are_those_of_the_recording(there: dict[str, Any]) -> None:
    store = fsspec.filesystem("s3", **there)
    manifest = json.loads(store.cat_file("bucket/folder/manifest/rec.json"))
    names = [part["path"] for entry in manifest["segments"] for part in entry["parts"]]
    sizes = [part["bytes"] for entry in manifest["segments"] for part in entry["parts"]]
    assert [store.size(f"bucket/folder/{name}") for name in names] == sizes and len(names) == 15
    assert json.loads(store.cat_file("bucket/folder/recording.json"))["format"] == "aurigraph-recording"


def test_dask_reads_the_mirror(there: dict[str, Any]) -> None:
    dd = pytest.importorskip("dask.dataframe")
    frame = dd.read_parquet(METRICS, storage_options=there).compute(scheduler="synchronous")
    table = tables_of("portal", segments_of(model_lines(), 1, protocol="portal")[0])["metrics"]
    assert frame["tps"].to_list() == table["tps"].to_pylist() and frame["n"].to_list() == table["n"].to_pylist()


def test_polars_reads_the_mirror(there: dict[str, Any]) -> None:
    pl = pytest.importorskip("polars")
    store = fsspec.filesystem("s3", **there)
    frames = []
    for path in sorted(store.glob(f"{METRICS}/*/*.parquet")):
        with store.open(path) as file:
            frames.append(pl.read_parquet(file))
    whole = pl.concat(frames)
    table = tables_of("portal", segments_of(model_lines(), 1, protocol="portal")[0])["metrics"]
    assert table_digest(whole.to_arrow().select(["tps", "recv_ns"])) == table_digest(table.select(["tps", "recv_ns"]))


def test_duckdb_reads_the_mirror_through_fsspec(there: dict[str, Any]) -> None:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as base:
        base.register_filesystem(fsspec.filesystem("s3", **there))
        query = f"select count(*), sum(n) from read_parquet('{METRICS}/*/*.parquet', hive_partitioning=true)"
        found = base.execute(query).fetchall()
    table = tables_of("portal", segments_of(model_lines(), 1, protocol="portal")[0])["metrics"]
    assert found == [(table.num_rows, sum(table["n"].to_pylist()))]


def test_a_bucket_that_is_not_there_and_a_server_that_is_gone_are_told(s3: str, work: tuple[Directory, Sealer]) -> None:
    directory, _ = work
    options = {**KEYS, "endpoint_url": s3, "client_kwargs": {"region_name": "eu-central-1"}}
    with pytest.raises(RecordingError, match="Cannot copy to s3://no-such-bucket/x: FileNotFoundError"):
        Mirror("s3://no-such-bucket/x", options, wait=at_once).sync(directory)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        gone = {**options, "endpoint_url": f"http://127.0.0.1:{taken.getsockname()[1]}"}
        mirror = Mirror("s3://bucket/x", gone, wait=lambda s: False)
        with pytest.raises(
            RecordingError, match=r"Cannot copy to s3://bucket/x: .*Could not connect.* \"?http://127.0.0.1:\d+/bucket"
        ):
            mirror.sync(directory)
    assert mirror.failures == 1 and KEYS["secret"] not in str(mirror.error)
