"""The virtual clock: exact, and still while somebody is awake."""

from __future__ import annotations

import asyncio

import pytest

from aurigraph_nb.clock import RealClock, VirtualClock

S = 1_000_000_000


def test_sleepers_wake_in_the_order_of_their_times():
    clock, seen = VirtualClock(0), []

    async def sleeper(name, seconds):
        with clock.awake():
            await clock.sleep(seconds)
            seen.append((name, clock.now_ns()))

    async def main():
        await asyncio.wait_for(asyncio.gather(sleeper("b", 2), sleeper("a", 1), sleeper("c", 2)), 5)

    asyncio.run(main())
    assert seen == [("a", S), ("b", 2 * S), ("c", 2 * S)]


def test_the_clock_stands_still_while_a_frame_is_in_flight():
    clock = VirtualClock(0)

    async def main():
        lockstep, woke = clock.channel("x"), asyncio.Event()

        async def sleeper():
            with clock.awake():
                lockstep.sent(2)
                await clock.sleep(1)
                woke.set()

        task = asyncio.create_task(sleeper())
        for _ in range(50):
            await asyncio.sleep(0)
        assert not woke.is_set()
        lockstep.received()
        for _ in range(50):
            await asyncio.sleep(0)
        assert not woke.is_set()
        lockstep.received()
        await asyncio.wait_for(task, 5)

    asyncio.run(main())


def test_a_broken_connection_takes_what_was_in_flight_with_it():
    clock = VirtualClock(0)

    async def main():
        lockstep = clock.channel("x")
        assert clock.lookup("x") is lockstep and clock.lookup("y") is None
        lockstep.sent(5)
        lockstep.broken()
        lockstep.sent(5)
        with clock.awake():
            await asyncio.wait_for(clock.sleep(1), 5)
        assert clock.now_ns() == S

    asyncio.run(main())


def test_a_cancelled_sleeper_holds_nothing():
    clock = VirtualClock(0)

    async def sleeper(seconds):
        with clock.awake():
            await clock.sleep(seconds)

    async def main():
        task = asyncio.create_task(sleeper(1))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(sleeper(3), 5)
        assert clock.now_ns() == 3 * S

    asyncio.run(main())


def test_a_sleep_into_the_past_does_not_turn_the_clock_back():
    clock = VirtualClock(5 * S)

    async def main():
        with clock.awake():
            await clock.sleep_until(1)
            await clock.sleep(-3)

    asyncio.run(main())
    assert clock.now_ns() == 5 * S


def test_a_virtual_clock_with_a_speed_is_paced_by_real_time():
    clock = VirtualClock(0, speed=1000.0)

    async def main():
        loop = asyncio.get_running_loop()
        start = loop.time()
        with clock.awake():
            await clock.sleep(20)
        return loop.time() - start

    assert asyncio.run(main()) >= 0.019


def test_the_real_clock_keeps_no_lockstep():
    clock = RealClock()

    async def main():
        before = clock.now_ns()
        with clock.awake():
            await clock.sleep(0)
            await clock.sleep_until(0)
        assert clock.now_ns() >= before

    asyncio.run(main())
    assert clock.channel("x") is None and clock.lookup("x") is None


def test_a_call_later_runs_at_its_time_and_holds_the_clock_meanwhile():
    clock, seen = VirtualClock(0), []

    async def main():
        done = asyncio.Event()
        clock.call_later(2, lambda: (seen.append(("two", clock.now_ns())), done.set()))
        clock.call_later(1, lambda: seen.append(("one", clock.now_ns())))
        clock.call_later(1.5, lambda: seen.append("never")).cancel()
        await asyncio.wait_for(done.wait(), 5)

    asyncio.run(main())
    assert seen == [("one", S), ("two", 2 * S)]


def test_an_earlier_sleeper_overtakes_a_paced_later_one():
    clock, seen = VirtualClock(0, speed=1.0), []

    async def main():
        later = clock.call_later(3600, lambda: seen.append("an hour"))
        await asyncio.sleep(0)
        done = asyncio.Event()
        clock.call_later(0.001, done.set)
        await asyncio.wait_for(done.wait(), 5)
        later.cancel()

    asyncio.run(main())
    assert seen == [] and clock.now_ns() == S // 1000
