"""Which protocol a URL speaks, and how a URL is shown."""

from __future__ import annotations

import pytest

from aurigraph_nb.errors import BadOption, BadUrl
from aurigraph_nb.protocols import PATHS, PROTOCOLS, redact, tell


@pytest.mark.parametrize(
    "url, full",
    [
        ("wss://dlt.aurigraph.io", "wss://dlt.aurigraph.io/ws"),
        ("wss://dlt.aurigraph.io/", "wss://dlt.aurigraph.io/ws"),
        ("wss://dlt.aurigraph.io/ws", "wss://dlt.aurigraph.io/ws"),
        ("wss://dlt.aurigraph.io/api/v11/ws", "wss://dlt.aurigraph.io/api/v11/ws"),
        ("ws://h:9004/ws/metrics", "ws://h:9004/ws/metrics"),
        ("ws://h/api/v11/ws/network/", "ws://h/api/v11/ws/network"),
        (" ws://h/ws/consensus#there ", "ws://h/ws/consensus"),
    ],
)
def test_the_path_or_a_known_host_tells_the_topic_streams(url, full):
    assert tell(url) == ("portal", full)


@pytest.mark.parametrize(
    "url, told, full",
    [
        ("ws://h:9003/api/v11/live/stream", "live", "ws://h:9003/api/v11/live/stream"),
        ("wss://h/behind/api/v11/live/stream/?x=1#y", "live", "wss://h/behind/api/v11/live/stream?x=1"),
        ("wss://dlt.aurigraph.io/api/v11/live/stream", "live", "wss://dlt.aurigraph.io/api/v11/live/stream"),
        ("ws://localhost:8000/metrics/stream", "fakeai", "ws://localhost:8000/metrics/stream"),
        ("wss://h/behind/metrics/stream/", "fakeai", "wss://h/behind/metrics/stream"),
    ],
)
def test_the_path_tells_the_live_stream_and_the_inference_metrics(url, told, full):
    assert tell(url) == (told, full)


def test_a_host_that_is_known_here_needs_no_path():
    known = frozenset({"127.0.0.1:5"})
    assert tell("ws://127.0.0.1:5", known_hosts=known) == ("portal", "ws://127.0.0.1:5/ws")
    assert tell("ws://127.0.0.1:5/ws", known_hosts=known) == ("portal", "ws://127.0.0.1:5/ws")
    for path, told in (("/api/v11/live/stream", "live"), ("/metrics/stream", "fakeai")):
        assert tell(f"ws://127.0.0.1:5{path}", known_hosts=known)[0] == told


@pytest.mark.parametrize(
    "protocol, path",
    [("portal", "/ws"), ("live", "/api/v11/live/stream"), ("channels", "/ws"), ("fakeai", "/metrics/stream")],
)
@pytest.mark.parametrize("host", ["ws://h:8000", "wss://h/", "wss://dlt.aurigraph.io"])
def test_the_protocol_supplies_the_path(protocol, path, host):
    assert tell(host, protocol) == (protocol, f"{host.rstrip('/')}{path}")
    assert tell(f"{host.rstrip('/')}?a=b", protocol) == (protocol, f"{host.rstrip('/')}{path}?a=b")


@pytest.mark.parametrize("protocol", ["portal", "live", "channels", "fakeai"])
def test_a_path_that_is_given_is_kept(protocol):
    assert tell("ws://h/prefix", protocol) == (protocol, "ws://h/prefix")


def test_every_protocol_has_a_path_and_the_name_it_is_known_by():
    assert set(PATHS) == set(PROTOCOLS) == {"portal", "live", "channels", "fakeai"}
    assert all(PROTOCOLS[name].name == name for name in PROTOCOLS)


@pytest.mark.parametrize(
    "url", ["ws://h", "ws://h/", "ws://h/ws", "ws://h/ws/", "ws://h/other", "ws://h/metrics/streams"]
)
def test_an_ambiguous_url_names_the_spellings(url):
    with pytest.raises(BadUrl, match=r'protocol="portal".*protocol="channels"'):
        tell(url)


def test_a_bare_host_could_be_anything_and_the_message_says_what_would_tell():
    with pytest.raises(BadUrl) as caught:
        tell("ws://h:9003?token=secret")
    message = str(caught.value)
    assert "no path" in message and "secret" not in message
    for spelling in ('protocol="portal"', 'protocol="live"', 'protocol="channels"', 'protocol="fakeai"'):
        assert spelling in message
    for path in ("/ws/metrics", "/api/v11/live/stream", "/metrics/stream"):
        assert path in message


def test_the_path_of_two_systems_names_those_two():
    with pytest.raises(BadUrl, match="the path '/ws'") as caught:
        tell("ws://h:8000/ws")
    assert 'protocol="fakeai"' not in str(caught.value) and 'protocol="live"' not in str(caught.value)


def test_an_unknown_protocol_is_told():
    with pytest.raises(BadOption, match=r"protocol='gopher' is not known.*protocol=\"live\""):
        tell("ws://h", "gopher")


@pytest.mark.parametrize(
    "url, expected",
    [
        (5, "of type int"),
        ("h:9003", "does not begin with ws://"),
        ("https://h/ws/metrics", "in place of https://"),
        ("ws://", "names no host"),
        ("ws://h:port", "is no URL"),
        ("ws://me:secret@h/ws/metrics", "carries a user or password"),
    ],
)
@pytest.mark.parametrize("protocol", [None, "live"])
def test_what_is_no_url_of_a_server_is_told(url, expected, protocol):
    with pytest.raises(BadUrl, match=expected) as caught:
        tell(url, protocol)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url, shown",
    [
        ("wss://h/ws?token=abc&x=1", "wss://h/ws?token=…&x=…"),
        ("wss://me:secret@h:5/ws", "wss://h:5/ws"),
        ("wss://h/ws#secret", "wss://h/ws"),
        ("no url?token=abc", "no url"),
        ("ws://h/\x1b[31m", "ws://h/[31m"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert redact(url) == shown
