"""Events over a chart."""

import pytest

from aurigraph_nb import widgets
from aurigraph_nb.errors import BadOption, BadOptionType, UnknownTopic
from aurigraph_nb.widgets.annotations import MAX_MARKS

from .doubles import START_NS, FakeFeed


def elect(feed, *leaders, **fields):
    for leader in leaders:
        feed["consensus"].put(leader=leader, **fields)


def marks_in(messages):
    return [mark for content, _ in messages for mark in content.get("marks", [])]


def test_leader_changes_are_marked_over_throughput_and_nothing_else(desk, feed):
    elect(feed, "a", epoch=1)
    elect(feed, "b", epoch=2)
    page = desk.open(widgets.TPSChart(feed, events=True))
    assert marks_in(page.take()) == [[START_NS / 1e6 + 1000, "LEADER_CHANGE", "Leader a → b"]]
    elect(feed, "c", epoch=2)
    (content, _), *_ = page.take()
    assert [mark[2] for mark in content["marks"]] == ["Leader b → c"]
    assert content["count"] == 0


def test_other_types_and_all_of_them_can_be_asked_for(desk, feed):
    elect(feed, "a", epoch=1)
    elect(feed, "b", epoch=2)
    metrics, consensus = feed["metrics"], feed["consensus"]
    chosen = desk.open(widgets.TPSChart(feed, events="EPOCH_CHANGE")).take()
    every = desk.open(widgets.LiveChart(metrics, annotations=consensus), "page-2").take()
    some = desk.open(widgets.LiveChart(metrics, annotations=consensus, events=["EPOCH_CHANGE"]), "page-3").take()
    assert [[mark[1] for mark in marks_in(found)] for found in (chosen, every, some)] == [
        ["EPOCH_CHANGE"],
        ["LEADER_CHANGE", "EPOCH_CHANGE"],
        ["EPOCH_CHANGE"],
    ]


def test_frequent_events_of_another_type_do_not_push_the_marked_ones_out(desk, feed):
    chart = widgets.TPSChart(feed, events=True)
    page = desk.open(chart)
    elect(feed, "a", "b")
    page.take()
    for epoch in range(400):
        feed["consensus"].put(leader="b", epoch=epoch)
    page.take()
    again = desk.open(chart, "page-2").take()[-1:]
    assert [mark[2] for mark in marks_in(again)] == ["Leader a → b"]


def test_marks_are_bounded_and_their_words_too(desk, feed):
    chart = widgets.TPSChart(feed, events=True)
    page = desk.open(chart)
    for i in range(3 * MAX_MARKS):
        elect(feed, f"{i}<img src=x onerror=alert(1)>" + "x" * 5000)
        if i % 20 == 0:
            page.take()
    assert len(chart._marks.all()) == MAX_MARKS
    assert all(len(mark[2]) <= 160 for mark in chart._marks.all())


def test_the_topic_of_the_events_is_opened_too(desk, feed):
    widgets.TPSChart(feed, events=True)
    assert feed["consensus"].opened == 1


@pytest.mark.parametrize(
    "options, kind, words",
    [
        ({"annotations": "consensus"}, BadOptionType, "annotations: 'str' has no events"),
        ({"events": "LEADER_CHANGE"}, BadOption, "without annotations"),
    ],
)
def test_bad_annotations_are_refused(desk, feed, options, kind, words):
    with pytest.raises(kind, match=words):
        widgets.LiveChart(feed["metrics"], **options)


@pytest.mark.parametrize(
    "events, kind, words",
    [([], BadOption, "at least one type"), (5, BadOptionType, "a type of event"), ([5], BadOptionType, "a type")],
)
def test_bad_types_of_events_are_refused(desk, feed, events, kind, words):
    with pytest.raises(kind, match=words):
        widgets.TPSChart(feed, events=events)


def test_a_topic_without_events_or_without_a_feed_or_a_feed_without_consensus_is_refused(desk, feed):
    with pytest.raises(BadOptionType, match="'metrics' has no events"):
        widgets.LiveChart(feed["metrics"], annotations=feed["metrics"])
    feed["metrics"].feed = None
    with pytest.raises(BadOption, match="belongs to no feed"):
        widgets.TPSChart(feed["metrics"], events=True)
    with pytest.raises(UnknownTopic):
        widgets.TPSChart(FakeFeed("live"), events=True)
