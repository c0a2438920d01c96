"""Scripts and styles: plain, small, and readable in both themes."""

import gzip
import re

import pytest

from aurigraph_nb.widgets import assets

NAMES = ["banner", "card", "chart", "log", "network_map", "replay_controls", "result", "status", "table"]
# Sort, filters, keyboard, details, totals; an outline of the world: all that a widget may have.
LARGER = {"table": 60_000, "network_map": 60_000}


def test_compacting_leaves_the_code_alone():
    source = "// why\n\n    const a = 'x // y'; // kept\n  /* one line */\n\tb();\n"
    assert assets.compact(source) == "const a = 'x // y'; // kept\nb();\n"


@pytest.mark.parametrize("name", NAMES)
def test_every_script_is_the_common_part_and_its_own(name):
    script = assets.script(name)
    assert script.index("class Link") < script.index("export default defineWidget(")
    assert script.count("export default") == (2 if name in ("chart", "result") else 1)  # these wrap plotly.js


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_small(name):
    assert len(assets.script(name).encode()) <= assets.MAX_SCRIPT_BYTES
    assert len((assets.script(name) + assets.style(name)).encode()) <= LARGER.get(name, 40_000)


@pytest.mark.parametrize("name", ["core", *NAMES])
def test_no_text_spans_lines_so_that_indentation_may_go(name):
    for line in assets._read(f"{name}.js").splitlines():
        assert line.count("`") % 2 == 0, line
    assert "/*" not in assets._read(f"{name}.js").replace("/* webpackIgnore: true */", "")


@pytest.mark.parametrize("name", ["core", *NAMES])
def test_what_comes_from_the_feed_is_only_ever_text(name):
    source = assets._read(f"{name}.js")
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "cssText",
        'setAttribute("style',
    ):
        assert forbidden not in source


def test_plotly_comes_from_the_installed_package():
    script = assets.plotly_script()
    assert assets.plotly_script() is script
    assert b"plotly.js v" in gzip.decompress(script)[:100]


# ---- contrast

LAB = {  # JupyterLab's own grounds and inks
    "light": {"--jp-layout-color1": "#ffffff", "--jp-ui-font-color0": "#000000"},
    "dark": {"--jp-layout-color1": "#212121", "--jp-ui-font-color0": "#ffffff"},
}


def colours(theme):
    """Our colour variables in a theme."""
    css = assets._read("tokens.css")
    blocks = {"light": css[: css.index('.ag[data-theme="dark"]')], "dark": css[css.index('.ag[data-theme="dark"]') :]}
    found = {}
    for block in ("light", "dark") if theme == "dark" else ("light",):
        for name, value in re.findall(r"(--ag-[\w-]+):\s*([^;]+);", blocks[block]):
            lab = re.match(r"var\((--jp-[\w-]+)", value)
            found[name] = LAB[theme][lab[1]] if lab else value
    return found


def rgb(colour):
    digits = colour.strip().lstrip("#")
    if len(digits) == 3:
        digits = "".join(d * 2 for d in digits)
    return [int(digits[i : i + 2], 16) for i in (0, 2, 4)]


def mixed(colour, share, ground):
    return [share * a + (1 - share) * b for a, b in zip(rgb(colour), rgb(ground), strict=True)]


def luminance(channels):
    parts = [c / 255 for c in channels]
    parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a, b):
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ink", ["text", "soft", "good", "fine", "wait", "bad", "accent"])
def test_every_ink_can_be_read_on_its_grounds(theme, ink):
    palette = colours(theme)
    grounds = [rgb(palette["--ag-card"]), rgb(palette["--ag-hover"])]
    if f"--ag-{ink}-dot" in palette:  # the tinted ground of a badge
        grounds.append(mixed(palette[f"--ag-{ink}-dot"], 0.14, palette["--ag-card"]))
    if ink in ("text", "accent"):
        grounds.append(rgb(palette["--ag-mark"]))
    assert min(contrast(rgb(palette[f"--ag-{ink}"]), ground) for ground in grounds) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_calm_badge_can_be_read(theme):
    palette = colours(theme)
    ground = mixed(palette["--ag-calm-dot"], 0.14, palette["--ag-card"])
    assert contrast(rgb(palette["--ag-soft"]), ground) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_buttons_on_the_accent_can_be_read(theme):
    palette = colours(theme)
    assert contrast(rgb(palette["--ag-card"]), rgb(palette["--ag-accent"])) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_of_a_chart_stand_out_from_the_ground(theme):
    inks = re.search(rf"{theme}: \[([^\]]+)\]", assets._read("chart.js"))[1]
    ground = rgb(colours(theme)["--ag-card"])
    assert min(contrast(rgb(ink), ground) for ink in re.findall(r"#\w+", inks)) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_motion_stops_for_those_who_ask_for_it(name):
    css = assets._read(f"{name}.css")
    if "animation:" in css or "transition:" in css:
        assert "prefers-reduced-motion: reduce" in css
