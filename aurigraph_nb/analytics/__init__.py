"""What the feeds are for: tidy answers to questions about throughput, latency, power, faults and the network.

Every function takes a topic (live or recorded), a pandas, Polars or Dask frame, or an Arrow table, and gives a
:class:`Result`: ``.value`` where the answer is one number, ``.table``, ``.plot()`` and one line to read. Gaps are never
filled: what was not seen is NaN, and ``coverage`` says how much that was.

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
