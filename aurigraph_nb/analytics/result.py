"""What every analysis gives back: a number where there is one, a tidy table, a figure and one line to read."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from .numeric import as_float
from .plots import Chart, draw

if TYPE_CHECKING:
    import plotly.graph_objects as go

SHOWN_ROWS = 10
"""Rows of the table that a notebook shows; ``.table`` has all."""


class AnalyticsWarning(UserWarning):
    """A result is less than it looks: members are missing, or a sample is too small for what was asked.

    >>> import warnings
    >>> import pandas as pd
    >>> from aurigraph_nb import analytics
    >>> half = pd.DataFrame({"id": ["a", "b"], "voting_power": [60.0, 40.0]})
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", analytics.AnalyticsWarning)  # it is known that two of four are missing
    ...     analytics.nakamoto(half, active=4).coverage
    0.5
    """


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """One answer. Frozen; two results are never equal but to themselves, since tables have no single equality.

    >>> import pandas as pd
    >>> Result("peak", 12.5, "tx/s", pd.DataFrame({"tps": [12.5]}), "peak: 12.5 tx/s; n = 1 row")
    peak: 12.5 tx/s; n = 1 row
    """

    name: str
    """What was asked, in words."""
    value: float | int | Decimal | None
    """The answer, where it is one number; None where it is none, or cannot be told from these data."""
    unit: str
    """Unit of ``value``; empty where it has none."""
    table: pd.DataFrame
    """The answer, or what it was made of, tidy: one row a thing, units in the names of the columns, index 0, 1, 2, …

    A row about one moment has it in ``timestamp``, one about a stretch of time in ``start`` and ``end``."""
    reading: str
    """One line: the number with its unit, how many rows or members it rests on, and how much was covered."""
    notes: tuple[str, ...] = ()
    """Assumptions and caveats that hold for these data."""
    coverage: float | None = None
    """Share (0-1) of the time, or of the members, that the answer has seen; None where nobody can tell."""
    n: int = 0
    """Rows, or members, that went into the answer."""
    chart: Chart = field(default_factory=Chart)
    """How :meth:`plot` draws the table."""

    def plot(self) -> go.Figure:
        """The table as a plotly figure with a transparent ground; what gaps hide is shaded where time is on x."""
        return draw(self.table, self.chart, title=self.name, empty=self.reading)

    def __repr__(self) -> str:
        return self.reading

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The reading, the notes and the first rows of the table; text of the data is only ever text."""
        notes = "".join(f"\n  {note}" for note in self.notes)
        return {"text/plain": self.reading + notes, "text/html": self._html()}

    def _html(self) -> str:
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        rows = self.table.head(SHOWN_ROWS)
        whole = {name: "{:,}".format for name, kind in rows.dtypes.items() if getattr(kind, "kind", "") in "iu"}
        head = rows.to_html(escape=True, border=0, index=False, na_rep="–", float_format=_in_a_table, formatters=whole)
        more = len(self.table) - SHOWN_ROWS
        left = f"<p>… and {more:,} more rows in <code>.table</code></p>" if more > 0 else ""
        lists = f"<ul>{notes}</ul>" if notes else ""
        # Amounts may hold dollar signs; no page shall read formulas into them.
        table = f'<div class="tex2jax_ignore mathjax_ignore">{head}{left}</div>'
        return f"<p><strong>{html.escape(self.reading)}</strong></p>{lists}{table}"


def number(value: float | int | Decimal | None, digits: int = 5) -> str:
    """A number as a reading shows it: whole numbers in full, others with five significant digits.

    >>> number(1234567), number(0.123456789), number(1345678.9), number(None)
    ('1,234,567', '0.12346', '1,345,700', 'unknown')
    """
    if value is None or value != value:
        return "unknown"
    size = abs(as_float(value))
    if isinstance(value, int) or (size < 10**15 and value == int(value)):
        return f"{int(value):,}"
    if 10**digits - 0.5 <= size < 10**15:
        scale = 10 ** (len(str(int(size))) - digits)
        return f"{round(float(value) / scale) * scale:,}"
    return f"{value:,.{digits}g}"


def _in_a_table(value: float) -> str:
    """A number as a notebook shows it in a table; ``.table`` has all digits."""
    return number(value, digits=6)


def reading(
    name: str,
    value: float | int | Decimal | None,
    unit: str,
    n: int,
    coverage: float | None = None,
    *,
    of: str = "row",
    why: str = "",
) -> str:
    """The one line of a result.

    :param of: what ``n`` counts, in the singular
    :param why: why there is no number, where there is none

    >>> reading("Mean TPS", 1347.25, "tx/s", 300, 0.985)
    'Mean TPS: 1,347.2 tx/s; n = 300 rows; coverage 98.5 %'
    >>> reading("Mean TPS", None, "tx/s", 0, why="no rows")
    'Mean TPS: unknown (no rows); n = 0 rows'
    """
    shown = number(value)
    if shown == "unknown":
        shown += f" ({why})" if why else ""
    elif unit:
        shown += f" {unit}"
    seen = f"; coverage {100 * coverage:.4g} %" if coverage is not None and coverage == coverage else ""
    return f"{name}: {shown}; n = {n:,} {of}{'' if n == 1 else 's'}{seen}"
