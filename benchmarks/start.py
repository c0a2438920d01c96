"""Start: ``import aurigraph_nb`` against its dependencies' own import, and ``simulate()`` to the first row.

Each in a fresh process, with compiled modules in the file cache. The dependencies are those of the package's own that
an import of it loads (all of them, if a widget is asked for), by their front doors.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from .harness import Clocked, options, run, tell
from .processes import fresh

CORE = (
    "anywidget",
    "ipywidgets",
    "msgspec",
    "numpy",
    "pandas",
    "plotly",
    "pyarrow",
    "rich",
    "typer",
    "websockets",
    "zstandard",
)
"""What the package depends on."""


def loaded() -> dict[str, list[str]]:
    """The dependencies that an import loads."""
    importlib.import_module("aurigraph_nb")
    return {"modules": [name for name in CORE if name in sys.modules]}


def importing(modules: Sequence[str], then: Sequence[str] = (), widget: bool = False) -> dict[str, float]:
    """Import these; what is told is what it takes to import ``then`` after them."""
    with Clocked() as first:
        for module in modules:
            importlib.import_module(module)
    with Clocked() as second:
        for module in then:
            found = importlib.import_module(module)
            if widget:
                assert found.Dashboard
    clocked = second if then else first
    return {"wall_ms": clocked.wall_s * 1e3, "cpu_ms": clocked.cpu_s * 1e3, "modules": len(sys.modules)}


def first_row() -> dict[str, float]:
    """From the call of ``simulate()`` to the first row of any topic; the import is not counted."""
    import aurigraph_nb as ag

    begin = time.perf_counter()
    feed: Any = ag.simulate(seed=7)
    made = time.perf_counter()
    for topic in feed:
        topic.open()
    with feed.news:
        came = feed.news.wait_for(lambda: any(topic.store.count for topic in feed), timeout=30)
    end = time.perf_counter()
    feed.close()
    assert came
    return {"feed_ms": (made - begin) * 1e3, "first_row_ms": (end - begin) * 1e3}


def compiled(folder: str) -> dict[str, str]:
    """Environment in which modules are compiled once, into ``folder``."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}


def main() -> None:
    chosen = options(__doc__ or "")
    ours = "aurigraph_nb"
    with tempfile.TemporaryDirectory() as folder:
        env = compiled(folder)
        fresh("benchmarks.start:importing", env, modules=[*CORE, ours], then=[ours], widget=True)  # compiles everything
        needed = fresh("benchmarks.start:loaded", env)["modules"]

        def case(**arguments: Any) -> Callable[[], dict[str, float]]:
            return lambda: fresh("benchmarks.start:importing", env, **arguments)

        cases = {
            f"import {ours}": case(modules=[ours]),
            "its dependencies": case(modules=needed),
            f"import {ours} after them": case(modules=needed, then=[ours]),
            "a widget, after all": case(modules=[*CORE, ours], then=[ours], widget=True),
            "simulate() to a row": lambda: fresh("benchmarks.start:first_row", env),
        }
        rounds = max(chosen.rounds, 15 if chosen.full else 5)
        result = run("start", cases, rounds=rounds, facts={"dependencies": needed})
    tell(result, as_json=chosen.json)


if __name__ == "__main__":
    main()
