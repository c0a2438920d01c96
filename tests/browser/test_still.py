"""What a notebook shows once its kernel is gone: in JupyterLab, and as a page made by nbconvert."""

from __future__ import annotations

import json
import subprocess
import sys

import nbformat
import pytest

from .harness import open_page, own_folders, until
from .test_tour import NOTEBOOK_BYTES

CELLS = [
    "import aurigraph_nb as ag\nfeed = ag.simulate(seed=7, start='2026-01-01', duration='60s')\nfeed.join(timeout=60)",
    "ag.TPSChart(feed)",
    "ag.ValidatorTable(feed)",
    "dashboard = ag.Dashboard(feed)\ndashboard",
    "dashboard.still()",
]
VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_BYTES = 50_000
SHOWN = """() => window.jupyterapp.shell.currentWidget.content.widgets.map(
    (cell) => cell.node.querySelector(".jp-OutputArea")?.innerText ?? "")"""
TRUSTED = "() => window.jupyterapp.shell.currentWidget.content.widgets.map((cell) => cell.model.trusted)"


@pytest.fixture(scope="module")
def saved(lab, chromium):
    """A notebook with widgets that was run, saved and closed; its kernel is gone."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1200})
    with open_page(lab, context) as tab:
        tab.open(lab.write("still.ipynb", CELLS)).run_all(90)
        tab.page.wait_for_selector(".ag-dashboard .ag", state="attached", timeout=30_000)
        tab.save()
        tab.assert_clean()
    context.close()
    lab.end_kernels()
    return lab.read("still.ipynb")


def test_a_saved_widget_has_a_picture_beside_its_view(saved):
    for cell in saved.cells[1:4]:
        (output,) = cell.outputs
        assert set(output.data) == {VIEW, "text/html", "text/plain"}
        assert 0 < len(output.data["text/html"].encode()) <= WIDGET_BYTES
        assert "<script" not in output.data["text/html"]
    assert saved.cells[3].outputs[0].data["text/plain"] == "Dashboard(feed)"
    assert set(saved.cells[4].outputs[0].data) == {"text/html", "text/plain"}
    assert len(json.dumps(saved)) <= NOTEBOOK_BYTES
    assert "widgets" not in saved.metadata


def test_a_notebook_of_someone_else_shows_tables_and_no_errors(lab, lab_page, saved):
    """One that is not trusted yet, as after a download: JupyterLab takes the picture, and leaves its drawing away."""
    theirs = nbformat.from_dict({**saved, "metadata": {**saved.metadata, "title": "of someone else"}})
    nbformat.write(theirs, lab.root / "theirs.ipynb")
    lab_page.open("theirs.ipynb")
    assert lab_page.page.evaluate(TRUSTED) == [False] * len(CELLS)
    until(lambda: "validator-08" in lab_page.page.evaluate(SHOWN)[2], "the table of validators")
    texts = lab_page.page.evaluate(SHOWN)
    assert "Transactions per second · as of 2026-01-01 00:00:59 UTC" in texts[1]
    assert "tx/s" in texts[1] and "▁" in texts[1], "figures, and the course of the line"
    assert "Network events" in texts[3]
    assert not any("Error displaying" in text or "Loading widget" in text for text in texts)


def test_a_notebook_of_ones_own_keeps_the_picture_that_was_asked_for(lab, chromium, saved):
    """JupyterLab itself writes an error in place of a live widget in a trusted notebook; ``still()`` is what lasts."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1200})
    with open_page(lab, context) as tab:
        tab.open("still.ipynb")
        assert tab.page.evaluate(TRUSTED) == [True] * len(CELLS)
        until(lambda: "Network events" in tab.page.evaluate(SHOWN)[4], "the picture")
        assert tab.page.locator(".jp-OutputArea svg[role=img]").count() == 1
        assert not tab.foreign
    context.close()
    lab.end_kernels()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nbconvert_makes_a_page_of_pictures(lab, chromium, saved, tmp_path, theme):
    source = lab.root / "still.ipynb"
    line = [sys.executable, "-m", "nbconvert", "--to=html", f"--theme={theme}", f"--output-dir={tmp_path}", str(source)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, env=own_folders(tmp_path))
    assert done.returncode == 0, done.stderr
    context = chromium.new_context()
    page = context.new_page()
    page.route("http*://**", lambda route: route.abort())  # nbconvert's own scripts come from elsewhere
    page.goto((tmp_path / "still.html").as_uri(), wait_until="domcontentloaded")
    assert page.locator("svg[role=img]").count() == 3
    assert page.locator("svg[role=img] path").first.evaluate("(path) => path.getBoundingClientRect().width") > 300
    ink, ground = page.evaluate(
        """() => [getComputedStyle(document.querySelector("svg[role=img]")).stroke,
                  getComputedStyle(document.body).backgroundColor]"""
    )
    assert ink != ground
    assert page.get_by_text("validator-08").count() >= 2
    assert page.get_by_text("Error displaying widget").count() == 0
    context.close()
