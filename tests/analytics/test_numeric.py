"""Shared statistics against statsmodels, lifelines and numpy."""

import math

import lifelines
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from aurigraph_nb.analytics.numeric import middle, survival_median, wilson


@given(st.integers(1, 400), st.integers(0, 400), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilsons_interval_is_that_of_statsmodels(of, hits, confidence):
    assume(hits <= of)
    low, high = proportion_confint(hits, of, alpha=1 - confidence, method="wilson")
    assert wilson(hits, of, confidence) == pytest.approx((max(0, low), min(1, high)), abs=1e-12)
    assert wilson(hits, of, confidence)[0] <= hits / of <= wilson(hits, of, confidence)[1]


def test_a_share_of_nothing_has_no_interval():
    assert all(math.isnan(x) for x in wilson(0, 0))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=40))
def test_the_median_of_censored_times_is_that_of_lifelines(cases):
    lengths, ended = (np.array(c) for c in zip(*cases, strict=True))
    fitted = lifelines.KaplanMeierFitter().fit(lengths, ended)
    # A curve that touches one half: lifelines' answer hangs on rounding, ours is "half have ended by then".
    assume(not np.isclose(fitted.survival_function_.to_numpy(), 0.5, atol=1e-9).any())
    expected = fitted.median_survival_time_
    got = survival_median(lengths.astype(float), ended.astype(bool))
    assert (math.inf if got is None else got) == pytest.approx(expected)


def test_the_median_of_no_times_is_unknown():
    assert survival_median(np.empty(0), np.empty(0, bool)) is None


def test_middle_leaves_out_what_is_missing():
    assert middle([1.0, math.nan, 3.0]) == 2.0 and middle([math.nan]) is None
