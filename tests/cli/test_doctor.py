"""The verb `doctor` against small servers of every kind of health."""

import asyncio
import http
import json
import ssl
import threading
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import serve
from websockets.sync.server import serve as serve_in_thread

from aurigraph_nb.cli.doctor import CHECKS, examine, read_target, render
from aurigraph_nb.cli.findings import Failure, Finding, Level, Listened, Opened
from aurigraph_nb.cli.probes import Probes
from aurigraph_nb.errors import BadOption, BadUrl
from aurigraph_nb.protocols import Batch
from aurigraph_nb.schema import Metrics

HERE = Path(__file__).parent
CERTIFICATE = HERE / "tls" / "localhost.pem"
ROW = json.dumps({"timestamp": 1_767_225_600_000, "currentTPS": 8e6, "cpuUsage": 40.0})
UP = {"status": "UP", "checks": [{"name": "websocket-service", "data": {"total_connections": 2}}]}


async def sends_rows(connection):
    await connection.send(ROW)
    await connection.wait_closed()


async def says_nothing(connection):
    await connection.wait_closed()


def answers(status, health=UP, **headers):
    """Answer every WebSocket with an HTTP status, and the health endpoint as it should be."""

    def process(connection, request):
        if request.path == "/q/health":
            return connection.respond(http.HTTPStatus.OK, json.dumps(health))
        if status is None:
            return None
        response = connection.respond(http.HTTPStatus(status), "no\n")
        for name, value in headers.items():
            response.headers[name.replace("_", "-")] = value
        return response

    return process


@asynccontextmanager
async def server(handler=sends_rows, process_request=answers(None), **options):  # noqa: B008 - a plain function
    async with serve(handler, "127.0.0.1", 0, process_request=process_request, **options) as running:
        yield running.sockets[0].getsockname()[1]


async def findings_of(url, *, token=None, timeout_s=5.0, ca=None):
    target = read_target(url, token, {})
    return {f.check: f async for f in examine(target, Probes(target, timeout_s, ca))}


def examined(url="ws://127.0.0.1:{port}/ws/metrics", handler=sends_rows, *, served=None, **options):
    async def run():
        async with server(handler, **(served or {})) as port:
            return await findings_of(url.format(port=port), **options)

    return asyncio.run(run())


def levels(found):
    return {check: finding.level for check, finding in found.items()}


@pytest.fixture(autouse=True)
def quick_lag(monkeypatch):
    monkeypatch.setattr("aurigraph_nb.cli.probes.MORE_FRAMES_S", 0.05)


def test_a_healthy_node_passes_every_check_in_order():
    found = examined()
    assert tuple(found) == CHECKS
    assert levels({**found, "lag": found["TCP"]}) == dict.fromkeys(CHECKS, Level.OK)
    assert found["lag"].level is Level.WARN  # the row is an old one


def test_a_base_url_is_examined_at_the_topic_that_comes_every_second():
    target = read_target("ws://localhost:9003", None, {})
    assert (target.path, target.topic) == ("/ws/metrics", "metrics")
    assert read_target("wss://dlt.aurigraph.io", None, {}).port == 443
    assert read_target("ws://localhost:9003/api/v11/ws/network", None, {}).topic == "network"


def test_no_compression_is_a_warning():
    assert levels(examined(served={"compression": None}))["compression"] is Level.WARN


def test_a_closed_port_ends_the_examination_and_says_what_was_not_tried():
    async def run():
        async with server() as port:
            pass
        return await findings_of(f"ws://127.0.0.1:{port}/ws/metrics")

    found = asyncio.run(run())
    assert found["TCP"].level is Level.FAIL and "aurigraph-nb serve" in found["TCP"].remedy
    assert all(found[check].level is Level.SKIP for check in CHECKS[2:])


def test_an_unknown_name_is_told():
    found = asyncio.run(findings_of("ws://no-such-host.invalid/ws/metrics"))
    assert found["name"].level is Level.FAIL and "no-such-host.invalid" in found["name"].detail


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_a_refusal_is_told_with_its_status(status):
    found = examined(served={"process_request": answers(status)})
    assert found["handshake"].level is Level.FAIL and f"HTTP {status}" in found["handshake"].detail
    assert found["first frame"].level is Level.SKIP


def test_the_servers_own_waiting_time_is_passed_on():
    found = examined(served={"process_request": answers(503, Retry_After="17")})
    assert "wait 17 s" in found["handshake"].remedy


def test_a_redirect_that_is_not_followed_is_told():
    found = examined(served={"process_request": answers(302, Location="http://elsewhere.invalid/")})
    assert found["handshake"].level is Level.FAIL


def test_a_silent_server_fails_on_a_periodic_topic_and_warns_on_another():
    assert levels(examined(handler=says_nothing, timeout_s=0.2))["first frame"] is Level.FAIL
    url = "ws://127.0.0.1:{port}/ws/network"
    assert levels(examined(url, handler=says_nothing, timeout_s=0.2))["first frame"] is Level.WARN


def test_a_close_before_the_first_frame_is_told_with_code_and_reason():
    async def refuses(connection):
        await connection.close(1008, "token expired")

    found = examined(handler=refuses)
    assert "1008 'token expired'" in found["first frame"].detail and found["lag"].level is Level.SKIP


def test_frames_of_another_kind_are_told_with_their_beginning():
    async def greets(connection):
        await connection.send(b"\x00binary")
        await connection.wait_closed()

    found = examined(handler=greets)
    assert found["first frame"].level is Level.FAIL and "binary" in found["first frame"].detail


def test_a_node_that_calls_itself_down_fails():
    assert (
        levels(examined(served={"process_request": answers(None, health={"status": "DOWN"})}))["health"] is Level.FAIL
    )


def test_a_server_without_a_health_page_is_a_warning():
    found = examined(served={"process_request": None})
    assert found["health"].level is Level.WARN and found["first frame"].level is Level.OK


@pytest.mark.parametrize("reply", [b"SSH-2.0-OpenSSH_9.2\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"])
def test_a_port_that_speaks_something_else_fails_the_handshake(reply):
    async def talk(reader, writer):
        writer.write(reply)
        writer.close()

    async def run():
        async with await asyncio.start_server(talk, "127.0.0.1", 0) as other:
            port = other.sockets[0].getsockname()[1]
            return await findings_of(f"ws://127.0.0.1:{port}/ws/metrics", timeout_s=2.0)

    found = asyncio.run(run())
    assert found["handshake"].level is Level.FAIL and found["handshake"].remedy


OK_LINE = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize("reply", [b"", b"nonsense", OK_LINE + b"{not json", OK_LINE + b"[" * 60_000])
def test_a_health_page_of_garbage_is_no_more_than_a_warning(reply, monkeypatch):
    async def read_answer(_):
        return reply

    monkeypatch.setattr("aurigraph_nb.cli.probes._read_answer", read_answer)
    assert levels(examined())["health"] is Level.WARN


def tls_server():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return {"ssl": context}


def test_a_known_authority_opens_an_encrypted_connection():
    found = examined("wss://localhost:{port}/ws/metrics", served=tls_server(), ca=CERTIFICATE)
    assert found["TLS"].detail.startswith("TLSv1.") and found["health"].level is Level.OK
    assert found["first frame"].level is Level.OK


def test_an_unknown_authority_fails_with_the_option_that_names_it():
    found = examined("wss://localhost:{port}/ws/metrics", served=tls_server())
    assert found["TLS"].level is Level.FAIL and "--ca FILE" in found["TLS"].remedy
    assert found["handshake"].level is Level.SKIP


def test_tls_to_a_port_that_does_not_speak_it_suggests_ws():
    found = examined("wss://127.0.0.1:{port}/ws/metrics", timeout_s=2.0)
    assert found["TLS"].level is Level.FAIL and "ws://" in found["TLS"].remedy


def test_an_authority_file_that_cannot_be_read_is_a_bad_option(tmp_path):
    target = read_target("wss://localhost:1/ws/metrics", None, {})
    with pytest.raises(BadOption, match=r"--ca .*missing\.pem"):
        Probes(target, 1.0, tmp_path / "missing.pem")


def test_behind_a_proxy_the_proxy_is_dialled(monkeypatch):
    monkeypatch.setenv("ws_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    probes = Probes(read_target("wss://nodes.example/ws/metrics", None, {}), 1.0)
    assert probes.proxied and probes.dial == ("127.0.0.1", 9)


class ProxiedProbes:
    """A look through a proxy at a server that sends one row."""

    dial = ("proxy.example", 3128)
    proxied = True

    async def name(self):
        return ("192.0.2.1",)

    async def tcp(self):
        return 1.0

    @asynccontextmanager
    async def websocket(self):
        async def listening():
            row = Metrics(recv_ns=1, conn_epoch=1, n=0)
            batch = Batch()
            batch.rows["metrics"] = [row]
            return Listened(batch, 1.0, 0.5)

        yield Opened(1.0, True), listening()


def test_what_a_proxy_hides_is_not_tried_and_says_so():
    async def run():
        target = read_target("wss://nodes.example/ws/metrics", None, {})
        return {f.check: f async for f in examine(target, ProxiedProbes())}

    found = asyncio.run(run())
    assert "proxy.example:3128" in found["TLS"].detail
    skipped = {check for check, finding in found.items() if finding.level is Level.SKIP}
    assert skipped == {"TLS", "health", "lag"}  # the row has no server time


def test_a_time_limit_is_told_as_such():
    probes = Probes(read_target("ws://localhost:9003", None, {}), 1.5)
    assert probes._failure(TimeoutError()) == Failure("timeout", "no answer in 1.5 s")
    assert probes._failure(ConnectionResetError()).kind == "closed"
    assert probes._failure(RuntimeError("x")) == Failure("other", "RuntimeError: x")


def test_the_token_goes_into_the_header_and_nowhere_else():
    seen = {}

    def process(connection, request):
        seen.setdefault(request.path, request.headers.get("Authorization"))
        return answers(None)(connection, request)

    examined(token="secret-token", served={"process_request": process})
    assert seen == {"/ws/metrics": "Bearer secret-token", "/q/health": None}


def test_the_environments_token_is_only_for_its_own_host():
    environ = {"AURIGRAPH_TOKEN": "secret-token", "AURIGRAPH_URL": "wss://mine.example/ws"}
    assert read_target("wss://mine.example/ws/metrics", None, environ).token == "secret-token"
    assert read_target("wss://other.example/ws/metrics", None, environ).token is None
    assert read_target("wss://dlt.aurigraph.io", None, {"AURIGRAPH_TOKEN": "secret-token"}).token == "secret-token"


@pytest.mark.parametrize("host", ["nodes.example", "127.nodes.example", "localhost.nodes.example", "10.0.0.1"])
def test_a_token_never_goes_over_a_plain_connection_to_another_machine(host):
    with pytest.raises(BadOption, match="not sent over ws://") as caught:
        read_target(f"ws://{host}/ws/metrics?token=other-secret", "secret-token", {})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "[::1]"])
def test_a_token_may_go_to_this_machine(host):
    assert read_target(f"ws://{host}:9003/ws/metrics", "secret-token", {}).token == "secret-token"


def test_a_token_that_no_header_can_carry_is_refused_without_being_shown():
    with pytest.raises(BadOption, match="no header can carry") as caught:
        read_target("ws://localhost:9003", "secret\r\nHost: x", {})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost:9003", "localhost", "ws://", ""])
def test_what_is_no_websocket_url_is_refused(url):
    with pytest.raises(BadUrl):
        read_target(url, None, {})


def test_secrets_and_control_characters_leave_a_finding_before_it_is_shown():
    target = read_target("ws://localhost:9003/ws/metrics?token=s3cr%2Fet&n=1", "another-one", {})
    assert "s3cr" not in target.shown
    finding = Finding("handshake", Level.FAIL, "HTTP 401: s3cr/et, s3cr%2Fet and another-one\x1b[2J", "use s3cr/et")
    lines = [line for line, _ in render(finding, target.secrets)]
    assert not any(word in line for line in lines for word in ("s3cr", "another-one", "\x1b"))
    assert lines[0].split()[:2] == ["failed", "handshake"] and "→ use …" in lines[1]


@contextmanager
def threaded_server(handler):
    with serve_in_thread(handler, "127.0.0.1", 0, process_request=None) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield running.socket.getsockname()[1]
        finally:
            running.shutdown()
            thread.join()


def test_the_verb_ends_with_0_if_nothing_failed_and_shows_no_token(cli):
    with threaded_server(lambda connection: connection.send(ROW)) as port:
        result = cli("doctor", f"ws://127.0.0.1:{port}/ws/metrics?token=secret-token", "--timeout", "5")
    assert result.exit_code == 0, result.output
    assert "secret-token" not in result.output
    assert [line.split()[0] for line in result.stdout.splitlines()[1:3]] == ["ok", "ok"]


def test_the_verb_ends_with_1_if_a_check_failed(cli):
    with threaded_server(lambda connection: connection.close(1011, "broken")) as port:
        result = cli("doctor", f"ws://127.0.0.1:{port}/ws/metrics", "--timeout", "5")
    assert result.exit_code == 1 and "1011 'broken'" in result.stdout


@pytest.mark.parametrize("words", [("--timeout", "0"), ("--timeout", "soon")])
def test_a_wrong_time_limit_is_refused(cli, words):
    with pytest.raises(BadOption, match="--timeout"):
        cli("doctor", "ws://localhost:9003", *words)


def test_the_protocol_can_be_said_where_the_url_does_not_tell():
    target = read_target("ws://localhost:8000/ws", None, {}, "channels")
    assert (target.path, target.protocol) == ("/ws", "channels")
    assert read_target("ws://localhost:9003", None, {}, "live").path == "/api/v11/live/stream"
    for ambiguous in ("ws://localhost:8000/ws", "ws://localhost:9003/ws/metric"):
        with pytest.raises(BadUrl, match="does not tell the protocol"):
            read_target(ambiguous, None, {})
