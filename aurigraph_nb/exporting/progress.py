"""A progress bar, in a terminal or a notebook; silent where nobody looks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

Tick = Callable[[int], object]
"""Is told how many more were done."""


@contextlib.contextmanager
def bar(total: int, what: str, *, shown: bool, console: Console | None = None) -> Iterator[Tick]:
    """Draw a bar while the block runs, on the error output; it goes away at the end.

    :param total: how many there are to be done
    :param what: what is counted, in words
    """
    console = console or Console(stderr=True)
    if not shown or not (console.is_interactive or console.is_jupyter):
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)
        progress.update(task, completed=total)
