"""What a verb needs beyond the core install, and the sentence that says so."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import MissingExtra


def need(extra: str, *modules: str, verb: str) -> None:
    """Check that ``modules`` can be imported; they are not.

    :raises MissingExtra: names the missing module and the extra that brings it
    """
    for module in modules:
        if find_spec(module) is None:
            raise MissingExtra(
                f"`aurigraph-nb {verb}` needs {module}, which is not installed. "
                f'The extra [{extra}] brings it: pip install "aurigraph-nb[{extra}]"'
            )
