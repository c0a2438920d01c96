"""Options that many functions share, checked: words of a list, whole numbers, shares, names of columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aurigraph_nb.errors import BadOption, BadOptionType


def one_of(name: str, value: Any, allowed: Sequence[Any]) -> None:
    """Check an option that is one of a few words.

    Raises:
        BadOption: it is none of them.
    """
    if value not in allowed:
        raise BadOption(f"{name}={value!r}: expected one of {', '.join(map(repr, allowed))}")


def free_name(option: str, name: str, taken: Sequence[str]) -> None:
    """Check that a column of the data, which the table shall have, is not called as one of the table's own.

    Raises:
        BadOption: it is.
    """
    if name in taken:
        raise BadOption(f"{option}={name!r}: the table has a column {name!r} of its own; rename that of the data first")


def whole(name: str, value: Any, least: int = 1) -> int:
    """Check an option that is a whole number.

    Raises:
        BadOption: it is below ``least``.
        BadOptionType: it is no whole number.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise BadOptionType(f"{name}={value!r}: a whole number was expected")
    if value < least:
        raise BadOption(f"{name}={value}: at least {least} was expected")
    return int(value)


def share(name: str, value: Any) -> float:
    """Check an option that is a share strictly between 0 and 1.

    Raises:
        BadOption: it is not.
        BadOptionType: it is no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating):
        raise BadOptionType(f"{name}={value!r}: a number between 0 and 1 was expected")
    if not 0 < value < 1:
        raise BadOption(f"{name}={value!r}: a number between 0 and 1 was expected, both left out")
    return float(value)
