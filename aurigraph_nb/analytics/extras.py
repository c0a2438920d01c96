"""The door to scipy, which only some analyses need: it is loaded when one of them is asked."""

from __future__ import annotations

import importlib
from typing import Any

from aurigraph_nb.errors import MissingExtra


def scipy(module: str, what: str) -> Any:
    """A module of scipy, such as ``stats``, for ``what``.

    Raises:
        MissingExtra: scipy is not installed.
    """
    try:
        return importlib.import_module(f"scipy.{module}")
    except ImportError:
        raise MissingExtra(
            f"{what} needs SciPy, which is not installed: pip install 'aurigraph-nb[research]' (or: scipy)"
        ) from None
