"""The dashboard for different eyes and hands: contrast, keyboard, full screen, one voice, nothing clipped."""

from __future__ import annotations

import json

import pytest

from .harness import open_page, until
from .test_tour import POINTS, STATE, show_dashboard

LONG = pytest.mark.long
"""What the shorter ones stand for in everyday runs."""

CELL = """import aurigraph_nb as ag
feed = ag.simulate(seed=7, rate=20)
_ = [feed[topic].wait(3, timeout=30) for topic in feed.topics]
dashboard = ag.Dashboard(feed)
dashboard"""
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

# Each text of the dashboard with its contrast: ink over all grounds behind it, translucent ones mixed in.
CONTRASTS = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const read = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
    const light = (rgb) => rgb.map((c) => c / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const groundOf = (node) => {
        const layers = [];
        for (let at = node; at; at = at.parentElement) {
            const colour = read(getComputedStyle(at).backgroundColor);
            if (colour[3] > 0) layers.push(colour);
            if (colour[3] === 1) break;
        }
        return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
    };
    const told = [];
    const walker = document.createTreeWalker(document.querySelector(".ag-dashboard"), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !node.checkVisibility({ opacityProperty: true })) continue;
        if (node.closest("[aria-hidden=true], .ag-voice, .ag-unseen, option, .js-plotly-plot")) continue;
        const style = getComputedStyle(node);
        let opacity = 1;
        for (let at = node; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
        const ground = groundOf(node);
        const ink = read(style.color);
        ink[3] *= opacity;
        const [a, b] = [light(over(ink, ground)), light(ground)].sort((x, y) => y - x);
        told.push([Math.round(((a + 0.05) / (b + 0.05)) * 100) / 100, walker.currentNode.data.trim().slice(0, 40)]);
    }
    return told;
}"""
VOICES = """() => [...document.querySelectorAll(".ag-dashboard [role=status], .ag-dashboard [role=log], "
    + ".ag-dashboard [aria-live]")].filter((node) => node.getAttribute("aria-live") !== "off")
    .map((node) => node.className)"""
VOICE = "() => document.querySelector('.ag-dashboard > .ag-voice')?.textContent ?? ''"
OLD = "() => [...document.querySelectorAll('.ag-dashboard .ag-old .ag-head')].map((head) => head.innerText)"
FULL = "() => document.fullscreenElement?.classList.contains('ag-dashboard') ?? false"
# What has more to show than there is room for, apart from what scrolls, folds its own columns or says so with a hint.
CLIPPED = """() => {
    const dash = document.querySelector(".ag-dashboard");
    const seen = "button, .ag-title, .ag-meta, .ag-val, .ag-key, .ag-badge, .ag-figure, .ag-summary, td.ag-number";
    const clipped = [...dash.querySelectorAll(seen)].filter((node) => node.checkVisibility())
        .filter((node) => node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== "inline")
        .map((node) => `${node.className}: ${node.textContent} ${node.clientWidth} of ${node.scrollWidth}`);
    const edge = dash.getBoundingClientRect().right + 1;
    const beyond = [...dash.querySelectorAll(".ag")].filter((node) => node.getBoundingClientRect().right > edge);
    return [...clipped, ...beyond.map((node) => `beyond: ${node.className}`)];
}"""
ORDER = """() => {
    const nodes = [...document.querySelectorAll(".ag-dashboard > *")].filter((node) => node.matches(":not(.ag-voice)"));
    const tops = nodes.map((node) => node.getBoundingClientRect()).map((box) => Math.round(box.top) * 1e4 + box.left);
    const jumps = [...document.querySelectorAll(".ag-dashboard [tabindex]")].filter((node) => node.tabIndex > 0);
    return [tops.every((top, i) => i === 0 || top >= tops[i - 1]), jumps.length];
}"""
NAMELESS = """() => [...document.querySelectorAll(".ag-dashboard button, .ag-dashboard input, .ag-dashboard select")]
    .filter((node) => node.checkVisibility())
    .filter((node) => !(node.textContent.trim() || node.getAttribute("aria-label") || node.labels?.length))
    .map((node) => node.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def opened(lab, chromium):
    context = chromium.new_context(viewport={"width": 1280, "height": 1600})
    with open_page(lab, context) as tab:
        tab.open(lab.write("dashboard.ipynb", [CELL])).run_all(90)
        yield tab
    context.close()
    lab.end_kernels()


@pytest.fixture
def tab(opened):
    opened.page.set_viewport_size({"width": 1280, "height": 1600})
    show_dashboard(opened)
    until(lambda: opened.page.evaluate(POINTS) > 0, "the chart to show points")
    until(lambda: opened.page.evaluate(STATE) == "CONNECTED", "the status to say CONNECTED", 60)
    yield opened
    opened.assert_clean()


@pytest.fixture
def stopped(tab):
    """The dashboard while its node is down."""
    tab.execute("feed.node.stop()")
    until(lambda: tab.page.evaluate(STATE) in ("RECONNECTING", "CONNECTING"), "the loss to be told")
    yield tab
    tab.execute("feed.node.start()")
    until(lambda: tab.page.evaluate(STATE) == "CONNECTED", "the return to be told", 60)


def set_theme(tab, theme):
    tab.start("apputils:change-theme", theme=THEMES[theme])
    tab.finish()
    ready = f"() => document.querySelector('.ag-dashboard')?.dataset.theme === '{theme}'"
    until(lambda: tab.page.evaluate(ready), f"the {theme} theme")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_text_can_be_read(tab, theme):
    set_theme(tab, theme)
    until(lambda: len(tab.page.evaluate(CONTRASTS)) > 100, "texts")
    assert not [told for told in tab.page.evaluate(CONTRASTS) if told[0] < 4.5]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_text_can_be_read_while_the_node_is_down(stopped, theme):
    set_theme(stopped, theme)
    until(lambda: len(stopped.page.evaluate(OLD)) == 2, "both cards to say of when they are")
    assert not [told for told in stopped.page.evaluate(CONTRASTS) if told[0] < 4.5]


def test_cards_do_not_look_alive_while_the_node_is_down(stopped):
    page = stopped.page
    until(lambda: len(page.evaluate(OLD)) == 2, "both cards to say of when they are")
    for head in page.evaluate(OLD):
        assert "as of " in head and " UTC · no connection" in head
    value = "(name) => getComputedStyle(document.querySelector(`.ag-old ${name}`))"
    assert page.evaluate(f"() => ({value})('.ag-val').fontWeight") == "400"
    stopped.execute("feed.node.start()")
    until(lambda: page.evaluate(OLD) == [], "the cards to be alive again", 60)


def test_a_button_that_is_off_looks_off(tab):
    button = tab.page.locator(".ag-conn button")
    assert button.is_disabled()
    look = "(node) => { const s = getComputedStyle(node); return [s.borderTopStyle, s.cursor, s.color]; }"
    style, cursor, ink = button.evaluate(look)
    assert (style, cursor) == ("dashed", "not-allowed")
    assert ink != tab.page.locator(".ag-dash-bar button").evaluate("(node) => getComputedStyle(node).color")


@pytest.mark.parametrize("width", [pytest.param(1400, marks=LONG), pytest.param(1280, marks=LONG), 800])
def test_nothing_is_clipped_with_the_file_browser_open(tab, width):
    tab.page.set_viewport_size({"width": width, "height": 1600})
    assert tab.page.locator("#jp-left-stack").is_visible()
    until(lambda: not tab.page.evaluate(CLIPPED), f"nothing to be clipped; now: {tab.page.evaluate(CLIPPED)}", 10)


def test_one_polite_region_speaks_for_the_dashboard(tab):
    tab.page.set_viewport_size({"width": 1280, "height": 3200})  # all of it in sight: what is not was never drawn
    until(lambda: tab.page.evaluate(VOICES) == ["ag-voice"], "one voice")


def test_that_region_tells_of_a_loss_and_of_the_return(stopped):
    until(lambda: "CONNECTING" in stopped.page.evaluate(VOICE), "the loss to be spoken")
    stopped.execute("feed.node.start()")
    until(lambda: stopped.page.evaluate(VOICE) == "CONNECTED", "the return to be spoken", 60)


def test_the_order_of_the_keyboard_is_that_of_the_eyes_and_everything_has_a_name(tab):
    in_order, jumps = tab.page.evaluate(ORDER)
    assert in_order and jumps == 0
    assert tab.page.evaluate(NAMELESS) == []
    region = tab.page.get_by_role("region", name="Dashboard")
    assert region.get_by_role("heading", name="Dashboard").count() == 1


def test_the_full_screen_is_entered_by_key_left_by_esc_and_the_focus_stays(tab):
    page, points = tab.page, tab.page.evaluate(POINTS)
    button = page.locator(".ag-dash-bar button")
    button.focus()
    page.keyboard.press("Enter")
    until(lambda: page.evaluate(FULL), "the full screen")
    until(lambda: button.inner_text() == "Leave full screen", "the button to say so")
    assert button.evaluate("(node) => node === document.activeElement")
    until(lambda: page.evaluate(POINTS) > points, "the chart to grow on the full screen")
    ground = page.evaluate("() => getComputedStyle(document.querySelector('.ag-dashboard')).backgroundColor")
    assert ground not in ("rgba(0, 0, 0, 0)", "rgb(0, 0, 0)")
    page.keyboard.press("Escape")
    until(lambda: not page.evaluate(FULL), "the full screen to be left")
    until(lambda: button.inner_text() == "Full screen", "the button to say so")
    assert button.evaluate("(node) => node === document.activeElement")


def test_who_wants_no_motion_gets_none(tab):
    page = tab.page
    page.emulate_media(reduced_motion="reduce")
    moving = """() => document.getAnimations().filter((one) => one.effect.target?.closest(".ag-dashboard"))
        .map((one) => one.animationName ?? one.transitionProperty)"""
    points = page.evaluate(POINTS)
    until(lambda: page.evaluate(POINTS) >= points + 2, "the chart to grow")
    assert page.evaluate(moving) == []
    page.emulate_media(reduced_motion="no-preference")


def test_times_are_utc_and_local_on_hover(tab):
    heads = tab.page.locator(".ag-dashboard .ag-head .ag-meta[title^=here]")
    assert heads.count() >= 2
    fresh = "times in UTC, once the cards have news again"
    until(lambda: all(text.endswith(" UTC") for text in heads.all_inner_texts()), fresh, 10)


def test_every_text_can_still_be_read_when_the_feed_is_closed(opened):
    show_dashboard(opened)
    opened.execute("feed.close()")
    until(lambda: opened.page.evaluate("() => document.querySelectorAll('.ag-off').length") > 5, "widgets to be off")
    for theme in THEMES:
        set_theme(opened, theme)
        assert not [told for told in opened.page.evaluate(CONTRASTS) if told[0] < 4.5]
    opened.assert_clean()


@pytest.mark.parametrize("layout", [pytest.param("wide", marks=LONG), "compact", pytest.param("network", marks=LONG)])
def test_the_other_layouts_live_as_well(lab, lab_page, layout):
    lab_page.page.set_viewport_size({"width": 1800, "height": 1600})
    code = f"import aurigraph_nb as ag\nfeed = ag.simulate(seed=7)\nag.Dashboard(feed, layout={layout!r})"
    lab_page.open(lab.write(f"{layout}.ipynb", [code])).run_all(60)
    show_dashboard(lab_page)
    page = lab_page.page
    until(lambda: page.evaluate(STATE) == "CONNECTED", "the status to say CONNECTED")
    before = page.locator(".ag-dashboard").inner_text()
    until(lambda: page.locator(".ag-dashboard").inner_text() != before, "something to change")
    until(lambda: not page.evaluate(CLIPPED), f"nothing to be clipped; now: {page.evaluate(CLIPPED)}", 10)
    assert json.dumps(page.evaluate(ORDER)) == "[true, 0]"
