"""The outline of a line: exact extremes, breaks kept, never more points than asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.widgets.downsample import outline

NAN = float("nan")


def test_few_points_all_stay():
    assert outline(np.array([[1.0, 2.0, 3.0]]), 3).tolist() == [0, 1, 2]


def test_peaks_breaks_and_ends_stay():
    values = np.zeros((1, 10_000))
    values[0, [1234, 5678, 7777]] = 99.0, -99.0, NAN
    kept = outline(values, 200)
    assert {0, 1234, 5678, 7777, 9999} <= set(kept.tolist())
    assert len(kept) <= 200


def test_too_many_breaks_leave_one_a_stretch():
    values = np.zeros((1, 10_000))
    values[0, ::2] = NAN
    kept = outline(values, 300)
    broken = np.isnan(values[0, kept]).sum()
    assert 90 <= broken <= 201
    assert len(kept) <= 300


@given(
    st.lists(st.floats(-1e9, 1e9) | st.just(NAN), min_size=1, max_size=500),
    st.integers(1, 3),
    st.integers(12, 80),
)
def test_no_more_than_asked_for_and_the_extremes_of_every_line(values, lines, points):
    full = np.array([np.roll(values, 3 * i) for i in range(lines)])
    kept = outline(full, points)
    assert len(kept) <= points
    assert (np.diff(kept) > 0).all()
    for line in full:
        if not np.isnan(line).all():
            assert np.nanmax(line[kept]) == np.nanmax(line)
            assert np.nanmin(line[kept]) == np.nanmin(line)


@pytest.mark.parametrize("points", [500, 1_500, 2_000, 4_000])
def test_a_million_points_fit(points):
    rng = np.random.default_rng(7)
    values = rng.normal(size=(1, 1_000_000)).cumsum(axis=1)
    kept = outline(values, points)
    assert points * 0.9 <= len(kept) <= points
    assert values[0, kept].max() == values.max()
    assert values[0, kept].min() == values.min()
