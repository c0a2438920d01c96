import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.signal
from statsmodels.tsa.stattools import acf

from aurigraph_nb import analytics
from aurigraph_nb.analytics.cycles import correlated, false_alarm
from aurigraph_nb.errors import BadOption, Incomplete


def test_without_gaps_it_is_the_usual_autocorrelation(series):
    values = np.cumsum(np.random.default_rng(17).normal(0, 1, 300))
    result = analytics.autocorrelation(series(values), 40)
    np.testing.assert_allclose(result.table["autocorrelation"], acf(values, nlags=40, fft=False)[1:], rtol=1e-9)
    assert result.value == result.table["autocorrelation"][0]
    assert result.table["pairs"].tolist() == list(range(299, 259, -1))
    assert result.table["lag_s"].tolist() == list(range(1, 41))


def test_with_gaps_only_pairs_seen_at_both_ends_count():
    values = np.random.default_rng(18).normal(0, 1, 60)
    values[[3, 4, 20, 41]] = np.nan
    found, pairs = correlated(values, 10)
    mean, power = np.nanmean(values), np.nanmean((values - np.nanmean(values)) ** 2)
    for k in range(1, 11):
        both = [(a, b) for a, b in zip(values[:-k], values[k:], strict=True) if not np.isnan(a + b)]
        want = (60 - k) / 60 * np.mean([(a - mean) * (b - mean) for a, b in both]) / power
        assert found[k - 1] == pytest.approx(want) and pairs[k - 1] == len(both)


def test_rows_missing_in_a_gap_do_not_shift_what_comes_later(series):
    wave = np.sin(np.arange(200) * 2 * np.pi / 8)
    frame = series(wave).drop(series(wave).index[50:83])
    result = analytics.autocorrelation(frame, 8)
    assert result.table["autocorrelation"][7] > 0.9 and result.table["autocorrelation"][3] < -0.9


def test_ten_of_two_hundred_lags_of_noise_leave_the_band():
    outside = []
    for seed in range(10):
        values = np.random.default_rng(seed).normal(0, 1, 2_000)
        found, pairs = correlated(values, 20)
        outside.extend(np.abs(found) > 1.96 / np.sqrt(pairs))
    assert 2 <= sum(outside) <= 20


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0, 2.0], [None, None]])
def test_series_without_variation_have_neither_correlation_nor_period(series, values):
    for result in (analytics.autocorrelation(series(values), 3), analytics.periodicity(series(values))):
        assert result.value is None and "unknown" in repr(result)
        result.plot()


def test_lags_longer_than_the_series_are_nan(series):
    table = analytics.autocorrelation(series([1.0, 2.0, 1.0]), 5).table
    assert table["autocorrelation"].isna().tolist() == [False, False, True, True, True]
    assert table["pairs"].tolist() == [2, 1, 0, 0, 0]


def test_the_power_is_what_least_squares_explain(series):
    rng = np.random.default_rng(19)
    seconds = np.sort(rng.choice(1_000, 150, replace=False)).astype(float)
    values = 3 * np.sin(2 * np.pi * seconds / 37) + rng.normal(0, 1, 150) + 50
    table = analytics.periodicity(series(values, seconds), shortest="10s").table
    at = (seconds - seconds[0])[:, None]
    for row in table.iloc[[3, 57, 101, len(table) - 1]].itertuples():
        turn = 2 * np.pi * row.frequency_hz * at
        design = np.hstack([np.ones_like(at), np.sin(turn), np.cos(turn)])
        left = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
        assert row.power == pytest.approx(1 - np.var(left) / np.var(values), abs=1e-6)


def test_a_hidden_period_is_found_across_gaps(series, gap):
    rng = np.random.default_rng(20)
    seconds = np.concatenate([np.arange(0, 200), np.arange(290, 600)]).astype(float)
    values = 1_000 + 3 * np.sin(2 * np.pi * seconds / 45) + rng.normal(0, 3, len(seconds))
    result = analytics.periodicity(series(values, seconds), gaps=gap((199, 290)))
    assert result.value == pytest.approx(45, rel=0.02)
    assert result.false_alarm < 1e-6 and result.power > 0.2
    with pytest.raises(Incomplete):
        analytics.periodicity(series(values, seconds), gaps=gap((199, 290)), on_gap="raise")


def test_evenly_spaced_noise_agrees_with_the_periodogram_at_its_frequencies(series):
    values = np.random.default_rng(21).normal(0, 1, 128)
    hz, power = scipy.signal.periodogram(values, detrend="constant", scaling="spectrum")
    table = analytics.periodicity(series(values)).table
    for k in (5, 20, 50):
        mine = np.interp(hz[k], table["frequency_hz"], table["power"])
        assert mine == pytest.approx(power[k] / np.var(values), abs=0.02)


def test_the_bound_holds_for_noise_and_is_not_far_off(series):
    """At a false alarm of 10 % one series of noise in ten peaks higher; the bound may only be too careful."""
    rng = np.random.default_rng(22)
    alarms = [analytics.periodicity(series(rng.normal(0, 1, 64))).false_alarm for _ in range(150)]
    assert 0.03 <= np.mean(np.array(alarms) < 0.1) <= 0.16


def test_the_bound_lies_between_nought_and_one_and_falls_with_power():
    found = [false_alarm(p, 50, 0.5, 200.0) for p in np.linspace(0, 1, 21)]
    assert found[0] == pytest.approx(1) and found[-1] == 0
    assert all(a >= b for a, b in itertools.pairwise(found))


def test_the_range_of_periods_can_be_chosen(series):
    waves = np.sin(2 * np.pi * np.arange(300) / 100) * 5 + np.sin(2 * np.pi * np.arange(300) / 10)
    assert analytics.periodicity(series(waves)).value == pytest.approx(100, rel=0.05)
    assert analytics.periodicity(series(waves), longest="40s").value == pytest.approx(10, rel=0.02)
    with pytest.raises(BadOption, match="shorter than"):
        analytics.periodicity(series(waves), longest="2s", shortest="10s")
    with pytest.raises(BadOption, match="longer than 0"):
        analytics.periodicity(series(waves), shortest=0)


def test_too_many_rows_are_refused_with_a_way_out(series):
    with pytest.raises(BadOption, match="every="):
        analytics.periodicity(series(np.arange(5_001.0)))
    far = pd.concat([series(np.arange(10.0)), series(np.arange(2.0), start="2040-01-01")])
    with pytest.raises(BadOption, match="5,000,000 are the most"):
        analytics.autocorrelation(far)


def test_lags_without_bound_are_refused(series):
    with pytest.raises(BadOption, match="10,000 are the most"):
        analytics.autocorrelation(series([1.0, 2.0, 3.0]), lags=10**9)


def test_rows_too_close_together_for_any_period_have_none(series):
    result = analytics.periodicity(series([1.0, 5.0, 2.0, 4.0, 3.0], [0, 0, 0, 1, 1]))
    assert result.value is None and "too close together" in result.reading
