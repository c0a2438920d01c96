"""The bounded list of events: newest first, numbered for ever."""

from __future__ import annotations

import pytest

from aurigraph_nb.errors import BadOption
from aurigraph_nb.state.events import Event, EventList, shown


def event(number: int) -> Event:
    return Event(type="X", severity="info", message="m", old=None, new=number, timestamp=None, recv_ns=number)


def filled(count: int, keep: int = 3) -> EventList[Event]:
    events: EventList[Event] = EventList(keep)
    for number in range(count):
        events.append(event(number))
    return events


def news(events: object) -> list[int]:
    return [e.new for e in events]  # type: ignore[attr-defined]


def test_events_are_listed_newest_first_and_the_oldest_go() -> None:
    events = filled(5)
    assert news(events) == news(events.items) == [4, 3, 2]
    assert (events.total, events.first, len(events), events.keep) == (5, 2, 3, 3)


def test_the_list_can_be_indexed_and_sliced() -> None:
    events = filled(5)
    assert events[0].new == 4
    assert events[-1].new == 2
    assert news(events[:2]) == [4, 3]


def test_since_gives_what_is_kept_in_order_of_arrival() -> None:
    events = filled(5)
    assert news(events.since(0)) == [2, 3, 4]
    assert news(events.since(3)) == [3, 4]
    assert events.since(5) == []
    assert events.since(99) == []


def test_clear_forgets_the_events_and_keeps_the_numbers() -> None:
    events = filled(5)
    before = events.version
    events.clear()
    assert list(events) == []
    assert (events.total, events.first) == (5, 5)
    assert events.version > before
    events.append(event(5))
    assert news(events.since(0)) == [5]
    assert events.first == 5


def test_the_version_grows_with_every_event() -> None:
    assert filled(5).version > filled(4).version


def test_a_list_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(BadOption, match="keep=0"):
        EventList(0)


def test_the_repr_tells_how_many_and_the_newest() -> None:
    assert repr(EventList(3)) == "<EventList: 0 events kept>"
    assert repr(filled(1)).startswith("<EventList: 1 event kept, the newest: ")
    assert repr(filled(5)) == f"<EventList: 3 events kept, the newest: {filled(5)[0].message}>"


@pytest.mark.parametrize(
    "value, text",
    [(None, "None"), (1e12, "1000000000000"), (99.9, "99.9"), (7, "7"), ("<b>", "<b>"), ("x" * 200, "x" * 79 + "…")],
)
def test_values_read_well_in_a_message(value: object, text: str) -> None:
    assert shown(value) == text  # type: ignore[arg-type]
