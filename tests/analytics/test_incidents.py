"""Leader churn, found in the rows, against what the scenario really did."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelled import START_NS, modelled

from aurigraph_nb import analytics
from aurigraph_nb.analytics.incidents import best_stretches, raised_stretches
from aurigraph_nb.errors import BadOption

NONE = np.empty(0, np.int64)
CLOSE_S = 5.0
"""How near begin and end are found. An epoch, the promise, is 100 s."""


def spans(table):
    return [(int(a.value), int(b.value)) for a, b in zip(table["start"], table["end"], strict=True)]


@pytest.mark.parametrize("shape", ["server", "portal"])
@pytest.mark.parametrize("seed", range(21))
def test_every_incident_is_found_within_five_seconds_and_nothing_else(seed, shape):
    data, truth = modelled("leader-churn", seed, 300.0, shape)
    found = spans(analytics.incidents(data["consensus"]).table)
    really = [(i.start_ns, min(i.end_ns, truth.now_ns)) for i in truth.incidents]
    assert len(found) == len(really) >= 3
    assert np.abs(np.array(found) - np.array(really)).max() < CLOSE_S * 1e9


OTHERS = [(s, 7) for s in ("spike", "partition", "jailing", "outage")]


@pytest.mark.parametrize("scenario, seed", [*(("steady", s) for s in range(21)), *OTHERS])
def test_a_network_without_churn_has_no_incident(scenario, seed):
    data, _ = modelled(scenario, seed, 600.0)
    result = analytics.incidents(data["consensus"])
    assert result.value == 0 and result.table.empty and result.n == 600


def test_quiet_poisson_counts_give_false_incidents_less_often_than_alpha():
    rng = np.random.default_rng(1)
    alpha, runs = 0.05, 400
    false = sum(
        len(
            raised_stretches(
                rng.poisson(rate, 500).astype(float), alpha=alpha, least=0.5, quiet=None, breaks=NONE
            ).first
        )
        > 0
        for rate, _ in itertools.product((0.01, 0.1), range(runs // 2))
    )
    assert false / runs <= alpha


@given(st.lists(st.integers(-8, 8), max_size=9), st.integers(0, 9))
def test_the_best_stretches_are_those_of_trying_all(score, penalty):
    score = np.array(score, float)
    best = 0.0
    for inside in itertools.product([0, 1], repeat=len(score)):
        begins = sum(b > a for a, b in itertools.pairwise((0, *inside)))
        best = max(best, float(score @ np.array(inside, float)) - penalty * begins if len(score) else 0.0)
    first, stop = best_stretches(score, float(penalty))
    got = sum(score[a:b].sum() - penalty for a, b in zip(first, stop, strict=True))
    assert got == pytest.approx(best)
    assert all(a < b for a, b in zip(first, stop, strict=True)) and (stop[:-1] <= first[1:]).all()


def churn(gap=None):
    data, _ = modelled("leader-churn", 3, 120.0)
    frame = data["consensus"]
    if gap is None:
        return frame, None
    start, end = (pd.Timestamp(START_NS + round(s * 1e9), unit="ns", tz="UTC") for s in gap)
    return frame[(frame.index < start) | (frame.index >= end)], pd.DataFrame({"start": [start], "end": [end]})


def test_an_incident_that_a_gap_interrupts_is_told_as_two_and_cut_there():
    frame, gaps = churn((30.0, 36.0))
    table = analytics.incidents(frame, gaps=gaps).table
    assert table["cut_right"].tolist()[:2] == [True, False] and table["cut_left"].tolist()[:2] == [False, True]
    whole = analytics.incidents(churn()[0]).table
    assert len(table) == len(whole) + 1 and not whole["cut_left"].any()


def test_an_incident_at_the_end_of_the_data_is_cut_there():
    frame, _ = churn()
    table = analytics.incidents(frame, end=START_NS + 35 * 10**9).table
    assert table["cut_right"].tolist() == [True]


def test_data_that_are_all_incident_need_the_quiet_rate():
    frame, _ = churn()
    inside = {"start": START_NS + 27 * 10**9, "end": START_NS + 48 * 10**9}
    assert analytics.incidents(frame, quiet=0.02, **inside).table["cut_left"].tolist() == [True]


def test_the_counts_and_the_figure_come_along():
    result = analytics.incidents(churn()[0])
    assert result.rounds["incident"].notna().sum() == (result.table.last_round - result.table.first_round + 1).sum()
    assert len(result.plot().layout.shapes) == len(result.table)


def test_empty_and_single_rows_are_no_incident():
    frame, _ = churn()
    assert analytics.incidents(frame.iloc[:0]).value is None
    assert analytics.incidents(frame.iloc[:1]).value == 0


@pytest.mark.parametrize("options", [{"alpha": 0}, {"alpha": 1.0}, {"least": 0}, {"quiet": 0.5}, {"quiet": 0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(BadOption):
        analytics.incidents(churn()[0], **options)
