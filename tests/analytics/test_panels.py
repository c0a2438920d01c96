"""Streams of several units are drawn in a panel each; those of one unit share one."""

import json

import numpy as np
import pandas as pd
import pytest

from aurigraph_nb import analytics
from aurigraph_nb.analytics.panels import by_unit, unit_of


def stream(**columns):
    times = pd.date_range("2026-01-01", periods=6, freq="1s", tz="UTC")
    return pd.DataFrame({"timestamp": times, **{name: np.arange(6.0) + i for i, name in enumerate(columns)}})


def test_each_unit_has_a_panel_with_its_name_and_gaps_are_shaded_in_all(gap):
    a, b = stream(tps=1, cpu_percent=2), stream(memory_percent=1, latency_ms=2, round=3)
    figure = analytics.align(a, b, names=["m", "c"], gaps=[gap((1, 2)), None]).plot()
    axes = {line.name: line.yaxis for line in figure.data}
    assert axes["m.cpu percent"] == axes["c.memory percent"]
    assert len(set(axes.values())) == 4
    titles = [figure.layout[name].title.text for name in ("yaxis", "yaxis2", "yaxis3", "yaxis4")]
    assert titles == ["tps (tx/s)", "%", "latency (ms)", "round"]
    domains = [figure.layout[name].domain for name in ("yaxis4", "yaxis3", "yaxis2", "yaxis")]
    edges = [edge for domain in domains for edge in domain]
    assert edges == sorted(edges) and (edges[0], edges[-1]) == pytest.approx((0, 1))
    shapes = json.loads(figure.to_json())["layout"]["shapes"]
    assert shapes and all(shape["yref"] == "paper" for shape in shapes)
    assert figure.layout.xaxis.anchor == "y4" and figure.layout.height > 700


def test_streams_of_one_unit_share_one_panel_that_names_it():
    figure = analytics.align(stream(tps=1), stream(tps=1), names=["a", "b"]).plot()
    assert {line.yaxis for line in figure.data} == {None} and figure.layout.yaxis.title.text == "tps (tx/s)"


def test_nothing_in_common_is_said_and_not_drawn():
    late = stream(round=1).assign(timestamp=pd.date_range("2027-01-01", periods=6, freq="1s", tz="UTC"))
    figure = analytics.align(stream(tps=1), late, names=["a", "b"]).plot()
    assert not figure.data and "share no time" in figure.layout.annotations[0].text


def test_names_from_the_data_are_not_markup_in_a_title():
    figure = analytics.align(stream(**{"<b>": 1}), stream(tps=1), names=["a", "b"]).plot()
    assert figure.layout.yaxis.title.text == "&lt;b&gt;"


@pytest.mark.parametrize(
    "column, unit",
    [
        ("error_rate", ""),
        ("uptime_percent", "%"),
        ("memory_mb", "MB"),
        ("duration_s", "s"),
        ("tokens_per_s", ""),
        ("s", ""),
    ],
)
def test_units_are_read_from_the_names_of_columns(column, unit):
    assert unit_of(column) == unit


def test_columns_without_a_unit_share_a_panel_by_name_alone():
    assert by_unit(["a.round", "b.round", "b.epoch"]) == {"round": ["a.round", "b.round"], "epoch": ["b.epoch"]}
