"""What a docstring says of a table is so: each column by name, in its order, with its dtype, and when it is missing."""

import doctest
import inspect
import re

import pandas as pd
import pytest
from questions import PUBLIC, SHAPES, ask, frame_for

from aurigraph_nb import analytics

VALUES = [2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0]
ENTRY = re.compile(r"^``(?P<name>[^`]+)`` \((?P<kind>.+?)\): (?P<words>.*)$")
STANDS_FOR = {
    ("align", "a.tps"): "name.column",
    ("align", "b.cpu_percent"): "name.column",
    ("align", "a.coverage"): "name.coverage",
    ("align", "b.coverage"): "name.coverage",
    ("asof", "tps"): "left.column",
    ("asof", "cpu_percent"): "right.column",
    ("value_distribution", "q0.9"): "q0.5",
}
"""Columns whose names come from the call."""
MISSING = re.compile(r"NaN|NaT|<NA>|None|missing|null|likewise|as `+sum|as are")


def told(name):
    """The entries of the table in a function's docstring: name, dtype, words."""
    words = inspect.getdoc(getattr(analytics, name))
    lines = words[words.index("\nTable, ") :].split("\n\n")[1].split("\n")
    joined = []
    for line in lines:
        if line.startswith("        "):
            joined[-1] += " " + line.strip()
        else:
            joined.append(line.strip())
    return {m["name"]: (m["kind"], m["words"]) for m in (ENTRY.match(line) for line in joined)}


def as_told(name, column):
    return STANDS_FOR.get((name, column), column)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_docstring_names_every_column_with_its_dtype_in_their_order(name):
    table, entries = ask(name, frame_for(name, VALUES)).table, told(name)
    assert list(dict.fromkeys(as_told(name, c) for c in table)) == list(entries)
    for column, dtype in table.dtypes.items():
        kind, words = entries[as_told(name, column)]
        assert words.endswith(".") and (kind.startswith((str(dtype), "as in the data")))
    assert isinstance(table.index, pd.RangeIndex) and table.index.start == 0 and table.index.step == 1


@pytest.mark.parametrize("name", PUBLIC)
def test_the_example_of_a_docstring_gives_such_a_table(name):
    """The table that the docstring's own example makes has the columns told of, wherever it makes one."""
    function = getattr(analytics, name)
    found = []

    def spy(*data, **options):
        found.append(function(*data, **options))
        return found[-1]

    test = doctest.DocTestParser().get_doctest(
        inspect.getdoc(function), {**function.__globals__, name: spy}, name, None, 0
    )
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(test, out=lambda _: None)
    assert found
    if name not in ("align", "asof", "latency", "resample", "value_distribution", "health_dwell", "peer_latency"):
        assert list(found[-1].table.columns) == list(told(name))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_docstring_says_when_a_column_is_missing(name):
    words = inspect.getdoc(getattr(analytics, name))
    header = words[words.index("\nTable, ") :].split("\n\n")[0]
    before = ""
    entries = told(name)
    tables = [ask(name, make(frame_for(name, VALUES))).table for make in SHAPES.values()]
    for column, (_, own) in entries.items():
        empty = any(t[c].isna().any() for t in tables for c in t if as_told(name, c) == column)
        general = "NaN" in header or re.search(r"as are (all|the two)|then so are", before)
        assert not empty or MISSING.search(own) or general, f"{name}: {column} may be missing, and nothing says so"
        before += own


@pytest.mark.parametrize("name", PUBLIC)
def test_a_docstring_says_what_is_raised(name):
    words = inspect.getdoc(getattr(analytics, name))
    raises = words[words.index("\nRaises:") :].split("\n\n")[0]
    assert "BadOption:" in raises and "BadOptionType:" in raises
    assert "Incomplete" in raises or name == "decentralisation"
    assert ">>> " in words[words.index("\nRaises:") :]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_docstring_names_every_option(name):
    function = getattr(analytics, name)
    words = inspect.getdoc(function)
    for option in inspect.signature(function).parameters:
        assert re.search(rf"\b{option}\b[:,]|``{option}[`=]", words), f"{name}: nothing is said of {option}"
