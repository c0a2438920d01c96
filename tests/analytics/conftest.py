"""Small frames that several test files build on, and one simulated feed for all of them."""

import numpy as np
import pandas as pd
import pytest

import aurigraph_nb as ag


@pytest.fixture(scope="session")
def feed():
    """Two minutes of a network with outages, ended, so that every topic can be read again and again."""
    made = ag.simulate(seed=7, scenario="outage", start="2026-01-01", duration="2min")
    made.join(timeout=60)
    yield made
    made.close()


@pytest.fixture
def series():
    """A function that makes a frame with a time index: values, the seconds between rows, and a column's name."""

    def make(values, step_s=1.0, column="tps", start="2026-01-01", **more):
        seconds = np.arange(len(values)) * step_s if np.isscalar(step_s) else np.asarray(step_s, float)
        times = pd.Timestamp(start, tz="UTC") + pd.to_timedelta(np.round(seconds * 1e9).astype("int64"), unit="ns")
        index = pd.DatetimeIndex(times, name="timestamp").as_unit("ns")
        return pd.DataFrame({column: values, **more}, index=index)

    return make


@pytest.fixture
def gap():
    """A function that makes the frame of one or more gaps from seconds after the start of 2026."""

    def make(*spans, topic="metrics", certainty="unknown"):
        base = pd.Timestamp("2026-01-01", tz="UTC")
        rows = [
            {
                "topic": topic,
                "cause": "disconnect",
                "certainty": certainty,
                "start": base + pd.Timedelta(seconds=a),
                "end": pd.NaT if b is None else base + pd.Timedelta(seconds=b),
            }
            for a, b in spans
        ]
        frame = pd.DataFrame(rows, columns=["topic", "cause", "certainty", "start", "end"])
        return frame.assign(start=pd.to_datetime(frame.start, utc=True), end=pd.to_datetime(frame.end, utc=True))

    return make
