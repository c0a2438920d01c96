"""``aurigraph-nb serve``: prints where it is, serves, and ends on request."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner
from websockets.sync.client import connect

import aurigraph_nb
from aurigraph_nb.cli.serve import serve, warn_of_others
from aurigraph_nb.errors import BadOption

TLS = Path(__file__).parent / "tls"
COMMAND = "import typer; from aurigraph_nb.cli.serve import serve; typer.run(serve)"


@pytest.fixture
def command():
    """Run the verb in a process of its own."""
    running = []

    def start(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(Path(aurigraph_nb.__file__).parents[1]), "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def read_urls(process):
    """What is printed until the node is there: topic -> URL."""
    urls = {}
    for line in process.stdout:
        if found := re.match(r"  (\w+) +(\S+)$", line):
            urls[found[1]] = found[2]
        if line.startswith("Ctrl-C"):
            return urls
    raise AssertionError(f"it ended before it served; printed so far: {urls}")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_where_it_is_serves_and_stops_on_ctrl_c(command, number):
    process = command("--rate", "100", "--seed", "7")
    urls = read_urls(process)
    assert list(urls) == [
        "metrics", "transactions", "validators", "consensus", "network", "live", "channels", "fakeai",
        "health", "statistics", "prometheus", "blockchain",
    ]  # fmt: skip
    with connect(urls["live"], proxy=None) as client:
        assert "connection_established" in client.recv(timeout=20)
    assert urls["health"].startswith("http://127.0.0.1:")
    with connect(urls["transactions"], proxy=None) as client:
        assert client.recv(timeout=20)
        process.send_signal(number)
        assert process.wait(20) == 0
    assert "Stopped: " in process.stdout.read()


def test_it_ends_after_its_duration():
    result = CliRunner().invoke(app(), ["--port", "0", "--duration", "50ms", "--metrics-interval", "20ms"])
    assert result.exit_code == 0
    assert "scenario steady, seed 0" in result.output and "End of the run: 0 frames sent." in result.output


def test_all_options_are_taken():
    certificate = ["--tls-cert", str(TLS / "cert.pem"), "--tls-key", str(TLS / "key.pem")]
    result = CliRunner().invoke(
        app(),
        "--host 127.0.0.1 --port 0 --seed 3 --scenario spike --rate 50 --validators 4 --peers 3 --shape portal "
        "--no-broadcast --cors https://a.example --cors https://b.example --duration 0.05 --max-size 1000 "
        "--no-compression --token sesame --token barley --quirk doubled-frames --quirk event-key "
        "--inference-shape real".split()
        + certificate,
    )
    assert result.exit_code == 0, result.output
    assert "Clients need a token." in result.output and "sesame" not in result.output
    assert "wss://127.0.0.1:" in result.output and "https://127.0.0.1:" in result.output


def test_a_bad_option_is_told_by_its_error():
    result = CliRunner().invoke(app(), ["--scenario", "storm"])
    assert isinstance(result.exception, BadOption) and "storm" in str(result.exception)
    result = CliRunner().invoke(app(), ["--quirk", "polite"])
    assert isinstance(result.exception, BadOption) and "polite" in str(result.exception)
    result = CliRunner().invoke(app(), ["--token", "open sesame"])
    assert isinstance(result.exception, BadOption) and "sesame" not in str(result.exception)


def test_tokens_are_taken_from_the_environment_and_shown_nowhere():
    arguments = ["--port", "0", "--duration", "50ms"]
    result = CliRunner().invoke(app(), arguments, env={"AURIGRAPH_NODE_TOKEN": "sesame"})
    assert result.exit_code == 0 and "Clients need a token." in result.output
    helped = CliRunner().invoke(app(), ["--help"], env={"AURIGRAPH_NODE_TOKEN": "sesame"})
    assert "sesame" not in result.output + helped.output


def test_help_has_an_example():
    result = CliRunner().invoke(app(), ["--help"])
    assert result.exit_code == 0 and "aurigraph-nb serve --scenario leader-churn --seed 7" in result.output


def app():
    made = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    made.command()(serve)
    return made


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_where_only_this_machine_can_connect_nothing_is_said(host, capsys):
    warn_of_others(host, False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "host, who", [("0.0.0.0", "on its networks"), ("::", "on its networks"), ("10.0.0.7", "who reaches 10.0.0.7")]
)
@pytest.mark.parametrize("tokens", [False, True])
def test_where_others_can_connect_that_is_told_and_whether_they_need_a_token(host, who, tokens, capsys):
    warn_of_others(host, tokens)
    said = capsys.readouterr().err
    assert said.startswith(f"Warning: everyone {who} can connect")
    assert ("no token is asked of them (--token)" in said) is not tokens and "--host 127.0.0.1" in said
