"""`doctor` and `watch` against the local node, over real sockets."""

import pytest

from aurigraph_nb import Node


@pytest.fixture
def node():
    with Node(seed=7) as running:
        yield running


def test_the_doctor_finds_a_local_node_in_good_health(node, cli, monkeypatch):
    monkeypatch.setattr("aurigraph_nb.cli.probes.MORE_FRAMES_S", 0.1)
    result = cli("doctor", node.url)
    assert result.exit_code == 0, result.stdout
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == ["ok"] * 8


def test_the_doctor_tells_a_stopped_node(node, cli):
    node.stop()
    result = cli("doctor", node.url)
    assert result.exit_code == 1 and "aurigraph-nb serve" in result.stdout


def test_watching_a_node_once_shows_every_topic(node, cli):
    result = cli("watch", f"{node.url}/ws/metrics", "--once")
    assert result.exit_code == 0, result.stdout
    assert all(name in result.stdout for name in ("metrics", "transactions", "validators", "consensus", "network"))
    assert "CONNECTED" in result.stdout and "tps=" in result.stdout


def test_watching_for_a_time_ends_by_itself(node, cli):
    result = cli("watch", f"{node.url}/ws/metrics", "--duration", "0.3", "--interval", "0.1")
    assert result.exit_code == 0 and result.stdout.endswith("\n")


def test_without_a_url_watch_brings_its_own_node(cli):
    result = cli("watch", "--once")
    assert result.exit_code == 0 and "CONNECTED" in result.stdout
