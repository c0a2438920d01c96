"""Whether a topic is the present, by its feed's status and its gaps."""

import pytest

from aurigraph_nb.gaps import Cause, Certainty, Gap
from aurigraph_nb.widgets.freshness import FRESH, Freshness, freshness

from .doubles import START_NS, a_status, a_topic_status

NEWEST_MS = START_NS / 1e6


def a_gap(cause, end_ns=None, start_ns=START_NS + 1_000_000_000):
    return Gap("metrics", cause, Certainty.UNKNOWN, start_ns, end_ns)


def stands(status, *gaps):
    return freshness(status, "metrics", NEWEST_MS, gaps)


def test_nobody_has_looked_yet():
    assert stands(None) == FRESH


def test_all_is_well():
    assert stands(a_status(topics={"metrics": a_topic_status()})) == FRESH


@pytest.mark.parametrize(
    "cause, words", [(Cause.DISCONNECT, "no connection"), (Cause.IDLE, "silent"), (Cause.SEQUENCE_HOLE, None)]
)
def test_an_open_gap_in_which_nothing_comes_is_told_with_its_begin(cause, words):
    found = stands(a_status(), a_gap(cause))
    assert found.why == words
    assert found.since_ms == (None if words is None else NEWEST_MS + 1000)


def test_a_gap_that_is_over_is_history():
    assert stands(a_status(), a_gap(Cause.DISCONNECT, END := START_NS + 5)) == FRESH and END


@pytest.mark.parametrize("state", ["RECONNECTING", "DISCONNECTED", "ERROR", "CONNECTING"])
def test_a_lost_connection_counts_from_the_newest_row(state):
    found = stands(a_status(state=state))
    assert found.stale
    assert found.since_ms == NEWEST_MS


def test_the_connection_of_another_topic_is_not_this_one():
    status = a_status(state="RECONNECTING", topics={"metrics": a_topic_status()})
    assert stands(status) == FRESH


def test_a_silent_periodic_topic_is_stale():
    assert stands(a_status(topics={"metrics": a_topic_status(stale=True)})).why == "silent"


def test_a_closed_feed_says_so_elsewhere_and_a_finite_one_ends():
    assert stands(a_status(state="CLOSED")) == FRESH
    assert stands(a_status(state="DISCONNECTED", ended=True)) == Freshness(ended=True)
