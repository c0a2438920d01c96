"""The command line as a whole: help, version, errors and exit codes."""

import re
import subprocess
import sys
import textwrap
from importlib import metadata

import pytest

from aurigraph_nb import cli as cli_package
from aurigraph_nb import errors
from aurigraph_nb.cli.extras import need

VERBS = ["lab", "serve", "watch", "doctor"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_help_with_an_example(cli, verb):
    result = cli(verb, "--help")
    assert result.exit_code == 0
    assert re.search(rf"^\s+aurigraph-nb {verb}", result.stdout, re.MULTILINE)


def test_without_a_verb_the_verbs_are_listed(cli):
    result = cli()
    assert all(verb in result.output for verb in VERBS)


def test_the_version_is_the_installed_one(cli):
    assert cli("--version").stdout == f"aurigraph-nb {metadata.version('aurigraph-nb')}\n"


@pytest.mark.parametrize(
    "error, code", [(errors.BadOption("wrong"), 2), (errors.MissingExtra("absent"), 2), (errors.FileError("torn"), 1)]
)
def test_an_error_is_one_line_and_an_exit_code(monkeypatch, capsys, error, code):
    def fail(**_):
        raise error

    monkeypatch.setattr(cli_package, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli_package.main([])
    assert ended.value.code == code
    assert capsys.readouterr().err == f"aurigraph-nb: {error}\n"


def test_a_missing_extra_is_named_with_the_command_that_brings_it():
    with pytest.raises(errors.MissingExtra) as caught:
        need("lab", "sys", "no_such_module_at_all", verb="lab")
    assert "needs no_such_module_at_all" in str(caught.value)
    assert 'pip install "aurigraph-nb[lab]"' in str(caught.value)


# What the core install brings is what may be imported; everything that only an extra brings is hidden here.
WITHOUT_EXTRAS = """
    import sys

    HIDDEN = {"jupyterlab", "ipykernel", "nest_asyncio2", "prometheus_client", "jwt", "picows", "uvloop", "polars",
              "duckdb", "dask", "s3fs", "mcap", "scipy", "statsmodels", "lifelines", "moto", "pytest", "playwright"}

    class Hide:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in HIDDEN:
                raise ModuleNotFoundError(name)

    sys.meta_path.insert(0, Hide())
    import importlib.util
    find_spec = importlib.util.find_spec
    importlib.util.find_spec = lambda name, package=None: None if name in HIDDEN else find_spec(name, package)
    from aurigraph_nb.cli import main
    main(sys.argv[1:])
"""


def _without_extras(*words):
    line = [sys.executable, "-c", textwrap.dedent(WITHOUT_EXTRAS), *words]
    return subprocess.run(line, capture_output=True, text=True, timeout=60)


def test_after_the_core_install_alone_the_command_line_works_and_names_the_extra(tmp_path):
    assert _without_extras("--help").returncode == 0
    result = _without_extras("lab", "--no-browser", "--dir", str(tmp_path / "mine"))
    assert result.returncode == 2
    assert "[lab]" in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "mine").exists()


def test_the_command_is_installed():
    (command,) = metadata.entry_points(group="console_scripts", name="aurigraph-nb")
    assert command.load() is cli_package.main


def test_the_package_can_be_run_as_a_module():
    line = [sys.executable, "-m", "aurigraph_nb", "--version"]
    assert subprocess.run(line, capture_output=True, text=True, timeout=60).stdout.startswith("aurigraph-nb ")
