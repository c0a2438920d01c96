"""Which rows a chart is about."""

import numpy as np
import pytest

from aurigraph_nb.schema import Metrics
from aurigraph_nb.widgets import windows
from aurigraph_nb.widgets.windows import Window, rows_between

from .doubles import START_NS, FakeTopic

START_MS = START_NS / 1e6


@pytest.fixture
def topic():
    return FakeTopic("metrics", Metrics)


def fill(topic, count):
    for i in range(count):
        topic.put(tps=float(i))


def tps(table):
    return table.column("tps").to_pylist()


def test_a_number_of_rows_is_the_newest_ones(topic):
    fill(topic, 20)
    series, following = Window(["tps"], last_s=None, points=5).read(topic.store)
    assert series.values.tolist() == [[15, 16, 17, 18, 19]]
    assert following == 20


def test_a_span_of_time_is_found_however_far_back_it_begins(topic, monkeypatch):
    monkeypatch.setattr(windows, "FIRST_LOOK", 4)
    fill(topic, 300)
    window = Window(["tps"], last_s=200.0, points=10)
    series, _ = window.read(topic.store)
    assert series.values[0, [0, -1]].tolist() == [99, 299]
    assert tps(window.table(topic.store))[0] == 99


def test_a_short_span_of_a_long_store_reads_little_of_it(topic, monkeypatch):
    monkeypatch.setattr(windows, "FIRST_LOOK", 16)
    fill(topic, 500)
    assert Window(["tps"], last_s=3.0, points=10).rows(topic.store).first == 484


def test_a_span_longer_than_the_store_is_all_of_it(topic):
    fill(topic, 5)
    assert len(Window(["tps"], last_s=1e9, points=10).read(topic.store)[0]) == 5


def test_an_empty_store_has_no_window(topic):
    window = Window(["tps"], last_s=5.0, points=10)
    assert len(window.read(topic.store)[0]) == 0
    assert window.table(topic.store).num_rows == 0


def test_a_portion_gets_its_share_of_the_points(topic):
    fill(topic, 101)
    by_time = Window(["tps"], last_s=1000.0, points=10)
    series, _ = by_time.read(topic.store)
    assert by_time.share(series, None, 2000) == 200
    assert by_time.share(series, START_MS + 50_000, 2000) == 100
    by_rows = Window(["tps"], last_s=None, points=1010)
    assert by_rows.share(series, None, 2000) == 200


def test_a_range_is_exact_and_its_neighbours_come_when_asked_for(topic):
    fill(topic, 10)
    span = (START_MS + 3000, START_MS + 5000)
    assert tps(rows_between(topic.store, ["timestamp", "recv_ns", "tps"], *span)) == [3, 4, 5]
    assert tps(rows_between(topic.store, ["timestamp", "recv_ns", "tps"], *span, neighbours=True)) == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("span, rows", [((3100, 3200), [3, 4]), ((-500, -100), [0]), ((99_000, 99_100), [9])])
def test_a_range_between_two_rows_has_the_rows_around_it(topic, span, rows):
    fill(topic, 10)
    columns = ["timestamp", "recv_ns", "tps"]
    start, end = (START_MS + ms for ms in span)
    assert tps(rows_between(topic.store, columns, start, end)) == []
    assert tps(rows_between(topic.store, columns, start, end, neighbours=True)) == rows


def test_rows_out_of_order_stay_in_order_of_arrival(topic):
    for second in (0, 2, 1, 3):
        topic.put(tps=float(second), timestamp=START_NS + second * 1_000_000_000)
    found = rows_between(topic.store, ["timestamp", "recv_ns", "tps"], START_MS + 1000, START_MS + 2000)
    assert tps(found) == [2, 1]
    assert np.array(tps(found)).max() == 2
