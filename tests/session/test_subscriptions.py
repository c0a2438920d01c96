"""Subscriptions: asked once a connection, again only when overdue, never more often than allowed; in any order."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.session import Subscriptions

S = 1_000_000_000


def wanting(*topics: str, acknowledged: bool = True, **options: Any) -> Subscriptions:
    subs = Subscriptions(**options)
    for topic in topics:
        subs.want(topic, acknowledged)
    return subs


def asked(*topics: str, now_ns: int = 0, **options: Any) -> Subscriptions:
    """All wanted, the connection open, all asked for."""
    subs = wanting(*topics, **options)
    assert [topic for topic in subs.opened(now_ns) if subs.ask(topic, now_ns)] == list(topics)
    return subs


def test_nothing_is_asked_for_without_a_connection() -> None:
    subs = wanting("blocks")
    assert subs.unasked == subs.pending == ()
    assert subs.due_ns is None
    assert not subs.ask("blocks", 0)
    assert subs.overdue(10**18) == []


def test_an_open_connection_is_asked_for_all_that_is_wanted_in_order() -> None:
    subs = wanting("c", "a", "b")
    assert subs.wanted == ("c", "a", "b")
    assert subs.opened(0) == ["c", "a", "b"]


def test_a_topic_is_asked_for_once_on_a_connection() -> None:
    subs = asked("blocks")
    assert subs.unasked == ()
    assert not subs.ask("blocks", 1)
    subs.want("blocks", True)
    assert not subs.ask("blocks", 2)
    subs.acknowledge("blocks")
    assert not subs.ask("blocks", 10**18)


def test_a_topic_that_is_wanted_later_is_asked_for_on_the_open_connection() -> None:
    subs = asked("a")
    subs.want("b", True)
    assert list(subs.unasked) == ["b"]
    assert subs.ask("b", S)
    assert subs.pending == ("a", "b")
    assert list(subs.unasked) == []


def test_what_nobody_wants_is_not_asked_for() -> None:
    assert not asked("a").ask("b", 0)


def test_every_connection_is_asked_anew() -> None:
    subs = asked("a", "b")
    subs.acknowledge("a")
    subs.lost()
    assert (subs.pending, subs.due_ns, subs.unasked) == ((), None, ())
    assert subs.opened(9 * S) == ["a", "b"]


def test_a_connection_that_opens_with_nobody_having_seen_the_last_one_go_is_a_new_one() -> None:
    subs = asked("a")
    assert subs.opened(S) == ["a"]
    assert subs.pending == ()


def test_what_is_not_acknowledged_is_never_waited_for() -> None:
    subs = asked("a", acknowledged=False)
    assert (subs.pending, subs.due_ns, subs.overdue(10**18)) == ((), None, [])


def test_an_acknowledgement_is_overdue_after_the_whole_time_and_not_a_nanosecond_less() -> None:
    subs = asked("a", retry_s=5)
    assert subs.due_ns == 5 * S
    assert subs.overdue(5 * S - 1) == []
    assert not subs.ask("a", 5 * S - 1)
    assert subs.overdue(5 * S) == ["a"]
    assert subs.ask("a", 5 * S)
    assert subs.due_ns == 10 * S
    assert not subs.ask("a", 6 * S)


def test_an_acknowledged_topic_is_not_asked_for_again() -> None:
    subs = asked("a", "b")
    assert subs.acknowledge("a") == "a"
    assert subs.overdue(5 * S) == ["b"]
    assert subs.pending == ("b",)


def test_those_waiting_longest_come_first() -> None:
    subs = asked("a", "b", "c")
    subs.ask("a", 5 * S)
    assert subs.pending == ("b", "c", "a")
    assert subs.due_ns == 5 * S
    assert subs.overdue(10 * S) == ["b", "c", "a"]


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_after_all_tries_a_topic_is_given_up_until_the_next_connection(tries: int) -> None:
    subs = asked("a", tries=tries)
    for n in range(1, tries):
        assert subs.overdue(n * 5 * S) == ["a"]
        assert subs.ask("a", n * 5 * S)
    assert subs.gave_up == frozenset()
    assert not subs.ask("a", tries * 5 * S)
    assert subs.overdue(tries * 5 * S) == []
    assert subs.gave_up == frozenset({"a"})
    assert subs.pending == ()
    assert subs.due_ns is None
    assert not subs.ask("a", 10**18)
    subs.lost()
    assert subs.gave_up == frozenset()
    assert subs.opened(100 * S) == ["a"]


def test_a_late_acknowledgement_of_what_was_given_up_counts() -> None:
    subs = asked("a", tries=1)
    subs.overdue(5 * S)
    assert subs.acknowledge("a") == "a"
    assert subs.gave_up == frozenset()


def test_an_acknowledgement_that_names_no_topic_is_taken_for_the_one_waiting_longest() -> None:
    subs = asked("a", "b")
    assert (subs.acknowledge(None), subs.acknowledge(None), subs.acknowledge(None)) == ("a", "b", None)
    assert subs.pending == ()


def test_an_acknowledgement_of_something_else_changes_nothing() -> None:
    subs = asked("a")
    assert subs.acknowledge("<b>x</b>") is None
    assert subs.pending == ("a",)
    subs.lost()
    assert subs.acknowledge("a") is None
    assert subs.opened(0) == ["a"]


def test_what_the_server_confirms_unasked_is_not_asked_for() -> None:
    subs = wanting("a", "b")
    subs.opened(0)
    assert subs.acknowledge("a") == "a"
    assert subs.unasked == ("b",)
    assert not subs.ask("a", 0)


def test_a_refused_topic_is_left_alone_until_the_next_connection() -> None:
    subs = asked("a", "b")
    subs.refuse("a")
    subs.refuse("nobody's")
    assert subs.refused == frozenset({"a"})
    assert subs.pending == ("b",)
    assert subs.overdue(5 * S) == ["b"]
    assert not subs.ask("a", 5 * S)
    subs.lost()
    subs.refuse("a")
    assert subs.refused == frozenset()
    assert subs.opened(0) == ["a", "b"]


def test_a_topic_let_go_is_no_longer_waited_for_and_not_asked_for_by_the_next_connection() -> None:
    subs = asked("a", "b")
    subs.unwant("a")
    subs.unwant("unknown")
    assert (subs.wanted, subs.pending) == (("b",), ("b",))
    subs.lost()
    assert subs.opened(0) == ["b"]


def test_a_topic_let_go_and_wanted_again_is_asked_for_anew_if_the_server_was_told() -> None:
    subs = asked("a")
    subs.unwant("a")
    subs.want("a", True)
    assert subs.ask("a", S)


def test_a_topic_let_go_in_silence_and_wanted_again_is_not_asked_for_twice() -> None:
    subs = asked("a")
    subs.unwant("a", told=False)
    subs.want("a", True)
    assert subs.unasked == ()
    assert not subs.ask("a", 10**18)


def test_a_clock_that_was_set_back_does_not_put_off_the_next_try() -> None:
    subs = asked("a", now_ns=3600 * S)
    assert subs.overdue(10 * S) == []
    assert subs.due_ns == 15 * S
    assert subs.overdue(15 * S) == ["a"]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"retry_s": 0}, "retry_s=0: expected a finite number of at least 0.001"),
        ({"retry_s": float("nan")}, "retry_s=nan"),
        ({"tries": 0}, "tries=0: expected a whole number of at least 1"),
    ],
)
def test_an_option_out_of_range_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        Subscriptions(**options)


@pytest.mark.parametrize("options", [{"retry_s": "5"}, {"tries": 2.0}, {"tries": True}])
def test_an_option_of_the_wrong_type_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadOptionType, match=r"expected a (whole )?number"):
        Subscriptions(**options)


TOPICS = st.sampled_from("abc")


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: no topic is asked for twice unless overdue, and none too often."""

    @initialize(tries=st.integers(1, 4), acknowledged=st.booleans())
    def begin(self, tries: int, acknowledged: bool) -> None:
        self.subs = Subscriptions(retry_s=5, tries=tries)
        self.tries, self.acknowledged = tries, acknowledged
        self.now, self.is_open, self.wanted = 0, False, set[str]()
        self.new_connection()

    def new_connection(self) -> None:
        self.last: dict[str, int] = {}  # when each was asked for on this connection
        self.count: Counter[str] = Counter()
        self.settled: set[str] = set()  # answered on this connection

    @rule(pause=st.integers(0, 4 * S))
    def wait(self, pause: int) -> None:
        self.now += pause

    @rule()
    def open(self) -> None:
        self.is_open = True
        self.new_connection()
        topics = self.subs.opened(self.now)
        assert set(topics) == self.wanted
        assert all(self.try_to_ask(topic) for topic in topics)

    @rule()
    def lose(self) -> None:
        self.subs.lost()
        self.is_open = False
        self.new_connection()

    @rule(topic=TOPICS)
    def want(self, topic: str) -> None:
        self.subs.want(topic, self.acknowledged)
        self.wanted.add(topic)

    @rule(topic=TOPICS, told=st.booleans())
    def unwant(self, topic: str, told: bool) -> None:
        self.subs.unwant(topic, told)
        self.wanted.discard(topic)
        if told:
            self.last.pop(topic, None)
            del self.count[topic]
            self.settled.discard(topic)

    @rule(topic=TOPICS)
    def ask(self, topic: str) -> None:
        self.try_to_ask(topic)
        assert not self.subs.ask(topic, self.now)

    @rule()
    def ask_the_overdue(self) -> None:
        assert all(self.try_to_ask(topic) for topic in self.subs.overdue(self.now))

    @rule(topic=st.none() | TOPICS)
    def acknowledge(self, topic: str | None) -> None:
        answered = self.subs.acknowledge(topic)
        if answered is not None:
            self.settled.add(answered)

    @rule(topic=TOPICS)
    def refuse(self, topic: str) -> None:
        self.subs.refuse(topic)
        if self.is_open and topic in self.wanted:
            self.settled.add(topic)

    def try_to_ask(self, topic: str) -> bool:
        if not self.subs.ask(topic, self.now):
            return False
        assert self.is_open and topic in self.wanted and topic not in self.settled
        assert topic not in self.last or (self.acknowledged and self.now - self.last[topic] >= 5 * S)
        self.last[topic] = self.now
        self.count[topic] += 1
        assert self.count[topic] <= self.tries
        return True

    @invariant()
    def what_it_tells_agrees(self) -> None:
        subs = self.subs
        assert set(subs.wanted) == self.wanted
        assert set(subs.pending) <= set(self.last) & self.wanted - self.settled
        assert set(subs.unasked) == (self.wanted - set(self.last) - self.settled if self.is_open else set())
        assert not subs.gave_up & set(subs.pending)
        assert subs.gave_up | subs.refused <= self.wanted
        assert (subs.due_ns is None) is (not subs.pending)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40)


@given(st.integers(1, 5), st.lists(st.integers(1, 7 * S), min_size=1, max_size=60))
def test_a_silent_server_is_asked_exactly_as_often_as_allowed(tries: int, pauses: list[int]) -> None:
    subs, now, asks = asked("a", tries=tries), 0, 1
    for pause in [*pauses, *[5 * S] * tries]:
        now += pause
        asks += sum(subs.ask(topic, now) for topic in subs.overdue(now))
    assert asks == tries
    assert subs.gave_up == frozenset({"a"})
