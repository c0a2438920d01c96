"""Peers: latency, population, sessions, bandwidth and partitions; by hand, against the model, scipy and lifelines."""

import lifelines
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelled import modelled
from scipy import stats

from aurigraph_nb import analytics
from aurigraph_nb.analytics.partitions import waves
from aurigraph_nb.analytics.peers import median_interval
from aurigraph_nb.errors import BadOption

NS = 10**9
UP, DOWN = "CONNECTED", "DISCONNECTED"


def frame(rows, *columns):
    made = pd.DataFrame(rows, columns=["timestamp", "peer_id", *columns])
    return made.assign(timestamp=pd.to_datetime(made["timestamp"], unit="s", utc=True))


def hole(start_s, end_s):
    return pd.DataFrame(
        {"start": pd.to_datetime([start_s], unit="s", utc=True), "end": pd.to_datetime([end_s], unit="s", utc=True)}
    )


@given(st.integers(1, 80), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_of_a_median_is_the_binomial_one(n, confidence):
    low, high = median_interval(np.arange(1.0, n + 1), confidence)
    rank = int(stats.binom.ppf((1 - confidence) / 2, n, 0.5))
    rank -= stats.binom.cdf(rank, n, 0.5) > (1 - confidence) / 2
    if rank < 0:
        assert np.isnan(low) and np.isnan(high)
    else:
        assert (low, high) == (rank + 1, n - rank)


def test_latency_counts_each_peer_once_and_only_while_connected():
    rows = [(0, "a", 10.0, "X", UP), (1, "a", 30.0, "X", UP), (2, "a", 999.0, "X", DOWN), (3, "b", 5.0, None, None)]
    result = analytics.peer_latency(frame(rows, "latency_ms", "country", "status"))
    assert result.table[["country", "peers", "median_ms"]].to_numpy().tolist() == [["not told", 1, 5.0], ["X", 1, 20.0]]
    assert result.value == 12.5


def test_latency_by_city_and_country_and_version_agree_on_the_whole():
    data, _ = modelled("steady", 3, 200.0, "portal")
    values = {analytics.peer_latency(data["network"], by=by).value for by in ("country", "city", "version")}
    assert len(values) == 1
    with pytest.raises(BadOption, match="by="):
        analytics.peer_latency(data["network"], by="peer_id")


def test_population_by_hand_with_a_gap():
    rows = [(0, "a", UP, "X"), (1, "b", UP, "Y"), (3, "a", DOWN, "X"), (6, "b", UP, "X")]
    data = frame(rows, "status", "country")
    table = analytics.peers_over_time(data, every="1s").table.pivot(
        index="timestamp", columns="country", values="peers"
    )
    assert table["X"].tolist() == [1, 1, 1, 0, 0, 0, 1] and table["Y"].tolist() == [0, 1, 1, 1, 1, 1, 0]
    table = analytics.peers_over_time(data, every="1s", gaps=hole(2, 4)).table
    table = table.pivot(index="timestamp", columns="country", values="peers")
    assert table["Y"].fillna(-1).tolist() == [0, 1, -1, -1, 0, 0, 0]


def test_the_population_at_the_end_is_what_the_state_of_the_network_says():
    data, _ = modelled("partition", 5, 150.0, "portal")
    last = data["network"].groupby("peer_id", observed=True)["status"].last()
    assert analytics.peers_over_time(data["network"]).value == (last == UP).sum()
    versions = analytics.version_adoption(data["network"], every="30s").table
    assert versions.groupby("timestamp")["share"].sum().to_numpy() == pytest.approx(1.0)


def test_an_upgrade_moves_a_share_from_one_version_to_another():
    rows = [(0, "a", UP, "1"), (0, "b", UP, "1"), (5, "a", UP, "2"), (9, "b", UP, "2")]
    result = analytics.version_adoption(frame(rows, "status", "version"), every="1s")
    shares = result.table[result.table.version == "2"]["share"].tolist()
    assert shares == [0.0] * 5 + [0.5] * 4 + [1.0] and result.value == 1.0


def test_the_median_session_is_that_of_lifelines():
    data, _ = modelled("partition", 3, 400.0)
    result = analytics.peer_sessions(data["network"])
    known = result.table[~result.table["cut_left"]]
    fitted = lifelines.KaplanMeierFitter().fit(known["duration_s"], ~known["cut_right"])
    assert result.value == pytest.approx(fitted.median_survival_time_) and result.n == len(known)
    left = (~result.table["cut_right"]).sum()
    assert f"{left} departures" in result.notes[0]


def test_a_session_over_a_gap_is_not_joined():
    rows = [(0, "a", DOWN), (1, "a", UP), (8, "a", UP), (9, "a", DOWN)]
    table = analytics.peer_sessions(frame(rows, "status"), gaps=hole(3, 4)).table
    assert table["duration_s"].tolist() == [2.0, 1.0] and table["cut_left"].tolist() == [False, True]


def test_counters_that_start_again_count_from_nothing():
    rows = [(0, "a", 100, 0), (10, "a", 150, 5), (20, "a", 30, 1), (30, "a", 40, 1)]
    result = analytics.peer_bandwidth(frame(rows, "inbound_bytes", "outbound_bytes"))
    assert result.table[["inbound_bytes", "outbound_bytes", "restarts"]].to_numpy().tolist() == [[90, 6, 1]]
    assert result.value == pytest.approx(96 / 30) and "lower bound" in result.notes[0]


@given(st.lists(st.integers(0, 2**62), min_size=2, max_size=12))
def test_without_restarts_the_growth_is_last_less_first(steps):
    counter = sorted(steps)
    data = frame([(i, "a", v, v) for i, v in enumerate(counter)], "inbound_bytes", "outbound_bytes")
    assert analytics.peer_bandwidth(data).table["inbound_bytes"][0] == counter[-1] - counter[0]


@pytest.mark.parametrize("seed", range(21))
def test_every_partition_is_found_within_five_seconds_and_nothing_else(seed):
    data, truth = modelled("partition", seed, 300.0, "portal")
    table = analytics.partitions(data["network"]).table
    found = [(int(a.value), int(b.value)) for a, b in zip(table["start"], table["end"], strict=True)]
    really = [(i.start_ns, min(i.end_ns, truth.now_ns)) for i in truth.incidents]
    assert len(found) == len(really)
    assert np.abs(np.array(found) - np.array(really)).max() < 5 * NS


@pytest.mark.parametrize("scenario, seed", [*(("steady", s) for s in range(21)), ("spike", 1), ("leader-churn", 2)])
def test_a_network_that_holds_together_has_no_partition(scenario, seed):
    data, _ = modelled(scenario, seed, 600.0 if scenario == "steady" else 300.0)
    assert analytics.partitions(data["network"]).value == 0


def test_departures_by_chance_are_a_partition_less_often_than_alpha():
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(300):
        times = np.sort(rng.uniform(0, 600, rng.poisson(30)) * 1e9).astype(np.int64)
        false += bool(waves(times, 2 * NS, 600.0, 3, 0.05))
    assert false / 300 <= 0.05


def test_a_partition_that_does_not_end_is_cut_at_the_end_of_the_data():
    rows = [(0, p, UP) for p in "abcdef"] + [(300 + i / 10, p, DOWN) for i, p in enumerate("abcd")] + [(400, "f", UP)]
    table = analytics.partitions(frame(rows, "status")).table
    assert table[["duration_s", "lost", "back", "cut_right", "where"]].to_numpy().tolist() == [
        [100.0, 4, 0, True, "not told 4"]
    ]


NEEDS = {
    "peer_latency": ["latency_ms", "country"],
    "peers_over_time": ["status", "country"],
    "version_adoption": ["status", "version"],
    "peer_sessions": ["status"],
    "peer_bandwidth": ["inbound_bytes", "outbound_bytes"],
    "partitions": ["status"],
}


@pytest.mark.parametrize("name", NEEDS)
def test_empty_and_null_input_give_no_number_but_a_reason(name):
    columns = NEEDS[name]
    for rows in ([], [(0, None, *(None for _ in columns)), (1, None, *(None for _ in columns))]):
        result = getattr(analytics, name)(frame(rows, *columns).astype({"peer_id": object}))
        assert result.value is None and "unknown (" in repr(result)
        assert result.plot().layout.title.text == result.name
    with pytest.raises(BadOption, match="peer_id"):
        getattr(analytics, name)(frame([], *columns).drop(columns="peer_id"))


def test_more_rows_than_memory_bears_are_refused():
    times = pd.to_datetime(range(6), unit="s", utc=True)
    told = {"peer_id": list("abcdef"), "status": "CONNECTED", "country": list("abcdef")}
    with pytest.raises(BadOption, match="6 groups"):
        analytics.peers_over_time(pd.DataFrame({"timestamp": times, **told}), every="2us")
