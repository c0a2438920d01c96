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
from aurigraph_nb.durations import nanoseconds, parse_time, seconds
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


def test_the_examples_in_the_docstrings_run():
    assert doctest.testmod(durations).failed == 0
