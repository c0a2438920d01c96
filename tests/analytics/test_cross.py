"""Streams together, against pandas, numpy, scipy and statsmodels."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aurigraph_nb import analytics
from aurigraph_nb.analytics.correlation import effective_pairs
from aurigraph_nb.errors import BadOption, Incomplete

MOMENTS = st.lists(st.integers(0, 60), max_size=20)


def frame(seconds, **columns):
    times = pd.to_datetime(np.asarray(seconds, float), unit="s", utc=True).astype("datetime64[ns, UTC]")
    return pd.DataFrame({"timestamp": times, **columns})


def hole(start_s, end_s):
    return pd.DataFrame(
        {"start": pd.to_datetime([start_s], unit="s", utc=True), "end": pd.to_datetime([end_s], unit="s", utc=True)}
    )


@settings(deadline=None)
@given(MOMENTS, MOMENTS, st.integers(0, 10))
def test_asof_is_the_merge_of_pandas(left, right, tolerance):
    a = frame(sorted(left), a=np.arange(len(left), dtype=float))
    b = frame(sorted(right), b=np.arange(len(right), dtype=float))
    table = analytics.asof(a, b, tolerance=tolerance).table
    expected = pd.merge_asof(a, b, on="timestamp", tolerance=pd.Timedelta(seconds=tolerance))
    np.testing.assert_array_equal(table["b"].to_numpy(float), expected["b"].to_numpy(float))
    np.testing.assert_array_equal(table["a"].to_numpy(float), expected["a"].to_numpy(float))


def test_a_gap_between_makes_the_older_row_unknown():
    a, b = frame([1, 5, 9], a=[1, 2, 3]), frame([0, 4, 8], b=[1.0, 2.0, 3.0])
    table = analytics.asof(a, b, tolerance=5, right_gaps=hole(4.5, 7)).table
    assert table["b"].fillna(-1).tolist() == [1.0, -1.0, 3.0] and table["age_s"].isna().tolist() == [False, True, False]
    assert analytics.asof(a, b, tolerance=5, right_gaps=hole(4.5, 7), on_gap="ignore").value == 1.0
    with pytest.raises(Incomplete):
        analytics.asof(a, b, tolerance=5, right_gaps=hole(4.5, 7), on_gap="raise")


def test_columns_of_one_name_are_kept_apart_and_chosen_ones_alone_come():
    a, b = frame([1], v=[1.0], w=["x"]), frame([0], v=[2.0], w=["y"])
    assert list(analytics.asof(a, b, tolerance=1).table) == ["timestamp", "v", "w", "v_right", "w_right", "age_s"]
    few = analytics.asof(a, b, tolerance=1, left_columns=["w"], right_columns=["v"]).table
    assert list(few) == ["timestamp", "w", "v", "age_s"]
    assert analytics.asof(a.iloc[:0], b, tolerance=1).value is None
    assert analytics.asof(a, b.iloc[:0], tolerance=1).value == 0.0


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
def test_aligned_means_are_those_of_pandas(seconds):
    data = frame(seconds, v=np.arange(len(seconds), dtype=float))
    table = analytics.align(data, every="7s", names=["s"]).table.set_index("timestamp")["s.v"]
    expected = data.set_index("timestamp")["v"].resample("7s", origin="epoch").mean()
    np.testing.assert_allclose(table.to_numpy(), expected.to_numpy())
    assert (table.index == expected.index).all()


def test_last_carries_forward_but_not_for_ever_and_not_over_a_gap():
    a, b = frame(range(8), v=range(8)), frame([0, 4, 7], r=[1.0, 2.0, 3.0])
    both = {"every": "1s", "names": ["a", "b"], "how": "last"}
    assert analytics.align(a, b, **both).table["b.r"].tolist() == [1, 1, 1, 1, 2, 2, 2, 3]
    held = analytics.align(a, b, hold="2s", **both).table["b.r"]
    assert held.fillna(0).tolist() == [1, 1, 0, 0, 2, 2, 0, 3]
    broken = analytics.align(a, b, gaps=[None, hole(5.2, 5.4)], **both).table
    assert broken["b.r"].fillna(0).tolist() == [1, 1, 1, 1, 2, 0, 0, 3] and broken["b.coverage"].iloc[
        5
    ] == pytest.approx(0.8)


def test_a_stream_speaks_where_it_tells_any_number():
    never = frame(range(4), tps=[1.0, 2.0, np.nan, 4.0]).assign(memory_percent=np.nan)
    result = analytics.align(never, frame(range(4), r=[1.0, 2.0, 3.0, 4.0]), names=["m", "c"])
    assert result.value == 0.75 and result.table["m.memory_percent"].isna().all()
    hidden = analytics.align(never, frame(range(4), r=[1.0] * 4), names=["m", "c"], gaps=[None, hole(0.2, 0.4)])
    assert hidden.value == 0.5


def test_streams_that_share_no_time_give_no_rows():
    result = analytics.align(frame([0, 1], v=[1.0, 2.0]), frame([50, 51], v=[1.0, 2.0]))
    assert result.value is None and "share no time" in repr(result)


@pytest.mark.parametrize(
    "options", [{"names": ["a", "a"]}, {"columns": [["v"]]}, {"how": "first"}, {"every": 0}, {"gaps": hole(1, 2)}]
)
def test_align_refuses_what_it_cannot_read(options):
    with pytest.raises(BadOption):
        analytics.align(frame([0], v=[1.0]), frame([0], v=[1.0]), **options)
    with pytest.raises(BadOption):
        analytics.align()


def walks(n=300, lag=4, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = np.roll(x, lag) + rng.normal(size=n)
    return frame(range(n), x=x), frame(range(n), y=y), x, y


def test_the_correlation_at_each_lag_is_that_of_scipy():
    a, b, x, y = walks()
    for method, reference in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        table = analytics.lagged_correlation(a, b, x="x", y="y", max_lag=6, method=method).table
        for row in table.itertuples():
            lag = int(row.lag_s)
            p, q = (x[: len(x) - lag], y[lag:]) if lag >= 0 else (x[-lag:], y[:lag])
            tolerance = 1e-9 if method == "pearson" else 0.01
            assert row.correlation == pytest.approx(reference(p, q).statistic, abs=tolerance)


def test_the_lag_put_in_is_found_and_scale_does_not_matter():
    a, b, *_ = walks()
    result = analytics.lagged_correlation(a, b, x="x", y="y", max_lag=10)
    assert "4 s later" in repr(result) and result.table["p_adjusted"].min() < 1e-6
    scaled = analytics.lagged_correlation(a.assign(x=a.x * 1e6 + 3), b, x="x", y="y", max_lag=10)
    assert scaled.value == pytest.approx(result.value)
    back = analytics.lagged_correlation(b, a, x="y", y="x", max_lag=10)
    assert back.value == pytest.approx(result.value) and "4 s earlier" in repr(back)


def test_the_p_value_of_independent_numbers_is_that_of_scipy():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2, 500))
    row = analytics.lagged_correlation(
        frame(range(500), x=x), frame(range(500), y=y), x="x", y="y", max_lag=0
    ).table.iloc[0]
    assert row["p_value"] == pytest.approx(stats.pearsonr(x, y).pvalue, abs=0.08)


def autoregressive(rng, n, memory):
    made = np.zeros(n)
    for i in range(1, n):
        made[i] = memory * made[i - 1] + rng.normal()
    return made


def test_series_with_a_memory_are_rarely_called_correlated_by_chance():
    rng = np.random.default_rng(7)
    naive = own = 0
    for _ in range(150):
        x, y = autoregressive(rng, 300, 0.9), autoregressive(rng, 300, 0.9)
        naive += stats.pearsonr(x, y).pvalue < 0.05
        n = effective_pairs(x, y)
        r = np.corrcoef(x, y)[0, 1]
        own += 2 * stats.t.sf(abs(r) * np.sqrt((n - 2) / (1 - r * r)), n - 2) < 0.05
    assert naive > 40 and own < 23


def test_the_effective_number_of_an_autoregression_is_the_known_one():
    rng = np.random.default_rng(9)
    found = np.mean(
        [effective_pairs(autoregressive(rng, 2000, 0.7), autoregressive(rng, 2000, 0.7)) for _ in range(20)]
    )
    # For two AR(1) series with the same coefficient a, n (1 - a^2) / (1 + a^2); Bartlett (1935).
    assert found == pytest.approx(2000 * (1 - 0.49) / (1 + 0.49), rel=0.15)


def test_bins_that_a_gap_of_either_touches_make_no_pair():
    a, b, x, y = walks(100)
    gaps = {"gaps": hole(9.5, 19.5), "right_gaps": hole(49.5, 59.5)}
    row = analytics.lagged_correlation(a, b, x="x", y="y", max_lag=0, **gaps).table.iloc[0]
    keep = np.r_[0:9, 20:49, 60:100]
    assert row["pairs"] == len(keep) and row["correlation"] == pytest.approx(np.corrcoef(x[keep], y[keep])[0, 1])


def test_constant_short_and_empty_series_have_no_correlation():
    constant = frame(range(20), x=np.ones(20))
    other = frame(range(20), y=np.arange(20.0))
    for a in (constant, constant.iloc[:2], constant.iloc[:0]):
        result = analytics.lagged_correlation(a, other, x="x", y="y", max_lag=2)
        assert result.value is None and result.table["correlation"].isna().all()
        assert result.plot() is not None


def test_a_frame_with_a_column_called_name_is_a_stream_like_any_other(feed):
    frame = feed.validators.to_pandas()
    table = analytics.align(frame, feed.metrics, columns=[["voting_power"], ["tps"]], gaps=[[], None]).table
    assert list(table.columns) == [
        "timestamp",
        "stream1.voting_power",
        "metrics.tps",
        "stream1.coverage",
        "metrics.coverage",
    ]
