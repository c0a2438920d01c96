"""What the doctor concludes from what the probes saw."""

import pytest

from aurigraph_nb.cli import findings
from aurigraph_nb.cli.findings import Failure, HttpAnswer, Level, Listened, Opened, Refusal, Tls
from aurigraph_nb.protocols import Batch, Undecoded
from aurigraph_nb.schema import Metrics

NOW = 1_767_225_600_000_000_000
MS = 1_000_000


def heard(*lags_ms, undecoded=(), **fields):
    batch = Batch()
    if lags_ms:
        batch.rows["metrics"] = [
            Metrics(recv_ns=NOW, conn_epoch=1, n=n, timestamp=None if lag is None else NOW - round(lag * MS))
            for n, lag in enumerate(lags_ms)
        ]
    batch.undecoded.extend(undecoded)
    return Listened(**{"batch": batch, "waited_s": 3.0, "first_s": 0.5 if lags_ms else None, **fields})


def health_body(status, total=3, limit=8000):
    data = {"total_connections": total, "max_warning_threshold": limit}
    return {"status": status, "checks": [{"name": "websocket-service", "status": status, "data": data}]}


GOOD = [
    findings.name("localhost", ("127.0.0.1", "::1")),
    findings.tcp("localhost", 9003, 0.4),
    findings.tls(None, local=True),
    findings.tls(Tls("TLSv1.3", 80.0), local=False),
    findings.tls(Tls("TLSv1.3", None), local=False),
    findings.handshake("/ws/metrics", Opened(2.0, True)),
    findings.compression(True),
    findings.health("/q/health", HttpAnswer(200, health_body("UP"))),
    findings.health("/q/health", HttpAnswer(200, {"status": "UP", "checks": "none"})),
    findings.first_frame("metrics", heard(1.0), periodic=True),
    findings.lag(heard(1.0, 2.0, 900.0)),
    findings.lag(heard(-50.0)),
]


@pytest.mark.parametrize("finding", GOOD, ids=lambda f: f.detail)
def test_what_is_well_needs_no_remedy(finding):
    assert finding.level is Level.OK and not finding.remedy


WARNED = [
    (findings.tls(None, local=False), "wss://"),
    (findings.tls(Tls("TLSv1.2", 3.0), local=False), "renew"),
    (findings.compression(False), "nothing is wrong"),
    (findings.health("/q/health", Failure("refused", "the port is closed")), "only Aurigraph nodes"),
    (findings.health("/q/health", HttpAnswer(404, None)), "only Aurigraph nodes"),
    (findings.health("/q/health", HttpAnswer(200, ["UP"])), "only Aurigraph nodes"),
    (findings.first_frame("network", heard(), periodic=False), "on change only"),
    (findings.lag(heard(-500.0)), "NTP"),
    (findings.lag(heard(5_000.0)), "NTP"),
]

FAILED = [
    (findings.name("nowhere.invalid", Failure("name", "Name or service not known")), "spelling"),
    (findings.tcp("localhost", 1, Failure("refused", "the port is closed")), "aurigraph-nb serve"),
    (findings.tcp("host", 1, Failure("timeout", "no answer in 10 s")), "firewall"),
    (findings.tcp("host", 1, Failure("unreachable", "no route")), "VPN"),
    (findings.tcp("host", 1, Failure("other", "?")), "network"),
    (findings.tls(Failure("certificate", "self-signed certificate"), local=False), "--ca FILE"),
    (findings.tls(Failure("not-tls", "wrong version number"), local=False), "ws://"),
    (findings.tls(Failure("timeout", "no answer"), local=False), "ws://"),
    (findings.tls(Failure("other", "handshake failure"), local=False), "TLS versions"),
    (findings.handshake("/x", Failure("not-websocket", "no HTTP")), "wss://"),
    (findings.handshake("/x", Failure("timeout", "no answer")), "--timeout"),
    (findings.handshake("/x", Failure("closed", "hung up")), "server's log"),
    (findings.handshake("/x", Failure("redirect", "elsewhere")), "points to"),
    (findings.handshake("/x", Failure("other", "?")), "log"),
    (findings.handshake("/ws/metrics", Refusal(401)), "token"),
    (findings.handshake("/ws/metrics", Refusal(403)), "/ws/metrics"),
    (findings.handshake("/metrics", Refusal(404)), "/ws/<topic>"),
    (findings.handshake("/x", Refusal(429, retry_after="30")), "wait 30 s"),
    (findings.handshake("/x", Refusal(503)), "wait a minute"),
    (findings.handshake("/x", Refusal(302, location="ws://there/x")), "ws://there/x"),
    (findings.handshake("/x", Refusal(302)), "names none"),
    (findings.handshake("/x", Refusal(502)), "see its log"),
    (findings.handshake("/x", Refusal(200)), "no WebSocket"),
    (findings.health("/q/health", HttpAnswer(503, health_body("DOWN"))), "node's log"),
    (findings.health("/q/health", HttpAnswer(503, health_body("DOWN", 8000))), "8000 of 8000"),
    (findings.first_frame("metrics", heard(), periodic=True), "--timeout 60"),
    (findings.first_frame("metrics", heard(close_code=1008, close_reason="token"), periodic=True), "token"),
    (findings.first_frame("metrics", heard(close_code=1006), periodic=True), "log"),
    (
        findings.first_frame(
            "metrics",
            heard(undecoded=[Undecoded("metrics", "not JSON", "hello", 5, True, NOW, 1, 0)], first_s=0.1),
            periodic=True,
        ),
        "path",
    ),
]


@pytest.mark.parametrize("finding, remedy", WARNED, ids=lambda f: getattr(f, "detail", None))
def test_what_may_be_meant_so_is_a_warning_with_a_remedy(finding, remedy):
    assert finding.level is Level.WARN and remedy in finding.remedy


@pytest.mark.parametrize("finding, remedy", FAILED, ids=lambda f: getattr(f, "detail", None))
def test_what_keeps_the_feed_away_is_a_failure_with_a_remedy(finding, remedy):
    assert finding.level is Level.FAIL and remedy in finding.remedy


def test_the_lag_is_the_median_so_that_one_late_frame_says_nothing():
    assert findings.lag(heard(1.0, 2.0, 9_000.0)).detail.startswith("2.0 ms")


def test_without_server_times_there_is_no_lag_to_tell():
    assert findings.lag(heard(None)).level is Level.SKIP
    assert findings.lag(heard()).level is Level.SKIP


def test_details_name_what_came():
    assert "401" in findings.handshake("/ws/metrics", Refusal(401)).detail
    closed = findings.first_frame("metrics", heard(close_code=1008, close_reason="no token"), periodic=True)
    assert "1008 'no token'" in closed.detail
    assert "3 connections" in findings.health("/q/health", HttpAnswer(200, health_body("UP"))).detail
