"""One score of a strategy across problems: how many times as long as the soonest of each it takes, on the average.

The geometric mean over problems, for each seed apart; over these the interval. So it says how sure the score is on
these problems, which are no sample of others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from harness.analysis.intervals import Interval, geometric_interval
from harness.analysis.seeds import geometric_mean_by_seed
from harness.analysis.targets import AFTER

AT = "time_to_target_s"

Pairs = Sequence[tuple[pd.DataFrame, pd.DataFrame]]  # a problem's launches of the strategy, and of the soonest there


def score_across(pairs: Pairs) -> Interval:
    """Of launches that all reached their targets, wherever between two evaluations each did. n: seeds in common."""
    score = geometric_interval(_by_seed(pairs, AT, AT))
    if not score.is_known:
        return score
    earliest, latest = _by_seed(pairs, AFTER[AT], AT), _by_seed(pairs, AT, AFTER[AT])
    low = geometric_interval(earliest).low if (earliest > 0).all() else 0.0
    high = geometric_interval(latest).high if np.isfinite(latest).all() else math.inf
    return replace(score, low=min(score.low, low), high=max(score.high, high))


def chosen_by_other_seeds(timed: Mapping[str, pd.DataFrame]) -> dict[int, str]:
    """By seed, which of these is soonest over the other seeds: the choice and the time that it is judged by are then
    independent, and who has more to choose from gains nothing. Where no seed has another to choose by, each chooses.

    Source: Stone, "Cross-validatory choice and assessment of statistical predictions", JRSS B 36 (1974) 111.
    """
    by_seed = {name: geometric_mean_by_seed(rows, AT) for name, rows in timed.items()}
    with np.errstate(divide="ignore"):
        logs = pd.DataFrame(by_seed).apply(np.log)
    others = {seed: logs.drop(index=seed)[logs.columns[logs.loc[seed].notna()]].mean() for seed in logs.index}
    chosen = {int(seed): str(means.idxmin()) for seed, means in others.items() if means.notna().any()}
    return chosen or {int(seed): str(logs.loc[seed].idxmin()) for seed in logs.index}


def _by_seed(pairs: Pairs, ours: str, theirs: str) -> pd.Series[float]:
    """Means over problems of the seeds that every problem has; the soonest against itself is 1, whenever it was."""
    logs = []
    for mine, soonest in pairs:
        columns = (AT, AT) if mine is soonest else (ours, theirs)
        times = (geometric_mean_by_seed(rows, column) for rows, column in zip((mine, soonest), columns, strict=True))
        with np.errstate(divide="ignore"):
            above, below = (each.apply(np.log) for each in times)
        logs.append(above - below)
    return pd.concat(logs, axis=1).dropna().mean(axis=1).apply(np.exp)
