"""Event studies and recoveries against scipy, by hand, and with effects put in on purpose."""

import numpy as np
import pandas as pd
import pytest
from modelled import modelled
from scipy import stats

from aurigraph_nb import analytics
from aurigraph_nb.analytics.events import event_times
from aurigraph_nb.errors import BadOption, BadOptionType, Incomplete

NS = 10**9


def series(values, column="tps"):
    times = pd.to_datetime(np.arange(len(values)), unit="s", utc=True)
    return pd.DataFrame({"timestamp": times, column: np.asarray(values, float)})


def test_mean_and_band_are_those_of_a_t_interval_over_the_events():
    values = np.random.default_rng(1).normal(100, 5, 200)
    events = [20, 60, 100, 140]
    table = analytics.event_study(series(values), [e * NS for e in events], before=10, after=5).table
    for row in table.itertuples():
        own = [values[int(e + row.offset_s)] - values[e - 10 : e].mean() for e in events]
        low, high = stats.t.interval(0.95, 3, loc=np.mean(own), scale=stats.sem(own))
        assert (row.mean, row.low, row.high) == pytest.approx((np.mean(own), low, high))


def test_an_effect_put_in_on_purpose_is_found_and_a_band_for_all_offsets_is_wider():
    values = np.random.default_rng(2).normal(100, 1, 400)
    events = list(range(40, 400, 60))
    for e in events:
        values[e : e + 10] -= 20
    ns = [e * NS for e in events]
    study = analytics.event_study(series(values), ns, before=20, after=20)
    inside = study.table[(study.table.offset_s >= 0) & (study.table.offset_s < 10)]
    assert (inside["high"] < -15).all() and study.value == pytest.approx(-10, abs=1)
    wide = analytics.event_study(series(values), ns, before=20, after=20, simultaneous=True).table
    assert (wide["high"] - wide["low"] > study.table["high"] - study.table["low"]).all()
    assert analytics.event_study(series(values * 7), ns, before=20, after=20, relative=True).value == pytest.approx(
        analytics.event_study(series(values), ns, before=20, after=20, relative=True).value
    )


def test_about_five_of_a_hundred_offsets_lie_outside_the_band_where_there_is_no_effect():
    values = np.random.default_rng(3).normal(0, 1, 40_000)
    table = analytics.event_study(
        series(values), [t * NS for t in range(300, 39_000, 400)], before=200, after=200
    ).table
    outside = ((table["low"] > 0) | (table["high"] < 0)).mean()
    assert 0.02 < outside < 0.09


def test_bins_that_a_gap_touches_are_missing_from_the_course():
    gaps = pd.DataFrame(
        {"start": pd.to_datetime([12.5], unit="s", utc=True), "end": pd.to_datetime([13.5], unit="s", utc=True)}
    )
    study = analytics.event_study(series(np.ones(30)), [10 * NS], before=5, after=5, gaps=gaps)
    assert study.table["events"].tolist() == [1] * 7 + [0, 0] + [1]
    with pytest.raises(Incomplete):
        analytics.event_study(series(np.ones(30)), [10 * NS], before=5, after=5, gaps=gaps, on_gap="raise")


def test_one_event_has_a_course_but_no_band_and_none_has_neither():
    one = analytics.event_study(series(np.arange(30)), [10 * NS], before=5, after=5)
    assert one.table["low"].isna().all() and one.value == pytest.approx(5.0)
    none = analytics.event_study(series(np.arange(30)), [], before=5, after=5)
    assert none.value is None and none.n == 0
    assert analytics.event_study(series([]), [10 * NS], before=5, after=5).value is None


def test_overlapping_windows_are_told():
    study = analytics.event_study(series(np.ones(60)), [20 * NS, 25 * NS], before=10, after=10)
    assert any(note.endswith("not independent: 1 window") for note in study.notes)


def test_events_may_be_times_frames_results_or_topics():
    data, _ = modelled("leader-churn", 3, 120.0)
    changes = analytics.leader_changes(data["consensus"])
    incidents = analytics.incidents(data["consensus"])
    assert event_times(changes).tolist() == changes.table["timestamp"].astype("int64").tolist()
    assert event_times(incidents).tolist() == incidents.table["start"].astype("int64").tolist()
    assert event_times(["1970-01-01 00:00:02", 1]).tolist() == [1, 2 * NS]
    assert len(event_times(data["metrics"])) == 120
    for wrong in ("2026", 7, None):
        with pytest.raises(BadOptionType):
            event_times(wrong)


def test_leader_changes_are_counted_by_hand_and_not_over_a_gap():
    times = pd.to_datetime([0, 1, 2, 3], unit="s", utc=True)
    frame = pd.DataFrame({"timestamp": times, "leader": ["a", "a", None, "b"]})
    table = analytics.leader_changes(frame).table
    assert table["before"].fillna("-").tolist() == ["a", "-"] and table["after"].fillna("-").tolist() == ["-", "b"]
    gaps = pd.DataFrame(
        {"start": pd.to_datetime([1.5], unit="s", utc=True), "end": pd.to_datetime([1.6], unit="s", utc=True)}
    )
    assert analytics.leader_changes(frame, gaps=gaps).value == 1
    assert analytics.leader_changes(frame.iloc[:0]).value is None


def test_a_partition_is_over_when_the_truth_says_so():
    data, truth = modelled("partition", 3, 300.0, "portal")
    events = [i.start_ns for i in truth.incidents if i.end_ns + 5 * NS < truth.now_ns]
    table = analytics.time_to_recover(data["metrics"], events, within=0.25).table
    really = [(i.end_ns - i.start_ns) / 1e9 for i in truth.incidents][: len(events)]
    assert table["recovered"].all() and np.abs(table["seconds"] - really).max() < 6


def test_recovery_waits_until_it_holds_and_is_censored_at_the_next_event_or_hole():
    tps = np.array([10.0] * 10 + [4, 10, 4, 10, 10, 10] + [10] * 4 + [4] * 10)
    table = analytics.time_to_recover(series(tps), [10 * NS, 20 * NS], before=5, after=10).table
    assert table["seconds"].tolist() == [3.0, 10.0] and table["recovered"].tolist() == [True, False]
    assert table["worst"].tolist() == pytest.approx([4.0, 4.0])
    cut = analytics.time_to_recover(series(tps), [10 * NS, 12 * NS], before=5, after=10).table
    assert cut["seconds"].tolist()[0] == 2.0 and not cut["recovered"].iloc[0]


def test_a_series_that_never_left_took_no_time():
    result = analytics.time_to_recover(series(np.full(40, 5.0)), [10 * NS], before=5, after=10)
    assert result.value == 0.0 and not result.table["left"].any()
    assert analytics.time_to_recover(series([]), [10 * NS]).value is None


@pytest.mark.parametrize("options", [{"before": 0}, {"after": 2.5}, {"every": 0}, {"confidence": 1}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(BadOption):
        analytics.event_study(series(np.ones(9)), [4 * NS], **{"before": 2, "after": 2, **options})
    with pytest.raises(BadOption):
        analytics.time_to_recover(series(np.ones(9)), [4 * NS], within=0)
