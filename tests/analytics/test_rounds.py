"""Rounds and epochs against what the model says really happened, and by hand."""

import math

import pandas as pd
import pytest
from modelled import modelled

from aurigraph_nb import analytics
from aurigraph_nb.analytics.rounds import consensus_rows, rounds_of
from aurigraph_nb.errors import BadOption, Incomplete


def frame(rows, **more):
    made = pd.DataFrame(rows, columns=["timestamp", "round", "leader", "state"]).assign(**more)
    return made.assign(timestamp=pd.to_datetime(made.timestamp, unit="s", utc=True))


FOUR = [(0, 1, "a", "PROPOSING"), (0.4, 1, "a", "COMMITTED"), (1, 2, "b", "PROPOSING"), (1.9, 2, None, "FAILED")]
FOUR += [(2, 3, "a", "PROPOSING"), (2.5, 3, "a", "COMMITTED"), (3, 4, "a", "PROPOSING")]


@pytest.mark.parametrize("shape", ["server", "portal"])
@pytest.mark.parametrize("seed", range(5))
def test_failed_rounds_of_a_steady_network_are_those_that_really_failed(seed, shape):
    data, truth = modelled("steady", seed, 600.0, shape)
    result = analytics.failed_rounds(data["consensus"])
    really = {r.round for r in truth.rounds if not r.committed}
    got = rounds_of(consensus_rows(data["consensus"], start=None, end=None, gaps=None, on_gap="nan"))
    assert set(got.loc[got.outcome == "failed", "round"]) == really
    assert result.table["failed"].sum() == len(really)
    assert result.value == len(really) / (result.table["committed"].sum() + len(really))


def test_epochs_of_a_hundred_rounds_take_a_hundred_seconds():
    data, _ = modelled("steady", 3, 400.0)
    table = analytics.epoch_durations(data["consensus"]).table
    assert table["duration_s"].isna().tolist() == [True, False, False, False, True]
    assert table["duration_s"].dropna().tolist() == [100.0, 100.0, 100.0] and table["rounds"].sum() == 400


def test_period_and_decision_are_told_by_hand():
    table = analytics.round_durations(frame(FOUR)).table
    assert table["period_s"].tolist()[:3] == [1.0, 1.0, 1.0] and math.isnan(table["period_s"].iloc[3])
    assert table["decision_s"].tolist()[:3] == pytest.approx([0.4, 0.9, 0.5])
    assert table["outcome"].tolist() == ["committed", "failed", "committed", "open"]


def test_losses_count_how_often_a_leader_goes_before_the_round_is_over():
    rows = [(0, 1, "a", "X"), (0.1, 1, None, "X"), (0.2, 1, "b", "X"), (0.3, 1, "c", "X"), (1, 2, "d", "X")]
    got = rounds_of(consensus_rows(frame(rows), start=None, end=None, gaps=None, on_gap="nan"))
    assert got["losses"].tolist() == [2, 0] and got["first_leader"].tolist() == ["a", "d"]


def test_a_round_that_a_gap_touches_has_no_period_and_ignoring_gaps_gives_it_back(gap):
    hidden = gap((56 * 365.25, 1)).iloc[:0]
    hidden = pd.DataFrame(
        {"start": [pd.Timestamp(1.5, unit="s", tz="UTC")], "end": [pd.Timestamp(1.7, unit="s", tz="UTC")]}
    )
    table = analytics.round_durations(frame(FOUR), gaps=hidden).table
    assert table["period_s"].isna().tolist() == [False, True, False, True]
    assert analytics.round_durations(frame(FOUR), gaps=hidden, on_gap="ignore").n == 3
    with pytest.raises(Incomplete, match="1 gap"):
        analytics.round_durations(frame(FOUR), gaps=hidden, on_gap="raise")


def test_a_missing_round_number_leaves_the_round_before_without_a_period():
    rows = [r for r in FOUR if r[1] != 2]
    assert analytics.round_durations(frame(rows)).table["period_s"].isna().tolist() == [True, False, True]


def test_rows_without_a_round_are_left_out():
    rows = [*FOUR, (3.5, None, "z", "PROPOSING")]
    assert analytics.round_durations(frame(rows)).table["round"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["round_durations", "epoch_durations", "failed_rounds"])
def test_empty_and_single_rows_give_no_number_but_a_reason(name):
    data = frame(FOUR, epoch=1)
    for part in (data.iloc[:0], data.iloc[:1]):
        result = getattr(analytics, name)(part)
        assert result.value is None and "unknown (" in repr(result)


def test_a_missing_column_is_named():
    with pytest.raises(BadOption, match="round"):
        analytics.round_durations(frame(FOUR).drop(columns="round"))


def test_round_numbers_beyond_53_bits_stay_apart():
    times = pd.to_datetime(range(5), unit="s", utc=True)
    frame = pd.DataFrame({"timestamp": times, "round": range(2**53, 2**53 + 5), "leader": list("ababa")})
    assert analytics.round_durations(frame).table["round"].tolist() == list(range(2**53, 2**53 + 5))
