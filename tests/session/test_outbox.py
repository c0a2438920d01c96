"""The queue of outgoing messages: in order, bounded, the new one refused when full, every message accounted for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.session import PRESETS, SEND_QUEUES, Outbox


def filled(limit: int, count: int) -> tuple[Outbox[int], list[str]]:
    box: Outbox[int] = Outbox(limit)
    return box, [box.offer(n, connected=False) for n in range(count)]


def test_with_a_connection_a_message_goes_out() -> None:
    box: Outbox[str] = Outbox(0)
    assert box.offer("hello", connected=True) == "sent"
    assert (box.sent, box.queued, box.dropped) == (1, 0, 0)


def test_without_a_connection_a_queue_keeps_messages_in_order() -> None:
    box, told = filled(5, 3)
    assert told == ["queued"] * 3
    assert box.drain() == [0, 1, 2]
    assert (box.sent, box.queued, box.dropped) == (3, 0, 0)


def test_what_was_drained_is_not_drained_again() -> None:
    box, _ = filled(5, 3)
    box.drain()
    assert box.drain() == []


def test_a_hundred_wait_and_the_next_is_dropped_and_counted_and_told() -> None:
    box, told = filled(SEND_QUEUES["fakeai"], 103)
    assert told == ["queued"] * 100 + ["dropped"] * 3
    assert (box.queued, box.dropped) == (100, 3)
    assert box.drain() == list(range(100))


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"fakeai"}))
def test_the_other_systems_have_no_queue(name: str) -> None:
    box, told = filled(SEND_QUEUES.get(name, 0), 2)
    assert told == ["dropped", "dropped"]
    assert box.drain() == []


def test_nothing_overtakes_what_still_waits() -> None:
    box, _ = filled(3, 2)
    assert box.offer(2, connected=True) == "queued"
    assert box.offer(3, connected=True) == "dropped"
    assert box.drain() == [0, 1, 2]
    assert box.offer(4, connected=True) == "sent"


def test_messages_that_could_not_be_sent_wait_again_in_front() -> None:
    box, _ = filled(4, 3)
    drained = box.drain()
    box.offer(3, connected=False)
    assert box.put_back(drained[1:]) == 0
    assert box.drain() == [1, 2, 3]
    assert (box.sent, box.dropped) == (4, 0)


def test_too_many_put_back_push_out_the_newest() -> None:
    box, _ = filled(2, 2)
    drained = box.drain()
    box.offer(2, connected=False)
    assert box.put_back(drained) == 1
    assert (box.sent, box.dropped) == (0, 1)
    assert box.drain() == [0, 1]


def test_without_a_queue_what_is_put_back_is_dropped() -> None:
    box: Outbox[str] = Outbox(0)
    box.offer("a", connected=True)
    assert box.put_back(["a"]) == 1
    assert (box.sent, box.queued, box.dropped) == (0, 0, 1)


def test_its_repr_shows_no_message() -> None:
    box: Outbox[str] = Outbox(2)
    box.offer("a secret", connected=False)
    assert repr(box) == "Outbox(limit=2, queued=1)"


def test_a_negative_limit_is_refused_by_the_name_that_users_know() -> None:
    with pytest.raises(BadOption, match="send_queue=-1: expected 0"):
        Outbox(-1)


@pytest.mark.parametrize("limit", ["5", 1.5, None, True])
def test_a_limit_that_is_no_whole_number_is_refused(limit: Any) -> None:
    with pytest.raises(BadOptionType, match=r"send_queue=.*expected a whole number"):
        Outbox(limit)


@given(
    st.lists(st.sampled_from(["offer", "offer", "offer", "drain", "break", "open", "close"]), max_size=80),
    st.integers(0, 5),
)
def test_in_any_order_of_events_messages_leave_in_order_and_the_books_balance(steps: list[str], limit: int) -> None:
    box: Outbox[int] = Outbox(limit)
    connected, offered, gone, dropped = False, 0, [], 0
    for step in steps:
        if step == "offer":
            told = box.offer(offered, connected)
            if told == "sent":
                gone.append(offered)
            assert told != "queued" or box.queued >= 1
            assert (told == "dropped") is (box.dropped > dropped)
            offered += 1
        elif step == "drain":
            gone += box.drain()
        elif step == "break":  # the connection goes after half of the queue was sent
            messages = box.drain()
            half = len(messages) // 2
            gone += messages[:half]
            box.put_back(messages[half:])
            connected = False
        else:
            connected = step == "open"
        dropped = box.dropped
        assert 0 <= box.queued <= limit
        assert box.sent == len(gone)
        assert offered == box.sent + box.queued + box.dropped
    assert gone == sorted(set(gone))
