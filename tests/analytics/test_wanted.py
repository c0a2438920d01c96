"""Who gives the wrong topic is told which one is wanted, and which came."""

import inspect

import pandas as pd
import pytest

from aurigraph_nb import analytics
from aurigraph_nb.analytics.wanted import TOPICS, came, topic_with
from aurigraph_nb.errors import BadOption, BadOptionType

WANTED = {
    "metrics": "autocorrelation change_points event_study peak_to_mean periodicity resample sustained_rate throughput "
    "time_to_recover",
    "validators": "decentralisation decentralisation_over_time entropy gini herfindahl jail_episodes lorenz "
    "mean_time_between_failures nakamoto proposal_gaps theil time_in_status uptime",
    "consensus": "epoch_durations failed_rounds health_dwell health_transitions incidents leader_changes leader_tenure "
    "leadership_share round_durations",
    "transactions": "address_degrees backlog failure_rate time_to_finality top_counterparties value_distribution",
    "network": "latency partitions peer_bandwidth peer_latency peer_sessions peers_over_time version_adoption",
}
ANY = {"align", "asof", "dispersion", "fano", "feed_lag", "interarrival", "lagged_correlation"}
"""Those take any stream with a time."""
MORE = {"event_study": {"events": ["2026-01-01"]}, "time_to_recover": {"events": ["2026-01-01"]}}
MORE["leadership_share"] = {"stake": {"a": 1.0}}
PAIRS = [(name, topic) for topic, names in WANTED.items() for name in names.split()]


def test_every_function_is_told_of():
    public = {n for n in analytics.__all__ if inspect.isfunction(getattr(analytics, n))}
    assert {name for name, _ in PAIRS} | ANY == public


@pytest.mark.parametrize("kind", ["topic", "pandas", "polars"])
@pytest.mark.parametrize("name, topic", PAIRS)
def test_the_wrong_topic_is_named_with_the_right_one(feed, name, topic, kind):
    wrong = "validators" if topic == "metrics" else "metrics"
    data = {"topic": lambda t: t, "pandas": lambda t: t.to_pandas(), "polars": lambda t: t.to_polars()}[kind](
        feed[wrong]
    )
    with pytest.raises(BadOption, match=f"{name} wants the {topic} topic.*this is `{wrong}`; use feed.{topic}"):
        getattr(analytics, name)(data, **MORE.get(name, {}))


@pytest.mark.parametrize("name, topic", PAIRS)
def test_a_whole_feed_is_told_its_topic(feed, name, topic):
    with pytest.raises(BadOptionType, match=rf"such as feed\.{topic}"):
        getattr(analytics, name)(feed, **MORE.get(name, {}))


def test_a_frame_of_other_things_is_told_the_columns():
    frame = pd.DataFrame({"colour": ["red"]})
    with pytest.raises(
        BadOption, match=r"there are colour. nakamoto wants .* columns id, voting_power or total_staked; this is a Data"
    ):
        analytics.nakamoto(frame)


def test_rows_of_another_topic_that_have_the_column_are_refused_too(feed):
    with pytest.raises(BadOption, match="failure_rate wants the transactions topic; this is `validators`"):
        analytics.failure_rate(feed.validators)


def test_a_column_that_no_topic_has_suggests_none(feed):
    with pytest.raises(BadOption) as raised:
        analytics.throughput(feed.metrics, column="colour")
    assert "no column colour; there are" in str(raised.value) and "wants" not in str(raised.value)


def test_a_second_stream_is_told_as_well(feed):
    with pytest.raises(BadOption, match=r"leadership_share wants the validators topic.*this is `metrics`"):
        analytics.leadership_share(feed.consensus, feed.metrics)


def test_topics_are_known_by_their_columns(feed):
    for topic in TOPICS:
        assert came(feed[topic].to_pandas(), list(feed[topic].to_pandas().columns)) == topic
    assert topic_with(["timestamp"]) is None and topic_with(["status", "peer_id"]) == "network"
