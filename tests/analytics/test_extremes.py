"""Numbers at the ends of what a float holds give results that are defined, and no warning."""

import numpy as np
import pandas as pd
import pytest
from questions import PUBLIC, ask, frame_for

from aurigraph_nb import analytics

EXTREMES = {
    "huge": [1e308, 1.7e308, 1.2e308, 1.6e308, 9e307],
    "huge of both signs": [1e308, -1.7e308, 1.2e308, -1.6e308, 9e307, 0.0],
    "tiny": [5e-324, 1e-310, 2e-308, 3e-320],
    "huge and tiny": [1.7e308, 5e-324, 1.0, 0.0],
    "not finite": [np.inf, 1.0, -np.inf, np.nan, 2.0],
}


@pytest.mark.parametrize("kind", EXTREMES)
@pytest.mark.parametrize("name", PUBLIC)
def test_extreme_numbers_give_a_result_and_no_warning(name, kind):
    result = ask(name, frame_for(name, EXTREMES[kind]))
    assert result.value is None or result.value == result.value
    assert result.reading and result._repr_mimebundle_() and result.plot().layout.title.text
    assert result.coverage is None or 0 <= result.coverage <= 1


SCALED = "throughput peak_to_mean sustained_rate autocorrelation periodicity change_points resample dispersion fano "
SCALED += "latency event_study time_to_recover align asof lagged_correlation gini herfindahl entropy theil lorenz "
SCALED += "nakamoto decentralisation decentralisation_over_time"
FREE = {"lagged_correlation", "gini", "herfindahl", "entropy", "theil", "lorenz", "nakamoto", "decentralisation"}
FREE |= {"autocorrelation", "periodicity"}
"""Functions whose numbers have no unit."""
SAME = (
    "peak_to_mean pairs lag lag_s n events left recovered seconds offset_s coverage segment windows window_s quantile "
)
SAME += "hold_s nakamoto gini herfindahl entropy theil largest_share members active members_coverage over_gap age_s "
SAME += "a.coverage b.coverage"
"""Columns whose numbers are not in the unit of the values."""
CHANCE = {("dispersion", "low"), ("dispersion", "high"), ("dispersion", "p_value")}
"""What chance allows depends on the unit: counts have none."""


@pytest.mark.parametrize("name", SCALED.split())
def test_a_result_in_other_units_is_the_same_result(name):
    """Values times 2**1000, near the largest float, give exactly those results times 2**1000."""
    values = [float(v) for v in np.random.default_rng(5).integers(1, 200, 17)]
    plain, scaled = (ask(name, frame_for(name, [v * f for v in values])).table for f in (1.0, 2.0**1000))
    for column in [c for c in plain if (name, c) not in CHANCE]:
        if plain[column].dtype.kind not in "fiub":
            assert plain[column].equals(scaled[column]), column
            continue
        same = column in SAME.split() or (name in FREE and column != "weight")
        factor = np.full(len(plain), 1.0 if same else 2.0**1000)
        if "statistic" in plain:
            factor[plain["statistic"] == "peak_to_mean"] = 1.0
        with np.errstate(over="ignore"):
            want = plain[column].to_numpy(float) * factor * (2.0**1000 if column == "variance" else 1.0)
        np.testing.assert_allclose(scaled[column].to_numpy(float), want, rtol=1e-9, err_msg=column)


def test_an_outlier_costs_no_digits_of_the_bins_around_other_events(series):
    values = np.ones(60)
    values[3] = 1e17
    event = pd.Timestamp("2026-01-01 00:00:40", tz="UTC")
    table = analytics.event_study(series(values), [event], before=5, after=5).table
    assert table["mean"].tolist() == [0.0] * 10
    assert analytics.time_to_recover(series(values), [event], before=5, after=5).table["baseline"][0] == 1.0


def test_a_large_holder_who_goes_costs_no_digits_of_those_who_stay(series):
    lines = [
        (0, "whale", 1e18, "ACTIVE"),
        (0, "a", 1.0, "ACTIVE"),
        (0, "b", 3.0, "ACTIVE"),
        (10, "whale", None, "JAILED"),
    ]
    stakes = pd.DataFrame(lines, columns=["second", "id", "voting_power", "status"])
    stakes["timestamp"] = pd.to_datetime(stakes["second"], unit="s", utc=True)
    led = pd.DataFrame({"timestamp": pd.to_datetime(range(10, 50), unit="s", utc=True), "round": range(40)})
    table = analytics.leadership_share(led.assign(leader=list("abbb") * 10), stakes).table.set_index("validator")
    assert table["expected"].to_dict() == {"b": 30.0, "a": 10.0, "whale": 0.0}
