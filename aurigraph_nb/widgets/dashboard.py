"""The dashboard: all widgets of a feed, laid out for the width of a notebook."""

from __future__ import annotations

from typing import Any

import ipywidgets

from .base import LiveWidget, refuse_unknown
from .cards import ConsensusState, MetricsCard
from .charts import TPSChart
from .feed_tables import PeerTable, TransactionList, ValidatorTable
from .flow import DEFAULT_RATE_HZ, checked_rate
from .logs import ConsensusLog, NetworkLog
from .sources import of_feed
from .status import ConnectionStatus


class Dashboard(ipywidgets.Box):  # type: ignore[misc]  # ipywidgets is untyped
    """All widgets of a feed in one grid: connection, load, consensus, validators, transactions, peers, events.

    The grid folds to one column where there is no room. ``rate_hz``: most updates a second of each widget. Closing the
    dashboard closes its widgets; the feed goes on.

    Raises:
        BadOptionType: no feed was given, or there is no such option.
        UnknownTopic: the feed lacks one of the five topics.
    """

    def __init__(self, feed: object, *, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        checked_rate(rate_hz)
        of_feed(type(self).__name__, feed)
        widgets = _widgets(feed, rate_hz)
        super().__init__(children=widgets, _dom_classes=("ag-dashboard",))
        self._live = widgets

    @property
    def widgets(self) -> tuple[LiveWidget, ...]:
        """The widgets, in the order of the grid."""
        return self._live

    def __repr__(self) -> str:
        return f"{type(self).__name__}(feed)"

    def close(self) -> None:
        """Close the dashboard and its widgets; the feed goes on. Closing twice is harmless."""
        for widget in getattr(self, "_live", ()):
            widget.close()
        super().close()


_PLACES: tuple[tuple[type[LiveWidget], str, dict[str, int]], ...] = (
    (ConnectionStatus, "full", {}),
    (MetricsCard, "third", {}),
    (TPSChart, "rest", {"height": 240}),
    (ConsensusState, "third", {}),
    (ValidatorTable, "rest", {"height": 300}),
    (TransactionList, "half", {"height": 280}),
    (PeerTable, "half", {"height": 280}),
    (ConsensusLog, "half", {"height": 220}),
    (NetworkLog, "half", {"height": 220}),
)
"""What stands where: the widget, its share of the width, its own options."""


def _widgets(feed: Any, rate_hz: float) -> tuple[LiveWidget, ...]:
    made: list[LiveWidget] = []
    try:
        for kind, place, options in _PLACES:
            make: Any = kind
            made.append(make(feed, rate_hz=rate_hz, **options))
            made[-1].add_class(f"ag-{place}")
    except BaseException:
        for widget in made:
            widget.close()
        raise
    return tuple(made)
