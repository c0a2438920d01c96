"""What DuckDB says of a query that it cannot run, as an error of this package that names what could be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..errors import BadOption, did_you_mean

WORDS_CHARS = 500
SHOWN = 60
"""Tables, and columns of a table, that a message names."""

_TABLE = re.compile(r"Table with name (?P<name>.+?) does not exist", re.DOTALL)
_COLUMN = re.compile(r'(?:Referenced column|does not have a column named) "(?P<name>[^"]+)"')
_GUESSES = re.compile(r"\n(?:Did you mean|Candidate bindings:).*", re.DOTALL)


def query_error(words: str, query: str, tables: Mapping[str, Sequence[str]]) -> BadOption:
    """The error for a query.

    >>> print(query_error('Catalog Error: Table with name metric does not exist!', "select 1", {"metrics": ["tps"]}))
    sql: Table with name metric does not exist! Did you mean metrics? Tables: metrics

    :param words: what DuckDB says
    :param query: what it was asked
    :param tables: the columns of each table there is
    """
    said = _GUESSES.sub("", words.strip())
    kind, _, rest = said.partition(": ")
    said = (rest if kind.endswith("Error") and rest else said).replace("\n\n", "\n")[:WORDS_CHARS]
    return BadOption(f"sql: {said.strip()}{_what_there_is(words, query, tables)}")


def _what_there_is(words: str, query: str, tables: Mapping[str, Sequence[str]]) -> str:
    if found := _TABLE.search(words):
        return f"{did_you_mean(found['name'], tables)} Tables: {_listed(tables)}"
    if found := _COLUMN.search(words):
        asked = {name: columns for name, columns in tables.items() if _stands_in(name, query)} or tables
        every = dict.fromkeys(column for columns in asked.values() for column in columns)
        lines = [f"\n  {name} has {_listed(columns)}" for name, columns in list(asked.items())[:SHOWN]]
        return did_you_mean(found["name"], every) + "".join(lines)
    return ""


def _stands_in(name: str, query: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", query, re.IGNORECASE) is not None


def _listed(names: Mapping[str, object] | Sequence[str]) -> str:
    more = f", … ({len(names) - SHOWN:,} more)" if len(names) > SHOWN else ""
    return ", ".join(list(names)[:SHOWN]) + more
