"""What must not grow: heap and nodes of a page, and memory of the server, while a dashboard is left open.

Run by hand with ``-m long --log-cli-level=INFO``, which tells the figures.
"""

from __future__ import annotations

import logging
import time

import pytest

from .harness import open_page, until
from .measures import PageSize, kernel, page_size, server_memory

pytestmark = pytest.mark.long

SETUP = """import aurigraph_nb as ag, ipywidgets
from aurigraph_nb.widgets import NetworkMap
feed = ag.simulate(seed=7, rate=200)
_ = [feed[topic].wait(1, timeout=30) for topic in feed.topics]
dashboard, peers = ag.Dashboard(feed), NetworkMap(feed)
watched = [*dashboard.widgets, peers]
"""
RATE_HZ, WARM_S, FOR_S, EVERY_S = 200, 30, 180, 15
MB = 1_000_000
ROWS = "sum(feed[topic].store.count for topic in feed.topics)"
log = logging.getLogger(__name__)


def after(moment: float) -> None:
    until(lambda: time.monotonic() >= moment, "time to pass", EVERY_S + WARM_S + 30, pause_s=0.5)


def test_heap_and_nodes_of_an_open_dashboard_stay_flat_for_three_minutes(lab, chromium):
    context = chromium.new_context(viewport={"width": 1400, "height": 2400})
    with open_page(lab, context) as tab:
        tab.open(lab.write("endurance.ipynb", [SETUP, "ipywidgets.VBox([dashboard, peers])"])).run_all(120)
        until(lambda: kernel(tab, "all(w.flow.sent > 3 for w in watched)"), "every widget to be shown", 60)
        start = time.monotonic()
        after(start + WARM_S)
        rows, memory = kernel(tab, ROWS), server_memory(lab)
        sizes: list[PageSize] = []
        for at in range(WARM_S, WARM_S + FOR_S + 1, EVERY_S):
            after(start + at)
            sizes.append(page_size(tab))
            log.info("%4d s  heap %.1f MB, %d nodes, %d listeners", at, sizes[-1].heap / MB, *sizes[-1][1:])
        came, later = kernel(tab, ROWS) - rows, server_memory(lab)
        flows = kernel(tab, "{repr(w): w.flow.to_dict() for w in watched}")
        log.info("%d rows; server %+.1f MB; %s", came, (later - memory) / MB, flows)
        tab.assert_clean()
        assert kernel(tab, "[w.last_error for w in watched if w.errors]") == []
    context.close()
    lab.end_kernels()
    assert came >= 0.8 * RATE_HZ * FOR_S
    early, late = sizes[: len(sizes) // 3], sizes[-(len(sizes) // 3) :]
    assert typical(late, "heap") <= 1.1 * typical(early, "heap") + 2 * MB
    assert typical(late, "nodes") <= 1.1 * typical(early, "nodes") + 100
    assert typical(late, "listeners") <= 1.1 * typical(early, "listeners") + 20
    assert later - memory <= 10 * MB


def typical(sizes: list[PageSize], what: str) -> float:
    """The median of one figure: a single collection may come at a bad moment."""
    return sorted(getattr(size, what) for size in sizes)[len(sizes) // 2]
