"""The dashboard as a page of its own: `voila notebooks/dashboard.ipynb`, in Chromium."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .harness import Lab, open_page, own_folders, until
from .test_tour import POINTS, STATE, notebooks_folder

OPTIONS = ("--no-browser", "--Voila.ip=127.0.0.1", "--port_retries=0")
OF_VOILA = "/npm/@fortawesome/fontawesome-free@"
"""Icons that each of Voila's own templates asks for, whatever is in the notebook; nothing here shows any of them."""
TEXTS = "() => document.querySelector('.ag-dashboard').innerText"
FITS = "() => document.documentElement.scrollWidth <= window.innerWidth"


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}voila/static/voila.js", timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextmanager
def running_voila(notebook: Path, home: Path) -> Iterator[Lab]:
    """Voila on a free port of this machine."""
    home.mkdir(parents=True, exist_ok=True)
    log, port = home / "voila.log", free_port()
    url = f"http://127.0.0.1:{port}/"
    line = [sys.executable, "-m", "voila", *OPTIONS, f"--port={port}", str(notebook)]
    environment = own_folders(home)
    with log.open("wb") as output:
        process = subprocess.Popen(line, stdout=output, stderr=output, env=environment, stdin=subprocess.DEVNULL)
        try:
            until(lambda: process.poll() is not None or answers(url), "Voila to answer", 60)
            assert process.poll() is None, f"Voila ended with {process.returncode}:\n{log.read_text()[-3000:]}"
            yield Lab(process, url, notebook.parent, log)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def voila(tmp_path_factory, chromium_path):
    pytest.importorskip("voila", reason="the extra [test] brings it")
    home = tmp_path_factory.mktemp("voila")
    notebook = home / "dashboard.ipynb"
    shutil.copy(notebooks_folder() / notebook.name, notebook)
    with running_voila(notebook, home / "jupyter") as running:
        yield running


@pytest.mark.parametrize("width", [1400, 800])
def test_the_notebook_is_a_live_page(voila, chromium, width):
    context = chromium.new_context(viewport={"width": width, "height": 1000})
    with open_page(voila, context) as tab:
        page = tab.page
        page.goto(voila.url, timeout=90_000)
        page.wait_for_selector(".ag-dashboard .ag-conn", timeout=60_000)
        page.evaluate("() => document.querySelector('.ag-dashboard .ag-plot').scrollIntoView({ block: 'center' })")
        until(lambda: page.evaluate(STATE) == "CONNECTED", "the status to say CONNECTED")
        until(lambda: page.evaluate(POINTS) > 0, "the chart to show points")
        points, texts = page.evaluate(POINTS), page.evaluate(TEXTS)
        until(lambda: page.evaluate(POINTS) >= points + 3, "the chart to grow")
        until(lambda: page.evaluate(TEXTS) != texts, "the figures to change")
        assert page.evaluate(FITS), "the page is wider than its window"
        assert page.locator("h1").inner_text().startswith("A live network")
        assert not [address for address in tab.foreign if OF_VOILA not in address]
        assert not [words for words in tab.console_errors if OF_VOILA not in words]
    context.close()
