"""The gaps of a feed as people see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .frames import to_pandas
from .gaps import Gap, GapBook

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
        return "<Gaps>"
