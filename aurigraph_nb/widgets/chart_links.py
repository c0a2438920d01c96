"""Charts that share their time axis: a zoom of one is the zoom of all, and so is its end.

The charts only carry the name of their group; the page that shows them does the rest, so it works while a cell runs.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aurigraph_nb.errors import BadOption, BadOptionType

if TYPE_CHECKING:
    from .live_chart import LiveChart


class TimeLink:
    """Charts with one time axis. Close it, or use it as a context manager; closing twice is harmless.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> link = ag.link_time(ag.TPSChart(feed), ag.LiveChart(feed.metrics, y="cpu_percent"))
    >>> link.close()
    >>> link.charts
    ()
    """

    def __init__(self, charts: Iterable[LiveChart]) -> None:
        self._charts = tuple(charts)
        self._name = secrets.token_hex(6)
        for chart in self._charts:
            chart.join_time(self, self._name)

    @property
    def charts(self) -> tuple[LiveChart, ...]:
        """The charts that are linked by it now."""
        return tuple(chart for chart in self._charts if chart.time_link is self)

    def close(self) -> None:
        """Give each chart its own axis again."""
        for chart in self.charts:
            chart.join_time(None, "")

    def __enter__(self) -> TimeLink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<TimeLink of {len(self.charts)} charts>"


def link_time(*charts: LiveChart) -> TimeLink:
    """Link the time axes of two charts or more: they show the same range, and are zoomed together.

    While they follow their feeds, the range reaches from the earliest begin to the latest end. Charts that were linked
    before bring their partners along. Returns the link; :meth:`TimeLink.close` undoes it.

    Raises:
        BadOption: fewer than two different charts.
        BadOptionType: something else than a chart.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> with ag.link_time(ag.TPSChart(feed), ag.LiveChart(feed.metrics, y="cpu_percent")) as link:
    ...     len(link.charts)
    2
    """
    from .live_chart import LiveChart

    for chart in charts:
        if not isinstance(chart, LiveChart):
            raise BadOptionType(f"link_time links charts such as ag.TPSChart(feed), not {type(chart).__name__}")
    partners = [[chart] if chart.time_link is None else chart.time_link.charts for chart in charts]
    group = list(dict.fromkeys(chart for some in partners for chart in some))
    if len(set(charts)) < 2:
        raise BadOption("link_time needs two different charts at least")
    return TimeLink(group)
