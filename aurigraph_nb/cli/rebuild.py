"""``aurigraph-nb rebuild PATH``: the Parquet files of a recording, made again from its journal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..recording import directory as directories
from ..recording import rebuild as rebuilding
from ..recording.rebuild import Rebuilt
from ..recording.verify import many
from .text import plain


def rebuild(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Directory of the recording.")],
    left: Annotated[
        bool, typer.Option("--left", help="Seal only what recorders that are no more left unsealed.")
    ] = False,
) -> None:
    """Make all Parquet files and manifests of a recording again from its journal, which is the truth.

    What a recorder that was killed left is recovered and sealed, too. Recorders that are at work are left alone. Exit
    code 1 if something could not be sealed.

    \b
    Examples:
      aurigraph-nb rebuild runs/friday
      aurigraph-nb rebuild runs/friday --left
    """
    directory = directories.open(path)
    done = rebuilding.seal_left(directory) if left else rebuilding.rebuild(directory)
    for line in told(done):
        typer.echo(plain(line, 500))
    if done.problems:
        raise typer.Exit(1)


def told(done: Rebuilt) -> list[str]:
    """What was done, line by line."""
    lines = [f"Recovered: {found}" for found in done.recovered]
    lines += [f"By {name}: {many(len(entries), 'segment')} sealed" for name, entries in done.entries.items() if entries]
    lines += [f"Removed, of no segment any more: {name}" for name in done.removed]
    lines += [f"Left alone, at work: {name}" for name in done.live]
    lines += [f"Not sealed: {problem}" for problem in done.problems]
    return [*lines, f"Sealed: {many(done.segments, 'segment')}, {many(done.rows, 'row')}"]
