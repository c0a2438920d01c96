"""A replay's controls in JupyterLab in Chromium, with a chart, a table and a log beside them; sought forth and back."""

from __future__ import annotations

import re

import pytest

from .harness import until

CELLS = [
    "import aurigraph_nb as ag\n"
    "from aurigraph_nb.replay import replay\n"
    "from aurigraph_nb.sample import sample\n"
    "from aurigraph_nb.widgets import ReplayControls\n"
    'feed = replay(sample("outage", duration="5min", seed=7), paused=True)',
    "ReplayControls(feed)",
    "chart = ag.TPSChart(feed, height=220); chart",
    "table = ag.ValidatorTable(feed, height=200); table",
    "log = ag.ConsensusLog(feed, height=140); log",
]
SLIDER = ".ag-replay [role=slider]"
POINTS = """() => {
    const plot = document.querySelector('.js-plotly-plot');
    const ms = (x) => typeof x === 'number' ? x : Date.parse(`${String(x).replace(' ', 'T')}Z`);
    return [...(plot?.data?.[0]?.x ?? [])].map(ms);
}"""
START_MS = 1_767_225_600_000
SHOTS: str | None = None
"""A folder for pictures, for whoever wants to look."""


@pytest.fixture
def replayed(lab, lab_page):
    lab_page.page.set_viewport_size({"width": 1100, "height": 1500})
    lab_page.open(lab.write("replay.ipynb", CELLS)).run_all(60)
    page = lab_page.page
    until(lambda: page.locator(SLIDER).count() == 1, "the slider")
    until(lambda: page.locator(".ag-replay-band").count() > 0, "the gaps on the slider")
    return lab_page


def picture(page, name):
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png")


def state(page):
    return page.locator(".ag-replay .ag-head [role=status]").inner_text()


def slider(page, name):
    return page.locator(SLIDER).get_attribute(f"aria-{name}")


def points(page):
    """Times of the points that the chart draws, seconds after the start."""
    return [(x - START_MS) / 1000 for x in page.evaluate(POINTS) if x is not None]


def click_at(page, share):
    box = page.locator(".ag-replay-rail").bounding_box()
    page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)


def settled(page, value):
    def there():
        at = slider(page, "valuenow")
        return at is not None and abs(int(at) - value) <= 2 and state(page) == "PAUSED"

    until(there, f"second {value}")


def test_the_slider_seeks_forth_and_back_and_all_widgets_follow(replayed):
    page = replayed.page
    assert state(page) == "PAUSED" and slider(page, "valuenow") == "0" and slider(page, "valuemax") == "300"
    assert page.locator(".ag-replay-place").inner_text() == "2026-01-01 00:00:00.0 UTC"
    click_at(page, 2 / 3)
    settled(page, 200)
    until(lambda: points(page) and 195 < max(points(page)) < 201, "the chart at second 200")
    until(lambda: page.locator(".ag-grid tbody tr, .ag-row").count() > 0, "rows of the table")
    late = page.locator(".ag").nth(3).inner_text()
    picture(page, "forth")
    page.locator(SLIDER).focus()
    for _ in range(5):
        page.keyboard.press("PageDown")
    settled(page, 50)
    until(lambda: points(page) and max(points(page)) < 51, "the chart to show nothing of what comes later")
    until(lambda: page.locator(".ag").nth(3).inner_text() != late, "the log to show the story up to there alone")
    picture(page, "back")
    page.keyboard.press("Home")
    settled(page, 0)
    until(lambda: not points(page), "an empty chart")
    page.keyboard.press("ArrowRight")
    settled(page, 5)
    text = slider(page, "valuetext")
    assert re.fullmatch(r"2026-01-01 00:00:05 UTC, 5\.0 s of 5 min", text), text


def test_it_plays_faster_pauses_and_says_what_is_under_the_pointer(replayed):
    page = replayed.page
    page.locator(".ag-replay-speed").select_option("10")
    page.get_by_role("button", name="Play", exact=True).click()
    until(lambda: state(page) == "PLAYING" and int(slider(page, "valuenow")) >= 5, "time to go on, ten times as fast")
    until(lambda: len(points(page)) >= 5, "the chart to grow")
    page.locator(SLIDER).focus()
    page.keyboard.press("Space")
    until(lambda: state(page) == "PAUSED", "the pause")
    assert replayed.execute("print(feed.speed, feed.paused, 4 < (feed.position - feed.span[0]).total_seconds())") == (
        "10.0 True True\n"
    )
    band = page.locator(".ag-replay-band").first
    box = band.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = page.locator(".ag-replay-tip").inner_text()
    assert re.match(r"2026-01-01 00:00:\d\d\.\d UTC · gap: disconnect, \d+\.\d s: metrics, ", tip), tip
    assert page.locator(SLIDER).get_attribute("title").startswith("Local time:")
    picture(page, "tip")
    page.locator(".ag-replay-gaps summary").click()
    page.locator(".ag-replay-goto").first.click()
    until(lambda: "00:00:20" in slider(page, "valuetext"), "the second before the gap")
    page.get_by_role("button", name="Loop").click()
    until(lambda: replayed.execute("print(feed.loop)") == "True\n", "the loop")
    until(lambda: page.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "true", "the button")


def test_it_survives_a_reload_and_says_when_it_is_closed(replayed):
    page = replayed.page
    click_at(page, 0.5)
    settled(page, 150)
    page.locator(".ag-replay-gaps summary").click()
    until(lambda: page.locator(".ag-replay-goto").first.is_visible(), "the list of gaps")
    replayed.save()
    replayed.reload()
    until(lambda: page.locator(SLIDER).count() == 1, "the slider after the reload")
    settled(page, 150)
    assert page.locator(".ag-replay-goto").first.is_visible(), "the list of gaps is open as it was"
    replayed.execute("feed.close()")
    until(lambda: state(page) == "CLOSED", "the end")
    until(lambda: slider(page, "disabled") == "true", "the slider to be off")
    assert page.get_by_role("button", name="Play", exact=True).is_disabled()
    assert "Closed." in page.locator(".ag-replay .ag-notice").inner_text()
    assert page.locator(".ag-replay-goto").first.is_disabled()
    click_at(page, 0.1)
    assert slider(page, "valuenow") == "150"
    picture(page, "closed")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_is_readable_in_both_themes_and_fits_into_800_pixels(replayed, theme):
    page = replayed.page
    page.evaluate("(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    page.set_viewport_size({"width": 800, "height": 1100})
    dark = theme.endswith("Dark")
    until(lambda: page.locator(".ag-replay").get_attribute("data-theme") == ("dark" if dark else "light"), "the theme")
    until(lambda: page.locator("#jupyterlab-splash").count() == 0, "the splash of the theme to go")
    click_at(page, 0.4)
    settled(page, 120)
    wide = page.evaluate("""() => [...document.querySelectorAll('.ag-replay, .ag-replay *')]
        .filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflow === 'visible' && e.clientWidth)
        .map((e) => e.className)""")
    assert not wide
    picture(page, "dark" if dark else "light")
