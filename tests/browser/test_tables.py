"""Tables, logs and the alert banner as a reader uses them: with the keyboard, with the mouse, for a while."""

from __future__ import annotations

import json
import re

import pytest

from .harness import LabPage, open_page, until

HOSTILE = "<img src=x onerror=window.hacked=1>\u202e'\"<script>window.hacked=1</script>"
CELLS = [
    """import aurigraph_nb as ag
from aurigraph_nb.alerts import alert
from aurigraph_nb.schema import Peer, Validator
import aurigraph_nb.widgets.banner
feed = ag.simulate(seed=7, rate=20)
_ = [feed[topic].wait(3, timeout=30) for topic in feed.topics]

class Many:
    '''A topic of 10,000 rows in the hands of the test.'''
    def __init__(self, like):
        from aurigraph_nb.topic import Topic
        self.topic = Topic(like.feed, "many", Peer, period_s=None, key="peer_id")
        self.topic.opened = True
    def put(self, first, last, **fields):
        local = {"recv_ns": 10**18, "conn_epoch": 1}
        self.topic.deliver([Peer(n=i, peer_id=f"peer-{i:05}", **local, **fields) for i in range(first, last)])
many = Many(feed.network)
many.put(0, 10_000, status="CONNECTED", latency_ms=5.0)""",
    "validators = ag.ValidatorTable(feed, height=200)\nvalidators",
    'peers = ag.LiveTable(many.topic, columns=["peer_id", "status", "latency_ms", "city"], sparklines=["latency_ms"], '
    'title="Many", rate_hz=5)\npeers',
    "transactions = ag.TransactionList(feed, height=200)\ntransactions",
    "log = ag.EventLog(feed.consensus, keep=400, height=160)\nlog",
    "low = alert(feed.metrics, lambda row: row.tps > threshold, 'banner', name=name, cooldown=0)\nlow",
    "ag.Dashboard(feed)",
]
CELLS[0] += f"\nthreshold, name = 1e12, {HOSTILE!r}"

GRID = "[role=grid][aria-label='{}']"
ROWS = "tbody tr[role=row]:not(.ag-detail)"


@pytest.fixture(scope="module")
def shared(lab, chromium):
    """A tab with one of each; the tests below share it."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1200})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    name = lab.write("tables.ipynb", CELLS)
    with open_page(lab, context) as tab:
        tab.open(name).run_all(90)
        yield tab
    context.close()
    lab.end_kernels()


@pytest.fixture
def tab(shared):
    assert not shared.cell_errors()
    yield shared
    shared.assert_clean()


def kernel(tab: LabPage, expression: str):
    return json.loads(tab.execute(f"import json; print(json.dumps({expression}))"))


def grid(tab: LabPage, name: str):
    """A table's grid, in sight and with rows."""
    found = tab.page.locator(GRID.format(name)).first
    found.wait_for(state="attached", timeout=30_000)
    found.evaluate("(node) => node.closest('.ag').scrollIntoView({ block: 'center' })")
    until(lambda: found.locator(ROWS).count() > 0, f"rows of {name}")
    return found


def widget(found):
    return found.locator("xpath=ancestor::*[contains(concat(' ', @class, ' '), ' ag ')]")


def active(found):
    """Text of the active cell, as a screen reader is led to it."""
    return found.evaluate("(node) => document.getElementById(node.getAttribute('aria-activedescendant'))?.textContent")


def foot(found) -> str:
    return widget(found).locator(".ag-foot .ag-meta").inner_text()


def test_ten_thousand_rows_are_there_and_few_of_them_in_the_page(tab):
    many = grid(tab, "Many")
    until(lambda: foot(many) == "10,000 rows", "all rows")
    assert many.get_attribute("aria-rowcount") == "10001"
    assert many.locator(ROWS).count() < 40
    many.focus()
    tab.page.keyboard.press("Control+End")
    until(lambda: many.locator(f"{ROWS}[aria-rowindex='10001']").count() == 1, "the last row")
    tab.page.keyboard.press("Home")
    until(lambda: active(many) == "▸peer-09999NEW", "its first cell", 5)
    tab.page.keyboard.press("PageUp")
    until(lambda: re.match("▸peer-099[789]", active(many) or ""), "a page up", 5)
    tab.page.keyboard.press("Control+Home")
    until(lambda: active(many) == "▸peer-00000NEW", "the first row", 5)
    assert many.locator(ROWS).count() < 40


def test_fifty_changes_five_times_a_second_cost_at_most_five_kilobytes_each(tab):
    many = grid(tab, "Many")
    before = kernel(tab, "[peers.flow.sent, peers.flow.bytes, peers.flow.snapshots]")
    tab.execute(
        "import threading\n"
        "def change():\n"
        "    done = threading.Event()\n"
        "    for i in range(25):\n"
        "        many.put(0, 50, latency_ms=float(i))\n"
        "        done.wait(0.2)\n"
        "changing = threading.Thread(target=change); changing.start()"
    )
    until(lambda: not kernel(tab, "changing.is_alive()"), "five seconds of changes", 30)
    until(lambda: "24" in many.inner_text(), "the last value")
    sent, size, snapshots = kernel(tab, "[peers.flow.sent, peers.flow.bytes, peers.flow.snapshots]")
    assert snapshots == before[2]
    assert sent - before[0] >= 10
    assert (size - before[1]) / (sent - before[0]) <= 5_000
    points = many.locator(".ag-spark polyline").first.get_attribute("points")
    assert len(points.split()) >= 20


def test_the_keyboard_reaches_everything_and_is_one_tab_stop(tab):
    validators = grid(tab, "Validators")
    validators.focus()
    keys = tab.page.keyboard
    first = kernel(tab, "validators.to_pandas()['id'].tolist()")
    keys.press("Control+Home")
    keys.press(" ")
    keys.press("ArrowDown")
    keys.press("Shift+ArrowDown")
    until(lambda: kernel(tab, "validators.selected") == first[:3], "three rows to be selected in Python", 5)
    assert validators.locator("tr[aria-selected=true]").count() == 3
    keys.press("Escape")
    until(lambda: kernel(tab, "validators.selected") == [], "nothing to be selected", 5)
    keys.press("Enter")
    until(lambda: widget(validators).locator(".ag-fields").inner_text() != "", "the details", 5)
    assert first[2] in widget(validators).locator(".ag-fields").inner_text()
    keys.press("Escape")
    until(lambda: widget(validators).locator(".ag-fields").count() == 0, "the details to close", 5)
    assert validators.evaluate(
        "(node) => [...node.querySelectorAll('tbody button, th button')].every((b) => b.tabIndex === -1)"
    )
    assert tab.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.mode") in ("command", "edit")
    assert kernel(tab, "1") == 1, "no shortcut of JupyterLab restarted or removed anything"


def test_headers_sort_by_several_columns_from_the_keyboard(tab):
    validators = grid(tab, "Validators")
    validators.focus()
    keys = tab.page.keyboard
    keys.press("Control+Home")
    keys.press("ArrowUp")
    keys.press("ArrowRight")
    keys.press("Enter")
    keys.press("ArrowRight")
    keys.press("Shift+Enter")
    heads = validators.locator("th")
    until(lambda: heads.nth(3).get_attribute("aria-sort") == "descending", "the second column", 5)
    assert heads.nth(2).get_attribute("aria-sort") == "ascending"
    assert [heads.nth(i).get_attribute("data-place") for i in (2, 3)] == ["1", "2"]
    until(lambda: kernel(tab, "validators._ui.get('sort')") == 2, "Python to know", 5)
    frame = kernel(tab, "validators.to_pandas()[['status', 'voting_power']].astype(object).values.tolist()")
    assert frame == sorted(frame, key=lambda row: (row[0], -row[1]))
    said = widget(validators).locator(".ag-unseen[role=status]").inner_text()
    assert said == "Sorted by Status ascending, then Voting power descending"


def test_filters_and_columns_survive_a_reload(tab):
    page = tab.page
    validators = grid(tab, "Validators")
    box = widget(validators)
    box.locator("button:has-text('Filters')").click()
    box.get_by_label("Filter Voting power").fill(">2,000,000")
    box.locator("button:has-text('Columns')").click()
    box.locator(".ag-chip:has-text('Uptime')").click()
    until(lambda: "rows" in foot(validators) and " of " in foot(validators), "the filter to work")
    until(
        lambda: (
            kernel(tab, "validators._ui.get('columns')") == {"3": True} or kernel(tab, "validators._ui.get('columns')")
        ),
        "Python to know",
    )
    powers = kernel(tab, "validators.to_pandas()['voting_power'].tolist()")
    assert powers and min(powers) > 2_000_000
    tab.save()
    tab.reload()
    validators = grid(tab, "Validators")
    box = widget(validators)
    until(lambda: " of " in foot(validators), "the filter to be back", 30)
    assert box.get_by_label("Filter Voting power").input_value() == ">2,000,000"
    assert not validators.locator("th", has_text="Uptime").is_visible()
    assert validators.locator("th").nth(3).get_attribute("aria-sort") == "descending"
    box.get_by_label("Filter Voting power").fill("")
    until(lambda: " of " not in foot(validators), "all rows again")
    assert page.evaluate("() => window.hacked") is None


def test_what_is_copied_can_be_pasted_into_a_spreadsheet(tab):
    validators = grid(tab, "Validators")
    widget(validators).locator("button:has-text('Copy')").click()
    until(lambda: "copied" in foot(validators), "the copy")
    lines = tab.page.evaluate("() => navigator.clipboard.readText()").split("\n")
    assert lines[0].split("\t")[:3] == ["Validator", "Status", "Voting power"]
    assert re.fullmatch(r"validator-\d\d\tACTIVE\t\d+(\.\d+)?(\t.*)?", lines[1])


def test_transactions_pause_count_and_go_on(tab):
    transactions = grid(tab, "Transactions")
    box = widget(transactions)
    until(lambda: transactions.locator(".ag-new:visible").count() > 0, "a new transaction")
    box.locator("button:has-text('Pause')").click()
    until(lambda: "new)" in box.locator("button:has-text('Resume')").inner_text(), "some to come meanwhile")
    held = transactions.locator("tbody").nth(1).inner_text()
    total = box.locator(".ag-head .ag-meta").inner_text()
    until(lambda: box.locator(".ag-head .ag-meta").inner_text() != total, "the total to go on")
    hashes = re.findall("0x[0-9a-f]+", held)
    assert re.findall("0x[0-9a-f]+", transactions.locator("tbody").nth(1).inner_text()) == hashes
    box.locator("button:has-text('Resume')").click()
    until(lambda: re.findall("0x[0-9a-f]+", transactions.locator("tbody").nth(1).inner_text()) != hashes, "live rows")
    box.locator("button:has-text('Clear')").click()
    until(lambda: transactions.locator(ROWS).count() < 15, "an empty list", 5)


def test_a_log_waits_for_its_reader_and_jumps_back(tab):
    entries = tab.page.locator("[role=log][aria-label='Consensus events']").first
    entries.evaluate("(node) => node.closest('.ag').scrollIntoView({ block: 'center' })")
    until(lambda: entries.locator("li.ag-entry").count() > 8, "events", 60)
    box = widget(entries)
    entries.evaluate("(node) => { node.scrollTop = 60; }")
    more = box.locator(".ag-more")
    until(lambda: re.fullmatch(r"↑ \d+ new, jump to live", more.inner_text()), "a count of what came meanwhile", 30)
    held = entries.locator("li.ag-entry").first.inner_text()
    more.click()
    until(lambda: entries.locator("li.ag-entry").first.inner_text() != held, "the newest entry")
    assert not more.is_visible()
    box.get_by_label("Search Consensus events").fill("leader")
    until(lambda: all("eader" in text for text in entries.locator("li.ag-entry").all_inner_texts()), "the search")
    assert entries.locator("li.ag-entry").count() > 0
    box.get_by_label("Search Consensus events").fill("")


def test_a_log_that_is_held_keeps_its_place_while_it_is_out_of_sight(tab):
    entries = tab.page.locator("[role=log][aria-label='Consensus events']").first
    box = widget(entries)
    entries.evaluate("(node) => node.closest('.ag').scrollIntoView({ block: 'center' })")
    until(lambda: entries.locator("li.ag-entry").count() > 8, "events", 60)
    box.locator("button:has-text('Pause')").click()
    more = box.locator(".ag-more")
    until(lambda: re.fullmatch(r"↑ \d+ new, jump to live", more.inner_text()), "a count of what came meanwhile", 30)
    held = entries.locator("li.ag-entry").all_inner_texts()
    page, snapshots = kernel(tab, "[list(log._flow._pages)[-1], log.flow.snapshots]")  # it spoke last
    grid(tab, "Validators").evaluate("(node) => node.closest('.ag').scrollIntoView({ block: 'end' })")
    until(lambda: kernel(tab, f"{page!r} not in log._flow._pages"), "the log to rest", 30)
    entries.evaluate("(node) => node.closest('.ag').scrollIntoView({ block: 'center' })")
    until(lambda: kernel(tab, "log.flow.snapshots") > snapshots, "everything anew", 30)
    until(lambda: re.fullmatch(r"↑ \d+ new, jump to live", more.inner_text()), "the count again", 30)
    assert entries.locator("li.ag-entry").all_inner_texts() == held
    box.locator("button:has-text('Resume')").click()


def test_an_alarm_comes_is_inert_and_can_be_dismissed(tab):
    banner = tab.page.locator(".ag-banner").first
    banner.evaluate("(node) => node.scrollIntoView({ block: 'center' })")
    until(lambda: "No alarm" in banner.inner_text(), "the banner")
    tab.execute("threshold = 0")
    until(lambda: "<img src=x onerror" in banner.locator("[role=alert]").inner_text(), "the alarm")
    assert tab.page.evaluate("() => window.hacked") is None
    assert banner.locator("img, script").count() == 0
    banner.locator("button:has-text('Dismiss')").click()
    until(lambda: kernel(tab, "len(low.view.shown)") == 0, "Python to know")
    until(lambda: "No alarm" in banner.inner_text(), "a calm banner")


def test_hostile_names_are_shown_as_they_are(tab):
    many = grid(tab, "Many")
    name = HOSTILE + "x" * 2_000
    tab.execute(
        f"many.topic.deliver([Peer(recv_ns=10**18, conn_epoch=1, n=0, peer_id={name!r}, status='<b>', "
        "latency_ms=float('nan'), city=None)])"
    )
    widget(many).locator(".ag-head .ag-filter").fill("onerror")
    until(lambda: many.locator(ROWS).count() == 1, "the hostile row")
    row = many.locator(ROWS).first
    assert "<img src=x onerror" in row.inner_text()
    assert row.locator("img, script, b").count() == 0
    assert tab.page.evaluate("() => window.hacked") is None
    row.locator("td").first.dblclick()
    until(lambda: "<b>" in widget(many).locator(".ag-fields").inner_text(), "its details")
    widget(many).locator(".ag-head .ag-filter").fill("")


OVERFLOW = """() => [...document.querySelectorAll(".ag-dashboard .ag-scroll")].map((scroll) => [
    scroll.querySelector("table").getAttribute("aria-label"), scroll.scrollWidth - scroll.clientWidth])"""


def test_no_table_of_the_dashboard_is_clipped_beside_the_file_browser(tab):
    page = tab.page
    dashboard = page.locator(".ag-dashboard").first
    dashboard.scroll_into_view_if_needed()
    page.set_viewport_size({"width": 1280, "height": 2400})
    dashboard.evaluate("(node) => node.scrollIntoView({ block: 'start' })")
    until(lambda: len(page.evaluate(OVERFLOW)) == 3, "the tables of the dashboard")
    until(lambda: all(over <= 1 for _, over in page.evaluate(OVERFLOW)), f"room: {page.evaluate(OVERFLOW)}")
