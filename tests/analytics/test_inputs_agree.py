"""Every public function gives the same answer for a topic, live or recorded, pandas, Polars, Arrow and Dask."""

import inspect
import warnings

import dask.dataframe as dd
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import aurigraph_nb as ag
from aurigraph_nb import analytics
from aurigraph_nb.errors import Incomplete

WAYS = {
    "topic": lambda topic: topic,
    "polars": lambda topic: topic.to_polars(),
    "polars-lazy": lambda topic: topic.to_polars().lazy(),
    "arrow": lambda topic: topic.to_arrow(),
    "dask": lambda topic: dd.from_pandas(topic.to_pandas(), npartitions=4, sort=False),
}
"""What is compared with pandas."""


class Case:
    """A call: which topics of which network, and with which options; the gaps are those of the first topic."""

    def __init__(self, *topics, scenario="outage", **options):
        self.topics = topics
        self.scenario = scenario
        self.options = options

    def __call__(self, function, feeds, way):
        feed = feeds[self.scenario]
        known = feed.gaps.to_pandas()
        gaps = known[known["topic"] == self.topics[0]]
        options = {name: _told(value, feed, way) for name, value in self.options.items()}
        if "gaps" in inspect.signature(function).parameters and "gaps" not in options:
            options["gaps"] = gaps
        data = [way(feed[name]) for name in self.topics]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", analytics.AnalyticsWarning)
            return function(*data, **options)


def _told(value, feed, way):
    return value(feed, way) if callable(value) else value


EVENTS = [pd.Timestamp("2026-01-01 00:00:50", tz="UTC"), pd.Timestamp("2026-01-01 00:01:35", tz="UTC")]
SAID = {"active": 18}
SIDES = ["metrics", "consensus"]


def _gaps_of(topic):
    def told(feed, way):
        known = feed.gaps.to_pandas()
        return known[known["topic"] == topic]

    return told


def _gaps_of_sides(feed, way):
    return [_gaps_of(side)(feed, way) for side in SIDES]


CASES = {
    "address_degrees": Case("transactions"),
    "align": Case(*SIDES, names=SIDES, gaps=_gaps_of_sides, every="5s", columns=[["tps"], ["performance_percent"]]),
    "asof": Case(
        *SIDES, tolerance="2s", right_columns=["round"], left_columns=["tps"], right_gaps=_gaps_of("consensus")
    ),
    "autocorrelation": Case("metrics", lags=20),
    "backlog": Case("transactions"),
    "change_points": Case("metrics"),
    "decentralisation": Case("validators", **SAID),
    "decentralisation_over_time": Case("validators", every="20s", active=lambda feed, way: way(feed.consensus)),
    "dispersion": Case("transactions", every="1s"),
    "entropy": Case("validators", **SAID),
    "epoch_durations": Case("consensus"),
    "event_study": Case("metrics", events=EVENTS, before="10s", after="15s"),
    "failed_rounds": Case("consensus"),
    "failure_rate": Case("transactions", every="30s"),
    "fano": Case("metrics", scales=["1s", "2s", "5s"]),
    "feed_lag": Case("transactions", window="20s"),
    "gini": Case("validators", **SAID),
    "health_dwell": Case("consensus", column="state"),
    "health_transitions": Case("consensus", column="state"),
    "herfindahl": Case("validators", **SAID),
    "incidents": Case("consensus", scenario="leader-churn"),
    "interarrival": Case("transactions", simulations=200),
    "jail_episodes": Case("validators", scenario="leader-churn"),
    "lagged_correlation": Case(
        "metrics", "metrics", x="tps", y="cpu_percent", max_lag="5s", right_gaps=_gaps_of("metrics")
    ),
    "latency": Case("network", by="version", resamples=200),
    "leader_changes": Case("consensus"),
    "leader_tenure": Case("consensus"),
    "leadership_share": Case("consensus", stake=lambda feed, way: way(feed.validators)),
    "lorenz": Case("validators", **SAID),
    "mean_time_between_failures": Case("validators"),
    "nakamoto": Case("validators", **SAID),
    "partitions": Case("network", by="version", scenario="partition"),
    "peak_to_mean": Case("metrics", every="2s"),
    "peer_bandwidth": Case("network"),
    "peer_latency": Case("network", by="version"),
    "peer_sessions": Case("network"),
    "peers_over_time": Case("network", by="version"),
    "periodicity": Case("metrics"),
    "proposal_gaps": Case("validators"),
    "resample": Case("metrics", every="10s"),
    "round_durations": Case("consensus"),
    "sustained_rate": Case("metrics", hold=["3s", "10s"]),
    "theil": Case("validators", **SAID),
    "throughput": Case("metrics"),
    "time_in_status": Case("validators"),
    "time_to_finality": Case("transactions"),
    "time_to_recover": Case("metrics", events=EVENTS, before="10s", after="15s"),
    "top_counterparties": Case("transactions"),
    "uptime": Case("validators"),
    "value_distribution": Case("transactions"),
    "version_adoption": Case("network"),
}

PUBLIC = [name for name in analytics.__all__ if inspect.isfunction(getattr(analytics, name))]


def test_every_public_function_is_compared():
    assert sorted(CASES) == sorted(PUBLIC)


@pytest.fixture(scope="module")
def feeds(feed):
    """The networks, by scenario, ended, every topic open."""
    made = {"outage": feed}
    for scenario in ("leader-churn", "partition"):
        made[scenario] = ag.simulate(seed=7, scenario=scenario, start="2026-01-01", duration="2min")
    for one in made.values():
        one.join(timeout=60)
        for name in ("metrics", "transactions", "validators", "consensus", "network"):
            one[name].to_arrow()
    yield made
    for scenario in ("leader-churn", "partition"):
        made[scenario].close()


@pytest.fixture(scope="module")
def by_pandas():
    """The answers for pandas, each made once."""
    return {}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", PUBLIC)
def test_all_kinds_of_data_give_one_answer(feeds, by_pandas, name, way):
    function = getattr(analytics, name)
    if name not in by_pandas:
        by_pandas[name] = CASES[name](function, feeds, lambda topic: topic.to_pandas())
    want, got = by_pandas[name], CASES[name](function, feeds, WAYS[way])
    pd.testing.assert_frame_equal(got.table, want.table, rtol=1e-9)
    assert got.value == want.value or got.value == pytest.approx(want.value, rel=1e-9)
    assert (got.n, got.coverage, got.unit, got.name) == (want.n, want.coverage, want.unit, want.name)
    assert repr(got) == repr(want)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_answer_is_drawn_and_shown(feeds, name):
    result = CASES[name](getattr(analytics, name), feeds, lambda topic: topic)
    assert result.plot().layout.title.text
    assert result._repr_mimebundle_()["text/plain"].startswith(result.reading)
    assert isinstance(result.table, pd.DataFrame) and len(result.table)


def _nulls(frame):
    """The same rows, of which only the times are known."""
    kept = frame[["recv_ns", "conn_epoch", "n", "gap_before"]]
    return kept.assign(**{c: pd.Series(None, index=frame.index, dtype=frame[c].dtype) for c in frame if c not in kept})


POOR = {
    "empty": lambda topic: topic.to_pandas().iloc[:0],
    "one row": lambda topic: topic.to_pandas().iloc[:1],
    "two rows": lambda topic: topic.to_pandas().iloc[:2],
    "nulls": lambda topic: _nulls(topic.to_pandas().iloc[:20]),
    "untimed": lambda topic: (
        topic.to_arrow(limit=5)
        .drop_columns(["timestamp", "recv_ns"])
        .append_column("timestamp", pa.nulls(5, pa.timestamp("ns", "UTC")))
    ),
}
"""Data that say little or nothing."""


@pytest.mark.parametrize("way", POOR)
@pytest.mark.parametrize("name", [n for n in PUBLIC if n != "feed_lag"])
def test_data_that_say_little_give_a_result_that_says_so(feeds, name, way):
    result = CASES[name](getattr(analytics, name), feeds, POOR[way])
    assert result.reading and isinstance(result.table, pd.DataFrame)
    assert result.value is None or result.value == result.value, "a number that is not known is None, not NaN"
    assert result.coverage is None or 0 <= result.coverage <= 1
    result.plot()
    result._repr_mimebundle_()


@pytest.mark.parametrize("way", ["empty", "one row", "two rows", "nulls"])
def test_few_rows_have_a_lag_or_none(feeds, way):
    result = CASES["feed_lag"](analytics.feed_lag, feeds, POOR[way])
    assert (result.value is None) == (way in ("empty", "nulls"))


def test_a_polars_frame_is_not_mistaken_for_a_topic():
    frame = pl.DataFrame({"id": ["a"], "voting_power": [1.0]})
    assert analytics.nakamoto(frame).value == 1


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """For each scenario a recording in memory, and the same one saved and opened again."""
    folder = tmp_path_factory.mktemp("recordings")
    made = {}
    for scenario in ("outage", "leader-churn", "partition"):
        memory = ag.sample(scenario, duration="2min", seed=7, start="2026-01-01")
        memory.save(folder / scenario)
        made[scenario] = (memory, ag.open_recording(folder / scenario))
    yield made
    for memory, opened in made.values():
        memory.close()
        opened.close()


@pytest.mark.parametrize("name", PUBLIC)
def test_a_recording_gives_the_answers_that_its_frames_give(recordings, name):
    function, case = getattr(analytics, name), CASES[name]
    memory, opened = ({scenario: pair[i] for scenario, pair in recordings.items()} for i in (0, 1))
    want = case(function, opened, lambda topic: topic.to_pandas())
    for feeds in (memory, opened):
        got = case(function, feeds, lambda topic: topic)
        pd.testing.assert_frame_equal(got.table, want.table, rtol=1e-9)
        assert repr(got) == repr(want)


def test_a_recorded_topic_brings_its_gaps_and_its_members_along(recordings):
    opened = recordings["outage"][1]
    rate = analytics.throughput(opened.metrics)
    assert rate.coverage < 1 and any("gap" in note for note in rate.notes)
    with pytest.warns(analytics.AnalyticsWarning, match="17 of 18"):
        assert analytics.nakamoto(opened.validators).coverage == 17 / 18


def test_a_replayed_recording_gives_the_answers_of_the_recording(recordings):
    opened = recordings["outage"][1]
    replayed = ag.replay(opened.path, speed="max")
    try:
        replayed.join(timeout=60)
        for name, topic in (
            ("throughput", "metrics"),
            ("nakamoto", "validators"),
            ("time_to_finality", "transactions"),
        ):
            function = getattr(analytics, name)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", analytics.AnalyticsWarning)
                assert repr(function(replayed[topic])) == repr(function(opened[topic])), name
    finally:
        replayed.close()


@pytest.mark.parametrize("name", PUBLIC)
def test_a_table_has_the_same_columns_and_dtypes_where_it_is_empty(feeds, name):
    full = CASES[name](getattr(analytics, name), feeds, lambda topic: topic).table
    empty = CASES[name](getattr(analytics, name), feeds, POOR["empty"]).table
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()


BASE = pd.Timestamp("2026-01-01", tz="UTC")
HOLES = pd.DataFrame(
    {
        "topic": ["*", "*", "*", "*"],
        "certainty": ["unknown", "bounded", "none", "known"],
        "start": [BASE + pd.Timedelta(seconds=s) for s in (30, 35, 50, 110)],
        "end": [BASE + pd.Timedelta(seconds=s) for s in (40, 45, 100)] + [pd.NaT],
    }
)
"""Of every topic: two that overlap, one that is none, and one that is open."""
MEMBERS = ("decentralisation", "entropy", "gini", "herfindahl", "lorenz", "nakamoto", "theil", "leadership_share")
"""Whose coverage is of members; all but the last have nothing to do with time."""


@pytest.mark.parametrize("name", [n for n in PUBLIC if n not in MEMBERS[:-1]])
def test_gaps_count_are_refused_or_are_ignored_as_asked(name):
    function, case = getattr(analytics, name), CASES[name]
    rows = {"id": "a", "peer_id": "a", "hash": "a", "leader": "a", "sender": "a", "recipient": "b", "country": "CH"}
    rows |= {"status": "CONNECTED", "state": "VOTING", "health": "GOOD", "version": "1", "value_text": "1"}
    rows |= dict.fromkeys(["tps", "cpu_percent", "voting_power", "latency_ms", "inbound_bytes", "outbound_bytes"], 1.0)
    rows |= dict.fromkeys(["active_validators", "epoch", "last_block_proposed", "performance_percent", "recv_ns"], 1)
    times = pd.date_range(BASE, periods=120, freq="1s", name="timestamp")
    frame = pd.DataFrame(rows, index=times).assign(round=range(120))
    options = {k: [HOLES] * 2 if k == "gaps" else frame if callable(v) else v for k, v in case.options.items()}
    options |= {
        k: HOLES for k in ("gaps", "right_gaps") if k in inspect.signature(function).parameters and name != "align"
    }
    seen, ignored = (function(*[frame] * len(case.topics), **options, on_gap=word) for word in ("nan", "ignore"))
    with pytest.raises(Incomplete, match="on_gap"):
        function(*[frame] * len(case.topics), **options, on_gap="raise")
    if name not in (*MEMBERS, "peer_bandwidth", "event_study", "time_to_recover"):
        assert 0.5 < seen.coverage < 0.85 < ignored.coverage <= 1
