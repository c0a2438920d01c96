"""Which protocol a URL speaks, and how a URL is shown."""

from __future__ import annotations

import pytest

from aurigraph_nb.errors import BadOption, BadUrl
from aurigraph_nb.protocols import redact, tell


@pytest.mark.parametrize(
    "url, full",
    [
        ("wss://dlt.aurigraph.io", "wss://dlt.aurigraph.io/ws"),
        ("wss://dlt.aurigraph.io/", "wss://dlt.aurigraph.io/ws"),
        ("wss://dlt.aurigraph.io/api/v11/ws", "wss://dlt.aurigraph.io/api/v11/ws"),
        ("ws://h:9004/ws/metrics", "ws://h:9004/ws/metrics"),
        ("ws://h/api/v11/ws/network/", "ws://h/api/v11/ws/network"),
        (" ws://h/ws/consensus#there ", "ws://h/ws/consensus"),
    ],
)
def test_the_path_or_a_known_host_tells_the_topic_streams(url, full):
    assert tell(url) == ("portal", full)


def test_a_host_that_is_known_here_needs_no_path():
    assert tell("ws://127.0.0.1:5", known_hosts=frozenset({"127.0.0.1:5"})) == ("portal", "ws://127.0.0.1:5/ws")


def test_the_protocol_supplies_the_path():
    assert tell("ws://h", "portal") == ("portal", "ws://h/ws")
    assert tell("ws://h/prefix", "portal") == ("portal", "ws://h/prefix")


@pytest.mark.parametrize("url", ["ws://h", "ws://h/", "ws://h/ws", "ws://h/other"])
def test_an_ambiguous_url_names_the_spellings(url):
    with pytest.raises(BadUrl, match='protocol="portal"'):
        tell(url)


def test_an_unknown_protocol_is_told():
    with pytest.raises(BadOption, match=r"protocol='gopher' is not known"):
        tell("ws://h", "gopher")


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
