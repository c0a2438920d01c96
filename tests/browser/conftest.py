"""Fixtures: one JupyterLab and one Chromium for all the tests here, one clean tab a test.

Without Chromium the tests here are skipped, with the reason; with AURIGRAPH_NB_REQUIRE_BROWSER=1 they fail instead.

While Chromium is open its driver keeps an event loop running in this thread: no test here can use ``asyncio.run``, and
it is closed before others are run (or they have been run before; see the conftest above).
"""

import os
import shutil

import pytest

from .harness import CHROMIUM_OPTIONS, open_page, running_lab


def pytest_collection_modifyitems(items):
    here = os.path.dirname(__file__)
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.browser)


def _missing(what):
    reason = f"{what}; it is needed to look at the widgets as a user does"
    if os.environ.get("AURIGRAPH_NB_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason} (AURIGRAPH_NB_REQUIRE_BROWSER=1 demands it)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="package")
def chromium_path():
    """Where Chromium is."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return path or _missing("no Chromium on the path (Debian: apt-get install chromium)")


@pytest.fixture(scope="package")
def chromium(chromium_path):
    """The browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("no playwright (the extra [test] brings it)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_path, args=list(CHROMIUM_OPTIONS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lab(tmp_path_factory, chromium_path):
    """JupyterLab, showing an empty folder."""
    home = tmp_path_factory.mktemp("jupyter")
    with running_lab(home, home / "notebooks") as running:
        yield running


@pytest.fixture
def context(chromium):
    """A browser without memory: no cookie, no stored layout."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def lab_page(lab, context):
    """A tab on JupyterLab; what went wrong on it fails the test, and its kernels end with it."""
    with open_page(lab, context) as tab:
        yield tab
        tab.assert_clean()
    lab.end_kernels()
