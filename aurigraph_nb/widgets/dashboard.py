"""The dashboard: all widgets of a feed, laid out for the width of a notebook."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import ipywidgets

from aurigraph_nb.errors import BadOption, BadOptionType

from .base import LiveWidget, refuse_unknown
from .dashboard_bar import DashboardBar
from .flow import DEFAULT_RATE_HZ, checked_rate
from .layouts import LAYOUTS, MOST_IN_A_ROW, PARTS, PLACES, Part, places
from .offline import checked_offline
from .runs import is_recording, is_replay, kind_of
from .sources import of_feed
from .still import MAX_BYTES, Still, escaped, with_still

Cell: TypeAlias = str | Any
"""The name of a part, or a widget of ipywidgets that is there already."""
Layout: TypeAlias = str | Sequence[Cell | Sequence[Cell]]
MOST_WIDGETS = 40


class Dashboard(ipywidgets.Box):  # type: ignore[misc]  # ipywidgets is untyped
    """All widgets of a feed in one grid, chosen by its system; also of a recording, and of a replay with its controls.

    What is over is shown in its end state, and each head says when that was; of a recording the charts show all of it.

    Topic streams: load, consensus, validators, transactions, peers, events. Live stream: throughput, network, blocks.
    Channels: bandwidth, sessions, messages. Inference: rates, models, requests, errors, limits, the machine. The grid
    folds to one column where there is no room; a button shows it on the full screen, which Esc leaves.

    ``layout``: "default", "wide" (three in a row), "compact" (what matters most) and, for topic streams, "network"
    (the map); or rows of your own: a list of rows, each of them a list of up to four names and widgets, or one of them.
    ``ag.Dashboard(feed, layout=[["metrics", "tps"], "validators", [chart, "map"]])`` takes two names, one, and a widget
    beside the map; ``Dashboard.parts(feed)`` tells the names. ``rate_hz``: most updates a second of each widget that
    is made; ``when_offline="simulate"`` (channels and inference): made-up data, labelled as such in each widget, while
    the feed is disconnected. Closing the dashboard closes the widgets that it made; the feed goes on, and so do widgets
    that were given.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.Dashboard(feed, layout=[["metrics", "tps"], "validators"]).widgets
    (MetricsCard(metrics), TPSChart(metrics), ValidatorTable(validators))

    Raises:
        BadOption: an option out of its bounds, or a layout or a name in it that there is not.
        BadOptionType: no feed was given, a layout of something else, or there is no such option.
        UnknownTopic: the feed lacks a topic of its system.
    """

    def __init__(
        self,
        feed: object,
        *,
        layout: Layout = "default",
        rate_hz: float = DEFAULT_RATE_HZ,
        when_offline: str | None = None,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        checked_rate(rate_hz)
        checked_offline(when_offline)
        known = of_feed(type(self).__name__, feed).feed
        parts = _parts_of(known)
        rows = _checked_layout(layout, known, parts)
        self._made: list[LiveWidget] = []
        try:
            self._live = self._fill(known, rows, parts, {"rate_hz": rate_hz}, when_offline)
        except BaseException:
            for widget in self._made:
                widget.close()
            raise
        self._bar = DashboardBar(_title(known))
        super().__init__(children=(self._bar, *self._live), _dom_classes=("ag-dashboard",))

    @staticmethod
    def parts(feed: object) -> tuple[str, ...]:
        """The names that a layout for ``feed`` may use.

        >>> import aurigraph_nb as ag
        >>> ag.Dashboard.parts(ag.simulate(protocol="live", seed=7))
        ('status', 'figures', 'metrics', 'tps', 'network', 'blocks')
        """
        return tuple(_parts_of(of_feed("Dashboard.parts", feed).feed))

    @property
    def widgets(self) -> tuple[Any, ...]:
        """The widgets, in the order of the grid."""
        return self._live

    def still(self) -> Still:
        """What the dashboard shows now, as plain HTML: it stays in a saved notebook, and on pages without a kernel."""
        return Still(repr(self), self._picture(MAX_BYTES))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(feed)"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        data = super()._repr_mimebundle_(**kwargs)
        return with_still(None if data is None else (data, {}), self.still)

    def close(self) -> None:
        """Close the dashboard and the widgets that it made; the feed goes on. Closing twice is harmless."""
        for widget in (*getattr(self, "_made", ()), *filter(None, [getattr(self, "_bar", None)])):
            widget.close()
        super().close()

    def _picture(self, limit: int) -> str:
        """The pictures of all its widgets, and of dashboards among them, in at most ``limit`` bytes."""
        from . import stills  # knows every widget

        pictured = [each for each in self._live if isinstance(each, LiveWidget | Dashboard)]
        room = (limit - 200) // max(1, len(pictured))
        make = (each._picture(room) if isinstance(each, Dashboard) else stills.still(each, room) for each in pictured)
        return f"<div><p><strong>{escaped(self._bar._title)}</strong></p>{''.join(make)}</div>"

    def _fill(
        self,
        feed: Any,
        rows: Sequence[Sequence[Cell]],
        parts: Mapping[str, Part],
        options: Mapping[str, Any],
        when_offline: str | None,
    ) -> tuple[Any, ...]:
        """Make what has a name, and tell every widget its place."""
        filled: list[Any] = []
        for row in rows:
            narrow = [isinstance(each, str) and parts[each].narrow for each in row]
            for each, place in zip(row, places(narrow), strict=True):
                widget = each
                if isinstance(each, str):
                    part = parts[each]
                    more = {"when_offline": when_offline} if part.offline else {}
                    widget = part.make(feed, **options, **part.options, **more)
                    self._made.append(widget)
                _put(widget, place)
                filled.append(widget)
        return tuple(filled)


def _put(widget: Any, place: str) -> None:
    """Tell a widget its place; one that stood in another dashboard forgets the one it had there."""
    for earlier in PLACES:
        widget.remove_class(f"ag-{earlier}")
    widget.add_class(f"ag-{place}")


def _parts_of(feed: Any) -> Mapping[str, Part]:
    """What the system of ``feed`` has, and what a replay has besides."""
    parts = PARTS.get(feed.status.protocol, PARTS["portal"])
    controls = getattr(sys.modules[__package__], "ReplayControls", None)
    if controls is None or not is_replay(feed):
        return parts
    return {"replay": Part(controls), **parts}


def _title(feed: Any) -> str:
    if is_replay(feed):
        return "Replay"
    if is_recording(feed):
        return "Recording"
    return "Recording" if feed.closed and feed.status.ended and kind_of(feed) != "simulation" else "Dashboard"


def _checked_layout(layout: object, feed: Any, parts: Mapping[str, Part]) -> list[list[Cell]]:
    """Rows of names and widgets.

    Raises:
        BadOption, BadOptionType: as :class:`Dashboard`.
    """
    named = LAYOUTS.get(feed.status.protocol, LAYOUTS["portal"])
    if isinstance(layout, str):
        if layout not in named:
            expected = ", ".join(map(repr, named))
            raise BadOption(f"layout={layout!r}: this feed has the layouts {expected}; or give a list of rows")
        return [*([["replay"]] if "replay" in parts else []), *(list(row) for row in named[layout])]
    if not isinstance(layout, Sequence) or not layout:
        raise BadOptionType(f"layout={layout!r}: expected the name of a layout or a list of rows")
    rows = [[row] if _is_cell(row) else row for row in layout]
    for row in rows:
        _check_row(row, parts)
    given = [each for row in rows for each in row]
    if len(given) > MOST_WIDGETS or len({id(each) for each in given if not isinstance(each, str)}) != sum(
        not isinstance(each, str) for each in given
    ):
        raise BadOption(f"layout: expected at most {MOST_WIDGETS} widgets, and each widget once; {len(given)} came")
    return [list(row) for row in rows]


def _is_cell(given: object) -> bool:
    return isinstance(given, (str, ipywidgets.DOMWidget))


def _check_row(row: object, parts: Mapping[str, Part]) -> None:
    if not isinstance(row, Sequence) or not all(map(_is_cell, row)):
        raise BadOptionType(f"layout: a row is a list of names and widgets, not {row!r}")
    if not 1 <= len(row) <= MOST_IN_A_ROW:
        raise BadOption(f"layout: a row takes 1 to {MOST_IN_A_ROW} widgets; {len(row)} came")
    for each in row:
        if isinstance(each, str) and each not in parts:
            raise BadOption(f"layout: there is no {each!r} for this feed; there are {', '.join(parts)}")
