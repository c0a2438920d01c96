"""The command line ``aurigraph-nb``: one module a verb.

Importing it needs the core install alone. A verb that needs more says which extra brings it, when it is used.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated, Any

import typer

from ..errors import AurigraphError, UsageError
from . import doctor, export, info, lab, rebuild, record, replay, sample, serve, watch
from .text import plain
from .words import Word, translated, vocabulary

__all__ = ["app", "main"]

MOST_CHARS = 2_000
"""Of an error's message; what servers and files are called may be of any length."""

# Plain help: in rich's, the name of an extra such as [lab] would be read as a style, and vanish.
app = typer.Typer(
    name="aurigraph-nb",
    help="Watch, keep and study live Aurigraph networks. Begin with: aurigraph-nb lab",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("lab", context_settings={"allow_extra_args": True})(lab.lab)
app.command("serve")(serve.serve)
app.command("watch")(watch.watch)
app.command("record")(record.record)
app.command("replay")(replay.replay)
app.command("export")(export.export)
app.command("info")(info.info)
app.command("rebuild")(rebuild.rebuild)
app.command("sample")(sample.sample)
app.command("doctor")(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aurigraph-nb {metadata.version('aurigraph-nb')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main(args: Sequence[str] | None = None) -> None:
    """Run one command line (by default the process's own) and exit.

    Exit codes: 0 done, 1 it could not be done, 2 it was asked for wrongly, 130 interrupted.
    """
    words = list(sys.argv[1:] if args is None else args)
    try:
        app(args=words, prog_name="aurigraph-nb")
    except AurigraphError as error:
        _complain(translated(str(error), _words_of(words)))
        raise SystemExit(2 if isinstance(error, UsageError) else 1) from None
    except OSError as error:
        if error.errno != errno.EPIPE:  # nobody reads any more: nothing is left to say
            _complain(_reason(error))
        _let_go_of_output()
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _words_of(words: Sequence[str]) -> dict[str, Word]:
    """What the verb of a command line calls the arguments of Python calls."""
    verb = next((word for word in words if not word.startswith("-")), None)
    if verb is None:
        return {}
    group: Any = typer.main.get_command(app)
    return vocabulary(verb, group.commands[verb]) if verb in group.commands else {}


def _complain(message: str) -> None:
    with contextlib.suppress(OSError):
        typer.echo(f"aurigraph-nb: {plain(message, MOST_CHARS)}", err=True)


def _reason(error: OSError) -> str:
    """What the system would not do, in a line."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error or type(error).__name__}"


def _let_go_of_output() -> None:
    """What could not be written is not tried again at the exit of the process, which would complain of it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
