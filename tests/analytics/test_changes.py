import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurigraph_nb import analytics
from aurigraph_nb.analytics.changes import pelt
from aurigraph_nb.errors import BadOption, BadOptionType, Incomplete


def cost(values, begins, penalty):
    ends = [*begins[1:], len(values)]
    parts = [np.array(values[a:b]) for a, b in zip(begins, ends, strict=True)]
    return sum(float(np.sum((p - p.mean()) ** 2)) for p in parts) + penalty * (len(begins) - 1)


def best_of_all(values, penalty, least):
    """The cost of the best cut, by trying every one."""
    n = len(values)
    cuts = (c for k in range(n) for c in itertools.combinations(range(1, n), k))
    ways = ([0, *c] for c in cuts)
    fit = [w for w in ways if min(np.diff([*w, n])) >= min(least, n)]
    return min(cost(values, w, penalty) for w in fit) if fit else cost(values, [0], penalty)


@settings(max_examples=60)
@given(
    st.lists(st.integers(-9, 9), min_size=1, max_size=9),
    st.sampled_from([0.5, 2.0, 7.3, 20.0, 60.0]),
    st.integers(1, 4),
)
def test_no_cut_is_better_than_the_one_found(values, penalty, least):
    begins = pelt(np.array(values, float), penalty, least)
    assert cost(values, begins, penalty) == pytest.approx(best_of_all(values, penalty, least))
    if len(begins) > 1:
        assert min(np.diff([*begins, len(values)])) >= least


def optimal(values, penalty, least):
    """The best cost by dynamic programming without dropping any beginning."""
    best = [-penalty] + [np.inf] * len(values)
    for stop in range(1, len(values) + 1):
        for start in range(stop - least + 1):
            part = values[start:stop]
            best[stop] = min(best[stop], best[start] + float(np.sum((part - part.mean()) ** 2)) + penalty)
    return best[-1]


@pytest.mark.parametrize("least", [1, 2, 5])
@pytest.mark.parametrize("penalty", [1.0, 10.0, 100.0])
def test_dropping_beginnings_loses_nothing_in_longer_series(least, penalty):
    values = np.random.default_rng(12).normal(0, 1, 120) + np.repeat([0, 3, 0, 6], 30)
    assert cost(values, pelt(values, penalty, least), penalty) == pytest.approx(optimal(values, penalty, least))


def test_known_steps_are_found_with_the_default_penalty(series):
    rng = np.random.default_rng(13)
    values = rng.normal(0, 1, 400) + np.repeat([100.0, 110.0, 95.0, 100.0], 100)
    result = analytics.change_points(series(values))
    assert result.value == 3
    found = (result.table["start"] - pd.Timestamp("2026-01-01", tz="UTC")).dt.total_seconds().tolist()
    assert np.abs(np.array(found) - [0, 100, 200, 300]).max() <= 1
    assert result.table["change"].round(0).tolist()[1:] == [10, -15, 5]
    assert result.table["n"].sum() == 400


def test_pure_noise_is_rarely_cut(series):
    rng = np.random.default_rng(14)
    cuts = [analytics.change_points(series(rng.normal(0, 5, 300))).value for _ in range(40)]
    assert sum(c > 0 for c in cuts) <= 2


@settings(max_examples=25)
@given(st.floats(0.001, 1000), st.floats(-1e6, 1e6))
def test_scale_and_level_do_not_move_the_changes(factor, level):
    values = np.random.default_rng(15).normal(0, 1, 60) + np.repeat([0, 9, 0], 20)
    frames = [
        pd.DataFrame({"timestamp": pd.date_range("2026", periods=60, freq="1s"), "tps": v})
        for v in (values, values * factor + level * factor)
    ]
    starts = [analytics.change_points(f).table["start"].tolist() for f in frames]
    assert starts[0] == starts[1]


def test_a_change_over_a_gap_is_marked(series, gap):
    values = np.repeat([1.0, 9.0, 1.0], 20) + np.tile([0, 0.1], 30)
    frame = series(values)
    result = analytics.change_points(frame, gaps=gap((19.2, 19.8)))
    assert result.table["over_gap"].tolist() == [False, True, False]
    with pytest.raises(Incomplete):
        analytics.change_points(frame, gaps=gap((19.2, 19.8)), on_gap="raise")


@pytest.mark.parametrize(
    "values, changes, segments", [([], None, 0), ([None], None, 0), ([1.0], 0, 1), ([1.0, 1.0, 1.0], 0, 1)]
)
def test_small_and_empty_series_are_one_segment_or_none(series, values, changes, segments):
    result = analytics.change_points(series(values))
    assert (result.value, len(result.table)) == (changes, segments)
    result.plot()


def test_bins_may_be_looked_at_instead_of_rows(series):
    values = np.repeat([1.0, 9.0], 300) + np.random.default_rng(16).normal(0, 1, 600)
    result = analytics.change_points(series(values), every="10s")
    assert result.value == 1 and result.n == 60


@pytest.mark.parametrize("penalty", [-1, float("nan"), float("inf"), "low", True])
def test_a_penalty_is_a_number_from_nought(series, penalty):
    with pytest.raises(BadOption):
        analytics.change_points(series([1.0, 2.0]), penalty=penalty)
    with pytest.raises(BadOptionType):
        analytics.change_points(series([1.0]), least="two")


def test_too_many_rows_are_refused_with_a_way_out(series):
    with pytest.raises(BadOption, match="every="):
        analytics.change_points(series(np.zeros(20_001)))
