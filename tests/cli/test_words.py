"""Errors in the words of the command line: what the package calls an argument, a verb calls an option."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb import cli as cli_package
from aurigraph_nb.cli.words import ALIASES, Word, translated, vocabulary

VERBS = typer.main.get_command(cli_package.app).commands
WORDS = {
    "speed": Word("--speed"),
    "tls_cert": Word("--tls-cert"),
    "tls_key": Word("--tls-key"),
    "overwrite": Word("--overwrite"),
    "browser": Word("--browser", "--no-browser"),
    "broadcast": Word("", "--no-broadcast"),
    "topics": Word("--topics"),
    "path": Word("PATH"),
    "protocol": Word("--protocol"),
}


@pytest.mark.parametrize(
    "message, told",
    [
        ("speed='fast': expected a number", "--speed fast: expected a number"),
        ("speed=-1.5 is out of range", "--speed -1.5 is out of range"),
        ("speed=nan: no", "--speed nan: no"),
        ("speed=7.", "--speed 7."),
        ('say protocol="live" or protocol="portal"; or', "say --protocol live or --protocol portal; or"),
        ("Name another place, or say overwrite=True.", "Name another place, or say --overwrite."),
        ("overwrite=False: no", "without --overwrite: no"),
        ("browser=False and browser=True", "--no-browser and --browser"),
        ("broadcast=False and broadcast=True", "--no-broadcast and without --no-broadcast"),
        (
            "tls_key='k.pem' was given without tls_cert=…; it is missing",
            "--tls-key k.pem was given without --tls-cert; it is missing",
        ),
        ("token by tls_key= here", "token by --tls-key here"),
        ("topics=['a', 'b']: 'a' is not there", "--topics a,b: 'a' is not there"),
        ("topics=[]: name one", "--topics '': name one"),
        ("path='my run' holds it", "PATH 'my run' holds it"),
        ("path='': no", "PATH '': no"),
        (r"path='it\'s': no", """PATH 'it'"'"'s': no"""),
        (r"path='a\x1b[2J': no", r"path='a\x1b[2J': no".replace("path=", "PATH ")),
        ("--for='x' is no duration", "--for x is no duration"),
        ("(speed=2, path='x')", "(--speed 2, PATH x)"),
    ],
)
def test_what_python_says_is_said_as_the_verb_says_it(message, told):
    assert translated(message, WORDS) == told


@pytest.mark.parametrize(
    "message",
    [
        "recover=False is no option of this verb",
        "ws://localhost/ws?token=…&speed=3 cannot be reached",
        "there is no topic 'speed=3' in it, nor \"path='x'\"",
        "the recorder's speed and the clients' path are fine",
        "speed==3",
        "a.speed=3, x/speed=3 and airspeed=3",
    ],
)
def test_what_is_no_option_or_was_said_by_others_stays_as_it_is(message):
    assert translated(message, WORDS) == message


@given(st.text(), st.text())
def test_no_message_breaks_it_and_what_stands_around_stays(before, value):
    assert "speed" in translated(f"{before} speed={value!r}", WORDS)
    translated(before + value, WORDS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_every_verb_is_known_by_the_name_of_its_argument(verb):
    words = vocabulary(verb, VERBS[verb])
    for param in VERBS[verb].params:
        said = translated(f"{param.name}='x' is not known", words)
        assert said.startswith(("--", param.name.upper(), "[URL] PATH", "PATH", "URL", "SCENARIO")), said
    spellings = {spelling for param in VERBS[verb].params for spelling in (*param.opts, *param.secondary_opts)}
    targets = {word for word in ALIASES.get(verb, {}).values() if word.startswith("-")}
    assert targets <= spellings, "an alias names no option of the verb"


def test_aliases_are_of_verbs_that_there_are():
    assert set(ALIASES) <= set(VERBS)


# ---- the edge


@pytest.fixture
def told(capfd, monkeypatch, tmp_path):
    """Run a command line as the process does; gives its exit code, and what it said where errors go."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            cli_package.main(words)
        return ended.value.code, capfd.readouterr().err

    return run


@pytest.fixture
def recording(told):
    assert told("sample", "steady", "run", "--duration", "5")[0] == 0


@pytest.mark.parametrize(
    "line, code, words",
    [
        ("sample nosuch x", 2, "SCENARIO nosuch is not known; it can be quiet, steady"),
        ("sample steady x --rate -3", 2, "--rate -3.0 is out of range; expected 0.1 to 1,000,000 frames a second"),
        (
            "sample steady x --duration soon",
            2,
            "--duration soon is no duration; expected seconds, or a text such as '5min'",
        ),
        ("sample steady x --start 12:00", 2, "--start 12:00 names no day"),
        ("sample steady x --created never", 2, "--created never is no time; expected one such as '2026-01-01 12:00'"),
        (
            "serve --tls-cert run/recording.json",
            2,
            "holds no key, and none was given; name the PEM file of the key by --tls-key.",
        ),
        ("serve --tls-key k.pem", 2, "--tls-key k.pem was given without --tls-cert; the certificate is missing"),
        ("serve --tls-cert a.pem --tls-key b.pem", 2, "--tls-cert a.pem, --tls-key b.pem: there is no file 'a.pem'"),
        ("serve --quirk odd", 2, "--quirk odd is not known"),
        ("serve --metrics-interval 0", 2, "--metrics-interval 0.0 is out of range"),
        ("serve --host nosuch.invalid", 2, "--host nosuch.invalid cannot be resolved"),
        ("serve --port 99999", 2, "--port 99999 is out of range"),
        ("export run --to xlsx", 2, "--to xlsx: expected one of parquet, csv"),
        ("export run --to csv --topics ,", 2, "--topics ,: at least one name was expected"),
        ("export run --to csv --out run", 2, "the recording itself is there; name a place outside it"),
        ("export run --to csv --out .", 2, "--out "),
        ("export run --to csv --start 10s", 2, "--start 10s: 10 s after its start lies outside the recording"),
        ("export run --to csv --out one.csv", 2, "--out one.csv is one file, of 5 topics"),
        ("export none --to csv", 1, "there is nothing, and a recording is a directory"),
        ("replay run --speed fast", 2, '--speed fast: expected a number above 0, such as 10, or "max"'),
        ("replay run --topics a,b", 2, "--topics a,b: 'a' was not recorded"),
        ("replay run --topics ,", 2, "at least one name was expected"),
        ("replay run --recorder me", 2, "--recorder me: there is none of that name"),
        ("record ws://localhost:1/foo new", 2, "Say which one it is with --protocol portal or --protocol live"),
        ("record new --for x", 2, "--for x is no duration"),
        ("record new --durability hope", 2, "--durability hope: expected 'process' or 'power'"),
        (
            "record ws://example.com/ws/metrics new --token t",
            2,
            "or allow it by name: --insecure-token-host example.com",
        ),
        ("record ws://u:p@localhost:1/ws/metrics new", 2, "give a token by --token instead"),
        ("watch --protocol odd", 2, "--protocol odd is not known"),
        ("watch --token t", 2, "--token: without a URL a local node is started"),
        ("watch --interval 0", 2, "--interval 0 is too short"),
        ("doctor ws://[::1", 2, "is no URL"),
        ("doctor ws://localhost:1 --timeout x", 2, "--timeout x is no duration"),
        ("info none", 1, "there is nothing, and a recording is a directory"),
        ("rebuild run/recording.json", 1, "it is a file, and a recording is a directory"),
    ],
)
def test_whatever_is_asked_for_wrongly_is_told_in_one_line_that_can_be_typed(told, recording, line, code, words):
    found, said = told(*line.split())
    assert (found, said.count("\n")) == (code, 1)
    assert said.startswith("aurigraph-nb: ") and words in said
    assert "Traceback" not in said and "=True" not in said


def test_what_is_there_is_replaced_by_the_option_that_the_error_names(told, recording):
    assert told("export", "run", "--to", "csv", "--quiet")[0] == 0
    code, said = told("export", "run", "--to", "csv", "--quiet")
    assert code == 1 and said.endswith("Name another place, or say --overwrite.\n")
    assert told("export", "run", "--to", "csv", "--quiet", "--overwrite")[0] == 0


def test_an_error_of_any_length_is_one_bounded_line_without_control_characters(monkeypatch, told):
    def fail(**_):
        raise cli_package.UsageError("a\nb\x1b[2J" + "x" * 100_000)

    monkeypatch.setattr(cli_package, "app", fail)
    code, said = told()
    assert code == 2 and said.startswith("aurigraph-nb: a b") and "\x1b" not in said
    assert len(said) <= cli_package.MOST_CHARS + 20


@pytest.mark.parametrize(
    "error, code, words",
    [
        (OSError(28, "No space left on device"), 1, "aurigraph-nb: No space left on device\n"),
        (PermissionError(13, "Permission denied", "secret/dir"), 1, "aurigraph-nb: secret/dir: Permission denied\n"),
        (BrokenPipeError(32, "Broken pipe"), 1, ""),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_the_machine_refuses_is_a_line_and_no_traceback(monkeypatch, told, error, code, words):
    def fail(**_):
        raise error

    monkeypatch.setattr(cli_package, "app", fail)
    monkeypatch.setattr(cli_package, "_let_go_of_output", lambda: None)
    assert told() == (code, words)


def _said_without_a_reader(output):
    line = [sys.executable, "-m", "aurigraph_nb", "info", "run"]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli_package.__file__).parents[2])}
    with subprocess.Popen(line, stdout=output, stderr=subprocess.PIPE, text=True, env=environment) as process:
        if process.stdout is not None:
            process.stdout.close()
        said = process.stderr.read()
    return process.returncode, said


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_where_nobody_reads_on_nothing_is_complained_of(recording):
    assert _said_without_a_reader(subprocess.PIPE) == (1, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a disk that is full, as Linux has it")
def test_a_full_disk_behind_the_output_is_told_in_a_line(recording):
    with open("/dev/full", "w") as full:
        assert _said_without_a_reader(full) == (1, "aurigraph-nb: No space left on device\n")
