import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb import analytics
from aurigraph_nb.analytics.gaptimes import Holes
from aurigraph_nb.analytics.inputs import check_gaps, rows, share, whole, without_gaps
from aurigraph_nb.errors import BadOption, BadOptionType, Incomplete
from aurigraph_nb.gaps import Cause, Certainty, Gap

S = 10**9
BASE = 1_767_225_600 * S  # 2026-01-01


class Stream:
    """Speaks the Arrow stream interface and nothing else."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


WAYS = {
    "topic": lambda topic: topic,
    "pandas": lambda topic: topic.to_pandas(),
    "pandas-plain": lambda topic: topic.to_pandas(index=None),
    "pandas-arrow": lambda topic: topic.to_pandas(dtype_backend="pyarrow"),
    "pandas-nullable": lambda topic: topic.to_pandas(dtype_backend="numpy_nullable"),
    "arrow": lambda topic: topic.to_arrow(),
    "batch": lambda topic: topic.to_arrow().combine_chunks().to_batches()[0],
    "polars": lambda topic: topic.to_polars(),
    "polars-lazy": lambda topic: topic.to_polars().lazy(),
    "dask": lambda topic: dd.from_pandas(topic.to_pandas(), npartitions=3, sort=False),
    "stream": lambda topic: Stream(topic.to_arrow()),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_data_gives_the_same_columns_and_times(feed, way):
    topic = feed.validators
    want = topic.to_arrow()
    got = rows(WAYS[way](topic), "id", "voting_power", "last_block_proposed", "total_staked", gaps=[])
    assert got.time_ns.tolist() == pc.coalesce(want["timestamp"].cast(pa.int64()), want["recv_ns"]).to_pylist()
    assert got.texts("id").tolist() == want["id"].to_pylist()
    assert got.objects("last_block_proposed") == want["last_block_proposed"].to_pylist()
    assert np.array_equal(got.numbers("voting_power"), want["voting_power"].to_numpy(), equal_nan=True)
    assert got.objects("total_staked") == want["total_staked"].to_pylist()


@pytest.mark.parametrize("way", WAYS)
def test_a_range_has_its_start_and_not_its_end(feed, way):
    start, end = "2026-01-01 00:00:05", "2026-01-01 00:00:08"
    got = rows(WAYS[way](feed.metrics), "tps", start=start, end=end, gaps=[])
    assert got.time_ns.tolist() == [BASE + s * S for s in (5, 6, 7)]
    assert got.span_s == 3.0


def test_a_topic_brings_its_gaps_and_a_frame_those_that_its_rows_tell(feed):
    topic = rows(feed.metrics, "tps")
    assert [e - s for s, e in topic.shown_holes()] == [10_568_000_000, 8_633_000_000]
    frame = rows(feed.metrics.to_pandas(), "tps")
    assert [e - s for s, e in frame.shown_holes()] == [11 * S, 9 * S]
    given_ = rows(feed.metrics.to_pandas(), "tps", gaps=feed.gaps.to_pandas(), topic="metrics")
    assert given_.shown_holes() == topic.shown_holes()
    assert rows(feed.metrics, "tps", gaps=feed.gaps).shown_holes() == topic.shown_holes()


def test_gaps_of_all_topics_count_and_those_that_miss_nothing_do_not(series):
    gaps = [
        Gap("*", Cause.RECORDER_DOWN, Certainty.UNKNOWN, BASE + 2 * S, BASE + 3 * S),
        Gap("other", Cause.DISCONNECT, Certainty.UNKNOWN, BASE + 4 * S, BASE + 5 * S),
        Gap("metrics", Cause.CLOCK_STEP, Certainty.NONE, BASE + 6 * S, BASE + 7 * S),
        Gap("metrics", Cause.DISCONNECT, Certainty.BOUNDED, BASE + 8 * S, None),
    ]
    frame = series(np.ones(11))
    assert rows(frame, "tps", gaps=gaps, topic="metrics").missing_s == 3.0
    assert rows(frame, "tps", gaps=gaps).missing_s == 4.0, "without a topic's name every gap counts"


def test_missing_columns_are_named_with_those_that_came(series):
    with pytest.raises(BadOption, match="no column hash; there are tps, timestamp"):
        rows(series([1.0]), "hash")
    with pytest.raises(BadOption, match=r"no column timestamp \(or recv_ns\); there are id"):
        rows(pd.DataFrame({"id": ["a"]}), "id")
    assert len(rows(pd.DataFrame({"id": ["a"]}), "id", time=False)) == 1


@pytest.mark.parametrize("data", [None, 7, [1, 2], {"tps": [1]}, "metrics", pl.Series([1])])
def test_other_types_are_refused_with_what_was_expected(data):
    with pytest.raises((BadOptionType, BadOption)):
        rows(data, "tps")


def test_a_feed_is_told_to_give_a_topic(feed):
    with pytest.raises(BadOptionType, match=r"such as feed\.metrics"):
        rows(feed, "tps")


def test_a_column_called_name_or_feed_is_only_a_column():
    frame = pd.DataFrame({"name": ["n"], "feed": ["f"], "gaps": ["g"], "recv_ns": [BASE]})
    assert rows(frame, "name").source == "data"


def test_the_receive_time_stands_in_for_a_missing_server_time():
    table = pa.table({"timestamp": pa.array([None, BASE], pa.timestamp("ns", "UTC")), "recv_ns": [5, 6], "x": [1, 2]})
    assert rows(table, "x").time_ns.tolist() == [5, BASE]


def test_rows_without_any_time_are_counted_and_left_out():
    table = pa.table({"timestamp": pa.array([None, BASE // 1000], pa.timestamp("us")), "x": [1, 2]})
    got = rows(table, "x")
    assert (got.objects("x"), got.untimed) == ([2], 1)


def test_times_may_come_in_any_unit_and_zone_but_not_as_text():
    zone = pa.table({"timestamp": pa.array([BASE // S], pa.timestamp("s", "Europe/Zurich")), "x": [1]})
    assert rows(zone, "x").time_ns.tolist() == [BASE]
    assert rows(pd.DataFrame({"x": [1]}, index=pd.DatetimeIndex(["2026-01-01"])), "x").time_ns.tolist() == [BASE]
    with pytest.raises(BadOption, match="holds string; expected times"):
        rows(pa.table({"timestamp": ["2026-01-01"], "x": [1]}), "x")


def test_what_is_not_finite_counts_as_missing_and_text_is_no_number(series):
    got = rows(series([1.0, np.inf, np.nan]), "tps")
    assert np.isnan(got.numbers("tps")).tolist() == [False, True, True]
    with pytest.raises(BadOption, match="numbers were expected"):
        rows(series(["a"], column="id"), "id").numbers("id")


def test_columns_of_nothing_are_missing_everywhere(series):
    got = rows(series([None, None]), "tps")
    assert np.isnan(got.numbers("tps")).all() and got.texts("tps").tolist() == [None, None]


def test_empty_data_have_no_span(series):
    got = rows(series([]), "tps")
    assert (len(got), got.start_ns, got.end_ns, got.coverage, got.shown_holes()) == (0, None, None, None, ())


def test_rows_in_disorder_are_sorted_on_request_and_stay_stable(series):
    frame = series([1.0, 2.0, 3.0, 4.0], step_s=[3, 1, 1, 0])
    assert rows(frame, "tps").by_time().numbers("tps").tolist() == [4.0, 2.0, 3.0, 1.0]


def test_a_dask_frame_is_reduced_where_its_partitions_lie(series):
    frame = series(np.arange(10.0))
    seen = []

    def newest(table):
        seen.append(table.num_rows)
        return table.slice(table.num_rows - 1)

    got = rows(dd.from_pandas(frame, npartitions=2), "tps", reduce=newest)
    assert sorted(seen) == [5, 5] and got.numbers("tps").tolist() == [4.0, 9.0]


def test_raise_wants_no_gap_and_ignore_forgets_them(series, gap):
    got = rows(series(np.ones(10)), "tps", gaps=gap((2, 4)))
    with pytest.raises(Incomplete, match=r"1 gap, 2\.000 of 9\.000 s"):
        check_gaps(got, "raise")
    assert without_gaps(got, "ignore").coverage == 1.0
    assert without_gaps(got, "nan").coverage == pytest.approx(7 / 9)
    with pytest.raises(BadOption, match="on_gap='drop'"):
        check_gaps(got, "drop")
    check_gaps(rows(series(np.ones(2)), "tps", gaps=gap((2, 4))), "raise")  # the gap lies behind the data


def test_start_must_lie_before_end(series):
    with pytest.raises(BadOption, match="not before"):
        rows(series([1.0]), "tps", start="2026-01-02", end="2026-01-01")


@pytest.mark.parametrize("gaps", [7, [1], pd.DataFrame({"topic": ["x"]})])
def test_gaps_of_another_shape_are_refused(series, gaps):
    with pytest.raises(BadOption, match="gaps"):
        rows(series([1.0]), "tps", gaps=gaps)


@pytest.mark.parametrize("value", [0, 1.5, True, "3"])
def test_whole_numbers_are_checked(value):
    with pytest.raises(BadOption, match="lags="):
        whole("lags", value)


@pytest.mark.parametrize("value", [0, 1, -0.1, "1/3", float("nan")])
def test_shares_are_checked(value):
    with pytest.raises(BadOption, match="threshold="):
        share("threshold", value)


# Gaps as intervals, against counting every instant.

spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda t: (t[0], t[0] + t[1])), max_size=6)


@given(spans, st.integers(-5, 50), st.integers(0, 20))
def test_missing_time_is_what_counting_every_instant_gives(intervals, start, length):
    holes = Holes.merged(intervals)
    want = sum(any(a <= t < b for a, b in intervals) for t in range(start, start + length))
    assert holes.missing(np.array([start]), np.array([start + length])).tolist() == [want]
    assert sum(b - a for a, b in holes.clipped(start, start + length)) == want


@given(spans, st.lists(st.integers(-5, 60), max_size=10).map(sorted))
def test_two_rows_are_in_one_stretch_unless_a_gap_lies_between(intervals, times):
    intervals = [(a, b) for a, b in intervals if b > a]
    got = Holes.merged(intervals).stretches(np.array(times, np.int64))
    for i in range(1, len(times)):
        left, right = times[i - 1], times[i]
        broken = any(max(a, left) < min(b, right) for a, b in intervals)
        assert (got[i] > got[i - 1]) == broken


def test_python_integers_beyond_64_bits_are_weighed_exactly():
    stakes = pd.DataFrame({"id": list("abc"), "voting_power": [2**70, 2**70, 2**70 + 1]})
    assert analytics.nakamoto(stakes, 0.5).value == 2
    assert analytics.nakamoto(stakes.assign(voting_power=[2**200, 1, 1])).value == 1


def test_a_polars_type_that_arrow_lacks_is_told():
    with pytest.raises(BadOption, match="cast it"):
        analytics.nakamoto(pl.DataFrame({"id": ["a"], "voting_power": pl.Series([2**100], dtype=pl.Int128)}))


def test_an_index_of_times_under_another_name_is_told():
    frame = pd.DataFrame({"tps": [1.0]}, index=pd.date_range("2026-01-01", periods=1, name="date"))
    with pytest.raises(BadOption, match=r"an index called 'date'.*rename_axis"):
        analytics.throughput(frame)
