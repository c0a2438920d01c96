"""Values as a front end may have them: bounded, finite, exact, and never markup."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.widgets.cells import MAX_TEXT, full, milliseconds, number, percent, short, text
from aurigraph_nb.widgets.labels import label_of, unit_of


@pytest.mark.parametrize(
    "value, expected",
    [
        (8_512_345.2, "8.51M"),
        (0, "0"),
        (7, "7"),
        (7.25, "7.25"),
        (999.4, "999"),
        (999.96, "1.00k"),
        (1_000, "1.00k"),
        (12_345, "12.3k"),
        (999_960, "1.00M"),
        (2.5e9, "2.50B"),
        (4e15, "4000T"),
        (-1_500, "-1.50k"),
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_the_short_form_has_three_digits_and_a_letter(value, expected):
    assert short(value) == expected


def test_the_full_form_has_all_digits_and_the_unit():
    assert full(8_512_345.25, "tx/s") == "8,512,345.25 tx/s"
    assert full(2**70) == "1,180,591,620,717,411,303,424"
    assert full(None) == full(math.nan) == "not known"


def test_percentages_have_their_sign():
    assert (percent(0.254, 2), percent(104.2), percent(-3.0), percent(math.nan)) == ("0.25%", "104.2%", "-3.0%", "–")


def test_large_integers_travel_as_exact_text():
    assert number(2**53 - 1) == 2**53 - 1
    assert number(2**53) == str(2**53)
    assert number(-(10**30)) == "-1" + "0" * 30


def test_what_is_not_finite_travels_as_nothing():
    assert [number(math.nan), number(math.inf), number(1e308, scale=1e10)] == [None, None, None]


def test_long_text_is_cut_with_an_ellipsis():
    assert text("a" * 10_000) == "a" * (MAX_TEXT - 1) + "…"


def test_a_lone_surrogate_does_not_reach_the_message():
    assert text("a\ud800b") == "a?b"


def test_times_travel_as_milliseconds():
    assert milliseconds(1_767_225_600_123_456_789) == 1_767_225_600_123.457
    assert milliseconds(None) is None


@given(st.one_of(st.floats(), st.integers()), st.floats(1e-6, 1e6), st.none() | st.integers(0, 6))
def test_any_number_makes_valid_json(value, scale, digits):
    json.dumps(number(value, scale, digits), allow_nan=False)


@given(st.text(st.characters()))
def test_any_text_makes_a_valid_message(value):
    assert len(text(value).encode()) <= 4 * MAX_TEXT


def test_the_unit_stands_in_the_name_of_a_column():
    names = ["cpu_percent", "latency_ms", "memory_mb", "uptime_s", "inbound_bytes", "round", "tps", "s"]
    assert [unit_of(n) for n in names] == ["%", "ms", "MB", "s", "bytes", "", "tx/s", ""]
    assert [label_of(n) for n in names[:3]] == ["CPU", "Latency", "Memory"]
