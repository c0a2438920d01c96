"""Leadership against stake: the tests against scipy and brute force, and the model, which does draw by stake."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelled import modelled
from scipy import stats

from aurigraph_nb import analytics
from aurigraph_nb.analytics.leadership import goodness_of_fit
from aurigraph_nb.errors import BadOption, Incomplete


def led(leaders, **more):
    times = pd.to_datetime(range(len(leaders)), unit="s", utc=True)
    return pd.DataFrame({"timestamp": times, "round": range(len(leaders)), "leader": list(leaders)}).assign(**more)


@given(st.lists(st.integers(0, 60), min_size=2, max_size=6).filter(lambda c: sum(c) > 0), st.data())
def test_the_chi_square_p_value_is_that_of_scipy(counts, data):
    shares = np.array(data.draw(st.lists(st.integers(1, 9), min_size=len(counts), max_size=len(counts))), float)
    counts = np.array(counts)
    expected = counts.sum() * shares / shares.sum()
    assert goodness_of_fit(counts, expected, "chi-square")[0] == pytest.approx(stats.chisquare(counts, expected).pvalue)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=3, max_size=3).filter(lambda c: sum(c) > 0),
    st.tuples(*[st.integers(1, 5)] * 3),
)
def test_the_exact_p_value_is_that_of_trying_all_outcomes(counts, weights):
    counts, shares = np.array(counts), np.array(weights) / sum(weights)
    n = int(counts.sum())

    def pearson(outcome):
        return sum((c - n * p) ** 2 / (n * p) for c, p in zip(outcome, shares, strict=True))

    outcomes = [o for o in itertools.product(range(n + 1), repeat=3) if sum(o) == n]
    expected = sum(stats.multinomial.pmf(o, n, shares) for o in outcomes if pearson(o) >= pearson(counts) - 1e-9)
    assert goodness_of_fit(counts, n * shares, "exact")[0] == pytest.approx(expected, rel=1e-6)


def test_random_outcomes_come_near_the_exact_p_value_and_the_seed_fixes_them():
    counts, expected = np.array([7, 2, 1]), np.array([4.0, 3.0, 3.0])
    exact = goodness_of_fit(counts, expected, "exact")[0]
    drawn = goodness_of_fit(counts, expected, "monte-carlo", 20_000, 3)[0]
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact / 20_000))
    assert drawn == goodness_of_fit(counts, expected, "monte-carlo", 20_000, 3)[0]


def test_with_two_equal_validators_the_exact_test_is_the_binomial_one():
    p = analytics.leadership_share(led("aaaaaaab"), {"a": 1, "b": 1}, method="exact").value
    assert p == pytest.approx(stats.binomtest(7, 8).pvalue)


def test_small_expected_counts_are_tested_exactly_and_large_ones_by_chi_square():
    assert "exact" in analytics.leadership_share(led("aab"), {"a": 2, "b": 1}).notes[0]
    assert "chi-square" in analytics.leadership_share(led("aab" * 20), {"a": 2, "b": 1}).notes[0]
    many = {f"v{i}": 1 for i in range(30)}
    assert "Monte Carlo" in analytics.leadership_share(led(["v1", "v2"] * 10), many).notes[0]


def test_the_model_draws_by_stake_and_equal_shares_are_refuted():
    p_values = []
    for seed in range(8):
        data, _ = modelled("steady", seed, 600.0)
        p_values.append(analytics.leadership_share(data["consensus"], data["validators"]).value)
        equal = dict.fromkeys(data["validators"]["id"].unique(), 1.0)
        assert analytics.leadership_share(data["consensus"], equal).value < 1e-6
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_the_unit_of_stake_does_not_matter():
    frame = led("aabcab")
    small = analytics.leadership_share(frame, {"a": 3.0, "b": 2.0, "c": 1.0})
    large = analytics.leadership_share(frame, {"a": 3e9, "b": 2e9, "c": 1e9})
    assert small.value == large.value and small.table["stake_share"].sum() == pytest.approx(1)


def test_stake_counts_as_it_was_known_at_each_round_and_only_while_active():
    validators = pd.DataFrame(
        {
            "timestamp": pd.to_datetime([0, 0, 2], unit="s", utc=True),
            "id": ["a", "b", "b"],
            "status": ["ACTIVE", "ACTIVE", "JAILED"],
            "voting_power": [1.0, 1.0, 0.0],
        }
    )
    table = analytics.leadership_share(led("abaa"), validators).table.set_index("validator")
    assert table["expected"].to_dict() == {"a": 3.0, "b": 1.0}


def test_a_leader_without_stake_makes_the_null_hypothesis_impossible():
    assert analytics.leadership_share(led("aax"), {"a": 1.0, "b": 1.0}).value == 0


def test_missing_validators_are_warned_of_or_refused():
    frame = led("ab", active_validators=4)
    with pytest.warns(analytics.AnalyticsWarning, match="2 validators is known, and 4"):
        assert analytics.leadership_share(frame, {"a": 1, "b": 1}).coverage == 0.5
    with pytest.raises(Incomplete, match="4 are active"):
        analytics.leadership_share(frame, {"a": 1, "b": 1}, require_complete=True)


def test_no_rounds_or_no_stake_give_no_number():
    assert analytics.leadership_share(led(""), {"a": 1}).value is None
    assert analytics.leadership_share(led("a"), {}).value is None
    assert analytics.leadership_share(led("a"), {"a": 1}).value == 1


def test_options_out_of_range_are_refused():
    with pytest.raises(BadOption, match="outcomes"):
        analytics.leadership_share(
            led("abc" * 200), {f"v{i}": 1 for i in "abc" * 3} | dict.fromkeys("abcdefgh", 1), method="exact"
        )
    with pytest.raises(BadOption, match="method"):
        analytics.leadership_share(led("a"), {"a": 1}, method="guess")
    with pytest.raises(BadOption, match="finite"):
        analytics.leadership_share(led("a"), {"a": -1})
