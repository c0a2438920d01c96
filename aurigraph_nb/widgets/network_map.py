"""The map of a network: its peers on an outline of the world or, where no place is told, on rings of latency.

Where each peer is drawn is decided in the browser, which knows how much room there is. What travels is the peers that
changed; the layout, if nothing else is asked for, follows from whether any peer tells its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from aurigraph_nb import frames
from aurigraph_nb.columns import records_to_table
from aurigraph_nb.errors import BadOption
from aurigraph_nb.schema import Peer
from aurigraph_nb.state import NetworkState

from .assets import script, style
from .base import LiveWidget, Message, checked_height, refuse_unknown
from .flow import DEFAULT_RATE_HZ
from .map_rows import FIELDS, Held, figures
from .rows import RowChanges, StateRows
from .sources import of_either

if TYPE_CHECKING:
    import pandas as pd

Layout = Literal["auto", "geo", "radial"]
_LAYOUTS = ("auto", "geo", "radial")


class NetworkMap(LiveWidget):
    """The peers of a network on a map: quality by shape and colour, details on hover and by keyboard, figures beside.

    Takes a feed, or its network topic. ``layout``: "geo" draws peers at their latitude and longitude on an outline of
    the world, those without a place below it; "radial" draws rings of latency, on which a peer keeps its angle; "auto"
    is "geo" as soon as one peer tells its place. The reader can change between the two. Peers at one place are fanned
    out; of more than 2,000 peers the first 2,000 are drawn, and the figures are over all. ``height`` in pixels (less
    where there is little width); ``rate_hz``: most updates a second.

    Raises:
        BadOption: an option out of its bounds.
        BadOptionType: something else was given, or there is no such option.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7, shape="portal")  # the shape that tells places
    >>> ag.NetworkMap(feed)
    NetworkMap(network)
    """

    _esm = script("network_map")
    _css = style("network_map")

    def __init__(
        self,
        feed: object,
        *,
        layout: Layout = "auto",
        height: int = 420,
        rate_hz: float = DEFAULT_RATE_HZ,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        self._layout = _checked_layout(layout)
        source = of_either(type(self).__name__, feed, "network", Peer)
        self._rows = StateRows(lambda: self._state.current, source.topic.lock)
        self._mark: int | None = None
        self._held = Held()
        setup = {"title": "Network", "height": checked_height(height), "fields": FIELDS}
        super().__init__(source, setup=setup, rate_hz=rate_hz)

    def to_pandas(self) -> pd.DataFrame:
        """The peers as they are now, one row each in order of first sight, with the columns of the topic.

        >>> import aurigraph_nb as ag
        >>> from aurigraph_nb.widgets import NetworkMap
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="30s", shape="portal")
        >>> feed.join(timeout=30)
        >>> NetworkMap(feed).to_pandas()["latitude"].between(-90, 90).all()
        np.True_
        """
        peers = [peer for _, peer in self._rows.all()]
        return frames.to_pandas(records_to_table(self._source.topic.record_type, peers), index=None)

    @property
    def _state(self) -> NetworkState:
        state: NetworkState = self._source.topic.state
        return state

    # ---- messages to the front end

    def _news(self, now: float) -> bool:
        return self._rows.mark() != self._mark

    def _snapshot(self, now: float) -> Message:
        return self._message(self._rows.since(None), everything=True)

    def _delta(self, now: float) -> Message:
        return self._message(self._rows.since(self._mark))

    def _message(self, changes: RowChanges, *, everything: bool = False) -> Message:
        self._mark = changes.mark
        rows, removed = self._held.take(changes)
        body = {"rows": rows, "layout": self._layout_now(), **self._figures()}
        if removed:
            body["removed"] = removed
        if changes.reset:
            body["reset"] = True
        merged = 0 if everything else max(0, changes.arrived - changes.dropped - len(changes.changed))
        return Message(body, merged=merged, dropped=changes.dropped)

    def _layout_now(self) -> str | None:
        """None while "auto" has no peer to judge by."""
        if self._layout != "auto":
            return self._layout
        return ("geo" if self._held.placed else "radial") if len(self._held) else None

    def _figures(self) -> dict[str, Any]:
        with self._source.topic.lock:
            totals, health = self._state.totals, self._state.health
            told = figures(totals, self._state.current.values())
        return {"health": health, "connected": totals.connected, "total": totals.total, "figures": told}


def _checked_layout(layout: str) -> str:
    if layout not in _LAYOUTS:
        raise BadOption(f'layout={layout!r}: expected "auto", "geo" or "radial"')
    return layout
