"""Recording: bytes and CPU a message, sealed and live, and the time to open and read; against JSON lines and MCAP.

The frames are those of the local node's model (all five topics of the topic streams, in its usual mix).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import aurigraph_nb as ag
from aurigraph_nb.protocols import Frame
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording.journal import JournalWriter
from aurigraph_nb.recording.lines import End, FrameLine, Head, Line, frame_of
from aurigraph_nb.recording.manifest import Manifest
from aurigraph_nb.recording.sealer import Sealer
from aurigraph_nb.sample import Script

from .harness import Clocked, options, run, tell


def lines_of(messages: int) -> list[Line]:
    """The head, and so many frames of the model."""
    script = Script("portal", scenario="steady", duration="1d", seed=7, start="2026-01-01", rate=500.0)
    found: list[Line] = []
    for line in script.lines():
        if isinstance(line, Head) or (isinstance(line, FrameLine) and len(found) <= messages):
            found.append(line)
        if len(found) > messages:
            break
    return found


@contextmanager
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "recording"


def ours(lines: Sequence[Line], flush: int) -> Callable[[], dict[str, float]]:
    """Journal in flushes of ``flush`` lines, sealed, opened, read."""

    def measure() -> dict[str, float]:
        head, frames = lines[0], lines[1:]
        assert isinstance(head, Head)
        with place() as path:
            directory = directories.create_or_open(path, "portal")
            with Clocked() as writing:
                writer = JournalWriter(directory.journal, head)
                for portion in (frames[i : i + flush] for i in range(0, len(frames), flush)):
                    writer.write(portion)
                writer.end(End(frames[-1].t, len(frames), True))
                live = writer.bytes
                writer.close()
            topics, start = head.topics, head.t
            manifest = Manifest(recorder=head.recorder, protocol="portal", url="", topics=topics, started_ns=start)
            with Clocked() as sealing:
                entry = Sealer(directory, manifest).seal(writer.segment)
            with Clocked() as reading:
                recording = ag.open_recording(path)
                rows = sum(len(recording[topic].to_pandas()) for topic in recording.topics)
            assert rows >= len(frames)
            parts = sum(part.bytes for part in entry.parts)
        n = len(frames)
        return {
            "live_journal_bytes": live / n,
            "sealed_journal_bytes": entry.bytes / n,
            "parquet_bytes": parts / n,
            "write_cpu_us": writing.cpu_s / n * 1e6,
            "seal_cpu_us": sealing.cpu_s / n * 1e6,
            "open_and_read_s": reading.wall_s,
        }

    return measure


def json_lines(frames: Sequence[Frame]) -> dict[str, float]:
    """What a script would do: a line a message, uncompressed; read back with json.loads and pandas."""
    import pandas as pd

    with place() as path:
        with Clocked() as writing, path.open("w", encoding="utf-8") as file:
            for frame in frames:
                row = {"t": frame.recv_ns, "topic": frame.endpoint, "raw": frame.data.decode()}
                file.write(json.dumps(row) + "\n")
        size = path.stat().st_size
        with Clocked() as reading:
            by_topic: dict[str, list[dict[str, object]]] = {}
            with path.open(encoding="utf-8") as file:
                for line in file:
                    row = json.loads(line)
                    by_topic.setdefault(row["topic"], []).append(json.loads(row["raw"]))
            for rows in by_topic.values():
                pd.DataFrame(rows)
    return {
        "bytes": size / len(frames),
        "write_cpu_us": writing.cpu_s / len(frames) * 1e6,
        "open_and_read_s": reading.wall_s,
    }


def mcap(frames: Sequence[Frame]) -> dict[str, float]:
    """The container of robotics: zstd chunks with an index."""
    from mcap.reader import make_reader
    from mcap.writer import CompressionType, Writer

    with place() as path:
        with Clocked() as writing, path.open("wb") as file:
            writer = Writer(file, compression=CompressionType.ZSTD)
            writer.start()
            channels = {
                topic: writer.register_channel(topic, "json", 0) for topic in {frame.endpoint for frame in frames}
            }
            for frame in frames:
                at = frame.recv_ns
                writer.add_message(channels[frame.endpoint], log_time=at, data=frame.data, publish_time=at)
            writer.finish()
        size = path.stat().st_size
        with Clocked() as reading, path.open("rb") as file:
            found = sum(1 for _ in make_reader(file).iter_messages())
        assert found == len(frames)
    return {
        "bytes": size / len(frames),
        "write_cpu_us": writing.cpu_s / len(frames) * 1e6,
        "read_raw_s": reading.wall_s,
    }


def main() -> None:
    chosen = options(__doc__ or "")
    messages = 1_000_000 if chosen.full else 100_000
    bulk, few = lines_of(messages), lines_of(5_000)
    frames = [frame_of(line) for line in bulk if isinstance(line, FrameLine)]
    cases = {
        "ours, bulk": ours(bulk, 1_000),
        "ours, live (a flush a message)": ours(few, 1),
        "JSON lines": lambda: json_lines(frames),
        "MCAP": lambda: mcap(frames),
    }
    facts = {"messages": messages, "messages_live": len(few) - 1}
    tell(run("record", cases, rounds=chosen.rounds, facts=facts), as_json=chosen.json)


if __name__ == "__main__":
    main()
