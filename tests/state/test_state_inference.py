"""Inference metrics: things by name, bounded lists of requests and errors, health at its limits, weighted sums."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.schema import (
    EndpointLatency,
    EndpointThroughput,
    InferenceError,
    InferenceMetrics,
    InferenceRequest,
    ModelMetrics,
    RateLimit,
    Record,
    SystemMetrics,
    arrow_schema,
)
from aurigraph_nb.state import (
    SEVERITIES,
    VIEWS,
    EndpointsState,
    ErrorsState,
    LatencyState,
    ModelsState,
    RateLimitsState,
    RequestsState,
    SystemLimits,
    SystemState,
    ThroughputState,
    aggregates,
)

S = 1_000_000_000

THINGS = [
    (ModelsState, ModelMetrics, "model", {"total_tokens": 5, "error_count": 0}, {"error_count": 1}),
    (RateLimitsState, RateLimit, "endpoint", {"limit": 5, "remaining": 4}, {"remaining": 3}),
    (
        ThroughputState,
        EndpointThroughput,
        "endpoint",
        {"requests_per_s": 1.0, "errors_per_s": 0.0},
        {"errors_per_s": 1.0},
    ),
    (LatencyState, EndpointLatency, "endpoint", {"p50_ms": 1.0, "p99_ms": 2.0}, {"p99_ms": 3.0}),
]
each_thing = pytest.mark.parametrize(
    "view, record_type, key, first, then", THINGS, ids=lambda v: getattr(v, "__name__", "")
)


def model(second: float, name: str | None, timestamp: int | None = None, **fields: Any) -> ModelMetrics:
    return ModelMetrics(recv_ns=round(second * S), timestamp=timestamp, conn_epoch=1, n=0, model=name, **fields)


def request(n: int, id_: str | None = None, **fields: Any) -> InferenceRequest:
    return InferenceRequest(recv_ns=n, conn_epoch=1, n=n, id=f"r{n}" if id_ is None else id_, **fields)


def error(n: int, severity: str | None = "high", **fields: Any) -> InferenceError:
    return InferenceError(recv_ns=n, conn_epoch=1, n=n, severity=severity, **fields)


def system(n: int = 0, **fields: Any) -> SystemMetrics:
    return SystemMetrics(recv_ns=n, conn_epoch=1, n=n, **fields)


def fed(view: Any, *records: Record) -> Any:
    for record in records:
        view.apply(record)
    return view


# Things: models, rate limits, endpoints


@pytest.mark.parametrize(
    "record_type, view",
    [(case[1], case[0]) for case in THINGS]
    + [(InferenceRequest, RequestsState), (InferenceError, ErrorsState), (SystemMetrics, SystemState)],
)
def test_each_topic_has_its_view(record_type: type[Record], view: type) -> None:
    assert VIEWS[record_type] is view


def test_throughput_and_latency_are_both_states_of_endpoints() -> None:
    assert issubclass(ThroughputState, EndpointsState) and issubclass(LatencyState, EndpointsState)


@each_thing
def test_a_thing_has_one_row_that_later_frames_complete(
    view: type, record_type: Any, key: str, first: dict[str, Any], then: dict[str, Any]
) -> None:
    common = {"conn_epoch": 1, key: "x"}
    state = fed(view(), record_type(recv_ns=1, n=0, **common, **first), record_type(recv_ns=2, n=1, **common, **then))
    assert dict(state.current) == {"x": record_type(recv_ns=2, n=1, **common, **(first | then))}


@each_thing
def test_things_stand_in_order_of_first_sight(view: type, record_type: Any, key: str, first: Any, then: Any) -> None:
    state = fed(view(), *(record_type(recv_ns=n, conn_epoch=1, n=n, **{key: name}) for n, name in enumerate("cabc")))
    assert list(state.current) == ["c", "a", "b"]
    assert state.table().schema == arrow_schema(record_type)
    assert state.table().column(key).to_pylist() == ["c", "a", "b"]
    assert view().table().num_rows == 0


@each_thing
def test_a_row_that_names_nothing_is_counted(view: type, record_type: Any, key: str, first: Any, then: Any) -> None:
    state = fed(view(), record_type(recv_ns=1, conn_epoch=1, n=0))
    assert (len(state.current), state.unkeyed, state.version) == (0, 1, 1)


@each_thing
def test_things_are_bounded(view: Any, record_type: Any, key: str, first: Any, then: Any) -> None:
    state = view(limit=2)
    fed(state, *(record_type(recv_ns=n, conn_epoch=1, n=n, **{key: f"x{n}"}) for n in range(5)))
    assert list(state.current) == ["x3", "x4"]
    assert state.current.evicted == 3


# How fast requests come


def test_two_totals_of_a_model_give_its_rate_and_models_add_up() -> None:
    state = fed(ModelsState(), model(0, "a", request_count=10), model(0, "b", request_count=0))
    assert state.requests_per_s is None
    fed(state, model(2, "a", request_count=16), model(4, "b", request_count=2))
    assert state.requests_per_s == 3.5


def test_the_servers_times_are_preferred_where_both_totals_have_one() -> None:
    state = fed(ModelsState(), model(0, "a", 100 * S, request_count=0), model(9, "a", 102 * S, request_count=4))
    assert state.requests_per_s == 2.0
    fed(state, model(11, "a", None, request_count=12))
    assert state.requests_per_s == 4.0


def test_a_frame_without_a_total_does_not_shorten_the_time_between_two_totals() -> None:
    state = fed(ModelsState(), model(0, "a", request_count=0), model(9, "a", error_count=1))
    fed(state, model(10, "a", request_count=20))
    assert state.requests_per_s == 2.0


@pytest.mark.parametrize("second, count", [(1, 3), (0, 20), (-1, 20)], ids=["began anew", "no time", "time ran back"])
def test_totals_that_do_not_compare_give_no_rate(second: float, count: int) -> None:
    state = fed(ModelsState(), model(0, "a", request_count=10), model(second, "a", request_count=count))
    assert state.requests_per_s is None


def test_models_that_went_have_no_rate() -> None:
    state = ModelsState(limit=2)
    for n in range(9):
        fed(state, model(n, f"m{n}", request_count=0), model(n + 1, f"m{n}", request_count=1))
    assert state.requests_per_s == 2.0


# Requests


def test_recent_requests_are_fifty_and_the_history_a_hundred_newest_first() -> None:
    state = fed(RequestsState(), *(request(n) for n in range(130)))
    assert [row.n for row in state.recent] == list(range(129, 79, -1))
    assert [row.n for row in state.history] == list(range(129, 29, -1))
    assert state.total == 130


def test_the_same_request_again_updates_its_row_in_place() -> None:
    state = fed(RequestsState(), request(0, "a", status="in_progress", model="m"), request(1, "b"))
    fed(state, request(2, "a", status="success", latency_ms=5.0))
    assert [row.id for row in state.recent] == ["b", "a"]
    assert state.recent[1] == request(2, "a", status="success", model="m", latency_ms=5.0)
    assert state.total == 3


def test_requests_without_an_id_have_a_row_each() -> None:
    anonymous = [InferenceRequest(recv_ns=n, conn_epoch=1, n=n) for n in range(2)]
    assert [row.n for row in fed(RequestsState(), anonymous[0], request(7, "2"), anonymous[1]).recent] == [1, 7, 0]


def test_a_filter_takes_columns_a_function_or_both() -> None:
    rows = [request(n, status="error" if n % 3 == 0 else "success", model="ab"[n % 2]) for n in range(12)]
    state = fed(RequestsState(recent=2, history=9), *rows)
    assert [r.n for r in state.filter()] == list(range(11, 2, -1))
    assert [r.n for r in state.filter(status="error")] == [9, 6, 3]
    assert [r.n for r in state.filter(status="error", model="b")] == [9, 3]
    assert [r.n for r in state.filter(lambda r: r.n > 4, status="error")] == [9, 6]
    assert [r.n for r in state.filter(lambda r: None)] == []
    assert [r.n for r in state.filter(error_message=None, status="nothing")] == []


@pytest.mark.parametrize("view, column", [(RequestsState, "where"), (ErrorsState, "modell")])
def test_a_filter_by_an_unknown_column_is_refused_and_names_the_known_ones(view: Any, column: str) -> None:
    with pytest.raises(BadOptionType, match=rf"{column}='x': there is no such column; the columns are .*\bmodel\b"):
        view().filter(**{column: "x"})


@pytest.mark.parametrize("view, make", [(RequestsState, request), (ErrorsState, error)])
def test_clear_empties_the_lists_and_keeps_the_total(view: Any, make: Any) -> None:
    state = fed(view(), make(0), make(1))
    before = state.version
    state.clear()
    assert (state.recent, state.filter(), state.total) == ([], [], 2)
    assert state.version > before
    fed(state, make(2))
    assert (len(state.recent), state.total) == (1, 3)


def test_limits_are_options_and_can_be_changed_later() -> None:
    state = fed(RequestsState(recent=2, history=4), *(request(n) for n in range(9)))
    assert (len(state.recent), len(state.history)) == (2, 4)
    version = state.version
    state.resize(recent=3)
    assert ([r.n for r in state.recent], len(state.history)) == ([8, 7, 6], 4)
    assert state.version > version
    state.resize(recent=1, history=2)
    assert ([r.n for r in state.recent], [r.n for r in state.history]) == ([8], [8, 7])
    state.resize(history=3)
    assert [r.n for r in fed(state, request(9), request(10)).history] == [10, 9, 8]


def test_the_recent_list_may_be_longer_than_the_history() -> None:
    state = fed(RequestsState(recent=5, history=2), *(request(n) for n in range(9)))
    assert (len(state.recent), len(state.history), len(state.filter())) == (5, 2, 2)


@pytest.mark.parametrize("view, name", [(RequestsState, "history"), (ErrorsState, "monitor")])
def test_a_limit_out_of_range_is_refused_by_name_and_changes_nothing(view: Any, name: str) -> None:
    state = view()
    for option in ("recent", name):
        with pytest.raises(BadOption, match=f"{option}=0: expected a whole number of at least 1"):
            view(**{option: 0})
        with pytest.raises(BadOptionType, match=f"{option}=1.5: expected a whole number"):
            state.resize(**{option: 1.5})
    with pytest.raises(BadOption):
        state.resize(recent=1, **{name: 0})
    assert len(fed(state, *((request if view is RequestsState else error)(n) for n in range(5))).recent) == 5


def test_the_lists_make_a_table_with_the_topics_schema() -> None:
    table = fed(RequestsState(recent=1, history=2), *(request(n) for n in range(3))).table()
    assert table.schema == arrow_schema(InferenceRequest)
    assert table.column("id").to_pylist() == ["r2", "r1"]
    assert ErrorsState().table().schema == arrow_schema(InferenceError)


def test_readers_can_follow_the_requests_by_their_changes() -> None:
    state = fed(RequestsState(), request(0, "a"), request(1, "b"))
    version = state.current.version
    fed(state, request(2, "a", status="error"))
    assert [key for key, _ in state.current.changed_since(version).changed] == ["a"]


# Errors


def test_recent_errors_are_twenty_and_the_monitor_fifty_newest_first() -> None:
    state = fed(ErrorsState(), *(error(n, request_id="same") for n in range(70)))
    assert [row.n for row in state.recent] == list(range(69, 49, -1))
    assert [row.n for row in state.monitor] == list(range(69, 19, -1))
    assert state.total == 70


def test_errors_can_be_filtered() -> None:
    state = fed(ErrorsState(), error(0, "low"), error(1, "critical", model="m"), error(2, "critical"))
    assert [row.n for row in state.filter(severity="critical")] == [2, 1]
    assert [row.n for row in state.filter(lambda row: row.model == "m")] == [1]


def test_errors_are_counted_by_severity_worst_first_also_those_no_longer_listed() -> None:
    state = fed(
        ErrorsState(recent=1, monitor=1), *(error(n, s) for n, s in enumerate(["low", "high", "low", None, "odd"]))
    )
    assert list(state.counts.items()) == [
        ("critical", 0),
        ("high", 1),
        ("medium", 0),
        ("low", 2),
        ("unknown", 1),
        ("odd", 1),
    ]
    state.clear()
    assert state.counts == dict.fromkeys(SEVERITIES, 0)


def test_made_up_severities_are_counted_together_beyond_a_bound() -> None:
    state = fed(ErrorsState(), *(error(n, f"s{n}") for n in range(500)), error(500, "critical"))
    assert len(state.counts) <= 30
    assert sum(state.counts.values()) == 501
    assert state.counts["critical"] == 1
    assert state.counts["other"] > 400


# Health

FINE: dict[str, Any] = {"cpu_percent": 10.0, "memory_percent": 10.0, "queue_size": 1}


@pytest.mark.parametrize(
    "column, last_good, first_bad",
    [
        ("cpu_percent", 89.999, 90.0),
        ("memory_percent", 89.999, 90.0),
        ("gpu_percent", 94.999, 95.0),
        ("queue_size", 999, 1000),
    ],
)
def test_each_limit_is_exact(column: str, last_good: float, first_bad: float) -> None:
    good, bad = (fed(SystemState(), system(**FINE | {column: value})) for value in (last_good, first_bad))
    assert (good.healthy, good.over) == (True, ())
    assert (bad.healthy, bad.over) == (False, (column,))


def test_without_a_gpu_its_limit_does_not_matter() -> None:
    assert fed(SystemState(), system(**FINE)).healthy is True


def test_health_is_unknown_before_the_first_frame_and_while_a_figure_is_missing() -> None:
    assert (SystemState().healthy, SystemState().current, SystemState().over) == (None, None, ())
    for missing in FINE:
        assert fed(SystemState(), system(**FINE | {missing: None})).healthy is None


def test_one_bad_figure_is_enough_whatever_else_is_missing() -> None:
    assert fed(SystemState(), system(cpu_percent=99.0)).healthy is False
    assert fed(SystemState(), system(gpu_percent=99.0)).healthy is False


def test_a_partial_frame_keeps_the_other_figures() -> None:
    state = fed(SystemState(), system(0, **FINE), system(1, cpu_percent=95.0))
    assert state.current == system(1, **FINE | {"cpu_percent": 95.0})
    assert (state.healthy, state.version) == (False, 2)
    assert fed(state, system(2, cpu_percent=5.0)).healthy is True


def test_the_limits_of_health_are_an_option() -> None:
    state = fed(SystemState(limits=SystemLimits(queue_size=2)), system(**FINE | {"queue_size": 2}))
    assert state.over == ("queue_size",)


def test_the_current_figures_make_a_table_of_one_row() -> None:
    assert SystemState().table().num_rows == 0
    assert fed(SystemState(), system(**FINE)).table().to_pylist()[0]["cpu_percent"] == 10.0


# Aggregates


def summed(*models: ModelMetrics, metrics: InferenceMetrics | None = None) -> Any:
    return aggregates(fed(ModelsState(), *models), RequestsState(), ErrorsState(), metrics)


def test_with_no_models_sums_are_zero_and_means_unknown() -> None:
    total = summed()
    assert (total.total_models, total.requests, total.tokens, total.cost) == (0, 0, 0, 0.0)
    assert (total.mean_latency_ms, total.error_rate, total.requests_per_s, total.tokens_per_s) == (None,) * 4


def test_sums_go_over_all_models_and_means_are_weighted_by_requests() -> None:
    busy = model(0, "a", request_count=90, total_tokens=900, total_cost=1.5, avg_latency_ms=10.0, error_count=9)
    idle = model(0, "b", request_count=10, total_tokens=100, total_cost=0.5, avg_latency_ms=110.0, error_count=0)
    total = summed(busy, idle)
    assert (total.total_models, total.requests, total.tokens, total.cost) == (2, 100, 1000, 2.0)
    assert (total.mean_latency_ms, total.error_rate) == (20.0, 0.09)


def test_what_a_model_does_not_tell_is_taken_from_what_it_does_tell() -> None:
    total = summed(
        model(0, "a", request_count=4, total_latency_ms=40.0, total_prompt_tokens=3, total_completion_tokens=4),
        model(0, "b", request_count=4, avg_latency_ms=30.0, error_rate=0.5, total_prompt_tokens=1),
    )
    assert (total.mean_latency_ms, total.error_rate, total.tokens) == (20.0, 0.5, 8)


def test_a_model_without_requests_weighs_nothing() -> None:
    total = summed(
        model(0, "a", request_count=0, avg_latency_ms=999.0, error_rate=1.0), model(0, "b", avg_latency_ms=1.0)
    )
    assert (total.mean_latency_ms, total.error_rate, total.total_models) == (None, None, 2)


def test_rates_come_from_the_models_unless_the_server_knows_its_requests_better() -> None:
    models = [
        model(0, "a", request_count=0, tokens_per_s=5.0),
        model(2, "a", request_count=4),
        model(2, "b", tokens_per_s=1.0),
    ]
    metrics = InferenceMetrics(recv_ns=0, conn_epoch=1, n=0, requests_per_s=7.0, tokens_per_s=8.0)
    alone, both, server = summed(*models), summed(*models, metrics=metrics), summed(metrics=metrics)
    assert (alone.requests_per_s, alone.tokens_per_s) == (2.0, 6.0)
    assert (both.requests_per_s, both.tokens_per_s) == (7.0, 6.0)
    assert (server.requests_per_s, server.tokens_per_s) == (7.0, 8.0)


def test_recent_requests_and_errors_are_counted() -> None:
    requests = fed(RequestsState(), *(request(n) for n in range(80)))
    errors = fed(ErrorsState(), *(error(n) for n in range(3)))
    total = aggregates(ModelsState(), requests, errors)
    assert (total.recent_requests, total.recent_errors) == (50, 3)


MODELS = st.lists(
    st.builds(
        lambda name, count, latency, errors: model(
            0, name, request_count=count, avg_latency_ms=latency, error_count=errors
        ),
        st.sampled_from("abcdef"),
        st.none() | st.integers(0, 10**15),
        st.none() | st.floats(0, 1e9),
        st.none() | st.integers(0, 10),
    ),
    max_size=20,
)


@given(MODELS)
def test_a_weighted_mean_lies_between_its_parts(models: list[ModelMetrics]) -> None:
    state = fed(ModelsState(), *models)
    total = aggregates(state, RequestsState(), ErrorsState())
    rows = [r for r in state.current.values() if r.request_count and r.avg_latency_ms is not None]
    assert (total.mean_latency_ms is None) is (not rows)
    if rows:
        latencies = [r.avg_latency_ms for r in rows if r.avg_latency_ms is not None]
        assert min(latencies) * (1 - 1e-9) <= total.mean_latency_ms <= max(latencies) * (1 + 1e-9)
    assert total.requests == sum(r.request_count or 0 for r in state.current.values())


@given(
    st.lists(st.tuples(st.sampled_from(["add", "add", "add", "clear", "resize"]), st.integers(0, 30)), max_size=60),
    st.integers(1, 5),
    st.integers(1, 8),
)
def test_in_any_order_of_events_a_list_holds_the_newest_up_to_its_limits(
    steps: list[tuple[str, int]], recent: int, history: int
) -> None:
    state = RequestsState(recent=recent, history=history)
    rows: dict[str, int] = {}
    added = 0
    for n, (step, number) in enumerate(steps):
        version = state.version
        if step == "add":
            added += 1
            state.apply(request(n, str(number)))
            rows[str(number)] = n
        elif step == "clear":
            state.clear()
            rows.clear()
        else:
            recent, history = number % 5 + 1, number % 8 + 1
            state.resize(recent=recent, history=history)
        rows = dict(list(rows.items())[-max(recent, history) :])
        newest = list(reversed(rows.items()))
        assert [(row.id, row.n) for row in state.history] == newest[:history]
        assert [(row.id, row.n) for row in state.recent] == newest[:recent]
        assert state.total == added
        assert state.version > version
