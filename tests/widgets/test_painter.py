"""The painter: turns for everybody, whatever one of them does."""

import threading

import pytest

from aurigraph_nb.widgets.painter import RETRY_S, Painter

LIMIT_S = 10


class Member:
    """Wants a turn every ``every`` seconds; raises when told to."""

    def __init__(self, every=None):
        self.every = every
        self.turns = []
        self.failures = []
        self.raises = None
        self.painted = threading.Event()
        self.threads = set()

    def paint(self, now):
        self.turns.append(now)
        self.threads.add(threading.current_thread().name)
        self.painted.set()
        if self.raises is not None:
            raise self.raises
        return None if self.every is None else now + self.every

    def failed(self, error):
        self.failures.append(error)


def by_hand(*members):
    painter = Painter(lambda: 0.0, threaded=False)
    for member in members:
        painter.add(member)
    return painter


def test_a_new_member_gets_a_turn_at_once():
    member = Member()
    by_hand(member).tick(0.0)
    assert member.turns == [0.0]


def test_a_member_gets_its_next_turn_when_it_asked_for_it():
    member = Member(every=0.5)
    painter = by_hand(member)
    assert painter.tick(0.0) == 0.5
    painter.tick(0.4)
    painter.tick(0.5)
    assert member.turns == [0.0, 0.5]


def test_a_member_that_expects_nothing_is_left_alone_until_it_is_woken():
    member = Member()
    painter = by_hand(member)
    assert painter.tick(0.0) is None
    painter.tick(100.0)
    painter.wake(member)
    painter.tick(101.0)
    assert member.turns == [0.0, 101.0]


def test_the_next_tick_is_due_when_the_first_of_them_is():
    painter = by_hand(Member(every=3), Member(every=2), Member())
    assert painter.tick(10.0) == 12.0


def test_one_that_raises_is_told_and_waits_while_the_others_go_on():
    bad, good = Member(every=0.125), Member(every=0.125)
    bad.raises = ValueError("broken")
    painter = by_hand(bad, good)
    for i in range(5):
        painter.tick(i / 8)
    assert len(good.turns) == 5
    assert bad.turns == [0.0]
    assert bad.failures == [bad.raises]
    painter.tick(RETRY_S)
    assert len(bad.turns) == 2


def test_a_removed_member_gets_no_turn_and_removing_twice_is_harmless():
    member = Member(every=0.1)
    painter = by_hand(member)
    painter.tick(0.0)
    painter.remove(member)
    painter.remove(member)
    painter.wake(member)
    assert painter.tick(1.0) is None
    assert member.turns == [0.0]
    assert len(painter) == 0


def test_a_member_may_remove_itself_during_its_turn():
    class Leaving(Member):
        def paint(self, now):
            super().paint(now)
            painter.remove(self)
            return now + 0.1

    member = Leaving()
    painter = by_hand(member)
    assert painter.tick(0.0) is None


def test_there_is_no_thread_before_the_first_member():
    painter = Painter()
    assert not painter.running


def test_without_a_thread_nothing_happens_between_ticks():
    member = Member()
    painter = by_hand(member)
    assert not painter.running
    assert member.turns == []


@pytest.fixture
def threaded():
    painter = Painter()
    members = []

    def add(member):
        members.append(member)
        painter.add(member)
        return member

    yield painter, add
    for member in members:
        painter.remove(member)
    ended(painter)


def ended(painter):
    thread = painter._thread
    if thread is not None:
        thread.join(LIMIT_S)
        assert not thread.is_alive()


def test_one_daemon_thread_serves_all_members(threaded):
    painter, add = threaded
    members = [add(Member(every=0.01)) for _ in range(3)]
    assert all(m.painted.wait(LIMIT_S) for m in members)
    assert painter.running
    assert painter._thread.daemon
    assert set().union(*(m.threads for m in members)) == {"aurigraph-painter"}


def test_a_sleeping_painter_wakes_for_a_member(threaded):
    painter, add = threaded
    member = add(Member())
    assert member.painted.wait(LIMIT_S)
    member.painted.clear()
    painter.wake(member)
    assert member.painted.wait(LIMIT_S)


def test_the_thread_ends_with_the_last_member_and_comes_back_with_a_new_one(threaded):
    painter, add = threaded
    first = add(Member())
    assert first.painted.wait(LIMIT_S)
    painter.remove(first)
    ended(painter)
    assert not painter.running
    second = add(Member())
    assert second.painted.wait(LIMIT_S)
    assert painter.running
