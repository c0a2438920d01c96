"""Charts that know what they are about: throughput, bandwidth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aurigraph_nb import durations
from aurigraph_nb.errors import BadOption
from aurigraph_nb.schema import Bandwidth, LiveMetrics, Metrics

from .annotations import LEADER_CHANGE, Marks, checked_types
from .base import refuse_unknown
from .chart_plan import BROWSER_POINTS, MAX_POINTS, checked_hysteresis, numeric_columns, plan
from .flow import DEFAULT_RATE_HZ
from .live_chart import DELTA_POINTS, LiveChart
from .runs import is_recording
from .sources import Source, of_either
from .thresholds import Crossing

__all__ = ["BROWSER_POINTS", "DELTA_POINTS", "MAX_POINTS", "BandwidthChart", "LiveChart", "TPSChart", "numeric_columns"]

BANDWIDTH_POINTS = 50


class TPSChart(LiveChart):
    """Transactions per second over time, from a feed or its metrics topic: now, on average, at most, and the target.

    Average and peak are those of all rows of the window. ``target``: what the network is meant to reach, as a line and
    with the share that is reached; ``events=True``: changes of the leader are marked, or other types of consensus
    events, e.g. ``events=["LEADER_CHANGE", "EPOCH_CHANGE"]`` (the feed needs a consensus topic). ``last``: how much
    time the chart shows (default 10 minutes, of a recording all of it); the other options are those of
    :class:`LiveChart`.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.TPSChart(feed)
    TPSChart(metrics)

    Raises:
        BadOption, BadOptionType, FeedClosed: as :class:`LiveChart`.
        UnknownTopic: ``events`` were asked for, and the feed has no consensus topic.
    """

    def __init__(
        self,
        feed: object,
        *,
        last: durations.Duration | None = None,
        points: int | None = None,
        target: float | None = None,
        log: bool = False,
        y_range: tuple[float, float] | None = None,
        threshold: float | None = None,
        hysteresis: float = 0.0,
        on_cross: Callable[[Crossing], object] | None = None,
        events: bool | str | Sequence[str] = False,
        height: int = 280,
        title: str | None = "Transactions per second",
        rate_hz: float = DEFAULT_RATE_HZ,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        source = of_either(type(self).__name__, feed, "metrics", Metrics, LiveMetrics)
        whole = is_recording(source.feed)
        made = plan(
            source.topic.record_type,
            y="tps",
            last="10min" if last is None and points is None and not whole else last,
            points=points,
            log=log,
            y_range=y_range,
            threshold=threshold,
            target=target,
            height=height,
            title=source.topic.name if title is None else title,
            whole=whole,
        )
        band = checked_hysteresis(hysteresis, threshold=threshold, on_cross=on_cross)
        self._build(source, made, marks=_consensus_marks(source, events), rate_hz=rate_hz, stats=True)
        self._watch(threshold, band, on_cross)


class BandwidthChart(LiveChart):
    """Upload and download of the line, and its latency in a panel below, from a feed or its bandwidth topic.

    Shows the newest 50 rows, of a recording all of it, unless ``last`` or ``points`` say otherwise.
    ``when_offline="simulate"``: made-up data, labelled as such, while the feed is disconnected; the other options are
    those of :class:`LiveChart`.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(protocol="channels", seed=7)
    >>> ag.BandwidthChart(feed)
    BandwidthChart(bandwidth)

    Raises:
        BadOption, BadOptionType: as :class:`LiveChart`.
    """

    def __init__(
        self,
        feed: object,
        *,
        last: durations.Duration | None = None,
        points: int | None = None,
        log: bool = False,
        height: int = 300,
        title: str | None = "Bandwidth",
        rate_hz: float = DEFAULT_RATE_HZ,
        when_offline: str | None = None,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        source = of_either(type(self).__name__, feed, "bandwidth", Bandwidth)
        whole = is_recording(source.feed)
        made = plan(
            source.topic.record_type,
            y=("upload_mbps", "download_mbps", "latency_ms"),
            last=last,
            points=BANDWIDTH_POINTS if last is None and points is None and not whole else points,
            log=log,
            height=height,
            title=source.topic.name if title is None else title,
            whole=whole,
        )
        self._build(source, made, rate_hz=rate_hz, when_offline=when_offline)


def _consensus_marks(source: Source, events: bool | str | Sequence[str]) -> Marks | None:
    if events is False:
        return None
    types = checked_types(LEADER_CHANGE if events is True else events)
    if source.feed is None:
        raise BadOption(f"events={events!r}: this topic belongs to no feed whose consensus could be marked")
    return Marks(source.feed["consensus"], types)
