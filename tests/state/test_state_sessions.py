"""Sessions: new and update set a row, terminate ends it; marks last two seconds; longest session first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.schema import UserSession, arrow_schema
from aurigraph_nb.state import VIEWS, SessionsState
from aurigraph_nb.state.sessions import ENDED_KEPT

S = 1_000_000_000


def session(second: float, action: str | None, session_id: str | None = "a", **fields: Any) -> UserSession:
    ns = round(second * S)
    return UserSession(recv_ns=ns, conn_epoch=1, n=0, action=action, session_id=session_id, **fields)


def state_of(*records: UserSession) -> SessionsState:
    state = SessionsState()
    for record in records:
        state.apply(record)
    return state


def ended(state: SessionsState, second: float) -> list[str | None]:
    return [row.session_id for row in state.ended_since(round(second * S))]


def test_it_is_the_view_of_the_sessions_topic() -> None:
    assert VIEWS[UserSession] is SessionsState


@pytest.mark.parametrize("action", ["new", "update", None])
def test_new_and_update_set_the_row_of_a_session(action: str | None) -> None:
    record = session(1, action, username="ann", upload_bytes=5)
    state = state_of(record)
    assert dict(state.current) == {"a": record}


def test_an_update_completes_what_it_leaves_out() -> None:
    state = state_of(session(1, "new", username="ann", upload_bytes=5), session(2, "update", upload_bytes=9))
    assert state.current["a"] == session(2, "update", username="ann", upload_bytes=9)


def test_terminate_removes_the_row() -> None:
    state = state_of(session(1, "new"), session(1, "new", "b"), session(2, "terminate"))
    assert list(state.current) == ["b"]


def test_an_ended_session_is_remembered_for_exactly_two_seconds_with_its_last_figures() -> None:
    state = state_of(session(1, "new", username="ann"), session(5, "terminate", upload_bytes=7))
    assert state.ended_since(5 * S) == (session(5, "terminate", username="ann", upload_bytes=7),)
    assert len(state.ended_since(7 * S - 1)) == 1
    assert state.ended_since(7 * S) == ()


def test_the_end_of_an_unknown_session_changes_nothing() -> None:
    state = state_of(session(1, "terminate"))
    assert (ended(state, 1), state.version) == ([], 0)


def test_ended_sessions_come_in_the_order_of_their_ends() -> None:
    records = [session(0, "new", key) for key in "abc"] + [session(1, "terminate", key) for key in "cab"]
    assert ended(state_of(*records), 1) == ["c", "a", "b"]


def test_a_session_that_comes_back_is_open_and_no_longer_ended() -> None:
    state = state_of(session(1, "new", upload_bytes=5), session(2, "terminate"), session(3, "new"))
    assert ended(state, 3) == []
    assert state.current["a"] == session(3, "new")
    assert not state.is_changed(state.current["a"], 3 * S)


def test_a_changed_session_is_marked_for_exactly_two_seconds() -> None:
    state = state_of(session(1, "new", upload_bytes=5), session(4, "update", upload_bytes=6))
    row = state.current["a"]
    assert state.is_changed(row, 4 * S)
    assert state.is_changed(row, 6 * S - 1)
    assert not state.is_changed(row, 6 * S)


@pytest.mark.parametrize("fields", [{}, {"upload_bytes": 5}, {"upload_bytes": None}], ids=["empty", "same", "null"])
def test_an_update_that_changes_nothing_marks_nothing(fields: dict[str, Any]) -> None:
    state = state_of(session(1, "new", upload_bytes=5), session(2, "update", **fields))
    assert not state.is_changed(state.current["a"], 2 * S)


def test_the_first_sight_of_a_session_is_no_change() -> None:
    state = state_of(session(1, "new"))
    assert not state.is_changed(state.current["a"], 1 * S)
    assert not state.is_changed(session(1, "new", None), 1 * S)
    assert not state.is_changed(session(1, "new", "other"), 1 * S)


def test_another_change_prolongs_the_mark() -> None:
    state = state_of(*(session(n, "update", upload_bytes=n) for n in range(3)))
    assert state.is_changed(state.current["a"], 4 * S - 1)


def test_the_longest_session_comes_first_and_unknown_times_last() -> None:
    times = {"a": 5.0, "b": None, "c": 90.0, "d": 5.0, "e": float("nan"), "f": 0.0}
    state = state_of(*(session(1, "new", key, session_time_s=time) for key, time in times.items()))
    assert [row.session_id for row in state.by_time()] == ["c", "a", "d", "f", "b", "e"]


def test_the_rows_make_a_table_with_the_topics_schema_longest_first() -> None:
    state = state_of(session(1, "new", "a", session_time_s=1.0), session(1, "new", "b", session_time_s=2.0))
    assert state.table().schema == arrow_schema(UserSession)
    assert state.table().column("session_id").to_pylist() == ["b", "a"]
    assert SessionsState().table().num_rows == 0


def test_what_cannot_be_placed_is_counted() -> None:
    state = state_of(session(1, "new", None), session(1, "<script>", "x"), session(1, "terminate", None))
    assert (state.unkeyed, state.unknown, len(state.current)) == (2, 1, 0)
    assert state.version == 3


def test_readers_can_follow_the_rows_by_their_changes() -> None:
    state = state_of(session(1, "new"), session(1, "new", "b"))
    version = state.current.version
    state.apply(session(2, "terminate"))
    state.apply(session(2, "update", "b"))
    changes = state.current.changed_since(version)
    assert ([key for key, _ in changes.changed], changes.removed) == (["b"], ["a"])


def test_open_sessions_are_bounded_and_so_are_their_marks() -> None:
    state = SessionsState(limit=2)
    for n in range(20):
        state.apply(session(1, "new", f"s{n}"))
        state.apply(session(1, "update", f"s{n}", upload_bytes=n))
    assert list(state.current) == ["s18", "s19"]
    assert not state.is_changed(session(1, None, "s0"), S)


def test_a_flood_of_ends_is_remembered_up_to_a_bound() -> None:
    state = SessionsState()
    for n in range(ENDED_KEPT + 5):
        state.apply(session(1, "new", f"s{n}"))
        state.apply(session(1, "terminate", f"s{n}"))
    assert len(state.ended_since(S)) == ENDED_KEPT
    assert ended(state, 1)[0] == "s5"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["new", "update", "terminate"]), st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 2)
    ),
    max_size=50,
)


@given(STEPS)
def test_in_any_order_of_events_rows_and_marks_are_what_the_events_say(steps: list[tuple[str, str, int, int]]) -> None:
    state, now = SessionsState(), 0
    rows: dict[str, int] = {}
    changed: dict[str, int] = {}
    gone: dict[str, int] = {}
    for action, key, pause, value in steps:
        now += pause
        before = state.version
        state.apply(session(now, action, key, upload_bytes=value))
        if action == "terminate":
            if rows.pop(key, None) is not None:
                gone[key] = now
                assert state.version > before
            changed.pop(key, None)
        else:
            if key in rows and rows[key] != value:
                changed[key] = now
            rows[key] = value
            gone.pop(key, None)
            assert state.version > before
        assert {k: row.upload_bytes for k, row in state.current.items()} == rows
        assert {k for k in rows if state.is_changed(state.current[k], now * S)} == {
            k for k, at in changed.items() if now - at < 2
        }
        assert set(ended(state, now)) == {k for k, at in gone.items() if now - at < 2}
        assert not set(ended(state, now)) & set(rows)
