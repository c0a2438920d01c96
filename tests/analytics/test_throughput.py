import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from aurigraph_nb import analytics
from aurigraph_nb.errors import BadOption, Incomplete


def test_the_summary_agrees_with_scipy(series):
    values = np.random.default_rng(3).gamma(2.0, 500.0, 400)
    result = analytics.throughput(series(values))
    table = result.table.set_index("statistic")["value"]
    told = scipy.stats.describe(values)
    assert result.value == table["mean"] == pytest.approx(told.mean)
    assert table["std"] == pytest.approx(np.sqrt(told.variance))
    assert (table["min"], table["peak"]) == told.minmax
    assert table["current"] == values[-1]
    assert table["p95"] == pytest.approx(scipy.stats.scoreatpercentile(values, 95))
    assert table["peak_to_mean"] == pytest.approx(values.max() / values.mean())


def test_what_a_gap_hides_is_told_and_not_guessed(series, gap):
    result = analytics.throughput(series(np.ones(11)), gaps=gap((2, 4)))
    assert result.coverage == pytest.approx(0.8) and "coverage 80 %" in repr(result)
    assert result.notes == ("1 gap hides 2.000 of 10.000 s; nothing is filled in",)
    with pytest.raises(Incomplete):
        analytics.throughput(series(np.ones(11)), gaps=gap((2, 4)), on_gap="raise")


@pytest.mark.parametrize("values", [[], [None], [float("nan")] * 3])
@pytest.mark.parametrize("ask", [analytics.throughput, analytics.peak_to_mean, analytics.sustained_rate])
def test_without_values_there_is_no_number(series, ask, values):
    result = ask(series(values))
    assert result.value is None and "unknown" in repr(result)
    result.plot()


def test_one_row_has_a_mean_and_no_spread(series):
    table = analytics.throughput(series([7.0])).table.set_index("statistic")["value"]
    assert table["mean"] == table["p99"] == 7 and np.isnan(table["std"])


def test_peak_to_mean_falls_with_the_width_of_bins(series):
    values = np.tile([1.0, 1.0, 1.0, 9.0], 30)
    assert analytics.peak_to_mean(series(values)).value == 3.0
    assert analytics.peak_to_mean(series(values), every="4s").value == 1.0
    when = analytics.peak_to_mean(series(values)).table["timestamp"][0]
    assert when == pd.Timestamp("2026-01-01 00:00:03", tz="UTC")
    assert analytics.peak_to_mean(series([0.0, 0.0])).value is None


# Sustained rate, against trying every window.


def by_trying(values, hold, breaks=()):
    """The largest minimum over windows of ``hold`` seconds of a series with a value each second."""
    best = None
    for i in range(len(values) - hold + 1):
        if not any(i < b < i + hold for b in breaks):
            best = max(min(values[i : i + hold]), -np.inf if best is None else best)
    return best


@settings(max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=2, max_size=30), st.integers(1, 12))
def test_the_rate_held_is_what_trying_every_window_gives(values, hold):
    times = pd.date_range("2026-01-01", periods=len(values), freq="1s")
    frame = pd.DataFrame({"timestamp": times, "tps": [float(v) for v in values]})
    assert analytics.sustained_rate(frame, hold).value == by_trying(values, hold)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=4, max_size=30), st.integers(2, 6), st.integers(1, 28))
def test_nothing_is_held_over_a_gap(values, hold, place):
    place = min(place, len(values) - 1)
    times = pd.date_range("2026-01-01", periods=len(values), freq="1s")
    flags = [i == place for i in range(len(values))]
    frame = pd.DataFrame({"timestamp": times, "tps": [float(v) for v in values], "gap_before": flags})
    got = analytics.sustained_rate(frame, hold).value
    # The row before the gap holds no longer than up to its begin, which is its own time.
    left, right = by_trying(values[: place - 1], hold), by_trying(values[place:], hold)
    want = [v for v in (left, right) if v is not None]
    assert got == (max(want) if want else None)
    assert analytics.sustained_rate(frame, hold, on_gap="ignore").value == by_trying(values, hold)


def test_the_stretch_is_named_and_longer_holds_are_never_higher(series):
    values = [5, 9, 9, 9, 4, 8, 8, 8, 8, 8.0]
    result = analytics.sustained_rate(series(values), ["3s", "5s", "10s", "1min"])
    assert result.table["rate"].tolist()[:3] == [9, 8, 4] and np.isnan(result.table["rate"][3])
    assert result.table["start"][1] == pd.Timestamp("2026-01-01 00:00:05", tz="UTC")
    assert (result.table["end"] - result.table["start"])[:3].dt.total_seconds().tolist() == [3, 5, 10]
    assert pd.isna(result.table["start"][3])


def test_long_silence_breaks_a_stretch_even_where_no_gap_is_known(series):
    frame = series(np.full(10, 5.0), [0, 1, 2, 3, 4, 100, 101, 102, 103, 104])
    assert analytics.sustained_rate(frame, "20s").value is None
    assert analytics.sustained_rate(frame, "20s", on_gap="ignore").value == 5.0


@pytest.mark.parametrize("hold", [0, "0s", [], "soon"])
def test_a_hold_is_a_duration_above_nought(series, hold):
    with pytest.raises(BadOption):
        analytics.sustained_rate(series([1.0]), hold)


@settings(max_examples=40)
@given(st.lists(st.floats(1, 1e6), min_size=2, max_size=30), st.floats(0.01, 100))
def test_ratios_do_not_depend_on_the_unit(values, factor):
    times = pd.date_range("2026-01-01", periods=len(values), freq="1s")
    ratios = [
        analytics.peak_to_mean(pd.DataFrame({"timestamp": times, "tps": np.array(values) * f})).value
        for f in (1.0, factor)
    ]
    assert ratios[0] == pytest.approx(ratios[1]) and ratios[0] >= 1 - 1e-12


def test_a_value_that_was_replaced_at_once_was_not_held(series):
    rate = analytics.sustained_rate(series([9.0, 1.0, 9.0, 9.0, 9.0], [0, 1, 1, 2, 3]), "3s")
    assert rate.value == 9.0
