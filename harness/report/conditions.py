"""Under which conditions the answer on a pool holds."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from harness.analysis.comparable import Pool
from harness.analysis.tuned import RECIPE
from harness.plain_text import counted
from harness.report.tuning_words import how_tuned
from harness.report.wording import listed, listed_briefly


def conditions(pool: Pool) -> str:
    """A sentence, for a line below the answer."""
    runs = pool.launches
    said = [
        _span(runs["workers"], "worker"),
        f"{_span(runs['threads'], 'thread')} each",
        _span(runs["hosts"], "host"),
        *_frameworks(runs),
        *_network(runs),
        f"{_span(runs.groupby(['problem', 'series', 'workers'])['seed'].nunique(), 'seed')} each",
        _rates(runs),
    ]
    return f"Holds for {', '.join(said)}."


def _rates(runs: pd.DataFrame) -> str:
    ways = sorted(runs["tuning"].unique(), reverse=True)  # the recipe comes last
    if len(ways) > 1:
        said = ("by the recipe" if tuning == RECIPE else how_tuned(tuning) for tuning in ways)
        return f"{' or '.join(said)}, as each answer says"
    if ways[0] != RECIPE:
        return how_tuned(ways[0])
    several = runs.groupby("problem")["learning_rate"].nunique().max() > 1
    how = "several of them for a problem" if several else "not tuned for each strategy"
    return f"recipe: rates as the suite sets them, {how}"


def _frameworks(runs: pd.DataFrame) -> Iterator[str]:
    """Of the problems that were solved in one, each with its problems where it is not the same; the names of the
    series of others tell it."""
    is_named = runs.groupby("aim")["framework"].transform("nunique") > 1
    aims = runs[~is_named].groupby("framework")["aim"].unique()
    if len(aims) == 1:
        yield aims.index[0] + (" where no other is named" if is_named.any() else "")
    else:
        yield from (f"{framework} for {listed_briefly(sorted(its))}" for framework, its in aims.items())


def _span(values: pd.Series[int], noun: str) -> str:
    low, high = int(values.min()), int(values.max())
    return counted(low, noun) if low == high else f"{low} to {counted(high, noun)}"


def _network(runs: pd.DataFrame) -> Iterator[str]:
    controllers = sorted(runs["controller"].dropna().unique())
    if controllers:
        yield f"Horovod over {listed([str(name) for name in controllers])}"
