"""A recorder is killed in the middle of everything: what was flushed is there, and nothing else."""

import multiprocessing
import os
import random
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import doomed
import pytest

import aurigraph_nb as ag
from aurigraph_nb.node.outlet import Outlet
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording.digest import Digest
from aurigraph_nb.recording.journal import read_segment
from aurigraph_nb.recording.lines import FrameLine, data_of
from aurigraph_nb.recording.rebuild import seal_left
from aurigraph_nb.recording.recover import recover
from aurigraph_nb.recording.verify import verify

TRIALS, AT_ONCE, RATE = 20, 3, 5_000
LONGEST_S = 1.2

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL, no forks")


@pytest.fixture
def sent(monkeypatch):
    """What the node sent: payloads by trial and topic."""
    log, send = defaultdict(list), Outlet.send

    def note(self, parcel):
        went = send(self, parcel)
        if went:
            log[int(self.connection.request.headers["X-Trial"]), self.topic].extend(parcel.payloads)
        return went

    monkeypatch.setattr(Outlet, "send", note)
    return log


def start_and_kill(trial, url, path, delay_s):
    """Run a recorder until some time after its first flush; returns how many frames it had said to be on the disk."""
    context = multiprocessing.get_context("forkserver")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=doomed.record, args=(url, path, trial, writer), daemon=True)
    process.start()
    writer.close()
    try:
        assert reader.poll(30), "it recorded nothing"
        time.sleep(delay_s)  # the moment is to be any, so it waits for nothing that the recorder does
    finally:
        process.kill()
        process.join()
    told = b""
    while piece := os.read(reader.fileno(), 2**16):
        told += piece
    reader.close()
    return int.from_bytes(told[-8:], "little")


def frames_of(directory):
    """The recorded payloads by endpoint, in order, and the number of frames."""
    found, count = defaultdict(list), 0
    for segment in directory.segments():
        for lines in read_segment(segment.path):
            for line in lines:
                if isinstance(line, FrameLine):
                    found[line.e].append(data_of(line))
                    count += 1
    return found, count


def rows_of(directory):
    digest, rows = Digest("portal"), 0
    for segment in directory.segments():
        for lines in read_segment(segment.path):
            digest.take(lines)
            rows += sum(map(len, digest.drain().values()))
    return rows


def check(trial, path, told, sent):
    """Recover, and compare with what the node sent."""
    directory = directories.open(path)
    recover(directory)
    found, count = frames_of(directory)
    assert count >= told, "a flushed frame is missing"
    for endpoint, payloads in found.items():
        assert payloads == sent[trial, endpoint][: len(payloads)], f"no exact prefix on {endpoint}"
    assert verify(directory).ok, str(verify(directory))
    seal_left(directory)
    contents = directory.read()
    assert all(segment.entry is not None for segment in contents.segments)
    assert sum(part.rows for s in contents.segments for part in s.entry.parts) == rows_of(directory)
    assert frames_of(directory) == (found, count)
    assert verify(directory).ok, str(verify(directory))
    return count


def test_twenty_kills_lose_nothing_that_was_flushed(tmp_path, sent):
    moments = random.Random(20)
    delays = [moments.uniform(0.0, LONGEST_S) for _ in range(TRIALS)]
    multiprocessing.set_forkserver_preload(["aurigraph_nb"])

    def kill(number):
        return start_and_kill(number, node.url, tmp_path / str(number), delays[number])

    with ag.Node(seed=4, rate=RATE, compression=None) as node, ThreadPoolExecutor(AT_ONCE) as pool:
        told = list(pool.map(kill, range(TRIALS)))
    kept = [check(number, tmp_path / str(number), told[number], sent) for number in range(TRIALS)]
    assert len(kept) == TRIALS and min(told) > 0
    assert sum(kept) > TRIALS * 500  # it was busy
