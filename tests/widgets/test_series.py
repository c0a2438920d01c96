"""Rows as points of a line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.schema import Metrics, Transaction
from aurigraph_nb.widgets.series import Series, from_table, needed_columns, newest, thin

from .doubles import START_NS, FakeTopic


def series_of(*rows, y=("tps",)):
    topic = FakeTopic("metrics", Metrics)
    for row in rows:
        topic.put(**row)
    return from_table(topic.store.since(0, needed_columns(y)).table, y)


def line(values):
    return Series(np.arange(len(values), dtype=float), np.array([values], dtype=float))


def test_rows_become_points_in_milliseconds():
    series = series_of({"tps": 1.0}, {"tps": 2.0})
    assert series.times_ms.tolist() == [START_NS / 1e6, START_NS / 1e6 + 1000]
    assert series.values.tolist() == [[1.0, 2.0]]


def test_a_row_without_server_time_stands_at_its_receive_time():
    series = series_of({"tps": 1.0, "timestamp": None, "recv_ns": 5_000_000})
    assert series.times_ms.tolist() == [5.0]


def test_a_missing_value_is_not_a_number():
    assert np.isnan(series_of({"tps": None}).values[0, 0])


@pytest.mark.parametrize("wild", [float("inf"), float("-inf"), 2.0**1023, -1e101])
def test_what_no_axis_can_hold_is_missing(wild):
    assert np.isnan(series_of({"tps": wild}).values[0, 0])
    assert series_of({"tps": 1e100}).values[0, 0] == 1e100


def test_a_gap_breaks_every_line_before_its_row():
    series = series_of(
        {"tps": 1.0, "cpu_percent": 5.0},
        {"tps": 2.0, "cpu_percent": 6.0, "gap_before": True},
        y=("tps", "cpu_percent"),
    )
    assert len(series) == 3
    assert np.isnan(series.values[:, 1]).all()
    assert series.values[:, 2].tolist() == [2.0, 6.0]
    assert series.times_ms[1] == series.times_ms[2]


def test_integers_and_times_can_be_drawn():
    topic = FakeTopic("transactions", Transaction)
    topic.put(gas_used=21_000)
    table = topic.store.since(0, needed_columns(["gas_used", "timestamp"])).table
    assert from_table(table, ["gas_used"]).values.tolist() == [[21_000.0]]
    assert from_table(table, ["timestamp"]).values.tolist() == [[float(START_NS)]]


def test_no_rows_make_no_points():
    series = series_of()
    assert len(series) == 0
    assert series.pack() == b""
    assert len(thin(newest(series, points=5, since_ms=0.0), 5)) == 0


def test_points_are_packed_as_times_then_lines():
    packed = Series(np.array([1.0, 2.0]), np.array([[3.0, 4.0], [5.0, 6.0]])).pack()
    assert np.frombuffer(packed, "<f8").tolist() == [1, 2, 3, 4, 5, 6]


def test_the_newest_points_are_kept_by_number_and_by_time():
    series = line([10, 20, 30, 40])
    assert newest(series, points=2).values.tolist() == [[30, 40]]
    assert newest(series, since_ms=1.0).values.tolist() == [[20, 30, 40]]
    assert newest(series, points=2, since_ms=1.0).values.tolist() == [[30, 40]]


def test_a_short_series_is_not_thinned():
    series = line([1, 2, 3])
    assert thin(series, 3) is series


def test_thinning_keeps_peaks_breaks_and_ends():
    values = np.zeros(10_000)
    values[1234], values[5678], values[7777] = 99.0, -99.0, np.nan
    thinned = thin(line(values), 200)
    assert len(thinned) <= 220
    assert thinned.thinned == 10_000 - len(thinned)
    assert np.nanmax(thinned.values) == 99
    assert np.nanmin(thinned.values) == -99
    assert np.isnan(thinned.values).sum() == 1
    assert thinned.times_ms[[0, -1]].tolist() == [0, 9999]


@given(
    st.lists(st.floats(-1e9, 1e9) | st.just(float("nan")), min_size=1, max_size=400),
    st.integers(1, 3),
    st.integers(10, 60),
)
def test_thinned_points_are_points_in_order_with_the_same_extremes(values, lines, points):
    full = Series(np.arange(len(values), dtype=float), np.array([values] * lines))
    thinned = thin(full, points)
    assert len(thinned) <= max(points + points // 2 + 4, 2 * lines + 2)
    assert (np.diff(thinned.times_ms) > 0).all()
    kept = thinned.times_ms.astype(int)
    np.testing.assert_array_equal(thinned.values, full.values[:, kept])
    if not np.isnan(values).all():
        assert np.nanmax(thinned.values) == np.nanmax(full.values)
        assert np.nanmin(thinned.values) == np.nanmin(full.values)


@pytest.mark.parametrize("y", [["tps"], ["tps", "tps"], ["recv_ns"]])
def test_each_needed_column_is_read_once(y):
    names = needed_columns(y)
    assert sorted(set(names)) == sorted(names)
