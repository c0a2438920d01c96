"""The rows behind a table, and their changes."""

from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.schema import Peer, Transaction, Validator
from aurigraph_nb.state import Keyed
from aurigraph_nb.widgets.rows import (
    BATCH_ROWS,
    MAX_ROWS,
    NewestRows,
    StateRows,
    StoreRows,
    TableColumn,
    cell,
    column_for,
)

from .doubles import FakeTopic


def follow(rows, shown, mark):
    """What a front end does with the changes; returns the new mark."""
    changes = rows.since(mark)
    if changes.reset or mark is None:
        shown.clear()
    for key in changes.removed:
        shown.pop(key, None)
    shown.update(changes.changed)
    return changes.mark


def test_rows_of_a_state_follow_it():
    topic = FakeTopic("validators", Validator)
    rows, shown = StateRows(lambda: topic.state.current, topic.lock), {}
    mark = follow(rows, shown, None)
    topic.put(id="a", status="ACTIVE")
    topic.put(id="b", status="ACTIVE")
    assert rows.mark() != mark
    mark = follow(rows, shown, mark)
    topic.put(id="a", status="JAILED")
    changes = rows.since(mark)
    assert [(key, row.status) for key, row in changes.changed] == [("a", "JAILED")]
    assert (changes.arrived, changes.removed, changes.reset) == (1, [], False)


def test_many_changes_of_one_row_arrive_as_one():
    keyed = Keyed()
    rows = StateRows(lambda: keyed)
    for i in range(10):
        keyed.upsert("a", i)
    changes = rows.since(0)
    assert (changes.changed, changes.arrived) == ([("a", 9)], 10)


def test_a_cleared_state_resets_its_readers():
    keyed = Keyed()
    keyed.upsert("a", 1)
    rows, shown = StateRows(lambda: keyed), {}
    mark = follow(rows, shown, None)
    keyed.clear()
    keyed.upsert("b", 2)
    assert rows.since(mark).reset
    follow(rows, shown, mark)
    assert shown == {"b": 2}


def test_a_state_of_any_size_gives_a_bounded_snapshot_of_its_newest_rows():
    keyed = Keyed(limit=2 * MAX_ROWS)
    for i in range(MAX_ROWS + 5):
        keyed.upsert(i, i)
    changed = StateRows(lambda: keyed).since(None).changed
    assert len(changed) == MAX_ROWS
    assert changed[-1] == (MAX_ROWS + 4, MAX_ROWS + 4)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3), st.booleans()), max_size=60))
def test_a_reader_that_comes_now_and_then_sees_what_the_state_has(steps):
    keyed, shown, mark = Keyed(limit=3, removals=2), {}, None
    rows = StateRows(lambda: keyed)
    for key, value, read in steps:
        keyed.remove(key) if value == 0 else keyed.upsert(key, value)
        if read:
            mark = follow(rows, shown, mark)
            assert shown == dict(keyed)


def test_rows_by_a_column_of_a_store_show_the_newest_of_each_value():
    topic = FakeTopic("network", Peer)
    rows, shown = StoreRows(topic.store, "city"), {}
    topic.put(peer_id="p1", city="Oslo")
    mark = follow(rows, shown, None)
    topic.put(peer_id="p2", city="Oslo")
    topic.put(peer_id="p3", city="Rome")
    topic.put(peer_id="p4", city=None)
    assert rows.mark() != mark
    mark = follow(rows, shown, mark)
    assert {city: row.peer_id for city, row in shown.items()} == {"Oslo": "p2", "Rome": "p3"}
    assert rows.mark() == mark


def test_rows_that_come_faster_than_they_can_be_read_are_counted_as_dropped():
    topic = FakeTopic("network", Peer)
    rows = StoreRows(topic.store, "peer_id")
    mark = rows.since(None).mark
    record = topic.put(peer_id="p1")
    topic.store.append([record] * (BATCH_ROWS + 9))
    assert rows.since(mark).dropped == 10


def test_the_newest_rows_of_a_store_come_and_go_by_number():
    topic = FakeTopic("transactions", Transaction)
    rows, shown = NewestRows(topic.store, keep=3), {}
    for i in range(2):
        topic.put(hash=f"h{i}")
    mark = follow(rows, shown, None)
    assert list(shown) == [0, 1]
    for i in range(2, 5):
        topic.put(hash=f"h{i}")
    mark = follow(rows, shown, mark)
    assert {key: row.hash for key, row in shown.items()} == {2: "h2", 3: "h3", 4: "h4"}
    for i in range(5, 15):
        topic.put(hash=f"h{i}")
    changes = rows.since(mark)
    assert changes.dropped == 7
    follow(rows, shown, mark)
    assert sorted(shown) == [12, 13, 14]


def test_rows_that_the_store_has_evicted_are_not_asked_for():
    topic = FakeTopic("transactions", Transaction, max_rows=2)
    rows, shown = NewestRows(topic.store, keep=5), {}
    for i in range(6):
        topic.put(hash=f"h{i}")
    follow(rows, shown, None)
    assert sorted(shown) == [4, 5]


def test_columns_are_shown_by_what_they_hold():
    kinds = {name: column_for(Peer, name).kind for name in ("latency_ms", "last_seen", "status", "peer_id")}
    assert kinds == {"latency_ms": "number", "last_seen": "time", "status": "badge", "peer_id": "text"}
    assert column_for(Peer, "latency_ms").unit == "ms"
    assert column_for(Transaction, "value").kind == "number"


def test_a_cell_is_what_its_column_says():
    peer = Peer(recv_ns=5_000_000, conn_epoch=1, n=0, inbound_bytes=2_500_000, address="x" * 999, gap_before=True)

    def shown(field, **more):
        return cell(peer, TableColumn(field=field, label=field, **more))

    assert shown("inbound_bytes", kind="number", scale=1e-6, digits=2) == 2.5
    assert shown("recv_ns", kind="time") == 5.0
    assert shown("latency_ms", kind="number") is None
    assert len(shown("address")) == 256
    assert shown("gap_before") == "yes"
