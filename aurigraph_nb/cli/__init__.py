"""The command line ``aurigraph-nb``: one module a verb.

Importing it needs the core install alone. A verb that needs more says which extra brings it, when it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer

from ..errors import AurigraphError, UsageError
from . import doctor, export, info, lab, rebuild, record, replay, sample, serve, watch

__all__ = ["app", "main"]

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
    try:
        app(args=args, prog_name="aurigraph-nb")
    except AurigraphError as error:
        typer.echo(f"aurigraph-nb: {error}", err=True)
        raise SystemExit(2 if isinstance(error, UsageError) else 1) from None
