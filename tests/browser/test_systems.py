"""One dashboard per system, all moving, in JupyterLab in Chromium."""

from __future__ import annotations

import pytest

from .harness import until

SYSTEMS = ["portal", "live", "channels", "fakeai"]
TEXT = "(index) => document.querySelectorAll('.ag-dashboard')[index]?.innerText ?? ''"
SHOW = "(index) => document.querySelectorAll('.ag-dashboard')[index].scrollIntoView({ block: 'start' })"
STATE = """(index) => document.querySelectorAll('.ag-dashboard')[index]
    ?.querySelector('.ag-conn [role=status]')?.textContent ?? ''"""
POINTS = """(index) => {
    const plots = document.querySelectorAll('.ag-dashboard')[index]?.querySelectorAll('.js-plotly-plot') ?? [];
    return Math.max(0, ...[...plots].flatMap((plot) => (plot.data ?? []).map((trace) => trace.x.length)));
}"""


@pytest.fixture(scope="module")
def name(lab):
    cells = ["import aurigraph_nb as ag"]
    cells += [f"ag.Dashboard(ag.simulate(protocol={system!r}, seed=7))" for system in SYSTEMS]
    return lab.write("systems.ipynb", cells)


def test_a_dashboard_of_each_system_moves(lab_page, name):
    lab_page.page.set_viewport_size({"width": 1400, "height": 1600})
    lab_page.open(name).run_all(60)
    page = lab_page.page
    until(lambda: page.evaluate("() => document.querySelectorAll('.ag-dashboard').length") == 4, "four dashboards")
    for index, system in enumerate(SYSTEMS):
        page.evaluate(SHOW, index)
        until(lambda i=index: page.evaluate(STATE, i) == "CONNECTED", f"{system} to be connected")
        until(lambda i=index: page.evaluate(POINTS, i) >= 3, f"the chart of {system} to grow")
        before = page.evaluate(TEXT, index)
        until(lambda i=index, b=before: page.evaluate(TEXT, i) != b, f"the widgets of {system} to change")
