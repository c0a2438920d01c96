"""JupyterLab as a process of its own, and one of its pages in Chromium, for tests that look at what a user sees.

Waiting is always for a condition with a limit. Every page notes what went wrong on it: errors in the console,
exceptions, and requests to anywhere but this machine (which are cut off).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import nbformat
from playwright.sync_api import BrowserContext, Page

START_LIMIT_S = 60.0
PAGE_LIMIT_MS = 60_000

LAB_OPTIONS = (
    "--no-browser",
    "--ip=127.0.0.1",
    "--port=0",
    "--allow-root",
    "--IdentityProvider.token=",
    "--ServerApp.disable_check_xsrf=True",
    "--ServerApp.answer_yes=True",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.expose_app_in_browser=True",
)

CHROMIUM_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def until(condition: Callable[[], Any], what: str, limit_s: float = 30.0, pause_s: float = 0.05) -> Any:
    """The first true value of ``condition``; fails after the limit, naming what was waited for."""
    end = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {limit_s:g} s for {what}"
        time.sleep(pause_s)
    return value


@dataclass
class Lab:
    """A running JupyterLab."""

    process: subprocess.Popen[bytes]
    url: str
    """With a slash at its end, and without a token: none is asked for."""
    root: Path
    """The folder that it shows."""
    log: Path

    def write(self, name: str, cells: Sequence[str]) -> str:
        """Write a notebook of code cells into the folder; returns its name."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(notebook, self.root / name)
        return name

    def read(self, name: str) -> Any:
        """The notebook as it is saved now."""
        return nbformat.read(self.root / name, as_version=4)

    def kernels(self) -> list[dict[str, Any]]:
        """The kernels that run."""
        with urllib.request.urlopen(f"{self.url}api/kernels", timeout=10) as answer:
            return list(json.load(answer))

    def end_kernels(self) -> None:
        """End every kernel, so that no test sees another's."""
        for kernel in self.kernels():
            request = urllib.request.Request(f"{self.url}api/kernels/{kernel['id']}", method="DELETE")
            urllib.request.urlopen(request, timeout=20).close()


def own_folders(home: Path) -> dict[str, str]:
    """An environment with Jupyter's folders of its own; the same interpreter comes first on the path."""
    folders = {name: str(home / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, **folders, "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "PATH": path}


@contextmanager
def running_lab(home: Path, root: Path) -> Iterator[Lab]:
    """JupyterLab on a free port of this machine, showing ``root``."""
    root.mkdir(parents=True, exist_ok=True)
    line = [sys.executable, "-m", "jupyterlab", *LAB_OPTIONS, f"--ServerApp.root_dir={root}"]
    with running(line, home, root) as lab:
        yield lab


@contextmanager
def running(line: Sequence[str], home: Path, root: Path) -> Iterator[Lab]:
    """A command that starts JupyterLab, ended as Ctrl-C or a shutdown would end it."""
    home.mkdir(parents=True, exist_ok=True)
    log = home / "jupyterlab.log"
    with log.open("wb") as output:
        process = subprocess.Popen(line, stdout=output, stderr=output, env=own_folders(home), stdin=subprocess.DEVNULL)
        try:
            yield Lab(process, _url_of(process, home / "runtime", log), root, log)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _url_of(process: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    """What the server wrote down about itself, once it answers."""

    def answering() -> str | None:
        assert process.poll() is None, f"JupyterLab ended with {process.returncode}:\n{log.read_text()[-3000:]}"
        for path in runtime.glob("jpserver-*.json"):
            try:
                url = str(json.loads(path.read_text())["url"])
                urllib.request.urlopen(f"{url}api", timeout=5).close()
            except (OSError, ValueError):
                continue
            return url
        return None

    return str(until(answering, "JupyterLab to answer", START_LIMIT_S))


@dataclass
class Traffic:
    """What went over one WebSocket of the page."""

    url: str
    sent: list[int] = field(default_factory=list)
    """Bytes of each frame to the server."""
    received: list[int] = field(default_factory=list)
    """Bytes of each frame to the page."""


@dataclass
class LabPage:
    """One tab on one JupyterLab."""

    lab: Lab
    page: Page
    console_errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """Addresses that the page asked for and that are not on this machine."""
    requests: list[str] = field(default_factory=list)
    sockets: list[Traffic] = field(default_factory=list)

    def open(self, name: str) -> LabPage:
        """Open a notebook and wait for its kernel."""
        self.page.goto(f"{self.lab.url}lab/tree/{quote(name)}?reset", timeout=PAGE_LIMIT_MS)
        self._wait_for_kernel()
        return self

    def reload(self) -> LabPage:
        """Load the page again, as the user's reload button does; the kernel goes on."""
        self.page.reload(timeout=PAGE_LIMIT_MS)
        self._wait_for_kernel()
        return self

    def _wait_for_kernel(self) -> None:
        self.page.wait_for_function(
            """() => {
                const context = window.jupyterapp?.shell?.currentWidget?.sessionContext;
                return context?.isReady && context.session?.kernel?.status === "idle";
            }""",
            timeout=PAGE_LIMIT_MS,
        )

    def kernel_status(self) -> str:
        """idle, busy, …; as the page knows it."""
        return str(self._on_context("context.session?.kernel?.status ?? 'none'"))

    def kernel_id(self) -> str:
        return str(self._on_context("context.session.kernel.id"))

    def _on_context(self, expression: str) -> Any:
        return self.page.evaluate(
            f"() => {{ const context = window.jupyterapp.shell.currentWidget.sessionContext; return {expression}; }}"
        )

    def run_all(self, limit_s: float = 60.0, *, wait: bool = True) -> LabPage:
        """Run every cell, and wait until the last one has ended."""
        self.start("notebook:run-all-cells")
        if wait:
            self.finish(limit_s)
        return self

    def start(self, command: str, **arguments: Any) -> None:
        """Start a command of JupyterLab; see :meth:`finish`."""
        self.page.evaluate(
            """([command, args]) => {
                window.testCommand = { done: false };
                window.jupyterapp.commands.execute(command, args).then(
                    () => { window.testCommand = { done: true }; },
                    (error) => { window.testCommand = { done: true, error: String(error) }; },
                );
            }""",
            [command, arguments],
        )

    def finish(self, limit_s: float = 60.0) -> None:
        """Wait for the command that was started last."""
        self.page.wait_for_function("() => window.testCommand.done", timeout=limit_s * 1_000)
        assert not (error := self.page.evaluate("() => window.testCommand.error")), error

    def run_cell(self, index: int, limit_s: float = 60.0, *, wait: bool = True) -> None:
        """Run one cell, as Ctrl-Enter in it does."""
        self.page.evaluate(
            "(index) => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = index; }", index
        )
        self.start("notebook:run-cell")
        if wait:
            self.finish(limit_s)

    def save(self) -> None:
        self.start("docmanager:save")
        self.finish()

    def execute(self, code: str, limit_s: float = 60.0) -> str:
        """Run code in the notebook's kernel beside its cells; returns what it printed. An error of it is raised."""
        result = self.page.evaluate(
            """([code, limit]) => new Promise((resolve, reject) => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                let text = "";
                const future = kernel.requestExecute({ code, store_history: false });
                future.onIOPub = (message) => {
                    if (message.header.msg_type === "stream") text += message.content.text;
                    if (message.header.msg_type === "error") reject(new Error(message.content.traceback.join("\\n")));
                };
                setTimeout(() => reject(new Error(`no answer in ${limit} ms: ${code}`)), limit);
                future.done.then(() => resolve(text), reject);
            })""",
            [code, limit_s * 1_000],
        )
        return str(result)

    def cell_errors(self) -> list[str]:
        """Errors that cells ended with, from the notebook as the page has it."""
        return list(
            self.page.evaluate(
                """() => {
                    const cells = window.jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells;
                    return cells.flatMap((cell) => cell.outputs ?? [])
                        .filter((output) => output.output_type === "error")
                        .map((output) => `${output.ename}: ${output.evalue}`);
                }"""
            )
        )

    def outputs(self) -> list[str]:
        """The plain text of each code cell's outputs, in order."""
        return list(
            self.page.evaluate(
                """() => {
                    const joined = (text) => Array.isArray(text) ? text.join("") : text ?? "";
                    const cells = window.jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells;
                    return cells.filter((cell) => cell.cell_type === "code").map((cell) => cell.outputs
                        .map((output) => joined(output.text ?? output.data?.["text/plain"])).join(""));
                }"""
            )
        )

    def widget_traffic(self) -> tuple[int, int]:
        """Frames and bytes that the page got over its kernels' channels so far."""
        received = [size for socket in self.sockets if "/channels" in socket.url for size in socket.received]
        return len(received), sum(received)

    def assert_clean(self) -> None:
        """No error in the console, no exception in a script, no cell that failed, nothing asked of another machine."""
        assert not self.foreign, f"the page asked other machines: {self.foreign}"
        assert not self.console_errors, f"errors in the browser's console: {self.console_errors}"
        assert not self.cell_errors()


# What JupyterLab itself writes to the console as an error, whatever is in the notebook.
OF_JUPYTERLAB = ("favicon", "manifest.webmanifest")


@contextmanager
def open_page(lab: Lab, context: BrowserContext) -> Iterator[LabPage]:
    """A tab that notes what goes wrong on it and reaches nothing but this machine."""
    page = context.new_page()
    tab = LabPage(lab, page)

    def on_route(route: Any) -> None:
        address = route.request.url
        tab.requests.append(address)
        if is_here(address):
            route.continue_()
        else:
            tab.foreign.append(address)
            route.abort()

    def on_console(message: Any) -> None:
        if message.type == "error" and not any(word in f"{message.text} {message.location}" for word in OF_JUPYTERLAB):
            tab.console_errors.append(f"{message.text} ({message.location.get('url', '')})")

    def on_socket(socket: Any) -> None:
        if not is_here(socket.url):
            tab.foreign.append(socket.url)
        traffic = Traffic(socket.url)
        tab.sockets.append(traffic)
        socket.on("framesent", lambda payload: traffic.sent.append(len(payload)))
        socket.on("framereceived", lambda payload: traffic.received.append(len(payload)))

    page.route("**/*", on_route)
    page.on("console", on_console)
    page.on("pageerror", lambda error: tab.console_errors.append(f"exception: {error}"))
    page.on("websocket", on_socket)
    try:
        yield tab
    finally:
        page.close()


def is_here(address: str) -> bool:
    """Whether an address is one of this machine, or of no machine at all."""
    parts = urlsplit(address)
    return parts.scheme in ("data", "blob", "about") or parts.hostname in ("127.0.0.1", "localhost", "::1")
