"""The gaps of a feed as people see them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .durations import shown_time
from .frames import to_html, to_pandas
from .gaps import Gap, GapBook
from .session import brief

if TYPE_CHECKING:
    import pandas as pd


class Gaps:
    """The gaps of a feed: what is missing, why, and how sure that is."""

    def __init__(self, book: GapBook) -> None:
        self._book = book

    def rows(self) -> tuple[Gap, ...]:
        """Oldest first; a gap that lasts has ``end_ns`` None."""
        return self._book.rows()

    def __iter__(self) -> Iterator[Gap]:
        return iter(self.rows())

    def __len__(self) -> int:
        return len(self._book)

    def __bool__(self) -> bool:
        return True

    @property
    def version(self) -> int:
        """Changes with every change."""
        return self._book.version

    @property
    def dropped(self) -> int:
        """Gaps that are not listed any more, because there were more than can be kept."""
        return self._book.dropped

    def to_pandas(self) -> pd.DataFrame:
        """One row a gap: topic, cause, certainty, start, end (NaT while it lasts), duration_s, frames, conn_epoch,
        detail.
        """
        return to_pandas(self._book.table(), index=None)

    def __repr__(self) -> str:
        return f"<Gaps: {self._words()}>"

    def _words(self) -> str:
        """How many there are, of which causes, and the last."""
        rows = self.rows()
        if not rows:
            return "none"
        causes = ", ".join(f"{cause} {count:,}" for cause, count in Counter(gap.cause for gap in rows).most_common())
        lasting = sum(gap.end_ns is None for gap in rows)
        still = f" ({lasting:,} still open)" if lasting else ""
        gone = f", {self.dropped:,} older ones not listed" if self.dropped else ""
        last = max(rows, key=lambda gap: gap.start_ns)
        length = "and still open" if last.duration_s is None else f"for {last.duration_s:,.1f} s"
        where = f"{brief(last.topic, 40)}, from {shown_time(last.start_ns)} {length}"
        return f"{len(rows):,}{still}{gone}: {causes}; the last: {where}"

    def _repr_html_(self) -> str:
        return to_html(f"Gaps: {self._words()}", self.to_pandas())
