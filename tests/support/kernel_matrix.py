"""The tests of kernel and browser beside several versions of ipykernel: ``python tests/support/kernel_matrix.py``.

Makes a fresh environment for each version, installs this checkout with [test] and that ipykernel into it, runs
tests/kernel and tests/browser there, and prints one row a version. Ends with 1 if anything failed anywhere.

    python tests/support/kernel_matrix.py --versions 6.29 7.4          # these only
    python tests/support/kernel_matrix.py --home kernels               # keep the environments, and use them again
    python tests/support/kernel_matrix.py -- tests/browser/test_flow.py -k reload   # other tests
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

CHECKOUT = Path(__file__).resolve().parents[2]
VERSIONS = ("6.29", "7.1", "7.4")
TESTS = ("tests/kernel", "tests/browser")
NOT_PASSED_ON = ("PYTHONPATH", "PYTHONHOME", "PYTEST_ADDOPTS", "VIRTUAL_ENV")


class Outcome(NamedTuple):
    """What the tests said beside one version."""

    version: str
    passed: int = 0
    failed: tuple[str, ...] = ()
    skipped: int = 0
    seconds: float = 0.0
    trouble: str = ""
    """Why there were no tests at all."""

    @property
    def good(self) -> bool:
        return bool(self.passed) and not self.failed and not self.skipped and not self.trouble


def read_report(report: Path, version: str) -> Outcome:
    """The outcome that pytest wrote down in its JUnit file."""
    passed, skipped, failed, seconds = 0, 0, [], 0.0
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        seconds += float(suite.get("time", 0))
        for case in suite.iter("testcase"):
            kinds = {child.tag for child in case}
            if kinds & {"failure", "error"}:
                failed.append(f"{case.get('classname')}::{case.get('name')}")
            elif "skipped" in kinds:
                skipped += 1
            else:
                passed += 1
    return Outcome(version, passed, tuple(failed), skipped, seconds)


def table(outcomes: Iterable[Outcome]) -> str:
    """One row a version, and below it what failed."""
    lines = [f"{'ipykernel':<12}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}"]
    for one in outcomes:
        counts = f"{one.passed:>8}{len(one.failed):>8}{one.skipped:>9}{one.seconds:>9.0f}"
        lines.append(f"{one.version:<12}{counts}" + (f"  {one.trouble}" if one.trouble else ""))
        lines += [f"    {name}" for name in one.failed]
    return "\n".join(lines)


def environment(home: Path, version: str) -> Path:
    """The interpreter of an environment with this checkout as it is now and the newest ``version.*`` of ipykernel."""
    folder = home / f"ipykernel-{version}"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wanted = f"ipykernel=={version}.*"
    if not python.exists():
        venv.create(folder, with_pip=True)
        _run([*pip, "install", f"{CHECKOUT}[test]", wanted])
    else:
        _run([*pip, "install", "--no-deps", "--force-reinstall", str(CHECKOUT)])
    _run([*pip, "check"])
    return python


def run_tests(python: Path, version: str, chosen: Sequence[str], report: Path) -> Outcome:
    """Run the tests with ``python``, against what is installed there and not against this folder."""
    asked = "import ipykernel; print(ipykernel.__version__)"
    exact = subprocess.run([python, "-c", asked], env=_settings(), capture_output=True, text=True, check=True)
    tool = python.with_name("pytest")
    # Tests outside the browser's folder are slowed down by nothing else: no notebook is collected, no cache is kept.
    line = [str(tool), "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *chosen]
    started = time.monotonic()
    ended = subprocess.run(line, cwd=CHECKOUT, env=_settings(), check=False)
    if not report.exists():
        return Outcome(version, seconds=time.monotonic() - started, trouble=f"pytest ended with {ended.returncode}")
    return read_report(report, exact.stdout.strip())


def _settings() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    return kept | {"AURIGRAPH_NB_REQUIRE_BROWSER": "1", "AURIGRAPH_NB_INSTALLED": "1"}


def _run(line: Sequence[str]) -> None:
    subprocess.run(line, env=_settings(), check=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the matrix; 0 if every test passed beside every version."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", nargs="+", default=VERSIONS, metavar="X.Y")
    parser.add_argument("--home", type=Path, help="folder for the environments; kept (default: one that goes again)")
    parser.add_argument("tests", nargs="*", default=TESTS, help="arguments for pytest, after --")
    options = parser.parse_args(arguments)
    outcomes = []
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch)
        home.mkdir(parents=True, exist_ok=True)
        for version in options.versions:
            try:
                python = environment(home.resolve(), version)
                report = Path(scratch) / f"{version}.xml"
                outcomes.append(run_tests(python, version, options.tests or TESTS, report))
            except subprocess.CalledProcessError as error:
                outcomes.append(Outcome(version, trouble=f"{Path(error.cmd[0]).name} ended with {error.returncode}"))
    sys.stdout.write(f"\n{table(outcomes)}\n")
    return 0 if all(one.good for one in outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
