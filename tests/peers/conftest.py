"""Real servers of other people's, each started as they say, on a free port of this machine.

They live in an environment of their own. ``AURIGRAPH_NB_FAKEAI_PYTHON`` names a Python that can import ``fakeai``
(``pip install fakeai pillow``); without it, the Python that runs the tests is tried. Where there is none the tests are
skipped, with the reason; with AURIGRAPH_NB_REQUIRE_FAKEAI=1 they fail instead.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

START_S = 90
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer dummy"}


class FakeaiServer:
    """The inference server of the package ``fakeai``; it can be stopped and started again on its port."""

    def __init__(self, python: str, home: Path) -> None:
        self._python, self._home = python, home
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/metrics/stream"

    def start(self) -> None:
        """Returns when it answers."""
        foreign = ("FAKEAI_", "AURIGRAPH_", "PYTHON")
        environ = {name: value for name, value in os.environ.items() if not name.upper().startswith(foreign)}
        command = [self._python, "-m", "fakeai", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        with open(self._home / "log", "ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._home, env={**environ, "HOME": str(self._home)}, stdout=log, stderr=log
            )
        for _ in range(START_S * 5):
            if self._answers():
                return
            try:
                self._process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
            break
        self.stop()
        pytest.fail(f"the server did not start; its last words:\n{(self._home / 'log').read_text()[-2000:]}")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def post(self, path: str, **body: object) -> int:
        """Asks something of the server; gives the HTTP status."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), HEADERS)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                reply.read()
                return int(reply.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


def _missing(reason: str) -> str:
    reason = f"{reason}; it is needed to hear what the real server says"
    if os.environ.get("AURIGRAPH_NB_REQUIRE_FAKEAI") == "1":
        pytest.fail(f"{reason} (AURIGRAPH_NB_REQUIRE_FAKEAI=1 demands it)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def fakeai_python() -> str:
    """A Python that can import ``fakeai``."""
    named = os.environ.get("AURIGRAPH_NB_FAKEAI_PYTHON")
    if named:
        try:
            found = subprocess.run([named, "-c", "import fakeai"], capture_output=True, timeout=START_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            pytest.fail(f"AURIGRAPH_NB_FAKEAI_PYTHON={named} does not run: {error}", pytrace=False)
        if found.returncode:
            pytest.fail(
                f"AURIGRAPH_NB_FAKEAI_PYTHON={named} cannot import fakeai: {found.stderr[-500:].decode()}",
                pytrace=False,
            )
        return named
    if importlib.util.find_spec("fakeai") is None:
        _missing("no package fakeai here, and AURIGRAPH_NB_FAKEAI_PYTHON names no Python that has it")
    return sys.executable


@pytest.fixture(scope="module")
def fakeai_server(fakeai_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeaiServer]:
    """The real inference server, running."""
    server = FakeaiServer(fakeai_python, tmp_path_factory.mktemp("fakeai"))
    server.start()
    yield server
    server.stop()
