"""Words that cannot rot: every public name has an example, and every example in the package runs.

An example runs as a reader would run it who has typed ``import aurigraph_nb as ag``; those of inner modules also see
their module's names. Each has a folder of its own, and the feeds that it leaves open are closed after it.
"""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import ipywidgets
import pytest

import aurigraph_nb as ag
from aurigraph_nb import analytics

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
CALLED = {
    ag.Feed: "topics now_ns status connections stats fields gaps undecoded raw control ended connect disconnect "
    "reconnect record send join close on_connect on_disconnect on_reconnecting on_reconnected on_error on_exhausted "
    "on_change",
    ag.Topic: "open unsubscribe latest to_arrow to_pandas to_polars wait wait_async take take_async on_record",
    ag.Recording: "status gaps info sql verify rebuild refresh save export close",
    ag.Recorder: "progress wait flush close",
}
"""The methods and properties that people use, by class."""


def modules():
    """All modules of the package, the package itself first."""
    yield ag
    for found in pkgutil.walk_packages(ag.__path__, "aurigraph_nb."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def examples():
    """Every docstring with examples, once."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {}
    for module in modules():
        for test in finder.find(module, module.__name__):
            if test.examples:
                found.setdefault(test.name, test)
    return sorted(found.values(), key=lambda test: test.name)


def public():
    """Every public thing: its name, and what it is."""
    for module in (ag, analytics):
        yield from ((f"{module.__name__}.{name}", getattr(module, name)) for name in module.__all__)
    for kind, names in CALLED.items():
        yield from ((f"{kind.__name__}.{name}", inspect.getattr_static(kind, name)) for name in names.split())


EXAMPLES = examples()
PUBLIC = dict(public())


def own_words(thing):
    """A thing's docstring, if it is its own: that of a base class tells of something else."""
    if isinstance(thing, type):
        return thing.__dict__.get("__doc__") or ""
    return inspect.getdoc(thing) or ""


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """An empty folder, nothing open before, nothing left behind."""
    monkeypatch.chdir(tmp_path)
    yield
    ag.close_all()
    ipywidgets.Widget.close_all()


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_an_example(name):
    words = own_words(PUBLIC[name])
    assert words.strip(), f"{name} has no docstring"
    assert ">>> " in words, f"{name} has no example"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda test: test.name.removeprefix("aurigraph_nb."))
def test_the_example_runs(example, alone):
    test = doctest.DocTest(
        example.examples,
        {**example.globs, "ag": ag, "__name__": "__main__"},
        example.name,
        example.filename,
        example.lineno,
        example.docstring,
    )
    said = []
    result = doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=said.append)
    assert result.failed == 0, "".join(said)


def test_there_are_examples_and_the_check_can_fail():
    assert len(EXAMPLES) > 100
    broken = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "broken", None, 0)
    assert doctest.DocTestRunner(optionflags=OPTIONS).run(broken, out=lambda _: None).failed == 1
