"""The verb `lab`: copies of the notebooks, and JupyterLab as a child process."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from aurigraph_nb.cli import lab
from aurigraph_nb.cli.lab import Action, decide, sync
from aurigraph_nb.errors import BadOption, FileError, UsageError


@pytest.fixture
def packaged(tmp_path):
    folder = tmp_path / "packaged"
    (folder / "data").mkdir(parents=True)
    (folder / "01-tour.ipynb").write_text("tour 1")
    (folder / "data" / "sample.csv").write_text("a,b")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "01-tour-checkpoint.ipynb").write_text("old")
    return folder


@pytest.mark.parametrize(
    "packaged, present, as_copied, action",
    [
        ("new", None, None, Action.COPY),
        ("new", None, "old", Action.COPY),
        ("new", "new", None, Action.CURRENT),
        ("new", "new", "old", Action.CURRENT),
        ("new", "old", "old", Action.REFRESH),
        ("new", "mine", "old", Action.KEEP),
        ("new", "mine", None, Action.KEEP),
    ],
)
def test_a_copy_is_replaced_only_if_it_is_as_it_was_copied(packaged, present, as_copied, action):
    assert decide(packaged, present, as_copied) is action


def test_the_first_start_copies_all_but_hidden_files(packaged, tmp_path):
    mine = tmp_path / "deep" / "mine"
    assert sync(packaged, mine) == [(Action.COPY, "01-tour.ipynb"), (Action.COPY, "data/sample.csv")]
    assert (mine / "data" / "sample.csv").read_text() == "a,b"
    assert sync(packaged, mine) == [(Action.CURRENT, "01-tour.ipynb"), (Action.CURRENT, "data/sample.csv")]


def test_a_new_version_refreshes_unchanged_copies_and_keeps_changed_ones(packaged, tmp_path):
    mine = tmp_path / "mine"
    sync(packaged, mine)
    (mine / "01-tour.ipynb").write_text("my own notes")
    (packaged / "01-tour.ipynb").write_text("tour 2")
    (packaged / "data" / "sample.csv").write_text("c,d")
    assert sync(packaged, mine) == [(Action.KEEP, "01-tour.ipynb"), (Action.REFRESH, "data/sample.csv")]
    assert (mine / "01-tour.ipynb").read_text() == "my own notes"
    assert (mine / "data" / "sample.csv").read_text() == "c,d"


@pytest.mark.parametrize("ledger", ["", "[]", "{not json", "\x00"])
def test_without_a_readable_ledger_every_difference_counts_as_the_users_own(packaged, tmp_path, ledger):
    mine = tmp_path / "mine"
    sync(packaged, mine)
    (mine / lab.LEDGER).write_text(ledger)
    (packaged / "01-tour.ipynb").write_text("tour 2")
    assert sync(packaged, mine)[0] == (Action.KEEP, "01-tour.ipynb")


def test_no_half_written_file_stays_behind(packaged, tmp_path):
    sync(packaged, tmp_path / "mine")
    names = {p.name for p in (tmp_path / "mine").rglob("*") if p.is_file()}
    assert names == {"01-tour.ipynb", "sample.csv", lab.LEDGER}


def test_a_dir_that_is_a_file_is_refused_by_name(packaged, tmp_path):
    (tmp_path / "mine").write_text("")
    with pytest.raises(BadOption, match=r"--dir .*mine cannot be used"):
        sync(packaged, tmp_path / "mine")


def test_an_installation_without_notebooks_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(lab, "FIRST", "no-such.ipynb")
    with pytest.raises(FileError, match="install it again"):
        lab.packaged_notebooks()


def test_the_command_asks_nothing_of_the_internet_and_keeps_the_token(tmp_path):
    line = lab.command(tmp_path, browser=False, port=8890, extra=["--ip=127.0.0.2"])
    assert line[:3] == [sys.executable, "-m", "jupyterlab"]
    assert "--LabApp.news_url=None" in line and "--no-browser" in line and line[-1] == "--ip=127.0.0.2"
    assert "--ServerApp.port=8890" in line and "--ServerApp.port_retries=0" in line
    assert f"--ServerApp.root_dir={tmp_path}" in line and "--LabApp.default_url=/lab/tree/01-tour.ipynb" in line
    assert not any("token" in word.lower() or "password" in word.lower() for word in line)


def test_with_a_browser_and_no_port_jupyterlab_chooses(tmp_path):
    line = lab.command(tmp_path, browser=True, port=None)
    assert "--no-browser" not in line and not any("port" in word for word in line)


def test_options_of_the_user_take_the_place_of_ours(tmp_path):
    line = lab.command(tmp_path, browser=True, port=8890, extra=["--ServerApp.port=9999"])
    assert [word for word in line if word.startswith("--ServerApp.port=")] == ["--ServerApp.port=9999"]


def test_the_childs_exit_code_is_told():
    assert lab.run([sys.executable, "-c", "raise SystemExit(3)"]) == 3


def test_a_child_that_cannot_start_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="cannot be started"):
        lab.run([str(tmp_path / "missing")])


INTERRUPTS_ITS_PARENT = """
import os, signal
if {deaf}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.kill(os.getppid(), {number})
while True:
    signal.pause()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("deaf, stop_within_s", [(False, 20.0), (True, 0.1)], ids=["obedient child", "deaf child"])
def test_an_interrupt_ends_the_child_and_is_no_failure(number, deaf, stop_within_s):
    before = signal.getsignal(number)
    program = INTERRUPTS_ITS_PARENT.format(deaf=deaf, number=int(number))
    assert lab.run([sys.executable, "-c", program], stop_within_s=stop_within_s) == 0
    assert signal.getsignal(number) is before


def test_the_verb_copies_starts_and_tells_a_failure(packaged, tmp_path, monkeypatch, cli):
    started = []
    monkeypatch.setattr(lab, "packaged_notebooks", lambda: packaged)
    monkeypatch.setattr(lab, "run", lambda line: started.append(line) or 7)
    mine = tmp_path / "mine"
    result = cli("lab", "--no-browser", "--dir", str(mine), "--", "--ip=127.0.0.2")
    assert result.exit_code == 1 and "ended with code 7" in result.stderr
    assert result.stdout == f"Copied 2 files: {mine}\n"
    assert started[0][-1] == "--ip=127.0.0.2" and f"--ServerApp.root_dir={mine}" in started[0]


def test_a_kept_notebook_is_told(packaged, tmp_path, monkeypatch, cli):
    monkeypatch.setattr(lab, "packaged_notebooks", lambda: packaged)
    monkeypatch.setattr(lab, "run", lambda line: 0)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "01-tour.ipynb").write_text("mine")
    result = cli("lab", "--dir", str(mine))
    assert result.exit_code == 0
    assert f"Kept {mine / '01-tour.ipynb'}: you changed it" in result.stdout


def test_however_many_files_are_copied_it_is_one_line_and_one_for_each_that_was_kept(tmp_path):
    done = [(Action.COPY, f"{n}.ipynb") for n in range(50)]
    assert list(lab.told(done, tmp_path)) == [f"Copied 50 files: {tmp_path}"]
    done = [(Action.REFRESH, "a"), (Action.KEEP, "b"), (Action.CURRENT, "c"), (Action.COPY, "d"), (Action.KEEP, "e")]
    kept, also_kept, others = lab.told(done, tmp_path)
    assert kept.startswith(f"Kept {tmp_path / 'b'}: you changed it") and str(tmp_path / "e") in also_kept
    assert others == f"Copied 1 file, refreshed 1 file: {tmp_path}"
    assert list(lab.told([(Action.CURRENT, "c")], tmp_path)) == []


def test_jupyterlab_is_given_our_defaults_behind_those_that_the_user_names():
    ours = str(lab.DEFAULTS)
    assert lab.environment({"A": "b"}) == {"A": "b", "JUPYTER_CONFIG_PATH": ours}
    assert lab.environment({"JUPYTER_CONFIG_PATH": "mine"})["JUPYTER_CONFIG_PATH"] == f"mine{os.pathsep}{ours}"
    code = "import os, sys; sys.exit(7 if os.environ['JUPYTER_CONFIG_PATH'].endswith('jupyter') else 1)"
    assert lab.run([sys.executable, "-c", code]) == 7


def test_our_defaults_are_of_settings_that_jupyterlab_has():
    (file,) = (lab.DEFAULTS / "labconfig").iterdir()
    ((name, ours),) = json.loads(file.read_text(encoding="utf-8")).items()
    extension, _, setting = name.partition(":")
    schemas = Path(pytest.importorskip("jupyterlab").__file__).with_name("schemas")
    schema = json.loads((schemas / extension / f"{setting}.json").read_text(encoding="utf-8"))
    assert set(ours) <= set(schema["properties"])
    assert ours["fetchNews"] in {choice["const"] for choice in schema["properties"]["fetchNews"]["oneOf"]}


def test_the_notebooks_of_this_installation_are_found():
    folder = lab.packaged_notebooks()
    tour = json.loads((folder / lab.FIRST).read_text(encoding="utf-8"))
    assert tour["nbformat"] == 4
