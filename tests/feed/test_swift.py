"""The second transport: what it makes of frames (without a socket), and that a feed on it is the same feed."""

import asyncio
import contextlib
import functools
import sys
import zlib
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedServer
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidHandshake

import aurigraph_nb as ag
from aurigraph_nb import checks, iothread, swift
from aurigraph_nb.swift import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Inflate, Swift

LIMIT_S = 10


@pytest.fixture(autouse=True)
def all_closed():
    yield
    ag.close_all()


class Transport:
    """Notes what the connection does to it; ends as the library's would."""

    def __init__(self):
        self.did = []
        self.is_close_frame_sent = self.is_disconnected = False
        self.close_handshake = None
        self.underlying_transport = SimpleNamespace(
            pause_reading=lambda: self.did.append("pause"), resume_reading=lambda: self.did.append("resume")
        )

    def send_pong(self, data):
        self.did.append(("pong", data))

    def send_ping(self, data):
        self.did.append(("ping", data))

    def send(self, kind, message):
        self.did.append(("send", kind, message))

    def send_close(self, code, reason):
        self.is_close_frame_sent = True
        self.did.append(("close", code, reason))
        received = self.close_handshake and self.close_handshake.recv
        self.shake(recv=received, sent=(code, reason))

    def disconnect(self, graceful=True):
        self.did.append("disconnect" if graceful else "abort")

    def shake(self, recv=None, sent=None, recv_then_sent=None):
        info = [x if x is None or hasattr(x, "code") else SimpleNamespace(code=x[0], reason=x[1]) for x in (recv, sent)]
        order = info[0] is not None if recv_then_sent is None else recv_then_sent
        self.close_handshake = SimpleNamespace(recv=info[0], sent=info[1], recv_then_sent=order)

    async def wait_disconnected(self):
        """It is over at once."""


class Frame:
    def __init__(self, kind, data=b"", *, fin=True, rsv1=False, rsv2=False, rsv3=False, code=0):
        self.msg_type, self.data, self.fin, self.rsv1, self.rsv2, self.rsv3 = kind, data, fin, rsv1, rsv2, rsv3
        self.payload_size, self.code = len(data), code

    def get_payload_as_bytes(self):
        return self.data

    def get_close_code(self):
        return self.code


class Case:
    """A connection with a transport that only takes notes."""

    def __init__(self, max_size=1_000, inflate=None):
        self.time, self.signs = 0, 0
        self.wire = Swift(now_ns=self.now, alive=self.alive, max_size=max_size, inflate=inflate)
        self.transport = Transport()
        self.wire.on_ws_connected(self.transport)

    def now(self):
        self.time += 1
        return self.time

    def alive(self):
        self.signs += 1

    def come(self, *frames):
        for frame in frames:
            self.wire.on_ws_frame(self.transport, frame)

    async def take(self, count):
        """Messages, and whether each was text."""
        return [(data, text) for _ in range(count) for data, text, _ in await self.wire.take(1)]

    def over(self):
        self.transport.is_disconnected = True
        self.wire.on_ws_disconnected(self.transport)


def on_a_loop(test):
    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), LIMIT_S))

    return run


@on_a_loop
async def test_text_and_binary_are_told_apart_and_each_has_its_time():
    case = Case()
    case.come(Frame(TEXT, b"a"), Frame(BINARY, b"\xff"), Frame(TEXT, b"\xff"))
    assert await case.wire.take(2) == [(b"a", True, 1), (b"\xff", False, 2)]
    assert await case.wire.take(2) == [(b"\xff", True, 3)]


@on_a_loop
async def test_a_message_in_parts_is_one_and_control_frames_may_come_between():
    case = Case()
    case.come(Frame(TEXT, b"a", fin=False), Frame(PING, b"?"), Frame(CONTINUATION, b"b", fin=False))
    early = asyncio.create_task(case.take(1))
    await asyncio.sleep(0)
    assert not early.done()
    case.come(Frame(CONTINUATION, b"c"), Frame(BINARY, b"d"))
    assert [*await early, *await case.take(1)] == [(b"abc", True), (b"d", False)]
    assert ("pong", b"?") in case.transport.did and case.signs == 1


@pytest.mark.parametrize(
    "frames, code",
    [
        ([Frame(CONTINUATION, b"x")], 1002),
        ([Frame(TEXT, b"x", fin=False), Frame(TEXT, b"y")], 1002),
        ([Frame(TEXT, b"x", fin=False), Frame(BINARY, b"y", fin=False)], 1002),
        ([Frame(TEXT, b"x", rsv1=True)], 1002),
        ([Frame(TEXT, b"x", fin=False, rsv2=True)], 1002),
        ([Frame(TEXT, b"x", fin=False), Frame(CONTINUATION, b"x", rsv3=True)], 1002),
        ([Frame(TEXT, b"x" * 600, fin=False), Frame(CONTINUATION, b"x" * 401)], 1009),
    ],
)
@on_a_loop
async def test_who_breaks_a_rule_is_told_the_code_and_nothing_more_of_him_counts(frames, code):
    case = Case()
    case.come(Frame(TEXT, b"good"), *frames, Frame(TEXT, b"late"))
    assert [d[:2] for d in case.transport.did if d[0] == "close"] == [("close", code)]
    assert "disconnect" in case.transport.did
    case.over()
    assert await case.take(1) == [(b"good", True)]
    with pytest.raises(ConnectionClosedError) as caught:
        await case.wire.take(1)
    assert caught.value.rcvd is None and caught.value.sent.code == code


@pytest.mark.parametrize(
    "code, kind", [(1000, ConnectionClosedOK), (1001, ConnectionClosedOK), (4321, ConnectionClosedError)]
)
@on_a_loop
async def test_a_close_is_answered_and_told_after_what_came_before_it(code, kind):
    case = Case()
    case.transport.shake(recv=(code, "why"))
    case.come(Frame(TEXT, b"last"), Frame(CLOSE, b"..", code=code))
    assert ("close", code, "") in case.transport.did
    case.over()
    assert await case.take(1) == [(b"last", True)]
    with pytest.raises(kind) as caught:
        await case.wire.take(1)
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (code, "why")
    for ask in (case.wire.send("x"), case.wire.ping()):
        with pytest.raises(kind):
            await ask


@on_a_loop
async def test_a_connection_that_is_cut_has_no_code():
    case = Case()
    waiting = asyncio.create_task(case.wire.take(1))
    await asyncio.sleep(0)
    case.over()
    with pytest.raises(ConnectionClosedError) as caught:
        await waiting
    assert caught.value.rcvd is None and caught.value.sent is None


@on_a_loop
async def test_who_gives_up_waiting_takes_no_message_along():
    case = Case()
    impatient = asyncio.create_task(case.wire.take(1))
    await asyncio.sleep(0)
    impatient.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await impatient
    case.come(Frame(TEXT, b"a"))
    assert await case.take(1) == [(b"a", True)]


@on_a_loop
async def test_reading_stops_while_too_much_waits_and_goes_on_when_it_was_taken():
    case = Case()
    case.come(*[Frame(TEXT, b"x")] * (swift.MAX_WAITING + 5))
    assert case.transport.did == ["pause"]
    await case.wire.take(swift.MAX_WAITING + 4 - swift.GO_ON_AT)
    assert case.transport.did == ["pause"]
    await case.wire.take(1)
    assert case.transport.did == ["pause", "resume"]


@on_a_loop
async def test_a_pong_tells_the_latency_of_the_last_ping():
    case = Case()
    case.come(Frame(PONG, b"unasked"))
    assert case.wire.latency == 0.0
    await case.wire.ping()
    case.come(Frame(PONG, b"ag"))
    assert 0 < case.wire.latency < LIMIT_S and case.signs == 2


@on_a_loop
async def test_a_sender_waits_while_the_server_does_not_read():
    case = Case()
    case.wire.pause_writing()
    sending = asyncio.create_task(case.wire.send("x"))
    await asyncio.sleep(0)
    assert case.transport.did == [("send", TEXT, "x")] and not sending.done()
    case.wire.resume_writing()
    await sending


@on_a_loop
async def test_a_reason_that_is_too_long_is_cut_between_letters():
    case = Case()
    await case.wire.close(1000, "é" * 100)
    assert case.transport.did[0] == ("close", 1000, "é" * 61)


# Compression


def pack(messages, *, anew=False, bits=15):
    """As a server compresses them (RFC 7692, 7.2.1)."""
    stream = zlib.compressobj(wbits=-bits)
    for message in messages:
        if anew:
            stream = zlib.compressobj(wbits=-bits)
        yield (stream.compress(message) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


@given(st.lists(st.binary(max_size=300), max_size=8), st.booleans(), st.integers(9, 15))
def test_what_was_compressed_comes_out_as_it_was(messages, anew, bits):
    header = f"permessage-deflate; server_max_window_bits={bits}" + ("; server_no_context_takeover" if anew else "")
    inflate = Inflate(header)
    assert [inflate.message(packed, 1_000) for packed in pack(messages, anew=anew, bits=bits)] == messages


@on_a_loop
async def test_compressed_and_plain_messages_and_parts_mix():
    case = Case(inflate=Inflate("permessage-deflate"))
    one, two = pack([b"first", b"second, and first again"])
    case.come(Frame(TEXT, one, rsv1=True), Frame(BINARY, b"plain"))
    case.come(Frame(BINARY, two[:4], fin=False, rsv1=True), Frame(CONTINUATION, two[4:]))
    assert await case.take(3) == [(b"first", True), (b"plain", False), (b"second, and first again", False)]


@pytest.mark.parametrize("packed, code", [(next(pack([b"x" * 10**7])), 1009), (b"\xff\xff garbage", 1007)])
@on_a_loop
async def test_a_bomb_and_garbage_end_the_connection(packed, code):
    case = Case(max_size=100_000, inflate=Inflate("permessage-deflate"))
    case.come(Frame(TEXT, packed, rsv1=True))
    assert [d[:2] for d in case.transport.did if d[0] == "close"] == [("close", code)]


@pytest.mark.parametrize(
    "header",
    ["", "x-webkit-deflate-frame", "permessage-deflate; colour=red", "permessage-deflate; server_max_window_bits=7"],
)
def test_an_extension_that_nobody_asked_for_is_refused(header):
    with pytest.raises(InvalidHandshake, match="not asked for"):
        Inflate(header)


# Over real sockets


def test_a_feed_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    with pytest.raises(ag.MissingExtra, match=r"pip install 'aurigraph-nb\[fast\]'"):
        ag.connect("ws://127.0.0.1:1/ws/metrics", transport="picows")
    with pytest.raises(ag.BadOption, match='expected "websockets", or "picows"'):
        ag.connect("ws://127.0.0.1:1/ws/metrics", transport="smoke")


@pytest.mark.parametrize("compression", ["deflate", None])
def test_both_transports_bring_the_same_rows(compression):
    pytest.importorskip("picows", reason="the extra [fast] is not installed")
    burst = [f'{{"currentTPS": {n}, "note": "{"x" * (n % 50)}"}}' for n in range(5_000)]

    async def script(ws):
        for n, message in enumerate(burst):
            await ws.send(iter([message[:7], message[7:]]) if n % 100 == 0 else message)
        await ws.wait_closed()

    def rows(transport):
        with ScriptedServer(script) as server:
            feed = ag.connect(server.url(), transport=transport, compression=compression)
            assert feed is not ag.connect(server.url(), transport="websockets", compression=compression) or (
                transport == "websockets"
            )
            feed.metrics.wait(len(burst), timeout=30)
            return feed.metrics.to_pandas(index=None).drop(columns=["timestamp", "recv_ns"], errors="ignore")

    fast, plain = rows("picows"), rows("websockets")
    assert len(fast) == len(burst)
    assert fast.equals(plain)


def test_the_loop_is_uvloops_where_it_is_installed(monkeypatch):
    made = asyncio.new_event_loop()
    monkeypatch.setitem(sys.modules, "uvloop", SimpleNamespace(new_event_loop=lambda: made))
    assert iothread.new_loop() is made
    monkeypatch.setenv("AURIGRAPH_IO_LOOP", "asyncio")
    other = iothread.new_loop()
    assert other is not made
    monkeypatch.delenv("AURIGRAPH_IO_LOOP")
    monkeypatch.setitem(sys.modules, "uvloop", None)
    third = iothread.new_loop()
    assert third is not made
    for loop in (made, other, third):
        loop.close()
