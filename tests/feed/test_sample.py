"""Samples: the model's run as a recording, in memory, without a socket."""

import pandas as pd
import pytest

import aurigraph_nb as ag
from aurigraph_nb.recording.lines import encode
from aurigraph_nb.sample import Script, sample

SYSTEMS = {
    "portal": {"protocol": "portal"},
    "portal's shape": {"protocol": "portal", "shape": "portal"},
    "live": {"protocol": "live"},
    "channels": {"protocol": "channels"},
    "fakeai": {"protocol": "fakeai"},
    "real fakeai": {"protocol": "fakeai", "inference_shape": "real"},
}


def lines_of(**options):
    arguments = {"protocol": "portal", "scenario": "steady", "duration": "1min", "seed": 7, "start": "2026-01-01"}
    return list(Script(**arguments | options).lines())


@pytest.mark.parametrize("options", SYSTEMS.values(), ids=SYSTEMS)
@pytest.mark.parametrize("scenario", ["steady", "leader-churn"])
def test_a_sample_is_what_a_feed_on_the_node_gets(options, scenario):
    run = {"scenario": scenario, "duration": "2min", "seed": 7, "start": "2026-01-01"}
    recording = sample(**run, **options)
    with ag.simulate(**run, **options) as feed:
        feed.join(timeout=60)
        for name in feed.topics:
            pd.testing.assert_frame_equal(recording[name].to_pandas(), feed[name].to_pandas())


@pytest.mark.parametrize("options", SYSTEMS.values(), ids=SYSTEMS)
def test_an_outage_is_a_gap_for_every_topic_with_its_beginning_where_the_feed_has_it(options):
    run = {"scenario": "outage", "duration": "3min", "seed": 7, "start": "2026-01-01"}
    gaps = sample(**run, **options).gaps.to_pandas()
    with ag.simulate(**run, **options) as feed:
        feed.join(timeout=60)
        live = feed.gaps.to_pandas()
    assert len(gaps) == len(live) > 0
    first, first_live = gaps.drop_duplicates("topic"), live.drop_duplicates("topic")
    for column in ("topic", "cause", "certainty", "start", "conn_epoch"):
        assert first[column].astype(str).tolist() == first_live[column].astype(str).tolist(), column
    assert first["end"].notna().all()


def test_the_same_arguments_give_the_same_bytes():
    assert encode(lines_of(scenario="outage")) == encode(lines_of(scenario="outage"))
    assert encode(lines_of(seed=7)) != encode(lines_of(seed=8))


def test_a_sample_knows_the_truth():
    recording = sample("leader-churn", duration="10min", seed=7)
    assert recording.truth.scenario == "leader-churn"
    assert any(incident.kind == "leader-churn" for incident in recording.truth.incidents)


def test_quiet_has_few_transactions():
    runs = (sample(name, duration="5min", seed=7) for name in ("quiet", "steady"))
    quiet, steady = (len(run.transactions.to_pandas()) for run in runs)
    assert 0 < quiet < steady / 4


@pytest.mark.parametrize(
    "options, words",
    [
        ({"protocol": "morse"}, "portal"),
        ({"duration": None}, "a sample has an end"),
        ({"scenario": "calm"}, "steady"),
        ({"shape": "round"}, "server"),
        ({"wheels": 4}, "wheels"),
    ],
)
def test_what_cannot_be_is_told_with_what_can(options, words):
    with pytest.raises(ag.BadOption, match=words):
        sample(**options)


def test_a_scenario_that_is_not_known_is_told_with_all_that_are():
    with pytest.raises(ag.BadOption, match="it can be quiet, steady"):
        sample("foo")
