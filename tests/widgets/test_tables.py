"""Tables: rows that changed, and what stands above them."""

import pytest

from aurigraph_nb import widgets
from aurigraph_nb.errors import BadOption, BadOptionType

from .doubles import START_NS

SECOND = 1_000_000_000


def rows_of(message):
    return {row[0]: row[1:] for row in message["rows"]}


def labels_of(widget):
    return [column["label"] for column in widget.comm.state["_setup"]["columns"]]


def test_a_changed_validator_travels_alone(desk, feed):
    for i in range(5):
        feed["validators"].put(id=f"v{i}", status="ACTIVE", voting_power=10.0)
    page = desk.open(widgets.ValidatorTable(feed))
    assert len(page.one()["rows"]) == 5
    feed["validators"].put(id="v3", status="JAILED")
    message = page.one()
    assert list(rows_of(message)) == ["v3"]
    assert rows_of(message)["v3"][2:4] == ["JAILED", 10.0]
    assert "caption" not in message


def test_the_validator_table_says_how_many_of_all_were_seen(desk, feed):
    table = widgets.ValidatorTable(feed)
    page = desk.open(table)
    assert page.one()["caption"] == {}
    feed["validators"].put(id="v1")
    assert page.one()["caption"] == {"text": "1 seen"}
    feed["validators"].state.expect(20)
    assert page.one()["caption"] == {"text": "1 of 20 seen"}


def test_several_updates_of_one_row_are_merged_and_counted(desk, feed):
    table = widgets.ValidatorTable(feed)
    page = desk.open(table)
    page.take()
    for power in range(10):
        feed["validators"].put(id="v1", voting_power=float(power))
    message = page.one()
    assert rows_of(message)["v1"][3] == 9.0
    assert table.flow.merged == 9


def test_transactions_are_new_for_five_seconds_on_the_clock_of_the_feed(desk, feed):
    feed["transactions"].put(hash="0xa", recv_ns=START_NS)
    feed["transactions"].put(hash="0xb", recv_ns=START_NS + 3 * SECOND)
    feed.clock_ns = START_NS + 5 * SECOND
    message = desk.open(widgets.TransactionList(feed)).one()
    assert message["fresh"] == [["0xb", 3000]]
    assert message["caption"] == {"text": "2 in total"}


def test_transactions_that_leave_the_list_are_removed(desk, feed):
    page = desk.open(widgets.TransactionList(feed))
    page.take()
    for i in range(120):
        feed["transactions"].put(hash=f"0x{i}")
    message = page.one()
    assert len(message["rows"]) == 100
    assert message["caption"] == {"text": "120 in total"}
    feed["transactions"].put(hash="0xnew")
    message = page.one()
    assert (list(rows_of(message)), message["removed"]) == (["0xnew"], ["0x20"])


def test_a_cleared_list_is_replaced_as_a_whole(desk, feed):
    feed["transactions"].put(hash="0xa")
    page = desk.open(widgets.TransactionList(feed))
    page.take()
    feed["transactions"].state.clear()
    message = page.one()
    assert (message["rows"], message["reset"]) == ([], True)


def test_a_transaction_list_works_from_a_topic_alone(desk, feed):
    topic = feed["transactions"]
    topic.feed = None
    topic.put(hash="0xa")
    assert "fresh" not in desk.open(widgets.TransactionList(topic)).one()


def test_values_beyond_a_float_stay_exact(desk, feed):
    feed["transactions"].put(hash="0xa", value=10**30, value_text=str(10**30))
    table = widgets.LiveTable(feed["transactions"], columns=["value", "value_text"])
    assert rows_of(desk.open(table).one())["0xa"] == [str(10**30), str(10**30)]


def test_the_peer_table_says_how_many_are_connected(desk, feed):
    page = desk.open(widgets.PeerTable(feed))
    assert page.one()["caption"] == {}
    feed["network"].put(peer_id="p1", status="CONNECTED", latency_ms=20.0)
    feed["network"].put(peer_id="p2", status="DISCONNECTED")
    feed["network"].put(peer_id="p3", status="CONNECTED", latency_ms=31.0)
    assert page.one()["caption"] == {
        "text": "2 of 3 connected",
        "hint": "25.5 ms latency on average",
        "badge": "DEGRADED",
        "bar": 2 / 3,
    }


def test_figures_are_shown_in_the_unit_of_their_header(desk, feed):
    feed["network"].put(peer_id="p1", uptime_s=9000.0, inbound_bytes=2_345_678)
    table = widgets.PeerTable(feed)
    cells = dict(zip(labels_of(table), rows_of(desk.open(table).one())["p1"], strict=True))
    assert (cells["Uptime"], cells["In"]) == (2.5, 2.35)
    units = {c["label"]: c["unit"] for c in table.comm.state["_setup"]["columns"]}
    assert (units["Uptime"], units["In"], units["Latency"]) == ("h", "MB", "ms")


def test_any_topic_can_be_shown_newest_rows_first(desk, feed):
    table = widgets.LiveTable(feed["metrics"])
    assert table.comm.state["_setup"]["newest_first"] is True
    page = desk.open(table)
    page.take()
    feed["metrics"].put(tps=5.0)
    message = page.one()
    assert rows_of(message)[0][:2] == [START_NS / 1e6, 5.0]


def test_any_column_can_be_the_key(desk, feed):
    table = widgets.LiveTable(feed["network"], key="city", columns=["peer_id", "city"])
    feed["network"].put(peer_id="p1", city="Oslo")
    feed["network"].put(peer_id="p2", city="Oslo")
    assert rows_of(desk.open(table).one()) == {"Oslo": ["p2", "Oslo"]}


def test_a_keyed_topic_is_shown_by_its_own_key(desk, feed):
    feed["validators"].put(id="v1", status="ACTIVE")
    feed["validators"].put(id="v1", voting_power=3.0)
    table = widgets.LiveTable(feed["validators"], columns=["status", "voting_power"], title="All")
    assert rows_of(desk.open(table).one()) == {"v1": ["ACTIVE", 3.0]}
    assert table.comm.state["_setup"]["title"] == "All"


def test_by_default_a_table_shows_the_columns_of_its_topic(desk, feed):
    assert labels_of(widgets.LiveTable(feed["metrics"]))[:3] == ["Timestamp", "TPS", "CPU"]
    assert "Extra" not in labels_of(widgets.LiveTable(feed["metrics"]))


def test_ten_thousand_rows_and_five_hundred_changes_stay_small(desk, feed):
    topic = feed["network"]
    for i in range(10_000):
        topic.put(peer_id=f"p{i}", status="CONNECTED", latency_ms=1.0)
    table = widgets.LiveTable(topic, key="peer_id", columns=["peer_id", "latency_ms"])
    page = desk.open(table)
    assert len(page.one()["rows"]) == 10_000
    before = table.flow.bytes
    for i in range(50):
        topic.put(peer_id=f"p{i}", latency_ms=2.0)
    assert len(page.one()["rows"]) == 50
    assert table.flow.bytes - before < 5_000


@pytest.mark.parametrize(
    "options, words",
    [
        ({"key": "nope"}, "key='nope': Validator has no such column; it has timestamp, id"),
        ({"columns": ["id", "nope"]}, "expected some of timestamp, id"),
        ({"columns": []}, "expected some of"),
    ],
)
def test_a_bad_option_of_a_table_is_refused(desk, feed, options, words):
    with pytest.raises(BadOption, match=words):
        widgets.LiveTable(feed["validators"], **options)


@pytest.mark.parametrize("columns", ["id", 5])
def test_columns_have_to_be_a_list(desk, feed, columns):
    with pytest.raises(BadOptionType, match="a list of column names"):
        widgets.LiveTable(feed["validators"], columns=columns)
