import numpy as np
import pandas as pd
import pytest

from aurigraph_nb import analytics
from aurigraph_nb.analytics.power_over_time import OVER_TIME
from aurigraph_nb.errors import BadOption, Incomplete

BASE = pd.Timestamp("2026-01-01", tz="UTC")


def moves(rows):
    frame = pd.DataFrame(rows, columns=["at", "id", "voting_power"])
    return frame.assign(timestamp=BASE + pd.to_timedelta(frame.pop("at"), unit="s").dt.as_unit("ns"))


def wandering(n=200, members=9):
    rng = np.random.default_rng(33)
    at = np.sort(rng.uniform(0, 600, n))
    status = rng.choice(["ACTIVE", "ACTIVE", "JAILED", None], n)
    return moves(
        [
            (a, f"v{m}", float(w))
            for a, m, w in zip(at, rng.integers(0, members, n), rng.integers(1, 99, n), strict=True)
        ]
    ).assign(status=status)


@pytest.mark.parametrize("status", ["ACTIVE", None])
def test_each_bin_is_what_the_measures_give_of_all_rows_before_its_end(status):
    frame = wandering()
    table = analytics.decentralisation_over_time(frame, "1min", status=status).table
    assert len(table) == 10
    for i, row in enumerate(table.itertuples()):
        before = frame[frame["timestamp"] < BASE + pd.Timedelta(minutes=i + 1)]
        alone = analytics.decentralisation(before, status=status).table.set_index("measure")["value"]
        assert [getattr(row, m) for m in OVER_TIME] == pytest.approx([alone[m] for m in OVER_TIME])
        assert row.members == analytics.nakamoto(before, status=status).n


def test_a_bin_in_a_gap_is_nan_and_the_next_holds_what_was_last_known(gap):
    frame = moves([(5, "a", 1.0), (15, "b", 1.0), (35, "a", 3.0), (45, "a", 3.0)])
    options = {"start": BASE, "end": BASE + pd.Timedelta(seconds=50)}
    table = analytics.decentralisation_over_time(frame, "10s", gaps=gap((19, 31)), **options).table
    assert table["coverage"].tolist() == pytest.approx([1, 0.9, 0, 0.9, 1])
    assert table["largest_share"].isna().tolist() == [False, False, True, False, False]
    assert table["largest_share"].dropna().tolist() == [1, 0.5, 0.75, 0.75]
    ignored = analytics.decentralisation_over_time(frame, "10s", gaps=gap((19, 31)), on_gap="ignore", **options)
    assert ignored.table["largest_share"].notna().all()
    with pytest.raises(Incomplete):
        analytics.decentralisation_over_time(frame, "10s", gaps=gap((19, 31)), on_gap="raise")


def test_how_many_there_are_is_what_was_said_by_then():
    frame = moves([(5, "a", 1.0), (15, "b", 1.0), (25, "a", 1.0)])
    said = pd.DataFrame({"timestamp": BASE + pd.to_timedelta([12, 25], unit="s"), "active_validators": [4, 2]})
    table = analytics.decentralisation_over_time(frame, "10s", active=said).table
    assert table["active"].tolist()[1:] == [4, 2] and np.isnan(table["active"][0])
    assert table["members_coverage"].tolist()[1:] == [0.5, 1.0]
    assert analytics.decentralisation_over_time(frame, "10s", active=4).table["members_coverage"].tolist() == [
        0.25,
        0.5,
        0.5,
    ]


def test_a_topic_asks_the_consensus_of_its_feed(feed):
    feed.consensus.to_arrow()
    result = analytics.decentralisation_over_time(feed.validators, "30s")
    assert (result.table["active"] == 18).all()
    assert result.table["members"].is_monotonic_increasing and "members seen of the active ones" in result.notes[1]


@pytest.mark.parametrize("rows", [[], [(0, "a", 0.0)], [(0, None, 1.0)]])
def test_without_a_whole_there_is_no_value(rows):
    result = analytics.decentralisation_over_time(moves(rows) if rows else moves([(0, "a", 1.0)]).iloc[:0])
    assert result.value is None and "unknown" in repr(result)
    result.plot()


def test_wrong_options_are_refused():
    frame = moves([(0, "a", 1.0)])
    for options in ({"threshold": 2}, {"every": 0}, {"min_coverage": 2}, {"weight": "power"}, {"active": 0}):
        with pytest.raises(BadOption):
            analytics.decentralisation_over_time(frame, **options)
    with pytest.raises(BadOption, match="voting_power or total_staked"):
        analytics.decentralisation_over_time(frame.drop(columns="voting_power"))
