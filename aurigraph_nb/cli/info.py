"""``aurigraph-nb info PATH``: what is in a recording, and with --verify whether it is as it was written."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Annotated

import typer

from ..reading.recording import RecordingRecovered, open_recording
from .text import plain


def info(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Directory of the recording.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Look at every file: checksums, counts, order. Exit code 1 if one is off.")
    ] = False,
) -> None:
    """Tell what is in a recording. Nothing is changed on the disk.

    \b
    Examples:
      aurigraph-nb info runs/friday
      aurigraph-nb info runs/friday --verify
      aurigraph-nb info runs/friday --json | jq .bytes_per_message
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecordingRecovered)
        recording = open_recording(path, recover=False)
    found = recording.info()
    verification = recording.verify() if verify else None
    if as_json:
        told = found.to_dict()
        if verification is not None:
            told["ok"] = verification.ok
            told["findings"] = [str(finding) for finding in verification.findings]
        typer.echo(json.dumps(told))
    else:
        for line in str(found).splitlines():
            typer.echo(plain(line, 500))
        for line in str(verification).splitlines() if verification is not None else ():
            typer.echo(plain(line, 500))
    if verification is not None and not verification.ok:
        raise typer.Exit(1)
