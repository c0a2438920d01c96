"""What holds for all tests: no settings of the machine get in, and the slow kinds come last."""

import os

import pytest
from hypothesis import settings

# Example times depend on the machine's load; the same examples are tried on every run.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

FOREIGN = ("AURIGRAPH_URL", "AURIGRAPH_TOKEN", "http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy")


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_machine():
    """Neither a token nor a proxy of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in FOREIGN:
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        yield


TOUR = tuple(f"test_{name}.py" for name in "harness lab_verb live_result still systems tour voila".split())
"""Half of the browser's tests, by the time that they take."""
SPREAD = "PYTEST_XDIST_WORKER" in os.environ
"""Whether this is one of several processes."""


def _pace(item):
    """0 for ordinary tests, 1 for notebooks, 2 for the browser's.

    With several processes the browser's come first: they take longest, and two processes have them all.
    """
    if item.get_closest_marker("browser"):
        return -1 if SPREAD else 2
    if SPREAD and item.path.name == "test_scale.py":
        return -1  # its cluster wants memory, and a process in which little has happened
    return 1 if item.path.suffix == ".ipynb" else 0


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items.sort(key=_pace)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Tests of one file stay together, in their order, in one process; those of the browser share two."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            if "tests/browser/" not in file:
                return file
            return "browser, the tour" if file.endswith(TOUR) else "browser, the widgets"

    return ByFile(config, log)
