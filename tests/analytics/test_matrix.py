"""Every public function, on every kind of data, and on data that are poor, in disorder or of odd types."""

from decimal import Decimal

import dask.dataframe as dd
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from questions import PUBLIC, SHAPES, ask, frame_for

from aurigraph_nb import analytics

PRIMES = [2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0, 23.0]


def table_of(frame):
    return pa.Table.from_pandas(frame.reset_index(), preserve_index=False)


def relation_of(frame):
    return duckdb.from_arrow(table_of(frame))


KINDS = {
    "column of times": lambda f: f.reset_index(),
    "naive index": lambda f: f.tz_localize(None),
    "index of another zone": lambda f: f.tz_convert("Asia/Kolkata"),
    "index of seconds": lambda f: f.set_axis(f.index.as_unit("s")),
    "nullable": lambda f: f.convert_dtypes(),
    "pandas on Arrow": lambda f: f.convert_dtypes(dtype_backend="pyarrow"),
    "categories": lambda f: f.astype({c: "category" for c in f if f[c].dtype == object or f[c].dtype == "str"}),
    "arrow": table_of,
    "arrow batch": lambda f: table_of(f).combine_chunks().to_batches()[0],
    "arrow in chunks": lambda f: pa.concat_tables([table_of(f.iloc[:7]), table_of(f.iloc[7:9]), table_of(f.iloc[9:])]),
    "polars": lambda f: pl.from_pandas(f.reset_index()),
    "polars lazy": lambda f: pl.from_pandas(f.reset_index()).lazy(),
    "dask": lambda f: dd.from_pandas(f, npartitions=3, sort=False),
    "duckdb": relation_of,
}


@pytest.fixture(scope="module")
def usual():
    """The answers about one frame, each made once."""
    made = {}

    def answer(name):
        if name not in made:
            made[name] = ask(name, frame_for(name, PRIMES))
        return made[name]

    return answer


def agree(got, want, **options):
    pd.testing.assert_frame_equal(got.table, want.table, rtol=1e-12, **options)
    assert (got.n, got.unit, got.name, got.reading, got.notes) == (
        want.n,
        want.unit,
        want.name,
        want.reading,
        want.notes,
    )
    assert got.value == want.value or got.value == pytest.approx(want.value, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PUBLIC)
def test_every_kind_of_data_gives_the_same_answer(usual, name, kind):
    own = name == "asof"  # which hands on the columns of the data, in the types that they have
    agree(ask(name, KINDS[kind](frame_for(name, PRIMES))), usual(name), check_dtype=not own)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", PUBLIC)
def test_the_order_of_rows_with_different_times_does_not_matter(usual, name, seed):
    agree(ask(name, frame_for(name, PRIMES).sample(frac=1, random_state=seed)), usual(name))


SAMPLED_KINDS = {k: KINDS[k] for k in ("arrow", "dask")}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", PUBLIC)
def test_poor_data_give_a_result_that_is_defined_and_the_same_for_every_kind(usual, name, shape):
    frame = SHAPES[shape](frame_for(name, PRIMES))
    result = ask(name, frame)
    assert result.reading and result._repr_mimebundle_() and result.plot().layout.title.text
    assert result.value is None or result.value == result.value
    assert result.coverage is None or 0 <= result.coverage <= 1
    assert result.table.dtypes.to_dict() == usual(name).table.dtypes.to_dict()
    for kind, make in SAMPLED_KINDS.items():
        if not (kind == "dask" and len(frame) == 0):
            other = ask(name, make(frame.infer_objects() if kind == "dask" else frame))
            pd.testing.assert_frame_equal(other.table, result.table, rtol=1e-9, obj=f"{name} of {kind}")
            assert repr(other) == repr(result)


# Numbers of odd types

MEASURES = ["nakamoto", "gini", "herfindahl", "entropy", "theil", "lorenz", "decentralisation"]
MEASURES += ["decentralisation_over_time", "leadership_share", "throughput", "resample", "latency", "peer_latency"]


@pytest.mark.parametrize(
    "kind",
    [Decimal, np.float32, "Int64", "int8", "uint64", pd.ArrowDtype(pa.decimal128(38, 3)), pd.ArrowDtype(pa.uint8())],
)
@pytest.mark.parametrize("name", MEASURES)
def test_numbers_may_come_in_any_type(usual, name, kind):
    frame = frame_for(name, PRIMES)
    for column in ("voting_power", "total_staked", "tps", "latency_ms"):
        values = frame[column]
        frame[column] = [Decimal(str(v)) for v in values] if kind is Decimal else values.astype(kind)
    agree(ask(name, frame), usual(name))


def test_powers_near_the_end_of_64_bits_neither_overflow_nor_round():
    top = 2**63 - 1
    for kind in ("int64", "uint64", object):
        stakes = pd.DataFrame({"id": list("abc"), "voting_power": pd.Series([top, top, top - 2], dtype=kind)})
        assert analytics.nakamoto(stakes, 0.5).value == 2
        assert analytics.nakamoto(stakes, 2 / 3).value == 2, "two of them hold a little more than two thirds"
        level = stakes.assign(voting_power=pd.Series([top] * 3, dtype=kind))
        assert analytics.nakamoto(level, 2 / 3).value == 3, "two of them hold two thirds, and no more"
        assert analytics.herfindahl(stakes).value == pytest.approx(1 / 3)
    unsigned = pd.DataFrame({"id": ["a", "b"], "voting_power": pd.Series([2**64 - 1, 2**64 - 2], dtype="uint64")})
    assert analytics.nakamoto(unsigned, 0.5).value == 1
    assert analytics.decentralisation_over_time(
        unsigned.assign(timestamp=pd.to_datetime([0, 1], unit="s", utc=True)), threshold=0.5, on_gap="ignore"
    ).table["nakamoto"].tolist() == [1.0]


def test_decimals_are_weighed_exactly():
    tenths = pd.DataFrame({"id": list("abc"), "voting_power": [Decimal("0.1"), Decimal("0.1"), Decimal("0.1")]})
    assert analytics.nakamoto(tenths, 1 / 3).value == 2
    fine = [Decimal("0." + 30 * "3" + "4"), Decimal("0." + 31 * "3"), Decimal("0." + 31 * "3")]
    assert analytics.nakamoto(tenths.assign(voting_power=fine), 1 / 3).value == 1


def test_amounts_of_many_digits_and_of_fractions_are_added_exactly():
    texts = ["9" * 60, "0." + "0" * 59 + "1", "1"]
    frame = pd.DataFrame({"timestamp": pd.to_datetime(range(3), unit="s", utc=True), "value_text": texts})
    total = analytics.value_distribution(frame.assign(value_unit="base"), quantiles=[0.5]).value
    assert total == Decimal("1" + 60 * "0" + "." + "0" * 59 + "1")


@pytest.mark.parametrize("name", [n for n in PUBLIC if n not in ("event_study", "time_to_recover")])
def test_the_same_rows_a_day_later_give_the_same_answer(usual, name):
    later = frame_for(name, PRIMES)
    later = later.set_axis(later.index + pd.Timedelta("1D")).assign(
        recv_ns=later["recv_ns"].to_numpy() + 86_400 * 10**9
    )
    got, want = ask(name, later), usual(name)
    assert (got.n, got.reading, got.notes) == (want.n, want.reading, want.notes)
    for column, kind in want.table.dtypes.items():
        moved = pd.Timedelta("1D") if isinstance(kind, pd.DatetimeTZDtype) else None
        expected = want.table[column] if moved is None else want.table[column] + moved
        pd.testing.assert_series_equal(got.table[column], expected, rtol=1e-9)


@pytest.mark.parametrize("name", PUBLIC)
def test_other_names_in_the_same_order_give_the_same_numbers(usual, name):
    frame = frame_for(name, PRIMES)
    for column in ("id", "peer_id", "leader", "sender", "recipient", "hash"):
        frame[column] = ["x" + word if isinstance(word, str) else None for word in frame[column]]
    options = {"stake": {"xa": 1.0, "xb": 1e308, "xc": 1e308}} if name == "leadership_share" else {}
    got, want = ask(name, frame, **options), usual(name)
    assert (got.value, got.n) == (want.value, want.n)
    numbers = [c for c in want.table if want.table[c].dtype.kind in "fiub"]
    pd.testing.assert_frame_equal(got.table[numbers], want.table[numbers])
