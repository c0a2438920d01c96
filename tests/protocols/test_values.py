"""Times and numbers off the wire."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.protocols import values
from aurigraph_nb.protocols.values import Unreadable

NOON = 1_767_268_800_000_000_000


@pytest.mark.parametrize(
    "sent, ns",
    [
        ("2026-01-01T12:00:00Z", NOON),
        ("2026-01-01T12:00:00", NOON),
        ("2026-01-01 12:00:00Z", NOON),
        ("2026-01-01T12:00Z", NOON),
        ("2026-01-01T14:00:00+02:00", NOON),
        ("2026-01-01T06:30:00-0530", NOON),
        ("2026-01-01T13:00:00+01", NOON),
        *((f"2026-01-01T12:00:00.{'123456789'[:d]}Z", NOON + int("123456789"[:d].ljust(9, "0"))) for d in range(1, 10)),
        ("2026-01-01T12:00:00,5z", NOON + 500_000_000),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
        (NOON // 10**9, NOON),
        (NOON // 10**6, NOON),
        (NOON // 10**3, NOON),
        (NOON / 1e9 + 0.25, NOON + 250_000_000),
        (NOON / 1e6 + 0.5, NOON + 500_000),
        (str(NOON // 10**6), NOON),
        ("1767268800.5", NOON + 500_000_000),
        (0, 0),
        (10**11 + 1, (10**11 + 1) * 10**6),
        (10**14 + 1, (10**14 + 1) * 10**3),
    ],
)
def test_times_are_read_in_all_their_forms(sent, ns):
    assert values.time(sent) == ns


@pytest.mark.parametrize(
    "sent",
    ["", "noon", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01T12:00:61Z",
     "2026-01-01T12:00:00.1234567890Z",
     "9999-01-01T00:00:00Z", "0001-01-01T00:00:00", True, None, [], {}, 10**30, -(10**30), 1e300, "9" * 70, 10**11],
)  # fmt: skip
def test_what_is_no_time_is_refused(sent):
    with pytest.raises(Unreadable):
        values.time(sent)


@given(st.datetimes(min_value=dt.datetime(1700, 1, 1), max_value=dt.datetime(2250, 1, 1)))
def test_iso_times_agree_with_the_standard_library(moment):
    aware = moment.replace(tzinfo=dt.UTC)
    expected = (aware - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1) * 1000
    assert values.time(moment.isoformat() + "Z") == values.time(moment.isoformat()) == expected


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.lists(st.integers()))
def test_every_reader_reads_or_refuses_and_does_nothing_else(value):
    for read in (
        values.number,
        values.integer,
        values.text,
        values.word,
        values.transaction_status,
        values.connected_word,
        values.percent,
        values.percent_as_fraction,
        values.fraction_as_percent,
        values.big_integer,
        values.time,
        values.exact_text,
    ):
        try:
            result = read(value)
        except Unreadable:
            continue
        assert result is not None and not isinstance(result, bool)


def test_numbers_are_taken_as_numbers_or_as_text_of_numbers():
    assert values.number("12.5") == 12.5 and values.number(3) == 3.0 and values.number("-1e3") == -1000
    assert values.integer("12") == 12 and values.integer(12.0) == 12
    assert values.percent("5.0 %") == 5 and values.percent_as_fraction("50%") == 0.5
    assert values.text(5) == "5" and values.word(" jailed ") == "JAILED"
    assert values.big_integer("123") == 123
    for read, bad in (
        (values.integer, 12.5),
        (values.integer, 2**63),
        (values.number, "12 apples"),
        (values.number, 10**400),
        (values.text, 1.5),
        (values.text, 10**400),
        (values.connected_word, "yes"),
        (values.big_integer, "1.5"),
        (values.big_integer, 10**38),
    ):
        with pytest.raises(Unreadable):
            read(bad)


def test_json_text_takes_integers_of_any_size():
    assert values.json_text({"a": 10**30}) == '{"a":1000000000000000000000000000000}'
    assert values.json_text({"a": [1, None]}) == '{"a":[1,null]}'
    assert "too many digits" in values.json_text({"a": 10**5000})
