"""What a widget costs over time on feeds far faster than the default ones: its bytes are bounded all the same."""

import pytest

from aurigraph_nb import widgets
from aurigraph_nb.widgets.flow import DEFAULT_RATE_HZ

from .doubles import START_NS, FakeFeed

BYTES_PER_S, WARM_S, OVER_S, STEP_S = 20_000, 6, 24, 0.125


def fast(topic, rows_per_s, page, seconds, row):
    """Let ``seconds`` pass, in which rows come evenly; everything that comes is acknowledged at once."""
    came = topic.store.count
    for step in range(round(seconds / STEP_S)):
        for n in range(came + round(step * STEP_S * rows_per_s), came + round((step + 1) * STEP_S * rows_per_s)):
            topic.put(recv_ns=START_NS + round(n * 1e9 / rows_per_s), **row(n))
        page.take(STEP_S)


def spent(widget, topic, rows_per_s, desk, row):
    """Bytes and messages a second of a widget, once it has warmed up."""
    page = desk.open(widget)
    fast(topic, rows_per_s, page, WARM_S, row)
    before = widget.flow
    fast(topic, rows_per_s, page, OVER_S, row)
    after = widget.flow
    return (after.bytes - before.bytes) / OVER_S, (after.sent - before.sent) / OVER_S


def a_transaction(n):
    return {
        "hash": f"0x{n:064x}",
        "status": "PENDING",
        "value_text": str(n * 10**18),
        "sender": f"0x{n:040x}",
        "recipient": f"0x{n + 1:040x}",
        "gas_used": 21_000,
    }


def metrics_of(n):
    return {"tps": float(n % 977), "cpu_percent": n % 101 / 1.01}


def a_leader(n):
    return {"leader": f"validator-{n:05}"}


LINES = ["cpu_percent", "memory_percent", "gpu_percent", "gpu_memory_percent", "disk_percent", "network_in_bytes"]
LINES += ["network_out_bytes", "queue_size"]


def system_of(n):
    return {name: float((n * 37 + k * 11) % 101) for k, name in enumerate(LINES)}


KINDS = {
    "transactions": ("portal", "transactions", a_transaction, lambda topic: widgets.TransactionList(topic)),
    "table by key": ("portal", "transactions", a_transaction, lambda topic: widgets.LiveTable(topic)),
    "newest rows": ("portal", "metrics", metrics_of, lambda topic: widgets.LiveTable(topic)),
    "log": ("portal", "consensus", a_leader, lambda topic: widgets.EventLog(topic, keep=5_000)),
    "chart": ("portal", "metrics", metrics_of, lambda topic: widgets.LiveChart(topic, y="tps")),
    "eight lines": ("fakeai", "system", system_of, lambda topic: widgets.LiveChart(topic, y=LINES)),
    "eight lines in a minute": (
        "fakeai",
        "system",
        system_of,
        lambda topic: widgets.LiveChart(topic, y=LINES, last="1min"),
    ),
}


@pytest.mark.parametrize("rows_per_s", [70, 400])
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_fast_feed_stays_within_the_budget(desk, kind, rows_per_s):
    protocol, name, row, make = KINDS[kind]
    topic = FakeFeed(protocol)[name]
    nbytes, messages = spent(make(topic), topic, rows_per_s, desk, row)
    assert 0 < nbytes <= BYTES_PER_S
    assert 0.2 <= messages <= DEFAULT_RATE_HZ + 0.1
