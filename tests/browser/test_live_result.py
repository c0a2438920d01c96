"""A live result in JupyterLab in Chromium: it moves, it draws, it rests while hidden, and it shows text as text."""

from __future__ import annotations

import pytest

from .harness import until

CELLS = [
    """
import pandas as pd
import aurigraph_nb as ag
from aurigraph_nb import analytics
from aurigraph_nb.widgets.live_result import LiveResult

feed = ag.simulate(seed=7)
feed.metrics.wait(3, timeout=30)
live = LiveResult(analytics.throughput, feed.metrics, every=1)
live
""",
    """
hostile = pd.DataFrame({"id": ["<img src=x onerror='window.hit = 1'>", "b", "c"], "voting_power": [50.0, 30.0, 20.0]})
LiveResult(analytics.lorenz, hostile, title="<b>Lorenz</b>")
""",
]
VALUE = (
    "(index) => document.querySelectorAll('.ag-result')[index]?.querySelector('.ag-result-number')?.textContent ?? ''"
)
READING = "(index) => document.querySelectorAll('.ag-result')[index]?.querySelector('p')?.textContent ?? ''"
ROWS = """(index) => [...(document.querySelectorAll('.ag-result')[index]?.querySelectorAll('tbody tr') ?? [])]
    .map((row) => [...row.cells].map((cell) => cell.textContent))"""
PLOTS = """(index) => [...(document.querySelectorAll('.ag-result')[index]?.querySelectorAll('.js-plotly-plot') ?? [])]
    .filter((plot) => plot.parentElement.clientHeight > 0 && plot.data)
    .map((plot) => plot.data.map((trace) => trace.type))"""
PAST = """() => document.querySelector('.ag-result-past .js-plotly-plot')?.data?.[0]?.x?.length ?? 0"""
HIDE = "() => { document.querySelector('.ag-result').closest('.ag').style.display = 'none'; }"
SHOW = "(index) => document.querySelectorAll('.ag-result')[index].scrollIntoView({ block: 'center' })"


@pytest.fixture(scope="module")
def name(lab):
    return lab.write("live-result.ipynb", CELLS)


def computed(tab) -> int:
    return int(tab.execute("print(live.computed)"))


def lasts(tab) -> int:
    """How often it has been computed after three more rows came, which would have brought as many results."""
    return int(tab.execute("_ = feed.metrics.take(3); print(live.computed)"))


def test_a_live_result_moves_draws_and_shows_text_as_text(lab_page, name):
    lab_page.page.set_viewport_size({"width": 1400, "height": 1500})
    lab_page.open(name).run_all(60)
    page = lab_page.page
    assert not lab_page.cell_errors()
    until(lambda: page.evaluate("() => document.querySelectorAll('.ag-result').length") == 2, "two results")
    page.evaluate(SHOW, 0)
    first = until(lambda: page.evaluate(VALUE, 0), "the first value")
    until(lambda: page.evaluate(VALUE, 0) != first, "the value to change")
    assert "n = " in page.evaluate(READING, 0)
    assert len(page.evaluate(ROWS, 0)) >= 5
    until(lambda: len(page.evaluate(PLOTS, 0)) == 2, "the figure and the past to be drawn")
    points = page.evaluate(PAST)
    until(lambda: page.evaluate(PAST) >= points + 2, "the past to grow")

    page.evaluate(SHOW, 1)
    until(lambda: page.evaluate(PLOTS, 1) == [["scatter", "scatter"]], "the Lorenz curve")
    assert page.evaluate("() => window.hit") is None
    heads = page.evaluate("() => [...document.querySelectorAll('.ag-title')].map((title) => title.textContent)")
    assert "<b>Lorenz</b>" in heads

    page.evaluate(HIDE)
    until(lambda: computed(lab_page) == lasts(lab_page), "the computing to end while nobody looks")
    before = computed(lab_page)
    page.evaluate(HIDE.replace("'none'", "''"))
    until(lambda: computed(lab_page) > before, "the computing to go on")
