"""Connecting, waiting, giving up: the pure half of a connection. The I/O half is :mod:`aurigraph_nb.client`.

``events`` are the words, ``backoff`` the delays, ``verdict`` what an outcome means, ``machine`` the state machine,
``heartbeat`` whether the other side lives, ``subscriptions`` what it is asked for, ``outbox`` what is sent to it,
``text`` what makes foreign text and addresses fit to use.
"""

from aurigraph_nb.session.backoff import PRESETS, STOP_CODES, Backoff, Policy
from aurigraph_nb.session.events import (
    EVENTS,
    Close,
    Connect,
    Dial,
    Disconnect,
    Event,
    Failed,
    FailedKind,
    FirstData,
    GapClosed,
    GapOpened,
    Hangup,
    Healthy,
    Lost,
    Opened,
    Outcome,
    Reconnect,
    Refused,
    Request,
    StartTimer,
    State,
    StopTimer,
    TimerFired,
)
from aurigraph_nb.session.heartbeat import Heartbeat
from aurigraph_nb.session.machine import TABLE, Session
from aurigraph_nb.session.outbox import SEND_QUEUES, Outbox, Sent
from aurigraph_nb.session.subscriptions import Subscriptions
from aurigraph_nb.session.text import brief, clean, parse_retry_after, redirect_target, shown
from aurigraph_nb.session.verdict import MAX_HOPS, Action, Tally, Verdict, classify

__all__ = [
    "EVENTS",
    "MAX_HOPS",
    "PRESETS",
    "SEND_QUEUES",
    "STOP_CODES",
    "TABLE",
    "Action",
    "Backoff",
    "Close",
    "Connect",
    "Dial",
    "Disconnect",
    "Event",
    "Failed",
    "FailedKind",
    "FirstData",
    "GapClosed",
    "GapOpened",
    "Hangup",
    "Healthy",
    "Heartbeat",
    "Lost",
    "Opened",
    "Outbox",
    "Outcome",
    "Policy",
    "Reconnect",
    "Refused",
    "Request",
    "Sent",
    "Session",
    "StartTimer",
    "State",
    "StopTimer",
    "Subscriptions",
    "Tally",
    "TimerFired",
    "Verdict",
    "brief",
    "classify",
    "clean",
    "parse_retry_after",
    "redirect_target",
    "shown",
]
