"""Average and peak over a moving window."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.widgets import rolling
from aurigraph_nb.widgets.rolling import Rolling

portions = st.lists(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), max_size=30), min_size=1, max_size=8)


@pytest.mark.parametrize("kind", ["time", "rows"])
@given(portions=portions, piece=st.integers(1, 7), window=st.integers(1, 40))
def test_it_agrees_with_all_values_of_the_window_at_once(kind, portions, piece, window):
    whole = rolling.PIECE
    rolling.PIECE = piece
    try:
        made = Rolling(last_s=window / 1e3) if kind == "time" else Rolling(points=window)
        times, seen = np.zeros(0), np.zeros(0)
        for values in portions:
            new = np.arange(len(times), len(times) + len(values), dtype=float)
            made.add(new, np.array(values, dtype=float))
            times, seen = np.append(times, new), np.append(seen, values)
        valid = ~np.isnan(seen)
        times, seen = times[valid], seen[valid]
        inside = times >= times[-1] - window if kind == "time" and len(times) else slice(-window, None)
        expected = seen[inside]
        assert made.count == len(expected)
        if len(expected):
            assert made.mean == pytest.approx(expected.mean(), rel=1e-9, abs=1e-6)
            assert made.peak == expected.max()
            assert made.peak_ms == times[inside][expected.argmax()]
    finally:
        rolling.PIECE = whole


def test_without_values_there_is_no_figure():
    made = Rolling(last_s=1.0)
    made.add(np.array([1.0]), np.array([float("nan")]))
    assert (made.count, made.mean, made.peak, made.peak_ms) == (0, None, None, None)


def test_a_restart_forgets():
    made = Rolling(points=5)
    made.add(np.array([1.0]), np.array([2.0]))
    made.restart()
    assert made.count == 0
