"""One small frame with every column that any analysis needs, and how each function is asked about it."""

import inspect

import numpy as np
import pandas as pd

from aurigraph_nb import analytics

BASE = pd.Timestamp("2026-01-01", tz="UTC")
WORDS = {
    "id": ["a", "b", "c"],
    "peer_id": ["a", "b", "c"],
    "hash": ["h1", "h1", "h2"],
    "leader": ["a", "b", None],
    "sender": ["a", "b"],
    "recipient": ["b", "c", "a"],
    "status": ["ACTIVE", "JAILED", "ACTIVE", "ACTIVE"],
    "state": ["PROPOSING", "COMMITTED", "FAILED"],
    "health": ["OPTIMAL", "DEGRADED"],
    "country": ["Chile", "Japan"],
    "version": ["1", "2"],
    "value_unit": ["base"],
}
NUMBERS = ["tps", "cpu_percent", "performance_percent", "voting_power", "total_staked", "latency_ms", "value"]
NUMBERS += ["inbound_bytes", "outbound_bytes", "uptime_percent", "last_block_proposed"]
STATUS = {
    "transactions": ["PENDING", "CONFIRMED", "PENDING", "FAILED"],
    "network": ["CONNECTED", "CONNECTED", "DISCONNECTED", "CONNECTED"],
}
OPTIONS = {
    "align": {"names": ["a", "b"], "columns": [["tps"], ["cpu_percent"]], "every": "2s"},
    "asof": {"tolerance": "1s", "left_columns": ["tps"], "right_columns": ["cpu_percent"]},
    "decentralisation_over_time": {"every": "10s"},
    "event_study": {"events": [BASE + pd.Timedelta(seconds=20)], "before": 10, "after": 10, "every": "2s"},
    "fano": {"scales": ["1s", "2s"]},
    "lagged_correlation": {"x": "tps", "y": "cpu_percent", "max_lag": 3},
    "leadership_share": {"stake": {"a": 1.0, "b": 1e308, "c": 1e308}},
    "latency": {"by": "country", "resamples": 100},
    "resample": {"every": "5s"},
    "sustained_rate": {"hold": ["3s", "10s"]},
    "time_to_recover": {"events": [BASE + pd.Timedelta(seconds=20)], "before": 10, "after": 10, "every": "2s"},
    "interarrival": {"simulations": 100},
    "value_distribution": {"quantiles": [0.5, 0.9]},
}
PUBLIC = [name for name in analytics.__all__ if inspect.isfunction(getattr(analytics, name))]
HOMES = {name: getattr(analytics, name).__module__.rpartition(".")[2] for name in PUBLIC}
FINALITY = {"finality", "transactions", "counterparties"}
NETWORK = {"peers", "population", "bandwidth", "partitions"}


def frame_for(name, values, n=40):
    """Rows with every column that any function needs, of which the numbers are ``values``, again and again."""
    kind = "transactions" if HOMES[name] in FINALITY else "network" if HOMES[name] in NETWORK else ""
    words = {**WORDS, "status": STATUS.get(kind, WORDS["status"])}
    data = {c: [w[i % len(w)] for i in range(n)] for c, w in words.items()}
    data |= {c: [values[(i + 3 * k) % len(values)] for i in range(n)] for k, c in enumerate(NUMBERS)}
    data |= {"round": [i // 3 for i in range(n)], "epoch": [i // 12 for i in range(n)]}
    times = pd.date_range(BASE, periods=n, freq="1s", name="timestamp")
    data["recv_ns"] = (times.as_unit("ns").asi8 + 10**6).tolist()
    return pd.DataFrame(data, index=times)


def ask(name, frame, **more):
    two = name in ("align", "asof", "lagged_correlation")
    return getattr(analytics, name)(*([frame] * (2 if two else 1)), **{**OPTIONS.get(name, {}), **more})


def doubled(frame):
    """Every time twice: an index that is not unique."""
    return frame.set_axis(frame.index[np.arange(len(frame)) // 2 * 2])


def holed(frame):
    """Every column, in turn, without a value in some rows; None in texts, NaN in numbers."""
    made = frame.astype(object)
    for k, column in enumerate(made):
        made.iloc[k % 5 :: 6, k] = np.nan if frame[column].dtype.kind == "f" else None
    return made.assign(recv_ns=frame["recv_ns"])


SHAPES = {
    "empty": lambda f: f.iloc[:0],
    "one row": lambda f: f.iloc[:1],
    "two rows": lambda f: f.iloc[:2],
    "two rows at one time": lambda f: f.iloc[:2].set_axis(f.index[[0, 0]]),
    "all rows at one time": lambda f: f.set_axis(f.index[[0] * len(f)]),
    "an index that is not unique": doubled,
    "missing values": holed,
    "rows twice": lambda f: pd.concat([f, f]).sort_index(),
}
"""What becomes of a frame that is poor, or in which times repeat."""
