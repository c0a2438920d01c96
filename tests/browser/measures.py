"""What a page and its server cost: messages, drawing, heap, nodes, memory; and what a page looks like to its reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from .harness import Lab, LabPage


def kernel(tab: LabPage, expression: str) -> Any:
    """The value of an expression in the notebook's kernel, as far as JSON can carry it."""
    return json.loads(tab.execute(f"import json as _json; print(_json.dumps({expression}))"))


# ---- hidden and shown. A page without a window is never hidden: what the widgets ask is answered by hand.


def hide(tab: LabPage) -> None:
    """As if the reader had gone to another tab of the browser."""
    _set_hidden(tab, True)


def unhide(tab: LabPage) -> None:
    """As if the reader had come back."""
    _set_hidden(tab, False)


def _set_hidden(tab: LabPage, hidden: bool) -> None:
    tab.page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            Object.defineProperty(document, "visibilityState",
                { configurable: true, get: () => hidden ? "hidden" : "visible" });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


# ---- drawing


def watch_drawing(tab: LabPage, selector: str = ".ag") -> None:
    """Count from now on what changes inside the elements; see :func:`drawn`."""
    tab.page.evaluate(
        """(selector) => {
            window.testDrawing?.observer.disconnect();
            const observer = new MutationObserver((changes) => { window.testDrawing.count += changes.length; });
            window.testDrawing = { count: 0, observer };
            for (const node of document.querySelectorAll(selector)) {
                observer.observe(node, { subtree: true, childList: true, characterData: true, attributes: true });
            }
        }""",
        selector,
    )


def drawn(tab: LabPage) -> int:
    """Changes since :func:`watch_drawing`."""
    return int(tab.page.evaluate("() => window.testDrawing.count"))


# ---- memory


class PageSize(NamedTuple):
    """What is left of a page after a garbage collection."""

    heap: int
    """Bytes of the JavaScript heap."""
    nodes: int
    """Nodes, those in the document and those that something still holds."""
    listeners: int


def page_size(tab: LabPage) -> PageSize:
    """Collect garbage, then measure."""
    session = tab.page.context.new_cdp_session(tab.page)
    try:
        session.send("Performance.enable")
        for _ in range(2):  # what a finaliser lets go is collected by the second
            session.send("HeapProfiler.collectGarbage")
        told = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    finally:
        session.detach()
    return PageSize(int(told["JSHeapUsedSize"]), int(told["Nodes"]), int(told["JSEventListeners"]))


def server_memory(lab: Lab) -> int:
    """Resident bytes of the Jupyter server (not of its kernels)."""
    return resident(lab.process.pid)


def resident(process: int) -> int:
    """Resident bytes of a process."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"no memory is told of process {process}")


# ---- looks

POOR_CONTRAST = r"""(least) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {  // whatever the syntax of the style sheet
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
    const behind = (node) => {
        const layers = [];
        for (let at = node; at; at = at.parentElement) {
            const layer = rgba(getComputedStyle(at).backgroundColor);
            layers.push(layer);
            if (layer[3] === 1) break;
        }
        return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
    };
    const luminance = (colour) => {
        const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        const [r, g, b] = colour.map((v) => linear(v / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const found = new Map();
    for (const node of document.querySelectorAll(".ag *")) {
        const words = [...node.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join(" ").trim();
        if (!words || !node.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
        if (node.closest("svg, .ag-unseen, :disabled")) continue;
        const ground = behind(node);
        const ink = over(rgba(getComputedStyle(node).color), ground);
        const [low, high] = [luminance(ink), luminance(ground)].sort((a, b) => a - b);
        const ratio = (high + 0.05) / (low + 0.05);
        if (ratio >= least) continue;
        found.set(`${node.tagName}.${node.className}`, [Math.round(ratio * 100) / 100, words.slice(0, 40)]);
    }
    return [...found];
}"""


def poor_contrast(tab: LabPage, least: float = 4.5) -> list[Any]:
    """Kinds of text in the widgets whose contrast with what is behind it is below ``least``."""
    return list(tab.page.evaluate(POOR_CONTRAST, least))


WIDER = """() => [...document.querySelectorAll(".ag")].filter((root) => root.checkVisibility()).flatMap((root) => {
    const room = root.parentElement.getBoundingClientRect();
    const wide = root.getBoundingClientRect();
    const over = Math.max(root.scrollWidth - root.clientWidth, wide.right - room.right, room.left - wide.left);
    return over > 1 ? [[root.innerText.slice(0, 30), over]] : [];
})"""


def wider_than_their_place(tab: LabPage) -> list[Any]:
    """Widgets whose content does not fit into the width they have, with how much is lacking, in pixels."""
    return list(tab.page.evaluate(WIDER))
