"""What all benchmarks share: options, rounds by turns, medians, one JSON object at the end."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

Case = Callable[[], Mapping[str, float]]


def run(
    name: str, cases: Mapping[str, Case], *, rounds: int = 3, facts: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Run the cases by turns, ``rounds`` times; returns the median of each figure."""
    figures: dict[str, dict[str, list[float]]] = {case: {} for case in cases}
    for _ in range(rounds):
        for case, measure in cases.items():
            for figure, value in measure().items():
                figures[case].setdefault(figure, []).append(value)
    medians = {
        case: {figure: round(statistics.median(values), 4) for figure, values in of.items()}
        for case, of in figures.items()
    }
    return {"benchmark": name, "rounds": rounds, **(facts or {}), "figures": medians, "machine": machine()}


def machine() -> dict[str, Any]:
    """What it ran on: ratios travel between machines, figures do not."""
    packages = "websockets picows uvloop msgspec zstandard pyarrow pandas polars duckdb dask".split()
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "packages": {package: _version(package) for package in packages},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def options(description: str, **sizes: int) -> argparse.Namespace:
    """``--json`` prints one object alone, ``--full`` takes the large size, ``--rounds`` how often.

    :param sizes: more options, whole numbers, with their defaults
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--full", action="store_true", help="the large size, which takes longer")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the medians are told (at least 3)")
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default:,}")
    chosen = parser.parse_args()
    chosen.rounds = max(3, chosen.rounds)
    return chosen


def tell(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the result."""
    if as_json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    facts = {k: v for k, v in result.items() if k not in ("figures", "machine")}
    sys.stdout.write(f"{facts}\n")
    for case, figures in result["figures"].items():
        sys.stdout.write(f"  {case:<24} " + "  ".join(f"{k} {v:g}" for k, v in figures.items()) + "\n")


class Clocked:
    """Wall and CPU seconds of a block."""

    wall_s = cpu_s = 0.0

    def __enter__(self) -> Clocked:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s, self.cpu_s = time.perf_counter() - self._wall, time.process_time() - self._cpu
