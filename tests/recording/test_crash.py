"""Recorders that are killed at any moment: what was flushed is there, exactly, and nothing that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from aurigraph_nb.recording.journal import read_segment
from aurigraph_nb.recording.recover import recover
from aurigraph_nb.recording.verify import verify

# One process that starts recorders, so that each trial costs a fork and not the imports. A recorder writes flushes of
# 1 to 40 frames, tells after each how many frames are flushed, and begins a new segment now and then.
NURSERY = """
    import os, random, sys
    from aurigraph_nb.recording import directory
    from aurigraph_nb.recording.journal import JournalWriter
    from aurigraph_nb.recording.lines import End, FrameLine, Head

    def tell(words):
        os.write(1, (words + "\\n").encode())

    def record(path, seed):
        chance = random.Random(seed)
        where = directory.open(path)
        lock = where.lock("a")
        done = 0
        while True:
            head = Head(v=1, recorder="a", segment=where.next_segment(), t=1, protocol="live", url="", topics=())
            writer = JournalWriter(where.journal, head)
            for _ in range(chance.randint(1, 60)):
                count = chance.randint(1, 40)
                texts = {i: '{"i":%d,"x":"%x"}' % (i, i * 2654435761) for i in range(done, done + count)}
                writer.write([FrameLine(i, "main", 1, text) for i, text in texts.items()])
                done += count
                tell(f"flushed {done}")
            writer.end(End(1, writer.frames))

    for order in sys.stdin:
        path, seed = order.split()
        child = os.fork()
        if not child:
            record(path, int(seed))
        tell(f"born {child}")
        os.waitpid(child, 0)
        tell("dead 0")
"""


@pytest.fixture(scope="module")
def nursery() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(NURSERY)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()
        process.wait(30)


def run_and_kill(nursery, path, seed: int) -> int:
    """Frames that the recorder said were flushed before it was killed, at a moment of the seed's choice."""
    chance = random.Random(seed)
    enough, spins = chance.randint(1, 4_000), chance.randint(0, 20_000)
    nursery.stdin.write(f"{path} {seed}\n")
    nursery.stdin.flush()
    flushed, child = 0, None
    for line in nursery.stdout:
        word, _, number = line.partition(" ")
        if word == "dead":
            return flushed
        child = int(number) if word == "born" else child
        flushed = int(number) if word == "flushed" else flushed
        if child is not None and flushed >= enough:
            for _ in range(spins):
                pass  # somewhere between two flushes, or within one
            os.kill(child, signal.SIGKILL)
            enough = sys.maxsize
    raise AssertionError("the nursery ended")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_recorder_loses_no_flushed_line(nursery, scribe, tmp_path):
    """Twenty times: an exact prefix of what was to be written, at least all that was flushed, and a clean recording."""
    for seed in range(20):
        where = scribe.recording(tmp_path / str(seed))
        flushed = run_and_kill(nursery, where.path, seed)
        assert not where.alive("a")
        recover(where)
        lines = [line for s in where.segments() for lines in read_segment(s.path) for line in lines]
        times = [line.t for line in lines if hasattr(line, "d")]
        assert times == list(range(len(times)))
        assert len(times) >= flushed > 0
        assert all(line.d == f'{{"i":{line.t},"x":"{line.t * 2654435761:x}"}}' for line in lines if hasattr(line, "d"))
        report = verify(where)
        assert report.ok, str(report)
