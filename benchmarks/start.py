"""Start: ``import aurigraph_nb`` against its dependencies' own import, and ``simulate()`` to the first row.

Each in a fresh process. The dependencies are those of the package's own that an import of it loads, by their front
doors.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Sequence
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


def importing(modules: Sequence[str]) -> dict[str, float]:
    """Import these."""
    with Clocked() as clocked:
        for module in modules:
            importlib.import_module(module)
    return {"wall_s": clocked.wall_s, "cpu_s": clocked.cpu_s, "modules": len(sys.modules)}


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
    return {"feed_s": made - begin, "first_row_s": end - begin}


def main() -> None:
    chosen = options(__doc__ or "")
    dependencies = fresh("benchmarks.start:loaded")["modules"]
    cases = {
        "import aurigraph_nb": lambda: fresh("benchmarks.start:importing", modules=["aurigraph_nb"]),
        "its dependencies": lambda: fresh("benchmarks.start:importing", modules=dependencies),
        "simulate() to a row": lambda: fresh("benchmarks.start:first_row"),
    }
    rounds = max(chosen.rounds, 7) if chosen.full else chosen.rounds
    result = run("start", cases, rounds=rounds, facts={"dependencies": dependencies})
    tell(result, as_json=chosen.json)


if __name__ == "__main__":
    main()
