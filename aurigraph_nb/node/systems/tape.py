"""What happened on the modelled inference server: a tape of requests that plays over and over.

Request number ``k`` (from 0, in the order of completion) has the properties of the tape's place ``k`` modulo its
length, and an id and times of its own. Totals up to any time are sums over whole laps and a part of one, so they can be
had at once, they agree with the requests that were told one by one, and nothing has to run while nobody listens. One
lap has passed when the model begins, so that the server has a past.
"""

from __future__ import annotations

import bisect
import hashlib
import math
import random
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from .base import MS, NS

LENGTH = 1_024
PER_S = 2.0
"""Requests a second, on average."""
LONGEST_S = 8.0
"""No request takes longer."""

ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")


class Kind(NamedTuple):
    """A model that is served."""

    name: str
    share: float
    """Of the requests."""
    tokens_per_s: float
    dollars_per_million: tuple[float, float]
    """Of prompt and of completion tokens."""


KINDS = (
    Kind("aurora-large", 0.22, 55.0, (3.0, 15.0)),
    Kind("aurora-small", 0.38, 160.0, (0.25, 1.25)),
    Kind("borealis-chat", 0.2, 95.0, (0.8, 4.0)),
    Kind("cirrus-vision", 0.08, 70.0, (2.0, 8.0)),
    Kind("delta-embed", 0.12, 0.0, (0.02, 0.0)),
)
MODELS = tuple(kind.name for kind in KINDS)


class Trouble(NamedTuple):
    """A way to fail."""

    type: str
    message: str
    severity: str


TROUBLES = (
    Trouble("invalid_request", "the prompt is longer than the model's context", "low"),
    Trouble("rate_limit_exceeded", "too many requests for this organization", "low"),
    Trouble("timeout", "the model did not answer in time", "medium"),
    Trouble("model_overloaded", "no worker was free", "high"),
    Trouble("internal_error", "the worker was lost", "critical"),
)


class Entry(msgspec.Struct, frozen=True):
    """A place of the tape."""

    done: int
    """When it completed: ns since the lap's begin."""
    latency_ns: int
    model: str
    endpoint: str
    prompt_tokens: int
    completion_tokens: int
    streaming: bool
    trouble: Trouble | None
    cached: bool
    cost_micro: int
    """Millionths of a dollar."""
    ttft_ns: int
    """To its first token."""
    user: int | None
    organization: int | None


class Totals(NamedTuple):
    """Sums over requests. Times in µs, cost in millionths of a dollar."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_us: int = 0
    errors: int = 0
    cost_micro: int = 0
    streams: int = 0
    failed_streams: int = 0
    cache_hits: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def latency_ms(self) -> float:
        """Mean."""
        return self.latency_us / self.requests / 1000.0 if self.requests else 0.0

    @property
    def error_rate(self) -> float:
        return self.errors / self.requests if self.requests else 0.0

    def less(self, other: Totals) -> Totals:
        """What came since ``other``."""
        return Totals(*(a - b for a, b in zip(self, other, strict=True)))


class Request(msgspec.Struct, frozen=True):
    """One request."""

    id: str
    created_ns: int
    done_ns: int
    entry: Entry


class Tally:
    """Totals of some of a tape's requests, up to any time."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._times = [entry.done for entry in entries]
        self._sums = [Totals()]
        for entry in entries:
            self._sums.append(Totals(*(a + b for a, b in zip(self._sums[-1], _single(entry), strict=True))))

    def at(self, laps: int, rest: int) -> Totals:
        """After so many laps and ``rest`` ns of the next."""
        part = self._sums[bisect.bisect_right(self._times, rest)]
        return Totals(*(laps * a + b for a, b in zip(self._sums[-1], part, strict=True)))


def _single(entry: Entry) -> Totals:
    failed = entry.trouble is not None
    return Totals(
        requests=1,
        prompt_tokens=entry.prompt_tokens,
        completion_tokens=entry.completion_tokens,
        latency_us=entry.latency_ns // 1000,
        errors=int(failed),
        cost_micro=entry.cost_micro,
        streams=int(entry.streaming),
        failed_streams=int(entry.streaming and failed),
        cache_hits=int(entry.cached),
    )


class Tape:
    """The requests of an inference server.

    :param start_ns: when the model begins; the tape has run one lap by then
    """

    def __init__(self, seed: int, start_ns: int) -> None:
        self._seed = seed
        self.entries, self.lap_ns = _record(random.Random(f"{seed}/fakeai/tape"))
        self.begin_ns = start_ns - self.lap_ns
        self._all = Tally(self.entries)
        self._models = {m: Tally([e for e in self.entries if e.model == m]) for m in MODELS}
        self._endpoints = {p: Tally([e for e in self.entries if e.endpoint == p]) for p in ENDPOINTS}
        self.done = [entry.done for entry in self.entries]
        """When the requests of a lap complete, ascending."""
        starts = sorted(((e.done - e.latency_ns) % self.lap_ns, i) for i, e in enumerate(self.entries))
        self.starts = [at for at, _ in starts]
        """When those begin that begin within a lap, ascending. (Some of them belong to the next.)"""
        self._started = [i for _, i in starts]

    def completed(self, t: int) -> int:
        """How many requests completed up to ``t``; also the number of the next one."""
        lap, rest = divmod(t - self.begin_ns, self.lap_ns)
        return lap * LENGTH + bisect.bisect_right(self.done, rest)

    def request(self, k: int) -> Request:
        """Request number ``k`` in the order of completion."""
        lap, i = divmod(k, LENGTH)
        entry = self.entries[i]
        done_ns = self.begin_ns + lap * self.lap_ns + entry.done
        digest = hashlib.blake2b(f"{self._seed}/{k}".encode(), digest_size=12).hexdigest()
        return Request(f"req-{digest}", done_ns - entry.latency_ns, done_ns, entry)

    def started(self, j: int) -> Request:
        """Request number ``j`` in the order of beginning."""
        lap, i = divmod(j, LENGTH)
        index = self._started[i]
        wraps = self.entries[index].done < self.entries[index].latency_ns  # it began in the lap before its own
        return self.request((lap + wraps) * LENGTH + index)

    def between(self, after_ns: int, until_ns: int) -> list[Request]:
        """The requests that completed after the one time, up to the other."""
        return [self.request(k) for k in range(self.completed(after_ns), self.completed(until_ns))]

    def active(self, t: int) -> list[Request]:
        """The requests that have begun and not completed."""
        coming = range(self.completed(t), self.completed(t + int(LONGEST_S * NS)))
        return [request for request in map(self.request, coming) if request.created_ns <= t]

    def totals(self, t: int, model: str | None = None, endpoint: str | None = None) -> Totals:
        """Up to ``t``: of a model, of an endpoint, or of all."""
        tally = self._all
        if model is not None:
            tally = self._models[model]
        elif endpoint is not None:
            tally = self._endpoints[endpoint]
        return tally.at(*divmod(max(0, t - self.begin_ns), self.lap_ns))

    def window(self, t: int, seconds: float, model: str | None = None, endpoint: str | None = None) -> Totals:
        """Over the last ``seconds``, at most to the server's start."""
        since = max(self.begin_ns, t - round(seconds * NS))
        return self.totals(t, model, endpoint).less(self.totals(since, model, endpoint))


def _record(rng: random.Random) -> tuple[list[Entry], int]:
    """A lap's entries in the order of completion, and its length."""
    shares = [kind.share for kind in KINDS]
    at, entries = 0.0, []
    for i in range(LENGTH):
        busy = math.exp(0.5 * math.sin(2 * math.pi * 3 * i / LENGTH) + 0.25 * math.sin(2 * math.pi * 11 * i / LENGTH))
        at += rng.expovariate(PER_S * busy) + 0.001
        entries.append(_entry(rng, int(at * 1000) * MS, rng.choices(KINDS, shares)[0]))
    return entries, int(at * 1000 + 500) * MS


def _entry(rng: random.Random, done: int, kind: Kind) -> Entry:
    embeds = kind.tokens_per_s == 0.0
    prompt = max(4, int(350 * math.exp(0.9 * rng.gauss(0.0, 1.0))))
    completion = 0 if embeds else max(1, int(120 * math.exp(0.8 * rng.gauss(0.0, 1.0))))
    trouble = rng.choices(TROUBLES, (4, 3, 2, 2, 1))[0] if rng.random() < 0.04 else None
    if trouble is not None:
        completion = 0
    cached = rng.random() < 0.62
    ttft_s = (0.02 + 0.0002 * prompt * (0.3 if cached else 1.0)) * math.exp(0.3 * rng.gauss(0.0, 1.0))
    whole_s = ttft_s + (0.0 if embeds else completion / kind.tokens_per_s)
    latency_ns = int(min(LONGEST_S, max(0.005, whole_s)) * 1000) * MS
    dollars = kind.dollars_per_million
    return Entry(
        done=done,
        latency_ns=latency_ns,
        model=kind.name,
        endpoint=ENDPOINTS[2] if embeds else rng.choices(ENDPOINTS[:2], (4, 1))[0],
        prompt_tokens=prompt,
        completion_tokens=completion,
        streaming=not embeds and rng.random() < 0.6,
        trouble=trouble,
        cached=cached,
        cost_micro=round(prompt * dollars[0] + completion * dollars[1]),
        ttft_ns=min(latency_ns, int(ttft_s * NS)),
        user=rng.randrange(100, 140) if rng.random() < 0.8 else None,
        organization=rng.randrange(1, 6) if rng.random() < 0.5 else None,
    )
