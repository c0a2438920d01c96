"""Messages that wait: in order, in portions, and their reader is woken as it asked to be."""

from __future__ import annotations

import asyncio

from aurigraph_nb.arrivals import Arrivals

LIMIT_S = 30.0


def on_a_loop(work):
    return asyncio.run(asyncio.wait_for(work, LIMIT_S))


def filled(*messages):
    arrivals = Arrivals()
    for at, data in enumerate(messages):
        arrivals.put(data, True, at)
    return arrivals


def test_a_portion_is_what_came_first():
    arrivals = filled(b"a", b"b", b"c")
    assert arrivals.take(2) == [(b"a", True, 0), (b"b", True, 1)]
    assert arrivals.take(2) == [(b"c", True, 2)]
    assert arrivals.take() == [] and not len(arrivals)


def test_a_message_in_parts_is_passed_over_by_nobody():
    arrivals = filled(b"a", None, b"c")
    assert arrivals.take() == [(b"a", True, 0)]
    assert arrivals.take(5) == []
    assert arrivals.complete(b"b") == [(b"b", True, 1)]
    assert arrivals.take() == [(b"c", True, 2)]


def test_who_has_patience_is_woken_once_there_are_as_many_as_asked_for():
    async def work():
        arrivals = filled(b"a")
        reader = asyncio.create_task(arrivals.wait(3, LIMIT_S * 2))
        for data in (b"b", b"c"):
            await asyncio.sleep(0)
            assert not reader.done()
            arrivals.put(data, True, 0)
        await reader
        return len(arrivals)

    assert on_a_loop(work()) == 3


def test_patience_ends_with_what_there_is_and_goes_on_until_there_is_something():
    async def work():
        arrivals = filled(b"a")
        await arrivals.wait(3, 0.001)
        assert arrivals.take() == [(b"a", True, 0)]
        reader = asyncio.create_task(arrivals.wait(3, 0.001))
        asyncio.get_running_loop().call_later(0.01, arrivals.put, b"b", True, 1)
        await reader
        return arrivals.take()

    assert on_a_loop(work()) == [(b"b", True, 1)]


def test_the_end_wakes_whoever_waits():
    async def work():
        arrivals = filled()
        reader = asyncio.create_task(arrivals.wait(3, LIMIT_S * 2))
        await asyncio.sleep(0)
        arrivals.end()
        await reader
        await arrivals.wait(3, LIMIT_S * 2)  # and nobody waits any more
        return arrivals.over

    assert on_a_loop(work())
