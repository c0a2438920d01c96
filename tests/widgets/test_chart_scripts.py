"""What the charts decide in the browser, run by node where there is one: ranges, zooms, partners, lone points."""

import textwrap

import pytest

from aurigraph_nb.widgets import assets

from .test_scripts import NODE, run

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")
PARTS = ["chart_plotly", "chart_points", "chart"]

# A view without a page around it: what is drawn is noted instead.
CHART = """
globalThis.getComputedStyle = () => ({ getPropertyValue: () => "#123456", fontFamily: "sans" });
const setup = (more) => ({ title: "T", lines: [{ name: "L", unit: "u", panel: 0, right: false }], panels: 1,
  height: 200, show: 100, points: 200, window_ms: null, log: false, y_range: null, rules: [], stats: false, ...more });
const pack = (...values) => [new Float64Array(values).buffer];
function aView(more = {}) {
  const model = aModel({ _setup: setup(more) });
  const view = Object.create(ChartView.prototype);
  const said = [];
  Object.assign(view, { data: new Points(model), setup: setup(more), model, name: "v", zoom: null, heights: {},
    fine: null, dragmode: "zoom", renewed: 0, said, frame: { clientWidth: 884 }, root: { dataset: { theme: "light" } },
    link: { say: (kind, what) => said.push([kind, what.start, what.end]), gone: false } });
  view.renew = () => { view.renewed += 1; };
  return view;
}
const feed = (view, ...points) => view.data.delta({ count: points.length, ...view.more },
  pack(...points.map((p) => p[0]), ...points.map((p) => p[1])));
const fire = () => timers.filter(Boolean).at(-1)();
"""


def chart(code):
    return run("chart", CHART + textwrap.dedent(code))


def test_a_zoom_holds_its_range_and_asks_for_it_once_it_rests():
    said, zoom, ranges = chart(
        """
        const v = aView();
        feed(v, [1000, 1], [2000, 2], [3000, 3]);
        v.moved({ "xaxis.range[0]": "1970-01-01 00:00:01.5", "xaxis.range[1]": "1970-01-01 00:00:02.5" });
        v.moved({ "xaxis.range": ["1970-01-01 00:00:01.25", "1970-01-01 00:00:02"] });
        fire();
        feed(v, [9000, 4]);
        return [v.said, v.zoom, v.range()];
        """
    )
    assert said == [["range", 1250, 2000]]
    assert zoom == ranges == [1250, 2000]


def test_a_double_click_or_the_button_follows_again_and_says_so():
    followed = chart(
        """
        return [(v) => v.moved({ "xaxis.autorange": true }), (v) => v.toggle()].map((how) => {
          const v = aView();
          feed(v, [1000, 1], [2000, 2]);
          v.zoomTo([1000, 1500]);
          how(v);
          return [v.zoom, v.fine, v.said.at(-1)];
        });
        """
    )
    assert followed == [[None, None, ["range", None, None]]] * 2


def test_the_button_holds_what_is_shown_now():
    zoom = chart("const v = aView(); v.toggle(); feed(v, [1000, 1], [5000, 2]); v.toggle(); return v.zoom;")
    assert zoom == [1000, 5000]


def test_a_zoom_of_the_other_axis_holds_it_and_a_double_click_there_lets_it_go():
    first, second = chart(
        """
        const v = aView();
        feed(v, [1000, 1], [2000, 2]);
        v.moved({ "yaxis.range[0]": 1, "yaxis.range[1]": 5 });
        const first = [v.heights.yaxis, v.zoom];
        v.moved({ "yaxis.autorange": true });
        return [first, v.heights];
        """
    )
    assert first == [[1, 5], [1000, 2000]]
    assert second == {}


def test_an_answer_to_a_zoom_that_is_over_is_not_drawn():
    kept = chart(
        """
        const v = aView();
        feed(v, [1000, 1], [2000, 2]);
        v.zoomTo([1000, 1500]);
        v.takeFine({ start: 1000, end: 1400, x: [1], y: [[1]] });
        const before = v.fine;
        v.takeFine({ start: 1000, end: 1500, x: [1100], y: [[7]] });
        return [before, v.fine.y];
        """
    )
    assert kept == [None, [[7]]]


def test_finer_points_take_the_place_of_the_coarse_ones_and_no_more_are_held_than_may_be():
    merged, most = chart(
        """
        const v = aView({ points: 2500 });
        feed(v, [1000, 1], [2000, 2], [3000, 3], [4000, 4]);
        const fine = { x: [1900, 2100, 3100], y: [[10, 11, 12]] };
        const merged = v.data.merged(fine);
        for (let i = 0; i < 9000; i += 1) feed(v, [5000 + i, 1]);
        const many = { x: Array.from({ length: 1500 }, (_, i) => 1e6 + i), y: [Array(1500).fill(1)] };
        return [[merged.x, merged.y], v.data.merged(many).x.length];
        """
    )
    assert merged == [[1000, 1900, 2100, 3100, 4000], [[1, 10, 11, 12, 4]]]
    assert most <= 4000


def test_answers_travel_beside_the_points_to_the_view_that_asked():
    seen = chart(
        """
        const v = aView();
        const seen = [];
        v.data.onFine.set("v", (fine) => seen.push([fine.start, fine.x, fine.y]));
        v.data.delta({ count: 0, fine: [{ view: "other", start: 1, end: 2, count: 1 },
          { view: "v", start: 3, end: 4, count: 2 }] }, [pack()[0], pack(1, 1)[0], pack(7, 8, 70, 80)[0]]);
        return seen;
        """
    )
    assert seen == [[3, [7, 8], [[70, 80]]]]


def test_the_axis_goes_on_while_nothing_comes():
    ranges = chart(
        """
        const few = aView(), timed = aView({ window_ms: 5000 });
        return [few, timed].map((v) => {
          feed(v, [1000, 1], [9000, 2]);
          const before = v.range();
          v.more = { clock: [20000, 9000, "silent", false] };
          feed(v);
          const during = v.range();
          v.more = {};
          feed(v, [21000, 3]);
          return [before, during, v.range()];
        });
        """
    )
    assert ranges == [[None, [1000, 20000], None], [[4000, 9000], [15000, 20000], [16000, 21000]]]


def test_an_open_gap_is_shaded_up_to_now_and_silence_without_one_too():
    spans = chart(
        """
        const v = aView();
        v.more = { gaps: [[1500, null, "disconnect"]], clock: [9000, 1500, "no connection", false] };
        feed(v, [1000, 1], [2000, 2]);
        const gap = v.shades(v.range());
        v.more = { gaps: [[100, 200, "idle"]], clock: [9000, 2000, "silent", false] };
        feed(v);
        return [gap, v.shades(v.range())].map((found) => found.map((s) => [s.x0, s.x1, s.label?.text ?? null]));
        """
    )
    assert spans == [[[1500, 9000, "no connection"]], [[2000, 9000, "silent"]]]


def test_what_a_chart_says_of_itself():
    words = chart(
        """
        const v = aView();
        const say = (clock, more) => { v.data.clock = clock; Object.assign(v, more); return v.standing(); };
        const found = [say(null), say([9000, 1500, "silent", false]), say([9000, null, null, true])];
        found.push(say(null, { zoom: [1, 2] }), say([90000, 0, "silent", false]), say(null, { link: { gone: true } }));
        return found;
        """
    )
    assert words == [
        ["", "calm"],
        ["silent for 7.5 s", "wait"],
        ["ended", "calm"],
        ["paused", "calm"],
        ["silent for 90 s", "wait"],
        ["not live", "wait"],
    ]


def test_what_is_over_is_told_in_the_head_and_a_zoom_of_it_is_no_pause():
    words = chart(
        """
        const v = aView();
        v.data.clock = [9000, null, null, true];
        v.link = { notice: { run: { over: true } } };
        const found = [v.standing()];
        v.zoom = [1, 2];
        return [...found, v.standing()];
        """
    )
    assert words == [["", "calm"], ["zoomed", "calm"]]


def test_numbers_under_the_pointer_bear_decimals_by_their_size():
    formats = run(
        "chart",
        """
        return [[1351341.2, 5], [NaN, -2000], [42.25, 0], [0.0123], [NaN], []].map(hoverFormat);
        """,
    )
    assert formats == [",.0f", ",.0f", ",.2~f", ",.4~r", ",.0f", ",.0f"]


def test_a_point_without_a_neighbour_is_drawn_as_a_dot():
    found = run(
        "chart",
        """
        return [lonePoints([1, 2, 3, 4, 5], [7, NaN, 8, 9, NaN]), lonePoints([1], [5]), lonePoints([], [])];
        """,
    )
    assert found == [{"x": [1], "y": [7]}, {"x": [1], "y": [5]}, {"x": [], "y": []}]


def test_only_points_beyond_a_zoom_draw_nothing_anew():
    found = chart(
        """
        const v = aView();
        feed(v, [1000, 1], [2000, 2]);
        Object.assign(v, { base: v.data.base, total: v.data.total, zoom: [1000, 2500] });
        feed(v, [3000, 3]);
        const beyond = v.onlyBeyond();
        v.zoom = [1000, 3500];
        return [beyond, v.onlyBeyond()];
        """
    )
    assert found == [True, False]


def test_linked_charts_show_one_range_and_zoom_together():
    shared, zooms, after = chart(
        """
        const a = aView(), b = aView(), c = aView();
        for (const [v, name] of [[a, "g"], [b, "g"], [c, "h"]]) v.join(name);
        feed(a, [1000, 1], [2000, 2]); feed(b, [1500, 1], [7000, 2]); feed(c, [1, 1], [2, 2]);
        const shared = [a.range(), b.range()];
        a.zoomTo([1200, 1400]);
        const zooms = [a.zoom, b.zoom, c.zoom];
        b.follow();
        b.join("");
        return [shared, zooms, [a.zoom, b.zoom, a.range(), [...groups().keys()]]];
        """
    )
    assert shared == [[1000, 7000], [1000, 7000]]
    assert zooms == [[1200, 1400], [1200, 1400], None]
    assert after == [None, None, [1000, 2000], ["g", "h"]]


def test_a_partner_is_drawn_anew_when_the_common_range_moves_and_only_then():
    counts = chart(
        """
        const a = aView(), b = aView();
        a.join("g"); b.join("g");
        const start = b.renewed;
        feed(a, [1000, 1], [2000, 2]);
        a.range(); a.range();
        const once = b.renewed - start;
        feed(a, [3000, 2]);
        a.range();
        return [once, b.renewed - start];
        """
    )
    assert counts == [1, 2]


def test_words_of_the_feed_are_text_for_plotly_too():
    words = chart(
        """
        const v = aView();
        v.more = { marks: [[1500, "LEADER_CHANGE", "Leader <a href='javascript:x'>&</a>"]] };
        feed(v, [1000, 1], [2000, 2]);
        return v.markWords([1000, 2000], {}).map((mark) => [mark.text, mark.hovertext]);
        """
    )
    assert words == [["▾ leader change", "Leader &lt;a href='javascript:x'&gt;&amp;&lt;/a&gt;<br>00:00:01.500 UTC"]]


def test_marks_have_words_where_there_is_room():
    words = chart(
        """
        const v = aView();
        v.more = { marks: [[100, "A_B", ""], [110, "C", ""], [900, "D", ""]] };
        feed(v, [0, 1], [1000, 2]);
        return v.markWords([0, 1000], {}).map((mark) => mark.text);
        """
    )
    assert words == ["▾", "▾ c", "▾"]


def test_a_line_far_from_the_data_does_not_flatten_them_but_is_told():
    found = chart(
        """
        const v = aView({ rules: [{ kind: "target", value: 2e6, label: "target" },
          { kind: "threshold", value: 120, label: "threshold" }] });
        feed(v, [0, 90], [1000, 100]);
        const { x, y } = v.data;
        return [v.rules({}, y).map((r) => r.y0), v.farRules({}, y, {}).map((r) => r.text),
          v.rules({ range: [0, 1] }, y).length, v.farRules({ range: [0, 1] }, y, {}).length];
        """
    )
    assert found == [[120], ["↑ target"], 2, 0]


@pytest.mark.parametrize(
    "value, ms",
    [
        ("1970-01-01", 0),
        ("1970-01-01 00:00", 0),
        ("1970-01-01 00:00:01.2345", 1234),
        ("1970-01-01T00:00:01Z", 1000),
        (12.5, 12.5),
    ],
)
def test_times_of_plotly_are_utc(value, ms):
    assert run("chart", f"return timeOf({value!r});") == ms


@pytest.mark.parametrize("name", PARTS)
def test_the_parts_hold_no_text_over_lines_and_no_markup(name):
    source = assets._read(f"{name}.js")
    for line in source.splitlines():
        assert line.count("`") % 2 == 0, line
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "cssText",
        'setAttribute("style',
    ):
        assert forbidden not in source


def test_an_axis_that_nothing_is_drawn_on_has_no_numbers_and_its_line_says_so():
    found = chart(
        """
        const two = [{ name: "L", unit: "u", panel: 0, right: false }, { name: "R", unit: "%", panel: 0, right: true }];
        const look = (more, ...points) => {
          const v = aView(more);
          const rows = points.length ? pack(...points.map((p) => p[0]), ...(more.lines ?? [0]).flatMap((_, i) =>
            points.map((p) => p[i + 1]))) : pack();
          v.data.delta({ count: points.length }, rows);
          const layout = v.layout(v.data.y);
          const axes = Object.keys(layout).filter((key) => /^[xy]axis/.test(key)).sort();
          const bare = axes.filter((key) => layout[key].showticklabels === false);
          return [bare, v.traces(v.data.x, v.data.y).map((t) => t.name)];
        };
        return [look({}), look({}, [1000, 1], [2000, 2]), look({ lines: two }, [1000, 1, NaN], [2000, 2, NaN]),
          look({ log: true }, [1000, 0], [2000, -1]), look({ y_range: [0, 1] }, [1000, NaN], [2000, NaN])];
        """
    )
    assert found == [
        [["xaxis", "yaxis"], ["L (no values)", "L (no values)"]],
        [[], ["L", "L"]],
        [["yaxis2"], ["L", "R (no values)", "L", "R (no values)"]],
        [["xaxis", "yaxis"], ["L (no values)", "L (no values)"]],
        [["xaxis"], ["L (no values)", "L (no values)"]],
    ]


def test_the_newest_value_is_current_only_while_the_feed_is_live():
    words = chart(
        """
        globalThis.setText = (node, text) => { node.text = text; };
        return [{}, { closed: true }, { run: { over: true } }].map((notice) => {
          const v = aView({ stats: true });
          const cells = [0, 1, 2].map(() => [{}, {}, {}]);
          Object.assign(v, { figures: { children: [1, 2, 3] }, cells });
          v.link.notice = notice;
          feed(v, [1000, 1]);
          v.drawFigures(false);
          return [cells[0][0], cells[0][1]].map((node) => node.text ?? node.textContent ?? node.data);
        });
        """
    )
    assert words == [["Current", "1 u"], ["Last", "1 u"], ["Last", "1 u"]]
