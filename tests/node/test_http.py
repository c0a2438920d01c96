"""What a node answers to plain HTTP: by its rules, and over real sockets."""

import builtins
import sys

import pytest

from aurigraph_nb.errors import MissingExtra
from aurigraph_nb.node import Cors, systems
from aurigraph_nb.node import http as pages
from aurigraph_nb.node.events import TOPICS
from aurigraph_nb.node.stats import Books

ORIGIN = "https://portal.example"


def stats(total=0):
    books = Books()
    books.sent["metrics"] = 5
    return books.snapshot(dict.fromkeys(TOPICS, 0) | {"metrics": total})


def site(cors=None, prefix="/ws", down_at=8000):
    return pages.Site(prefix, cors, down_at)


def route(path, method="GET", origin=None, where=None, total=0):
    return (where or site()).route(method, path, origin, lambda: stats(total))


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_found_under_both_prefixes_whatever_the_query(topic):
    assert route(f"/ws/{topic}") == route(f"/api/v11/ws/{topic}?token=x") == topic
    assert route(f"/streams/{topic}", where=site(prefix="/streams")) == topic


@pytest.mark.parametrize("path", ["/", "/ws/", "/metrics", "/ws/weather", "/ws/metrics/", "/WS/metrics", "/q", "*"])
def test_a_wrong_path_is_told_the_right_ones(path):
    answer = route(path)
    assert answer.status == 404
    assert b"/ws/metrics, /ws/transactions" in answer.body and b"/q/health" in answer.body
    assert b"/api/v11/live/stream, /ws, /metrics/stream" in answer.body


@pytest.mark.parametrize("system, path", systems.PATHS.items())
def test_the_other_systems_are_where_they_are_documented(system, path):
    assert route(path) == route(f"{path}?token=x", where=site(prefix="/streams")) == system
    assert route(path, origin=ORIGIN).status == 403
    assert route(path, method="POST").status == 405


def test_a_wrong_path_may_be_forbidden_instead_of_missing():
    assert route("/nowhere", where=pages.Site("/ws", None, 8000, missing=403)).status == 403


@pytest.mark.parametrize("total, status, code", [(0, "UP", 200), (7999, "UP", 200), (8000, "DOWN", 503)])
def test_health_is_down_from_the_threshold_on(total, status, code):
    answer = route(pages.HEALTH, total=total)
    assert answer.status == code
    assert f'{{"status":"{status}","checks":[{{"name":"websocket-service","status":"{status}"'.encode() in answer.body


def test_other_methods_are_not_served():
    answer = route(pages.HEALTH, method="POST")
    assert (answer.status, dict(answer.headers)["Allow"]) == (405, "GET, OPTIONS")


@pytest.mark.parametrize("origin", ["http://localhost:8888", "http://127.0.0.1:5173", "https://localhost"])
def test_pages_of_this_machine_may_connect_by_default(origin):
    assert route("/ws/metrics", origin=origin) == "metrics"


@pytest.mark.parametrize("origin", [ORIGIN, "http://localhost.evil.example", "null", "http://localhost:1, http://b"])
def test_pages_of_others_may_not(origin):
    answer = route("/ws/metrics", origin=origin)
    assert answer.status == 403 and b"CORS" in answer.body


def test_named_origins_may_connect_and_read_and_others_may_not():
    here = site(Cors((ORIGIN,)))
    assert route("/ws/metrics", origin=ORIGIN, where=here) == "metrics"
    assert dict(route(pages.STATS, origin=ORIGIN, where=here).headers)["Access-Control-Allow-Origin"] == ORIGIN
    assert route("/ws/metrics", origin="http://localhost:8888", where=here).status == 403
    assert dict(route(pages.STATS, origin="https://b.example", where=here).headers) == {"Vary": "Origin"}


def test_a_preflight_tells_origins_methods_and_headers():
    here = site(Cors((ORIGIN,), methods=("GET", "POST"), headers=("X-Trace",), max_age_s=5))
    answer = route(pages.STATS, method="OPTIONS", origin=ORIGIN, where=here)
    assert answer.status == 204
    assert dict(answer.headers) == {
        "Access-Control-Allow-Origin": ORIGIN,
        "Vary": "Origin",
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "X-Trace",
        "Access-Control-Max-Age": "5",
    }
    assert route(pages.STATS, method="OPTIONS", origin="https://b.example", where=here).status == 403
    assert route(pages.STATS, method="OPTIONS", where=here).status == 403
    assert route(pages.STATS, method="OPTIONS", origin="https://b.example", where=site(Cors(("*",)))).status == 204


def test_prometheus_shows_the_documented_names():
    pytest.importorskip("prometheus_client")
    text = pages.prometheus_text(stats(3)).decode()
    assert 'aurigraph_websocket_connections_total{endpoint="metrics"} 3.0' in text
    assert "# TYPE aurigraph_websocket_connections_total gauge" in text
    assert "aurigraph_websocket_messages_sent_total 5.0" in text
    assert "# TYPE aurigraph_websocket_messages_sent_total counter" in text
    assert "aurigraph_websocket_broadcast_latency_ms 0.0" in text


def test_without_prometheus_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **options):
        if name.startswith("prometheus_client"):
            raise ImportError(name)
        return real(name, *rest, **options)

    for name in [n for n in sys.modules if n.startswith("prometheus_client")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"aurigraph-nb\[node\]"):
        pages.prometheus_text(stats())
    answer = route(pages.METRICS)
    assert answer.status == 501 and b"aurigraph-nb[node]" in answer.body


# Over real sockets


def test_rest_answers_next_to_the_streams(serving, dial, http, eventually):
    node = serving(seed=7, rate=200)
    client = dial(node)
    client.recv()
    health = http(node, "/q/health")
    assert (health.status_code, health.headers["content-type"]) == (200, "application/json")
    assert health.json() == {
        "status": "UP",
        "checks": [
            {
                "name": "websocket-service",
                "status": "UP",
                "data": {
                    "total_connections": 1,
                    "metrics_ws": 0,
                    "transaction_ws": 1,
                    "validator_ws": 0,
                    "consensus_ws": 0,
                    "network_ws": 0,
                    "max_warning_threshold": 8000,
                },
            }
        ],
    }
    told = http(node, "/api/v11/websocket/stats").json()
    assert set(told) == {"connections", "messages_sent", "latency_ms", "uptime_s"}
    assert told["connections"] == {**dict.fromkeys(TOPICS, 0), "transactions": 1, "total": 1}
    assert told["messages_sent"] > 0 and set(told["latency_ms"]) == {"avg", "p50", "p99"}
    client.close()
    eventually(lambda: http(node, "/api/v11/websocket/stats").json()["connections"]["total"] == 0)


def test_prometheus_is_served(serving, http):
    pytest.importorskip("prometheus_client")
    answer = http(serving(), "/q/metrics")
    assert answer.status_code == 200 and "aurigraph_websocket_connections_total" in answer.text


def test_a_preflight_and_a_wrong_path_are_answered_over_http(serving, http):
    node = serving(cors=[ORIGIN])
    assert http(node, "/q/health", "OPTIONS", Origin=ORIGIN).headers["access-control-allow-origin"] == ORIGIN
    assert http(node, "/q/health", "OPTIONS", Origin="https://b.example").status_code == 403
    assert http(node, "/q/health", Origin=ORIGIN).headers["access-control-allow-origin"] == ORIGIN
    assert http(node, "/ws/weather").status_code == 404
    assert http(node, "/ws/metrics").status_code == 426
    assert http(node, "/q/health", "DELETE").status_code == 405


def test_health_is_down_when_there_are_too_many(serving, dial, http):
    node = serving(down_at=2)
    dial(node, "metrics")
    assert http(node, "/q/health").json()["status"] == "UP"
    dial(node, "network")
    answer = http(node, "/q/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "DOWN")
