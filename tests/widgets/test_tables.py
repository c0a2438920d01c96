"""Tables: rows that changed, and what stands above them."""

import pytest

from aurigraph_nb import widgets
from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.widgets.table_base import DETAIL_CHARS

from .doubles import START_NS, FakeFeed

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


# ---- what is shown, as Python has it


def peers(feed, count):
    for i in range(count):
        status = "CONNECTED" if i % 2 else "DISCONNECTED"
        feed["network"].put(peer_id=f"p{i}", status=status, latency_ms=float(i % 5), uptime_s=3600.0 * i)


def test_to_pandas_gives_the_rows_and_columns_as_they_are_shown(desk, feed):
    peers(feed, 6)
    table = widgets.LiveTable(feed["network"], columns=["peer_id", "status", "latency_ms", "uptime_s"])
    assert table.to_pandas().shape == (6, 4)
    table._ui = {
        "sort": 2,
        "down": True,
        "then": [[0, False]],
        "filters": {"3": ">=3,600"},
        "columns": {"1": False},
        "filter": "p",
    }
    frame = table.to_pandas()
    assert list(frame.columns) == ["peer_id", "latency_ms", "uptime_s"]
    assert frame["peer_id"].tolist() == ["p4", "p3", "p2", "p1", "p5"]
    assert str(frame["latency_ms"].dtype) == "float64"
    assert frame.index.tolist() == [0, 1, 2, 3, 4]


def test_to_pandas_leaves_out_optional_columns_without_a_value(desk, feed):
    feed["validators"].put(id="v1", status="ACTIVE")
    feed["validators"].put(id="v2", delegators=5)
    assert "delegators" in widgets.ValidatorTable(feed).to_pandas()
    assert "total_staked" not in widgets.ValidatorTable(feed).to_pandas()


def test_to_pandas_shows_newest_rows_first_where_the_table_does_and_takes_nothing_from_the_page(desk, feed):
    table = widgets.LiveTable(feed["metrics"], columns=["tps"])
    page = desk.open(table)
    page.take()
    for i in range(250):
        feed["metrics"].put(tps=float(i))
    assert table.to_pandas()["tps"].tolist() == [float(i) for i in range(249, 49, -1)]
    assert len(page.one()["rows"]) == 200


def test_rows_of_a_store_are_not_lost_to_the_page_by_looking_at_them(desk, feed):
    table = widgets.LiveTable(feed["network"], key="city", columns=["city", "peer_id"])
    page = desk.open(table)
    page.take()
    feed["network"].put(peer_id="p1", city="Oslo")
    assert table.to_pandas()["peer_id"].tolist() == ["p1"]
    assert rows_of(page.one()) == {"Oslo": ["Oslo", "p1"]}


def test_an_empty_table_is_an_empty_frame_with_its_columns(desk, feed):
    frame = widgets.LiveTable(feed["network"], columns=["peer_id", "latency_ms"]).to_pandas()
    assert frame.empty and list(frame.columns) == ["peer_id", "latency_ms"]


# ---- selection


def test_the_selection_can_be_read_observed_and_set(desk, feed):
    peers(feed, 4)
    table = widgets.LiveTable(feed["network"], columns=["peer_id"])
    seen = []
    table.observe(lambda change: seen.append(change["new"]), "selected")
    table.set_state({"selected": ["p3", "p1", "p3", "gone"]})  # as the page sends it
    assert table.selected == seen[-1] == ["p3", "p1", "gone"]
    assert table.to_pandas(selected=True)["peer_id"].tolist() == ["p1", "p3"]
    table.selected = ["p2"]
    assert table.comm.updates[-1]["state"] == {"selected": ["p2"]}


@pytest.mark.parametrize("keys", [[1.5], [None], [True], [["p1"]], list(range(10_001))])
def test_a_selection_holds_keys_and_not_too_many(desk, feed, keys):
    table = widgets.LiveTable(feed["network"])
    with pytest.raises(BadOptionType, match="selected: expected at most 10,000 keys of rows"):
        table.selected = keys
    assert table.selected == []


# ---- details


def details_of(page, key):
    page.comm.say(kind="detail", page=page.page, key=key)
    page.desk.run(0.1)
    return [m for m, _ in page.comm.messages if m["kind"] == "detail"]


def test_a_row_tells_all_its_fields_when_asked(desk, feed):
    feed["transactions"].put(hash="0xa", value=10**30, value_text="1", sender="x" * 9999, status="PENDING")
    page = desk.open(widgets.TransactionList(feed))
    page.take()
    (answer,) = details_of(page, "0xa")
    fields = dict(answer["fields"])
    assert fields["Value"] == "1" + "0" * 30
    assert fields["Timestamp (UTC)"] == "2026-01-01T00:00:00.000Z"
    assert len(fields["Sender"]) == DETAIL_CHARS
    assert "Gas used" not in fields and "N" not in fields


def test_the_numbers_of_a_detail_read_as_those_of_the_table(desk, feed):
    feed["validators"].put(id="v1", voting_power=1148074.0, uptime_percent=98.281234, last_block_proposed=4213009)
    page = desk.open(widgets.ValidatorTable(feed))
    page.take()
    fields = dict(details_of(page, "v1")[0]["fields"])
    assert fields["Voting power"] == "1,148,074"
    assert (fields["Uptime (%)"], fields["Last block proposed"]) == ("98.281234", "4,213,009")


@pytest.mark.parametrize("key", [None, 1.5, ["0xa"], {"a": 1}, "x" * 2000])
def test_only_keys_are_looked_up(desk, feed, key):
    page = desk.open(widgets.TransactionList(feed))
    page.take()
    assert details_of(page, key) == []


def test_a_row_that_is_gone_has_no_fields(desk, feed):
    page = desk.open(widgets.TransactionList(feed))
    page.take()
    assert details_of(page, "0xgone")[0]["fields"] == []


# ---- forms of numbers, sparklines, order


def test_units_and_forms_of_numbers_are_for_the_reader_to_choose(desk, feed):
    feed["network"].put(peer_id="p1", uptime_s=5400.0, inbound_bytes=2_500_000, latency_ms=12.3456)
    table = widgets.LiveTable(
        feed["network"],
        columns=["peer_id", "uptime_s", "inbound_bytes", "latency_ms"],
        units={"uptime_s": "h", "inbound_bytes": "MB"},
        formats={"latency_ms": 1, "inbound_bytes": "short"},
    )
    told = {c["label"]: (c["unit"], c["digits"], c.get("short", False)) for c in table.comm.state["_setup"]["columns"]}
    assert told == {
        "Peer ID": ("", None, False),
        "Uptime": ("h", None, False),
        "Inbound": ("MB", None, True),
        "Latency": ("ms", 1, False),
    }
    assert rows_of(desk.open(table).one())["p1"] == ["p1", 1.5, 2.5, 12.3]


def test_a_sparkline_brings_only_the_points_that_are_new(desk, feed):
    for value in (1.0, 2.0):
        feed["network"].put(peer_id="p1", latency_ms=value)
    table = widgets.LiveTable(
        feed["network"], columns=["peer_id", "latency_ms"], sparklines={"latency_ms": 3}, units={"latency_ms": "s"}
    )
    assert labels_of(table) == ["Peer ID", "Latency", "Latency, course"]
    page = desk.open(table)
    assert rows_of(page.one())["p1"] == ["p1", 0.002, [0.001, 0.002]]
    feed["network"].put(peer_id="p1", latency_ms=3.0)
    feed["network"].put(peer_id="p1", status="CONNECTED")
    feed["network"].put(peer_id="p2")
    assert rows_of(page.one()) == {"p1": ["p1", 0.003, [0.003]], "p2": ["p2", None, []]}
    other = desk.open(table, "page-2")
    other.read = len(other.comm.messages) - 1
    assert rows_of(other.comm.messages[-1][0])["p1"][2] == [0.001, 0.002, 0.003]


def test_a_table_may_begin_in_an_order(desk, feed):
    peers(feed, 3)
    table = widgets.LiveTable(feed["network"], columns=["peer_id", "latency_ms"], sort=["-latency_ms", "peer_id"])
    assert table.comm.state["_setup"]["sort"] == [{"column": 1, "down": True}, {"column": 0, "down": False}]
    assert table.to_pandas()["peer_id"].tolist() == ["p2", "p1", "p0"]


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"sort": "-nope"}, BadOption, "no column '-nope' here; there are peer_id, latency_ms"),
        ({"sort": 5}, BadOptionType, "sort=5: expected a column"),
        ({"units": {"latency_ms": "kg"}}, BadOption, "'latency_ms' can be shown in ns, µs, ms"),
        ({"units": {"peer_id": "s"}}, BadOption, "'peer_id' has no unit that can be changed"),
        ({"units": {"city": "s"}}, BadOption, "'city' is no column of this table; it has peer_id, latency_ms"),
        ({"units": "s"}, BadOptionType, "units='s': expected a mapping"),
        ({"formats": {"latency_ms": 99}}, BadOption, "decimals from 0 to 12"),
        ({"formats": {"latency_ms": True}}, BadOption, "cannot be shown as True"),
        ({"formats": {"peer_id": 2}}, BadOption, "'peer_id' holds no numbers"),
        ({"sparklines": ["peer_id"]}, BadOption, "no column of numbers here; those are latency_ms"),
        ({"sparklines": {"latency_ms": 61}}, BadOption, "61 points of 'latency_ms'; expected 2 to 60"),
        ({"sparklines": "latency_ms"}, BadOptionType, "sparklines='latency_ms': expected a list"),
    ],
)
def test_an_order_unit_or_form_that_makes_no_sense_is_refused(desk, feed, options, error, words):
    with pytest.raises(error, match=words):
        widgets.LiveTable(feed["network"], columns=["peer_id", "latency_ms"], **options)


def test_rows_that_come_once_have_no_course(desk, feed):
    with pytest.raises(BadOption, match="give it a key whose values have a course"):
        widgets.LiveTable(feed["metrics"], sparklines=["tps"])


# ---- validators: updates and totals


def test_the_updates_of_validators_travel_once_and_come_anew_with_a_snapshot(desk, feed):
    feed["validators"].put(id="v1", status="ACTIVE")
    table = widgets.ValidatorTable(feed)
    page = desk.open(table)
    assert page.one()["history_reset"] is True
    feed["validators"].put(id="v1", status="JAILED")
    message = page.one()
    assert message["history"] == [[0, "v1", START_NS / 1e6 + 1000, "warning", "v1: status ACTIVE → JAILED"]]
    assert "history_reset" not in message
    feed["validators"].put(id="v1", voting_power=1.0)
    assert "history" not in page.one()
    page.hello()
    assert len(page.one()["history"]) == 1


def test_a_table_keeps_as_many_updates_as_it_was_told(desk, feed):
    table = widgets.ValidatorTable(feed, history=70)
    page = desk.open(table)
    page.take()
    for i in range(100):
        feed["validators"].put(id="v1", last_block_proposed=i)
    assert [update[0] for update in page.one()["history"]] == list(range(29, 99))
    assert feed["validators"].state.updates.keep == 70


def test_without_a_history_no_updates_travel(desk, feed):
    table = widgets.ValidatorTable(feed, history=0)
    assert "history" not in table.comm.state["_setup"]
    feed["validators"].put(id="v1", status="ACTIVE")
    feed["validators"].put(id="v1", status="JAILED")
    assert "history" not in desk.open(table).one()


@pytest.mark.parametrize(
    "history, error", [(-1, BadOption), (5001, BadOption), (1.5, BadOptionType), (True, BadOptionType)]
)
def test_a_history_out_of_bounds_is_refused(desk, feed, history, error):
    with pytest.raises(error, match="expected a whole number of events from 0 to 5,000"):
        widgets.ValidatorTable(feed, history=history)


def test_the_totals_of_validators_are_exact_in_their_tooltips(desk, feed):
    feed["validators"].put(id="v1", status="ACTIVE", voting_power=1_500_000.0, total_staked=10**30)
    feed["validators"].put(id="v2", status="ACTIVE", voting_power=500_000.0, total_staked=1)
    feed["validators"].put(id="v3", status="JAILED")
    assert desk.open(widgets.ValidatorTable(feed)).one()["totals"] == [
        ["Active", "2", "validators"],
        ["Jailed", "1", "validators"],
        ["Voting power", "2.00M", "2,000,000, 2 validators"],
        ["Stake", "1000000000000000000T", f"{10**30 + 1:,}, 2 validators"],
    ]


# ---- transactions: new on the feed's clock, cleared


def test_new_ends_when_the_clock_of_the_feed_says_so(desk, feed):
    feed["transactions"].put(hash="0xa", recv_ns=START_NS)
    page = desk.open(widgets.TransactionList(feed))
    first = page.one()
    assert (first["fresh"], first["hold"]) == ([["0xa", 5000]], True)
    assert page.take(10) == [], "the feed's clock stands still"
    feed.clock_ns += 5 * SECOND
    assert page.one()["fresh"] == [["0xa", 0]]
    assert page.take(2) == []


def test_the_button_clears_the_list_and_not_the_store(desk, feed):
    feed["transactions"].put(hash="0xa")
    page = desk.open(widgets.TransactionList(feed))
    page.take()
    page.comm.say(kind="clear", page="page-1")
    message = page.one()
    assert (message["rows"], message["reset"]) == ([], True)
    assert (len(feed["transactions"].store), feed["transactions"].state.total) == (1, 1)


# ---- budgets


def test_fifty_changes_at_five_hertz_in_ten_thousand_rows_cost_at_most_five_kilobytes_each(desk, feed):
    topic = feed["validators"]
    for i in range(10_000):
        topic.put(id=f"validator-{i:05}", status="ACTIVE", voting_power=1e6 + i)
    table = widgets.LiveTable(topic, columns=["id", "status", "voting_power", "uptime_percent"], rate_hz=5)
    page = desk.open(table)
    page.take(1)
    before = table.flow
    for second in range(25):
        for i in range(50):
            topic.put(id=f"validator-{i * 199:05}", voting_power=1e6 + second, uptime_percent=99.5)
        page.take(0.2)
    after = table.flow
    assert after.snapshots == before.snapshots
    assert (after.bytes - before.bytes) / (after.sent - before.sent) <= 5_000
    assert after.sent - before.sent <= 25


def test_columns_that_nobody_asked_for_are_shown_as_far_as_they_have_a_value(desk, feed):
    own = {c["label"]: c.get("optional", False) for c in widgets.LiveTable(feed["network"])._setup["columns"]}
    assert own["Timestamp"] is False and own["City"] is True
    asked = widgets.LiveTable(feed["network"], columns=["peer_id", "city"])._setup["columns"]
    assert not any(c.get("optional") for c in asked)


def test_a_table_has_the_name_of_its_topic_as_a_heading(desk):
    assert widgets.LiveTable(FakeFeed("fakeai")["rate_limits"])._setup["title"] == "Rate limits"


def test_a_table_without_any_row_has_the_head_of_all_its_columns(desk, feed):
    assert {"peer_id", "city"} <= set(widgets.LiveTable(feed["network"]).to_pandas().columns)
    feed["network"].put(peer_id="a")
    shown = set(widgets.LiveTable(feed["network"]).to_pandas().columns)
    assert "peer_id" in shown and "city" not in shown
