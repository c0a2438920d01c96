"""A way to run a verb inside the test's process."""

import pytest
from typer.testing import CliRunner

from aurigraph_nb.cli import app


@pytest.fixture
def cli():
    """Run ``aurigraph-nb`` with the given words; errors of the package come out as they are."""

    def run(*words, env=None):
        result = CliRunner().invoke(app, list(words), env=env, prog_name="aurigraph-nb")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run
