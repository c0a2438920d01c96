"""The tour as a user lives it: in JupyterLab, in Chromium, with a node that goes and comes back."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path

import pytest

from .harness import LabPage, open_page, until

TOUR = "01-tour.ipynb"

POINTS = """() => {
    const plot = document.querySelector(".ag-dashboard .js-plotly-plot");
    return plot?.data ? Math.max(...plot.data.map((trace) => trace.x.length)) : 0;
}"""
STATE = """() => document.querySelector(".ag-dashboard .ag-conn [role=status]")?.textContent ?? ''"""
FLASHED = """() => {
    const grid = document.querySelector(".ag-dashboard [role=grid][aria-label=Validators]");
    return grid ? grid.querySelectorAll(".ag-up, .ag-down, .ag-changed").length : 0;
}"""
BLOCKS = """() => {
    const grid = document.querySelector(".ag-dashboard [role=grid][aria-label=Validators]");
    return grid ? [...grid.querySelectorAll("tbody tr[role=row]")].map((row) => row.textContent).join("|") : "";
}"""
EVENTS = """() => {
    const log = document.querySelector(".ag-dashboard [role=log][aria-label='Consensus events']");
    return log ? log.textContent : "";
}"""
GAP_SHAPES = """() => document.querySelector(".ag-dashboard .js-plotly-plot")?.layout?.shapes?.length ?? 0"""


def notebooks_folder() -> Path:
    """Where the package's notebooks are: inside the installed one, or beside a checkout's."""
    inside = Path(str(resources.files("aurigraph_nb"))) / "notebooks"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "notebooks"


def show_dashboard(tab: LabPage) -> None:
    """Scroll to the dashboard, as a reader does: what is off screen is not drawn."""
    tab.page.wait_for_selector(".ag-dashboard", state="attached", timeout=30_000)
    tab.page.evaluate("() => document.querySelector('.ag-dashboard').scrollIntoView({ block: 'start' })")


@pytest.fixture(scope="module")
def toured(lab, chromium):
    """A tab with the tour, all its cells run. The tests below share it; each finds and leaves it connected."""
    shutil.copy(notebooks_folder() / TOUR, lab.root / TOUR)
    context = chromium.new_context(viewport={"width": 1400, "height": 1600})
    with open_page(lab, context) as tab:
        tab.open(TOUR).run_all(120)
        yield tab
    context.close()


@pytest.fixture
def tour(toured):
    """The tour with its dashboard in view; what went wrong on the page fails the test."""
    assert not toured.cell_errors()
    show_dashboard(toured)
    until(lambda: toured.page.evaluate(POINTS) > 0, "the chart to show points")
    until(lambda: toured.page.evaluate(STATE) == "CONNECTED", "the status to say CONNECTED")
    yield toured
    toured.assert_clean()


def kernel_json(tab: LabPage, expression: str):
    return json.loads(tab.execute(f"import json; print(json.dumps({expression}))"))


def test_the_dashboard_lives(tour):
    page = tour.page
    points, events, rows = page.evaluate(POINTS), page.evaluate(EVENTS), page.evaluate(BLOCKS)
    until(lambda: page.evaluate(POINTS) >= points + 2, "the chart to grow by two points")
    until(lambda: page.evaluate(FLASHED) > 0, "a validator's row to flash")
    until(lambda: page.evaluate(BLOCKS) != rows, "a validator's row to change")
    until(lambda: page.evaluate(EVENTS) != events, "a consensus event")


def test_a_node_that_goes_is_told_within_two_seconds_and_its_return_too(tour):
    page = tour.page
    gaps = kernel_json(tour, "len(feed.gaps)")
    shapes = page.evaluate(GAP_SHAPES)
    tour.execute("feed.node.stop()")
    until(lambda: page.evaluate(STATE) in ("RECONNECTING", "CONNECTING"), "the status to tell of the loss", 2.0)
    tour.execute("feed.node.start()")
    until(lambda: page.evaluate(STATE) == "CONNECTED", "the status to tell of the return", 60)
    points = page.evaluate(POINTS)
    until(lambda: page.evaluate(POINTS) > points, "the chart to go on")
    assert kernel_json(tour, "len(feed.gaps)") > gaps
    ends = "[g.end_ns is not None for g in feed.gaps if g.topic == 'metrics']"
    until(lambda: all(kernel_json(tour, ends)), "the gap of the metrics to be closed")
    until(lambda: page.evaluate(GAP_SHAPES) > shapes, "the chart to shade the gap")


def test_after_a_reload_the_widgets_show_the_present(tour):
    page = tour.page
    tour.save()
    before = kernel_json(tour, "feed.metrics.store.count")
    tour.reload()
    show_dashboard(tour)
    until(lambda: page.evaluate(POINTS) >= min(before, 5), "the chart to have its points back", 60)
    until(lambda: page.evaluate(STATE) == "CONNECTED", "the status to be back")
    until(lambda: "ACTIVE" in page.evaluate(BLOCKS), "the validators to be back")
    points = page.evaluate(POINTS)
    until(lambda: page.evaluate(POINTS) > points, "the chart to go on")


def test_a_cell_that_blocks_for_ten_seconds_stops_neither_store_nor_chart(tour):
    page = tour.page
    before, points = kernel_json(tour, "feed.metrics.store.count"), page.evaluate(POINTS)
    sent = kernel_json(tour, SENT)
    tour.page.evaluate(
        """() => {
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            window.blocking = { done: false };
            const future = kernel.requestExecute({ code: "import time; time.sleep(10)" });
            future.done.then(() => { window.blocking.done = true; });
        }"""
    )
    until(lambda: page.evaluate(POINTS) >= points + 6, "the chart to grow while the cell blocks", 12)
    assert not page.evaluate("() => window.blocking.done"), "the cell ended before the chart had grown"
    page.wait_for_function("() => window.blocking.done", timeout=30_000)
    assert kernel_json(tour, "feed.metrics.store.count") >= before + 9
    # Whether acknowledgements were heard meanwhile (ipykernel 7) or not, nobody was flooded and nobody waits now.
    most = 12 * MESSAGES_PER_S
    assert all(now - sent[widget] <= most for widget, now in kernel_json(tour, SENT).items())
    waiting = "[w.flow.unacknowledged for w in dashboard.widgets]"
    until(lambda: max(kernel_json(tour, waiting)) <= 2, "all that came to be acknowledged")


MESSAGES_PER_S, BYTES_PER_S, OPEN_BYTES, SCRIPT_BYTES, NOTEBOOK_BYTES = 10, 20_000, 100_000, 60_000, 200_000
SENT = "{str(w): w.flow.sent for w in dashboard.widgets}"
FLOWS = "{str(w): [w.flow.sent + w.flow.snapshots, w.flow.bytes] for w in dashboard.widgets}"


def test_the_budgets_hold(tour):
    """Counts and bytes, over ten seconds of the feed's own time."""
    first = kernel_json(tour, FLOWS)
    tour.execute("_ = feed.metrics.take(10, timeout=60)")
    for widget, (messages, size) in kernel_json(tour, FLOWS).items():
        assert messages - first[widget][0] <= 10 * MESSAGES_PER_S, widget
        assert size - first[widget][1] <= 10 * BYTES_PER_S, widget
        assert messages > first[widget][0] or widget.startswith(("NetworkLog", "ConnectionStatus")), (
            f"{widget} is still"
        )
    scripts = kernel_json(tour, "{str(w): len(w._esm) + len(w._css) for w in dashboard.widgets}")
    assert max(scripts.values()) <= SCRIPT_BYTES, scripts
    tour.save()
    saved = tour.lab.read(TOUR)
    assert len(json.dumps(saved)) <= NOTEBOOK_BYTES
    assert "widgets" not in saved.metadata


def test_the_committed_notebooks_are_small_and_hold_no_widget_state():
    for path in notebooks_folder().glob("*.ipynb"):
        assert path.stat().st_size <= NOTEBOOK_BYTES, path.name
        assert "widgets" not in json.loads(path.read_text())["metadata"], path.name


@pytest.mark.parametrize(
    "widget",
    [
        "TPSChart(feed)",
        pytest.param("ValidatorTable(feed)", marks=pytest.mark.long),
        pytest.param("ConsensusLog(feed)", marks=pytest.mark.long),
        pytest.param("MetricsCard(feed)", marks=pytest.mark.long),
    ],
)
def test_opening_a_widget_costs_little(lab, lab_page, widget):
    """Bytes to the page from before the widget's cell until it shows data; plotly.js apart, it comes once a page."""
    code = (
        "import aurigraph_nb as ag\nfeed = ag.simulate(seed=1)\n_ = [feed[t].wait(2, timeout=30) for t in feed.topics]"
    )
    name = lab.write("open.ipynb", [code, f"first = ag.{widget}\nfirst", f"second = ag.{widget}\nsecond"])
    lab_page.open(name)
    lab_page.run_cell(0)
    lab_page.run_cell(1)
    until(lambda: kernel_json(lab_page, "first.flow.snapshots") > 0, "the first one to be shown")
    if "Chart" in widget:
        until(lambda: lab_page.page.evaluate("() => !!document.querySelector('.js-plotly-plot')?.data"), "plotly.js")
    _, before = lab_page.widget_traffic()
    lab_page.run_cell(2)
    until(lambda: kernel_json(lab_page, "second.flow.snapshots") > 0, "the second one to be shown")
    _, after = lab_page.widget_traffic()
    assert after - before <= OPEN_BYTES


def test_the_cell_run_five_times_leaves_one_of_everything(lab, lab_page):
    code = "import aurigraph_nb as ag\nfeed = ag.simulate(seed=5)\nchart = ag.TPSChart(feed)\nag.Dashboard(feed)"
    lab_page.open(lab.write("again.ipynb", [code]))
    for _ in range(5):
        lab_page.run_cell(0)
    show_dashboard(lab_page)
    until(lambda: lab_page.page.evaluate(STATE) == "CONNECTED", "the last dashboard to be connected")
    until(lambda: lab_page.page.evaluate(POINTS) > 1, "its chart to show points")
    assert kernel_json(lab_page, "sum(feed.node.stats().connections.values())") == 5
    threads = kernel_json(lab_page, "[t.name for t in __import__('threading').enumerate()]")
    assert threads.count("aurigraph-nb-io") == 1
    registered = "len(__import__('aurigraph_nb.registry').registry.feeds())"
    assert kernel_json(lab_page, registered) == 1


def test_six_cells_of_a_run_all_all_run_beside_a_patched_loop(lab, lab_page):
    cells = [
        "import nest_asyncio2\nnest_asyncio2.apply()\n"
        "import aurigraph_nb as ag\nfeed = ag.simulate(seed=3, rate=50)\nseen = []",
        "ag.TPSChart(feed)",
        "subscription = feed.metrics.on_record(seen.append)\nprint(feed.metrics.wait(2, timeout=30) >= 2)",
        "print(len(feed.transactions.take(5, timeout=30)))",
        "print(len(await feed.transactions.take_async(5, timeout=30)))",
        "print(feed.metrics.wait(3, timeout=30) >= 3, len(seen) >= 2)",
    ]
    lab_page.open(lab.write("patched.ipynb", cells)).run_all(90)
    printed = [text.strip() for text in lab_page.outputs()]
    assert [printed[0], *printed[2:]] == ["", "True", "5", "5", "True True"]
