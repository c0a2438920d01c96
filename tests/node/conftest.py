"""Clients and nodes for the tests of the node. Nothing sleeps: a wait has a condition and a limit."""

import contextlib
import time

import httpx
import pytest
from websockets.sync.client import connect

from aurigraph_nb.node import Node

LIMIT_S = 20.0


@pytest.fixture
def eventually():
    """Wait until a condition holds."""

    def wait(condition, limit_s=LIMIT_S):
        deadline = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(0.005)

    return wait


@pytest.fixture
def serving():
    """Make nodes that are started and are closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(Node(**options))


@pytest.fixture
def dial(eventually):
    """Open WebSockets to a node, and see them counted by it."""
    with contextlib.ExitStack() as stack:

        def open_one(node, topic="transactions", path=None, **options):
            opened = node.stats().opened
            options = {"compression": None, "proxy": None, "open_timeout": LIMIT_S, "max_queue": None} | options
            url = f"{node.url}{path}" if path else node.system_urls.get(topic, f"{node.url}/ws/{topic}")
            client = stack.enter_context(connect(url, **options))
            if path is None:
                eventually(lambda: node.stats().opened > opened)
            return client

        yield open_one


@pytest.fixture
def http():
    """Plain HTTP to a node."""
    with httpx.Client(trust_env=False, timeout=LIMIT_S) as client:

        def ask(node, path, method="GET", **headers):
            url = node.url.replace("ws", "http", 1) + path
            return client.request(method, url, headers={k.replace("_", "-"): v for k, v in headers.items()})

        yield ask
