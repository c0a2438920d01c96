import numpy as np
import pandas as pd
import pytest
import scipy.stats

from aurigraph_nb import analytics
from aurigraph_nb.errors import BadOption, Incomplete

DAY = "2026-01-01"


def events(seconds):
    times = pd.Timestamp(DAY, tz="UTC") + pd.to_timedelta(
        np.round(np.asarray(seconds) * 1e9).astype("int64"), unit="ns"
    )
    return pd.DataFrame({"timestamp": pd.DatetimeIndex(times)})


def within(seconds):
    return {"start": DAY, "end": pd.Timestamp(DAY) + pd.Timedelta(seconds=seconds)}


def test_the_index_is_variance_by_mean_of_the_counts(series):
    seconds = np.sort(np.random.default_rng(4).uniform(0, 100, 500))
    watched = np.concatenate([[-1.0], seconds, [101.0]])  # on both sides of the range, so all of it was watched
    result = analytics.dispersion(events(watched), "1s", **within(100))
    counts, _ = np.histogram(seconds, bins=np.arange(101))
    assert result.value == pytest.approx(counts.var(ddof=1) / counts.mean())
    row = result.table.iloc[0]
    assert (row["windows"], row["mean"]) == (100, 5.0)
    x = result.value * 99
    assert row["p_value"] == pytest.approx(2 * min(scipy.stats.chi2.cdf(x, 99), scipy.stats.chi2.sf(x, 99)))
    assert (row["low"], row["high"]) == pytest.approx(tuple(scipy.stats.chi2.ppf([0.025, 0.975], 99) / 99))


def test_the_classical_counts_of_horse_kicks_look_like_chance():
    """Bortkiewicz, 1898, Das Gesetz der kleinen Zahlen: deaths in 10 corps in 20 years, 109, 65, 22, 3, 1 of 0 … 4.

    Mean 0.61 and variance 0.6109, as in Fisher (1925), Statistical Methods for Research Workers, section 15.
    """
    counts = np.repeat([0, 1, 2, 3, 4], [109, 65, 22, 3, 1])
    np.random.default_rng(5).shuffle(counts)
    seconds = np.concatenate([w + (np.arange(c) + 0.5) / 5 for w, c in enumerate(counts)])
    result = analytics.dispersion(events(seconds), "1s", **within(200))
    assert result.table["mean"][0] == pytest.approx(0.61)
    assert result.value == pytest.approx(0.6109 / 0.61, abs=2e-3)
    assert result.table["p_value"][0] > 0.9


def test_bursts_are_over_dispersed_and_a_clock_is_under_dispersed():
    bursts = np.repeat(np.arange(0.5, 200, 10), 20)
    assert analytics.dispersion(events(bursts), "1s", **within(200)).value > 10
    clock = analytics.dispersion(events(np.arange(0.05, 200, 0.1)), "1s", **within(200))
    assert clock.value == 0 and clock.table["p_value"][0] < 1e-6


def test_windows_that_a_gap_touches_do_not_count(gap):
    seconds = np.concatenate([np.arange(0, 20, 0.5), np.arange(40, 60, 0.5)]) + 0.1
    data = events(seconds)
    whole = analytics.dispersion(data, "1s", **within(60))
    honest = analytics.dispersion(data, "1s", gaps=gap((20, 40)), **within(60))
    assert (whole.table["windows"][0], honest.table["windows"][0]) == (60, 40)
    assert honest.value == 0 < whole.value
    assert analytics.dispersion(data, "1s", gaps=gap((20, 40)), on_gap="ignore", **within(60)).value == whole.value
    with pytest.raises(Incomplete):
        analytics.dispersion(data, "1s", gaps=gap((20, 40)), on_gap="raise", **within(60))


def test_a_rate_counts_as_the_mean_rate_times_the_window(series):
    values = np.random.default_rng(6).poisson(50, 300).astype(float)
    result = analytics.dispersion(series(values), "1s", **within(300))
    assert result.value == pytest.approx(values.var(ddof=1) / values.mean())
    wide = analytics.fano(series(values), ["10s"], **within(300)).table.iloc[0]
    sums = values.reshape(30, 10).sum(axis=1)
    assert wide["dispersion"] == pytest.approx(sums.var(ddof=1) / sums.mean())
    assert wide["mean"] == pytest.approx(500, rel=0.05)


def test_the_fano_factor_of_chance_stays_at_one_and_that_of_trends_grows():
    rng = np.random.default_rng(7)
    chance = analytics.fano(events(np.sort(rng.uniform(0, 2000, 20_000))), ["1s", "2s", "5s", "10s"], **within(2000))
    assert chance.table["dispersion"].between(0.7, 1.3).all() and abs(chance.value) < 0.15
    rates = np.repeat([2, 20, 2, 20], 500)
    seconds = np.concatenate([w + rng.uniform(0, 1, rng.poisson(r)) for w, r in enumerate(rates)])
    trend = analytics.fano(events(np.sort(seconds)), ["1s", "10s", "100s"], **within(2000))
    assert trend.table["dispersion"].is_monotonic_increasing and trend.value > 0.7


def test_the_slope_is_that_of_a_power_law():
    table = analytics.fano(events(np.sort(np.random.default_rng(8).uniform(0, 500, 5_000))), **within(500))
    used = table.table[(table.table["windows"] >= 10) & (table.table["dispersion"] > 0)]
    want = scipy.stats.linregress(np.log(used["window_s"]), np.log(used["dispersion"])).slope
    assert table.value == pytest.approx(want)


@pytest.mark.parametrize("seconds", [[], [1.0], [1.0, 1.5]])
def test_too_few_windows_give_no_number(seconds):
    result = analytics.dispersion(events(seconds), "1min")
    assert result.value is None and "fewer than 2 whole windows" in repr(result)
    assert analytics.fano(events(seconds)).value is None
    result.plot()


def test_no_event_at_all_in_many_windows_has_no_ratio(series):
    result = analytics.dispersion(series(np.zeros(50)), "1s", **within(50))
    assert result.value is None and "nothing was counted" in repr(result)


@pytest.mark.parametrize("scales", [[], "1s", [0]])
def test_scales_are_a_list_of_durations(series, scales):
    with pytest.raises(BadOption):
        analytics.fano(series([1.0, 2.0]), scales)


def test_the_window_that_holds_the_last_event_ends_unseen_and_does_not_count():
    data = events(np.arange(0, 10.1, 0.5))  # from 0 to 10: ten whole windows, and the begin of an eleventh
    assert analytics.dispersion(data, "1s").table["windows"][0] == 10
    assert analytics.dispersion(data, "1s", **within(11)).table["windows"][0] == 10
    more = events([*np.arange(0, 10.1, 0.5), 12.0])  # the silence up to 11 was watched: somebody heard what came after
    assert analytics.dispersion(more, "1s", **within(11)).table["windows"][0] == 11
