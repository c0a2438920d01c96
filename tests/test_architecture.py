"""What holds the package together: layers, doors, the front page, and what importing must not do."""

import ast
import importlib
import os
import re
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path

import pytest

import aurigraph_nb

PACKAGE = Path(aurigraph_nb.__file__).parent
TESTS = Path(__file__).parent
CHECKOUT = TESTS.parent
SOURCES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

LAYERS = {
    0: {"errors", "schema"},
    1: {"protocols", "session", "gaps", "columns", "losses", "state"},
    2: {"arrivals", "durations", "clock", "iothread", "tokens", "dial", "swift", "client", "recording", "rest", "node"},
    3: {
        "alerts",
        "checks",
        "connections",
        "demo",
        "dispatch",
        "fallback",
        "feed",
        "feeds",
        "frames",
        "hooks",
        "intake",
        "links",
        "missing",
        "replay",
        "reading",
        "recorder",
        "tape",
        "rerun",
        "player",
        "sample",
        "exporting",
        "registry",
        "simulate",
        "status",
        "topic",
        "topics",
    },
    4: {"analytics", "widgets"},
    5: {"__init__", "__main__", "cli"},
}
LAYER = {module: layer for layer, modules in LAYERS.items() for module in modules}

# The pure layers: clock and randomness are arguments, and nothing waits.
IMPURE = {"asyncio", "concurrent", "http", "multiprocessing", "pandas", "select", "selectors", "signal", "socket"}
IMPURE |= {"socketserver", "ssl", "subprocess", "time", "websockets"}

# Outside library -> where it may be imported. What is not named here may be used anywhere that its layer allows.
DOORS = {
    "IPython": {"widgets"},
    "anywidget": {"widgets"},
    "ipywidgets": {"widgets"},
    "jwt": {"node"},
    "pandas": {
        "analytics",
        "connections",
        "durations",
        "frames",
        "missing",
        "replay",
        "simulate",
        "status",
        "topic",
        "topics",
        "widgets",
    },
    "picows": {"swift"},
    "plotly": {"analytics", "widgets"},
    "prometheus_client": {"node"},
    "rich": {"cli.watch", "cli.record", "cli.replay", "exporting.progress"},
    "traitlets": {"widgets"},
    "typer": {"cli"},
    "uvloop": {"iothread"},
    "websockets": {"client", "dial", "node", "swift", "cli.probes"},
}
NOWHERE = {"jupyterlab", "nest_asyncio", "nest_asyncio2", "requests"}


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(module, tree, *, deferred=True):
    """Absolute names that a module imports; ``deferred`` takes those inside functions and for type checkers too."""
    package = module if SOURCES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in walk(tree, deferred):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = ["aurigraph_nb", *package.split(".")] if package not in ("", "__init__") else ["aurigraph_nb"]
                parts = parts[: len(parts) - node.level + 1]
                base = ".".join([*parts, base] if base else parts)
            yield from (_module_or_member(base, alias.name) for alias in node.names)


def _module_or_member(base, name):
    inner = f"{base}.{name}".removeprefix("aurigraph_nb.")
    return f"{base}.{name}" if base.startswith("aurigraph_nb") and inner in SOURCES else base


def walk(tree, deferred):
    if deferred:
        yield from ast.walk(tree)
        return
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from ast.walk(node)


def inner_imports(module, **options):
    """Modules of this package that a module imports, as their names inside it."""
    for name in imports(module, tree_of(SOURCES[module]), **options):
        if name == "aurigraph_nb":
            yield "__init__"
        elif name.startswith("aurigraph_nb."):
            yield name.removeprefix("aurigraph_nb.")


def room(module):
    """The top-level module or package that a module belongs to."""
    return module.partition(".")[0]


def within(module, places):
    return any(module == place or module.startswith(f"{place}.") for place in places)


def test_every_module_has_its_layer():
    assert {room(module) for module in SOURCES} <= set(LAYER), "give the new module a layer in LAYERS"


@pytest.mark.parametrize("module", SOURCES)
def test_imports_go_downwards_only(module):
    upwards = [name for name in inner_imports(module) if LAYER[room(name)] > LAYER[room(module)]]
    assert not upwards


def test_no_modules_import_each_other_in_a_circle():
    graph = {module: set(inner_imports(module, deferred=False)) & set(SOURCES) for module in SOURCES}
    done, path = set(), []

    def visit(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            path.append(module)
            for name in graph[module] - {module}:
                visit(name)
            path.pop()
            done.add(module)

    for module in graph:
        visit(module)


@pytest.mark.parametrize("module", [m for m in SOURCES if LAYER.get(room(m), 9) <= 1])
def test_the_pure_layers_do_no_io_and_read_no_clock(module):
    assert not IMPURE & {room(name) for name in imports(module, tree_of(SOURCES[module]))}


@pytest.mark.parametrize("module", SOURCES)
def test_each_outside_library_has_one_door(module):
    for name in imports(module, tree_of(SOURCES[module])):
        library = room(name)
        assert library not in NOWHERE
        assert library not in DOORS or within(module, DOORS[library]), f"{library} is imported by {module}"


@pytest.mark.skipif(os.environ.get("AURIGRAPH_NB_INSTALLED") != "1", reason="only .ci/run demands the wheel")
def test_the_wheel_is_tested_and_not_the_checkout():
    assert CHECKOUT not in PACKAGE.parents
    assert "site-packages" in PACKAGE.parts
    assert (PACKAGE / "py.typed").is_file()
    assert (PACKAGE / "notebooks" / "01-tour.ipynb").is_file()


def test_everything_the_front_page_names_can_be_imported():
    assert sorted(set(aurigraph_nb.__all__)) == sorted(aurigraph_nb.__all__)
    missing = [name for name in aurigraph_nb.__all__ if not hasattr(aurigraph_nb, name)]
    assert not missing
    assert all(hasattr(aurigraph_nb, name) for name in dir(aurigraph_nb))
    exec("from aurigraph_nb import *", {})


@pytest.mark.parametrize("module", SOURCES)
def test_every_module_can_be_imported_and_says_what_it_is_for(module):
    name = "aurigraph_nb" if module == "__init__" else f"aurigraph_nb.{module}"
    loaded = importlib.import_module(name)
    assert (loaded.__doc__ or "").strip(), f"{name} has no docstring"
    assert all(hasattr(loaded, public) for public in getattr(loaded, "__all__", ()))


def test_the_front_page_fits_on_one_screen():
    assert len((PACKAGE / "__init__.py").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("module", SOURCES)
def test_nothing_prints(module):
    calls = [node for node in ast.walk(tree_of(SOURCES[module])) if isinstance(node, ast.Call)]
    assert not [c.lineno for c in calls if isinstance(c.func, ast.Name) and c.func.id in ("print", "pprint")]


WATCHED_IMPORT = """
    import sys, threading

    seen = []
    WATCHED = ("socket.", "subprocess.", "_thread.start_new_thread", "_thread.start_joinable_thread", "os.posix_spawn")
    sys.addaudithook(lambda event, _: event.startswith(WATCHED) and seen.append(event))
    import pandas, pyarrow, anywidget, ipywidgets, websockets  # what they do is theirs
    seen.clear()
    before = threading.active_count()
    import aurigraph_nb
    assert not {"aurigraph_nb.cli", "aurigraph_nb.analytics", "aurigraph_nb.widgets"} & set(sys.modules)
    assert aurigraph_nb.Dashboard and aurigraph_nb.analytics  # what is loaded late does no more than the rest
    assert threading.active_count() == before, threading.enumerate()
    assert not seen, seen
"""


def test_importing_the_package_starts_no_thread_and_opens_no_socket():
    line = [sys.executable, "-c", textwrap.dedent(WATCHED_IMPORT)]
    result = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


WITHOUT_WIDGETS = """
    import sys
    import aurigraph_nb as ag

    assert "Dashboard" in dir(ag)
    with ag.sample(duration="2s", seed=7) as recording, ag.replay(recording, speed="max", paused=True) as feed:
        assert "ipywidgets" not in sys.modules
        alert = ag.alert(feed.metrics, lambda row: True, "banner")
        assert alert._repr_mimebundle_() and "aurigraph_nb.widgets.banner" in sys.modules
"""


def test_widgets_are_loaded_by_whoever_asks_for_one_first():
    line = [sys.executable, "-c", textwrap.dedent(WITHOUT_WIDGETS)]
    result = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")), ids=lambda p: str(p.relative_to(TESTS)))
def test_no_test_hides_another_of_its_name(path):
    scopes = [tree_of(path), *(n for n in ast.walk(tree_of(path)) if isinstance(n, ast.ClassDef))]
    for scope in scopes:
        seen = defaultdict(list)
        for node in scope.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                seen[node.name].append(node.lineno)
        assert not {name: lines for name, lines in seen.items() if len(lines) > 1}


FRONT_END = sorted(p for p in PACKAGE.rglob("*") if p.suffix in (".js", ".mjs", ".css"))
NAMESPACE = "http://www.w3.org/2000/svg"  # a name that looks like an address; nothing is fetched from it


@pytest.mark.parametrize("path", FRONT_END, ids=lambda p: p.name)
def test_the_front_end_loads_nothing_and_writes_no_html(path):
    text = path.read_text(encoding="utf-8").replace(NAMESPACE, "")
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://|@import"
    assert not re.findall(forbidden, text)


def test_the_package_writes_no_html_widgets():
    text = "".join(path.read_text(encoding="utf-8") for path in SOURCES.values())
    assert "innerHTML" not in text and "ipywidgets.HTML" not in text


def texts():
    """Every text file of the checkout that is not made by a tool."""
    ours = ("aurigraph_nb", "notebooks", "tests", "docs", "binder", ".ci")
    files = [p for folder in ours for p in (CHECKOUT / folder).rglob("*")] + list(CHECKOUT.glob("*.*"))
    made = ("__pycache__", ".ipynb_checkpoints")
    for path in files:
        if path.is_file() and not set(made) & set(path.parts):
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def test_no_file_knows_the_machine_that_it_was_written_on():
    places = "|".join(["work", "tmp", "root", "home/[a-z]", "Users/[A-Za-z]", "opt/pypi"])
    pattern = re.compile(rf"(?<![\w./$}}-])/(?:{places})(?=/|\b)(?!-)")
    found = {str(path): match.group() for path, text in texts() if (match := pattern.search(text))}
    found.pop(str(CHECKOUT / ".git"), None)  # a worktree's own, which is in no commit
    assert not found
