"""What things print as: a useful line or a few, bounded, without secrets, and hostile text made harmless."""

import math

import msgspec
import pytest

import aurigraph_nb as ag
from aurigraph_nb.connections import SHOWN, Connections
from aurigraph_nb.dispatch import CallbackErrors
from aurigraph_nb.frames import HTML_ROWS
from aurigraph_nb.gaps import Cause, Certainty, Gap, GapBook
from aurigraph_nb.hooks import Hooks
from aurigraph_nb.missing import Gaps
from aurigraph_nb.reading import info as infos
from aurigraph_nb.session import State
from aurigraph_nb.state import VIEWS
from aurigraph_nb.status import ConnectionRecord

S = 1_000_000_000
T0 = 1_767_225_600 * S
HOSTILE = "<img src=x onerror=alert(1)>\x1b[2J\u202e\n token=S3CRET-0123456789 " + "x" * 10_000
LIMIT_S = 30


@pytest.fixture(scope="module")
def rec():
    return ag.sample("outage", duration="3min", seed=7)


@pytest.fixture(scope="module")
def feed(rec):
    with ag.replay(rec, speed="max") as feed:
        feed.join(timeout=LIMIT_S)
        yield feed


def gaps_of(*gaps):
    book = GapBook(keep=1_000)
    for gap in gaps:
        book.add(gap)
    return Gaps(book)


def gap(topic="metrics", at_s=0, for_s=2.5, cause=Cause.DISCONNECT):
    end_ns = None if for_s is None else T0 + round((at_s + for_s) * S)
    return Gap(topic, cause, Certainty.UNKNOWN, T0 + at_s * S, end_ns, detail=HOSTILE)


def connection(n=0, **changed):
    usual = {
        "feed": f"feed {n}",
        "endpoint": "metrics",
        "url": "ws://h",
        "protocol": "portal",
        "state": State.CONNECTED,
    }
    usual |= {"attempts": 0, "reconnects": 0, "last_error": None, "last_connected_ns": None, "quality": None}
    usual |= {"last_disconnected_ns": None, "next_try_ns": None, "latency_ms": 12.3, "messages": 1_234}
    return ConnectionRecord(**(usual | changed))


def connections_of(*records):
    return Connections(records, Hooks(CallbackErrors()))


def harmless(text, lines=1, chars=600):
    """One or few lines of a bounded length, nothing that moves a cursor, and no secret."""
    assert len(text.splitlines()) <= lines and len(text) <= chars, text
    assert text.replace("\n", "").isprintable() and "S3CRET" not in text
    return True


# ---- topics, recordings, gaps


def test_a_topic_tells_its_rows_its_last_time_and_its_gaps(feed, rec):
    rows, gaps = len(feed.metrics), sum(gap.topic == "metrics" for gap in feed.gaps)
    assert repr(feed.metrics) == f"<Topic metrics: {rows} rows, last 2026-01-01 00:02:59 UTC, {gaps} gaps>"
    assert repr(rec.metrics) == f"<Topic metrics: {rows} rows recorded, {gaps} gaps>"


def test_printing_a_topic_opens_nothing_and_says_so():
    with ag.simulate(seed=7) as live:
        assert repr(live.metrics) == "<Topic metrics: not open, 0 rows>"
        assert not live.metrics.opened
        live.metrics.wait(1, timeout=LIMIT_S)
        live.metrics.unsubscribe()
        assert repr(live.metrics).startswith("<Topic metrics: 1 row, last 20")


def test_a_topic_of_a_hostile_name_is_harmless():
    with ag.simulate(protocol="channels", seed=7) as live:
        assert harmless(repr(live[HOSTILE[:100]]), chars=120)


def test_a_recording_tells_its_rows_its_span_and_its_topics(rec):
    rows = sum(len(topic) for topic in rec)
    assert f": {rows:,} rows, 2026-01-01 00:00:00 UTC to 2026-01-01 00:02:59" in repr(rec)
    assert repr(rec).endswith("of metrics, transactions, validators, consensus, network>")
    assert harmless(repr(rec))


def test_gaps_tell_how_many_why_and_the_last():
    assert repr(gaps_of()) == "<Gaps: none>"
    found = gaps_of(gap(), gap("network", 5, None, Cause.IDLE), gap("metrics", 1))
    assert repr(found) == (
        "<Gaps: 3 (1 still open): disconnect 2, idle 1; the last: network, from 2026-01-01 00:00:05 UTC and still open>"
    )
    assert repr(gaps_of(gap(HOSTILE))).endswith("from 2026-01-01 00:00:00 UTC for 2.5 s>")
    assert harmless(repr(gaps_of(*(gap(HOSTILE, n) for n in range(500)))))


@pytest.mark.parametrize("shown", ["gaps", "connections", "stats"])
def test_the_tables_of_a_notebook_are_bounded_and_markup_in_them_is_text(shown, feed):
    many = {
        "gaps": gaps_of(*(gap(HOSTILE[:300], n) for n in range(100))),
        "connections": connections_of(*(connection(n, feed=HOSTILE[:300]) for n in range(100))),
        "stats": feed.stats(),
    }[shown]
    html = many._repr_html_()
    assert html.count("<tr") <= HTML_ROWS + 3
    assert "<img" not in html and "mathjax_ignore" in html
    assert ("80 more rows" in html) == (shown != "stats")
    assert f"<strong>{shown.capitalize()}: " in html and repr(many).startswith(f"<{shown.capitalize()}: ")


# ---- connections, alerts, callbacks


def test_connections_are_listed_with_what_is_wrong_with_them():
    down = connection(1, state=State.RECONNECTING, reconnects=2, latency_ms=None, last_error=HOSTILE)
    text = repr(connections_of(connection(), down))
    first, up, other = text.splitlines()
    assert first == "<Connections: 1 of 2 active, DEGRADED"
    assert up == "  CONNECTED     feed 0 metrics: 1,234 messages, 12 ms"
    assert other.startswith("  RECONNECTING  feed 1 metrics: 1,234 messages, 2 reconnects, <img src=x")
    assert harmless(text, lines=3)


def test_of_many_connections_the_first_are_listed():
    text = repr(connections_of(*(connection(n, feed=HOSTILE) for n in range(100))))
    assert len(text.splitlines()) == SHOWN + 2 and text.endswith(f"… and {100 - SHOWN} more in to_pandas()>")
    assert harmless(text, lines=SHOWN + 2, chars=1_500)


def test_errors_of_callbacks_are_told():
    errors = CallbackErrors()
    assert repr(errors) == "<CallbackErrors: none>"
    errors.add(lambda: None, ValueError(HOSTILE))
    assert repr(errors).startswith("<CallbackErrors: 1, the last: ") and harmless(repr(errors))


# ---- states and reports


@pytest.mark.parametrize("record", VIEWS, ids=lambda record: record.__name__)
def test_every_state_has_a_line_before_and_after_it_was_told_something_hostile(record):
    state = VIEWS[record]()
    assert " object at 0x" not in repr(state) and harmless(repr(state))
    fields = {f.name: f.type for f in msgspec.structs.fields(record)}
    texts = {name: HOSTILE for name, kind in fields.items() if "str" in str(kind) and name != "extra"}
    numbers = {name: math.nan for name, kind in fields.items() if "float" in str(kind)}
    for n in range(3):
        state.apply(record(recv_ns=T0 + n, conn_epoch=1, n=n, **texts, **numbers))
    assert repr(state).startswith(f"<{type(state).__name__}: ") and harmless(repr(state))


def test_a_report_of_a_recording_is_bounded_and_its_lines_are_printable(rec):
    told = rec.info()
    many = msgspec.structs.replace(
        told,
        id=HOSTILE,
        topics=tuple(msgspec.structs.replace(told.topics[0], name=f"{n}\x1b[2J") for n in range(1_000)),
        recorders=tuple(msgspec.structs.replace(told.recorders[0], url=HOSTILE, id=str(n)) for n in range(1_000)),
    )
    lines = str(many).splitlines()
    assert repr(many) == str(many) and len(lines) < 2 * infos.SHOWN + 20
    assert all(line.isprintable() and len(line) <= infos.LINE_CHARS for line in lines)
    assert (
        "  … and 950 more topics; to_dict() has all" in lines
        and "  … and 950 more recorders; to_dict() has all" in lines
    )
    assert "  metrics                116 rows               0 bytes      4 gaps" in str(told).splitlines()
