"""The command that runs tests beside several versions of ipykernel: what it reads and what it tells."""

import subprocess
import sys
from pathlib import Path

import kernel_matrix
from kernel_matrix import Outcome, main, read_report, table

REPORT = """<?xml version="1.0"?><testsuites><testsuite name="pytest" time="12.5">
<testcase classname="tests.kernel.test_a" name="test_good" time="1"/>
<testcase classname="tests.kernel.test_a" name="test_bad" time="1"><failure message="no"/></testcase>
<testcase classname="tests.kernel.test_a" name="test_broken" time="1"><error message="no"/></testcase>
<testcase classname="tests.kernel.test_a" name="test_left_out" time="0"><skipped message="no"/></testcase>
</testsuite></testsuites>"""


def test_a_report_is_read(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    failed = ("tests.kernel.test_a::test_bad", "tests.kernel.test_a::test_broken")
    assert read_report(report, "7.4.0") == Outcome("7.4.0", 1, failed, 1, 12.5)


def test_the_table_has_a_row_a_version_and_names_what_failed():
    lines = table([Outcome("6.29.5", 40, (), 0, 61.2), Outcome("7.1.0", 38, ("a::b",)), Outcome("9", trouble="no")])
    rows = lines.splitlines()
    assert rows[0].split() == ["ipykernel", "passed", "failed", "skipped", "seconds"]
    assert rows[1].split() == ["6.29.5", "40", "0", "0", "61"]
    assert rows[3].strip() == "a::b"
    assert rows[4].endswith("no")


def test_only_tests_that_ran_and_passed_are_good():
    assert Outcome("7.4.0", 3).good
    for bad in (Outcome("7"), Outcome("7", 3, ("x",)), Outcome("7", 3, skipped=1), Outcome("7", 3, trouble="x")):
        assert not bad.good


def test_every_version_has_its_turn_and_one_that_cannot_be_installed_does_not_stop_the_others(
    monkeypatch, capsys, tmp_path
):
    def environment(home, version):
        if version == "0.1":
            raise subprocess.CalledProcessError(1, ["/somewhere/pip", "install"])
        return home / version

    def run_tests(python, version, chosen, report):
        assert chosen == ["tests/kernel", "-k", "one"]
        return Outcome(f"{version}.0", 5)

    monkeypatch.setattr(kernel_matrix, "environment", environment)
    monkeypatch.setattr(kernel_matrix, "run_tests", run_tests)
    arguments = ["--home", str(tmp_path), "--versions", "0.1", "7.4", "--", "tests/kernel", "-k", "one"]
    assert main(arguments) == 1
    told = capsys.readouterr().out
    assert "pip ended with 1" in told
    assert "7.4.0" in told
    assert main(["--home", str(tmp_path), "--versions", "7.4", "--", *arguments[-3:]]) == 0


def test_the_versions_are_those_that_the_package_allows():
    project = (Path(kernel_matrix.__file__).parents[2] / "pyproject.toml").read_text()
    assert '"ipykernel>=6.29,!=7.0.*"' in project
    assert kernel_matrix.VERSIONS[0] == "6.29"
    assert "7.0" not in kernel_matrix.VERSIONS


def test_the_command_explains_itself():
    script = str(Path(kernel_matrix.__file__))
    told = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, check=True)
    assert "--versions" in told.stdout
