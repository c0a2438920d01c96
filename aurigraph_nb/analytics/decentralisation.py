"""How many hold the power: the Nakamoto coefficient and the measures of inequality, of members by weight.

All take validator rows (or any rows with an id and a weight) and count each member once, by its last known weight.
Their coverage is ``members_seen / active_validators``; where that is below 1 they warn, since a missing member changes
them all.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Moment
from aurigraph_nb.errors import BadOptionType

from .inequality import MEASURES, Measure, coalition, entropy_of, gini_of, herfindahl_of, theil_of
from .inputs import Data, share
from .plots import Chart
from .powers import Holders, holders
from .result import Result, number, reading


def nakamoto(
    data: Data,
    threshold: float = 1 / 3,
    *,
    weight: str | None = None,
    status: str | None = "ACTIVE",
    active: Any = None,
    require_complete: bool = False,
    start: Moment | None = None,
    end: Moment | None = None,
) -> Result:
    """Nakamoto coefficient: the smallest number of members whose shares together exceed ``threshold``.

    N = min {k : s(1) + … + s(k) > threshold}, the shares s in falling order (Srinivasan and Lee, 2017, Quantifying
    Decentralization, who take a half). A third is what can stop a Byzantine fault tolerant consensus (Lamport, Shostak
    and Pease, 1982, The Byzantine Generals Problem); 1/2 and 2/3 are asked for as well. Sums are exact, and a threshold
    is taken for the nearest fraction with a denominator of at most a million: of three equal members one holds a third,
    which does not exceed 1/3, so the coefficient is 2.

    Assumes that each id is a party of its own; members who act together make the true number smaller. Members who were
    not seen can move it either way. Without members, or where all weights are 0, there is no value.

    Args:
        data: rows with ``id`` and a weight.
        threshold: the share to exceed, above 0 and below 1.
        weight: column of the weights; None for voting_power, or total_staked where nobody has a voting power.
        status: last known status of the members that count (those without one count too); None for all.
        active: how many members there are: a number, or consensus rows; None for what the same feed's consensus says.
        require_complete: raise where members are missing, or nobody says how many there are.
        start: first time, included. end: end of the range, left out.

    Returns:
        ``value``: int, members; None without members, or where all weights are 0.

    Table, a row a member, heaviest first; index 0, 1, 2, …:

        ``rank`` (int64): 1 for the heaviest; equal weights in the order in which they were first seen.
        ``id`` (str): the member.
        ``weight`` (float64, as in the data): infinite beyond what a float holds; sums are taken exactly all the same.
        ``share`` (float64, 0-1): of the whole; NaN where all weights are 0.
        ``cumulative_share`` (float64, 0-1): of this member and all heavier ones; NaN likewise.
        ``in_coalition`` (bool): one of the smallest number who exceed the threshold together.

    Raises:
        BadOption: ``threshold`` is out of range, or a column is missing.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: as ``require_complete`` says.

    Warns:
        AnalyticsWarning: fewer members were seen than there are.

    >>> import pandas as pd
    >>> nakamoto(pd.DataFrame({"id": ["a", "b", "c", "d"], "voting_power": [30.0, 30.0, 20.0, 20.0]}))
    Nakamoto coefficient (more than 1/3): 2 members; n = 4 members
    """
    limit = fraction(threshold)
    found = holders(
        data, weight=weight, status=status, active=active, require_complete=require_complete, start=start, end=end
    )
    value = coalition(found, limit)
    table = found.table()
    table["in_coalition"] = table["rank"] <= (value or 0)
    name = f"Nakamoto coefficient (more than {limit if limit.denominator < 100 else f'{threshold:g}'})"
    return _result(found, name, value, "member" if value == 1 else "members", table)


def gini(data: Data, **options: Unpack[SetOptions]) -> Result:
    """Gini coefficient of the weights: 0 where all hold the same, nearly 1 where one holds all.

    G = sum((2i - n - 1) x(i)) / (n sum(x)), the weights x in rising order, i = 1 … n (Gini, 1912, Variabilità e
    mutabilità; in this form Cowell, 2011, Measuring Inequality, 3rd ed., technical appendix). For n members the largest
    value is (n - 1) / n; no small-sample factor is applied. Members with weight 0 count. Between 0 and 1, the same if
    all weights are multiplied. Without members, or where all weights are 0, there is no value; one member has 0.

    Args:
        data: rows with ``id`` and a weight.
        options: ``weight``, ``status``, ``active``, ``require_complete``, ``start``, ``end`` as in :func:`nakamoto`.

    Returns:
        ``value``: float, 0-1; None without members, or where all weights are 0.

    Table, a row a member, heaviest first; index 0, 1, 2, …:

        ``rank`` (int64): 1 for the heaviest; equal weights in the order in which they were first seen.
        ``id`` (str): the member.
        ``weight`` (float64, as in the data): infinite beyond what a float holds; sums are taken exactly all the same.
        ``share`` (float64, 0-1): of the whole; NaN where all weights are 0.
        ``cumulative_share`` (float64, 0-1): of this member and all heavier ones; NaN likewise.

    Raises:
        BadOption: a column is missing. Incomplete: as ``require_complete`` says.
        BadOptionType: the data are of no kind that can be read.

    >>> import pandas as pd
    >>> round(gini(pd.DataFrame({"id": list("abcd"), "voting_power": [1.0, 2.0, 3.0, 4.0]})).value, 6)
    0.25
    """
    return _measured(data, "Gini coefficient", "", gini_of, options)


def herfindahl(data: Data, **options: Unpack[SetOptions]) -> Result:
    """Herfindahl-Hirschman index of the weights: the sum of squared shares, 1/n to 1.

    H = sum(s²) (Herfindahl, 1950, Concentration in the Steel Industry; Hirschman, 1964, The Paternity of an Index,
    American Economic Review 54, 761). 1 / H is the number of equal members that would give the same H. Multiply by
    10,000 for the points that competition law speaks of. Without members, or where all weights are 0, there is no
    value.

    Args:
        data: rows with ``id`` and a weight.
        options: ``weight``, ``status``, ``active``, ``require_complete``, ``start``, ``end`` as in :func:`nakamoto`.

    Returns:
        ``value``: float, 1/n to 1; None without members, or where all weights are 0.

    Table, a row a member, heaviest first; index 0, 1, 2, …:

        ``rank`` (int64): 1 for the heaviest; equal weights in the order in which they were first seen.
        ``id`` (str): the member.
        ``weight`` (float64, as in the data): infinite beyond what a float holds; sums are taken exactly all the same.
        ``share`` (float64, 0-1): of the whole; NaN where all weights are 0.
        ``cumulative_share`` (float64, 0-1): of this member and all heavier ones; NaN likewise.

    Raises:
        BadOption: a column is missing. Incomplete: as ``require_complete`` says.
        BadOptionType: the data are of no kind that can be read.

    >>> import pandas as pd
    >>> herfindahl(pd.DataFrame({"id": ["a", "b"], "voting_power": [3.0, 1.0]})).value
    0.625
    """
    return _measured(data, "Herfindahl index", "", herfindahl_of, options)


def entropy(data: Data, **options: Unpack[SetOptions]) -> Result:
    """Shannon entropy of the shares, in bits: 0 where one holds all, log2(n) where all hold the same.

    H = -sum(s log2 s), a share of 0 giving 0 (Shannon, 1948, A Mathematical Theory of Communication, section 6). 2 to
    the power of H is the number of equal members with the same entropy. Without members, or where all weights are 0,
    there is no value.

    Args:
        data: rows with ``id`` and a weight.
        options: ``weight``, ``status``, ``active``, ``require_complete``, ``start``, ``end`` as in :func:`nakamoto`.

    Returns:
        ``value``: float, bits; None without members, or where all weights are 0.

    Table, a row a member, heaviest first; index 0, 1, 2, …:

        ``rank`` (int64): 1 for the heaviest; equal weights in the order in which they were first seen.
        ``id`` (str): the member.
        ``weight`` (float64, as in the data): infinite beyond what a float holds; sums are taken exactly all the same.
        ``share`` (float64, 0-1): of the whole; NaN where all weights are 0.
        ``cumulative_share`` (float64, 0-1): of this member and all heavier ones; NaN likewise.

    Raises:
        BadOption: a column is missing. Incomplete: as ``require_complete`` says.
        BadOptionType: the data are of no kind that can be read.

    >>> import pandas as pd
    >>> entropy(pd.DataFrame({"id": ["a", "b", "c", "d"], "voting_power": [1.0, 1.0, 1.0, 1.0]})).value
    2.0
    """
    return _measured(data, "Shannon entropy", "bits", entropy_of, options)


def theil(data: Data, **options: Unpack[SetOptions]) -> Result:
    """Theil's T of the weights: 0 where all hold the same, ln(n) where one holds all.

    T = (1/n) sum((x/m) ln(x/m)), m the mean weight, a weight of 0 giving 0 (Theil, 1967, Economics and Information
    Theory, chapter 4). Unlike the Gini coefficient it can be split into what lies within and between groups. In nats,
    that is ln(n) minus the entropy of the shares. Without members, or where all weights are 0, there is no value.

    Args:
        data: rows with ``id`` and a weight.
        options: ``weight``, ``status``, ``active``, ``require_complete``, ``start``, ``end`` as in :func:`nakamoto`.

    Returns:
        ``value``: float, nats; None without members, or where all weights are 0.

    Table, a row a member, heaviest first; index 0, 1, 2, …:

        ``rank`` (int64): 1 for the heaviest; equal weights in the order in which they were first seen.
        ``id`` (str): the member.
        ``weight`` (float64, as in the data): infinite beyond what a float holds; sums are taken exactly all the same.
        ``share`` (float64, 0-1): of the whole; NaN where all weights are 0.
        ``cumulative_share`` (float64, 0-1): of this member and all heavier ones; NaN likewise.

    Raises:
        BadOption: a column is missing. Incomplete: as ``require_complete`` says.
        BadOptionType: the data are of no kind that can be read.

    >>> import pandas as pd
    >>> round(theil(pd.DataFrame({"id": ["a", "b"], "voting_power": [3.0, 1.0]})).value, 4)
    0.1308
    """
    return _measured(data, "Theil index", "nats", theil_of, options)


def lorenz(data: Data, **options: Unpack[SetOptions]) -> Result:
    """Lorenz curve of the weights: which share of the whole the lightest members hold together.

    The points (i/n, (x(1) + … + x(i)) / sum(x)) for i = 0 … n, weights in rising order (Lorenz, 1905, Methods of
    Measuring the Concentration of Wealth, Publications of the American Statistical Association 9, 209-219). The area
    between the curve and the diagonal, doubled, is the Gini coefficient, which is the value.

    Args:
        data: rows with ``id`` and a weight.
        options: ``weight``, ``status``, ``active``, ``require_complete``, ``start``, ``end`` as in :func:`nakamoto`.

    Returns:
        ``value``: the Gini coefficient, None without members, or where all weights are 0.

    Table, n + 1 rows, from no member to all (none without members, or where all weights are 0); index 0, 1, 2, …:

        ``members_share`` (float64, 0-1): share of the members, the lightest first.
        ``weight_share`` (float64, 0-1): what they hold together.
        ``equal`` (float64, 0-1): what they would hold if all held the same.

    Raises:
        BadOption: a column is missing. Incomplete: as ``require_complete`` says.
        BadOptionType: the data are of no kind that can be read.

    >>> import pandas as pd
    >>> lorenz(pd.DataFrame({"id": ["a", "b"], "voting_power": [3.0, 1.0]})).table["weight_share"].tolist()
    [0.0, 0.25, 1.0]
    """
    found = found_in(data, options)
    shares = found.shares()
    value = gini_of(shares) if len(shares) else None
    base = np.linspace(0.0, 1.0, len(shares) + 1) if len(shares) else np.empty(0)
    curve = np.minimum(np.concatenate([[0.0], np.cumsum(shares[::-1])]), 1.0) if len(shares) else np.empty(0)
    if len(curve):
        curve[-1] = 1.0
    table = pd.DataFrame({"members_share": base, "weight_share": curve, "equal": base})
    chart = Chart(
        "line",
        "members_share",
        ("weight_share", "equal"),
        x_title="share of members",
        y_title=f"share of {found.weight.replace('_', ' ')}",
    )
    return _result(found, "Lorenz curve, Gini coefficient", value, "", table, chart=chart)


def decentralisation(data: Data, threshold: float = 1 / 3, **options: Unpack[SetOptions]) -> Result:
    """All measures of who holds how much, in one table.

    The Nakamoto coefficient, the Gini coefficient, the Herfindahl index with its number of equal members (1 / H), the
    Shannon entropy with its number (2 ** H), the Theil index and the largest share; sources and formulas stand with
    :func:`nakamoto`, :func:`gini`, :func:`herfindahl`, :func:`entropy` and :func:`theil`.

    Args:
        data: rows with ``id`` and a weight.
        threshold: of the Nakamoto coefficient, above 0 and below 1.
        options: ``weight``, ``status``, ``active``, ``require_complete``, ``start``, ``end`` as in :func:`nakamoto`.

    Returns:
        ``value`` is None.

    Table, a row a measure; index 0, 1, 2, …:

        ``measure`` (str): nakamoto, gini, herfindahl, equal_members_herfindahl, entropy, equal_members_entropy, theil,
            largest_share.
        ``value`` (float64): NaN without members, or where all weights are 0.
        ``unit`` (str): of the three numbers; empty where there is none.
        ``equal`` (float64): the value if these n members held the same; NaN without members.
        ``single`` (float64): the value if one of them held all; NaN likewise.

    Raises:
        BadOption: an option is out of range, or a column is missing. Incomplete: as ``require_complete`` says.
        BadOptionType: the data are of no kind that can be read.

    >>> import pandas as pd
    >>> result = decentralisation(pd.DataFrame({"id": ["a", "b"], "voting_power": [3.0, 1.0]}))
    >>> result.table.set_index("measure")["value"].round(3).to_dict()["herfindahl"]
    0.625
    """
    limit = fraction(threshold)
    found = found_in(data, options)
    table = _all_measures(found, limit)
    name = "Decentralisation"
    chart = Chart("dots", "measure", ("value",), "measure", "value (units in the table)", log_y=True)
    values = table.set_index("measure")["value"]
    told = [f"{m} {number(float(values[m]))}" for m in ("nakamoto", "gini", "herfindahl", "entropy", "theil")]
    why = f" ({_why(found)})" if _why(found) else ""
    line = f"{name}: {'unknown' + why if why else ', '.join(told)}; {members(found)}"
    return Result(name, None, "", table, line, found.notes, found.coverage, len(found), chart)


def _all_measures(found: Holders, limit: Fraction) -> pd.DataFrame:
    n, shares = len(found), found.shares()
    even, lone = np.full(n, 1 / max(n, 1)), np.arange(n) == 0
    equal = Holders(found.ids, (1,) * n, found.weight)
    told = [("nakamoto", *map(_or_nan, (coalition(found, limit), coalition(equal, limit))), 1.0 if n else np.nan)]
    for name, (_, measure) in MEASURES.items():
        told.append((name, *(measure(s) if len(s) else np.nan for s in (shares, even, lone.astype(float)))))
    table = pd.DataFrame(told, columns=["measure", "value", "equal", "single"])
    table.insert(2, "unit", ["members", *(unit for unit, _ in MEASURES.values())])
    return table


def members(found: Holders) -> str:
    """How many members a reading rests on, and the share of all that they are."""
    return reading("", 0, "", len(found), found.coverage, of="member").partition("; ")[2]


def fraction(threshold: float) -> Fraction:
    """A threshold as the fraction that was meant by it.

    Raises:
        BadOption: it does not lie between 0 and 1.
    """
    share("threshold", threshold)
    return Fraction(threshold).limit_denominator(1_000_000)


class SetOptions(TypedDict, total=False):
    """The options that all measures of a set of members share; :func:`nakamoto` says what they mean."""

    weight: str | None
    status: str | None
    active: Any
    require_complete: bool
    start: Moment | None
    end: Moment | None


def found_in(data: Data, options: SetOptions) -> Holders:
    """The holders, with the options checked by name."""
    unknown = [name for name in options if name not in SetOptions.__annotations__]
    if unknown:
        raise BadOptionType(f"no option {', '.join(unknown)}; there are {', '.join(SetOptions.__annotations__)}")
    return holders(data, **options)


def _measured(data: Data, name: str, unit: str, measure: Measure, options: SetOptions) -> Result:
    found = found_in(data, options)
    shares = found.shares()
    return _result(found, name, measure(shares) if len(shares) else None, unit, found.table())


def _result(
    found: Holders, name: str, value: float | int | None, unit: str, table: pd.DataFrame, chart: Chart | None = None
) -> Result:
    line = reading(name, value, unit, len(found), found.coverage, of="member", why=_why(found))
    if chart is None:
        chart = Chart("bar", "id", ("share",), x_title="member", y_title=f"share of {found.weight.replace('_', ' ')}")
    return Result(name, value, unit, table, line, found.notes, found.coverage, len(found), chart)


def _why(found: Holders) -> str:
    if not len(found):
        return "no members"
    return "all weights are 0" if not found.total else ""


def _or_nan(value: int | None) -> float:
    return np.nan if value is None else float(value)
