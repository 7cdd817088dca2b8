"""Every series against the baseline of its contest and number of workers: the comparisons, and each in a sentence."""

from __future__ import annotations

import pandas as pd

from harness.analysis.comparable import Pool
from harness.analysis.contests import contests
from harness.analysis.implementation import FLAT_LIKES
from harness.analysis.intervals import SHARE, mean_interval
from harness.analysis.seeds import mean_by_seed
from harness.analysis.targets import BaselineComparison, compare
from harness.report.wording import count, share_with_interval, times

# Against which the others are measured, the first that was run. Most of these step through one flat vector, as
# `allreduce-flat` does: a difference is one of the algorithm. Against the others, which step through a library's own
# wrapper, it is one of what that costs, too, and the page says so.
BASELINES = ("allreduce-flat", "allreduce", "torch-ddp")


def comparisons(pool: Pool) -> list[BaselineComparison]:
    """Every series against the baseline of its contest and number of workers (more than one)."""
    found = []
    for contest in contests(pool.launches):
        for workers, rows in contest.launches.groupby("workers", sort=True):
            baseline = _baseline(rows)
            if workers == 1 or baseline is None:
                continue
            base = rows[rows["series"] == baseline]
            found += [
                compare(part, base, contest=contest.name)
                for name, part in rows.groupby("series", sort=True)
                if name != baseline
            ]
    return found


def _baseline(rows: pd.DataFrame) -> str | None:
    for strategy in BASELINES:
        names = sorted(rows.loc[rows["strategy"] == strategy, "series"].unique(), key=len)
        if names:
            return str(names[0])
    return None


def by_ratio(rows: list[BaselineComparison]) -> list[BaselineComparison]:
    return sorted(rows, key=lambda row: row.time.interval.estimate if row.time.interval else float("inf"))


def against_baseline(runs: pd.DataFrame, row: BaselineComparison) -> str:
    ratio = row.time
    if ratio.interval is None:
        return f"{row.series} against {row.baseline}: no ratio of times to target, since {ratio.reason}."
    num_seeds = count(ratio.interval.n, "seed")
    said = f"{row.series} takes {times(ratio)} the time of {row.baseline} ({num_seeds}, individual interval)"
    if not ratio.interval.is_known:
        return f"{said}: too few for an interval, so nothing is claimed."
    if not ratio.interval.excludes(1.0):
        return f"{said}: no difference is shown ({_split(row)})."
    return f"{said}: {_split(row)}.{_waiting(runs, row)}"


def wrapper_of_baseline(launches: pd.DataFrame, rows: list[BaselineComparison], *, is_told: bool) -> str | None:
    """What the ratios of a contest hold beside the algorithm; None where its baseline is a flat one, or there is none.

    is_told: whether the page tells the wrapper's cost apart.
    """
    measured = [row.baseline for row in rows if row.time.interval is not None]
    if not measured:
        return None
    strategy = launches.loc[launches["series"] == measured[0], "strategy"].iloc[0]
    if strategy not in FLAT_LIKES:
        return None
    apart = "how much that is, its implementation tells" if is_told else f"add {FLAT_LIKES[strategy]} to take it apart"
    cost = "what stepping by its library's wrapper costs, which is none of the algorithm"
    return f"What {measured[0]} takes includes {cost}: {apart}."


def _split(row: BaselineComparison) -> str:
    return f"{times(row.seconds_per_sample)} the seconds per sample, {times(row.samples)} the samples to the target"


def _waiting(runs: pd.DataFrame, row: BaselineComparison) -> str:
    shares = [_exposed_by_seed(runs, series, row.workers) for series in (row.series, row.baseline)]
    if any(each.isna().any() for each in shares):
        return ""
    ours, theirs = (share_with_interval(mean_interval(each, within=SHARE)) for each in shares)
    waited = f"{ours} of the time, those of {row.baseline} {theirs}"
    return f" Its workers wait for communication or slower workers {waited}."


def _exposed_by_seed(runs: pd.DataFrame, series: str, workers: int) -> pd.Series[float]:
    return mean_by_seed(runs[(runs["series"] == series) & (runs["workers"] == workers)], "exposed_share")
