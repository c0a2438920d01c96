import numpy as np
import pandas as pd
import pytest
import statsmodels.stats.diagnostic as diagnostic

from aurigraph_nb import analytics
from aurigraph_nb.errors import BadOption


def events(steps):
    seconds = np.concatenate([[0.0], np.cumsum(steps)])
    times = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.round(seconds * 1e9).astype("int64"), unit="ns")
    return pd.DataFrame({"timestamp": pd.DatetimeIndex(times)})


@pytest.mark.parametrize("shape", [0.5, 0.8, 1.0, 1.5])
@pytest.mark.parametrize("n", [12, 60, 400])
def test_distance_and_p_value_agree_with_statsmodels(shape, n):
    steps = np.random.default_rng(n).gamma(shape, 2.0, n)
    result = analytics.interarrival(events(steps))
    distance, p = diagnostic.lilliefors(steps, dist="exp", pvalmethod="table")
    assert result.statistic == pytest.approx(distance, abs=1e-6)
    inside = min(max(p, 0.001), 0.2)  # its table ends there
    assert min(max(result.p_value, 0.001), 0.2) == pytest.approx(inside, abs=0.03)


def test_critical_values_are_those_that_lilliefors_published():
    """Lilliefors (1969), table 1: for n = 20 the 5 % point of D is 0.234, for n = 10 it is 0.325, for n = 30 0.192."""
    from aurigraph_nb.analytics.arrivals import lilliefors_p

    for n, critical in ((10, 0.325), (20, 0.234), (30, 0.192)):
        assert lilliefors_p(critical, n, 20_000, 0) == pytest.approx(0.05, abs=0.012)


def test_chance_is_rejected_as_often_as_promised():
    rng = np.random.default_rng(9)
    found = [analytics.interarrival(events(rng.exponential(1.0, 80)), simulations=200).p_value for _ in range(150)]
    assert 0.01 <= np.mean(np.array(found) <= 0.05) <= 0.11


def test_the_unit_of_time_does_not_matter_and_the_seed_decides():
    steps = np.random.default_rng(10).exponential(1.0, 50)
    first, second = (analytics.interarrival(events(np.round(steps, 6) * f)) for f in (1, 1000))
    assert first.statistic == pytest.approx(second.statistic) and first.variation == pytest.approx(second.variation)
    again = analytics.interarrival(events(np.round(steps, 6)))
    assert again.p_value == first.p_value


def test_quantiles_stand_beside_those_of_the_fitted_distribution():
    steps = np.random.default_rng(11).exponential(2.0, 300)
    table = analytics.interarrival(events(steps)).table
    np.testing.assert_allclose(table["seconds"], np.quantile(np.round(steps, 9), table["quantile"]), rtol=1e-6)
    np.testing.assert_allclose(table["exponential_s"], -steps.mean() * np.log(1 - table["quantile"]), rtol=1e-6)


def test_times_over_a_gap_are_left_out(gap):
    data = events([1.0] * 10 + [100.0] + [1.0] * 10)
    result = analytics.interarrival(data, gaps=gap((11, 109)))
    assert (result.value, result.n, result.variation) == (1.0, 20, 0.0)
    assert result.notes[0] == "over a gap, and left out: 1 time"
    assert analytics.interarrival(data, gaps=gap((11, 109)), on_gap="ignore").value > 5


@pytest.mark.parametrize("steps, value", [([], None), ([2.0], 2.0), ([1.0, 2.0], 1.5), ([0.0, 0.0, 0.0, 0.0], 0.0)])
def test_small_samples_are_not_tested(steps, value):
    result = analytics.interarrival(events(steps))
    assert (result.value, result.statistic, result.p_value) == (value, None, None)
    result.plot()


def test_simulations_are_enough_to_say_anything():
    with pytest.raises(BadOption, match="at least 100"):
        analytics.interarrival(events([1.0]), simulations=10)
