"""A feed against a server that does what the test says, over real sockets."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scripted import ScriptedServer, closes, hold, sends

import aurigraph_nb as ag
from aurigraph_nb import iothread
from aurigraph_nb.session import State

TLS = Path(__file__).parents[1] / "node" / "tls"
QUICK = ag.Backoff(0.01, 1.5, max_s=0.05, jitter=False)


def metric(i: int, **more: object) -> str:
    return json.dumps({"timestamp": 1_767_225_600_000 + i * 1000, "currentTPS": i, **more})


def until(feed, condition, timeout=10):
    """Wait for a condition that a change of the feed brings about."""
    with feed.news:
        assert feed.news.wait_for(condition, timeout), f"not met in {timeout} s; {feed.status}"


@pytest.fixture(autouse=True)
def all_closed():
    yield
    ag.close_all()


@pytest.fixture
def three():
    """A server that sends three rows of metrics, and a feed on it."""
    with ScriptedServer(sends(metric(0), metric(1), metric(2))) as server:
        yield ag.connect(server.url(), reconnect=QUICK)


def test_nothing_is_sent_before_data_is_asked_for(three):
    assert (repr(three), repr(three.metrics)) == (f"<PortalFeed {three.url}>", "<Topic metrics: not open, 0 rows>")
    assert "metrics" in three.topics and three["metrics"] is three.metrics
    assert bool(three.metrics) and len(three.metrics) == 0 and hasattr(three, "network")
    dir(three), three.stats().to_pandas(), three.status, three.gaps.to_pandas()
    assert not any(topic.opened for topic in three)
    assert three.status.state is State.DISCONNECTED


def test_rows_become_records_frames_and_tables(three):
    assert three.metrics.wait(3, timeout=10) == 3
    assert [r.tps for r in three.metrics] == [0, 1, 2]
    assert three.metrics.latest.tps == 2
    frame = three.metrics.to_pandas()
    assert frame.index.name == "timestamp" and str(frame.index.dtype) == "datetime64[ns, UTC]"
    assert frame.index[0] == pd.Timestamp("2026-01-01", tz="UTC")
    assert list(three.metrics.to_pandas(columns=["tps"], limit=2)["tps"]) == [0, 1]
    assert list(three.metrics.to_pandas(columns=["tps"], limit=-1).columns) == ["tps", "timestamp_is_recv"]
    assert three.metrics.to_arrow(["tps"], start="2026-01-01 00:00:01", end="2026-01-01 00:00:02").num_rows == 1
    assert three.metrics.to_pandas(last=1.5)["tps"].tolist() == [1, 2]
    assert three.metrics.to_pandas(index="recv").index.name == "recv"
    assert "timestamp" in three.metrics.to_pandas(index=None).columns
    assert three.metrics.to_polars().height == 3


def test_a_topic_is_an_arrow_stream_for_other_libraries(three):
    three.metrics.wait(3, timeout=10)
    topic = three.metrics
    assert pl.DataFrame(topic).height == pa.table(topic).num_rows == 3
    assert duckdb.sql("select max(tps) from topic").fetchall() == [(2.0,)]


def test_a_loss_is_a_gap_and_ordinals_go_on():
    with ScriptedServer(closes(1011, "bye", metric(0)), sends(metric(5))) as server:
        feed = ag.connect(server.url(), reconnect=QUICK)
        feed.metrics.wait(2, timeout=10)
        rows = list(feed.metrics)
        assert [(r.n, r.conn_epoch, r.gap_before) for r in rows] == [(0, 1, False), (1, 2, True)]
        until(feed, lambda: len(feed.gaps) == 1 and feed.gaps.rows()[0].end_ns is not None)
        gap = feed.gaps.rows()[0]
        assert (gap.topic, gap.cause, gap.certainty) == ("metrics", "disconnect", "bounded")
        assert "bye" in gap.detail
        assert feed.status.topics["metrics"].reconnects == 1


def test_a_frame_that_is_not_understood_is_counted_and_kept_and_the_rest_goes_on():
    with ScriptedServer(sends(metric(0), "rubbish", b"\x00\x01", metric(1))) as server:
        feed = ag.connect(server.url())
        feed.metrics.wait(2, timeout=10)
        assert [u.preview for u in feed.undecoded] == ["rubbish", "\x00\x01"]
        assert [r.gap_before for r in feed.metrics] == [False, True]
        status = feed.status.topics["metrics"]
        assert (status.messages, status.rows, status.undecoded) == (4, 2, 2)
        assert {g.cause for g in feed.gaps} == {"decode_error"}


def test_take_gives_new_rows_only():
    go = threading.Event()

    async def script(ws):
        await ws.send(metric(0))
        await asyncio.to_thread(go.wait, 10)
        for i in range(1, 5):
            await ws.send(metric(i))
        await ws.wait_closed()

    with ScriptedServer(script) as server:
        feed = ag.connect(server.url())
        feed.metrics.wait(1, timeout=10)
        threading.Thread(target=go.set).start()
        assert [r.tps for r in feed.metrics.take(3, timeout=10)] == [1, 2, 3]


def test_the_async_twins_work_on_a_loop_of_the_user(three):
    async def main():
        assert await three.metrics.wait_async(3, timeout=10) == 3
        with pytest.raises(ag.FeedTimeout, match="3 of 9 came"):
            await three.metrics.wait_async(9, timeout=0.01)
        with pytest.raises(TimeoutError):
            await three.metrics.take_async(1, timeout=0.01)

    asyncio.run(main())


def test_new_rows_can_be_iterated_in_a_coroutine_until_the_feed_is_closed():
    go = threading.Event()

    async def script(ws):
        await asyncio.to_thread(go.wait, 10)
        for i in range(3):
            await ws.send(metric(i))
        await ws.wait_closed()

    with ScriptedServer(script) as server:
        feed = ag.connect(server.url())

        async def main():
            seen = []
            feed.metrics.open()
            asyncio.get_running_loop().call_soon(go.set)
            async for row in feed.metrics:
                seen.append(row.tps)
                if len(seen) == 3:
                    await asyncio.to_thread(feed.close)
            return seen

        assert asyncio.run(main()) == [0, 1, 2]


def test_callbacks_get_rows_filtered_and_their_errors_are_counted(three):
    seen, batches, done = [], [], threading.Event()

    def fails(row):
        raise RuntimeError("mine")

    three.disconnect()  # nothing comes before all three listen
    three.metrics.on_record(fails)
    three.metrics.on_record(seen.append, where=lambda r: r.tps > 0)
    three.metrics.on_record(lambda rows: (batches.extend(rows), len(batches) == 3 and done.set()), batch=True)
    three.connect()
    assert done.wait(10)
    assert [r.tps for r in seen] == [1, 2]
    assert [r.tps for r in batches] == [0, 1, 2]
    assert three.status.callback_errors == 3
    assert "RuntimeError: mine" in three.status.last_callback_error


def test_a_closed_subscription_is_not_called_any_more():
    go, seen = threading.Event(), []

    async def script(ws):
        await ws.send(metric(0))
        await asyncio.to_thread(go.wait, 10)
        await ws.send(metric(1))
        await ws.wait_closed()

    with ScriptedServer(script) as server:
        feed = ag.connect(server.url())
        first = threading.Event()
        with feed.metrics.on_record(lambda r: (seen.append(r.tps), first.set())) as subscription:
            assert first.wait(10)
        go.set()
        feed.metrics.wait(2, timeout=10)
        subscription.close()
        assert seen == [0] and subscription.closed and feed.metrics.subscriptions == ()


def test_a_callback_may_wait_and_read(three):
    result = []
    done = threading.Event()

    def callback(row):
        result.append(three.metrics.wait(3, timeout=10))
        done.set()

    three.metrics.on_record(callback)
    assert done.wait(10) and result[0] == 3


def test_waiting_on_the_io_thread_is_refused_at_once(three):
    async def on_io():
        with pytest.raises(ag.WrongThread, match="I/O thread"):
            three.metrics.wait(1)
        with pytest.raises(ag.WrongThread):
            three.join()

    iothread.get().run(on_io(), 10)


def test_after_close_all_can_be_read_and_nothing_can_be_waited_for(three):
    three.metrics.wait(3, timeout=10)
    three.close()
    three.close()
    assert three.status.state is State.CLOSED
    assert len(three.metrics.to_pandas()) == 3 and three.metrics.latest.tps == 2 and list(three.metrics)
    for use in (
        lambda: three.metrics.wait(1),
        lambda: three.metrics.wait(4),
        lambda: three.metrics.take(1),
        lambda: three.metrics.on_record(print),
    ):
        with pytest.raises(ag.FeedClosed):
            use()
    for use in (three.reconnect, three.connect, three.disconnect):
        with pytest.raises(ag.FeedClosed, match="make a new feed"):
            use()


def test_a_waiting_call_ends_when_the_feed_is_closed(three):
    three.metrics.wait(3, timeout=10)
    threading.Timer(0.05, three.close).start()
    with pytest.raises(ag.FeedClosed, match="closed"):
        three.metrics.wait(10, timeout=30)


def test_a_wait_in_vain_says_what_is_wrong():
    feed = ag.connect("ws://127.0.0.1:1/ws/metrics")
    with pytest.raises(ag.FeedTimeout, match=r"no connection to 127\.0\.0\.1:1.*aurigraph-nb serve"):
        feed.metrics.wait(1, timeout=0.5)


@pytest.mark.parametrize(
    "status, error, words",
    [(404, ag.ConnectFailed, "/ws/metrics"), (401, ag.AuthRefused, "token"), (403, ag.AuthRefused, "path")],
)
def test_a_refusal_ends_waiting_with_its_cause_and_leaves_other_topics_alone(status, error, words):
    def refuse(ws, request):
        return ws.respond(status, "no") if request.path == "/ws/metrics" else None

    row = json.dumps({"validator": "v1", "status": "ACTIVE"})
    with ScriptedServer(sends(row), process_request=refuse) as server:
        feed = ag.connect(server.url())
        with pytest.raises(error, match=words) as caught:
            feed.metrics.wait(1, timeout=10)
        assert isinstance(caught.value, ConnectionError)
        assert feed.validators.wait(1, timeout=10) == 1
        assert feed.status.topics["metrics"].state is State.ERROR
        assert feed.status.topics["validators"].state is State.CONNECTED
        assert len(server.paths) == 2  # it was not tried again


def test_what_looks_like_tls_but_is_not_is_told():
    with ScriptedServer(hold) as server:
        feed = ag.connect(server.url().replace("ws://", "wss://"), reconnect=QUICK)
        feed.metrics.open()
        until(feed, lambda: feed.status.error)
        assert "TLS" in feed.status.error and "ws://" in feed.status.error


def test_a_certificate_that_nobody_vouches_for_ends_the_attempts():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    with ScriptedServer(sends(metric(0)), ssl=context) as server:
        feed = ag.connect(server.url())
        with pytest.raises(ag.ConnectFailed, match="certificate"):
            feed.metrics.wait(1, timeout=10)
        trusting = ag.connect(server.url(), ssl=ssl.create_default_context(cafile=TLS / "cert.pem"))
        assert trusting.metrics.wait(1, timeout=10) == 1


def test_disconnect_and_connect_keep_what_is_stored():
    with ScriptedServer(sends(metric(0)), sends(metric(1))) as server:
        feed = ag.connect(server.url())
        feed.metrics.wait(1, timeout=10)
        feed.disconnect()
        assert feed.status.state is State.DISCONNECTED
        feed.connect()
        feed.metrics.wait(2, timeout=10)
        assert [(r.tps, r.gap_before) for r in feed.metrics] == [(0, False), (1, True)]
        feed.reconnect()
        feed.metrics.wait(3, timeout=10)
        assert feed.metrics.latest.conn_epoch == 3


def test_without_auto_connect_nothing_is_dialled_before_connect():
    with ScriptedServer(sends(metric(0))) as server:
        feed = ag.connect(server.url(), auto_connect=False)
        feed.metrics.open()
        with pytest.raises(ag.FeedTimeout, match="DISCONNECTED"):
            feed.metrics.wait(1, timeout=0.05)
        assert server.accepted == 0
        feed.connect()
        assert feed.metrics.wait(1, timeout=10) == 1


def test_equal_calls_share_a_feed_and_others_do_not():
    with ScriptedServer(hold) as server:
        url = server.url()
        feed = ag.connect(url)
        assert ag.connect(url) is feed
        assert ag.connect(url, shared=False) is not feed
        assert ag.connect(url, token="a") is not feed
        assert ag.connect(url, token="a") is ag.connect(url, token="a")
        assert ag.connect(url, token="a") is not ag.connect(url, token="b")
        feed.close()
        assert ag.connect(url) is not feed


def test_the_token_travels_in_a_header_and_shows_nowhere_even_if_it_is_sent_back(caplog):
    secret = "opaque-5ecret"
    echoes = (f"rubbish {secret}", f"ERROR: {secret}", json.dumps({"tps": 1}))
    with caplog.at_level("DEBUG"), ScriptedServer(closes(1011, secret, *echoes), sends(metric(0))) as server:
        feed = ag.connect(server.url(), token=lambda: secret, debug=True, reconnect=QUICK)
        feed.metrics.wait(2, timeout=10)
        assert server.headers[0]["Authorization"] == f"Bearer {secret}"
        kept = [list(feed.raw), list(feed.undecoded), list(feed.control), feed.gaps.rows(), feed.status]
        logged = [f"{r.name}: {r.getMessage()}" for r in caplog.records if not r.name.startswith("websockets.server")]
        shown = [repr(feed), repr(vars(feed)), *map(repr, kept), str(feed.gaps.to_pandas().to_dict()), *logged]
        assert len(feed.undecoded) == 1 and len(feed.control) == 1 and len(feed.raw) == 4
        assert [text for text in shown if secret in text] == []


def test_the_environments_token_goes_to_its_own_host_only(monkeypatch):
    monkeypatch.setenv("AURIGRAPH_TOKEN", "abc")
    with ScriptedServer(sends(metric(0))) as server:
        feed = ag.connect(server.url())
        feed.metrics.wait(1, timeout=10)
        assert "Authorization" not in server.headers[0]
        feed.close()
        monkeypatch.setenv("AURIGRAPH_URL", server.url())
        ag.connect().metrics.wait(1, timeout=10)
        assert server.headers[-1]["Authorization"] == "Bearer abc"


@pytest.mark.parametrize("host", ["node.example", "127.example", "10.0.0.1", "localhost.example"])
def test_a_token_is_not_sent_in_the_clear_to_another_machine(host):
    with pytest.raises(ag.BadOption, match="unencrypted") as caught:
        ag.connect(f"ws://{host}/ws/metrics", token="hush")
    assert "hush" not in str(caught.value)


def test_a_token_may_go_to_this_machine_and_to_hosts_that_are_named():
    for host in ("localhost", "127.0.0.2", "[::1]"):
        ag.connect(f"ws://{host}:1/ws/metrics", token="hush")
    ag.connect("ws://node.example/ws/metrics", token="hush", insecure_token_hosts=["node.example"])


def test_a_failing_token_callable_is_told_without_its_words():
    def token():
        raise RuntimeError("hush-hush")

    with ScriptedServer(hold) as server:
        feed = ag.connect(server.url(), token=token)
        with pytest.raises(ag.ConnectFailed, match="token callable raised RuntimeError") as caught:
            feed.metrics.wait(1, timeout=10)
        assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"protocol": "gopher"}, ag.BadOption, 'protocol="portal"'),
        ({"compression": "zip"}, ag.BadOption, "deflate"),
        ({"max_size": 0}, ag.BadOption, "at least 1"),
        ({"reconnect": 3}, ag.BadOptionType, "Backoff"),
        ({"transport": "pigeon"}, ag.BadOption, "websockets"),
        ({"headers": "x"}, ag.BadOptionType, "mapping"),
        ({"ssl": True}, ag.BadOptionType, "SSLContext"),
        ({"token": 5}, ag.BadOptionType, "token"),
        ({"token": "a\nb"}, ag.BadOption, "header"),
        ({"open_timeout": "soon"}, ag.BadOption, "open_timeout"),
        ({"heartbeat_timeout_s": 0}, ag.BadOption, "above 0"),
        ({"colour": "red"}, TypeError, "colour"),
    ],
)
def test_a_bad_option_is_told(options, error, words):
    with pytest.raises(error, match=words):
        ag.connect("ws://127.0.0.1:1/ws/metrics", **options)


@pytest.mark.parametrize(
    "url", ["", "foo", "http://x", "ws://", "ws://x:99999", "ws://x/ws", "ws://x", "ws://u:pw@x/ws/metrics", 5]
)
def test_a_bad_url_is_told_without_its_password(url):
    with pytest.raises(ag.BadUrl) as caught:
        ag.connect(url)
    assert "pw" not in str(caught.value) and len(str(caught.value)) > 30


def test_the_calls_of_a_topic_check_their_arguments(three):
    three.metrics.wait(3, timeout=10)
    for call in (
        lambda: three.metrics.wait(0),
        lambda: three.metrics.take(-1),
        lambda: three.metrics.take(10**9),
        lambda: three.metrics.wait("two"),
        lambda: three.metrics.wait(1, timeout="soon"),
        lambda: three.metrics.to_pandas(columns=["nope"]),
        lambda: three.metrics.to_pandas(index="time"),
        lambda: three.metrics.to_pandas(dtype_backend="numpy"),
        lambda: three.metrics.to_pandas(start="whenever"),
        lambda: three.metrics.to_pandas(limit=1.5),
        lambda: three.metrics.on_record("print"),
        lambda: three.metrics.on_record(print, where=3),
    ):
        with pytest.raises(ag.BadOption):
            call()
    with pytest.raises(ag.UnknownTopic, match=r"in this feed; it has metrics, .* Did you mean metrics") as caught:
        three["metric"]
    assert isinstance(caught.value, KeyError) and isinstance(caught.value, AttributeError)


def test_states_are_read_from_the_topics():
    rows = {
        "/ws/validators": [
            {"validator": "v1", "status": "ACTIVE", "votingPower": 5},
            {"validator": "v1", "status": "JAILED"},
        ],
        "/ws/consensus": [
            {"leader": "v1", "state": "PROPOSING", "epoch": 1, "performanceScore": 0.9, "totalValidators": 20},
            {"leader": "v2", "state": "PROPOSING", "epoch": 1, "performanceScore": 0.9},
        ],
        "/ws/network": [{"peerId": "p1", "ip": "10.0.0.1", "connected": True, "latency": 40}],
        "/ws/transactions": [
            {"txHash": "a", "value": "1", "status": "PENDING"},
            {"txHash": "a", "value": "1", "status": "CONFIRMED"},
        ],
    }

    async def script(ws):
        for row in rows[ws.request.path]:
            await ws.send(json.dumps(row))
        await ws.wait_closed()

    with ScriptedServer(script) as server:
        feed = ag.connect(server.url())
        for name, topic_rows in rows.items():
            feed[name.rpartition("/")[2]].wait(len(topic_rows), timeout=10)
        assert feed.validators.current["v1"].status == "JAILED"
        assert feed.validators.current["v1"].voting_power == 5
        assert [u.field for u in feed.validators.updates] == ["status"]
        assert feed.validators.current_table().loc["v1", "status"] == "JAILED"
        assert feed.validators.state.expected == 20
        assert feed.consensus.current.leader == "v2"
        assert [e.type for e in feed.consensus.events] == ["LEADER_CHANGE"]
        assert feed.network.health == "HEALTHY" and feed.network.totals.connected == 1
        assert [e.type for e in feed.network.events] == ["PEER_CONNECTED"]
        assert list(feed.network.current) == ["p1"]
        assert [t.status for t in feed.transactions.recent] == ["CONFIRMED"]
        assert feed.transactions.total == 2
        feed.transactions.clear()
        assert (feed.transactions.recent, feed.transactions.total) == ((), 2)


def test_pings_of_relatives_are_answered():
    answers = []

    async def script(ws):
        await ws.send('{"type":"ping"}')
        answers.append(await ws.recv())
        await ws.send("PING")
        answers.append(await ws.recv())
        await ws.send(metric(0))
        await ws.wait_closed()

    with ScriptedServer(script) as server:
        feed = ag.connect(server.url())
        feed.metrics.wait(1, timeout=10)
        assert answers == ['{"type":"pong"}', "PONG"]
        assert feed.status.topics["metrics"].control == 2 and not feed.undecoded


def test_a_message_over_the_limit_is_told_with_the_limit():
    with ScriptedServer(sends(metric(0, pad="x" * 5000))) as server:
        feed = ag.connect(server.url(), max_size=1000, reconnect=QUICK)
        with pytest.raises(ag.ConnectFailed, match=r"1000|1,000"):
            feed.metrics.wait(1, timeout=10)


def test_a_full_store_drops_the_oldest_and_says_so():
    count = 2_500
    with ScriptedServer(sends(*(metric(i) for i in range(count)))) as server:
        feed = ag.connect(server.url(), shared=False)
        feed.metrics.store.max_rows = 1_000
        feed.metrics.wait(count, timeout=20)
        status = feed.status.topics["metrics"]
        gap = next(g for g in feed.gaps if g.cause == "client_overflow")
        assert status.rows <= 1_000 and status.rows + status.dropped == count
        assert gap.frames == status.dropped and gap.certainty == "known"
        assert feed.metrics.to_pandas()["tps"].tolist()[-1] == count - 1
