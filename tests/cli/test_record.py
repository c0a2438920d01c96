"""The verb `record`: what it shows, how it ends, and what it leaves."""

import io
import signal
import threading

import msgspec
import pytest
from rich.console import Console

import aurigraph_nb as ag
from aurigraph_nb.cli import record
from aurigraph_nb.cli.record import closing_line, follow, length_of, render
from aurigraph_nb.errors import BadOption, RecordingError, UnknownTopic
from aurigraph_nb.recorder import Progress
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording.verify import verify
from aurigraph_nb.session import State
from aurigraph_nb.status import Status

NOW = Progress(
    running=True,
    path="/data/monday",
    frames=12_345,
    rows=23_456,
    bytes=7_000_000,
    frame_bytes=9_000_000,
    rate_hz=1234.5,
    waiting=3,
    lost=0,
    gaps=1,
    segments=1,
    unsealed=0,
    free_bytes=79_090_970_624,
    elapsed_s=125.0,
    error=None,
    sealing_error=None,
)


@pytest.fixture(autouse=True)
def all_closed():
    yield
    ag.close_all()


def status(**changed):
    usual = {"state": State.CONNECTED, "connected": True, "reconnecting": False, "error": None, "last_update": None}
    usual |= {"attempts": 0, "next_try_ns": None, "url": "ws://h", "protocol": "portal", "ended": False}
    usual |= {"callback_errors": 0, "last_callback_error": None, "topics": {}}
    return Status(**(usual | changed))


class Fake:
    """A feed and its recorder; what happens at each look is the test's."""

    name = "fake"

    def __init__(self, *looks, **progress):
        self.now, self.looks = msgspec.structs.replace(NOW, **progress), list(looks)
        self.closed = 0
        self.closing = lambda: None

    @property
    def status(self):
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if look is KeyboardInterrupt:
            raise look
        return look

    @property
    def running(self):
        return self.now.running

    def progress(self):
        return self.now

    def close(self):
        self.closed += 1
        self.closing()
        self.now = msgspec.structs.replace(self.now, running=False)


def followed(fake, **options):
    console = Console(width=120, file=io.StringIO(), record=True)
    code = follow(fake, fake, console, sleep=lambda _: None, **options)
    assert fake.closed == 1
    return code, console.export_text()


def test_it_shows_what_was_recorded_and_how_to_open_it():
    code, text = followed(Fake(status(), status(), status(ended=True)))
    assert code == 0
    for words in ("12,345, 1,234.5/s", "23,456", "7.0 MB in 1 segment", "79.1 GB", "CONNECTED"):
        assert words in text
    assert "Recorded 12,345 frames (23,456 rows, 7.0 MB) in 2 min 5 s, 1 gap, 0 lost: /data/monday" in text
    assert "ag.open_recording('/data/monday')" in text and "aurigraph-nb info /data/monday" in text


def test_it_ends_when_the_time_is_over():
    times = iter(range(100))
    code, _ = followed(Fake(status()), duration_s=3, monotonic=lambda: next(times))
    assert code == 0


def test_an_interruption_is_a_clean_end():
    fake = Fake(status(), KeyboardInterrupt, status())
    code, text = followed(fake)
    assert code == 0 and "Recorded 12,345 frames" in text


def test_a_second_interruption_does_not_wait_and_says_that_nothing_is_lost():
    fake = Fake(status(ended=True))
    fake.closing = lambda: (_ for _ in ()).throw(KeyboardInterrupt)
    code, text = followed(fake)
    assert code == 130 and "everything received is in the journal of /data/monday" in text


def test_a_feed_that_fails_ends_it_with_a_code():
    code, text = followed(Fake(status(state=State.ERROR, connected=False, error="refused \x1b[31m: 403")))
    assert code == 1 and "The feed ended: refused" in text and "\x1b" not in text


def test_a_recording_that_failed_is_told_first():
    code, text = followed(Fake(status(), running=False, error="Cannot write: the disk is full."))
    assert code == 1 and "The recording ended early: Cannot write: the disk is full." in text


def test_where_nothing_came_at_all_that_is_told_with_the_reason():
    why = "no connection to localhost:1: Connection refused. " + "Try again. " * 40
    fake = Fake(status(state=State.RECONNECTING, error=why), frames=0)
    code, shown = followed(fake, duration_s=0.0)
    assert code == 1 and "Nothing came: no connection to localhost:1" in shown
    assert shown.rstrip().endswith("Try again.")


def test_a_long_error_is_shown_whole_and_leaves_the_headings_alone():
    words = "; ".join(f"reason {n}" for n in range(60))
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(render(NOW, status(error=words), "fake"))
    shown = console.export_text()
    assert words in " ".join(shown.replace("error", " ").split()) and "free disk" in shown


def test_what_was_not_sealed_is_told():
    progress = msgspec.structs.replace(NOW, sealing_error="no network", frames=1, rows=1)
    assert "could be sealed or mirrored (no network); the journal has all that was written." in closing_line(progress)
    assert "Recorded 1 frame (1 row, 7.0 MB)" in closing_line(progress)


def test_losses_and_what_waits_stand_in_the_picture():
    console = Console(width=120, file=io.StringIO(), record=True)
    progress = msgspec.structs.replace(NOW, lost=77, segments=3, unsealed=2, free_bytes=None)
    console.print(render(progress, status(error="trouble"), "a\x1bname"))
    text = console.export_text()
    assert "77" in text and "in 3 segments, 2 to be sealed" in text and "trouble" in text and "\x1b" not in text


@pytest.mark.parametrize("seconds, words", [(0.04, "0.0 s"), (59.97, "1 min 0 s"), (3599.6, "1 h 0 min")])
def test_durations_round_over_their_units(seconds, words):
    assert length_of(seconds) == words


def test_it_records_a_server_for_a_while(cli, tmp_path):
    path = tmp_path / "rec"
    with ag.Node(seed=1, rate=300) as node:
        words = ["--for", "1.5", "--topics", "metrics,transactions", "--protocol", "portal", "--name", "desk"]
        result = cli("record", node.url, str(path), *words)
    assert result.exit_code == 0, result.output
    directory = directories.open(path)
    manifest = directory.read().manifests["desk"]
    frames = sum(entry.frames for entry in manifest.segments)
    assert f"Recorded {frames:,} frames" in result.output.replace("\n", " ") and frames > 50
    assert manifest.topics == ("metrics", "transactions") and manifest.state == "ended"
    assert verify(directory).ok


def test_without_a_url_a_local_node_is_recorded_until_a_polite_kill(cli, tmp_path, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    real = record.follow

    def killed(*args, **options):
        threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGTERM)).start()
        return real(*args, interval_s=0.05, **options)

    monkeypatch.setattr(record, "follow", killed)
    result = cli("record", str(tmp_path / "rec"))
    assert result.exit_code == 0 and "Recorded" in result.output
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    "words, error",
    [
        (["ws://h:1/ws/metrics"], BadOption),
        (["ws://h:1/ws/metrics", "ws://h:1"], BadOption),
        (["a", "b", "c"], BadOption),
        (["ws://127.0.0.1:1/ws/metrics", "rec", "--topics", "nothing"], UnknownTopic),
        (["ws://127.0.0.1:1/ws/metrics", "rec", "--durability", "paper"], BadOption),
        (["ws://127.0.0.1:1/ws/metrics", "rec", "--for", "soon"], BadOption),
    ],
)
def test_what_is_asked_for_wrongly_is_refused(cli, tmp_path, monkeypatch, words, error):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error):
        cli("record", *words)
    assert not list(tmp_path.iterdir())


def test_a_directory_of_somebody_else_is_left_alone(cli, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RecordingError, match="not empty"):
        cli("record", str(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
