"""A feed with its own local node: everything works with no account and no network, over real sockets."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Literal, overload

from . import demo, registry
from . import session as fsm
from .dial import Options
from .errors import BadOption, BadOptionType, FeedTimeout, UnknownTopic
from .feed import Feed
from .feeds import FEED_TYPES, ChannelsFeed, FakeaiFeed, LiveFeed, PortalFeed
from .node import Node
from .protocols import PROTOCOLS, redact, tell

SUBSCRIBE_TIMEOUT_S = 20.0


@overload
def simulate(*, protocol: Literal["portal"] = ..., **options: Any) -> PortalFeed: ...
@overload
def simulate(*, protocol: Literal["live"], **options: Any) -> LiveFeed: ...
@overload
def simulate(*, protocol: Literal["channels"], **options: Any) -> ChannelsFeed: ...
@overload
def simulate(*, protocol: Literal["fakeai"], **options: Any) -> FakeaiFeed: ...
def simulate(
    *,
    seed: int = 0,
    scenario: str = "steady",
    rate: float | None = None,
    start: Any = None,
    speed: float | str | None = None,
    duration: Any = None,
    topics: Sequence[str] | None = None,
    name: str | None = None,
    protocol: str = "portal",
    record: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Feed:
    """An embedded local node and a feed on it. The feed's node is ``feed.node``; closing the feed closes it.

    Without ``start`` it lives on real time. With ``start`` it lives on a virtual clock that begins once its topics are
    subscribed, so that nothing is missed: two such runs give the same rows, receive times included.

    :param seed: what all randomness comes from
    :param scenario: steady, spike, leader-churn, jailing, outage or partition
    :param rate: frames per second over all topics; None: the documented cadences, about 5 transactions per second
    :param start: first time of the virtual clock, anything pandas reads as a time
    :param speed: seconds of virtual time per real second; "max" for as fast as it goes. Default: 1, or with a
        ``duration`` "max"
    :param duration: length of the run, seconds or a duration; then ``feed.join()`` returns. None: for ever
    :param topics: the topics to subscribe before a virtual clock begins; None: all of them
    :param name: a feed of the same name is closed first. Default: made from the arguments, so that running a cell
        again does not leave a second node
    :param protocol: which of the systems the feed speaks to the node: "portal", "live", "channels" or "fakeai"
    :param record: a directory to record it in, from the first frame on; see :meth:`Feed.record`
    :param options: further options of :class:`aurigraph_nb.Node`: validators, peers, shape, metrics_interval, …
    :raises BadOption: for an option or a value that is not accepted
    :raises RecordingError: if the directory cannot be used

    >>> feed = simulate(seed=7, start="2026-01-01", duration="10s")
    >>> feed.join(timeout=30)
    >>> feed.metrics.to_pandas().index[0]
    Timestamp('2026-01-01 00:00:00+0000', tz='UTC')
    """
    virtual = start is not None or speed is not None
    pace = _pace(speed, finite=duration is not None)
    wanted = _wanted(topics, protocol)
    made_from = {"seed": seed, "scenario": scenario, "rate": rate, "start": start, "speed": speed, "duration": duration}
    made_from["protocol"] = None if protocol == "portal" else protocol
    made_from["topics"] = None if topics is None else wanted
    made_from["record"] = None if record is None else os.fspath(record)
    arguments = {k: v for k, v in made_from.items() if v is not None} | options
    title = name or "simulated " + ", ".join(f"{k}={v!r}" for k, v in arguments.items())
    if virtual:
        options = {**options, "start": time.time_ns() if start is None else start, "speed": pace}
    node = Node(seed=seed, scenario=scenario, rate=rate, duration=duration, **options)

    def make() -> Feed:
        return _make(node, title, seed, wanted, protocol, virtual=virtual, record=record)

    return registry.replace(title, make)


def _pace(speed: float | str | None, *, finite: bool) -> float | None:
    """The node's speed: None is as fast as it goes."""
    if speed == "max" or (speed is None and finite):
        return None
    if speed is None:
        return 1.0
    if isinstance(speed, bool) or not isinstance(speed, int | float):
        raise BadOptionType(f'speed={speed!r}: expected a number above 0, such as 60, or "max"')
    if not speed > 0:
        raise BadOption(f'speed={speed!r}: expected a number above 0, such as 60, or "max"')
    return float(speed)


def _wanted(topics: Sequence[str] | None, protocol: str) -> tuple[str, ...]:
    if protocol not in PROTOCOLS:
        raise BadOption(f"protocol={protocol!r} is not known; it can be {', '.join(PROTOCOLS)}")
    known = PROTOCOLS[protocol].topics
    if topics is not None and not isinstance(topics, str | list | tuple | set | frozenset):
        raise BadOptionType(f"topics={topics!r}: a list of topic names was expected, such as {list(known)[:2]}")
    names = tuple(known) if topics is None else (topics,) if isinstance(topics, str) else tuple(topics)
    if not names:
        raise BadOption(f"topics={topics!r}: at least one topic was expected, of {', '.join(known)}")
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise UnknownTopic(f"topics={topics!r}: there is no topic {name!r}; known are {', '.join(known)}")
    return names


def _make(
    node: Node,
    title: str,
    seed: int,
    topics: tuple[str, ...],
    protocol: str,
    *,
    virtual: bool,
    record: str | os.PathLike[str] | None,
) -> Feed:
    node.start()
    feed: Feed | None = None
    try:
        feed = _feed_on(node, title, seed, protocol)
        feed.at_close(node.close)
        demo.mind(feed)
        if virtual:
            _subscribe(feed, topics)
        if record is not None:
            feed.record(record, topics)
        if virtual:
            node.begin()
    except BaseException:
        if feed is not None:
            feed.close()
        node.close()
        raise
    return feed


def _feed_on(node: Node, title: str, seed: int, protocol: str) -> Feed:
    name, full = tell(node.url, protocol)
    finite = node.server.options.model.duration_s is not None
    policy = fsm.Policy(
        name=name,
        backoff=fsm.PRESETS[name],
        stop_codes=frozenset({1000}) if finite else fsm.STOP_CODES.get(name, frozenset()),
        url=redact(full),
        max_size=2**20,
    )
    options = Options(
        compression="deflate" if node.server.options.compression_level is not None else None,
        send_queue=fsm.SEND_QUEUES.get(name, 0),
    )
    feed = FEED_TYPES[name](
        full, PROTOCOLS[name], policy=policy, options=options, clock=node.server.clock, title=title, seed=seed
    )
    feed.node = node
    return feed


def _subscribe(feed: Feed, topics: tuple[str, ...]) -> None:
    """Subscribe the topics, before the virtual clock runs."""
    for topic in topics:
        feed[topic].open()
    with feed.news:
        there = feed.news.wait_for(
            lambda: all(feed.status.topics[t].state is fsm.State.CONNECTED for t in topics), SUBSCRIBE_TIMEOUT_S
        )
    if not there:
        status = feed.status
        raise FeedTimeout(f"the embedded node did not accept the feed's connections; last error: {status.error}")


__all__ = ["simulate"]
