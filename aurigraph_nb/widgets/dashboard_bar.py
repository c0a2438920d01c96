"""The line above a dashboard: what it is, and a button for the full screen. It needs nothing from the kernel."""

from __future__ import annotations

import anywidget
import traitlets

from .assets import script, style


class DashboardBar(anywidget.AnyWidget):
    """The line above a dashboard."""

    _esm = script("dashboard")
    _css = style("dashboard")
    _title = traitlets.Unicode().tag(sync=True)

    def __init__(self, title: str) -> None:
        super().__init__(_title=title)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
