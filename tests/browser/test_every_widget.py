"""All widgets at once on one page, on the default feeds of their systems: what they cost, and how they look."""

from __future__ import annotations

import pytest

from . import every_widget
from .harness import open_page, until
from .measures import kernel, poor_contrast, wider_than_their_place

FLOWS = "{name: widget.flow.to_dict() for name, widget in every.items()}"
SCRIPTS = "{name: len((widget._esm + widget._css).encode()) for name, widget in every.items()}"
MESSAGES_PER_S, BYTES_PER_S, OPEN_BYTES, SCRIPT_BYTES = 10, 20_000, 100_000, 60_000
OVER_S = 10
NOW = "__import__('time').monotonic()"
THEMES = """() => [...document.querySelectorAll(".ag")].map((root) => root.dataset.theme)"""
STATES = """() => [...document.querySelectorAll(".ag")].filter((root) => root.innerText.trim().length < 3).length"""


@pytest.fixture(scope="module")
def shared(lab, chromium):
    context = chromium.new_context(viewport={"width": 1400, "height": 9000})
    with open_page(lab, context) as tab:
        tab.open(lab.write("every.ipynb", every_widget.cells())).run_all(120)
        assert not tab.cell_errors()
        yield tab
    context.close()
    lab.end_kernels()


@pytest.fixture
def tab(shared):
    until(lambda: all(flow["snapshots"] for flow in kernel(shared, FLOWS).values()), "every widget to be shown", 60)
    yield shared
    shared.assert_clean()


def test_more_than_twenty_widgets_at_once_keep_their_budgets_and_none_falls_behind(tab):
    """Over ten seconds of four feeds; on the wire Jupyter's own headers come on top of what a widget counts."""
    assert kernel(tab, "len(every)") >= 20
    until(lambda: tab.page.evaluate("() => document.querySelectorAll('.js-plotly-plot').length") >= 3, "the charts", 60)
    start, before, (_, wire) = kernel(tab, NOW), kernel(tab, FLOWS), tab.widget_traffic()
    until(lambda: kernel(tab, NOW) >= start + OVER_S, "ten seconds to pass", OVER_S + 20, pause_s=0.5)
    took, after, (_, later) = kernel(tab, NOW) - start, kernel(tab, FLOWS), tab.widget_traffic()
    for name, flow in after.items():
        assert flow["sent"] - before[name]["sent"] <= MESSAGES_PER_S * took, name
        assert flow["bytes"] - before[name]["bytes"] <= BYTES_PER_S * took, name
    assert sum(flow["sent"] - before[name]["sent"] > 0 for name, flow in after.items()) >= 20, "the feeds stand still"
    assert later - wire <= BYTES_PER_S * len(after) * took
    assert kernel(tab, "{name: widget.last_error for name, widget in every.items() if widget.errors}") == {}


def test_no_widget_brings_more_than_its_share_of_script(tab):
    sizes = kernel(tab, SCRIPTS)
    assert max(sizes.values()) <= SCRIPT_BYTES, sizes


def test_no_widget_costs_more_than_its_share_to_open(tab):
    """Its scripts and styles, its traits and the largest message that it can begin with."""
    costs = kernel(
        tab,
        "{name: len(_json.dumps({k: v for k, v in widget.get_state().items()}, default=str).encode()) "
        "+ len(_json.dumps(widget._snapshot(0.0).body, default=str)) for name, widget in every.items()}",
    )
    assert max(costs.values()) <= OPEN_BYTES, costs


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_written_can_be_read_in_both_themes(tab, theme):
    tab.start("apputils:change-theme", theme=f"JupyterLab {theme.title()}")
    tab.finish()
    until(lambda: {*tab.page.evaluate(THEMES)} == {theme}, f"every widget to be {theme}")
    until(lambda: poor_contrast(tab) == [], f"contrast in the {theme} theme; lacking: {poor_contrast(tab)}", 10)


@pytest.mark.parametrize("width", [pytest.param(1400, marks=pytest.mark.long), 800])
def test_every_widget_fits_into_its_place(tab, width):
    tab.page.set_viewport_size({"width": width, "height": 9000})
    until(lambda: wider_than_their_place(tab) == [], f"room at {width} px; lacking: {wider_than_their_place(tab)}", 10)
