"""The keyed table: whoever follows its changes holds what it holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurigraph_nb.errors import BadOption
from aurigraph_nb.state.keyed import Changes, Keyed


def follow(mirror: dict[str, int], changes: Changes[str, int]) -> None:
    if changes.reset:
        mirror.clear()
    for key in changes.removed:
        del mirror[key]
    mirror.update(changes.changed)


STEPS = st.lists(
    st.tuples(st.sampled_from(["upsert", "upsert", "remove", "clear", "read"]), st.sampled_from("abcdef")), max_size=60
)


@settings(derandomize=True, deadline=None, database=None, max_examples=200)
@given(STEPS, st.integers(1, 6), st.integers(1, 4))
def test_a_reader_that_follows_the_changes_holds_the_same_rows(
    steps: list[tuple[str, str]], limit: int, removals: int
) -> None:
    rows: Keyed[str, int] = Keyed(limit, removals)
    model: dict[str, int] = {}
    mirror: dict[str, int] = {}
    seen = 0
    for number, (step, key) in enumerate([*steps, ("read", "a")]):
        before = rows.version
        if step == "upsert":
            rows.upsert(key, number)
            model[key] = number
            if len(model) > limit:
                del model[next(iter(model))]
        elif step == "remove":
            rows.remove(key)
            model.pop(key, None)
        elif step == "clear":
            rows.clear()
            model.clear()
        else:
            changes = rows.changed_since(seen)
            follow(mirror, changes)
            seen = changes.version
            assert mirror == model
            assert rows.changed_since(seen) == Changes(seen, [], [], False)
        assert list(rows.items()) == list(model.items())
        assert list(reversed(rows)) == list(reversed(model))
        assert rows.version >= before


def test_changes_come_in_order_of_insertion_and_each_key_once() -> None:
    rows: Keyed[str, int] = Keyed()
    for key, value in (("a", 1), ("b", 2), ("c", 3)):
        rows.upsert(key, value)
    version = rows.version
    for key, value in (("c", 4), ("a", 5), ("c", 6)):
        rows.upsert(key, value)
    assert rows.changed_since(version).changed == [("a", 5), ("c", 6)]
    assert rows.changed_since(0).changed == [("a", 5), ("b", 2), ("c", 6)]


def test_removed_keys_are_told_once_and_in_order_unless_they_came_back() -> None:
    rows: Keyed[str, int] = Keyed()
    for key in "abc":
        rows.upsert(key, 0)
    version = rows.version
    for key in "bab":
        rows.remove(key)
        if key == "a":
            rows.upsert("b", 1)
    rows.remove("c")
    rows.upsert("c", 2)
    assert rows.changed_since(version) == Changes(rows.version, [("c", 2)], ["b", "a"], False)


def test_a_row_that_came_and_went_between_two_looks_is_not_told() -> None:
    rows: Keyed[str, int] = Keyed()
    rows.upsert("a", 1)
    version = rows.version
    rows.upsert("b", 2)
    rows.remove("b")
    assert rows.changed_since(version) == Changes(rows.version, [], [], False)


def test_a_reader_too_far_behind_has_to_take_everything() -> None:
    rows: Keyed[str, int] = Keyed(removals=2)
    for key in "abcd":
        rows.upsert(key, 0)
    version = rows.version
    for key in "abc":
        rows.remove(key)
    assert rows.changed_since(version) == Changes(rows.version, [("d", 0)], [], True)
    assert rows.changed_since(version + 1).removed == ["b", "c"]


def test_a_version_from_elsewhere_is_a_reset() -> None:
    rows: Keyed[str, int] = Keyed()
    rows.upsert("a", 1)
    assert rows.changed_since(99) == Changes(1, [("a", 1)], [], True)


def test_the_oldest_rows_go_when_the_limit_is_exceeded_and_are_counted() -> None:
    rows: Keyed[str, int] = Keyed(limit=2)
    for key in "abac":
        rows.upsert(key, 0)
    assert list(rows) == ["b", "c"]
    assert rows.evicted == 1


def test_it_reads_like_a_mapping() -> None:
    rows: Keyed[str, int] = Keyed()
    rows.upsert("a", 1)
    assert rows == {"a": 1}
    assert rows["a"] == 1
    assert rows.get("b") is None
    assert "a" in rows
    assert len(rows) == 1
    with pytest.raises(KeyError):
        rows["b"]
    assert repr(rows) == "<Keyed: 1 row: a>"


def test_its_repr_names_the_first_rows_in_bounds() -> None:
    rows: Keyed[str, int] = Keyed()
    assert repr(rows) == "<Keyed: 0 rows>"
    for number in range(1_234):
        rows.upsert(f"{number}\x1b[2J\u202e" + "x" * 1_000, number)
    assert repr(rows).startswith("<Keyed: 1,234 rows: 0 [2Jxxx") and repr(rows).endswith("…, …>")
    assert len(repr(rows)) < 300 and repr(rows).isprintable()


@pytest.mark.parametrize("option", ["limit", "removals"])
def test_a_bound_below_one_is_refused_by_name(option: str) -> None:
    with pytest.raises(BadOption, match=f"{option}=0"):
        Keyed(**{option: 0})
