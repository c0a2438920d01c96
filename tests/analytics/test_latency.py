import numpy as np
import pandas as pd
import pytest
import scipy.stats

from aurigraph_nb import analytics
from aurigraph_nb.analytics.intervals import quantile_interval
from aurigraph_nb.errors import BadOption, Incomplete

S = 10**9


@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [20, 301])
def test_the_interval_is_that_of_a_real_bootstrap(q, n):
    values = np.random.default_rng(23).lognormal(3, 0.7, n)
    rng = np.random.default_rng(0)
    mine = quantile_interval(np.sort(values), q, confidence=0.9, resamples=40_000, rng=rng)
    drawn = np.quantile(np.random.default_rng(1).choice(values, (20_000, n)), q, axis=1)
    want = np.quantile(drawn, [0.05, 0.95])
    # Both are simulated: the shares below each end are compared, where the distribution is not too coarse for that.
    for got, ideal, level in zip(mine, want, (0.05, 0.95), strict=True):
        below = np.mean(drawn < got - 1e-9), np.mean(drawn <= got + 1e-9)
        assert below[0] - 0.01 <= level <= below[1] + 0.01, (got, ideal)


def test_the_interval_agrees_with_scipy():
    values = np.random.default_rng(24).gamma(2, 10, 200)
    peers = pd.DataFrame({"timestamp": pd.date_range("2026-01-01", periods=200, freq="1s"), "latency_ms": values})
    row = analytics.latency(peers, quantiles=[0.5], resamples=20_000).table.iloc[0]
    want = scipy.stats.bootstrap(
        (values,), np.median, method="percentile", n_resamples=9_999, rng=np.random.default_rng(3), vectorized=True
    ).confidence_interval
    assert (row["low"], row["high"]) == pytest.approx((want.low, want.high), rel=0.03)
    assert row["low"] <= row["latency_ms"] <= row["high"]


def test_the_median_lies_in_its_interval_as_often_as_promised():
    rng = np.random.default_rng(25)
    inside = []
    for _ in range(300):
        ordered = np.sort(rng.exponential(1.0, 60))
        low, high = quantile_interval(ordered, 0.5, confidence=0.9, resamples=1_000, rng=rng)
        inside.append(low <= np.log(2) <= high)
    assert 0.85 <= np.mean(inside) <= 0.96


def test_quantiles_by_group_are_those_of_each_group(series):
    rng = np.random.default_rng(26)
    frame = series(rng.gamma(2, 20, 90), column="latency_ms", country=rng.choice(["CH", "JP", None], 90))
    result = analytics.latency(frame, by="country", quantiles=[0.5, 0.95])
    assert result.table["country"].tolist() == ["", "", "CH", "CH", "JP", "JP"]
    for name, part in frame.assign(country=frame["country"].fillna("")).groupby("country"):
        mine = result.table[result.table["country"] == name]
        np.testing.assert_allclose(mine["latency_ms"], np.quantile(part["latency_ms"], [0.5, 0.95]))
        assert (mine["n"] == len(part)).all()
    assert result.value == pytest.approx(frame["latency_ms"].median())
    result.plot()


def test_the_seed_decides(series):
    frame = series(np.random.default_rng(27).gamma(2, 20, 50), column="latency_ms")
    one, same, other = (analytics.latency(frame, seed=s).table for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


@pytest.mark.parametrize("values", [[], [None, None], [5.0]])
def test_small_samples_have_no_interval(series, values):
    result = analytics.latency(series(values, column="latency_ms"))
    assert result.value == (5.0 if values == [5.0] else None)
    assert result.table["low"].isna().all()
    result.plot()


def test_missing_latencies_are_left_out_and_counted(series):
    result = analytics.latency(series([1.0, None, 3.0], column="latency_ms"))
    assert (result.value, result.n) == (2.0, 2) and "without a latency_ms, and left out: 1 row" in result.notes


@pytest.mark.parametrize(
    "options", [{"quantiles": []}, {"quantiles": [1.0]}, {"quantiles": "0.5"}, {"resamples": 5}, {"confidence": 1}]
)
def test_wrong_options_are_refused(series, options):
    with pytest.raises(BadOption):
        analytics.latency(series([1.0], column="latency_ms"), **options)
    with pytest.raises(BadOption):
        analytics.feed_lag(series([1.0], recv_ns=[1]), **options)


def test_names_of_groups_cannot_fill_the_memory(series):
    n = 10_001
    frame = series(np.ones(n), column="latency_ms", peer_id=[f"p{i}" for i in range(n)])
    with pytest.raises(BadOption, match="10,000 are the most"):
        analytics.latency(frame, by="peer_id")


def rows_with(delays_ms, offset_ms=0.0, drift_ppm=0.0, step_s=1.0):
    sent = np.round(np.arange(len(delays_ms)) * step_s * S).astype("int64") + 1_767_225_600 * S
    moved = offset_ms + drift_ppm * 1e-6 * (np.arange(len(sent)) * step_s * 1e3)
    recv = sent + np.round((np.asarray(delays_ms) + moved) * 1e6).astype("int64")
    return pd.DataFrame({"timestamp": pd.to_datetime(sent, utc=True), "recv_ns": recv})


@pytest.mark.parametrize("offset", [-5_000.0, 0.0, 123.456])
def test_the_offset_of_the_clocks_is_taken_out(offset):
    delays = np.random.default_rng(28).exponential(20, 500) + 2
    result = analytics.feed_lag(rows_with(delays, offset))
    assert result.offset_ms == pytest.approx(offset + delays.min(), abs=1e-5)
    np.testing.assert_allclose(
        result.table["delay_ms"], np.quantile(delays - delays.min(), [0.5, 0.9, 0.95, 0.99]), atol=1e-5
    )
    np.testing.assert_allclose(result.table["lag_ms"] - result.table["delay_ms"], result.offset_ms, atol=1e-5)


def test_windows_follow_a_clock_that_drifts():
    delays = np.random.default_rng(29).exponential(5, 3_600)
    data = rows_with(delays, 40, drift_ppm=5)
    fixed, moving = analytics.feed_lag(data), analytics.feed_lag(data, window="1min")
    assert moving.drift_ppm == pytest.approx(5, rel=0.1) and fixed.drift_ppm is None
    truth = np.median(delays)
    assert abs(moving.value - truth) < 0.5 < abs(fixed.value - truth)


def test_rows_without_a_server_time_have_no_lag():
    data = rows_with([1.0, 2.0, 3.0])
    data.loc[1, "timestamp"] = pd.NaT
    result = analytics.feed_lag(data)
    assert result.n == 2 and "without a server time, and left out: 1 row" in result.notes[1]
    flagged = rows_with([0.0, 2.0, 3.0]).assign(timestamp_is_recv=[True, False, False])
    assert analytics.feed_lag(flagged).offset_ms == pytest.approx(2.0)


def test_no_rows_have_no_lag(gap):
    result = analytics.feed_lag(rows_with([]))
    assert (result.value, result.offset_ms) == (None, None)
    result.plot()
    with pytest.raises(Incomplete):
        analytics.feed_lag(rows_with([1.0] * 5), gaps=gap((1, 2)), on_gap="raise")
