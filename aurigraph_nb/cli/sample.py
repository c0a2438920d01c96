"""``aurigraph-nb sample SCENARIO PATH``: a recording of the local node's model, made at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..durations import parse_time
from ..recorder import size
from ..sample import START
from ..sample import sample as make_sample


def sample(
    scenario: Annotated[
        str,
        typer.Argument(metavar="SCENARIO", help="steady, quiet, spike, leader-churn, jailing, outage or partition."),
    ],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Directory that does not exist yet, or is empty.")],
    duration: Annotated[str, typer.Option(help="Length: seconds, or a text like '20min'.")] = "20min",
    seed: Annotated[int, typer.Option(help="What all randomness comes from.")] = 0,
    rate: Annotated[float | None, typer.Option(help="Frames a second over all topics.")] = None,
    protocol: Annotated[str, typer.Option(help="portal, live, channels or fakeai.")] = "portal",
    shape: Annotated[str | None, typer.Option(help="Of portal's frames: server, or portal (with places).")] = None,
    validators: Annotated[int | None, typer.Option(help="How many there are.")] = None,
    peers: Annotated[int | None, typer.Option(help="How many there are.")] = None,
    start: Annotated[str, typer.Option(help="First time; UTC.")] = START,
    id: Annotated[str | None, typer.Option(help="What it is called. Default: by scenario and seed.")] = None,  # noqa: A002 - the field's word
    created: Annotated[str | None, typer.Option(help="When it was made, for its label. Default: its start.")] = None,
) -> None:
    """Make a recording of the local node's model: all topics, any length, at once. No node is started.

    The same words give the same recording.

    \b
    Examples:
      aurigraph-nb sample partition runs/partition
      aurigraph-nb sample leader-churn runs/churn --duration 2h --seed 7
    """
    given = {"rate": rate, "shape": shape, "validators": validators, "peers": peers}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    recording = make_sample(scenario, duration, seed, protocol=protocol, start=start, **options)
    created_ns = None if created is None else parse_time(created, option="--created")
    target = recording.save(path, id=id, created_ns=created_ns)
    written = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    rows = sum(len(topic) for topic in recording)
    typer.echo(f"Made {rows:,} rows ({size(written)}): {target}")
