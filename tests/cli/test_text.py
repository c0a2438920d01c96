"""Text from the network on a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.cli.text import hide, plain


def test_escape_sequences_and_text_direction_do_not_reach_the_terminal():
    assert "\x1b" not in plain("a\x1b[2Jb") and "\u202e" not in plain("a\u202eb")
    assert plain("two\nlines\tand a tab") == "two lines and a tab"


def test_a_long_text_is_cut_with_a_mark():
    assert plain("x" * 1_000, limit=10) == "x" * 9 + "…"


@given(st.text(), st.integers(1, 50))
def test_whatever_comes_one_printable_line_of_bounded_length_goes_out(text, limit):
    line = plain(text, limit)
    assert line.isprintable() and len(line) <= limit


def test_secrets_are_blotted_out_even_where_one_holds_another():
    assert hide("token abcdef refused, abc too", {"abc", "abcdef"}) == "token … refused, … too"
