"""Tokens in requests: where they are looked for, and what they are worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.node.tokens import Tokens, Verdict

GOOD = Tokens(["sesame", "barley=="])


def judge(target="/ws/metrics", authorization=(), cookies=(), tokens=GOOD):
    return tokens.judge(target, authorization, cookies)


def test_where_none_is_needed_none_is_looked_at():
    assert judge(authorization=["Bearer wrong"], tokens=Tokens()) is Verdict.OPEN


@pytest.mark.parametrize(
    "where",
    [
        {"authorization": ["Bearer sesame"]},
        {"authorization": ["bearer   sesame "]},
        {"authorization": ["Basic abc", "Bearer barley=="]},
        {"target": "/ws?token=sesame"},
        {"target": "/ws?a=1&token=sesame&b"},
        {"target": "/ws?token=barley%3D%3D"},
        {"cookies": ["token=sesame"]},
        {"cookies": ['a=1; token="barley%3D%3D"; b']},
        {"authorization": ["Bearer wrong"], "cookies": ["token=sesame"]},
    ],
)
def test_it_may_stand_in_three_places(where):
    assert judge(**where) is Verdict.GRANTED


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"authorization": ["Basic sesame", "Bearer", ""]},
        {"target": "/ws?tokens=sesame&Token=sesame"},
        {"cookies": ["auth=sesame", "token", ";;"]},
    ],
)
def test_elsewhere_it_is_not_seen(where):
    assert judge(**where) is Verdict.MISSING


@pytest.mark.parametrize(
    "where",
    [
        {"authorization": ["Bearer sesam"]},
        {"authorization": ["Bearer sesame sesame"]},
        {"target": "/ws?token=SESAME"},
        {"target": "/ws?token=" + "s" * 100_000},
        {"cookies": ["token=%00"]},
    ],
)
def test_a_wrong_one_is_told_from_none(where):
    assert judge(**where) is Verdict.WRONG


def test_not_any_number_is_tried():
    assert judge("/ws?" + "&".join(["token=x"] * 8) + "&token=sesame") is Verdict.WRONG
    assert judge("/ws?" + "&".join(["a=1"] * 200) + "&token=sesame") is Verdict.MISSING


@given(st.text(), st.lists(st.text()), st.lists(st.text()), st.none() | st.text() | st.integers() | st.lists(st.text()))
def test_whatever_is_presented_is_survived(target, authorization, cookies, token):
    assert judge(target, authorization, cookies) in Verdict
    assert not GOOD.accepts(token)
