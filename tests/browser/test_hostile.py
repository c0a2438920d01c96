"""A feed that means harm, in every widget: markup, scripts, signs that turn the direction, a megabyte, no numbers."""

from __future__ import annotations

import pytest

from . import every_widget
from .harness import open_page, until
from .measures import kernel, wider_than_their_place

NAME = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>\u202e\u2067'\"&lt;"
STRIKE = '''import math, msgspec, time, typing
NAMES = [NAME, NAME + "2" * 1_000_000, "\\u202e" * 300, "", "\\x00\\ud800", "javascript:window.hacked=1", "__proto__"]
NUMBERS = [math.nan, math.inf, -math.inf, 2.0**1023, -1.0]
def wild(kind, i):
    """One value for a field of the type: hostile text, no number, or nothing at all where nothing is allowed."""
    of = typing.get_args(kind)
    if hasattr(kind, "__metadata__"):
        return wild(of[0], i)
    if type(None) in of:
        return None if i % 4 == 3 else wild(next(one for one in of if one is not type(None)), i)
    if typing.get_origin(kind) is tuple:
        return tuple(wild(of[0], i + j) for j in range(3))
    return {str: NAMES[i % 7], float: NUMBERS[i % 5], int: [0, 2**63 - 1, -1][i % 3], bool: False}.get(kind)
def record(kind, i):
    now = time.time_ns()
    local = {"timestamp": now, "recv_ns": now, "conn_epoch": 1, "n": 10**9 + i, "gap_before": i % 5 == 0}
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {name: wild(hint, i + k) for k, (name, hint) in enumerate(hints.items()) if name not in local}
    return kind(**fields | local)
def strike(rounds=range(7)):
    refused = []
    for feed in feeds:
        for name in feed.topics:
            for i in rounds:
                try:
                    feed[name].deliver([record(feed[name].record_type, i)])
                except Exception as error:
                    refused.append(f"{name} {i}: {type(error).__name__}: {error}"[:200])
    return refused
'''
SEEN = """() => ({
    hacked: window.hacked ?? null,
    foreign: [...document.querySelectorAll(".ag img, .ag script, .ag iframe, .ag object, .ag a, .ag [onerror]")].length,
    roots: document.querySelectorAll(".ag").length,
    texts: [...document.querySelectorAll(".ag")].filter((root) => root.textContent.includes("<img src=x")).length,
    longest: Math.max(...[...document.querySelectorAll(".ag *")].flatMap((node) => [...node.childNodes]
        .filter((child) => child.nodeType === 3).map((child) => child.data.length))),
    nodes: document.querySelectorAll(".ag *").length,
    polluted: Object.prototype.polluted ?? Object.keys(Object.prototype).length,
})"""
FLOWS = "{name: widget.flow.to_dict() for name, widget in every.items()}"


@pytest.fixture
def struck(lab, chromium):
    """A tab with every widget, whose feeds have brought what no feed should, before it was opened and since."""
    context = chromium.new_context(viewport={"width": 1400, "height": 9000})
    notebook = every_widget.cells(alarm_name=NAME, before=f"NAME = {NAME!r}\n{STRIKE}refused = strike()\n")
    with open_page(lab, context) as tab:
        tab.open(lab.write("hostile.ipynb", notebook)).run_all(120)
        assert not tab.cell_errors()
        yield tab
        tab.assert_clean()
    context.close()
    lab.end_kernels()


def test_in_every_widget_a_hostile_feed_is_only_ever_shown(struck):
    page, count = struck.page, kernel(struck, "len(every)")
    assert kernel(struck, "refused") == []
    until(lambda: page.evaluate(SEEN)["roots"] == count, "every widget")
    until(lambda: all(flow["sent"] for flow in kernel(struck, FLOWS).values()), "every widget to be shown", 60)
    until(lambda: page.evaluate(SEEN)["texts"] >= 10, "the names to be read as they are")
    sent = {name: flow["sent"] for name, flow in kernel(struck, FLOWS).items()}
    assert kernel(struck, "strike(range(7, 14))") == []  # as changes this time, to widgets that are in sight
    until(
        lambda: sum(flow["sent"] > sent[name] for name, flow in kernel(struck, FLOWS).items()) >= 20,
        "the widgets to show what came since",
        60,
    )
    seen = page.evaluate(SEEN)
    assert (seen["hacked"], seen["foreign"], seen["polluted"]) == (None, 0, 0)
    assert seen["longest"] <= 2_000, "a megabyte is cut before it is sent"
    assert seen["nodes"] < 20_000
    errors = "{name: widget.last_error for name, widget in every.items() if widget.errors}"
    assert kernel(struck, errors) == {}
    lines = page.evaluate("() => [...document.querySelectorAll('.ag-notice-error')].map((line) => line.innerText)")
    assert not [line for line in lines if line.startswith("Could not draw")]
    assert wider_than_their_place(struck) == []
    sizes = {name: flow["bytes"] / flow["sent"] for name, flow in kernel(struck, FLOWS).items()}
    assert max(sizes.values()) <= 100_000, sizes
