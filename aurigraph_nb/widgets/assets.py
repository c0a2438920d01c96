"""Scripts and styles of the widgets: plain files in ``static/``, put together here (no bundler).

An anywidget takes one script a widget, so each gets ``core.js`` and its own file as one text. Comments and indentation
stay behind: that text travels with every widget.
"""

from __future__ import annotations

import functools
import gzip
from pathlib import Path

from .squeeze import squeeze_script, squeeze_style

_STATIC = Path(__file__).parent / "static"
MAX_SCRIPT_BYTES = 60_000
"""No widget's script is larger; a test holds it."""
_PARTS = {
    "banner": ("tools", "banner"),
    "chart": ("chart_plotly", "chart_points", "chart"),
    "log": ("tools", "log"),
    "network_map": (
        "tools",
        "land",
        "map_projection",
        "map_layout",
        "map_marks",
        "map_ground",
        "map_side",
        "map_details",
        "map_pointer",
        "network_map",
    ),
    "result": ("chart_plotly", "result"),
    "table": ("tools", "table_rows", "table_cells", "table_keys", "table_extras", "table"),
}
"""Files of a widget's script where it has several, in their order."""


def compact(source: str) -> str:
    """``source`` without blank lines, whole-line ``//`` comments, one-line ``/* */`` comments and indentation.

    >>> compact("// why\\n  let a = 1;\\n\\n  let b = 2; // kept")
    'let a = 1;\\nlet b = 2; // kept\\n'
    """
    lines = (line.strip() for line in source.splitlines())
    kept = (line for line in lines if line and not line.startswith("//"))
    return "".join(f"{line}\n" for line in kept if not (line.startswith("/*") and line.endswith("*/")))


@functools.cache
def script(name: str) -> str:
    """The ES module of a widget: the common part, then ``static/<name>.js`` (or the several files that it is)."""
    parts = ("core", *_PARTS.get(name, (name,)))
    return squeeze_script(compact("\n".join(_read(f"{part}.js") for part in parts)))


@functools.cache
def style(name: str) -> str:
    """The style sheet of a widget: the design tokens, the common part, then ``static/<name>.css``."""
    parts = ("tokens", "core", *(("tools",) if "tools" in _PARTS.get(name, ()) else ()), name)
    return squeeze_style(compact("\n".join(_read(f"{part}.css") for part in parts)))


@functools.cache
def plotly_script() -> bytes:
    """plotly.js as the installed ``plotly`` package has it, gzipped (about 1.4 MB); takes 0.3 s the first time."""
    import plotly

    bundle = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    return gzip.compress(bundle.read_bytes(), compresslevel=6, mtime=0)


def _read(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")
