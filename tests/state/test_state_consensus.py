"""Consensus: the events that two successive records make, in their order, with their thresholds."""

from __future__ import annotations

from typing import Any

import pytest

from aurigraph_nb.schema import Consensus
from aurigraph_nb.state import ConsensusState


def consensus(n: int, **fields: Any) -> Consensus:
    return Consensus(recv_ns=n, timestamp=n + 5, conn_epoch=1, n=n, **fields)


def state_of(*records: Consensus) -> ConsensusState:
    state = ConsensusState()
    for record in records:
        state.apply(record)
    return state


def kinds(state: ConsensusState) -> list[str]:
    return [event.type for event in reversed(state.events)]


FULL = {"leader": "v1", "state": "COMMITTED", "epoch": 4, "round": 9, "performance_percent": 90.0}


def test_there_is_nothing_before_the_first_record() -> None:
    assert (state_of().current, len(state_of().events)) == (None, 0)


def test_the_first_record_gives_no_event() -> None:
    state = state_of(consensus(0, **FULL))
    assert state.current == consensus(0, **FULL)
    assert len(state.events) == 0


def test_four_changes_in_one_frame_give_four_events_in_the_documented_order() -> None:
    new = {"performance_percent": 70.0, "epoch": 5, "state": "PROPOSING", "leader": "v2", "round": 1}
    state = state_of(consensus(0, **FULL), consensus(1, **new))
    assert kinds(state) == ["LEADER_CHANGE", "STATE_CHANGE", "EPOCH_CHANGE", "PERFORMANCE_UPDATE"]
    assert [(e.old, e.new) for e in reversed(state.events)] == [
        ("v1", "v2"),
        ("COMMITTED", "PROPOSING"),
        (4, 5),
        (90.0, 70.0),
    ]
    assert [e.message for e in reversed(state.events)] == [
        "Leader v1 → v2",
        "State COMMITTED → PROPOSING",
        "Epoch 4 → 5",
        "Performance percent 90 → 70",
    ]
    assert {(e.timestamp, e.recv_ns, e.epoch, e.round) for e in state.events} == {(6, 1, 5, 1)}


def test_unchanged_values_and_a_new_round_give_no_event() -> None:
    assert kinds(state_of(consensus(0, **FULL), consensus(1, **FULL | {"round": 10, "term": 3}))) == []


def test_a_null_leader_shows_as_none() -> None:
    state = state_of(consensus(0, **FULL), consensus(1, **FULL | {"leader": None}), consensus(2, **FULL))
    assert [e.message for e in reversed(state.events)] == ["Leader v1 → None", "Leader None → v1"]
    assert [e.severity for e in reversed(state.events)] == ["warning", "info"]
    lost = state_of(consensus(0, **FULL), consensus(1, **FULL | {"leader": None})).current
    assert lost is not None
    assert lost.leader is None


@pytest.mark.parametrize(
    "old, new, told",
    [
        (90.0, 85.0, False),
        (85.0, 90.0, False),
        (90.0, 84.999, True),
        (84.0, 89.001, True),
        (0.57 * 100, 0.62 * 100, False),
        (0.29 * 100, 0.34 * 100, False),
        (90.0, None, False),
        (None, 90.0, False),
        (0.0, 100.0, True),
    ],
)
def test_the_performance_has_to_move_by_more_than_five_points(old: float | None, new: float | None, told: bool) -> None:
    state = state_of(consensus(0, performance_percent=old), consensus(1, performance_percent=new))
    assert kinds(state) == (["PERFORMANCE_UPDATE"] if told else [])


def test_small_steps_are_measured_from_one_record_to_the_next() -> None:
    assert kinds(state_of(*(consensus(n, performance_percent=90.0 - 4 * n) for n in range(5)))) == []


def test_a_fall_of_the_performance_is_a_warning_and_a_rise_is_not() -> None:
    state = state_of(*(consensus(n, performance_percent=p) for n, p in enumerate((90.0, 70.0, 95.0))))
    assert [e.severity for e in reversed(state.events)] == ["warning", "info"]


def test_a_partial_frame_keeps_what_it_does_not_tell() -> None:
    state = state_of(consensus(0, **FULL), consensus(1, leader="v1", round=10))
    assert kinds(state) == []
    assert state.current == consensus(1, **FULL | {"round": 10})


def test_a_value_is_compared_with_the_last_one_told() -> None:
    state = state_of(consensus(0, **FULL), consensus(1, leader="v1"), consensus(2, leader="v1", epoch=5))
    assert [(e.type, e.old, e.new) for e in state.events] == [("EPOCH_CHANGE", 4, 5)]


def test_the_first_sight_of_a_state_or_epoch_gives_no_event() -> None:
    assert kinds(state_of(consensus(0, leader="v1"), consensus(1, **FULL))) == []


def test_fifty_events_are_kept_newest_first() -> None:
    state = state_of(*(consensus(n, epoch=n) for n in range(61)))
    assert [e.new for e in state.events] == list(range(60, 10, -1))
    assert state.events.total == 60


def test_the_number_of_events_kept_can_be_chosen() -> None:
    state = ConsensusState(keep=1)
    for n in range(4):
        state.apply(consensus(n, epoch=n))
    assert [e.new for e in state.events] == [3]


def test_the_version_grows_with_every_record() -> None:
    state = ConsensusState()
    versions = [state.version]
    for n in range(3):
        state.apply(consensus(n, epoch=n // 2))
        versions.append(state.version)
    assert versions == sorted(set(versions))


def test_text_of_the_feed_stays_text_and_is_cut() -> None:
    state = state_of(consensus(0, leader="<img src=x onerror=y>"), consensus(1, leader="v" * 500))
    assert state.events[0].message == "Leader <img src=x onerror=y> → " + "v" * 79 + "…"
    assert state.events[0].new == "v" * 500
