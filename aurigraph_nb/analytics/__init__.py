"""What the feeds are for: tidy answers to questions about throughput, latency, power, faults and the network.

Every function takes a topic (live or recorded), a pandas, Polars (also lazy) or Dask frame, an Arrow table or record
batch, or whatever else speaks the Arrow stream interface, such as a relation of DuckDB; and gives a :class:`Result`:
``.value`` where the answer is one number, ``.table``, ``.plot()`` and one line to read.

What all of them have in common:

- Rows may come in any order; they count in the order of their times, and where these are equal as they came. The time
  of a row is its ``timestamp`` (a column, or the index), or where that is missing ``recv_ns``. Times without a zone are
  UTC.
- ``start`` is the first time of a range, ``end`` its end, which is left out. What they ask for before the first row of
  the data, or after the last one, nobody saw: it counts as a gap. A row stands for one mean distance of rows before and
  after it. Where the data go on beyond the range the stream was watched, and its silence is one.
- Gaps are those of ``gaps``, else those that a topic's feed knows, else those that ``gap_before`` tells, also of a row
  before the range. They are never filled: what was not seen is NaN, and ``coverage`` is the share of the time outside
  gaps. ``on_gap="raise"`` raises ``Incomplete`` where one lies in the range, ``"ignore"`` takes all for seen.
- A table has an index 0, 1, 2, …, the same columns and dtypes whatever the data, and as many rows as there is something
  to tell. Where a row is about one moment, or a bin that begins then, that stands in ``timestamp``; where it is about a
  stretch of time, in ``start`` and ``end``; all are ``datetime64[ns, UTC]``. Units stand in the names of columns:
  ``_s``, ``_ms``, ``_hz``, ``_per_s``.
- Numbers up to the ends of what a float holds are counted right; what is beyond is infinite, and nothing warns of it.
  What is not finite in the data counts as missing. Weights and amounts are whole numbers or decimals of any length, and
  their sums are exact.

>>> import pandas as pd
>>> from aurigraph_nb import analytics
>>> analytics.nakamoto(pd.DataFrame({"id": ["a", "b", "c"], "voting_power": [50.0, 30.0, 20.0]})).value
1
"""

from __future__ import annotations

from .arrivals import Interarrival, interarrival
from .bursts import dispersion, fano
from .changes import change_points
from .cycles import Periodicity, autocorrelation, periodicity
from .decentralisation import decentralisation, entropy, gini, herfindahl, lorenz, nakamoto, theil
from .finality import Finality, time_to_finality
from .latency import FeedLag, feed_lag, latency
from .power_over_time import decentralisation_over_time
from .resampling import resample
from .result import AnalyticsWarning, Result
from .throughput import peak_to_mean, sustained_rate, throughput

# isort: split
# Consensus, validators, transactions, network, streams together.
from .bandwidth import peer_bandwidth
from .correlation import lagged_correlation
from .counterparties import address_degrees, top_counterparties
from .cross import align, asof
from .events import event_study, leader_changes
from .failures import mean_time_between_failures
from .health import health_dwell, health_transitions, leader_tenure
from .incidents import Incidents, incidents
from .leadership import leadership_share
from .partitions import partitions
from .peers import peer_latency, peer_sessions
from .population import peers_over_time, version_adoption
from .recovery import time_to_recover
from .rounds import epoch_durations, failed_rounds, round_durations
from .transactions import backlog, failure_rate, value_distribution
from .validators import jail_episodes, proposal_gaps, time_in_status, uptime

__all__ = [
    "AnalyticsWarning",
    "FeedLag",
    "Finality",
    "Incidents",
    "Interarrival",
    "Periodicity",
    "Result",
    "address_degrees",
    "align",
    "asof",
    "autocorrelation",
    "backlog",
    "change_points",
    "decentralisation",
    "decentralisation_over_time",
    "dispersion",
    "entropy",
    "epoch_durations",
    "event_study",
    "failed_rounds",
    "failure_rate",
    "fano",
    "feed_lag",
    "gini",
    "health_dwell",
    "health_transitions",
    "herfindahl",
    "incidents",
    "interarrival",
    "jail_episodes",
    "lagged_correlation",
    "latency",
    "leader_changes",
    "leader_tenure",
    "leadership_share",
    "lorenz",
    "mean_time_between_failures",
    "nakamoto",
    "partitions",
    "peak_to_mean",
    "peer_bandwidth",
    "peer_latency",
    "peer_sessions",
    "peers_over_time",
    "periodicity",
    "proposal_gaps",
    "resample",
    "round_durations",
    "sustained_rate",
    "theil",
    "throughput",
    "time_in_status",
    "time_to_finality",
    "time_to_recover",
    "top_counterparties",
    "uptime",
    "value_distribution",
    "version_adoption",
]
