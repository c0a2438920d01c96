"""Topics, pandas, Polars, Arrow and Dask give the same answers to every question about streams."""

import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
import pytest

from aurigraph_nb import analytics
from aurigraph_nb.errors import BadOption

TOPICS = {
    "round_durations": "consensus",
    "epoch_durations": "consensus",
    "failed_rounds": "consensus",
    "leader_tenure": "consensus",
    "health_dwell": "consensus",
    "health_transitions": "consensus",
    "leader_changes": "consensus",
    "incidents": "consensus",
    "time_in_status": "validators",
    "uptime": "validators",
    "jail_episodes": "validators",
    "mean_time_between_failures": "validators",
    "proposal_gaps": "validators",
    "failure_rate": "transactions",
    "value_distribution": "transactions",
    "backlog": "transactions",
    "top_counterparties": "transactions",
    "address_degrees": "transactions",
    "peer_latency": "network",
    "peers_over_time": "network",
    "version_adoption": "network",
    "peer_sessions": "network",
    "peer_bandwidth": "network",
    "partitions": "network",
}
OPTIONS = {"health_dwell": {"column": "state"}, "health_transitions": {"column": "state"}}
EVENTS = ["2026-01-01 00:00:40", "2026-01-01 00:01:00"]

MADE = {
    "pandas": lambda t: t.to_pandas(),
    "a pandas column of times": lambda t: t.to_pandas(index=None),
    "pandas on Arrow": lambda t: t.to_pandas(dtype_backend="pyarrow"),
    "polars": lambda t: t.to_polars(),
    "lazy polars": lambda t: t.to_polars().lazy(),
    "arrow": lambda t: t.to_arrow(),
    "dask": lambda t: dd.from_pandas(t.to_pandas(), npartitions=3, sort=False),
}


def questions(topics, gaps):
    """Every question, asked of topics or of what was made of them."""
    for name, topic in TOPICS.items():
        options = {**OPTIONS.get(name, {}), "gaps": gaps[topic]}
        yield name, lambda n=name, t=topic, o=options: getattr(analytics, n)(topics[t], **o)
    metrics, consensus = topics["metrics"], topics["consensus"]
    mine, theirs = {"gaps": gaps["consensus"]}, {"gaps": gaps["metrics"]}
    yield "leadership_share", lambda: analytics.leadership_share(consensus, topics["validators"], **mine)
    yield "event_study", lambda: analytics.event_study(metrics, EVENTS, before=10, after=10, **theirs)
    yield "time_to_recover", lambda: analytics.time_to_recover(metrics, EVENTS, before=10, after=10, **theirs)
    yield "asof", lambda: analytics.asof(consensus, metrics, tolerance="2s", right_gaps=gaps["metrics"], **mine)
    both = {"names": ["m", "c"], "columns": [["tps"], ["round"]], "gaps": [gaps["metrics"], gaps["consensus"]]}
    yield "align", lambda: analytics.align(metrics, consensus, **both)
    kept = {"x": "tps", "y": "performance_percent", "max_lag": 5, "right_gaps": gaps["consensus"], **theirs}
    yield "lagged_correlation", lambda: analytics.lagged_correlation(metrics, consensus, **kept)


def asked(feed, make, *, told):
    """The answers; the gaps are given (``told``), or those that the topics bring along."""
    names = ("metrics", "consensus", "validators", "transactions", "network")
    book = feed.gaps.to_pandas()
    gaps = {name: book[book["topic"].isin([name, "*"])] if told else None for name in names}
    return {name: ask() for name, ask in questions({name: make(feed[name]) for name in names}, gaps)}


@pytest.fixture(scope="module")
def expected(feed):
    return asked(feed, lambda topic: topic, told=False)


@pytest.mark.parametrize("kind", MADE)
def test_every_kind_of_input_gives_the_same_answers(feed, expected, kind):
    for name, result in asked(feed, MADE[kind], told=True).items():
        want = expected[name]
        assert result.value == pytest.approx(want.value, nan_ok=True), name
        assert (result.n, result.reading, result.notes) == (want.n, want.reading, want.notes), name
        assert result.coverage == pytest.approx(want.coverage), name
        plain = [table.astype(object).where(table.notna(), None) for table in (result.table, want.table)]
        pd.testing.assert_frame_equal(*plain, check_dtype=False, rtol=1e-9, obj=name)


def test_every_answer_can_be_shown_and_drawn_and_is_frozen(expected):
    for name, result in expected.items():
        assert result.reading == repr(result) and "\n" not in result.reading, name
        assert result.plot().layout.title.text == result.name, name
        shown = result._repr_mimebundle_()
        assert result.reading in shown["text/plain"], name
        with pytest.raises(AttributeError):
            result.value = 1


def test_every_public_function_about_streams_is_asked_here():
    first = set(TOPICS) | {"leadership_share", "event_study", "time_to_recover", "asof", "align", "lagged_correlation"}
    homes = "rounds health leadership incidents events recovery validators failures transactions counterparties peers "
    homes += "population bandwidth partitions cross correlation"
    mine = {f"aurigraph_nb.analytics.{home}" for home in homes.split()}
    public = {n for n in analytics.__all__ if getattr(getattr(analytics, n), "__module__", "") in mine}
    assert public - {"Incidents"} == first


def test_names_from_the_network_are_only_ever_text(feed):
    hostile = "<img src=x onerror=alert(1)>"
    data = feed.network.to_pandas().astype({"version": object}).assign(version=hostile)
    result = analytics.version_adoption(data)
    assert hostile not in result._repr_mimebundle_()["text/html"]
    assert all(hostile not in (line.name or "") for line in result.plot().data)


def test_a_table_of_arrow_without_times_is_refused(feed):
    table: pa.Table = feed.consensus.to_arrow(["round", "leader"])
    with pytest.raises(BadOption, match="timestamp"):
        analytics.round_durations(table)
