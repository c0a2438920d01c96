"""Numbers at the ends of what a float holds give results that are defined, and no warning."""

import inspect

import numpy as np
import pandas as pd
import pytest

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


EXTREMES = {
    "huge": [1e308, 1.7e308, 1.2e308, 1.6e308, 9e307],
    "huge of both signs": [1e308, -1.7e308, 1.2e308, -1.6e308, 9e307, 0.0],
    "tiny": [5e-324, 1e-310, 2e-308, 3e-320],
    "huge and tiny": [1.7e308, 5e-324, 1.0, 0.0],
    "not finite": [np.inf, 1.0, -np.inf, np.nan, 2.0],
}


@pytest.mark.parametrize("kind", EXTREMES)
@pytest.mark.parametrize("name", PUBLIC)
def test_extreme_numbers_give_a_result_and_no_warning(name, kind):
    result = ask(name, frame_for(name, EXTREMES[kind]))
    assert result.value is None or result.value == result.value
    assert result.reading and result._repr_mimebundle_() and result.plot().layout.title.text
    assert result.coverage is None or 0 <= result.coverage <= 1


SCALED = "throughput peak_to_mean sustained_rate autocorrelation periodicity change_points resample dispersion fano "
SCALED += "latency event_study time_to_recover align asof lagged_correlation gini herfindahl entropy theil lorenz "
SCALED += "nakamoto decentralisation decentralisation_over_time"
UNITS_SQUARED = {"variance"}
SAME = "peak_to_mean pairs lag lag_s n events left recovered seconds offset_s band coverage segment windows window_s quantile "
SAME += (
    "hold_s frequency_hz period_s power autocorrelation correlation low_ high_ effective p_value p_adjusted rank share "
)
SAME += (
    "cumulative_share members_share weight_share equal nakamoto gini herfindahl entropy theil largest_share members "
)
SAME += "active members_coverage in_coalition single over_gap age_s a.coverage b.coverage"
FREE = {"lagged_correlation", "gini", "herfindahl", "entropy", "theil", "lorenz", "nakamoto", "decentralisation"}
FREE |= {"autocorrelation", "periodicity"}


@pytest.mark.parametrize("name", SCALED.split())
def test_a_result_in_other_units_is_the_same_result(name):
    """Values times 2**1000, near the largest float, give exactly those results times 2**1000."""
    values = [float(v) for v in np.random.default_rng(5).integers(1, 200, 17)]
    plain, scaled = (ask(name, frame_for(name, [v * f for v in values])) for f in (1.0, 2.0**1000))
    for column in plain.table.columns:
        a, b = plain.table[column], scaled.table[column]
        if a.dtype.kind not in "fiub":
            assert a.equals(b), column
        else:
            told = plain.table["statistic"].eq("peak_to_mean") if "statistic" in plain.table else False
            free = name in FREE and column != "weight" or column in SAME.split()
            free |= name == "fano" and column == "low"
            x, y = np.asarray(a, float), np.asarray(b, float)
            if name in ("dispersion", "fano") and column in ("windows", "window_s", "low", "high", "p_value"):
                free = True
            factor = np.where(told, 1.0, 2.0**1000) if not free else 1.0
            with np.errstate(over="ignore"):
                want = x * factor * (2.0**1000 if column in UNITS_SQUARED else 1.0)
            if (name, column) != ("dispersion", "p_value"):
                np.testing.assert_allclose(y, want, rtol=1e-9, err_msg=column)
