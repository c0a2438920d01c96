import dataclasses
import json
import re
from decimal import Decimal

import pandas as pd
import pytest

from aurigraph_nb.analytics.plots import DASHES, PALETTE, Chart
from aurigraph_nb.analytics.result import Result, number, reading

HOSTILE = '<img src=x onerror="alert(1)">'


def make(table=None, **more):
    table = pd.DataFrame({"x": [1, 2], "y": [3.0, 4.0]}) if table is None else table
    return Result("Mean", 3.5, "tx/s", table, "Mean: 3.5 tx/s; n = 2 rows", **more)


def test_the_repr_is_the_reading_and_nothing_else():
    assert repr(make(notes=("a note",))) == "Mean: 3.5 tx/s; n = 2 rows"


def test_a_result_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().value = 4


def test_text_of_the_data_is_shown_as_text():
    table = pd.DataFrame({HOSTILE: [HOSTILE]})
    result = dataclasses.replace(make(table), reading=HOSTILE, notes=(HOSTILE,))
    shown = result._repr_mimebundle_()
    assert "<img" not in shown["text/html"]
    assert shown["text/html"].count("&lt;img") == 4
    assert shown["text/plain"].splitlines() == [HOSTILE, f"  {HOSTILE}"]


def test_a_notebook_shows_the_first_rows_and_says_how_many_are_left():
    shown = make(pd.DataFrame({"x": range(1_000)}))._repr_mimebundle_()["text/html"]
    assert shown.count("<tr") == 11 and "990 more rows" in shown


def test_the_numbers_of_a_table_are_shown_as_people_read_them():
    table = pd.DataFrame(
        {
            "tps": [1131610.0, 2.33],
            "p_value": [3.097078e-63, 1.0],
            "bytes": [38555211, 7],
            "low_ms": [float("nan"), 0.0333333333],
            "sum": [Decimal("64266081460412896520005"), Decimal(1)],
        }
    )
    cells = re.findall("<td>(.*?)</td>", make(table)._repr_mimebundle_()["text/html"])
    assert cells[:5] == ["1,131,610", "3.09708e-63", "38,555,211", "–", "64266081460412896520005"]
    assert cells[5:] == ["2.33", "1", "7", "0.0333333", "1"]


@pytest.mark.parametrize(
    "value, shown",
    [
        (None, "unknown"),
        (float("nan"), "unknown"),
        (0, "0"),
        (-0.5, "-0.5"),
        (3.0, "3"),
        (1234567, "1,234,567"),
        (1345678.9, "1,345,700"),
        (0.000123456, "0.00012346"),
        (Decimal("12345678901234567890123"), "12,345,678,901,234,567,890,123"),
        (1.5e300, "1.5e+300"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_are_short_and_exact_where_they_are_whole(value, shown):
    if isinstance(value, Decimal):
        value = int(value)
    assert number(value) == shown


def test_a_reading_says_why_there_is_no_number():
    assert reading("Gini", None, "", 1, None, of="member", why="one member") == (
        "Gini: unknown (one member); n = 1 member"
    )


def test_a_figure_has_no_ground_of_its_own_and_tells_lines_apart_twice():
    times = pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True)
    table = pd.DataFrame({"t": times, "a": [1.0, 2.0], "b": [2.0, 1.0]})
    chart = Chart("line", "t", ("a", "b"), x_title="UTC", y_title="tx/s", holes=((0, 10**9),), marks=(times[0],))
    figure = make(table, chart=chart).plot()
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert [line.line.color for line in figure.data] == list(PALETTE[:2])
    assert [line.line.dash for line in figure.data] == list(DASHES[:2])
    assert figure.layout.yaxis.title.text == "tx/s"
    shade, mark = json.loads(figure.to_json())["layout"]["shapes"]
    assert (shade["type"], shade["x0"], shade["x1"]) == (
        "rect",
        "1970-01-01T00:00:00.000000",
        "1970-01-01T00:00:01.000000",
    )
    assert (mark["type"], mark["x0"]) == ("line", "2026-01-01T00:00:00.000000")


def test_names_from_the_data_are_not_markup_in_a_figure():
    table = pd.DataFrame({"id": [HOSTILE], "share": [1.0]})
    figure = make(table, chart=Chart("bar", "id", ("share",))).plot()
    assert figure.data[0].x[0].startswith("&lt;img")


def test_a_band_is_drawn_around_its_line():
    table = pd.DataFrame({"x": [0, 1], "y": [1.0, 2.0], "low": [0.5, 1.5], "high": [1.5, 2.5]})
    figure = make(table, chart=Chart("step", "x", ("y",), low="low", high="high")).plot()
    assert [list(line.y) for line in figure.data] == [[0.5, 1.5], [1.5, 2.5], [1.0, 2.0]]
    bars = make(table, chart=Chart("bar", "x", ("y",), low="low", high="high")).plot().data[0]
    assert list(bars.error_y.array) == [0.5, 0.5]


def test_groups_are_lines_and_only_so_many():
    table = pd.DataFrame({"x": range(40), "y": 1.0, "who": [f"v{i // 2}" for i in range(40)]})
    figure = make(table, chart=Chart("line", "x", ("y",), by="who")).plot()
    assert [line.name for line in figure.data] == [f"v{i}" for i in range(12)]


def test_a_heatmap_has_a_row_for_each_group():
    table = pd.DataFrame({"x": ["a", "b", "a"], "who": ["u", "u", "w"], "y": [1.0, 2.0, 3.0]})
    figure = make(table, chart=Chart("heatmap", "x", ("y",), by="who", y_title="ms")).plot()
    assert list(figure.data[0].y) == ["u", "w"] and figure.data[0].z[0][1] == 2.0


def test_an_empty_table_gives_an_empty_figure_that_says_so():
    figure = make(pd.DataFrame({"x": [], "y": []}), chart=Chart("line", "x", ("y",))).plot()
    assert not figure.data and "n = 2 rows" in figure.layout.annotations[0].text


def test_names_that_look_like_numbers_stay_names_on_an_axis():
    names = ["0x" + "1" * 40, "0x" + "2" * 40, "11.3"]
    figure = make(pd.DataFrame({"id": names, "share": 1.0}), chart=Chart("bar", "id", ("share",))).plot()
    assert figure.layout.xaxis.type == "category" and list(figure.layout.xaxis.categoryarray) == names
    assert all(len(text) <= 18 for text in figure.layout.xaxis.ticktext)


def test_all_dots_are_drawn_however_many_groups_they_are_of():
    table = pd.DataFrame({"x": range(40), "y": 1.0, "who": [f"v{i}" for i in range(40)]})
    figure = make(table, chart=Chart("dots", "x", ("y",), by="who")).plot()
    assert len(figure.data) == 1 and len(figure.data[0].x) == 40 and figure.data[0].hovertext[39] == "v39"


def test_twelve_lines_all_look_different_and_are_the_largest():
    table = pd.DataFrame({"x": range(40), "y": range(40), "who": [f"v{i // 2}" for i in range(40)]})
    lines = make(table, chart=Chart("line", "x", ("y",), by="who")).plot().data
    assert {line.name for line in lines} == {f"v{i}" for i in range(8, 20)}
    assert len({(line.line.color, line.line.dash) for line in lines}) == 12


def test_numbers_that_round_up_to_another_digit_are_written_out():
    assert (number(99999.6), number(-99999.7)) == ("100,000", "-100,000")


def test_a_table_in_which_nothing_is_known_says_so():
    table = pd.DataFrame({"x": [1, 2], "y": [float("nan")] * 2})
    figure = make(table, chart=Chart("bar", "x", ("y",))).plot()
    assert not figure.data and "n = 2 rows" in figure.layout.annotations[0].text
