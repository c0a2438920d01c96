"""The widgets of the live stream, the channel provider and the inference stream."""

import threading

import pytest

from aurigraph_nb import widgets
from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.gaps import Cause, Certainty

from .doubles import START_NS, FakeFeed

LIMIT_S = 10


@pytest.fixture
def live(desk):
    return FakeFeed("live")


@pytest.fixture
def channels(desk):
    return FakeFeed("channels")


@pytest.fixture
def inference(desk):
    return FakeFeed("fakeai")


def texts_of(message):
    return {item["label"]: item["text"] for item in message["items"]}


def cells_of(widget, message):
    labels = [column["label"] for column in widget.comm.state["_setup"]["columns"]]
    return {row[0]: dict(zip(labels, row[1:], strict=True)) for row in message["rows"]}


# ---- live stream


def test_the_metrics_card_knows_the_live_stream(desk, live):
    live["metrics"].put(tps=950_000.0, peak_tps=1_200_000.0, average_tps=940_000.0, latency_ms=12.34)
    page = desk.open(widgets.MetricsCard(live))
    texts = texts_of(page.one())
    assert texts == {"TPS": "950k", "Peak": "1.20M", "Average": "940k", "Latency": "12.3 ms"}
    live["metrics"].put(tps=1.0, target_tps=2.0, source="rest")
    texts = texts_of(page.one())
    assert (texts["Target"], texts["Source"], texts["Peak"]) == ("2", "REST", "–")


def test_tps_above_the_peak_fills_the_bar(desk, live):
    live["metrics"].put(tps=2.0, peak_tps=1.0)
    items = desk.open(widgets.MetricsCard(live)).one()["items"]
    assert next(item["level"] for item in items if item["label"] == "Peak") == 1.0


def test_tps_of_the_live_stream_can_be_drawn(desk, live):
    live["metrics"].put(tps=1.0)
    assert desk.open(widgets.TPSChart(live)).one()["count"] == 1
    assert widgets.TPSChart(live["metrics"]).y == ("tps",)


def test_the_network_card_joins_nodes_and_validators(desk, live):
    page = desk.open(widgets.NetworkCard(live))
    assert page.one()["items"] == []
    live["network_status"].put(active_nodes=118, total_nodes=120, health="EXCELLENT", average_latency_ms=21.5)
    live["validator_summary"].put(total_validators=20, active_validators=18, inactive_validators=1, jailed_validators=1)
    assert texts_of(page.one()) == {
        "Health": "EXCELLENT",
        "Nodes": "118 of 120 active",
        "Mean latency": "21.5 ms",
        "Validators": "18 of 20 active",
        "Inactive": "1",
        "Jailed": "1",
    }
    assert live["network_status"].opened and live["validator_summary"].opened


def test_blocks_come_newest_first(desk, live):
    for height in (1, 2):
        live["blocks"].put(height=height, transactions=5, block_time_ms=500.0, producer="v")
    table = widgets.BlockTable(live)
    message = desk.open(table).one()
    assert [cells["Height"] for cells in cells_of(table, message).values()] == [1, 2]
    assert table.comm.state["_setup"]["newest_first"] is True


# ---- channels


def test_bandwidth_has_latency_in_a_panel_of_its_own(desk, channels):
    setup = widgets.BandwidthChart(channels).comm.state["_setup"]
    assert [(line["name"], line["unit"], line["panel"]) for line in setup["lines"]] == [
        ("Upload", "Mbit/s", 0),
        ("Download", "Mbit/s", 0),
        ("Latency", "ms", 1),
    ]
    assert setup["show"] == 50


def test_bandwidth_shows_fifty_rows(desk, channels):
    for i in range(80):
        channels["bandwidth"].put(upload_mbps=float(i))
    assert desk.open(widgets.BandwidthChart(channels)).one()["count"] == 50


def test_sessions_are_sorted_by_time_and_leave_when_they_end(desk, channels):
    sessions = channels["sessions"]
    sessions.put(action="new", session_id="s1", username="<b>ann</b>", session_time_s=90.0, upload_bytes=2_500_000)
    sessions.put(action="new", session_id="s2", username="bob", session_time_s=30.0)
    table = widgets.SessionTable(channels)
    page = desk.open(table)
    message = page.one()
    assert cells_of(table, message)["s1"]["User"] == "<b>ann</b>"
    assert (cells_of(table, message)["s1"]["Upload"], cells_of(table, message)["s1"]["Time"]) == (2.5, 1.5)
    assert message["caption"] == {"text": "2 on"}
    setup = table.comm.state["_setup"]
    assert setup["columns"][setup["sort"]["column"]]["label"] == "Time" and setup["sort"]["down"]
    assert setup["row_mark_ms"] == 2000
    sessions.put(action="terminate", session_id="s1")
    message = page.one()
    assert (message["removed"], message["caption"]) == (["s1"], {"text": "1 on"})


def test_a_json_column_has_room(desk, channels):
    table = widgets.LiveTable(channels["*"], columns=["channel", "payload"])
    assert [column["width"] for column in table.comm.state["_setup"]["columns"]] == [16, 60]


# ---- inference


def test_the_metrics_card_knows_both_shapes_of_inference(desk, inference):
    page = desk.open(widgets.MetricsCard(inference))
    page.take()
    inference["metrics"].put(requests_per_s=41.5, tokens_per_s=18_000.0, errors_per_s=0.5)
    assert list(texts_of(page.one())) == ["Requests per second", "Tokens per second", "Errors per second"]
    inference["metrics"].put(requests_per_s=41.5, error_rate=0.012, total_cost=1.5, total_requests=1234)
    texts = texts_of(page.one())
    assert (texts["Error rate"], texts["Cost"], texts["Requests"]) == ("1.20%", "1.5000", "1,234")


def test_models_stand_in_a_table(desk, inference):
    inference["models"].put(model="m1", request_count=10, error_rate=0.011, total_cost=0.5)
    table = widgets.ModelTable(inference)
    message = desk.open(table).one()
    cells = cells_of(table, message)["m1"]
    assert (cells["Requests"], cells["Error rate"], message["caption"]) == (10, 1.1, {"text": "1 model"})


def test_rate_limits_have_a_gauge(desk, inference):
    inference["rate_limits"].put(endpoint="/v1", limit=100, remaining=10, used_percent=90.0)
    table = widgets.RateLimits(inference)
    assert cells_of(table, desk.open(table).one())["/v1"]["Used"] == 90.0
    assert [c["kind"] for c in table.comm.state["_setup"]["columns"]][1] == "gauge"


def test_a_request_that_goes_on_updates_its_row(desk, inference):
    requests = inference["requests"]
    requests.put(id="r1", status="in_progress")
    table = widgets.RequestHistory(inference)
    page = desk.open(table)
    page.take()
    requests.put(id="r1", status="success", latency_ms=12.0)
    cells = cells_of(table, page.one())
    assert list(cells) == ["r1"] and cells["r1"]["Status"] == "success"


def test_the_clear_button_empties_the_list_and_leaves_the_store(desk, inference):
    requests = inference["requests"]
    requests.put(id="r1")
    page = desk.open(widgets.RequestHistory(inference))
    page.take()
    page.comm.say(kind="clear", page=page.page)
    assert requests.state.recent, "the handler only takes a note"
    message = page.one()
    assert message["reset"] and message["rows"] == []
    assert (requests.state.recent, requests.store.count) == ([], 1)


def test_a_table_without_the_button_cannot_be_cleared(desk, inference):
    inference["models"].put(model="m1")
    page = desk.open(widgets.ModelTable(inference))
    page.comm.say(kind="clear", page=page.page)
    page.take()
    assert len(inference["models"].state.current) == 1


def test_the_history_can_be_longer_or_shorter_than_the_topic_keeps(desk, inference):
    assert widgets.RequestHistory(inference, size=10).comm.state["_setup"]["keep"] == 10
    assert inference["requests"].state.current.limit == 100
    widgets.RequestHistory(inference, size=500)
    assert inference["requests"].state.current.limit == 500


@pytest.mark.parametrize(
    "size, error", [(0, BadOption), (10_001, BadOption), (True, BadOptionType), ("5", BadOptionType)]
)
def test_a_bad_size_is_refused(desk, inference, size, error):
    with pytest.raises(error, match="expected a whole number of requests from 1 to 10000"):
        widgets.RequestHistory(inference, size=size)


def test_the_health_of_the_machine_names_what_is_over_its_limit(desk, inference):
    page = desk.open(widgets.SystemHealth(inference))
    assert page.one()["items"] == []
    inference["system"].put(cpu_percent=91.0, memory_percent=40.0, queue_size=3, network_in_bytes=2_000_000)
    items = {item["label"]: item for item in page.one()["items"]}
    assert (items["Health"]["text"], items["Health"]["hint"]) == ("UNHEALTHY", "over the limit: cpu")
    assert "over the limit" in items["CPU"]["hint"] and items["Received"]["text"] == "2 MB"
    assert "GPU" not in items
    inference["system"].put(cpu_percent=50.0, gpu_percent=94.0)
    items = {item["label"]: item for item in page.one()["items"]}
    assert (items["Health"]["text"], items["GPU"]["text"]) == ("HEALTHY", "94.0%")


def test_aggregates_sum_over_the_models(desk, inference):
    page = desk.open(widgets.AggregateStats(inference))
    assert page.one()["items"] == []
    inference["models"].put(model="a", request_count=30, total_tokens=300, avg_latency_ms=100.0, error_count=3)
    inference["models"].put(model="b", request_count=10, total_tokens=100, avg_latency_ms=300.0, error_count=1)
    inference["requests"].put(id="r")
    inference["errors"].put(severity="low")
    inference["metrics"].put(requests_per_s=2.0)
    texts = texts_of(page.one())
    assert (texts["Models"], texts["Requests"], texts["Tokens"]) == ("2", "40", "400")
    assert (texts["Mean latency"], texts["Error rate"]) == ("150.0 ms", "10.00%")
    assert (texts["Requests per second"], texts["Recent requests"], texts["Recent errors"]) == ("2", "1", "1")


def test_sums_over_no_model_are_not_known_to_be_nought(desk, inference):
    inference["metrics"].put(requests_per_s=2.0)
    texts = texts_of(desk.open(widgets.AggregateStats(inference)).one())
    assert (texts["Models"], texts["Requests"], texts["Tokens"], texts["Cost"]) == ("0", "–", "–", "–")


# ---- errors


def test_errors_are_listed_and_counted_by_severity(desk, inference):
    errors = inference["errors"]
    errors.put(error_type="timeout", error_message="<i>late</i>", model="m", severity="critical")
    page = desk.open(widgets.ErrorMonitor(inference))
    message = page.one()
    ordinal, at_ms, severity, sign, words = message["events"][0]
    assert (severity, sign, words) == ("critical", "error", "timeout: <i>late</i> (m)")
    assert at_ms == START_NS / 1e6
    assert message["counts"] == {"critical": 1, "high": 0, "medium": 0, "low": 0}
    errors.put(severity=None)
    message = page.one()
    assert "reset" not in message
    assert [event[2:] for event in message["events"]] == [["unknown", "info", "no words"]]
    assert (message["counts"]["unknown"], message["total"], message["events"][0][0] > ordinal) == (1, 2, True)


def test_the_errors_can_be_cleared(desk, inference):
    inference["errors"].put(severity="high")
    page = desk.open(widgets.ErrorMonitor(inference))
    page.take()
    page.comm.say(kind="clear", page=page.page)
    message = page.one()
    assert (message["events"], message["reset"], message["counts"]["high"]) == ([], True, 0)
    assert inference["errors"].store.count == 1


def test_the_callback_gets_every_error_until_the_widget_is_closed(desk, inference):
    seen, second = [], threading.Event()

    def note(error):
        seen.append(error.error_type)
        if len(seen) == 2:
            second.set()

    monitor = widgets.ErrorMonitor(inference, on_error=note)
    inference["errors"].put(error_type="a")
    inference["errors"].put(error_type="b")
    assert second.wait(LIMIT_S)
    monitor.close()
    monitor.close()
    assert inference["errors"].subscriptions == []
    assert seen == ["a", "b"]


def test_an_error_in_the_callback_is_counted_by_the_feed_and_ends_nothing(desk, inference):
    done = threading.Event()

    def fragile(error):
        if error.error_type == "a":
            raise KeyError("a")
        done.set()

    widgets.ErrorMonitor(inference, on_error=fragile)
    inference["errors"].put(error_type="a")
    inference["errors"].put(error_type="b")
    assert done.wait(LIMIT_S)
    assert inference.callback_errors.count == 1


def test_a_callback_that_cannot_be_called_is_refused(desk, inference):
    with pytest.raises(BadOptionType, match="on_error=5: something callable"):
        widgets.ErrorMonitor(inference, on_error=5)


# ---- any of them


@pytest.mark.parametrize(
    "protocol, kind, words",
    [
        ("channels", widgets.MetricsCard, "no topic 'metrics'"),
        ("portal", widgets.RequestHistory, "no topic 'requests'"),
        ("fakeai", widgets.TPSChart, "needs a topic of Metrics or LiveMetrics rows; 'metrics' has InferenceMetrics"),
    ],
)
def test_a_feed_of_another_system_is_refused_in_words(desk, protocol, kind, words):
    with pytest.raises((KeyError, BadOptionType), match=words):
        kind(FakeFeed(protocol))


@pytest.mark.parametrize(
    "kind",
    [widgets.SessionTable, widgets.BandwidthChart, widgets.ModelTable, widgets.ErrorMonitor, widgets.AggregateStats],
)
def test_an_unknown_option_is_refused(desk, kind):
    with pytest.raises(BadOptionType, match=f"{kind.__name__} has no option 'speed'"):
        kind(FakeFeed("channels"), speed=1)


@pytest.mark.parametrize(
    "cause, shaded",
    [
        (Cause.DISCONNECT, 1),
        (Cause.IDLE, 1),
        (Cause.SEQUENCE_HOLE, 1),
        (Cause.SERVER_OVERFLOW, 1),
        (Cause.DECODE_ERROR, 0),
        (Cause.CLIENT_OVERFLOW, 0),
        (Cause.CLOCK_STEP, 0),
    ],
)
def test_only_spans_without_frames_from_the_server_are_shaded(desk, live, cause, shaded):
    live["metrics"].put(tps=1.0)
    live.gaps.open("metrics", cause, Certainty.UNKNOWN, START_NS, 1)
    assert len(desk.open(widgets.TPSChart(live)).one()["gaps"]) == shaded


def test_rates_of_different_things_have_panels_of_their_own(desk, inference):
    chart = widgets.LiveChart(inference["metrics"], y=["requests_per_s", "tokens_per_s"])
    lines = chart.comm.state["_setup"]["lines"]
    assert [(line["name"], line["unit"], line["panel"]) for line in lines] == [
        ("Requests", "requests/s", 0),
        ("Tokens", "tokens/s", 1),
    ]
