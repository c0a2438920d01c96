"""What was asked for before the first row, or after the last one, was not seen; and a gap before a range stays one."""

import inspect
import itertools

import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aurigraph_nb as ag
from aurigraph_nb import analytics
from aurigraph_nb.analytics.inputs import rows
from aurigraph_nb.analytics.sight import View, joined, sight_of
from aurigraph_nb.errors import Incomplete

S = 10**9
BASE = pd.Timestamp("2026-01-01", tz="UTC")
WAYS = {
    "pandas": lambda f: f,
    "polars": lambda f: pl.from_pandas(f.reset_index()),
    "lazy": lambda f: pl.from_pandas(f.reset_index()).lazy(),
    "arrow": lambda f: pa.Table.from_pandas(f.reset_index(), preserve_index=False),
    "dask": lambda f: dd.from_pandas(f, npartitions=3, sort=False),
}


def at(seconds):
    return BASE + pd.Timedelta(seconds=seconds)


@pytest.mark.parametrize("way", WAYS)
def test_time_before_the_first_row_and_after_the_last_is_not_covered(series, way):
    frame = series(np.ones(10), start="2026-01-01 00:00:20")  # rows from 20 to 29 s
    got = rows(WAYS[way](frame), "tps", start=at(0), end=at(60))
    assert got.shown_holes() == ((at(0).value, at(19).value), (at(30).value, at(60).value))
    assert got.coverage == pytest.approx(11 / 60), "each row stands for one distance of rows on either side"
    table = analytics.resample(WAYS[way](frame), "10s", start=at(0), end=at(60)).table
    assert table["coverage"].tolist() == pytest.approx([0, 0.1, 1, 0, 0, 0])
    assert table["tps"].isna().tolist() == [True, True, False, True, True, True]


@pytest.mark.parametrize("way", WAYS)
def test_a_silence_that_the_data_go_on_after_was_watched(series, way):
    frame = series(np.ones(4), [0, 1, 50, 51])
    got = rows(WAYS[way](frame), "tps", start=at(10), end=at(40))
    assert (len(got), got.coverage) == (0, 1.0)
    count = analytics.resample(WAYS[way](frame), "10s", how="count", start=at(10), end=at(40)).table["rows"]
    assert count.tolist() == [0, 0, 0]


def test_a_range_that_the_data_do_not_touch_was_not_seen(series):
    for data in (series([]), series(np.ones(5))):
        got = rows(data, "tps", start=at(100), end=at(160))
        assert got.coverage == 0
        assert analytics.resample(data, "1min", how="count", start=at(120), end=at(180)).table["rows"].isna().all()


def test_one_row_stands_for_its_bin_in_a_range_too(series):
    table = analytics.resample(series([5.0], [15]), "10s", start=at(0), end=at(40)).table
    assert table["coverage"].tolist() == [0.5, 1, 0.5, 0]


def test_what_is_not_covered_is_refused_or_ignored_as_gaps_are(series):
    frame = series(np.ones(10))
    with pytest.raises(Incomplete, match="before the first row"):
        analytics.throughput(frame, end=at(60), on_gap="raise")
    assert analytics.throughput(frame, end=at(60), on_gap="ignore").coverage == 1
    assert analytics.throughput(frame, start=at(0), end=at(10), on_gap="raise").coverage == 1


@pytest.mark.parametrize("name", ["live", "recorded"])
def test_a_topic_knows_whether_it_was_watched_beyond_a_range(feed, name):
    topic = feed.metrics if name == "live" else ag.sample("outage", duration="2min", seed=7, start="2026-01-01").metrics
    inside = rows(topic, "tps", start=at(20), end=at(25), gaps=[])
    assert (inside.sight.before, inside.sight.after, inside.coverage) == (True, True, 1.0)
    early = rows(topic, "tps", start=at(-100), end=at(20), gaps=[])
    assert early.coverage == pytest.approx(21 / 120, abs=0.01)
    late = rows(topic, "tps", start=at(110), end=at(230), gaps=[])
    last = topic.to_pandas().index.max()
    assert late.coverage == pytest.approx((last - at(109)) / pd.Timedelta("120s"), abs=0.001)


def test_states_are_not_known_after_the_last_row(series):
    frame = series(["ACTIVE"] * 11, column="status", id="a")
    table = analytics.time_in_status(frame, end=at(100)).table
    assert table["seconds"].tolist() == [11.0]
    assert analytics.uptime(frame, end=at(100)).coverage == pytest.approx(0.11)


def test_who_waits_when_the_data_end_is_censored_there(series):
    frame = series(["PENDING", "PENDING", "CONFIRMED"], [0, 1, 2], column="status", hash=["a", "b", "a"])
    table = analytics.time_to_finality(frame, end=at(1000)).table
    assert table["time_s"].tolist() == [0.0, 2.0], "b was watched for 2 s, to one distance of rows after the last row"


# A gap before the first row of a range


@pytest.mark.parametrize("way", WAYS)
def test_a_gap_before_the_first_row_of_a_range_reaches_back_to_the_row_before(series, way):
    frame = series(np.arange(8.0), [0, 1, 2, 20, 21, 22, 23, 24], gap_before=[False] * 3 + [True] + [False] * 4)
    got = rows(WAYS[way](frame), "tps", start=at(10), end=at(24))
    assert got.shown_holes() == ((at(10).value, at(20).value),)
    assert got.coverage == pytest.approx(4 / 14)
    inside = analytics.interarrival(WAYS[way](frame), start=at(1), end=at(23))
    assert (inside.value, inside.n) == (1.0, 3), "1-2, 20-21, 21-22; none over the gap"


@pytest.mark.parametrize("way", WAYS)
def test_a_gap_told_by_a_row_outside_the_range_is_not_lost(series, way):
    seconds = [0, 1, 2, -5, 8, 9, 10]  # the row that tells of the gap came late, and lies before the range
    frame = series(np.ones(7), seconds, gap_before=[False, False, False, True, False, False, False])
    got = rows(WAYS[way](frame), "tps", start=at(0))
    assert len(np.unique(got.by_time().stretches())) == 2


def test_a_gap_told_by_a_row_without_a_time_counts_for_the_next_row():
    table = pa.table(
        {
            "timestamp": pa.array([0, 1, None, 30, 31], pa.timestamp("s", "UTC")),
            "gap_before": [False, False, True, False, False],
        }
    )
    assert analytics.interarrival(table).n == 2
    assert rows(table).shown_holes() == ((S, 30 * S),)


def test_a_first_row_that_tells_of_a_gap_stands_for_nothing_before_it(series):
    frame = series(np.ones(5), [10, 11, 12, 13, 14], gap_before=[True] + [False] * 4)
    assert rows(frame, "tps", start=at(0)).shown_holes() == ((at(0).value, at(10).value),)
    assert rows(frame, "tps").shown_holes() == ()


streams = st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 30)), st.booleans()), max_size=14)


@settings(max_examples=150)
@given(streams, st.lists(st.integers(0, 14), max_size=3), st.integers(0, 30), st.integers(1, 20))
def test_what_parts_tell_together_is_what_the_whole_tells(stream, cuts, start, length):
    def told(part):
        times = pa.chunked_array([pa.array([t for t, _ in part], pa.int64())])
        return sight_of(
            times, pa.chunked_array([pa.array([g for _, g in part], pa.bool_())]), View(start, start + length)
        )

    edges = sorted({0, len(stream), *(min(c, len(stream)) for c in cuts)})
    parts = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert joined([told(p) for p in parts]) == told(stream)


@settings(max_examples=100)
@given(
    st.lists(st.integers(0, 40), min_size=2, max_size=12),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=2),
    st.integers(-10, 45),
    st.integers(1, 30),
)
def test_coverage_is_what_counting_every_second_gives(seconds, spans, start, length):
    times = sorted(set(seconds))
    frame = pd.DataFrame({"timestamp": [at(s) for s in times], "tps": 1.0})
    holes = pd.DataFrame({"start": [at(a) for a, _ in spans], "end": [at(a + b) for a, b in spans]}).astype(
        "datetime64[ns, UTC]"
    )
    got = rows(frame, "tps", start=at(start), end=at(start + length), gaps=holes)
    reach = got.spacing_ns / S
    mine = [t for t in times if start <= t < start + length]
    low = start if times[0] < start else (mine[0] - reach if mine else 99)
    high = start + length if times[-1] >= start + length else (mine[-1] + reach if mine else -99)
    steps = np.arange(start, start + length, 0.01) + 0.005
    seen = (steps >= low) & (steps < high)
    for a, b in spans:
        seen &= ~((steps >= a) & (steps < a + b))
    if not mine and not (times[0] < start and times[-1] >= start + length):
        seen[:] = False
    assert got.coverage == pytest.approx(seen.mean(), abs=0.01 * 4 / length + 1e-6)


TIMED = [
    name
    for name in analytics.__all__
    if inspect.isfunction(f := getattr(analytics, name)) and "gaps" in inspect.signature(f).parameters
]


def _case(name):
    two = name in ("align", "asof", "lagged_correlation")
    options = {
        "asof": {"tolerance": "1s", "left_columns": ["tps"], "right_columns": ["tps"]},
        "lagged_correlation": {"x": "tps", "y": "cpu_percent", "max_lag": 2},
        "align": {"names": ["a", "b"], "columns": [["tps"], ["tps"]]},
        "event_study": {"events": [at(50)], "before": 10, "after": 10},
        "time_to_recover": {"events": [at(50)], "before": 10, "after": 10},
        "leadership_share": {"stake": {"a": 1.0}},
        "resample": {"every": "10s"},
        "decentralisation_over_time": {"every": "10s"},
    }
    return two, options.get(name, {})


@pytest.mark.parametrize("name", TIMED)
def test_every_function_refuses_a_range_that_the_data_do_not_fill(name):
    words = {"id": "a", "peer_id": "a", "hash": "a", "leader": "a", "sender": "a", "recipient": "b", "country": "CH"}
    words |= {"status": "CONNECTED", "state": "VOTING", "health": "GOOD", "version": "1", "value_text": "1"}
    words |= dict.fromkeys(["tps", "cpu_percent", "voting_power", "latency_ms", "inbound_bytes", "outbound_bytes"], 1.0)
    words |= dict.fromkeys(["epoch", "last_block_proposed", "recv_ns"], 1)
    frame = pd.DataFrame(words, index=pd.date_range(BASE, periods=100, freq="1s", name="timestamp"))
    frame["round"] = range(100)
    two, options = _case(name)
    function, data = getattr(analytics, name), [frame, frame] if two else [frame]
    whole = {"start": at(0), "end": at(100)}
    assert function(*data, **options, **whole, on_gap="raise").reading
    for beyond in ({"start": at(-100), "end": at(100)}, {"start": at(0), "end": at(200)}):
        with pytest.raises(Incomplete):
            function(*data, **options, **beyond, on_gap="raise")
        result = function(*data, **options, **beyond)
        known = name not in ("leadership_share", "peer_bandwidth", "event_study", "time_to_recover")
        assert not known or result.coverage == pytest.approx(0.5, abs=0.02)
