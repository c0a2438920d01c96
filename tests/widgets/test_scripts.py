"""What the scripts decide, run by node where there is one: following the numbers, sorting, bounds, formats."""

import json
import shutil
import subprocess
import textwrap

import pytest

from aurigraph_nb.widgets import assets

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")

# A page, as far as the part without views needs one: timers that the test fires, and a model that keeps what is said.
PAGE = """
const timers = [];
globalThis.setTimeout = (work) => timers.push(work) && timers.length;
globalThis.clearTimeout = (id) => { if (id) timers[id - 1] = null; };
let lessMotion = false;
globalThis.matchMedia = () => ({ matches: lessMotion, addEventListener() {}, removeEventListener() {} });
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
function aModel(state = {}) {
  const handlers = {};
  return {
    said: [], state, saved: 0,
    get(name) { return this.state[name]; },
    set(name, value) { this.state[name] = value; },
    save_changes() { this.saved += 1; },
    send(content) { this.said.push(content); },
    on(name, work) { handlers[name] = work; },
    off(name) { delete handlers[name]; },
    receive(message, buffers) { handlers["msg:custom"](message, buffers); },
  };
}
const kinds = (model) => model.said.map((m) => m.kind + (m.number ?? ""));
function aLink() {
  const seen = [];
  const model = aModel();
  const note = (m) => seen.push(m.kind + m.number);
  const link = new Link(model, { snapshot: note, delta: note });
  const view = { visible: true, schedule() {} };
  return { seen, model, link, view };
}
const snapshot = (number) => ({ kind: "snapshot", number, notice: {} });
const delta = (number) => ({ kind: "delta", number });
"""


def run(name, code):
    """What ``code`` returns, run after a widget's script."""
    source = assets.script(name).replace("export default defineWidget(", "const made = defineWidget(")
    body = textwrap.dedent(code)
    program = f"{PAGE}\n{source}\nprocess.stdout.write(JSON.stringify((() => {{{body}}})()));"
    line = [NODE, "--input-type=module", "-e", program]
    result = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_a_link_asks_once_something_is_in_sight():
    said = run(
        "card",
        """
        const {model, link, view} = aLink();
        const before = kinds(model);
        link.add(view);
        return [before, kinds(model)];
        """,
    )
    assert said == [[], ["hello"]]


def test_a_link_applies_what_follows_and_acknowledges_after_drawing():
    seen, said = run(
        "card",
        """
        const {seen, model, link, view} = aLink();
        link.add(view);
        model.receive(snapshot(1)); model.receive(delta(2));
        link.drawn();
        return [seen, kinds(model)];
        """,
    )
    assert seen == ["snapshot1", "delta2"]
    assert said == ["hello", "ack2"]


def test_a_lone_message_is_acknowledged_a_little_later():
    before, after = run(
        "card",
        """
        const {model, link, view} = aLink();
        link.add(view);
        model.receive(snapshot(1));
        link.drawn();
        const before = kinds(model);
        timers.filter(Boolean).at(-1)();
        return [before, kinds(model)];
        """,
    )
    assert (before, after) == (["hello"], ["hello", "ack1"])


def test_a_hole_asks_for_a_snapshot_and_takes_no_delta_meanwhile():
    seen, said = run(
        "card",
        """
        const {seen, model, link, view} = aLink();
        link.add(view);
        model.receive(snapshot(1)); model.receive(delta(3)); model.receive(delta(4));
        model.receive(snapshot(5)); model.receive(delta(6)); model.receive(delta(6)); model.receive(snapshot(5));
        return [seen, kinds(model)];
        """,
    )
    assert seen == ["snapshot1", "snapshot5", "delta6"]
    assert said == ["hello", "hello"]


def test_deltas_before_the_first_snapshot_are_ignored():
    assert (
        run("card", "const {seen, model, link, view} = aLink(); link.add(view); model.receive(delta(7)); return seen;")
        == []
    )


def test_a_link_that_gets_no_answer_asks_again_and_says_that_it_waits():
    said, words = run(
        "card",
        """
        const {model, link, view} = aLink();
        link.add(view);
        for (let i = 0; i < 3; i += 1) timers.filter(Boolean).at(-1)();
        return [kinds(model), noticeOf(link, null)[0]];
        """,
    )
    assert said == ["hello"] * 4
    assert words == "Waiting for the kernel …"


def test_out_of_sight_a_link_rests_and_asks_again_in_sight():
    said = run(
        "card",
        """
        const {model, link, view} = aLink();
        link.add(view);
        model.receive(snapshot(1));
        view.visible = false; link.look();
        timers.filter(Boolean).at(-1)();
        view.visible = true; link.look();
        return kinds(model);
        """,
    )
    assert said == ["hello", "rest", "hello"]


def test_a_snapshot_that_comes_while_resting_is_kept_and_does_not_stand_in_for_the_one_to_be_asked_for():
    seen, said = run(
        "card",
        """
        const {seen, model, link, view} = aLink();
        model.receive(snapshot(1));
        link.add(view);
        model.receive(snapshot(2));
        view.visible = false; link.look();
        timers.filter(Boolean).at(-1)();
        model.receive(snapshot(3)); model.receive(delta(4));
        view.visible = true; link.look();
        model.receive(snapshot(5)); model.receive(delta(6));
        return [seen, kinds(model)];
        """,
    )
    assert seen == ["snapshot1", "snapshot2", "snapshot3", "snapshot5", "delta6"]
    assert said == ["hello", "rest", "hello"]


def test_a_short_look_away_costs_nothing():
    said = run(
        "card",
        """
        const {model, link, view} = aLink();
        link.add(view);
        model.receive(snapshot(1));
        view.visible = false; link.look();
        view.visible = true; link.look();
        return kinds(model);
        """,
    )
    assert said == ["hello"]


def test_a_link_knows_when_its_kernel_restarts_and_stops_watching_when_closed():
    gone = run(
        "card",
        """
        const signal = () => ({ slots: [], connect(f) { this.slots.push(f); },
          disconnect(f) { this.slots = this.slots.filter((g) => g !== f); } });
        const kernel = { statusChanged: signal(), disposed: signal() };
        const model = { ...aModel(), widget_manager: { kernel } };
        const link = new Link(model, {});
        const tell = (status) => { kernel.statusChanged.slots.forEach((f) => f(kernel, status)); return link.gone; };
        const told = [tell("busy"), tell("unknown"), tell("restarting")];
        link.close();
        return [...told, kernel.statusChanged.slots.length, kernel.disposed.slots.length];
        """,
    )
    assert gone == [False, False, True, 0, 0]


def test_a_message_that_cannot_be_sent_means_that_the_kernel_is_gone():
    gone = run(
        "card",
        """
        const {model, link, view} = aLink();
        model.send = () => { throw new Error("Cannot send"); };
        link.add(view);
        return [link.gone, noticeOf(link, null)[0]];
        """,
    )
    assert gone == [True, "The kernel is gone; this is what it last sent."]


def test_the_notice_line_says_the_one_thing_that_matters():
    words = run(
        "card",
        """
        const say = (notice, more) => noticeOf({ notice, patient: true, gone: false, ...more }, null)[0];
        return [
          say({}), say({ error: "E", errors: 3 }), say({ closed: true }), say({ link: "RECONNECTING" }),
          say({ errors: 1, last: "L" }), say({}, { gone: true }), noticeOf({ notice: {}, patient: true }, "no pen")[0],
        ];
        """,
    )
    assert words == [
        "",
        "E (3 times)",
        "Closed. What was received stays here.",
        "Feed reconnecting; this is the last known state.",
        "1 error so far; the last: L",
        "The kernel is gone; this is what it last sent.",
        "no pen",
    ]


def test_numbers_times_and_ages_are_written_for_people():
    words = run(
        "card",
        """
        return [
          formatNumber(1234567), formatNumber("123456789012345678901234567890"), formatNumber(1.23456789),
          formatNumber(5, 2), formatNumber(null), formatNumber("<b>"), formatTime(1767225600123), formatTime(null),
          formatTime(1e300), formatAge(450), formatAge(65000), formatAge(600000), formatAge(9e6), formatAge(null),
        ];
        """,
    )
    assert words == [
        "1,234,567",
        "123,456,789,012,345,678,901,234,567,890",
        "1.23457",
        "5.00",
        "–",
        "<b>",
        "00:00:00.123",
        "–",
        "–",
        "0.5 s",
        "65 s",
        "10 min",
        "3 h",
        "–",
    ]


def test_only_known_words_have_a_tone():
    assert run(
        "card", "return [toneOf('ACTIVE'), toneOf('jailed'), toneOf('x\\\" onclick=1'), toneOf('constructor')];"
    ) == [
        "good",
        "bad",
        "plain",
        "plain",
    ]


TABLE = """
const setup = (more) => ({ _setup: { newest_first: false, keep: 100, columns: [
  { label: "Name", kind: "text" }, { label: "Size", kind: "number" }], ...more } });
const aTable = (more, ui) => new Rows(aModel({ ...setup(more), _ui: ui ?? {} }));
"""


def test_rows_are_shown_in_order_of_arrival_or_the_other_way_round():
    shown = run(
        "table",
        TABLE
        + """
        const message = { rows: [["k1", "a", 1], ["k2", "b", 2]] };
        return [false, true].map((newest_first) => {
          const t = aTable({ newest_first }); t.snapshot(message); t.delta({ rows: [["k3", "c", 3]], removed: ["k1"] });
          return t.shown();
        });
        """,
    )
    assert shown == [["k2", "k3"], ["k3", "k2"]]


def test_sorting_knows_big_numbers_missing_values_and_equal_ones():
    shown = run(
        "table",
        TABLE
        + """
        const t = aTable();
        t.snapshot({ rows: [
          ["a", "x", "9007199254740993"], ["b", "x", null], ["c", "y", 2.5], ["d", "x", "9007199254740992"],
          ["e", "w", 10],
        ] });
        const orders = [];
        for (const column of [1, 1, 1, 0, 0]) { t.sortBy(column); orders.push(t.shown().join("")); }
        return orders;
        """,
    )
    assert shown == ["adecb", "cedab", "abcde", "eabdc", "cabde"]


def test_a_changed_value_moves_its_row_when_the_table_is_sorted_by_it():
    orders = run(
        "table",
        TABLE
        + """
        const t = aTable({}, { sort: 1, down: true });
        t.snapshot({ rows: [["a", "x", 1], ["b", "x", 2]] });
        const before = t.shown().join("");
        t.delta({ rows: [["a", "x", 3]] });
        return [before, t.shown().join("")];
        """,
    )
    assert orders == ["ba", "ab"]


def test_filtering_looks_at_what_is_shown():
    shown = run(
        "table",
        TABLE
        + """
        const t = aTable({}, { filter: "1,2" });
        t.snapshot({ rows: [["a", "Oslo", 1234], ["b", "Rome", 5]] });
        const by = (words) => { t.filterBy(words); return t.shown(); };
        return [t.shown(), by("ROME"), by(" "), by("nope")];
        """,
    )
    assert shown == [["a"], ["b"], ["a", "b"], []]


def test_changed_cells_are_marked_with_their_direction_and_a_snapshot_marks_nothing():
    marks = run(
        "table",
        TABLE
        + """
        const t = aTable();
        t.snapshot({ rows: [["a", "x", 1], ["b", "x", "9007199254740992"]] });
        t.delta({ rows: [["a", "y", 2], ["b", "x", "9007199254740991"]] });
        const found = ["a", "b"].map((k) => t.rows.get(k).marks);
        t.snapshot({ rows: [["a", "z", 9]] });
        return [...found, t.rows.get("a").marks];
        """,
    )
    assert marks == [[0, 1], [None, -1], None]


def test_a_table_keeps_no_more_rows_than_it_may():
    keys = run(
        "table",
        TABLE
        + """
        const t = aTable({ keep: 2 });
        t.delta({ rows: [["a", "", 1], ["b", "", 2], ["c", "", 3]] });
        return t.shown();
        """,
    )
    assert keys == ["b", "c"]


def test_an_update_does_not_make_a_row_new_again():
    until = run(
        "table",
        TABLE
        + """
        const t = aTable();
        t.delta({ rows: [["a", "x", 1]], fresh: [["a", 5000], ["gone", 5]] });
        const first = t.rows.get("a").until;
        t.delta({ rows: [["a", "x", 2]], fresh: [["a", 5000]] });
        return [first > 0, t.rows.get("a").until === first];
        """,
    )
    assert until == [True, True]


def test_a_log_keeps_the_newest_events_and_hides_types_that_are_off():
    shown = run(
        "log",
        """
        const log = new Events(aModel({ _setup: { keep: 3 }, _ui: { off: ["B", 5] } }));
        log.snapshot({ events: [0, 1, 2, 3].map((n) => [n, n, n === 2 ? "B" : "A", "info", "m"]), total: 4 });
        log.delta({ events: [[4, 4, "A", "info", "m"]], total: 5 });
        return [log.shown().map((e) => e[0]), log.total, [...log.types].sort()];
        """,
    )
    assert shown == [[4, 3], 5, ["A", "B"]]


POINTS = """
const points = (more) => new Points(aModel({ _setup: { lines: [{}, {}], points: 1000, window_ms: null, ...more } }));
const pack = (...values) => [new DataView(new Float64Array([0, ...values]).buffer, 8)];
"""


def test_points_are_read_from_wherever_they_start_in_a_buffer():
    read = run(
        "chart",
        POINTS
        + """
        const p = points();
        p.snapshot({ count: 2 }, pack(1, 2, 10, 20, 100, 200));
        p.delta({ count: 1 }, pack(3, 30, NaN));
        return [p.x, p.y, p.total, p.base];
        """,
    )
    assert read == [[1, 2, 3], [[10, 20, 30], [100, 200, None]], 3, 1]


def test_a_delta_that_replaces_all_starts_anew():
    read = run(
        "chart",
        POINTS
        + """
        const p = points();
        p.snapshot({ count: 1 }, pack(1, 1, 1));
        p.delta({ count: 1, reset: true }, pack(9, 9, 9));
        return [p.x, p.base, p.total];
        """,
    )
    assert read == [[9], 2, 1]


def test_points_are_bounded_by_number_and_by_time():
    lengths = run(
        "chart",
        POINTS
        + """
        const fill = (p) => {
          for (let i = 0; i < 5000; i += 1) p.delta({ count: 1 }, pack(i, i, i));
          return p.x.length;
        };
        return [fill(points()), fill(points({ window_ms: 100 }))];
        """,
    )
    assert lengths[0] <= 1000
    assert 100 <= lengths[1] <= 100 + 256


def test_points_beyond_those_shown_move_the_window():
    ranges = run(
        "chart",
        POINTS
        + """
        const view = Object.create(ChartView.prototype);
        view.setup = { show: 3 };
        view.data = points();
        const found = [];
        for (let i = 0; i < 5; i += 1) { view.data.delta({ count: 1 }, pack(i, i, i)); found.push(view.range()); }
        return found;
        """,
    )
    assert ranges == [None, None, None, [1, 3], [2, 4]]


def test_a_narrow_chart_has_few_times_below_it():
    ticks = run(
        "chart",
        """
        const view = Object.create(ChartView.prototype);
        return [200, 400, 800, 4000].map((clientWidth) => { view.frame = { clientWidth }; return view.ticks(); });
        """,
    )
    assert ticks == [2, 3, 7, 8]


LIVELY = (
    TABLE
    + """
const lively = (ui) => aTable({ row_mark_ms: 2000, sort: { column: 1, down: true } }, ui);
"""
)


def test_a_table_may_have_an_order_of_its_own_to_come_back_to():
    orders = run(
        "table",
        LIVELY
        + """
        const t = lively();
        t.snapshot({ rows: [["a", "x", 1], ["b", "x", 3], ["c", "x", 2]] });
        const orders = [t.shown().join("")];
        for (const column of [1, 1, 0, 0, 0]) { t.sortBy(column); orders.push(t.shown().join("")); }
        return [orders, lively({ sort: 0, down: false }).sort];
        """,
    )
    assert orders == [["bca", "acb", "bca", "abc", "abc", "bca"], {"column": 0, "down": False}]


def test_new_rows_fade_in_changed_ones_are_marked_and_ended_ones_stay_two_seconds():
    found = run(
        "table",
        LIVELY
        + """
        const t = lively();
        let now = 1000;
        performance.now = () => now;
        const look = (key) => { const r = t.rows.get(key); return [r.fadeUntil, r.changedUntil, r.endedUntil]; };
        t.snapshot({ rows: [["a", "x", 1]] });
        const first = look("a");
        t.delta({ rows: [["a", "x", 2], ["b", "x", 1]] });
        const marked = [look("a"), look("b")];
        now = 2000;
        t.delta({ rows: [["b", "x", 1]], removed: ["a"] });
        const ended = [look("a"), look("b")];
        t.sweep(3999);
        const still = t.shown().join("");
        t.sweep(4000);
        return [first, marked, ended, still, t.shown().join("")];
        """,
    )
    first, marked, ended, still, gone = found
    assert first == [0, 0, 0]
    assert marked == [[0, 3000, 0], [1600, 0, 0]]
    assert ended == [[0, 0, 4000], [1600, 0, 0]]
    assert (still, gone) == ("ab", "b")


def test_a_session_that_comes_back_is_not_struck_through():
    until = run(
        "table",
        LIVELY
        + """
        const t = lively();
        t.snapshot({ rows: [["a", "x", 1]] });
        t.delta({ removed: ["a"] });
        t.delta({ rows: [["a", "x", 1]] });
        return t.rows.get("a").endedUntil;
        """,
    )
    assert until == 0


def test_with_less_motion_rows_come_change_and_go_without_a_mark():
    found = run(
        "table",
        LIVELY
        + """
        lessMotion = true;
        const t = lively();
        t.snapshot({ rows: [["a", "x", 1]] });
        t.delta({ rows: [["a", "x", 2], ["b", "x", 1]] });
        const [a, b] = [t.rows.get("a"), t.rows.get("b")];
        t.delta({ removed: ["a"] });
        return [a.changedUntil, b.fadeUntil, a.marks, t.shown()];
        """,
    )
    assert found == [0, 0, None, ["b"]]


def test_a_log_that_is_told_counts_knows_every_type_and_its_number():
    found = run(
        "log",
        """
        const log = new Events(aModel({ _setup: { keep: 3 } }));
        log.snapshot({ events: [[1, 0, "high", "error", "m"]], total: 1, counts: { critical: 0, high: 1 } });
        return [[...log.types], log.counts];
        """,
    )
    assert found == [["critical", "high"], {"critical": 0, "high": 1}]


def test_a_log_tells_its_views_when_all_entries_are_others():
    bases = run(
        "log",
        """
        const log = new Events(aModel({ _setup: { keep: 3 } }));
        const after = (method, message) => { log[method]({ events: [], total: 0, ...message }); return log.base; };
        return [after("snapshot"), after("delta"), after("delta", { reset: true }), after("snapshot")];
        """,
    )
    assert bases == [1, 1, 2, 3]


def test_a_connection_has_four_tones_and_unknown_words_are_grey():
    assert run(
        "status",
        """
        const words = ["CONNECTED", "CONNECTING", "RECONNECTING", "ERROR", "DISCONNECTED", "CLOSED", "constructor"];
        return words.map(connTone);
        """,
    ) == ["good", "wait", "wait", "bad", "calm", "calm", "calm"]


def test_a_run_that_ended_is_not_called_disconnected():
    words = run(
        "status",
        """
        return [["DISCONNECTED", true], ["ERROR", true], ["DISCONNECTED", false]].map(([state, ended]) => {
          const connection = new Connection();
          connection.snapshot({ state, ended });
          return connection.word();
        });
        """,
    )
    assert words == ["ENDED", "ERROR", "DISCONNECTED"]


def test_the_status_is_summed_up_in_words():
    words = run(
        "status",
        """
        const now = { messages: 1234, topics_open: 2, topics_total: 300, topics: Array(50).fill([]), lag_ms: 1.25,
          stale: ["network"], protocol: "live", connection_id: "c-1", queued: 1, dropped_messages: 2, total: 1,
          connections: [[]] };
        return [summaryOf(now), factsOf(now)];
        """,
    )
    assert words == [
        "2 of 300 topics open · 1,234 messages · lag up to 1.3 ms · stale: network",
        "protocol live · connection c-1 · messages waiting to be sent: 1 · messages never sent: 2 · "
        "the first 50 topics",
    ]


def test_made_up_data_are_not_called_the_last_known_state():
    words = run(
        "card",
        """
        const link = { patient: true, gone: false };
        const say = (notice) => noticeOf({ ...link, notice }, null)[0];
        return [say({ link: "ERROR", simulated: true }), say({ link: "ERROR", simulated: false })];
        """,
    )
    assert words == ["", "Feed error; this is the last known state."]


def test_a_word_of_the_kernel_stands_for_the_state():
    words = run(
        "status",
        """
        return [{ word: "REPLAY ENDED", ended: true }, { word: "", ended: true }, { word: "PAUSED" }].map((more) => {
          const connection = new Connection();
          connection.snapshot({ state: "DISCONNECTED", ...more });
          return connection.word();
        }).concat(["PLAYING", "SEEKING", "PAUSED", "RECORDING", "REPLAY ENDED"].map(connTone));
        """,
    )
    assert words == ["REPLAY ENDED", "ENDED", "PAUSED", "good", "wait", "calm", "calm", "calm"]


def test_what_is_over_is_summed_up_without_lag_and_silence():
    words = run(
        "status",
        """
        const now = { messages: 1234, topics_open: 4, topics_total: 5, lag_ms: 1.25, stale: ["network"], over: true };
        return [summaryOf({ ...now, run: "recording" }), summaryOf({ ...now, run: "replay" })];
        """,
    )
    assert words == ["4 of 5 topics recorded · 1,234 rows", "5 topics · 1,234 messages"]


def test_a_loss_in_a_recording_is_not_told_as_one_of_now():
    words = run(
        "card",
        """
        const link = { patient: true, gone: false, notice: { link: "RECONNECTING", run: { kind: "replay" } } };
        return noticeOf(link, null);
        """,
    )
    assert words == ["The feed was reconnecting at this point of the recording.", "wait"]
