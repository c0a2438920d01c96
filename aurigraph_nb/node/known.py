"""Where the nodes of this process listen, so that whoever is told a bare address of one knows what speaks there."""

from __future__ import annotations

from urllib.parse import urlsplit

_HOSTS: set[str] = set()


def add(url: str) -> None:
    """A node listens at ``url``."""
    _HOSTS.add(place(url))


def discard(url: str) -> None:
    """It does so no more."""
    _HOSTS.discard(place(url))


def hosts() -> frozenset[str]:
    """``host:port`` of each."""
    return frozenset(_HOSTS)


def place(url: str) -> str:
    """``host:port`` of a URL, an IPv6 address without its brackets."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}"
