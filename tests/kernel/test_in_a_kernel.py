"""Feeds in a real Jupyter kernel: queued cells, blocking cells, loops of the user, patched loops."""

from __future__ import annotations

import queue

import pytest
from jupyter_client.manager import start_new_kernel

START_LIMIT_S = 60
CELL_LIMIT_S = 90


class Kernel:
    """A kernel and a client: cells are sent as Run All sends them, all at once."""

    def __init__(self) -> None:
        self.manager, self.client = start_new_kernel(startup_timeout=START_LIMIT_S, kernel_name="python3")

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run_all(self, *cells: str) -> list[str]:
        """Queue the cells at once and return what each printed.

        A cell that is never answered fails the test, as does one that raises.
        """
        ids = [self.client.execute(cell) for cell in cells]
        answered: dict[str, dict[str, object]] = {}
        while len(answered) < len(ids):
            try:
                reply = self.client.get_shell_msg(timeout=CELL_LIMIT_S)
            except queue.Empty:
                lost = [i for i, cell in enumerate(ids) if cell not in answered]
                pytest.fail(f"cells {lost} were never run")
            if reply["parent_header"].get("msg_id") in ids:  # and not a late answer to a question from the start
                answered[reply["parent_header"]["msg_id"]] = reply["content"]
        for i, cell in enumerate(ids):
            content = answered[cell]
            assert content["status"] == "ok", f"cell {i}: {content.get('ename')}: {content.get('evalue')}"
        return self._printed(ids)

    def _printed(self, ids: list[str]) -> list[str]:
        printed = dict.fromkeys(ids, "")
        idle: set[str] = set()
        while not idle.issuperset(ids):
            message = self.client.get_iopub_msg(timeout=CELL_LIMIT_S)
            cell = message["parent_header"].get("msg_id")
            if message["msg_type"] == "stream" and cell in printed and message["content"]["name"] == "stdout":
                printed[cell] += message["content"]["text"]
            elif message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                idle.add(cell)
        return [text.strip() for text in printed.values()]


@pytest.fixture
def kernel():
    kernel = Kernel()
    yield kernel
    kernel.close()


SIX_CELLS = (
    "import aurigraph_nb as ag, asyncio\nfeed = ag.simulate(seed=3, rate=50)\nseen = []",
    "subscription = feed.metrics.on_record(seen.append)\nprint(feed.metrics.wait(2, timeout=30) >= 2)",
    "print(len(feed.transactions.take(5, timeout=30)))",
    "print(await feed.metrics.wait_async(3, timeout=30) >= 3)",
    "print(len(await feed.validators.take_async(1, timeout=30)))",
    "feed.metrics.wait(4, timeout=30); subscription.close(); feed.close(); print(len(seen) >= 3, feed.status.state)",
)
PRINTED = ["", "True", "5", "True", "1", "True CLOSED"]


def test_a_run_all_of_six_cells_loses_none(kernel):
    assert kernel.run_all(*SIX_CELLS) == PRINTED


def test_a_run_all_of_six_cells_loses_none_beside_a_patched_loop(kernel):
    """nest-asyncio is not needed here; whoever applies it all the same must not lose a cell."""
    first = "import nest_asyncio2\nnest_asyncio2.apply()\n" + SIX_CELLS[0]
    assert kernel.run_all(first, *SIX_CELLS[1:]) == PRINTED


def test_a_cell_that_blocks_does_not_stop_the_store(kernel):
    """The main thread is held for as long as fifty rows take; they all come meanwhile."""
    printed = kernel.run_all(
        "import aurigraph_nb as ag, threading\n"
        "feed = ag.simulate(seed=3, rate=50)\n"
        "feed.transactions.wait(1, timeout=30)",
        "before = feed.transactions.store.count\n"
        "done = threading.Event()\n"
        "def count(row):\n"
        "    if feed.transactions.store.count >= before + 50: done.set()\n"
        "feed.transactions.on_record(count)\n"
        "print(done.wait(60), feed.transactions.store.count >= before + 50)",
    )
    assert printed[1] == "True True"


def test_running_the_cell_five_times_leaves_one_of_everything(kernel):
    cell = (
        "import aurigraph_nb as ag\n"
        "feed = ag.simulate(seed=4)\n"
        "chart = ag.TPSChart(feed)\n"
        "dashboard = ag.Dashboard(feed)\n"
        "feed.metrics.wait(1, timeout=30)\n"
    )
    printed = kernel.run_all(
        *[cell] * 5,
        "import threading\n"
        "from aurigraph_nb import iothread, registry\n"
        "all(feed[t].wait(1, timeout=30) for t in feed.topics)\n"
        "names = [t.name for t in threading.enumerate()]\n"
        "print(names.count(iothread.NAME), len(registry.feeds()), sum(feed.node.stats().connections.values()))",
    )
    assert printed[-1] == "1 1 5"


def test_a_feed_serves_a_coroutine_of_the_user_while_cells_go_on(kernel):
    printed = kernel.run_all(
        "import aurigraph_nb as ag, asyncio\n"
        "feed = ag.simulate(seed=3, rate=50)\n"
        "rows = []\n"
        "async def collect():\n"
        "    async for row in feed.transactions:\n"
        "        rows.append(row)\n"
        "        if len(rows) == 10:\n"
        "            return\n"
        "task = asyncio.create_task(collect())",
        "await asyncio.wait_for(task, 30); print(len(rows), [r.n for r in rows] == sorted(r.n for r in rows))",
    )
    assert printed[-1] == "10 True"
