"""Spells: for how long each thing was in which state, as far as rows and gaps let anybody know.

A row says the state of a thing from its time on, until the next row of that thing. Where rows are missing the state is
not known: a spell that meets a gap ends at the gap's start, and the next one begins with the first row after the gap.
So a spell may be cut on either side, and says so: how long it really was is then at least what was seen of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from .gaptimes import Holes
from .inputs import Rows, stamps

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

FOREVER = np.iinfo(np.int64).max


class Spells(NamedTuple):
    """Arrays of equal length, ordered by thing and start."""

    thing: Ints
    """Code of the thing."""
    state: Ints
    """Code of the state."""
    start_ns: Ints
    end_ns: Ints
    cut_left: Flags
    """The state may have begun before ``start_ns``: nothing is known of the time before."""
    cut_right: Flags
    """The state may have gone on after ``end_ns``: the rows end there, or a gap begins."""

    @property
    def seconds(self) -> Floats:
        """Length of each, in seconds."""
        return np.asarray((self.end_ns - self.start_ns) / 1e9)

    @property
    def whole(self) -> Flags:
        """Which were seen from their first to their last moment."""
        return np.asarray(~(self.cut_left | self.cut_right))

    def where(self, mask: Flags | slice) -> Spells:
        """Those that the mask, or a range of places, keeps."""
        return Spells._make(column[mask] for column in self)

    def table(self, thing: str, things: Sequence[Any], state: str, states: Sequence[Any]) -> pd.DataFrame:
        """One row a spell: the thing, the state, ``start`` and ``end`` (UTC), ``duration_s``, and how it was cut.

        An empty ``thing`` leaves that column out.
        """
        data: dict[str, Any] = {thing: named(self.thing, things)} if thing else {}
        data |= {
            state: named(self.state, states),
            "start": stamps(self.start_ns),
            "end": stamps(self.end_ns),
            "duration_s": self.seconds,
            "cut_left": self.cut_left,
            "cut_right": self.cut_right,
        }
        return pd.DataFrame(data)


def coded(texts: npt.NDArray[np.object_]) -> tuple[Ints, list[str]]:
    """Codes of texts, and the texts in alphabetical order; the code of a missing one is -1.

    >>> coded(np.array(["b", None, "a"], dtype=object))[0].tolist()
    [1, -1, 0]
    """
    names = sorted({t for t in texts if t is not None})
    place = {name: i for i, name in enumerate(names)}
    return np.array([-1 if t is None else place[t] for t in texts], dtype=np.int64), names


def named(codes: Ints, names: Sequence[Any]) -> pd.Series[Any]:
    """The texts that codes stand for, as a column of texts; missing where a code is negative."""
    return pd.Series([names[c] if c >= 0 else None for c in codes], dtype="str")


def known_until(times: Ints, holes: Holes) -> Ints:
    """For each time the moment up to which what was known at it is still known: the start of the next gap.

    A time inside a gap is known for no longer than the moment itself.
    """
    place = np.searchsorted(holes.ends, times, side="right")
    starts = np.append(holes.starts, FOREVER)
    return np.asarray(np.maximum(starts[place], times), dtype=np.int64)


def spells(times: Ints, things: Ints, states: Ints, holes: Holes, end_ns: int | None) -> Spells:
    """The spells of all things.

    A spell without length stays where it is cut: that state was seen, if only for a moment.

    Args:
        times: of the rows, ns, in any order; of rows about one thing at one time the last one given counts.
        things: code of the thing that each row is about, at least 0; rows with a negative one are left out.
        states: code of the state that it is in from then on; negative: the row does not say, the state goes on.
        holes: when rows are missing.
        end_ns: up to when the last state of each thing is known; None where there are no rows.
    """
    use = np.flatnonzero((things >= 0) & (states >= 0))
    if not len(use) or end_ns is None:
        none, no = np.empty(0, np.int64), np.empty(0, np.bool_)
        return Spells(none, none, none, none, no, no)
    use = use[np.lexsort((use, times[use], things[use]))]
    use = use[np.append((np.diff(times[use]) != 0) | (np.diff(things[use]) != 0), True)]
    t, k, s = times[use], things[use], states[use]
    known = known_until(t, holes)
    new_thing = np.append(True, k[1:] != k[:-1])
    after_gap = np.append(False, known[:-1] < t[1:]) & ~new_thing
    first = new_thing | after_gap | np.append(False, s[1:] != s[:-1])
    begins = np.flatnonzero(first)
    lasts = np.append(begins[1:], len(t)) - 1
    following = np.append(t[1:], end_ns)
    following[np.append(new_thing[1:], True)] = end_ns
    end = np.minimum(following[lasts], known[lasts])
    cut_right = np.append((new_thing | after_gap)[1:], True)[lasts]
    made = Spells(k[begins], s[begins], t[begins], end, (new_thing | after_gap)[begins], cut_right)
    return made.where((made.end_ns > made.start_ns) | made.cut_left | made.cut_right)


def spells_of(got: Rows, thing: str, state: str) -> tuple[Spells, list[str], list[str]]:
    """The spells of the things in column ``thing`` by the states in column ``state``, and the names of both.

    An empty ``thing`` takes all rows as one thing.
    """
    states, words = coded(got.texts(state))
    things, names = coded(got.texts(thing)) if thing else (np.zeros(len(got), np.int64), [""])
    return spells(got.time_ns, things, states, got.holes, got.end_ns), names, words


def in_state_at(found: Spells, moments: Ints) -> Ints:
    """How many of the spells go on at each of the moments."""
    begun = np.searchsorted(np.sort(found.start_ns), moments, side="right")
    return np.asarray(begun - np.searchsorted(np.sort(found.end_ns), moments, side="right"), dtype=np.int64)
