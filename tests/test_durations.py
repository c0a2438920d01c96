"""The one rule for durations and the one for times."""

import datetime as dt
import doctest
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb import durations
from aurigraph_nb.durations import nanoseconds, parse_time, seconds, time_within
from aurigraph_nb.errors import BadOption, BadOptionType

NEW_YEAR = 1_767_225_600_000_000_000


@pytest.mark.parametrize(
    "given_value, expected_s",
    [
        (0, 0.0),
        (1.5, 1.5),
        (np.int64(3), 3.0),
        (np.float32(0.5), 0.5),
        ("5min", 300.0),
        ("1h30m", 5400.0),
        ("250ms", 0.25),
        ("PT5M", 300.0),
        ("1 day", 86_400.0),
        (dt.timedelta(minutes=2), 120.0),
        (np.timedelta64(5, "s"), 5.0),
        (pd.Timedelta("2s"), 2.0),
    ],
)
def test_numbers_are_seconds_and_texts_are_read_as_pandas_does(given_value, expected_s):
    assert seconds(given_value) == expected_s


def test_a_text_that_is_only_a_number_is_seconds_too():
    assert seconds("10") == 10.0
    assert seconds(" 0.25 ") == 0.25


def test_nanoseconds_of_an_int_are_exact_beyond_the_reach_of_floats():
    assert nanoseconds(9_007_199_255) == 9_007_199_255_000_000_000


BAD_DURATIONS = [math.nan, math.inf, "nan", "-inf", -1, "-5s", "", "NaT", "soon", "300y", 1e12, "1e30", 1e300, 10**400]


@pytest.mark.parametrize("bad", BAD_DURATIONS)
def test_what_is_no_duration_is_refused_by_name_and_value(bad):
    with pytest.raises(BadOption) as caught:
        seconds(bad, option="timeout")
    assert f"timeout={bad!r}" in str(caught.value)


def test_a_timedelta_beyond_292_years_is_refused():
    with pytest.raises(BadOption, match="292 years"):
        seconds(dt.timedelta(days=999_999))


@pytest.mark.parametrize("bad", [None, True, object(), [1], dt.datetime(2026, 1, 1)])
def test_a_type_that_is_no_duration_is_a_type_error(bad):
    with pytest.raises(BadOptionType, match="every="):
        seconds(bad, option="every")
    with pytest.raises(TypeError):
        seconds(bad)


@given(st.floats(min_value=0, max_value=1e9))
def test_any_finite_number_of_seconds_comes_back(number):
    assert seconds(number) == pytest.approx(number, rel=1e-12, abs=1e-9)


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.timedeltas() | st.binary())
def test_whatever_is_given_the_answer_is_a_duration_or_a_bad_option(value):
    try:
        answer = nanoseconds(value)
    except BadOption:
        return
    assert answer >= 0


@pytest.mark.parametrize(
    "given_value",
    [
        "2026-01-01",
        "2026-01-01T00:00:00Z",
        "2026-01-01 02:00+02:00",
        dt.datetime(2026, 1, 1),
        dt.datetime(2026, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        dt.date(2026, 1, 1),
        np.datetime64("2026-01-01"),
        pd.Timestamp("2026-01-01", tz="UTC"),
        pd.Timestamp("2025-12-31 19:00", tz="America/New_York"),
        NEW_YEAR,
        np.int64(NEW_YEAR),
    ],
)
def test_every_spelling_of_a_time_gives_the_same_nanoseconds(given_value):
    assert parse_time(given_value) == NEW_YEAR


def test_nine_digits_of_a_second_are_kept():
    assert parse_time("2026-01-01T00:00:00.123456789") == NEW_YEAR + 123_456_789


@pytest.mark.parametrize("bad", ["", "NaT", "2026-13-01", "tomorrow-ish", "10", "9999-01-01", 2**63])
def test_what_is_no_time_is_refused_by_name_and_value(bad):
    with pytest.raises(BadOption) as caught:
        parse_time(bad, option="start")
    assert f"start={bad!r}" in str(caught.value)


@pytest.mark.parametrize("word", ["now", "today", " NOW "])
def test_words_that_hang_on_the_local_clock_are_refused(word):
    with pytest.raises(BadOption, match="depends on the clock"):
        parse_time(word)


@pytest.mark.parametrize("bad", [None, 1.5, True, object(), dt.time(12)])
def test_a_type_that_is_no_time_is_a_type_error(bad):
    with pytest.raises(BadOptionType, match="start="):
        parse_time(bad, option="start")


@pytest.mark.parametrize("bad", ["00:00:30", "12:30", "5:30 pm", "10:00Z", "T10:00", "1:02:03.5", " 7:05 "])
def test_a_time_of_day_without_a_day_is_not_taken_for_one_of_today(bad):
    with pytest.raises(BadOption, match="names no day"):
        parse_time(bad)


FIRST, LAST = NEW_YEAR, NEW_YEAR + 90_000_000_000
"""A recording of a minute and a half."""


@pytest.mark.parametrize(
    "told, after_s",
    [
        ("00:00:30", 30),
        ("0:01", 60),
        ("00:00:00.5", 0.5),
        ("30s", 30),
        ("1min 5s", 65),
        ("1m5s", 65),
        ("30", 30),
        (dt.timedelta(seconds=30), 30),
        (np.timedelta64(30, "s"), 30),
        (pd.Timedelta("30s"), 30),
        ("-30s", 60),
        ("-00:00:30", 60),
        (dt.timedelta(seconds=-30), 60),
        ("0s", 0),
        ("90s", 90),
        ("-90s", 0),
        ("2026-01-01 00:00:30", 30),
        (pd.Timestamp("2026-01-01 00:01:30", tz="UTC"), 90),
        (NEW_YEAR + 1_000_000_000, 1),
    ],
)
def test_a_time_in_a_recording_can_be_told_from_its_start_or_its_end(told, after_s):
    assert time_within(told, FIRST, LAST) == FIRST + round(after_s * 1e9)


@pytest.mark.parametrize("number, after_s", [(0, 0), (30, 30), (0.25, 0.25), (-30, 60), (np.float64(30), 30), (90, 90)])
def test_where_numbers_are_seconds_they_count_from_the_start_and_negative_ones_from_the_end(number, after_s):
    assert time_within(number, FIRST, LAST, numbers=True) == FIRST + round(after_s * 1e9)


def test_what_a_float_lost_by_rounding_does_not_lie_outside():
    assert time_within(90.0000000001, FIRST, LAST, numbers=True) == LAST


@pytest.mark.parametrize(
    "told, reading",
    [
        ("1999-01-01", "1999-01-01 00:00:00 UTC lies outside"),
        ("91s", "91 s after its start lies outside"),
        ("-00:02", "120 s before its end lies outside"),
        (120, "120 s after its start"),
        (-90.5, "90.5 s before its end"),
        ("2000", "2000-01-01 00:00:00 UTC lies outside"),
    ],
)
def test_a_time_outside_is_refused_with_how_it_was_read_and_what_there_is(told, reading):
    with pytest.raises(BadOption) as caught:
        time_within(told, FIRST, LAST, option="start", numbers=True)
    words = str(caught.value)
    assert words.startswith(f"start={told!r}: {reading}")
    assert "from 2026-01-01 00:00:00 UTC to 2026-01-01 00:01:30 UTC (90 s)" in words
    assert "'30s'" in words and "negative ones count back from its end" in words


@pytest.mark.parametrize("value", ["30s", "5min", "-30s", "1h30m", "2 days"])
def test_a_duration_where_nothing_begins_is_called_one(value):
    with pytest.raises(BadOption, match="is a duration, and here is no start to count from; expected one such as"):
        parse_time(value)


def test_where_times_outside_are_allowed_those_from_the_start_are_not():
    assert time_within("2025-01-01", FIRST, LAST, inside=False) < FIRST
    with pytest.raises(BadOption, match="91 s after its start"):
        time_within("91s", FIRST, LAST, inside=False)


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.timedeltas() | st.fractions())
def test_whatever_is_given_the_answer_lies_inside_or_is_a_bad_option(value):
    try:
        answer = time_within(value, FIRST, LAST, numbers=True)
    except BadOption:
        return
    assert FIRST <= answer <= LAST


def test_the_examples_in_the_docstrings_run():
    assert doctest.testmod(durations).failed == 0
