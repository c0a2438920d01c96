"""Logs: events as they come, numbered, and never too many."""

import pytest

from aurigraph_nb import widgets
from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.state import ConsensusState

from .doubles import START_NS


def leaders(feed, *names):
    for name in names:
        feed["consensus"].put(leader=name)


def test_a_snapshot_carries_the_events_kept_in_order(desk, feed):
    leaders(feed, "a", "b", "c")
    message = desk.open(widgets.ConsensusLog(feed)).one()
    assert [(e[0], e[2], e[4]) for e in message["events"]] == [
        (0, "LEADER_CHANGE", "Leader a → b"),
        (1, "LEADER_CHANGE", "Leader b → c"),
    ]
    assert message["events"][0][1] == START_NS / 1e6 + 1000
    assert message["total"] == 2


def test_a_new_event_travels_alone(desk, feed):
    leaders(feed, "a", "b")
    page = desk.open(widgets.ConsensusLog(feed))
    page.take()
    leaders(feed, "c")
    message = page.one()
    assert [e[0] for e in message["events"]] == [1]
    assert "reset" not in message


def test_events_that_nobody_could_read_are_counted_as_dropped(desk, feed):
    log = widgets.ConsensusLog(feed)
    page = desk.open(log)
    page.take()
    leaders(feed, *[f"v{i}" for i in range(81)])
    message = page.one()
    assert [message["events"][i][0] for i in (0, -1)] == [30, 79]
    assert log.flow.dropped == 30


def test_a_cleared_list_is_emptied(desk, feed):
    leaders(feed, "a", "b")
    page = desk.open(widgets.ConsensusLog(feed))
    page.take()
    feed["consensus"].state.events.clear()
    message = page.one()
    assert (message["events"], message["reset"], message["total"]) == ([], True, 1)


def test_peers_that_come_and_go_stand_in_the_network_log(desk, feed):
    feed["network"].put(peer_id="p1", status="CONNECTED")
    feed["network"].put(peer_id="p1", status="DISCONNECTED")
    events = desk.open(widgets.NetworkLog(feed)).one()["events"]
    assert [(e[2], e[3]) for e in events] == [("PEER_CONNECTED", "info"), ("PEER_DISCONNECTED", "warning")]


def test_what_was_cleared_goes_even_if_something_came_at_once(desk, feed):
    leaders(feed, "a", "b", "c")
    page = desk.open(widgets.EventLog(feed["consensus"]))
    page.one()
    feed["consensus"].state.events.clear()
    leaders(feed, "d")
    message = page.one()
    assert message["reset"] and [e[0] for e in message["events"]] == [2]
    leaders(feed, "e")
    message = page.one()
    assert "reset" not in message and [e[0] for e in message["events"]] == [3]


def test_updates_of_validators_stand_in_the_validator_log(desk, feed):
    feed["validators"].put(id="v1", status="ACTIVE")
    feed["validators"].put(id="v1", status="JAILED")
    assert desk.open(widgets.ValidatorLog(feed)).one()["events"][0][4] == "v1: status ACTIVE → JAILED"


def test_an_event_log_takes_a_topic_or_a_state(desk, feed):
    leaders(feed, "a", "b")
    of_topic = widgets.EventLog(feed["consensus"])
    assert of_topic.comm.state["_setup"] == {"title": "Consensus events", "height": 240, "keep": 50}
    of_state = widgets.EventLog(feed["consensus"].state, title="What happened")
    assert repr(of_state) == "EventLog(state)"
    assert desk.open(of_state).one()["events"] == desk.open(of_topic).one()["events"]


def test_a_state_by_itself_gives_its_name_to_the_log(desk):
    assert widgets.EventLog(ConsensusState()).comm.state["_setup"]["title"] == "Consensus events"


def test_a_topic_without_events_is_refused(desk, feed):
    with pytest.raises(BadOptionType, match="'metrics' has no events; consensus, network and validators have"):
        widgets.EventLog(feed["metrics"])
    with pytest.raises(BadOptionType, match="'transactions' has no events"):
        widgets.EventLog(feed["transactions"])


def test_something_without_events_is_refused(desk):
    with pytest.raises(BadOptionType, match=r"needs a topic with events such as feed\.consensus, not list"):
        widgets.EventLog([])


def test_a_log_keeps_as_many_events_as_it_was_told_and_so_does_the_state(desk, feed):
    log = widgets.ConsensusLog(feed, keep=80)
    assert (log.comm.state["_setup"]["keep"], feed["consensus"].state.events.keep) == (80, 80)
    leaders(feed, *[f"v{i}" for i in range(91)])
    assert [e[0] for e in desk.open(log).one()["events"]] == list(range(10, 90))


def test_a_log_that_keeps_less_than_the_state_leaves_the_state_alone(desk, feed):
    leaders(feed, *[f"v{i}" for i in range(31)])
    log = widgets.EventLog(feed["consensus"], keep=10)
    assert feed["consensus"].state.events.keep == 50
    assert [e[0] for e in desk.open(log).one()["events"]] == list(range(20, 30))


@pytest.mark.parametrize(
    "keep, error", [(0, BadOption), (5001, BadOption), ("9", BadOptionType), (True, BadOptionType)]
)
def test_a_retention_out_of_bounds_is_refused(desk, feed, keep, error):
    with pytest.raises(error, match="expected a whole number of events from 1 to 5,000"):
        widgets.NetworkLog(feed, keep=keep)


def test_a_value_that_there_was_not_is_a_dash(desk, feed):
    consensus = feed["consensus"]
    for leader in ("v1", None, "None"):
        consensus.put(leader=leader, epoch=1)
    messages = [entry[4] for entry in desk.open(widgets.ConsensusLog(feed)).one()["events"]]
    assert messages == ["Leader v1 → —", "Leader — → None"], "one that is called None keeps its name"
