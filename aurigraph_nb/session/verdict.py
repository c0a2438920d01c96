"""What a close, a refusal or a failure means: try again, stop, give up, or go where a redirect leads.

The rules stand in the tables of :mod:`aurigraph_nb.session.rules`. :func:`classify` looks a row up, counts, and writes
the sentence: what came, what was expected, what to do.

Some outcomes are final only when several come in a row. "In a row" means: one after the other, with no data and no time
of health in between (the machine then resets the tally), and nothing else going wrong in between either.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from aurigraph_nb.errors import AuthRefused, ConnectFailed
from aurigraph_nb.session.backoff import Policy
from aurigraph_nb.session.events import Lost, Outcome, Refused
from aurigraph_nb.session.rules import (
    CLOSE_CODES,
    CLOSED_HERE,
    FAILURES,
    FOREIGN,
    HTTP_3XX,
    HTTP_4XX,
    HTTP_5XX,
    HTTP_ELSE,
    HTTP_REDIRECTS,
    HTTP_STATUS,
    PRIVATE,
    SPEAKS_OF_AUTH,
    UNLISTED,
    Row,
)
from aurigraph_nb.session.text import bounded_wait, clean, endpoint, redirect_target, shown, split

LONGEST_RETRY_AFTER_S = 300.0
"""A ``Retry-After`` beyond this is cut to it, seconds."""
MAX_HOPS = 5
"""Redirects that are followed one after the other."""


class Action(StrEnum):
    """What to do after an outcome."""

    RETRY = "retry"
    STOP = "stop"
    """The stream ended as agreed."""
    FATAL = "fatal"
    FOLLOW = "follow"
    """Dial ``Verdict.url`` at once."""


class Tally(msgspec.Struct, frozen=True):
    """What the outcomes before this one were."""

    kind: str = ""
    """Kind of the last outcome; empty after data or health."""
    count: int = 0
    """How many of that kind came in a row."""
    reached: bool = False
    """True once a connection has been open: the host is not an unknown one."""
    at: str | None = None
    """Where redirects have led so far; None for the session's own URL."""

    def __repr__(self) -> str:
        at = None if self.at is None else shown(self.at)
        return f"Tally({self.kind!r}, {self.count}, reached={self.reached}, at={at!r})"


class Verdict(msgspec.Struct, frozen=True):
    """What an outcome means."""

    action: Action
    message: str
    """For a person: what came, what was expected, what to do. Bounded, without control characters or secrets."""
    retry_after_s: float | None
    """Least seconds to wait, as the server asked (300 at most); None if it did not ask."""
    cause: str
    """For a program: ``close 1006``, ``http 404``, ``dns``, ``tcp``, ``tls``, ``url``, ``timeout``, and so on."""
    came: str = ""
    """The part of the message that says what came."""
    tally: Tally = Tally()
    """The tally for the next outcome."""
    error: type[ConnectFailed] | None = None
    """What to raise, if the action is FATAL."""
    url: str | None = None
    """Where to go, if the action is FOLLOW."""

    def __repr__(self) -> str:
        return f"Verdict({self.action.value}, {self.cause}: {self.message!r})"


def classify(outcome: Outcome, tally: Tally, policy: Policy) -> Verdict:
    """What ``outcome`` means after the outcomes of ``tally``, under ``policy``. Pure; never raises.

    >>> classify(Refused(404), Tally(), Policy(url="ws://node:9003/nowhere")).action.value
    'fatal'
    """
    if isinstance(outcome, Lost):
        return _lost(outcome, tally, policy)
    if isinstance(outcome, Refused):
        return _refused(outcome, tally, policy)
    row = FAILURES.get(outcome.kind, FAILURES["protocol"])
    if outcome.kind == "dns" and tally.reached:
        row = row._replace(final=None)  # it was known before, so it is the network that is gone
    detail = clean(outcome.detail)
    came = row.meaning.format_map(_words(policy, tally)) + (f": {detail}" if detail else "")
    return _verdict(row, came, outcome.kind if outcome.kind in FAILURES else "protocol", tally, policy)


def _lost(lost: Lost, tally: Tally, policy: Policy) -> Verdict:
    row = _close_row(lost, policy)
    reason = clean(lost.reason)
    who = "this side" if lost.ours else "the server"
    text = f"{who} closed with {lost.code} ({row.meaning})"
    came = "the connection broke (1006, no close frame)" if lost.code == 1006 else text
    came += f' and the reason "{reason}"' if reason else ""
    cause = f"close {lost.code}"
    if lost.code in policy.stop_codes:
        message = f"{_where(policy)}: {came}. The stream is over; feed.connect() asks for more."
        return Verdict(Action.STOP, message, None, cause, came, Tally(reached=tally.reached))
    return _verdict(row, came, cause, tally, policy)


def _close_row(lost: Lost, policy: Policy) -> Row:
    if lost.code == 1008:
        return _policy_violation(lost.reason, policy)
    if lost.ours and lost.code in CLOSED_HERE:
        return CLOSED_HERE[lost.code]
    fallback = PRIVATE if 3000 <= lost.code <= 4999 else UNLISTED
    return CLOSE_CODES.get(lost.code, fallback)


def _policy_violation(reason: str, policy: Policy) -> Row:
    """1008: final at once where it is about a token; otherwise one more try."""
    if policy.token_sent or SPEAKS_OF_AUTH.search(reason):
        return Row("policy violation", 1, "{token_advice}", AuthRefused)
    return Row("policy violation", 2, "The server does not accept how it is used; its reason, if any, says what.")


def _refused(refused: Refused, tally: Tally, policy: Policy) -> Verdict:
    if refused.status in HTTP_REDIRECTS and refused.location:
        return _redirected(refused.status, refused.location, tally, policy)
    row = _http_row(refused.status)
    came = f"the server answered HTTP {refused.status} ({row.meaning}) where 101 was expected"
    wait = bounded_wait(refused.retry_after_s, LONGEST_RETRY_AFTER_S)
    return _verdict(row, came, f"http {refused.status}", tally, policy, wait)


def _http_row(status: int) -> Row:
    by_class = {3: HTTP_3XX, 4: HTTP_4XX, 5: HTTP_5XX}
    return HTTP_STATUS.get(status, by_class.get(status // 100, HTTP_ELSE))


def _redirected(status: int, location: str, tally: Tally, policy: Policy) -> Verdict:
    cause = f"http {status}"
    came = f"the server answered HTTP {status} (redirect) to {shown(location) or 'nowhere'}"
    target = redirect_target(tally.at or policy.url, location, same_origin=policy.token_sent)
    if target is None:
        return _verdict(Row("", 1, FOREIGN), came, cause, tally, policy)
    hops = tally.count + 1 if tally.kind == "redirect" else 1
    if hops > MAX_HOPS:
        advice = (
            f"Expected at most {MAX_HOPS} redirects in a row: the server sends us in circles; connect to the final URL."
        )
        return _verdict(Row("", 1, advice), came, cause, tally, policy)
    following = Tally("redirect", hops, tally.reached, target)
    return Verdict(Action.FOLLOW, f"{_where(policy)}: {came}. Following.", None, cause, came, following, url=target)


def _verdict(
    row: Row, came: str, cause: str, tally: Tally, policy: Policy, retry_after_s: float | None = None
) -> Verdict:
    """Count the outcome, decide, and write the sentence."""
    kind = row.kind or cause
    count = tally.count + 1 if tally.kind == kind else 1
    final = row.final is not None and count >= row.final
    row_of = f" ({count} of {row.final} in a row)" if row.final and row.final > 1 else ""
    end = "Not trying again; feed.reconnect() does, once that is put right." if final else "Trying again."
    advice = row.advice.format_map(_words(policy, tally))
    return Verdict(
        Action.FATAL if final else Action.RETRY,
        f"{_where(policy)}: {came}{row_of}. {advice} {end}",
        None if final else retry_after_s,
        cause,
        came,
        Tally(kind, count, tally.reached),
        row.error if final else None,
    )


def _where(policy: Policy) -> str:
    return clean(policy.url) or "connection"


def _words(policy: Policy, tally: Tally) -> dict[str, str]:
    """What the advices of the tables can name."""
    url = tally.at or policy.url
    parts = split(url)
    sent = "Token: it was sent and not accepted; check that it is valid, not expired, and meant for this server."
    missing = "Token: none was sent; give token= to connect()."
    return {
        "url": shown(policy.url) or "URL",
        "host": clean(parts.hostname or "") or shown(url),
        "host_port": endpoint(url) or shown(url) or "the server",
        "path": clean(parts.path) or "/",
        "protocol": policy.name,
        "limit": "none" if policy.max_size is None else f"{policy.max_size:,} bytes",
        "token_advice": sent if policy.token_sent else missing,
    }
