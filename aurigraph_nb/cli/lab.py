"""``aurigraph-nb lab``: the notebooks, copied to a folder of the user's, open in JupyterLab."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from ..errors import BadOption, FileError, UsageError
from ..recording.verify import many
from .extras import need
from .text import plain

FIRST = "01-tour.ipynb"
LEDGER = ".aurigraph-notebooks.json"
"""File beside the copies: the sha256 of each as it was copied. A copy that still has it was not changed by the user."""

STOP_WITHIN_S = 20.0
"""How long JupyterLab may take to end its kernels before it is killed."""


DEFAULTS = Path(__file__).with_name("jupyter")
"""Folder of our defaults of JupyterLab's settings: it asks nobody whether it may fetch news. The user's own win."""


class Action(StrEnum):
    """What becomes of one notebook in the user's folder."""

    COPY = "copied"
    REFRESH = "refreshed"
    KEEP = "kept"
    CURRENT = "current"


def lab(
    context: typer.Context,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the tour in a browser.")] = True,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to serve on; without it 8888 or the next free one.")
    ] = None,
    dir: Annotated[  # noqa: A002 - the option is called --dir
        Path, typer.Option("--dir", help="Folder for your copies of the notebooks; yours are never overwritten.")
    ] = Path("aurigraph-notebooks"),
) -> None:
    """Open the notebooks in JupyterLab.

    Copies them to a folder of yours first. Ctrl-C ends it. What follows -- is handed to JupyterLab as it is.

    \b
    Examples:
      aurigraph-nb lab
      aurigraph-nb lab --no-browser --port 8890
      aurigraph-nb lab -- --ip=127.0.0.2
    """
    need("lab", "jupyterlab", "ipykernel", verb="lab")
    for line in told(sync(packaged_notebooks(), dir), dir):
        typer.echo(line)
    code = run(command(dir.resolve(), browser=browser, port=port, extra=context.args))
    if code:
        typer.echo(f"aurigraph-nb: JupyterLab ended with code {code}; what it said stands above.", err=True)
        raise typer.Exit(1)


def told(done: Sequence[tuple[Action, str]], folder: Path) -> Iterator[str]:
    """What was done to the copies: a line for each that was kept, and one for all others."""
    for action, name in done:
        if action is Action.KEEP:
            yield plain(f"Kept {folder / name}: you changed it. Rename it to get the one of this version.", 500)
    counts = {action: sum(was is action for was, _ in done) for action in (Action.COPY, Action.REFRESH)}
    if said := ", ".join(f"{action} {many(count, 'file')}" for action, count in counts.items() if count):
        yield plain(f"{said.capitalize()}: {folder}", 500)


def packaged_notebooks() -> Path:
    """The folder of the notebooks that came with this installation; of the checkout, if it runs from one.

    :raises FileError: if there is none
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / FIRST).is_file():
            return folder
    raise FileError(
        f"No notebooks in {package / 'notebooks'}, where the package should have them; "
        "install it again: pip install --force-reinstall aurigraph-nb"
    )


def decide(packaged: str, present: str | None, as_copied: str | None) -> Action:
    """What to do about one notebook.

    :param packaged: digest of the packaged one
    :param present: digest of the user's copy, None if there is none
    :param as_copied: digest that the copy had when it was made, None if that is not known
    """
    if present is None:
        return Action.COPY
    if present == packaged:
        return Action.CURRENT
    return Action.REFRESH if present == as_copied else Action.KEEP


def sync(source: Path, target: Path) -> list[tuple[Action, str]]:
    """Bring ``target`` up to ``source`` without touching what the user changed; tells what was done to each file.

    :raises BadOption: if ``target`` cannot be a folder, or not be written
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        copied = _read_ledger(target / LEDGER)
        done = [(_bring(source / name, target / name, copied, name), name) for name in sorted(_files(source))]
        _write(target / LEDGER, json.dumps(copied, indent=1, sort_keys=True).encode() + b"\n")
    except OSError as error:
        raise BadOption(f"--dir {target} cannot be used: {error}. Give a folder that you may write.") from error
    return done


def _files(source: Path) -> Iterator[str]:
    for path in source.rglob("*"):
        parts = path.relative_to(source).parts
        if path.is_file() and not any(p.startswith((".", "__")) for p in parts):
            yield "/".join(parts)


def _bring(source: Path, target: Path, copied: dict[str, str], name: str) -> Action:
    data = source.read_bytes()
    packaged = _digest(data)
    present = _digest(target.read_bytes()) if target.exists() else None
    action = decide(packaged, present, copied.get(name))
    if action in (Action.COPY, Action.REFRESH):
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, data)
    if action is not Action.KEEP:
        copied[name] = packaged
    return action


def _write(path: Path, data: bytes) -> None:
    # Through a second name: a full disk must not leave half a notebook.
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(data)
    temporary.replace(path)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read_ledger(path: Path) -> dict[str, str]:
    try:
        ledger = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}  # without it every copy that differs counts as the user's own
    return {str(k): str(v) for k, v in ledger.items()} if isinstance(ledger, dict) else {}


def command(folder: Path, *, browser: bool, port: int | None, extra: Sequence[str] = ()) -> list[str]:
    """The command line that serves ``folder`` and opens the tour. The token is JupyterLab's own, made anew.

    :param extra: more options of JupyterLab; where they say the same as ours, they win
    """
    options = [
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{FIRST}",
        "--ServerApp.answer_yes=True",  # Ctrl-C means it
        # Nothing is asked of the internet, neither news nor newer versions.
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if not browser:
        options.append("--no-browser")
    if port is not None:
        options += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")  # in a container there is nobody else to be
    given = {word.partition("=")[0] for word in extra}
    ours = [option for option in options if option.partition("=")[0] not in given]
    return [sys.executable, "-m", "jupyterlab", *ours, *extra]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment of JupyterLab: the one given, with our defaults behind what it names itself."""
    own = given.get("JUPYTER_CONFIG_PATH")
    return {**given, "JUPYTER_CONFIG_PATH": os.pathsep.join([own, str(DEFAULTS)] if own else [str(DEFAULTS)])}


def run(line: Sequence[str], *, stop_within_s: float = STOP_WITHIN_S) -> int:
    """Run a command to its end and return its exit code; 0 if Ctrl-C or SIGTERM ended it.

    :raises UsageError: if it cannot be started
    """
    stopped = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    handlers = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with subprocess.Popen(line, env=environment(os.environ)) as process:
            while not stopped and process.poll() is None:
                _wait(process, 0.2)
            if stopped:
                _end(process, stop_within_s)
            return 0 if stopped else process.returncode
    except OSError as error:
        raise UsageError(f"{line[0]} cannot be started: {error}") from error
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _wait(process: subprocess.Popen[bytes], limit_s: float) -> bool:
    """Whether the process ended within the limit."""
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: subprocess.Popen[bytes], limit_s: float) -> None:
    process.terminate()
    if not _wait(process, limit_s):
        process.kill()
