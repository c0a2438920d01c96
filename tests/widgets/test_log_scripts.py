"""What a log's and a banner's script decide, run by node where there is one."""

import pytest

from .test_scripts import NODE, run

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")

LOG = """
const aLog = (ui) => {
  const log = new Events(aModel({ _setup: { keep: 9 }, _ui: ui ?? {} }));
  const events = [[0, 0, "LEADER_CHANGE", "info", "Leader a"], [1, 1000, "STATE", "warning", "slow <b>"],
    [2, null, "STATE", "error", "=down"]];
  log.snapshot({ events, total: 3 });
  return log;
};
const shown = (log) => log.shown().map((event) => event[0]);
"""


def test_a_log_is_searched_in_type_and_message_and_cut_to_severities():
    found = run(
        "log",
        LOG
        + """
        const found = [{ search: "leader C" }, { search: "<B>" }, { level: "warning" }, { level: "error" },
          { level: "x" }, { search: 5, off: "STATE" }, { off: ["STATE"] }, { level: "constructor" }];
        return found.map((ui) => shown(aLog(ui)));
        """,
    )
    assert found == [[0], [1], [2, 1], [2], [2, 1, 0], [2, 1, 0], [0], [2, 1, 0]]


def test_the_choices_of_a_log_come_back_and_stay_small():
    again = run(
        "log",
        LOG
        + """
        const log = aLog({ off: ["A"], level: "error" });
        log.search = "x".repeat(1e5);
        const { off, search, level } = log.choices();
        return [off, search.length, level, [...aLog({ off, level }).off]];
        """,
    )
    assert again == [["A"], 200, "error", ["A"]]


def test_what_is_copied_of_a_log_is_what_is_shown_and_no_formula():
    text = run("log", LOG + 'return aLog({ off: ["LEADER_CHANGE"] }).tsv().split("\\n");')
    assert text == [
        "Time (UTC)\tSeverity\tType\tMessage",
        "\terror\tSTATE\t'=down",
        "1970-01-01T00:00:01.000Z\twarning\tSTATE\tslow <b>",
    ]


def test_a_log_that_is_told_everything_again_goes_on_unless_it_is_another_story():
    found = run(
        "log",
        LOG
        + """
        const entry = (number, more) => [number, number, "STATE", "info", `${number}`, ...(more ?? [])];
        const from = (first, end) => Array.from({ length: end - first }, (_, i) => entry(first + i));
        const bases = (...messages) => messages.map((message) => {
          const log = aLog();
          log.snapshot({ events: from(3, 8), total: 8 });
          const before = log.base;
          log.delta({ reset: true, ...message });
          return log.base - before;
        });
        const other = from(3, 9);
        other[2] = entry(5).with(4, "another");
        return bases(
          { events: from(3, 8), total: 8 }, { events: from(3, 10), total: 10 }, { events: from(4, 13), total: 13 },
          { events: from(50, 59), total: 59 }, // these continue; what follows does not
          { events: [], total: 8 }, { events: from(8, 9), total: 9 }, { events: from(3, 5), total: 5 },
          { events: other, total: 9 });
        """,
    )
    assert found == [0, 0, 0, 0, 1, 1, 1, 1]


def test_a_banner_shows_the_newest_alarm_first():
    names = run(
        "banner",
        """
        const alarms = new Alarms();
        alarms.snapshot({ alarms: [{ name: "old", at: 1 }, { name: "new", at: 2 }] });
        alarms.delta({ alarms: [...alarms.alarms].reverse() });
        return alarms.alarms.map((alarm) => alarm.name);
        """,
    )
    assert names == ["new", "old"]


def test_times_are_told_in_utc_and_here():
    hints = run("log", "return [timeHint(1767225600123), timeHint(null), timeHint(1e300)];")
    assert hints[0].startswith("2026-01-01 00:00:00.123 UTC; here ")
    assert hints[1:] == ["", ""]
