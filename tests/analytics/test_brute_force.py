"""Answers about streams against counting second by second what a reader of the rows could know."""

import itertools
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurigraph_nb import analytics
from aurigraph_nb.analytics.inputs import rows
from aurigraph_nb.errors import BadOption

BASE = pd.Timestamp("2026-01-01", tz="UTC")
SPAN = 40


def at(seconds):
    return BASE + pd.Timedelta(seconds=seconds)


def holes_of(spans):
    frame = pd.DataFrame({"start": [at(a) for a, _ in spans], "end": [at(a + b) for a, b in spans]})
    return frame.astype("datetime64[ns, UTC]")


def seen(frame, spans, start, end):
    """Which seconds [t, t + 1) of the range were seen, as rows and gaps tell; and how many rows there are."""
    got = rows(frame, start=at(start), end=at(end), gaps=holes_of(spans))
    steps = np.arange(start, end) * 10**9 + BASE.value
    return got.holes.missing(steps, steps + 10**9) == 0, got


events = st.lists(
    st.tuples(st.integers(0, SPAN - 1), st.sampled_from("abc"), st.sampled_from(["ACTIVE", "JAILED", None])),
    min_size=2,
    max_size=15,
    unique_by=lambda e: (e[0], e[1]),
)
gaps = st.lists(st.tuples(st.integers(0, SPAN), st.integers(1, 8)), max_size=2)
ranges = st.tuples(st.integers(0, 20), st.integers(5, 30)).map(lambda r: (r[0], r[0] + r[1]))


def grid(frame, spans, start, end, column, state):
    """For each thing its state in each second, None where nobody could know it."""
    known, _ = seen(frame, spans, start, end)
    told = {}
    for row in frame.itertuples():
        if start <= row.second < end:
            word = getattr(row, state)
            told.setdefault(getattr(row, column), {})[row.second] = None if pd.isna(word) else word
    made = {}
    for thing, own in told.items():
        line, now = [], None
        for i, t in enumerate(range(start, end)):
            if not known[i]:
                now = None
            new = own.get(t)
            now = new if new is not None and known[i] else now
            line.append(now)
        made[thing] = line
    return made


def whole_seconds(frame, spans, start, end):
    """Whether what was seen begins and ends with a second, so that seconds can be counted."""
    _, got = seen(frame, spans, start, end)
    return all((edge - BASE.value) % 10**9 == 0 for hole in got.holes for edge in hole)


@settings(max_examples=50, deadline=None)
@given(events, gaps, ranges)
def test_the_time_in_each_status_is_that_of_counting_seconds(told, spans, span):
    frame = pd.DataFrame(sorted(told), columns=["second", "id", "status"])
    frame["timestamp"] = [at(s) for s in frame["second"]]
    if not whole_seconds(frame, spans, *span):
        return
    table = analytics.time_in_status(frame, start=at(span[0]), end=at(span[1]), gaps=holes_of(spans)).table
    got = {(r.validator, r.status): r.seconds for r in table.itertuples() if r.seconds}
    want = {}
    for who, line in grid(frame, spans, *span, "id", "status").items():
        for state in line:
            if state is not None:
                want[who, state] = want.get((who, state), 0) + 1
    assert got == pytest.approx(want)
    up = analytics.uptime(frame, start=at(span[0]), end=at(span[1]), gaps=holes_of(spans)).table
    for row in up.itertuples():
        total = want.get((row.validator, "ACTIVE"), 0) + want.get((row.validator, "JAILED"), 0)
        assert row.seen_s == pytest.approx(total)
        assert row.up_s == pytest.approx(want.get((row.validator, "ACTIVE"), 0))


@settings(max_examples=50, deadline=None)
@given(events, gaps, ranges)
def test_the_peers_at_each_second_are_those_that_were_told_last(told, spans, span):
    frame = pd.DataFrame(sorted(told), columns=["second", "peer_id", "status"])
    frame["status"] = frame["status"].map({"ACTIVE": "CONNECTED", "JAILED": "DISCONNECTED"})
    frame["timestamp"] = [at(s) for s in frame["second"]]
    frame["version"] = "1"
    if not whole_seconds(frame, spans, *span):
        return
    result = analytics.peers_over_time(
        frame, by="version", every="1s", start=at(span[0]), end=at(span[1]), gaps=holes_of(spans)
    )
    lines = grid(frame, spans, *span, "peer_id", "status")
    counts = [sum(line[i] == "CONNECTED" for line in lines.values()) for i in range(span[1] - span[0])]
    known, _ = seen(frame, spans, *span)
    if len(result.table):
        want = np.where(known, counts, np.nan)
        np.testing.assert_array_equal(result.table["peers"], want[: len(result.table)])
    inside = frame[(frame["second"] >= span[0]) & (frame["second"] < span[1])]
    if len(inside) and known.any():
        assert result.value == counts[np.flatnonzero(known)[-1]], "at the last moment that was seen"


waits = st.lists(st.tuples(st.integers(0, SPAN - 1), st.integers(0, 12), st.booleans()), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(waits, gaps)
def test_the_backlog_is_that_of_counting_who_waits(told, spans):
    lines = [(0, "first", "CONFIRMED"), (SPAN, "last", "CONFIRMED")]
    for i, (begin, length, ends) in enumerate(told):
        lines.append((begin, f"h{i}", "PENDING"))
        if ends and begin + length <= SPAN:
            lines.append((begin + length, f"h{i}", "CONFIRMED" if i % 2 else "FAILED"))
    frame = pd.DataFrame(lines, columns=["second", "hash", "status"])
    frame["timestamp"] = [at(s) for s in frame["second"]]
    result = analytics.backlog(frame, every="1s", gaps=holes_of(spans))
    hidden = [any(a <= t < a + b for a, b in spans) for t in range(SPAN)]
    want = np.zeros(SPAN)
    for begin, length, ends in told:
        for t in range(begin, begin + length if ends and begin + length <= SPAN else SPAN):
            if hidden[t]:
                break
            want[t] += 1
    np.testing.assert_allclose(result.table["pending"][:SPAN], np.where(hidden, np.nan, want))


edges = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.integers(0, 10**40)), min_size=1, max_size=12
)


@settings(max_examples=40, deadline=None)
@given(edges, st.randoms())
def test_degrees_and_shares_are_those_of_counting_pairs_in_any_order(told, random):
    frame = pd.DataFrame(told, columns=["sender", "recipient", "value_text"]).astype({"value_text": str})
    frame["timestamp"] = [at(i) for i in range(len(frame))]
    order = list(range(len(frame)))
    random.shuffle(order)
    frame = frame.iloc[order]
    table = analytics.address_degrees(frame).table.set_index("address")
    for who, row in table.iterrows():
        out = {r for s, r, _ in told if s == who and r != who}
        into = {s for s, r, _ in told if r == who and s != who}
        sent, received = sum(s == who for s, _, _ in told), sum(r == who for _, r, _ in told)
        want = [len(out), len(into), len(out | into), sent, received]
        assert row.tolist() == want
    top = analytics.top_counterparties(frame.assign(value_unit="base"), by="value", top=2)
    sums = {who: sum(v for s, r, v in told if who in (s, r)) for who in {w for s, r, _ in told for w in (s, r)}}
    assert dict(zip(top.table["address"], top.table["value"], strict=True)) == sums
    total = sum(sums.values())
    if total:
        largest = sum(sorted(sums.values(), reverse=True)[:2])
        assert top.value == pytest.approx(float(Decimal(largest) / Decimal(total)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, SPAN), min_size=2, max_size=12), gaps, ranges)
def test_times_between_events_are_those_of_neighbours_with_no_gap_between(seconds, spans, span):
    frame = pd.DataFrame({"timestamp": [at(s) for s in seconds]})
    result = analytics.interarrival(frame, simulations=100, start=at(span[0]), end=at(span[1]), gaps=holes_of(spans))
    mine = sorted(s for s in seconds if span[0] <= s < span[1])
    kept = [b - a for a, b in itertools.pairwise(mine) if not any(max(a, s) < min(b, s + w) for s, w in spans)]
    assert result.n == len(kept)
    assert result.value == (pytest.approx(np.mean(kept)) if kept else None)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40), st.integers(5, 60), st.integers(1, 25), gaps)
def test_a_steady_stream_has_its_rate_in_every_bin_of_any_range(start, length, every, spans):
    heard = [s for s in range(120) if not any(a <= s < a + b for a, b in spans)]
    frame = pd.DataFrame({"timestamp": [at(s) for s in heard]})
    table = analytics.resample(
        frame, every, how="rate", start=at(start), end=at(start + length), gaps=holes_of(spans), min_coverage=0.01
    ).table
    rates = table["rate_hz"].dropna().to_numpy()
    np.testing.assert_allclose(rates, 1.0)


BAD_NAMES = [
    lambda f: analytics.resample(f, column="coverage"),
    lambda f: analytics.resample(f, column="n"),
    lambda f: analytics.latency(f, column="n"),
    lambda f: analytics.latency(f, column="tps", by="quantile"),
    lambda f: analytics.latency(f, column="tps", by="tps"),
    lambda f: analytics.health_dwell(f, column="seconds"),
    lambda f: analytics.peer_latency(f, by="peers"),
    lambda f: analytics.peers_over_time(f, by="share"),
    lambda f: analytics.align(f, f, names=["a", "b"], columns=[["coverage"], ["tps"]]),
    lambda f: analytics.asof(f, f, tolerance="1s", left_columns=["age_s"], right_columns=["tps"]),
    lambda f: analytics.asof(f, f, tolerance="1s", left_columns=["tps", "tps_right"], right_columns=["tps"]),
]


@pytest.mark.parametrize("call", BAD_NAMES)
def test_a_column_that_the_table_has_itself_is_refused_rather_than_lost(call):
    with pytest.raises(BadOption, match="of its own"):
        call(pd.DataFrame({"timestamp": [at(0), at(1)], "tps": [1.0, 2.0]}).assign(tps_right=1.0, age_s=1.0, n=1.0))
