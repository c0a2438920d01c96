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
from aurigraph_nb.errors import BadOption, BadOptionType, Incomplete


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


def test_expected_counts_are_those_of_a_sum_over_every_round():
    """Against the plain sum over validators and rounds: stakes and statuses that change, rows before and after."""
    rng = np.random.default_rng(5)
    begins, names = np.arange(100, 160), list("abcd")
    moves = pd.DataFrame(
        {
            "at": np.sort(rng.choice(np.arange(90, 170), 40, replace=False)),
            "id": rng.choice(names, 40),
            "voting_power": rng.choice([1.0, 2.0, 5.0, np.nan], 40),
            "status": rng.choice(["ACTIVE", "JAILED", None], 40, p=[0.6, 0.3, 0.1]),
        }
    )
    shares = np.zeros(4)
    for moment in begins:
        weights = []
        for name in names:
            mine = moves[moves["id"] == name]
            stakes, states = mine.dropna(subset=["voting_power"]), mine.dropna(subset=["status"])
            stake = stakes[stakes["at"] <= moment].tail(1) if (stakes["at"] <= moment).any() else stakes.head(1)
            state = states[states["at"] <= moment].tail(1) if (states["at"] <= moment).any() else states.head(1)
            weights.append(stake["voting_power"].iloc[0] * (state["status"].iloc[0] == "ACTIVE"))
        if sum(weights):
            shares += np.array(weights) / sum(weights)
    told = pd.DataFrame({"timestamp": pd.to_datetime(begins, unit="s", utc=True), "round": begins, "leader": "a"})
    stake = moves.assign(timestamp=pd.to_datetime(moves.pop("at"), unit="s", utc=True))
    table = analytics.leadership_share(told, stake).table.set_index("validator")
    np.testing.assert_allclose(table.loc[names, "expected"], shares * 60 / shares.sum(), rtol=1e-9)


def test_the_exact_test_does_not_hold_more_than_memory_bears():
    counts, even = np.zeros(600, np.int64), np.full(600, 2 / 600)
    counts[:2] = 1
    assert "Monte Carlo" in goodness_of_fit(counts, even, draws=99)[1]
    with pytest.raises(BadOption, match="monte-carlo"):
        goodness_of_fit(counts, even, "exact")


def test_a_stake_that_is_no_number_is_refused():
    told = pd.DataFrame({"timestamp": pd.to_datetime([0], unit="s", utc=True), "round": [1], "leader": ["a"]})
    with pytest.raises(BadOptionType, match="a number for each validator"):
        analytics.leadership_share(told, {"a": "much"})
