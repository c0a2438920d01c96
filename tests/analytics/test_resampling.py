import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurigraph_nb import analytics
from aurigraph_nb.analytics.resampling import HOW
from aurigraph_nb.errors import BadOption, BadOptionType, Incomplete


def by_pandas(frame, every, how):
    groups = frame["tps"].resample(every)
    if how in ("count", "rate"):
        sizes = frame["tps"].resample(every).size().astype(float)
        return sizes if how == "count" else sizes / pd.Timedelta(every).total_seconds()
    return getattr(groups, how)()


@pytest.mark.parametrize("how", HOW)
def test_every_way_agrees_with_pandas(series, how):
    rng = np.random.default_rng(1)
    frame = series(rng.normal(1e6, 3, 240))
    got = analytics.resample(frame, "10s", how=how, start="2026-01-01", end="2026-01-01 00:04").table
    want = by_pandas(frame, "10s", how)
    assert got["timestamp"].tolist() == want.index.tolist()
    np.testing.assert_allclose(got.iloc[:, 1], want.to_numpy(), rtol=1e-9)
    assert (got["coverage"] == 1).all() and (got["n"] == 10).all()


@pytest.mark.parametrize("how", HOW)
def test_a_dask_frame_gives_the_same_bins_gaps_and_coverage(series, how):
    rng = np.random.default_rng(2)
    seconds = np.sort(rng.choice(600, 300, replace=False)).astype(float)
    values = rng.normal(1e6, 3, 300)
    values[rng.choice(300, 30)] = np.nan
    frame = series(values, seconds, gap_before=rng.random(300) < 0.05)
    want = analytics.resample(frame, "20s", how=how)
    got = analytics.resample(dd.from_pandas(frame, npartitions=7), "20s", how=how)
    pd.testing.assert_frame_equal(got.table, want.table)
    assert repr(got) == repr(want) and got.coverage < 1


def test_a_gap_is_nan_and_never_nought(series, gap):
    frame = series(np.ones(60)).drop(series(np.ones(60)).index[20:40])
    options = {"gaps": gap((20, 40)), "start": "2026-01-01", "end": "2026-01-01 00:01"}
    for how in HOW:
        table = analytics.resample(frame, "10s", how=how, **options).table
        assert table["coverage"].tolist() == [1, 1, 0, 0, 1, 1]
        assert table.iloc[:, 1].isna().tolist() == [False, False, True, True, False, False], how


def test_what_was_seen_empty_counts_nought_but_has_no_mean(series):
    frame = series([1.0, 1.0], [0, 30])
    table = analytics.resample(frame, "10s", how="count").table
    assert table["rows"].tolist() == [1, 0, 0, 1]
    assert analytics.resample(frame, "10s", how="sum").table["tps"].tolist() == [1, 0, 0, 1]
    assert analytics.resample(frame, "10s").table["tps"].isna().tolist() == [False, True, True, False]


def test_a_bin_seen_in_part_is_kept_from_half_on(series, gap):
    frame = series(np.arange(20.0))
    options = {"gaps": gap((0, 6), (10, 14)), "start": "2026-01-01", "end": "2026-01-01 00:00:20"}
    table = analytics.resample(frame, "10s", **options).table
    assert table["coverage"].tolist() == pytest.approx([0.4, 0.6])
    assert table["tps"].isna().tolist() == [True, False]
    assert analytics.resample(frame, "10s", min_coverage=0.3, **options).table["tps"].notna().all()
    assert analytics.resample(frame, "10s", on_gap="ignore", **options).table["coverage"].tolist() == [1, 1]
    with pytest.raises(Incomplete):
        analytics.resample(frame, "10s", on_gap="raise", **options)


def test_a_rate_divides_by_the_time_that_was_seen(series, gap):
    frame = series(np.ones(5), [0, 1, 2, 3, 4])
    result = analytics.resample(
        frame, "10s", how="rate", gaps=gap((5, 10)), start="2026-01-01", end="2026-01-01 00:00:10"
    )
    assert result.table["rate_hz"].tolist() == [1.0]


def test_the_edges_of_a_span_count_as_seen_only_as_far_as_rows_reach(series):
    frame = series(np.ones(31), start="2026-01-01 00:00:45")
    table = analytics.resample(frame, "1min").table
    assert table["coverage"].tolist() == pytest.approx([16 / 60, 16 / 60])
    assert analytics.resample(series([5.0]), "1min").table["coverage"].tolist() == [1.0], "one row alone"


def test_bins_begin_at_whole_multiples_and_leave_their_end_out(series):
    frame = series([1.0, 2.0], [0, 10], start="2026-01-01 00:00:05")
    assert analytics.resample(frame, "5s", how="count").table["timestamp"].dt.second.tolist() == [5, 10, 15]


def test_empty_and_null_columns_are_told_and_not_raised(series):
    empty = analytics.resample(series([]), "1min")
    assert len(empty.table) == 0 and empty.coverage is None and "0 bins" in repr(empty)
    nothing = analytics.resample(series([None, None, None]), "1s")
    assert nothing.table["tps"].isna().all() and nothing.table["n"].tolist() == [0, 0, 0]
    empty.plot()


def test_digits_survive_sums_of_parts(series):
    frame = series(1e9 + np.arange(100) % 2)
    got = analytics.resample(dd.from_pandas(frame, npartitions=9), "1min", how="std").table["tps"][0]
    assert got == pytest.approx(np.std(np.arange(60) % 2, ddof=1), rel=1e-6)


@pytest.mark.parametrize("options", [{"how": "mode"}, {"every": 0}, {"min_coverage": 2}, {"column": "hash"}])
def test_wrong_options_are_refused(series, options):
    with pytest.raises(BadOption):
        analytics.resample(series([1.0]), **options)
    with pytest.raises(BadOptionType):
        analytics.resample(series([1.0]), min_coverage="half")


def test_a_wrong_time_in_the_data_does_not_fill_the_memory(series):
    with pytest.raises(BadOption, match="5,000,000 are the most"):
        analytics.resample(series([1.0, 2.0], [0, 3e9]), "1s")


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(-50, 50)), min_size=1, max_size=60), st.integers(1, 40))
def test_every_row_lies_in_one_bin(pairs, width):
    times = pd.to_datetime([t for t, _ in pairs], unit="s", utc=True)
    frame = pd.DataFrame({"timestamp": times, "tps": [float(v) for _, v in pairs]})
    table = analytics.resample(frame, width, how="sum", on_gap="ignore").table
    assert table["n"].sum() == len(pairs)
    assert table["tps"].sum() == pytest.approx(sum(v for _, v in pairs))
