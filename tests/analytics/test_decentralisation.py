import itertools
import warnings
from decimal import Decimal

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

import aurigraph_nb as ag
from aurigraph_nb import analytics
from aurigraph_nb.errors import BadOption, BadOptionType, Incomplete

MEASURES = [
    analytics.nakamoto,
    analytics.gini,
    analytics.herfindahl,
    analytics.entropy,
    analytics.theil,
    analytics.lorenz,
    analytics.decentralisation,
]
weights = st.lists(st.integers(0, 1_000), min_size=1, max_size=8).filter(any)


def stakes(values, column="voting_power"):
    return pd.DataFrame({"id": [f"v{i}" for i in range(len(values))], column: values})


def by_trying(values, threshold):
    """The fewest members of any coalition that exceeds the threshold, by trying every coalition."""
    from fractions import Fraction

    limit = Fraction(threshold).limit_denominator(10**6) * sum(values)
    for k in range(1, len(values) + 1):
        if any(sum(c) > limit for c in itertools.combinations(values, k)):
            return k
    return None


@settings(max_examples=60)
@given(weights, st.sampled_from([1 / 3, 0.5, 2 / 3, 0.05, 0.99]))
def test_no_smaller_coalition_exceeds_the_threshold(values, threshold):
    assert analytics.nakamoto(stakes(values), threshold).value == by_trying(values, threshold)


def test_a_share_equal_to_the_threshold_does_not_exceed_it():
    assert analytics.nakamoto(stakes([1.0, 1.0, 1.0])).value == 2
    assert analytics.nakamoto(stakes([0.1] * 10), 0.3).value == 4, "sums of tenths are not sums of floats"
    assert analytics.nakamoto(stakes([Decimal(10**37)] * 3), 2 / 3).value == 3
    assert analytics.nakamoto(stakes([5.0, 5.0]), 0.5).value == 2


def test_the_coalition_is_marked_heaviest_first():
    table = analytics.nakamoto(stakes([1.0, 5.0, 2.0, 2.0]), 0.6).table
    assert table["id"].tolist() == ["v1", "v2", "v3", "v0"]
    assert table["in_coalition"].tolist() == [True, True, False, False]
    assert table["cumulative_share"].tolist() == pytest.approx([0.5, 0.7, 0.9, 1.0])


@settings(max_examples=60)
@given(weights)
def test_the_measures_agree_with_their_definitions(values):
    x = np.array(values, float)
    n, mean, s = len(x), x.mean(), x / x.sum()
    assert analytics.gini(stakes(values)).value == pytest.approx(np.abs(x[:, None] - x).sum() / (2 * n * n * mean))
    assert analytics.herfindahl(stakes(values)).value == pytest.approx(np.sum(s**2))
    assert analytics.entropy(stakes(values)).value == pytest.approx(scipy.stats.entropy(s, base=2), abs=1e-12)
    ratio = x[x > 0] / mean
    assert analytics.theil(stakes(values)).value == pytest.approx(np.sum(ratio * np.log(ratio)) / n, abs=1e-12)


@settings(max_examples=60)
@given(weights, st.sampled_from([0.5, 3.0, 1e12]), st.randoms(use_true_random=False))
def test_unit_and_order_do_not_matter_and_bounds_hold(values, factor, random):
    data = stakes([v * factor for v in values])
    shuffled = data.sample(frac=1, random_state=random.randrange(1_000))
    n = len(values)
    bounds = {analytics.gini: (0, (n - 1) / n), analytics.herfindahl: (1 / n, 1)}
    bounds |= {analytics.entropy: (0, np.log2(n)), analytics.theil: (0, np.log(n)), analytics.nakamoto: (1, n)}
    for measure, (least, most) in bounds.items():
        value = measure(stakes(values)).value
        assert measure(shuffled).value == pytest.approx(value, abs=1e-9)
        assert least - 1e-9 <= value <= most + 1e-9


def test_the_ends_of_the_gini_coefficient():
    assert analytics.gini(stakes([3.0] * 9)).value == pytest.approx(0, abs=1e-12)
    assert analytics.gini(stakes([0.0] * 9 + [1.0])).value == pytest.approx(0.9)


def test_shannon_and_theil_are_two_sides_of_one_thing():
    values = np.random.default_rng(31).pareto(1.5, 40)
    bits, nats = analytics.entropy(stakes(values)).value, analytics.theil(stakes(values)).value
    assert nats == pytest.approx(np.log(40) - bits * np.log(2))


def test_the_lorenz_curve_rises_below_the_diagonal_and_encloses_the_gini_coefficient():
    values = np.random.default_rng(32).lognormal(0, 1, 30)
    result = analytics.lorenz(stakes(values))
    x, y = result.table["members_share"], result.table["weight_share"]
    assert (x.iloc[0], y.iloc[0], x.iloc[-1], y.iloc[-1]) == (0, 0, 1, 1)
    assert (y <= x + 1e-12).all() and (np.diff(y, 2) >= -1e-12).all()
    assert (
        1 - 2 * np.trapezoid(y, x) == pytest.approx(result.value) == pytest.approx(analytics.gini(stakes(values)).value)
    )


def test_one_table_holds_them_all_with_their_bounds():
    values = [4.0, 3.0, 2.0, 1.0]
    table = analytics.decentralisation(stakes(values)).table.set_index("measure")
    for measure in ("nakamoto", "gini", "herfindahl", "entropy", "theil"):
        alone = getattr(analytics, measure)
        assert table["value"][measure] == pytest.approx(alone(stakes(values)).value)
        assert table["equal"][measure] == pytest.approx(alone(stakes([1.0] * 4)).value, abs=1e-12)
        assert table["single"][measure] == pytest.approx(alone(stakes([1.0, 0, 0, 0])).value)
    assert table["value"]["equal_members_herfindahl"] == pytest.approx(1 / 0.3)
    assert table["value"]["largest_share"] == 0.4


# Who counts


def test_the_last_word_of_each_member_counts_column_by_column():
    frame = pd.DataFrame({"id": ["a", "b", "a", None], "voting_power": [1.0, 3.0, 5.0, 99.0]})
    assert analytics.herfindahl(frame).table["weight"].tolist() == [5, 3]
    partial = pd.DataFrame(
        {"id": ["a", "b", "a"], "voting_power": [1.0, 3.0, None], "status": [None, "ACTIVE", "ACTIVE"]}
    )
    assert analytics.herfindahl(partial).table["weight"].tolist() == [3, 1]


def test_members_out_of_service_do_not_count_unless_asked_for():
    frame = stakes([5.0, 3.0, 2.0]).assign(status=["JAILED", "ACTIVE", None])
    assert analytics.nakamoto(frame).table["id"].tolist() == ["v1", "v2"]
    assert analytics.nakamoto(frame, status=None).n == 3
    assert analytics.nakamoto(frame, status="JAILED").n == 2


def test_the_stake_stands_in_where_nobody_has_a_voting_power():
    table = pa.table({"id": ["a", "b"], "total_staked": pa.array([Decimal(10**30), Decimal(2)], pa.decimal128(38, 0))})
    result = analytics.nakamoto(table)
    assert result.chart.y_title == "share of total staked" and result.value == 1
    both = stakes([1.0, 2.0]).assign(total_staked=[9.0, 1.0])
    assert analytics.nakamoto(both).table["id"][0] == "v1"
    assert analytics.nakamoto(both, weight="total_staked").table["id"][0] == "v0"


def test_weights_that_are_none_are_left_out_and_counted():
    result = analytics.gini(stakes([1.0, 1.0, -5.0, float("nan"), float("inf")]))
    assert result.n == 2 and result.notes[0] == "left out, without a voting_power of at least 0: 3 members"


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("values", [[], [0.0, 0.0], [None]])
def test_without_a_whole_there_is_no_value(measure, values):
    result = measure(stakes(values))
    assert result.value is None and "unknown" in repr(result)
    result.plot()


@pytest.mark.parametrize("measure", MEASURES)
def test_one_member_holds_all(measure):
    want = {"nakamoto": 1, "gini": 0, "herfindahl": 1, "entropy": 0, "theil": 0, "lorenz": 0, "decentralisation": None}
    assert measure(stakes([7.0])).value == want[measure.__name__]


# How many there are


@pytest.mark.parametrize("measure", MEASURES)
def test_missing_members_are_warned_of_at_the_line_that_asked(measure):
    with pytest.warns(analytics.AnalyticsWarning, match="2 of 5 active validators seen") as caught:
        result = measure(stakes([1.0, 1.0]), active=5)
    assert caught[0].filename == __file__
    assert result.coverage == 0.4 and "coverage 40 %" in repr(result)
    with pytest.raises(Incomplete, match="2 members seen of 5"):
        measure(stakes([1.0, 1.0]), active=5, require_complete=True)


def test_all_members_seen_are_no_cause_for_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = analytics.nakamoto(stakes([1.0, 1.0]), active=2, require_complete=True)
        more = analytics.nakamoto(stakes([1.0, 1.0, 1.0]), active=2)
    assert result.coverage == more.coverage == 1 and "though 2 were said" in more.notes[0]


def test_nobody_having_said_how_many_there_are_is_noted_and_may_be_refused():
    result = analytics.nakamoto(stakes([1.0]))
    assert result.coverage is None and "nobody said" in result.notes[0]
    with pytest.raises(Incomplete, match="unknown number"):
        analytics.nakamoto(stakes([1.0]), require_complete=True)


def test_consensus_rows_say_how_many_there_are():
    consensus = pd.DataFrame({"active_validators": pd.array([9, 4, None], dtype="Int64")})
    with pytest.warns(analytics.AnalyticsWarning, match="1 of 4"):
        analytics.nakamoto(stakes([1.0]), active=consensus)


def test_a_topic_asks_the_consensus_of_its_feed_and_its_own_state(feed):
    feed.consensus.to_arrow()  # open
    with pytest.warns(analytics.AnalyticsWarning, match="of 18 active validators"):
        result = analytics.nakamoto(feed.validators)
    current = feed.validators.current_table()
    assert result.n == (current["status"] == "ACTIVE").sum()
    with pytest.warns(analytics.AnalyticsWarning):
        early = analytics.nakamoto(feed.validators, end="2026-01-01 00:00:10")
    assert early.n < result.n


def test_a_recorded_topic_asks_the_consensus_that_was_recorded_with_it():
    recording = ag.sample("jailing", "1min", seed=7)
    with pytest.warns(analytics.AnalyticsWarning, match="11 of 18 active validators"):
        early = analytics.nakamoto(recording.validators, end="2026-01-01 00:00:20")
    assert early.n == 11 and early.coverage == 11 / 18
    over_time = analytics.decentralisation_over_time(recording.validators, "10s").table
    assert over_time["active"].tolist()[:2] == [18, 18] and over_time["active"].min() < 18


def test_how_many_there_are_is_what_was_last_said_before_the_end():
    recording = ag.sample("jailing", "1min", seed=7)
    during = recording.consensus.to_pandas(end="2026-01-01 00:00:40")["active_validators"].iloc[-1]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        result = analytics.nakamoto(recording.validators, end="2026-01-01 00:00:40")
    after = recording.consensus.latest.active_validators
    assert during == 14 and after == 18
    assert [f"of {during} active" in str(w.message) for w in told] == [True] and result.coverage == result.n / during


@pytest.mark.parametrize("threshold", [0, 1, -1, "a third", float("nan")])
def test_a_threshold_is_a_share(threshold):
    with pytest.raises(BadOption):
        analytics.nakamoto(stakes([1.0]), threshold)


def test_wrong_options_and_columns_are_refused_by_name():
    with pytest.raises(BadOptionType, match="no option wieght"):
        analytics.gini(stakes([1.0]), wieght="x")
    with pytest.raises(BadOption, match="voting_power or total_staked"):
        analytics.gini(stakes([1.0], "power"))
    with pytest.raises(BadOption, match="no column power"):
        analytics.gini(stakes([1.0]), weight="power")
    with pytest.raises(BadOption, match="active=0"):
        analytics.gini(stakes([1.0]), active=0)


def test_the_newest_row_about_a_member_counts_wherever_it_stands():
    times = pd.to_datetime([5, 1, 3, 2, 4], unit="s", utc=True)
    rows = {
        "id": list("abaab"),
        "voting_power": [9.0, 1.0, 5.0, None, 3.0],
        "status": [None, "ACTIVE", "JAILED", None, None],
    }
    frame = pd.DataFrame({"timestamp": times, **rows})
    assert analytics.nakamoto(frame, status=None).table[["id", "weight"]].values.tolist() == [["a", 9.0], ["b", 3.0]]
    assert analytics.nakamoto(frame).table["id"].tolist() == ["b"], "a was jailed at 3 s, and said nothing of it later"
    parted = analytics.nakamoto(dd.from_pandas(frame, npartitions=3, sort=False), status=None)
    assert parted.table[["id", "weight"]].values.tolist() == [["a", 9.0], ["b", 3.0]]


def test_a_snapshot_needs_no_times_and_those_that_are_texts_are_left_alone():
    frame = pd.DataFrame({"timestamp": "yesterday", "id": ["a", "b", "a"], "voting_power": [1.0, 5.0, 9.0]})
    assert analytics.nakamoto(frame).table["weight"].tolist() == [9.0, 5.0]
