"""Frames that come twice or late, before any socket is involved."""

from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.node.mischief import Mischief

FRAMES = [b"0", b"1", b"2", b"3", b"4"]


def mischief(**plans):
    made = Mischief()
    for name, count in plans.items():
        setattr(made, name, count)
    return made


def test_the_next_frames_come_twice():
    made = mischief(duplicate=2)
    assert made.apply(FRAMES) == ([b"0", b"0", b"1", b"1", b"2", b"3", b"4"], 2)
    assert made.over


def test_a_frame_comes_after_the_one_that_follows_it():
    made = mischief(reorder=2)
    assert made.apply(FRAMES) == ([b"1", b"0", b"3", b"2", b"4"], 0)
    assert made.over


def test_a_frame_waits_until_another_one_comes():
    made = mischief(reorder=1)
    assert made.apply([b"0"]) == ([], 0)
    assert made.holds and not made.over
    assert made.apply([b"1", b"2"]) == ([b"1", b"0", b"2"], 0)
    assert made.over


def test_a_frame_that_waits_can_be_had_before_the_end():
    made = mischief(reorder=1)
    made.apply([b"0"])
    assert made.release() == [b"0"] and made.release() == [] and made.over


def test_it_can_be_called_off():
    made = mischief(reorder=9, duplicate=9)
    made.apply([b"0"])
    made.forget()
    assert made.apply(FRAMES[1:]) == ([b"1", b"0", b"2", b"3", b"4"], 0)


@given(st.integers(0, 9), st.integers(0, 9), st.lists(st.integers(1, 3), max_size=9))
def test_nothing_is_lost_and_the_repeats_are_counted(duplicate, reorder, sizes):
    made, came, sent, repeats = mischief(duplicate=duplicate, reorder=reorder), [], [], 0
    for size in sizes:
        batch = [b"%d" % (len(came) + i) for i in range(size)]
        came += batch
        out, again = made.apply(batch)
        sent += out
        repeats += again
    sent += made.release()
    assert sorted(set(sent)) == sorted(came) and len(sent) - len(came) == repeats
