"""Tenures, dwell times and transitions by hand and against lifelines and numpy."""

import itertools

import lifelines
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelled import modelled

from aurigraph_nb import analytics
from aurigraph_nb.errors import BadOption


def frame(words, column="health", step_s=1.0):
    times = pd.to_datetime(np.arange(len(words)) * step_s, unit="s", utc=True)
    return pd.DataFrame({"timestamp": times, column: pd.Series(list(words), dtype=object)})


def hole(start_s, end_s):
    return pd.DataFrame(
        {"start": pd.to_datetime([start_s], unit="s", utc=True), "end": pd.to_datetime([end_s], unit="s", utc=True)}
    )


@given(st.text(alphabet="OD", min_size=2, max_size=40))
def test_the_transition_counts_and_the_time_spent_are_those_of_counting(words):
    table = analytics.health_transitions(frame(words)).table
    pairs = [a + b for a, b in itertools.pairwise(words)]
    for row in table.itertuples():
        assert row.count == pairs.count(row.before + row.after)
    dwell = analytics.health_dwell(frame(words)).table.set_index("health")["seconds"]
    for word in set(words):
        assert dwell[word] == words[:-1].count(word)
    assert dwell.sum() == len(words) - 1


def test_probabilities_out_of_a_state_sum_to_one():
    table = analytics.health_transitions(frame("ABCABACAB")).table
    assert table.groupby("before")["probability"].sum().to_numpy() == pytest.approx(1.0)
    assert (table["low"] <= table["probability"]).all() and (table["probability"] <= table["high"]).all()


def test_the_time_unit_scales_the_times_and_leaves_the_shares():
    slow, quick = (analytics.health_dwell(frame("OODOOD", step_s=s)).table for s in (10.0, 1.0))
    assert slow["seconds"].tolist() == (10 * quick["seconds"]).tolist()
    assert slow["share"].tolist() == quick["share"].tolist()


def test_a_change_hidden_in_a_gap_is_not_counted():
    result = analytics.health_transitions(frame("OODD"), gaps=hole(1.2, 1.8))
    assert result.value == 0 and result.coverage == pytest.approx(0.8)
    assert analytics.health_transitions(frame("OODD"), gaps=hole(1.2, 1.8), on_gap="ignore").value == 1


def test_the_model_in_the_portals_shape_has_a_health_and_in_the_servers_none():
    with_health, _ = modelled("leader-churn", 3, 200.0, "portal")
    without, _ = modelled("leader-churn", 3, 200.0, "server")
    assert set(analytics.health_dwell(with_health["consensus"]).table["health"]) == {"OPTIMAL", "DEGRADED", "CRITICAL"}
    assert analytics.health_dwell(without["consensus"]).value is None


def test_the_median_tenure_is_that_of_lifelines_with_the_last_one_censored():
    data, _ = modelled("leader-churn", 5, 200.0)
    result = analytics.leader_tenure(data["consensus"])
    known = result.table[~result.table["cut_left"]]
    fitted = lifelines.KaplanMeierFitter().fit(known["duration_s"], ~known["cut_right"])
    assert result.value == pytest.approx(fitted.median_survival_time_) and result.n == len(known)


def test_nobody_is_no_leader_and_ends_a_tenure():
    table = analytics.leader_tenure(frame(["a", None, "a", "b"], "leader")).table
    assert table["leader"].tolist() == ["a", "a", "b"] and table["duration_s"].tolist() == [1.0, 1.0, 0.0]


def test_a_leader_with_an_odd_name_is_only_a_name():
    assert analytics.leader_tenure(frame(["", "=x", "", "b"], "leader")).table["leader"].tolist() == ["", "=x", "", "b"]


@pytest.mark.parametrize("name", ["leader_tenure", "health_dwell", "health_transitions"])
def test_empty_and_null_columns_give_no_number_but_a_reason(name):
    column = "leader" if name == "leader_tenure" else "health"
    for words in ("", [None, None]):
        result = getattr(analytics, name)(frame(words, column))
        assert result.value is None and "unknown (" in repr(result)
    with pytest.raises(BadOption, match=column):
        getattr(analytics, name)(frame("AB", "other"))
