"""The verb `watch`: what the terminal shows, from made-up feeds."""

import io

import pytest
from rich.console import Console

from aurigraph_nb.cli import watch
from aurigraph_nb.cli.watch import View, follow, look, render, summary
from aurigraph_nb.columns import ColumnStore
from aurigraph_nb.errors import BadOption
from aurigraph_nb.gaps import Cause, Certainty, Gap
from aurigraph_nb.schema import Metrics, Peer, Transaction
from aurigraph_nb.session import State
from aurigraph_nb.status import Status, TopicStatus

NOW = 1_767_225_600_000_000_000
SECOND = 1_000_000_000


def topic_status(name="metrics", **changed):
    usual = {
        "state": State.CONNECTED,
        "messages": 12_345,
        "rows": 12_345,
        "bytes": 1_000,
        "rate_hz": 5.25,
        "lag_ms": 1.5,
        "undecoded": 0,
        "control": 0,
        "dropped": 0,
        "reconnects": 0,
        "last_recv_ns": NOW,
        "staleness_s": 0.3,
        "stale": False,
        "attempts": 0,
        "next_try_ns": None,
        "error": None,
    }
    return TopicStatus(name=name, **{**usual, **changed})


def feed_status(*topics, **changed):
    usual = {
        "state": State.CONNECTED,
        "connected": True,
        "reconnecting": False,
        "error": None,
        "last_update": NOW,
        "attempts": 0,
        "next_try_ns": None,
        "url": "ws://localhost:9003",
        "protocol": "portal",
        "ended": False,
        "callback_errors": 0,
        "last_callback_error": None,
    }
    return Status(topics={t.name: t for t in topics}, **{**usual, **changed})


def metrics(**fields):
    return Metrics(**{"recv_ns": NOW, "conn_epoch": 1, "n": 0, **fields})


def drawn(view, width=100):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(render(view))
    return console.export_text()


def view(status, newest=(), gaps=()):
    return View("sim", status, tuple(newest), tuple(gaps), NOW)


def test_a_row_a_topic_with_its_counters():
    text = drawn(view(feed_status(topic_status(), topic_status("network", lag_ms=None, staleness_s=None, dropped=7))))
    line = next(line for line in text.splitlines() if line.startswith("metrics"))
    assert line.split() == ["metrics", "CONNECTED", "12,345", "5.2", "1.5", "0.3", "0", "0", "0"]
    line = next(line for line in text.splitlines() if line.startswith("network"))
    assert line.split()[4:] == ["–", "–", "0", "7", "0"]


def test_everything_fits_into_eighty_columns():
    status = feed_status(topic_status("transactions", state=State.RECONNECTING, rows=1_234_567, rate_hz=20_000.0))
    text = drawn(view(status, [("transactions", metrics(tps=8.5e6))]), width=80)
    assert "RECONNECTING" in text and "1,234,567" in text and "20,000.0" in text and "recon." in text


def test_before_the_first_row_it_says_so():
    assert "no data yet" in drawn(view(feed_status(topic_status(rows=0))))


def test_a_stale_topic_is_marked():
    assert "7.0!" in drawn(view(feed_status(topic_status(stale=True, staleness_s=7.0))))


def test_a_lost_connection_shows_attempt_next_try_and_error():
    status = feed_status(
        topic_status(), state=State.RECONNECTING, attempts=3, next_try_ns=NOW + 4 * SECOND, error="port closed"
    )
    text = drawn(view(status))
    assert "RECONNECTING" in text and "attempt 3, next try in 4 s" in text and "port closed" in text


def test_a_finished_run_says_so():
    assert "the run is over" in drawn(view(feed_status(topic_status(), ended=True)))


def test_gaps_show_cause_certainty_and_length():
    closed = Gap("metrics", Cause.DISCONNECT, Certainty.UNKNOWN, NOW - 9 * SECOND, NOW - 7 * SECOND, None, 1, "")
    still = Gap("network", Cause.IDLE, Certainty.BOUNDED, NOW - 5 * SECOND, None, 5, 1, "")
    text = drawn(view(feed_status(topic_status()), gaps=[closed, still]))
    assert "disconnect" in text and "2.0 s" in text
    assert "idle" in text and "bounded" in text and "5.0 s, still open" in text


def test_text_of_the_network_can_neither_style_nor_steer_the_terminal():
    row = Transaction(recv_ns=NOW, conn_epoch=1, n=0, hash="\x1b[2J[bold red]x", sender="\u202eevil")
    status = feed_status(topic_status("\x1b[31mm"), error="[blink]no\x07")
    text = drawn(view(status, [("[red]t", row)]))
    assert "[bold red]x" in text and "[blink]no" in text and "[red]t" in text
    assert not set("\x1b\x07\u202e") & set(text)


def test_a_summary_holds_the_first_fields_that_say_something():
    assert summary(metrics(tps=8_512_345.4, cpu_percent=41.34567, connections=4_000)) == (
        "tps=8,512,345 cpu_percent=41.35 connections=4,000"
    )
    assert summary(metrics()) == ""


class FakeTopic:
    def __init__(self):
        self.store = ColumnStore(Metrics)
        self.opened = 0

    def open(self):
        self.opened += 1


class FakeGaps:
    def rows(self):
        return ()


class FakeFeed:
    """A feed whose statuses follow a script, one a look; the last one stays."""

    name = "fake"

    def __init__(self, *script):
        self._script = list(script)
        self._topics = {"metrics": FakeTopic(), "network": FakeTopic()}
        self.topics = tuple(self._topics)
        self.gaps = FakeGaps()
        self.closed = False

    @property
    def status(self):
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    def __getitem__(self, name):
        return self._topics[name]

    def now_ns(self):
        return NOW

    def close(self):
        self.closed = True


class FakeTime:
    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def followed(feed, **options):
    clock = FakeTime()
    console = Console(width=100, file=io.StringIO())
    code = follow(feed, console, monotonic=clock.monotonic, sleep=clock.sleep, **options)
    return code, console.file.getvalue(), clock.now


def test_looking_takes_the_newest_rows_of_all_topics():
    feed = FakeFeed(feed_status(topic_status()))
    feed["metrics"].store.append([metrics(n=i, recv_ns=NOW + i) for i in range(20)])
    feed["network"].store.append([metrics(n=0, recv_ns=NOW + 18)])
    seen = look(feed)
    assert [row.recv_ns - NOW for _, row in seen.newest] == [19, 18, 18, 17, 16, 15, 14, 13]
    assert feed["metrics"].opened == 0


def test_following_opens_every_topic_and_ends_after_its_duration():
    feed = FakeFeed(feed_status(topic_status()))
    code, shown, elapsed_s = followed(feed, duration_s=1.2)
    assert (code, elapsed_s) == (0, pytest.approx(1.2))
    assert [feed[name].opened for name in feed.topics] == [1, 1]
    assert "CONNECTED" in shown


def test_a_failed_feed_ends_the_watch_with_code_1():
    feed = FakeFeed(feed_status(topic_status()), feed_status(state=State.ERROR, error="404"))
    code, shown, _ = followed(feed)
    assert code == 1 and "404" in shown


def test_a_finished_run_ends_the_watch_with_code_0():
    feed = FakeFeed(feed_status(topic_status()), feed_status(topic_status(), ended=True, state=State.DISCONNECTED))
    assert followed(feed)[0] == 0


def test_once_waits_for_the_first_row_and_prints_one_table():
    empty, full = feed_status(topic_status(rows=0)), feed_status(topic_status())
    code, shown, elapsed_s = followed(FakeFeed(*[empty] * 10, full), once=True)
    assert code == 0 and shown.count("rate/s") == 1 and 0 < elapsed_s < 10


def test_once_gives_the_slower_topics_a_little_time_too():
    half = feed_status(topic_status(), topic_status("network", rows=0))
    full = feed_status(topic_status(), topic_status("network"))
    assert followed(FakeFeed(*[half] * 10, full), once=True)[2] == pytest.approx(0.45, abs=0.1)
    assert followed(FakeFeed(half), once=True)[2] == pytest.approx(watch.ALL_TOPICS_WITHIN_S, abs=0.1)


def test_once_without_a_row_ends_with_code_1_after_its_limit():
    code, shown, elapsed_s = followed(FakeFeed(feed_status(topic_status(rows=0))), once=True)
    assert (code, elapsed_s) == (1, pytest.approx(watch.FIRST_ROW_WITHIN_S, abs=0.1))
    assert "no data yet" in shown


@pytest.mark.parametrize("fault, code", [(None, 0), (KeyboardInterrupt(), 0)])
def test_the_verb_closes_its_feed_however_it_ends(monkeypatch, cli, fault, code):
    feed = FakeFeed(feed_status(topic_status()))
    asked = {}

    def connect(url, **options):
        asked.update(options, url=url)
        return feed

    def followed_or_broken(*_, **__):
        if fault:
            raise fault
        return 0

    monkeypatch.setattr(watch.ag, "connect", connect, raising=False)
    monkeypatch.setattr(watch, "follow", followed_or_broken)
    result = cli("watch", "ws://localhost:9003", "--token", "secret-token", "--protocol", "portal")
    assert result.exit_code == code and feed.closed
    assert asked.pop("insecure_token_hosts") == ()
    assert asked == {"url": "ws://localhost:9003", "token": "secret-token", "protocol": "portal"}


def test_without_a_url_a_local_node_is_watched(monkeypatch, cli):
    feed = FakeFeed(feed_status(topic_status()))
    monkeypatch.setattr(watch.ag, "simulate", lambda: feed, raising=False)
    result = cli("watch", "--once")
    assert result.exit_code == 0 and feed.closed
    assert "metrics" in result.stdout


@pytest.mark.parametrize("words", [("--interval", "0.01"), ("--interval", "soon"), ("--duration", "-1")])
def test_a_wrong_option_is_refused_before_anything_starts(cli, words):
    with pytest.raises(BadOption, match=words[0]):
        cli("watch", *words)


def test_without_a_url_the_protocol_is_that_of_the_local_node(monkeypatch, cli):
    feed, asked = FakeFeed(feed_status(topic_status())), {}
    monkeypatch.setattr(watch.ag, "simulate", lambda **how: asked.update(how) or feed, raising=False)
    assert cli("watch", "--once", "--protocol", "live").exit_code == 0
    assert asked == {"protocol": "live"}
    with pytest.raises(BadOption, match="without a URL a local node is started"):
        cli("watch", "--once", "--token", "t")


def test_a_long_error_is_shown_to_its_end():
    words = "; ".join(f"reason {n}" for n in range(100)) + "; and this is what to do."
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(render(View("feed", feed_status(topic_status(), state=State.ERROR, error=words), (), (), NOW)))
    assert words in " ".join(console.export_text().split())


def test_times_are_shown_as_times():
    row = Peer(recv_ns=NOW, conn_epoch=1, n=0, peer_id="p", last_seen=NOW + 1_234_000_000, uptime_s=1_767_225_600)
    assert "last_seen=2026-01-01T00:00:01.234" in summary(row)
    assert "uptime_s=1,767,225,600" in summary(row)
