"""Charts as a reader uses them: zoom, hold, follow, partners, downloads, loss; in JupyterLab in Chromium."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .harness import LabPage, open_page, until

SETUP = """import aurigraph_nb as ag
feed = ag.simulate(seed=7)
_ = feed.metrics.wait(5, timeout=40)
tps = ag.TPSChart(feed, events=True, target=1_500_000)
cpu = ag.LiveChart(feed.metrics, y="cpu_percent", y2="tps", last="5min")
"""
MANY = """from aurigraph_nb.schema import Metrics
full = ag.simulate(seed=8, name="full")
row = full.metrics.take(1, timeout=40)[0]
end = row.recv_ns
rows = [Metrics(timestamp=end - (100_000 - i) * 1_000_000, recv_ns=end - (100_000 - i) * 1_000_000, conn_epoch=1, n=i,
                tps=9e9 if i == 54_321 else float(i % 977)) for i in range(100_000)]
full.metrics.store.append(rows)
many = ag.LiveChart(full.metrics, y="tps", points=200_000)
"""
RANGE = "(i) => document.querySelectorAll('.js-plotly-plot')[i].layout.xaxis.range?.map(Number)"
POINTS = "(i) => document.querySelectorAll('.js-plotly-plot')[i]?.data?.[0].x.length ?? 0"
TEXT = "(i) => document.querySelectorAll('.ag-plot')[i].closest('.ag').innerText"
SHADES = """(i) => document.querySelectorAll('.js-plotly-plot')[i].layout.shapes
    .filter((shape) => shape.type === 'rect').map((shape) => Number(shape.x1) - Number(shape.x0))"""
ZOOM = """async ([i, from, to]) => {
    const library = await globalThis.__aurigraph_plotly;
    await library.relayout(document.querySelectorAll('.js-plotly-plot')[i], { 'xaxis.range': [from, to] });
}"""


def button(tab: LabPage, chart: int, words: str):
    return tab.page.locator(".ag", has=tab.page.locator(".ag-plot")).nth(chart).get_by_role("button", name=words)


def kernel(tab: LabPage, expression: str):
    return json.loads(tab.execute(f"import json; print(json.dumps({expression}))"))


@pytest.fixture(scope="module")
def shown(lab, chromium):
    """A tab with throughput, two axes, a hundred thousand rows, and throughput again."""
    context = chromium.new_context(viewport={"width": 1400, "height": 2600}, accept_downloads=True)
    with open_page(lab, context) as tab:
        tab.open(lab.write("charts.ipynb", [SETUP, "tps", "cpu", MANY + "many", "tps"])).run_all(120)
        assert not tab.cell_errors()
        for chart in range(4):
            until(lambda c=chart: tab.page.evaluate(POINTS, c) > 2, f"chart {chart} to show points", 60)
        yield tab
    context.close()
    lab.end_kernels()


@pytest.fixture
def charts(shown):
    """The same; each test leaves the charts following. What went wrong on the page fails the test."""
    yield shown
    for chart in range(4):
        held = button(shown, chart, "Follow")
        if held.count():
            held.click()
    shown.assert_clean()


def test_throughput_has_its_figures(charts):
    words = charts.page.evaluate(TEXT, 0)
    for key in ("Current", "Average", "Peak", "Target"):
        assert re.search(rf"{key}\s+[\d,]+ tx/s", words), words
    assert "% reached" in words


def test_a_held_chart_stands_still_and_follows_again(charts):
    page = charts.page
    button(charts, 0, "Pause").click()
    until(lambda: page.evaluate(RANGE, 0), "a range")
    held, count = page.evaluate(RANGE, 0), kernel(charts, "tps._next_row")
    until(lambda: kernel(charts, "tps._next_row") > count + 1, "more points to come")
    assert page.evaluate(RANGE, 0) == held
    assert "paused" in page.evaluate(TEXT, 0)
    button(charts, 0, "Follow").click()
    until(lambda: page.evaluate(RANGE, 0)[1] > held[1], "the chart to follow")
    assert "paused" not in page.evaluate(TEXT, 0)


def test_a_zoom_brings_finer_points_with_the_exact_peak_and_never_too_many(charts):
    page = charts.page
    assert 1000 < page.evaluate(POINTS, 2) <= 4000
    middle = kernel(charts, "rows[54_321].timestamp / 1e6")  # a row a millisecond: the ends lie between two of them
    page.evaluate(ZOOM, [2, middle - 250.5, middle + 250.5])
    inside = """([from, to]) => {
        const { x, y } = document.querySelectorAll('.js-plotly-plot')[2].data[0];
        const found = x.flatMap((time, i) => time >= from && time <= to ? [y[i]] : []);
        return [found.length, Math.max(...found)];
    }"""
    until(lambda: page.evaluate(inside, [middle - 250.5, middle + 250.5]) == [501, 9e9], "every row of the zoom")
    assert page.evaluate(POINTS, 2) <= 4000
    assert kernel(charts, "len(many.to_pandas())") == 501
    page.evaluate(ZOOM, [2, middle - 20_000, middle + 20_000])
    until(lambda: page.evaluate(inside, [middle - 20_000, middle + 20_000])[0] > 1000, "the outline of the wider zoom")
    assert page.evaluate(inside, [middle - 20_000, middle + 20_000])[1] == 9e9
    assert page.evaluate(POINTS, 2) <= 4000


def test_a_drag_zooms_and_a_double_click_follows(charts):
    page = charts.page
    plot = page.locator(".js-plotly-plot .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 55, steps=5)
    page.mouse.up()
    until(lambda: button(charts, 0, "Follow").count() == 1, "the chart to be held")
    first, last = page.evaluate(RANGE, 0)
    until(lambda: kernel(charts, "tps._range") == pytest.approx([first, last], abs=1), "the kernel to be told")
    buttons = page.evaluate("() => [...document.querySelectorAll('.modebar-btn')].map((b) => b.dataset.title)")
    assert {*buttons} == {"Zoom", "Pan", "Zoom in", "Zoom out"}
    plot.dblclick()
    until(lambda: button(charts, 0, "Pause").count() == 1, "the chart to follow")
    until(lambda: page.evaluate(RANGE, 0)[1] > last, "its range to go on")


def test_linked_charts_zoom_together_though_the_kernel_is_busy(charts):
    page = charts.page
    charts.execute("link = tps.link(cpu)")
    until(lambda: page.evaluate(RANGE, 0) == page.evaluate(RANGE, 1), "one range")
    first, last = page.evaluate(RANGE, 0)
    page.evaluate(
        """() => { const { session } = window.jupyterapp.shell.currentWidget.sessionContext;
            session.kernel.requestExecute({ code: "import time; time.sleep(2)" }); }"""
    )
    middle = (first + last) / 2
    page.evaluate(ZOOM, [0, first, middle])
    until(lambda: page.evaluate(RANGE, 1) == [first, middle], "the partner to be zoomed", 1.5)
    button(charts, 1, "Follow").click()
    until(lambda: page.evaluate(RANGE, 0)[1] > middle, "both to follow")
    charts.execute("link.close()")


@pytest.mark.parametrize("kind, first", [("PNG", b"\x89PNG"), ("SVG", b"<svg")], ids=["png", "svg"])
def test_a_chart_can_be_downloaded(charts, kind, first):
    with charts.page.expect_download(timeout=20_000) as coming:
        button(charts, 0, kind).click()
    assert coming.value.suggested_filename == f"Transactions-per-second.{kind.lower()}"
    content = Path(coming.value.path()).read_bytes()
    assert content.startswith(first)
    assert kind == "PNG" or b"Transactions per second" in content


def test_a_chart_whose_source_is_down_says_so_and_its_axis_goes_on(charts):
    page = charts.page
    charts.execute("feed.node.stop()")
    until(lambda: "no connection for" in page.evaluate(TEXT, 0), "the chart to tell of the loss", 5)
    assert "Last" in page.evaluate(TEXT, 0)
    width = max(page.evaluate(SHADES, 0), default=0)
    until(lambda: max(page.evaluate(SHADES, 0), default=0) > width + 1500, "the shade to grow while nothing comes", 10)
    charts.execute("feed.node.start()")
    until(lambda: "no connection" not in page.evaluate(TEXT, 0), "the chart to tell of the return", 60)
    assert "Current" in page.evaluate(TEXT, 0)
    assert page.evaluate(SHADES, 0), "the gap stays shaded"


def test_a_second_view_shows_the_same_and_has_a_zoom_of_its_own(charts):
    page = charts.page
    count = page.evaluate(POINTS, 3)
    until(lambda: page.evaluate(POINTS, 3) > count, "the second view to follow")
    first, last = page.evaluate(RANGE, 3)
    page.evaluate(ZOOM, [3, first, (first + last) / 2])
    until(lambda: page.evaluate(RANGE, 3) == [first, (first + last) / 2], "the second view to be zoomed")
    assert page.evaluate(RANGE, 0) != page.evaluate(RANGE, 3)


def test_buttons_can_be_reached_and_pressed_by_keyboard(charts):
    hold = button(charts, 1, "Pause")
    hold.focus()
    charts.page.keyboard.press("Enter")
    until(lambda: button(charts, 1, "Follow").count() == 1, "the chart to be held")
    charts.page.keyboard.press("Tab")
    assert charts.page.evaluate("() => document.activeElement.textContent") == "PNG"


def test_charts_stay_within_their_budgets(charts):
    flows = "{name: [w.flow.sent, w.flow.bytes] for name, w in (('tps', tps), ('cpu', cpu))}"
    before = kernel(charts, flows)
    charts.execute("_ = feed.metrics.take(10, timeout=60)")
    for name, (messages, size) in kernel(charts, flows).items():
        assert 0 < messages - before[name][0] <= 100
        assert size - before[name][1] <= 200_000
    assert kernel(charts, "[w.errors for w in (tps, cpu, many)]") == [0, 0, 0]
