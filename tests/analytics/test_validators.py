"""Validators over time, by hand, against the model, and against lifelines and scipy."""

import lifelines
import numpy as np
import pandas as pd
import pytest
from modelled import modelled
from scipy import stats

from aurigraph_nb import analytics
from aurigraph_nb.errors import BadOption


def frame(rows, columns=("timestamp", "id", "status")):
    made = pd.DataFrame(rows, columns=list(columns))
    return made.assign(timestamp=pd.to_datetime(made["timestamp"], unit="s", utc=True))


def hole(start_s, end_s):
    return pd.DataFrame(
        {"start": pd.to_datetime([start_s], unit="s", utc=True), "end": pd.to_datetime([end_s], unit="s", utc=True)}
    )


ROWS = [(0, "a", "ACTIVE"), (2, "b", "ACTIVE"), (4, "a", "JAILED"), (6, "a", "ACTIVE"), (10, "b", "INACTIVE")]


def test_time_in_status_and_uptime_by_hand():
    table = analytics.time_in_status(frame(ROWS)).table
    assert table[["validator", "status", "seconds"]].to_numpy().tolist() == [
        ["a", "ACTIVE", 8.0],
        ["a", "JAILED", 2.0],
        ["b", "ACTIVE", 8.0],
        ["b", "INACTIVE", 0.0],
    ]
    up = analytics.uptime(frame(ROWS))
    assert up.table["uptime"].tolist() == [0.8, 1.0] and up.value == pytest.approx(0.9)
    assert up.coverage == pytest.approx(18 / 20)
    assert analytics.uptime(frame(ROWS), up=["active", "jailed"]).table["uptime"].tolist() == [1.0, 1.0]


def test_shares_of_each_validator_sum_to_one_and_fit_its_uptime():
    data, _ = modelled("jailing", 3, 300.0)
    shares = analytics.time_in_status(data["validators"]).table
    assert shares.groupby("validator")["share"].sum().to_numpy() == pytest.approx(1.0)
    up = analytics.uptime(data["validators"]).table.set_index("validator")["uptime"]
    active = shares[shares.status == "ACTIVE"].set_index("validator")["share"]
    assert up[active.index].to_numpy() == pytest.approx(active.to_numpy())


def test_a_gap_hides_the_status_until_the_validator_is_seen_again():
    table = analytics.uptime(frame(ROWS), gaps=hole(3, 5)).table
    assert table["seen_s"].tolist() == [3.0 + 4.0, 1.0 + 0.0] and table["uptime"].tolist() == [1.0, 1.0]


def test_jail_episodes_are_those_that_the_scenario_ordered():
    data, truth = modelled("jailing", 3, 200.0)
    table = analytics.jail_episodes(data["validators"]).table
    for incident in truth.incidents:
        during = table[
            (table.start.astype("int64") >= incident.start_ns) & (table.start.astype("int64") < incident.end_ns)
        ]
        assert set(incident.detail.split(", ")) <= set(during["validator"])


def test_an_episode_over_a_gap_is_two_and_each_is_cut():
    rows = [(0, "a", "ACTIVE"), (2, "a", "JAILED"), (8, "a", "JAILED"), (9, "a", "ACTIVE")]
    table = analytics.jail_episodes(frame(rows), gaps=hole(4, 5)).table
    assert table[["duration_s", "cut_left", "cut_right"]].to_numpy().tolist() == [
        [2.0, False, True],
        [1.0, True, False],
    ]


def test_time_between_failures_is_the_fit_of_an_exponential_with_censoring():
    data, _ = modelled("jailing", 3, 400.0)
    result = analytics.mean_time_between_failures(data["validators"], failed="JAILED")
    status = data["validators"].assign(status=np.where(data["validators"]["status"] == "JAILED", "JAILED", "ACTIVE"))
    lives = analytics.jail_episodes(status, statuses="ACTIVE").table
    lives = lives[lives["duration_s"] > 0]
    fitted = lifelines.ExponentialFitter().fit(lives["duration_s"], ~lives["cut_right"])
    assert result.value == pytest.approx(fitted.lambda_, rel=1e-4)
    total = result.table.iloc[-1]
    failures, up = int(total["failures"]), float(total["up_s"])
    # The interval of a Poisson count (Garwood 1936), here through the gamma distribution.
    most = stats.gamma.ppf(0.975, failures + 1)
    least = stats.gamma.ppf(0.025, failures)
    assert (total["low_s"], total["high_s"]) == pytest.approx((up / most, up / least))
    assert result.table["failures"].iloc[:-1].sum() == failures and result.table["validator"].isna().sum() == 1


def test_without_a_failure_there_is_a_lower_end_but_no_mean():
    result = analytics.mean_time_between_failures(frame([(0, "a", "ACTIVE"), (9, "a", "ACTIVE")]))
    total = result.table.iloc[-1]
    assert result.value is None and "no failure in 9 s" in repr(result)
    assert total["low_s"] == pytest.approx(9 / stats.gamma.ppf(0.975, 1)) and total["high_s"] == np.inf


def test_proposal_gaps_by_hand_and_none_over_a_gap():
    rows = [(0, "a", 1), (1, "a", 5), (2, "b", 3), (4, "a", 9), (5, "a", 9), (9, "a", 10)]
    data = frame(rows, ("timestamp", "id", "last_block_proposed"))
    table = analytics.proposal_gaps(data).table.set_index("validator")
    assert table.loc["a", ["proposals", "mean_s", "longest_s", "longest_blocks", "since_s"]].tolist() == [
        3,
        4.0,
        5.0,
        4,
        0.0,
    ]
    assert table.loc["b", "proposals"] == 0 and table.loc["b", "since_s"] == 7.0
    assert analytics.proposal_gaps(data, gaps=hole(2, 3)).n == 1
    data, truth = modelled("steady", 3, 200.0)
    blocks = sum(r.committed for r in truth.rounds)
    seen = analytics.proposal_gaps(data["validators"]).table
    assert seen["proposals"].sum() >= blocks - len(seen)


NAMES = ["time_in_status", "uptime", "jail_episodes", "mean_time_between_failures", "proposal_gaps"]


@pytest.mark.parametrize("name", NAMES)
def test_empty_and_null_input_give_no_number_but_a_reason(name):
    columns = ("timestamp", "id", "last_block_proposed" if name == "proposal_gaps" else "status")
    for rows in ([], [(0, None, None), (1, None, None)]):
        result = getattr(analytics, name)(frame(rows, columns).astype({columns[1]: object, columns[2]: object}))
        assert result.value is None and "unknown (" in repr(result)
    with pytest.raises(BadOption, match="id"):
        getattr(analytics, name)(frame([(0, "x")], ("timestamp", "name")))


def test_no_status_at_all_is_refused():
    with pytest.raises(BadOption, match="up is empty"):
        analytics.uptime(frame(ROWS), up=[])
