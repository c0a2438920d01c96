"""``aurigraph-nb export PATH --to FORMAT``: a recording in another format."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer

from ..exporting.export import FORMATS
from ..exporting.export import export as export_recording
from ..reading.recording import open_recording
from .text import names, plain

FIRST = 'First time, such as "2026-01-01 12:00" (UTC); or since the start: 30s, 00:05:00; or before the end: -30s.'


def export(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Directory of the recording.")],
    to: Annotated[str, typer.Option(help=f"The format: {', '.join(FORMATS)}.")],
    topics: Annotated[
        str | None, typer.Option(help="Topics, with commas between. Default: all that were recorded.")
    ] = None,
    start: Annotated[str | None, typer.Option(help=FIRST)] = None,
    end: Annotated[str | None, typer.Option(help="Time from which on nothing is exported.")] = None,
    out: Annotated[Path | None, typer.Option(help="The target. Default: beside the recording.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Draw no progress bar.")] = False,
) -> None:
    """Write (a part of) a recording in another format. The target is there whole, or not at all.

    parquet, csv, arrow and jsonl make a directory with a file for each topic, or with one topic and a name such as
    metrics.csv that file alone; duckdb and mcap make one file. CSV is safe to open in a spreadsheet.

    \b
    Examples:
      aurigraph-nb export runs/friday --to parquet
      aurigraph-nb export runs/friday --to csv --topics metrics --out metrics.csv
      aurigraph-nb export runs/friday --to duckdb --start "2026-01-01 12:00" --end "2026-01-01 13:00"
    """
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        recording = open_recording(path)
        target = export_recording(
            recording,
            to,
            out,
            topics=names(topics, "--topics"),
            start=start,
            end=end,
            overwrite=overwrite,
            progress=not quiet,
        )
    for warning in told:
        typer.echo(plain(warning.message, 500), err=True)
    for finding in recording.damage:
        typer.echo(plain(finding, 500), err=True)
    typer.echo(f"Written: {target}")
