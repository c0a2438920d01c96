"""Processes of a benchmark: one case in a fresh one, so that nothing warms it up; and a server in one beside it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PYTHONS_LOOP = {"AURIGRAPH_IO_LOOP": "asyncio"}
"""Environment of a case that is to do without uvloop, where that is installed."""


def fresh(case: str, env: Mapping[str, str] | None = None, **arguments: Any) -> dict[str, Any]:
    """Call ``module:function`` with the arguments in a new process, and return what it returns (JSON of it)."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, case, json.dumps(arguments)],
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, **(env or {})},
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


class Beside:
    """A process that serves: it prints one JSON object when it is ready, and answers a line with a line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.ready = self._read()

    def ask(self, line: str) -> dict[str, Any]:
        """Send a line, and return the answer to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process beside ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def beside(case: str, env: Mapping[str, str] | None = None, **arguments: Any) -> Iterator[Beside]:
    """Run ``module:function`` in another process; it is ended at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, case, json.dumps(arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    with process:
        try:
            yield Beside(process)
        finally:
            process.terminate()


def say(answer: Mapping[str, Any]) -> None:
    """What a process beside answers."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def installed(*modules: str) -> bool:
    """Whether all of these can be imported; none is."""
    return all(importlib.util.find_spec(module) is not None for module in modules)


def memory_mb() -> float:
    """What this process holds now, MB (where /proc tells; elsewhere the most that it ever held)."""
    return _status("VmRSS") or peak_memory_mb()


def peak_memory_mb() -> float:
    """The most that this process ever held, MB."""
    # ru_maxrss counts what the parent held at the moment of forking, too.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _status(name: str) -> float | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{name}:")), None)


def main() -> None:
    case, arguments = sys.argv[1:]
    module, _, function = case.partition(":")
    answer = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    if answer is not None:
        say(answer)


if __name__ == "__main__":
    main()
