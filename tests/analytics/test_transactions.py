"""Transactions: exact sums, fair shares, waits; by hand, against the model and against statsmodels."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelled import modelled
from statsmodels.stats.proportion import proportion_confint

from aurigraph_nb import analytics
from aurigraph_nb.analytics.ledger import SAMPLE
from aurigraph_nb.errors import BadOption


def frame(**columns):
    count = len(next(iter(columns.values())))
    return pd.DataFrame({"timestamp": pd.to_datetime(range(count), unit="s", utc=True), **columns})


def hole(start_s, end_s):
    return pd.DataFrame(
        {"start": pd.to_datetime([start_s], unit="s", utc=True), "end": pd.to_datetime([end_s], unit="s", utc=True)}
    )


@pytest.mark.parametrize("shape", ["server", "portal"])
def test_the_failure_rate_is_that_of_the_truth_each_transaction_once(shape):
    data, truth = modelled("spike", 3, 200.0, shape)
    result = analytics.failure_rate(data["transactions"], every="20s")
    failed = sum(f.status == "FAILED" for f in truth.transactions)
    assert result.n == len(truth.transactions) and result.value == failed / result.n
    assert result.table["failed"].sum() == failed and SAMPLE in result.notes
    whole = analytics.failure_rate(data["transactions"]).table.iloc[0]
    assert (whole["low"], whole["high"]) == pytest.approx(proportion_confint(failed, result.n, method="wilson"))


def test_without_hashes_each_row_is_a_transaction():
    assert analytics.failure_rate(frame(status=["FAILED", "CONFIRMED", "FAILED", "PENDING"])).value == pytest.approx(
        2 / 3
    )


@given(st.lists(st.integers(-(10**37), 10**37), min_size=1, max_size=30))
def test_sums_are_exact_whatever_their_size(values):
    table = analytics.value_distribution(frame(value_text=[str(v) for v in values])).table
    assert table["sum"][0] == sum(values) and table["q0"][0] == min(values) and table["q1"][0] == max(values)
    assert table["q0.5"][0] == np.sort(np.array(values, object))[(len(values) - 1) // 2]


def test_the_sum_of_the_models_values_is_exact():
    data, _ = modelled("steady", 3, 100.0)
    once = data["transactions"].drop_duplicates("hash")
    assert analytics.value_distribution(data["transactions"]).value == sum(int(t) for t in once["value_text"])


def test_units_are_never_added_up():
    data = frame(value_text=["1", "2", "40"], value_unit=["base", "base", "as-sent"])
    result = analytics.value_distribution(data)
    assert result.value is None and "do not add up" in repr(result)
    assert analytics.value_distribution(data.drop(columns="value_unit")).table["value_unit"].isna().tolist() == [True]
    assert result.table.set_index("value_unit")["sum"].to_dict() == {"base": 3, "as-sent": 40}
    with pytest.raises(BadOption, match="several units"):
        analytics.top_counterparties(data.assign(sender="a", recipient="b"), by="value")


def test_amounts_that_are_no_plain_number_are_left_out_and_counted():
    texts = ["1.5", "2", "1e400", "NaN", "x" * 100, "9" * 61, "0x10", "-0.5"]
    result = analytics.value_distribution(frame(value_text=texts))
    assert result.value == Decimal("3.0") and result.table["missing"][0] == 5
    assert any("5 amounts" in note for note in result.notes)


def test_a_later_frame_that_says_less_does_not_make_a_transaction_forget():
    data = frame(
        hash=["h", "h"],
        sender=["a", None],
        recipient=["b", None],
        status=["PENDING", "CONFIRMED"],
        value_text=["5", None],
    )
    assert analytics.value_distribution(data, status="confirmed").value == 5
    assert analytics.address_degrees(data).value == 1.0


def test_the_backlog_by_hand():
    data = frame(hash=list("abcab"), status=["PENDING", "PENDING", "CONFIRMED", "CONFIRMED", "FAILED"])
    result = analytics.backlog(data)
    assert result.table["pending"].tolist()[:4] == [1.0, 2.0, 2.0, 1.0] and result.value == 6 / 4
    assert np.isnan(result.table["pending"].iloc[4]), "of the last bin only its first instant was seen"


def test_bins_that_the_data_fill_in_part_are_means_over_that_part():
    when = pd.to_datetime([30, 30, 60, 60, 120, 150], unit="s", utc=True)
    told = {"hash": list("ababcc"), "status": ["PENDING", "PENDING", *["CONFIRMED"] * 2, "PENDING", "CONFIRMED"]}
    table = analytics.backlog(pd.DataFrame({"timestamp": when, **told}), every="1min").table
    assert table["pending"].tolist() == [2.0, 0.0, 1.0]


def test_what_waits_when_a_gap_begins_is_not_counted_beyond_it():
    data = frame(hash=list("abba"), status=["PENDING", "PENDING", "CONFIRMED", "CONFIRMED"])
    table = analytics.backlog(data, gaps=hole(1.5, 1.75)).table
    assert table["pending"].isna().tolist() == [False, True, False, True]
    assert table["pending"].iloc[2] == 0.0


def test_the_backlog_at_the_end_is_the_number_that_the_model_has_pending():
    data, truth = modelled("spike", 3, 200.0)
    result = analytics.backlog(data["transactions"])
    assert any(f"{truth.pending} transactions" in note for note in result.notes)
    waits = sum((f.settled_ns - f.submitted_ns) / 1e9 for f in truth.transactions)
    assert result.value * 200 == pytest.approx(waits, rel=0.02)


def test_the_busiest_addresses_by_hand():
    data = frame(sender=["a", "a", "b", "c"], recipient=["b", "b", "a", "c"], value_text=["1", "2", "3", "94"])
    by_count = analytics.top_counterparties(data, top=2)
    assert by_count.table[["address", "count", "value"]].to_numpy().tolist() == [["a", 3, 6], ["b", 3, 6], ["c", 1, 94]]
    assert by_count.value == pytest.approx(6 / 7)
    assert analytics.top_counterparties(data, top=1, by="value", side="sender").value == pytest.approx(0.94)
    assert f"{(9 + 9 + 1) / 49:.5g}" in by_count.notes[1]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1, max_size=25))
def test_degrees_are_those_of_counting_partners(pairs):
    senders, recipients = zip(*pairs, strict=True)
    table = analytics.address_degrees(frame(sender=list(senders), recipient=list(recipients))).table.set_index(
        "address"
    )
    for name in set(senders + recipients):
        out = {r for s, r in pairs if s == name and r != name}
        into = {s for s, r in pairs if r == name and s != name}
        assert table.loc[name, ["out_degree", "in_degree", "degree"]].tolist() == [len(out), len(into), len(out | into)]
    assert table["out_degree"].sum() == table["in_degree"].sum() and table["sent"].sum() == len(pairs)


@pytest.mark.parametrize(
    "name", ["failure_rate", "value_distribution", "backlog", "top_counterparties", "address_degrees"]
)
def test_empty_and_null_input_give_no_number_but_a_reason(name):
    columns = ["hash", "status", "sender", "recipient", "value_text"]
    for count in (0, 2):
        result = getattr(analytics, name)(frame(**{c: pd.Series([None] * count, dtype=object) for c in columns}))
        assert result.value is None and "unknown (" in repr(result)


def test_options_out_of_range_are_refused():
    data = frame(sender=["a"], recipient=["b"], status=["FAILED"], value_text=["1"])
    for call in (
        lambda: analytics.top_counterparties(data, side="both"),
        lambda: analytics.top_counterparties(data, top=0),
        lambda: analytics.value_distribution(data, quantiles=[1.5]),
        lambda: analytics.failure_rate(data, confidence=2),
        lambda: analytics.value_distribution(data.drop(columns="value_text")),
    ):
        with pytest.raises(BadOption):
            call()
