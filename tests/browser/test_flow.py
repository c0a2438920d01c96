"""The flow to the browser as it is on the wire: several views and pages, hidden and closed ones, kernels that go."""

from __future__ import annotations

import json
import re

import pytest

from .harness import LabPage, open_page, until
from .measures import drawn, hide, kernel, server_memory, unhide, watch_drawing

SETUP = """import aurigraph_nb as ag
feed = ag.simulate(seed=7, rate=40)
_ = [feed[topic].wait(1, timeout=30) for topic in feed.topics]
chart = ag.TPSChart(feed, height=200)
transactions = ag.TransactionList(feed, height=200)
card = ag.MetricsCard(feed)
watched = {"chart": chart, "transactions": transactions, "card": card}
"""
FLOWS = "{name: widget.flow.to_dict() for name, widget in watched.items()}"
RESTING = "{name: widget._flow.allowed_at() is None for name, widget in watched.items()}"
NEWEST = """() => [...document.querySelectorAll("[role=grid][aria-label=Transactions]")].map(
    (grid) => grid.querySelector("tbody tr[role=row]")?.innerText.match(/0x[0-9a-f]+/)?.[0] ?? "")"""
POINTS = "() => document.querySelector('.js-plotly-plot')?.data?.[0].x.length ?? 0"
NOTICES = "() => [...document.querySelectorAll('.ag-notice')].map((line) => line.innerText)"
SCROLLED = "(selector) => document.querySelector(selector).scrollIntoView({ block: 'start' })"


def sent(tab: LabPage) -> dict[str, int]:
    return {name: flow["sent"] for name, flow in kernel(tab, FLOWS).items()}


def snapshots(tab: LabPage) -> dict[str, int]:
    return {name: flow["snapshots"] for name, flow in kernel(tab, FLOWS).items()}


def rows_come(tab: LabPage, topic: str, rows: int) -> None:
    """Wait for more rows of a topic, without holding the kernel's main thread as ``take`` would."""
    count = f"feed.{topic}.store.count"
    enough = kernel(tab, count) + rows
    until(lambda: kernel(tab, count) >= enough, f"{rows} rows of {topic}", 60, pause_s=0.2)


def resting(tab: LabPage) -> dict[str, bool]:
    return kernel(tab, RESTING)


def all_shown(tab: LabPage, views: int = 1) -> bool:
    newest = tab.page.evaluate(NEWEST)
    return len(newest) == views and all(newest) and tab.page.evaluate(POINTS) > 1


@pytest.fixture(scope="module")
def shared(lab, chromium):
    """A tab with a chart, a list in two cells, and a card, all in sight."""
    context = chromium.new_context(viewport={"width": 1200, "height": 1500})
    with open_page(lab, context) as tab:
        tab.open(lab.write("flow.ipynb", [SETUP, "chart", "transactions", "card", "transactions"])).run_all(90)
        assert not tab.cell_errors()
        yield tab
    context.close()
    lab.end_kernels()


@pytest.fixture
def tab(shared):
    until(lambda: all_shown(shared, 2), "the chart and both views of the list")
    yield shared
    shared.assert_clean()


def test_two_views_of_one_widget_show_the_same_and_cost_one(tab):
    page = tab.page
    before = page.evaluate(NEWEST)
    until(lambda: all(new != old for new, old in zip(page.evaluate(NEWEST), before, strict=True)), "both to go on")
    until(lambda: len({*page.evaluate(NEWEST)}) == 1, "both to show the same")
    snapshots = kernel(tab, FLOWS)["transactions"]["snapshots"]
    tab.run_cell(4)
    until(lambda: all_shown(tab, 2) and len({*page.evaluate(NEWEST)}) == 1, "a new view in the place of the second")
    flow = kernel(tab, FLOWS)["transactions"]
    assert flow["snapshots"] == snapshots, "it was drawn from what the page had"
    assert kernel(tab, "len(transactions._flow._pages)") == 1
    assert flow["dropped"] == 0


def test_a_hidden_tab_draws_nothing_and_is_sent_nothing(tab):
    hide(tab)
    until(lambda: all(resting(tab).values()), "every widget to rest", 6)
    silent = sent(tab)
    watch_drawing(tab)
    rows_come(tab, "transactions", 80)
    assert sent(tab) == silent
    assert drawn(tab) == 0
    newest, asked = tab.page.evaluate(NEWEST), snapshots(tab)
    unhide(tab)
    until(lambda: tab.page.evaluate(NEWEST) != newest and drawn(tab) > 0, "the present")
    until(lambda: not any(resting(tab).values()), "every widget to go on")
    assert snapshots(tab) == {name: count + 1 for name, count in asked.items()}, "a snapshot each, and deltas again"


def test_a_widget_that_is_scrolled_off_rests_and_the_others_go_on(tab):
    page = tab.page
    page.set_viewport_size({"width": 1200, "height": 420})
    try:
        page.evaluate(SCROLLED, ".js-plotly-plot")
        page.get_by_label("Transactions").last.scroll_into_view_if_needed()
        until(lambda: resting(tab)["chart"] and resting(tab)["card"], "what is out of sight to rest", 10)
        silent, points = sent(tab), page.evaluate(POINTS)
        rows_come(tab, "metrics", 3)
        now = sent(tab)
        assert (now["chart"], now["card"]) == (silent["chart"], silent["card"])
        assert now["transactions"] > silent["transactions"]
        assert page.evaluate(POINTS) == points
        page.evaluate(SCROLLED, ".js-plotly-plot")
        until(lambda: page.evaluate(POINTS) > points, "the chart to catch up")
    finally:
        page.set_viewport_size({"width": 1200, "height": 1500})


def test_a_second_page_comes_late_follows_and_goes_without_a_word(tab, lab):
    tab.save()
    before = kernel(tab, FLOWS)["transactions"]
    with open_page(lab, tab.page.context) as late:
        late.page.set_viewport_size({"width": 1200, "height": 1500})
        late.open("flow.ipynb")
        until(lambda: all_shown(late, 2), "the second page to show all", 60)
        newest = late.page.evaluate(NEWEST)
        until(lambda: late.page.evaluate(NEWEST) != newest, "the second page to follow")
        until(lambda: tab.page.evaluate(NEWEST) == late.page.evaluate(NEWEST), "both pages to show the same")
        assert kernel(tab, "len(transactions._flow._pages)") == 2
        late.assert_clean()
    asked = kernel(tab, FLOWS)["transactions"]["snapshots"]
    assert asked - before["snapshots"] <= 3
    rows_come(tab, "metrics", 4)
    flow = kernel(tab, FLOWS)["transactions"]
    assert flow["snapshots"] == asked, "the first page was held up by the one that is gone"
    newest = tab.page.evaluate(NEWEST)
    until(lambda: tab.page.evaluate(NEWEST) != newest, "the first page to go on")


def test_a_reload_costs_one_snapshot_a_widget(tab):
    tab.save()
    before = kernel(tab, FLOWS)
    tab.reload()
    until(lambda: all_shown(tab, 2), "all to be back", 60)
    until(lambda: not any(resting(tab).values()), "every widget to go on")
    for name, flow in kernel(tab, FLOWS).items():
        # one that the page asked for; while the page was away, at most one a second unasked
        assert 1 <= flow["snapshots"] - before[name]["snapshots"] <= 15, name
    counted = {name: flow["snapshots"] for name, flow in kernel(tab, FLOWS).items()}
    rows_come(tab, "metrics", 3)
    assert {name: flow["snapshots"] for name, flow in kernel(tab, FLOWS).items()} == counted
    assert all(flow["unacknowledged"] <= 2 for flow in kernel(tab, FLOWS).values())


def test_the_counters_say_what_goes_over_the_wire(tab):
    """Jupyter adds its own headers to each message, so that there is more on the wire, and not a multiple."""
    kernel(tab, "1")
    before, (_, size) = kernel(tab, FLOWS), tab.widget_traffic()
    rows_come(tab, "metrics", 5)
    after, (_, later) = kernel(tab, FLOWS), tab.widget_traffic()
    counted = sum(after[name]["bytes"] - before[name]["bytes"] for name in after)
    messages = sum(after[name]["sent"] - before[name]["sent"] for name in after)
    assert messages > 10
    assert counted < later - size < counted + 8_000 * messages


def test_the_flow_is_shown_on_demand_and_its_repr_is_always_the_same(tab):
    shown = tab.execute("print(repr(transactions.flow)); print(transactions.flow)").splitlines()
    assert shown[0] == "<flow: sent, snapshots, merged, dropped, unacknowledged, bytes>"
    assert re.fullmatch(r"[\d,]+ messages sent \(\d+ snapshots\), [\d,]+ bytes; .*", shown[1])


def test_a_kernel_that_restarts_is_told_by_every_widget_and_nothing_breaks(tab):
    page = tab.page
    old = tab.kernel_id()
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    gone = "The kernel is gone; this is what it last sent."
    until(lambda: page.evaluate(NOTICES) == [gone] * 4, "each view to tell that its kernel is gone")
    until(lambda: tab.kernel_status() == "idle", "the new kernel", 60)
    assert tab.kernel_id() == old, "Jupyter keeps the id"
    assert page.evaluate(POINTS) > 1, "what was shown stays"
    assert page.evaluate(NOTICES) == [gone] * 4
    tab.assert_clean()
    page.set_viewport_size({"width": 1200, "height": 1500})
    tab.run_all(90)
    until(lambda: all_shown(tab, 2) and page.evaluate(NOTICES) == [""] * 4, "new widgets of the new kernel", 60)


# ---- a closed tab: the page is gone without a word, and the server keeps what nobody fetches

CLOSED = [
    """import json, os, pathlib, threading
import aurigraph_nb as ag
from aurigraph_nb.widgets import NetworkMap, flow
flow.PATIENCE_S = patience_s
feed = ag.simulate(seed=7, rate=1_000)
_ = feed.metrics.wait(2, timeout=30)
watched = {"chart": ag.TPSChart(feed), "transactions": ag.TransactionList(feed), "map": NetworkMap(feed),
           "validators": ag.ValidatorTable(feed), "log": ag.ConsensusLog(feed)}
def report():
    target, pause = pathlib.Path("flows.json"), threading.Event()
    while not pause.wait(0.1):
        rows = sum(feed[topic].store.count for topic in feed.topics)
        told = {"rows": rows, "flows": {name: widget.flow.to_dict() for name, widget in watched.items()},
                "resting": all(widget._flow.allowed_at() is None for widget in watched.values())}
        target.with_suffix(".new").write_text(json.dumps(told))
        os.replace(target.with_suffix(".new"), target)
threading.Thread(target=report, daemon=True).start()
""",
    "import ipywidgets\nipywidgets.VBox(list(watched.values()))",
]
MOST_MEMORY = 12_000_000
"""Bytes that the server may take more: a snapshot a second of each widget for a minute would be six."""


ALL_ALIVE = """(count) => {
    const shown = [...document.querySelectorAll(".ag")];
    return shown.length === count && shown.every((root) => root.innerText.trim().length > 3);
}"""
REOPENED_S = 45


def gone_on(now, before):
    """Whether each widget was sent more than a first snapshot, and a page acknowledges it."""
    flows = now["flows"].items()
    return all(f["sent"] > before["flows"][name]["sent"] + 1 and f["unacknowledged"] <= 2 for name, f in flows)


def closed_tab(lab, chromium, patience_s: float):
    """Show five widgets, close the tab, wait until nothing is sent any more; what was counted before and after."""
    context = chromium.new_context(viewport={"width": 1200, "height": 3000})
    name = lab.write("closed.ipynb", [f"patience_s = {patience_s}\n{CLOSED[0]}", CLOSED[1]])

    def report():
        return json.loads((lab.root / "flows.json").read_text())

    with open_page(lab, context) as tab:
        tab.open(name).run_all(90)
        assert not tab.cell_errors()
        until(lambda: (lab.root / "flows.json").exists(), "a report")
        until(lambda: all(flow["sent"] > 3 for flow in report()["flows"].values()), "all widgets to go on", 60)
        tab.save()
        tab.assert_clean()
        before, memory = report(), server_memory(lab)
    until(lambda: report()["resting"], "every widget to rest", patience_s + 30)
    after, later = report(), server_memory(lab)
    with open_page(lab, context) as again:
        again.open(name)
        until(lambda: again.page.evaluate(ALL_ALIVE, len(after["flows"])), "every widget to be shown again", REOPENED_S)
        until(lambda: gone_on(report(), after), "every widget to go on", REOPENED_S)
        again.assert_clean()
    context.close()
    lab.end_kernels()
    return before, after, later - memory


def assert_bounded(before, after, memory, patience_s):
    assert after["rows"] - before["rows"] >= 300 * patience_s, "the feed was as fast as it was meant to be"
    for name, flow in after["flows"].items():
        assert flow["sent"] - before["flows"][name]["sent"] <= patience_s + 6, name
        assert flow["bytes"] - before["flows"][name]["bytes"] <= 20_000 * (patience_s + 6), name
    assert memory <= MOST_MEMORY


def test_a_closed_tab_costs_little_and_then_nothing_at_a_thousand_messages_a_second(lab, chromium):
    """The minute of patience is cut to five seconds here; the whole of it is in the tests that take minutes."""
    before, after, memory = closed_tab(lab, chromium, 5)
    assert_bounded(before, after, memory, 5)


@pytest.mark.long
def test_a_closed_tab_for_a_minute_leaves_the_server_as_it_was(lab, chromium):
    before, after, memory = closed_tab(lab, chromium, 60)
    assert_bounded(before, after, memory, 60)
