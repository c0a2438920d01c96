"""Validators: one row an id, updates in their order, and how complete the picture is."""

from __future__ import annotations

from typing import Any

import pytest

from aurigraph_nb.schema import Validator, arrow_schema
from aurigraph_nb.state import VIEWS, ValidatorsState

NS = 1_000_000_000


def validator(n: int, **fields: Any) -> Validator:
    return Validator(recv_ns=n * NS, timestamp=n * NS + 5, conn_epoch=1, n=n, **{"id": "v1", **fields})


def state_of(*records: Validator) -> ValidatorsState:
    state = ValidatorsState()
    for record in records:
        state.apply(record)
    return state


def changes(state: ValidatorsState) -> list[tuple[str, str, object, object]]:
    return [(u.validator, u.field, u.old, u.new) for u in reversed(state.updates)]


FULL = {"status": "ACTIVE", "voting_power": 10.0, "uptime_percent": 99.0, "last_block_proposed": 7}


def test_validators_are_keyed_by_id_and_the_last_row_stands() -> None:
    state = state_of(validator(0, **FULL), validator(1, id="v2"), validator(2, **FULL | {"voting_power": 11.0}))
    assert list(state.current) == ["v1", "v2"]
    assert state.current["v1"] == validator(2, **FULL | {"voting_power": 11.0})
    assert state.seen == 2


def test_the_first_sight_of_a_validator_gives_no_update() -> None:
    assert len(state_of(validator(0, **FULL), validator(1, id="v2", **FULL)).updates) == 0


def test_four_changes_in_one_frame_give_four_updates_in_the_documented_order() -> None:
    new = {"last_block_proposed": 8, "uptime_percent": 98.0, "voting_power": 11.0, "status": "JAILED"}
    state = state_of(validator(0, **FULL), validator(1, **new))
    assert changes(state) == [
        ("v1", "status", "ACTIVE", "JAILED"),
        ("v1", "voting_power", 10.0, 11.0),
        ("v1", "uptime_percent", 99.0, 98.0),
        ("v1", "last_block_proposed", 7, 8),
    ]


def test_an_update_says_who_what_when_and_from_what_to_what() -> None:
    update = state_of(validator(0, **FULL), validator(1, status="JAILED")).updates[0]
    assert (update.validator, update.field, update.old, update.new) == ("v1", "status", "ACTIVE", "JAILED")
    assert (update.timestamp, update.recv_ns) == (NS + 5, NS)
    assert (update.type, update.severity) == ("STATUS_CHANGE", "warning")
    assert update.message == "v1: status ACTIVE → JAILED"


@pytest.mark.parametrize(
    "field, old, new, kind, severity, message",
    [
        ("status", "ACTIVE", "INACTIVE", "STATUS_CHANGE", "warning", "v1: status ACTIVE → INACTIVE"),
        ("status", "ACTIVE", "OFFLINE", "STATUS_CHANGE", "warning", "v1: status ACTIVE → OFFLINE"),
        ("status", "JAILED", "ACTIVE", "STATUS_CHANGE", "info", "v1: status JAILED → ACTIVE"),
        ("status", "ACTIVE", "UNBONDING", "STATUS_CHANGE", "info", "v1: status ACTIVE → UNBONDING"),
        ("voting_power", 1e9, 2e9, "VOTING_POWER_CHANGE", "info", "v1: voting power 1000000000 → 2000000000"),
        ("uptime_percent", 99.5, 99.25, "UPTIME_CHANGE", "info", "v1: uptime percent 99.5 → 99.25"),
        ("last_block_proposed", 7, 9, "BLOCK_PROPOSED", "info", "v1: last block proposed 7 → 9"),
    ],
)
def test_each_update_has_a_type_a_severity_and_a_plain_sentence(
    field: str, old: object, new: object, kind: str, severity: str, message: str
) -> None:
    update = state_of(validator(0, **{field: old}), validator(1, **{field: new})).updates[0]
    assert (update.type, update.severity, update.message) == (kind, severity, message)


def test_other_columns_change_without_an_update() -> None:
    state = state_of(validator(0, name="a", delegators=1), validator(1, name="b", delegators=2))
    assert len(state.updates) == 0
    assert state.current["v1"].name == "b"


def test_the_same_values_again_give_no_update() -> None:
    assert len(state_of(validator(0, **FULL), validator(1, **FULL)).updates) == 0


def test_a_partial_frame_erases_nothing_and_gives_no_update() -> None:
    state = state_of(validator(0, name="a", **FULL), validator(1, voting_power=12.0))
    assert changes(state) == [("v1", "voting_power", 10.0, 12.0)]
    assert state.current["v1"] == validator(1, name="a", **FULL | {"voting_power": 12.0})


def test_the_first_sight_of_a_column_gives_no_update() -> None:
    state = state_of(validator(0, status="ACTIVE"), validator(1, voting_power=5.0), validator(2, voting_power=6.0))
    assert changes(state) == [("v1", "voting_power", 5.0, 6.0)]


def test_times_and_extra_are_those_of_the_newest_frame() -> None:
    old = validator(0, extra='{"a":1}', **FULL)
    new = Validator(recv_ns=9, conn_epoch=2, n=4, gap_before=True, id="v1")
    row = state_of(old, new).current["v1"]
    assert (row.timestamp, row.recv_ns, row.conn_epoch, row.n, row.gap_before, row.extra) == (None, 9, 2, 4, True, None)
    assert row.status == "ACTIVE"


def test_fifty_updates_are_kept_newest_first() -> None:
    state = state_of(*(validator(n, last_block_proposed=n) for n in range(61)))
    assert [u.new for u in state.updates] == list(range(60, 10, -1))
    assert state.updates.total == 60


def test_the_number_of_updates_kept_can_be_chosen() -> None:
    state = ValidatorsState(keep=2)
    for n in range(5):
        state.apply(validator(n, last_block_proposed=n))
    assert [u.new for u in state.updates] == [4, 3]


def test_a_record_without_an_id_is_counted_and_in_no_row() -> None:
    state = ValidatorsState()
    before = state.version
    state.apply(validator(0, id=None, **FULL))
    assert (len(state.current), state.unkeyed, state.seen) == (0, 1, 0)
    assert state.version > before


def test_how_many_exist_is_unknown_until_somebody_says_it() -> None:
    assert state_of(validator(0)).expected is None


def test_the_total_of_the_consensus_says_how_many_exist() -> None:
    state = state_of(validator(0))
    state.expect(20, 18)
    assert (state.seen, state.expected) == (1, 20)
    state.expect(None, 19)
    assert state.expected == 20
    state.expect(21)
    assert state.expected == 21


def test_without_a_total_the_active_ones_are_known_to_exist() -> None:
    state = state_of(validator(0), validator(1, id="v2"), validator(2, id="v3"))
    state.expect(None, 2)
    assert state.expected == 3
    state.expect(None, 18)
    assert state.expected == 18
    state.expect(None, None)
    assert state.expected == 18


def test_the_version_grows_with_every_change() -> None:
    state = ValidatorsState()
    versions = [state.version]
    for step in (
        lambda: state.apply(validator(0, **FULL)),
        lambda: state.apply(validator(1, status="JAILED")),
        lambda: state.expect(20),
        lambda: state.updates.clear(),
    ):
        step()
        versions.append(state.version)
    assert versions == sorted(set(versions))
    state.expect(20)
    assert state.version == versions[-1]


def test_the_current_rows_make_a_table_with_the_topics_schema() -> None:
    table = state_of(validator(0, total_staked=10**37, **FULL), validator(1, id="v2")).table()
    assert table.schema == arrow_schema(Validator)
    assert table.column("id").to_pylist() == ["v1", "v2"]
    assert ValidatorsState().table().schema == arrow_schema(Validator)


def test_a_value_that_fits_no_column_does_not_spoil_the_table() -> None:
    table = state_of(validator(0, name="\ud800", total_staked=10**38)).table()
    assert table.column("name").to_pylist() == [None]
    assert table.column("extra").to_pylist() == ['{"name": "\\ud800", "total_staked": 1' + "0" * 38 + "}"]


def test_the_number_of_rows_is_bounded() -> None:
    state = ValidatorsState(limit=3)
    for n in range(10):
        state.apply(validator(n, id=f"v{n}"))
    assert list(state.current) == ["v7", "v8", "v9"]
    assert state.current.evicted == 7


def test_each_topic_that_has_a_state_names_it() -> None:
    assert {kind.__name__: view.__name__ for kind, view in VIEWS.items()} == {
        "Transaction": "TransactionsState",
        "Validator": "ValidatorsState",
        "Consensus": "ConsensusState",
        "Peer": "NetworkState",
        "UserSession": "SessionsState",
        "ModelMetrics": "ModelsState",
        "RateLimit": "RateLimitsState",
        "EndpointThroughput": "ThroughputState",
        "EndpointLatency": "LatencyState",
        "InferenceRequest": "RequestsState",
        "InferenceError": "ErrorsState",
        "SystemMetrics": "SystemState",
    }
    assert all(view().version == 0 for view in VIEWS.values())


def test_validators_that_are_not_active_exist_beside_the_active_ones() -> None:
    state = state_of(*(validator(n, id=f"v{n}", status=s) for n, s in enumerate(["ACTIVE", "JAILED", "INACTIVE"])))
    state.expect(None, 18)
    assert state.expected == 20
