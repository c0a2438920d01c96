"""What a table's script decides, run by node where there is one; and that Python decides the same."""

import itertools
import json

import pytest

from aurigraph_nb.widgets.cells import short
from aurigraph_nb.widgets.rows import TableColumn
from aurigraph_nb.widgets.shown import Shown, cell_text, compare, fits, iso_time, order_of, read_ui

from .test_scripts import NODE, run

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")

COLUMNS = [
    TableColumn(field="name", label="Name"),
    TableColumn(field="size", label="Size", kind="number"),
    TableColumn(field="at", label="At", kind="time", unit="UTC", digits=0),
    TableColumn(field="share", label="Share", kind="gauge", unit="%", digits=1),
]
SETUP = """
const columns = [
  { label: "Name", kind: "text" }, { label: "Size", kind: "number", digits: null },
  { label: "At", kind: "time", unit: "UTC", digits: 0 }, { label: "Share", kind: "gauge", unit: "%", digits: 1 }];
const aTable = (ui, more) =>
  new Rows(aModel({ _setup: { newest_first: false, keep: 100, columns, ...more }, _ui: ui ?? {} }));
"""
ROWS = [
    ["Oslo", 1234.5, 1767225600123.0, 12.34],
    ["oslo", "9007199254740993", None, 99.96],
    ["Rome", None, 1767225601000.0, None],
    ["=SUM(A1)", "9007199254740992", 1767225602999.9, 0.05],
    ["Ährwald", -7, 0.0, 50.0],
    ["", "no number", 1767225600123.0, 1e-9],
    ["Rome", 0.1, 1767225600123.0, 12.34],
]
WORDS = (
    "", " ", "o", "OSLO", "=oslo", "=", "!", "!oslo", "!x", "ä", "rom", ">5", ">=1,234.5", "<0", "<=-7", "=0.1",
    "!=0.1", "0..2,000", "-10..0", "1..", ">", ">x", "1.5.5", ">9007199254740992", "=9007199254740993", "00:00:0",
    "1,23", "50.0", "–", "12.3", "1_0", ">1e3", "0x10",
)  # fmt: skip


def in_js(value):
    return json.dumps(value)


def test_python_filters_as_the_browser_does():
    in_browser = run(
        "table",
        f"""{SETUP}
        const [rows, words] = [{in_js(ROWS)}, {in_js(WORDS)}];
        return words.map((w) => rows.map((row) => row.map((cell, i) => fits(cell, columns[i], w))));
        """,
    )
    here = [[[fits(cell, COLUMNS[i], w) for i, cell in enumerate(row)] for row in ROWS] for w in WORDS]
    for word, mine, theirs in zip(WORDS, here, in_browser, strict=True):
        assert mine == theirs, word


def test_python_shows_cells_as_the_browser_does():
    numbers = [
        0,
        -0.0,
        1,
        -1234567,
        1234.5678,
        0.000012345678,
        1.005,
        2.5,
        0.5,
        1e21,
        1.5e300,
        123456.5,
        999999.5,
        1e-12,
    ]
    numbers += [12345678.9, "123456789012345678901234567890", "-5", "x", "1e5", None]
    digits = [None, 0, 1, 2, 6]
    in_browser = run(
        "table",
        f"const told = (digits) => {in_js(numbers)}.map((n) => cellText(n, {{kind: 'number', digits}}));"
        f"return {in_js(digits)}.map(told);",
    )
    for wanted, told in zip(digits, in_browser, strict=True):
        column = TableColumn(field="n", label="N", kind="number", digits=wanted)
        assert [cell_text(json.loads(in_js(n)), column) for n in numbers] == told


def test_short_numbers_and_times_read_the_same():
    numbers = [0, 7, 7.25, 999.4, 999.96, 1000, 12345, 999960, 2.5e9, 4e15, -1500, 0.123]
    times = [0, 1767225600123.9, 1e300, None]
    shorts, isos = run(
        "table",
        f"return [{in_js(numbers)}.map(formatShort), {in_js(times)}.map((t) => t === null ? '–' : isoTime(t) ?? '–')];",
    )
    assert shorts == [short(n) for n in numbers]
    assert isos == [iso_time(t) for t in times]


def test_python_orders_as_the_browser_does():
    sorts = [
        list(zip(columns, downs, strict=True))
        for columns in ([0], [1], [2], [3], [0, 1], [3, 2], [2, 0, 1])
        for downs in itertools.product([False, True], repeat=len(columns))
    ]
    in_browser = run(
        "table",
        f"""{SETUP}
        return {in_js(sorts)}.map(([[sort, down], ...then]) => {{
          const t = aTable({{ sort, down, then, filter: "o", filters: {{}} }});
          t.snapshot({{ rows: {in_js(ROWS)}.map((row, i) => [i, ...row]) }});
          return t.shown();
        }});
        """,
    )
    here = [order_of(ROWS, COLUMNS, Shown(sorts=tuple(by), search="o")) for by in sorts]
    assert here == in_browser


def test_a_comparison_is_a_total_order_for_what_a_column_may_hold():
    cells = [row[1] for row in ROWS if row[1] is not None]
    for a, b in itertools.product(cells, repeat=2):
        assert (compare(a, b, "number") > 0) == (compare(b, a, "number") < 0)


@pytest.mark.parametrize(
    "ui",
    [
        {"sort": 1, "down": True, "then": [[0, False], [9, True], "x", [1]]},
        {"sort": "1", "filter": 5, "filters": {"1": ">5", "7": "x", "a": "y", "0": 3}, "columns": {"2": False, "3": 1}},
        {"filters": [], "columns": None, "then": 3},
    ],
)
def test_python_reads_the_choices_as_the_browser_does_and_minds_no_nonsense(ui):
    told = run(
        "table",
        f"""{SETUP}
        const t = aTable({in_js(ui)});
        return [t.sorts.map((s) => [s.column, s.down]), t.filter, [...t.filters], [...t.chosen]];
        """,
    )
    shown = read_ui(ui, COLUMNS)
    mine = [shown.sorts, shown.search, shown.filters.items(), shown.chosen.items()]
    assert [json.loads(in_js(list(part) if i != 1 else part)) for i, part in enumerate(mine)] == told


def test_shift_adds_columns_to_the_order_turns_them_round_and_takes_them_out():
    found = run(
        "table",
        f"""{SETUP}
        const t = aTable();
        const told = () => t.sorts.map((s) => `${{s.column}}${{s.down ? "v" : "^"}}`).join(" ");
        const steps = [[1, false], [0, true], [0, true], [3, true], [0, true], [2, false], [2, true], [2, true]];
        return steps.map(([column, more]) => {{ t.sortBy(column, more); return told(); }});
        """,
    )
    assert found == ["1v", "1v 0^", "1v 0v", "1v 0v 3v", "1v 3v", "2v", "2^", ""]


def test_what_was_chosen_comes_back_after_a_reload():
    same = run(
        "table",
        f"""{SETUP}
        const t = aTable();
        t.sortBy(1); t.sortBy(0, true); t.filterBy("o"); t.filterBy(">1", 1);
        t.chosen.set(2, false); t.widths.set(0, 90);
        const again = aTable(JSON.parse(JSON.stringify(t.choices({{ pane: true }}))));
        t.filterBy("", 1);
        return [again.sorts, again.filter, [...again.filters], [...again.chosen], [...again.widths], [...t.filters]];
        """,
    )
    assert same == [
        [{"column": 1, "down": True}, {"column": 0, "down": False}],
        "o",
        [[1, ">1"]],
        [[2, False]],
        [[0, 90]],
        [],
    ]


def test_the_choices_stay_small_whatever_was_typed():
    size = run(
        "table",
        f"{SETUP} const t = aTable(); t.filterBy('x'.repeat(1e6)); t.filterBy('y'.repeat(1e6), 0);"
        " return JSON.stringify(t.choices()).length;",
    )
    assert size < 1000


def test_a_spreadsheet_gets_data_and_never_a_formula():
    lines = run(
        "table",
        f"""{SETUP}
        const t = aTable();
        t.snapshot({{ rows: [["a", "=1+1", -5, 0, 1.5], ["b", "@x\\ty\\nz", "-12345678901234567890", null, 2],
          ["c", "\\t =cmd()", "+1", 5, 3], ["d", "－2", null, 5, 3], ["e", "plain", 1234.5678, 5, 3]] }});
        return t.tsv(t.shown(), [true, true, true, false]).split("\\n").map((line) => line.split("\\t"));
        """,
    )
    assert lines == [
        ["Name", "Size", "At (UTC)"],
        ["'=1+1", "-5", "1970-01-01T00:00:00.000Z"],
        ["'@x y z", "-12345678901234567890", ""],
        ["'  =cmd()", "'+1", "1970-01-01T00:00:00.005Z"],
        ["'－2", "", "1970-01-01T00:00:00.005Z"],
        ["plain", "1234.5678", "1970-01-01T00:00:00.005Z"],
    ]


def test_columns_that_do_not_fit_go_from_the_end_but_not_those_that_were_chosen():
    found = run(
        "table",
        f"""{SETUP}
        const wide = () => 100;
        const on = (t, room) => t.visible(room, wide).map(Number).join("");
        const t = aTable();
        const found = [on(t, 400), on(t, 399), on(t, 300), on(t, 10)];
        t.chosen.set(3, true);
        found.push(on(t, 10));
        t.chosen.set(3, false);
        found.push(on(t, 400));
        t.chosen.clear(); t.sortBy(3);
        found.push(on(t, 10));
        return found;
        """,
    )
    assert found == ["1111", "1110", "1110", "1110", "1101", "1110", "1101"]


def test_a_paused_table_holds_still_and_counts_what_comes():
    found = run(
        "table",
        f"""{SETUP}
        const t = aTable({{}}, {{ newest_first: true }});
        t.snapshot({{ rows: [["a", "x", 1, 0, 0]] }});
        t.pause(true);
        t.delta({{ rows: [["a", "x", 2, 0, 0], ["b", "y", 1, 0, 0]] }});
        const held = [t.shown(), t.shownRows.get("a").cells[1], t.came];
        t.pause(false);
        return [held, t.shown(), t.shownRows.get("a").cells[1], t.came];
        """,
    )
    assert found == [[["a"], 1, 1], ["b", "a"], 2, 0]


def test_a_paused_table_that_is_told_everything_again_counts_the_new_rows_only():
    found = run(
        "table",
        f"""{SETUP}
        const t = aTable({{}}, {{ newest_first: true }});
        const rows = (...keys) => keys.map((key) => [key, "x", 1, 0, 0]);
        t.snapshot({{ rows: rows("a", "b") }});
        t.pause(true);
        t.delta({{ rows: rows("c") }});
        t.snapshot({{ rows: rows("a", "b", "c", "d") }});
        const once = t.came;
        t.delta({{ reset: true, rows: rows("d", "e") }});
        return [once, t.came, t.shown()];
        """,
    )
    assert found == [2, 3, ["b", "a"]]


def test_a_paused_table_that_is_cleared_is_empty_and_stays_paused():
    found = run(
        "table",
        f"""{SETUP}
        const t = aTable({{}}, {{ newest_first: true }});
        const row = (key) => [key, "x", 1, 0, 0];
        t.snapshot({{ rows: [row("a"), row("b")] }});
        t.clear();
        const live = t.shown(); // the kernel empties it
        t.pause(true);
        t.delta({{ rows: [row("c")] }});
        t.clear();
        const held = [t.shown(), t.came];
        t.delta({{ reset: true, rows: [row("d")] }});
        const then = [t.shown(), t.came];
        t.pause(false);
        return [live, held, then, t.shown()];
        """,
    )
    assert found == [["b", "a"], [[], 0], [[], 1], ["d"]]


SPARKS = """
const columns = [{ label: "A", kind: "number" }, { label: "A, course", kind: "spark", points: 3 }];
const t = new Rows(aModel({ _setup: { newest_first: false, keep: 9, columns }, _ui: { sort: 1, down: true } }));
"""


def test_the_points_of_a_sparkline_add_up_and_are_bounded():
    found = run(
        "table",
        SPARKS
        + """
        t.snapshot({ rows: [["k", 1, [1, 2]]] });
        t.delta({ rows: [["k", 3, [3, 4]]] });
        const kept = t.rows.get("k").cells[1];
        t.snapshot({ rows: [["k", 9, [9]]] });
        return [kept, t.rows.get("k").cells[1], t.sorts, t.rows.get("k").marks];
        """,
    )
    assert found == [[2, 3, 4], [9], [], None]


def test_a_sparkline_is_drawn_inside_its_picture_whatever_comes():
    paths = run(
        "table",
        "return [[0, 5, 10], [7, 7], ['9007199254740993', null, 1], [1], [], null].map((p) => sparkPath(p).path);",
    )
    assert paths == ["0.0,18.0 50.0,10.0 100.0,2.0", "0.0,10.0 100.0,10.0", "0.0,2.0 100.0,18.0", "", "", ""]


def test_new_is_over_when_the_kernel_says_so_or_its_time_is_over():
    found = run(
        "table",
        f"""{SETUP}
        let now = 1000;
        performance.now = () => now;
        const t = aTable();
        t.delta({{ rows: [["a", "x", 1, 0, 0]], fresh: [["a", 5000]] }});
        const plain = t.rows.get("a").until;
        t.delta({{ rows: [["b", "x", 1, 0, 0]], fresh: [["b", 5000]], hold: true }});
        const held = t.rows.get("b").until;
        t.delta({{ rows: [], fresh: [["b", 0]] }});
        return [plain, held > 60000, t.rows.get("b").until];
        """,
    )
    assert found == [6000, True, 0]


def test_updates_are_bounded_and_start_anew_when_told():
    found = run(
        "table",
        f"""{SETUP}
        const t = aTable({{}}, {{ history: 2 }});
        t.snapshot({{ rows: [], history_reset: true, history: [[0, "v", 1, "info", "a"], [1, "v", 1, "info", "b"]] }});
        t.delta({{ rows: [], history: [[2, "v", 1, "info", "c"]] }});
        const kept = t.history.map((h) => h[4]);
        t.delta({{ rows: [], history_reset: true }});
        return [kept, t.history];
        """,
    )
    assert found == [["b", "c"], []]


def test_details_of_another_row_than_the_open_one_are_ignored():
    found = run(
        "table",
        f"""{SETUP}
        const t = aTable();
        t.open = "a";
        t.other({{ kind: "detail", key: "b", fields: [["x", "y"]] }});
        const before = t.details;
        t.other({{ kind: "detail", key: "a", fields: [["x", "y"]] }});
        return [before, t.details];
        """,
    )
    assert found == [[], [["x", "y"]]]


def test_a_head_is_not_cut_to_make_room_for_others():
    found = run(
        "table",
        """
        const columns = [{ label: "Uptime", unit: "%", width: 14 }, { label: "A", unit: "", width: 12 },
          { label: "A very long name of a column", unit: "", width: 10 }];
        return columns.map((_, i) => TableView.prototype.headRoom.call({ columns }, i, 8));
        """,
    )
    assert found == [90, 32, 80], "its words with their padding, but no more than the column wants"


def test_without_any_row_all_heads_are_shown_where_only_one_would_be():
    found = run(
        "table",
        f"""{SETUP}
        const on = (t) => t.visible(4000, () => 100).map(Number).join("");
        columns.slice(1).forEach((column) => {{ column.optional = true; }});
        const t = aTable();
        const found = [on(t)];
        t.chosen.set(2, false);
        found.push(on(t));
        t.filled.add(1);
        found.push(on(t));
        return found;
        """,
    )
    assert found == ["1111", "1101", "1100"]
