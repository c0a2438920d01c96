"""What is over, as its reader sees it: a recording, a replay, a finite simulation. None looks like a trouble."""

from __future__ import annotations

import pytest

from .harness import open_page, until
from .test_dashboard import CLIPPED, CONTRASTS, VOICE, set_theme
from .test_tour import POINTS, STATE, show_dashboard

RECORDING = """import tempfile
import aurigraph_nb as ag
rec = ag.open_recording(ag.sample("outage", duration="40min", seed=7).save(tempfile.mkdtemp() + "/friday"))
ag.Dashboard(rec)"""
REPLAY = """feed = ag.replay(rec, end="2026-01-01 00:01", speed="max")
feed.join(timeout=60)
ag.Dashboard(feed)"""
SIMULATION = """import aurigraph_nb as ag
feed = ag.simulate(seed=7, start="2026-01-01", duration="1min")
feed.join(timeout=60)
ag.Dashboard(feed)"""
HEADS = """() => [...document.querySelectorAll(".ag-dashboard .ag-run")].filter((node) => node.checkVisibility())
    .map((node) => [node.innerText, node.title])"""
OLD = "() => document.querySelectorAll('.ag-dashboard .ag-old, .ag-dashboard .ag-off, .ag-dashboard .ag-stale').length"
BUTTONS = """() => [...document.querySelectorAll(".ag-dashboard button")].filter((node) => node.checkVisibility())
    .map((node) => node.textContent)"""
AXIS = """() => document.querySelector(".ag-dashboard .js-plotly-plot")?.layout?.xaxis?.range
    ?.map((end) => new Date(typeof end === "number" ? end : `${end.replace(" ", "T")}Z`).toISOString().slice(0, 19))"""
TEXT = "() => document.querySelector('.ag-dashboard').innerText"


@pytest.fixture
def page_of(lab, chromium):
    """Opens a notebook of cells in a page high enough for a whole dashboard: what is off screen is not drawn."""
    context = chromium.new_context(viewport={"width": 1280, "height": 3200})
    with open_page(lab, context) as tab:

        def opened(*cells):
            tab.open(lab.write("over.ipynb", list(cells))).run_all(90)
            show_dashboard(tab)
            until(lambda: tab.page.evaluate(POINTS) > 0, "the chart to show points")
            return tab

        yield opened
        tab.assert_clean()
    context.close()
    lab.end_kernels()


def test_a_recording_is_shown_as_a_recording(page_of):
    tab = page_of(RECORDING)
    page = tab.page
    until(lambda: page.evaluate(STATE) == "RECORDING", "the status to say so")
    until(lambda: len(page.evaluate(HEADS)) == 8, "each widget to say that it is over")
    assert {words for words, _ in page.evaluate(HEADS)} == {"ended at 00:39:59 UTC"}
    assert all("2026-01-01 00:39:59 UTC; here " in hint for _, hint in page.evaluate(HEADS))
    assert page.evaluate(OLD) == 0, "nothing is pale"
    text = page.evaluate(TEXT)
    for word in ("CLOSED", "Closed", "isconnected;", "NEW"):
        assert word not in text
    assert "friday" in text and "2026-01-01 00:00:00 – 00:39:59 UTC (40 min)" in text and "46 gaps" in text
    assert page.evaluate(AXIS) == ["2026-01-01T00:00:00", "2026-01-01T00:39:59"], "the whole span"
    assert {"Pause", "Clear", "Reconnect"}.isdisjoint(page.evaluate(BUTTONS))
    page.get_by_text("5 of 5 topics recorded").click()
    heads = ".ag-conn ~ details table:last-child th:visible"
    until(lambda: page.locator(heads).all_inner_texts() == ["Topic", "State", "Rows"], "a table of what there is")
    for theme in ("dark", "light"):
        set_theme(tab, theme)
        assert not [told for told in page.evaluate(CONTRASTS) if told[0] < 4.5]
    page.set_viewport_size({"width": 800, "height": 3200})
    until(lambda: not page.evaluate(CLIPPED), f"nothing to be clipped; now: {page.evaluate(CLIPPED)}", 10)


def test_an_ended_replay_is_told_as_such_and_recovers_its_words(page_of):
    tab = page_of(RECORDING.replace("ag.Dashboard(rec)", ""), REPLAY)
    page = tab.page
    until(lambda: page.evaluate(STATE) == "REPLAY ENDED", "the status to say so")
    until(lambda: page.evaluate(OLD) == 0 and len(page.evaluate(HEADS)) == 8, "calm words in each head")
    assert "isconnected;" not in page.evaluate(TEXT)
    tab.execute("feed.pause(); feed.seek(20)")
    until(lambda: page.evaluate(STATE) == "PAUSED", "the pause to be told")
    until(lambda: page.evaluate(HEADS) == [], "the words of the end to go")
    tab.execute("feed.speed = 1; feed.resume()")
    until(lambda: page.evaluate(STATE) == "PLAYING", "that it plays to be told")
    until(lambda: "PLAYING" in page.evaluate(VOICE), "that to be spoken")
    assert "Pause" in page.evaluate(BUTTONS)


def test_a_finite_simulation_that_has_ended_is_told_as_such(page_of):
    page = page_of(SIMULATION).page
    until(lambda: page.evaluate(STATE) == "SIMULATION ENDED", "the status to say so")
    until(lambda: len(page.evaluate(HEADS)) == 8, "calm words in each head")
    assert page.evaluate(OLD) == 0
    assert "Reconnect" not in page.evaluate(BUTTONS)
