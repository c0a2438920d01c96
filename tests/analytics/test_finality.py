import dask.dataframe as dd
import lifelines
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurigraph_nb import analytics
from aurigraph_nb.analytics.finality import survival_table
from aurigraph_nb.errors import BadOption, Incomplete

BASE = pd.Timestamp("2026-01-01", tz="UTC")


def ledger(lives, last=None):
    """Rows of transactions (begin, seconds, end); ``last`` is a row of another one that closes the span."""
    rows = []
    for i, (begin, seconds, end) in enumerate(lives):
        rows.append((begin, f"0x{i}", "PENDING"))
        if end:
            rows.append((begin + seconds, f"0x{i}", end))
    if last is not None:
        rows.append((last, "0xlast", "CONFIRMED"))
    frame = pd.DataFrame(rows, columns=["at", "hash", "status"]).sort_values("at", kind="stable")
    times = BASE + pd.to_timedelta(np.round(frame.pop("at") * 1e9).astype("int64"), unit="ns")
    return frame.set_index(pd.DatetimeIndex(times, name="timestamp"))


@pytest.fixture
def lives():
    rng = np.random.default_rng(30)
    begin = np.round(rng.uniform(0, 60, 200), 3)
    seconds = np.round(rng.exponential(8, 200) + 0.5, 1)
    ends = np.where(rng.random(200) < 0.2, "FAILED", "CONFIRMED")
    return [(b, s, e if b + s <= 60 else None) for b, s, e in zip(begin, seconds, ends, strict=True)]


def watched(lives, last=60.0):
    seconds = np.round([s if e else last - b for b, s, e in lives], 9)
    codes = np.array([{None: 0, "CONFIRMED": 1, "FAILED": 2}[e] for _, _, e in lives])
    return seconds, codes


def test_the_curve_and_its_band_agree_with_lifelines(lives):
    result = analytics.time_to_finality(ledger(lives, 60.0))
    seconds, codes = watched(lives)
    fit = lifelines.KaplanMeierFitter().fit(seconds, codes == 1)
    table = result.table
    band = fit.confidence_interval_survival_function_
    at = np.searchsorted(band.index.to_numpy(), table["time_s"] + 1e-6, side="right") - 1
    np.testing.assert_allclose(table["survival"], fit.survival_function_.iloc[at, 0], atol=1e-9)
    np.testing.assert_allclose(table["low"], band.iloc[at, 0], atol=1e-6)
    np.testing.assert_allclose(table["high"], band.iloc[at, 1], atol=1e-6)
    assert result.value == pytest.approx(fit.median_survival_time_)
    assert (result.confirmed, result.failed, result.censored) == tuple(int((codes == c).sum()) for c in (1, 2, 0))


def test_the_shares_agree_with_lifelines_aalen_and_johansen(lives):
    table = analytics.time_to_finality(ledger(lives, 60.0)).table
    seconds, codes = watched(lives)
    # lifelines jitters tied times, which moves its curve a little.
    for code, column in ((1, "confirmed_share"), (2, "failed_share")):
        with pytest.warns(Warning, match="Tied event times"):
            fit = lifelines.AalenJohansenFitter(seed=0, calculate_variance=False).fit(seconds, codes, code)
        curve = fit.cumulative_density_.iloc[:, 0]
        at = np.searchsorted(curve.index.to_numpy(), table["time_s"] + 1e-3, side="right") - 1
        np.testing.assert_allclose(table[column], curve.iloc[at], atol=5e-3)


def test_the_published_remission_times_of_freireich():
    """Freireich et al., 1963, Blood 21, 699: weeks of remission under 6-MP; the example of Cox and Oakes, 1984,
    Analysis of Survival Data, sections 1.1 and 4.2: S(6) = 0.857, S(10) = 0.753, S(23) = 0.448, se at 6 0.0764.
    """
    weeks = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    table = survival_table(np.array(weeks, float), np.array([1] * 9 + [0] * 12), 0.95).set_index("time_s")
    got = table["survival"]
    assert [round(got[w], 3) for w in (6, 7, 10, 13, 16, 22, 23)] == [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert table["std_error"][6] == pytest.approx(0.0764, abs=5e-5)
    assert table["at_risk"][10] == 15


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from([0, 1, 2])), max_size=30))
def test_what_waits_confirms_and_fails_is_the_whole(ends):
    seconds, codes = np.array([s for s, _ in ends], float), np.array([c for _, c in ends], int)
    table = survival_table(seconds, codes, 0.95)
    assert (np.diff(table["survival"]) <= 1e-12).all() and (np.diff(table["confirmed_share"]) >= -1e-12).all()
    assert (table["low"] <= table["survival"] + 1e-12).all() and (table["survival"] <= table["high"] + 1e-12).all()
    assert (table["confirmed_share"] + table["failed_share"] <= 1 + 1e-9).all()
    if len(ends) and not (codes == 0).any():
        assert table["confirmed_share"].iloc[-1] == pytest.approx(np.mean(codes == 1))
    assert table[["confirmed", "failed", "censored"]].to_numpy().sum() == len(ends)


def test_a_gap_censors_whatever_it_interrupts(gap):
    lives = [(0.0, 2.0, "CONFIRMED"), (4.0, 10.0, "CONFIRMED"), (4.0, 0, None), (16.0, 0, None)]
    table = analytics.time_to_finality(ledger(lives, 20.0), gaps=gap((5, 12), topic="transactions")).table
    told = table[["time_s", "confirmed", "censored"]].to_numpy().tolist()
    assert told == [[0, 0, 0], [1, 0, 2], [2, 1, 0], [4, 0, 1]]
    ignored = analytics.time_to_finality(ledger(lives, 20.0), gaps=gap((5, 12)), on_gap="ignore").table
    assert ignored.loc[ignored["censored"] > 0, "time_s"].tolist() == [4, 16]
    assert ignored["confirmed"].sum() == 2
    with pytest.raises(Incomplete):
        analytics.time_to_finality(ledger(lives, 20.0), gaps=gap((5, 12)), on_gap="raise")


def test_gaps_do_not_make_transactions_look_slow(gap):
    """Half of the time hidden, exponential waits of 4 s on average: the curve has to stay that of the waits."""
    rng = np.random.default_rng(1)
    begin, wait = rng.uniform(0, 2000, 4000), rng.exponential(4.0, 4000)
    told = [
        (t, f"0x{i}", s) for i in range(4000) for t, s in ((begin[i], "PENDING"), (begin[i] + wait[i], "CONFIRMED"))
    ]
    frame = pd.DataFrame([row for row in told if row[0] % 20 < 10], columns=["at", "hash", "status"])
    frame = frame.assign(timestamp=BASE + pd.to_timedelta((frame.pop("at") * 1e9).astype("int64"), unit="ns"))
    holes = gap(*((k + 10, k + 20) for k in range(0, 2000, 20)), topic="transactions")
    curve = analytics.time_to_finality(frame, gaps=holes).table.set_index("time_s")["survival"]
    for seconds in (1, 2, 4, 6):
        assert curve[curve.index <= seconds].iloc[-1] == pytest.approx(np.exp(-seconds / 4), abs=0.04)


def test_what_began_unseen_is_left_out_and_counted():
    result = analytics.time_to_finality(ledger([(0.0, 1.0, "CONFIRMED")] * 3, 5.0))
    assert result.n == 3 and "first seen after PENDING, and left out: 1 transaction" in result.notes[-1]


def test_a_status_told_twice_counts_once_and_the_first_end_counts():
    frame = ledger([(0.0, 2.0, "CONFIRMED")])
    again = pd.concat(
        [frame, frame.tail(1).set_index(frame.index[-1:] + pd.Timedelta(seconds=3)).assign(status="FAILED")]
    )
    result = analytics.time_to_finality(pd.concat([again, again]).sort_index(kind="stable"))
    assert (result.value, result.confirmed, result.failed, result.n) == (2.0, 1, 0, 1)


def test_less_than_half_confirmed_has_no_median():
    result = analytics.time_to_finality(ledger([(0.0, 1.0, "CONFIRMED"), (0.0, 0, None), (0.0, 0, None)], 9.0))
    assert result.value is None and "less than half" in repr(result)


@pytest.mark.parametrize("rows", [[], [(0.0, 0, None)]])
def test_nothing_settled_is_told_and_not_raised(rows):
    result = analytics.time_to_finality(ledger(rows))
    assert result.value is None and result.confirmed == 0
    result.plot()


def test_a_dask_frame_gives_the_same_curve(lives):
    frame = ledger(lives, 60.0).assign(gap_before=False)
    frame.iloc[[70, 200], frame.columns.get_loc("gap_before")] = True
    want = analytics.time_to_finality(frame)
    got = analytics.time_to_finality(dd.from_pandas(frame, npartitions=6, sort=False))
    pd.testing.assert_frame_equal(got.table, want.table)
    assert repr(got) == repr(want) and want.censored > 0


def test_wrong_options_are_refused():
    with pytest.raises(BadOption, match="confidence"):
        analytics.time_to_finality(ledger([]), confidence=95)
    with pytest.raises(BadOption, match="no column hash"):
        analytics.time_to_finality(ledger([]).drop(columns="hash"))
