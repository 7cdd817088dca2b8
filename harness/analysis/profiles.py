"""Strategies across problems: performance profiles, and the front of training time against score.

Performance profile: ρ_s(τ) is the share of problems which series s solves within τ times the time of the best series.
Source: Dolan and Moré, "Benchmarking Optimization Software with Performance Profiles" (Mathematical Programming 91,
2002); for training algorithms: Dahl et al., AlgoPerf (arXiv 2306.07179), section 4, which also takes the median over
repetitions and counts a problem that was not solved as never.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from harness.analysis.comparable import aimed, units
from harness.workloads.metric import Metric


def performance_profile(launches: pd.DataFrame) -> pd.DataFrame:
    """Columns series, factor (τ), share (ρ), num_problems; only series with runs for every problem enter.

    A problem here is a model on a data set with a target and a number of workers. launches: of one pool, those that
    may be compared.
    """
    rows = []
    for (_, series, workers), part in units(aimed(launches)):
        time_s = float(part["time_to_target_s"].fillna(math.inf).median())
        rows.append({"series": series, "problem": (part["aim"].iloc[0], workers), "time_s": time_s})
    if not rows:
        return pd.DataFrame(columns=["series", "factor", "share", "num_problems"])
    times = pd.DataFrame(rows).pivot(index="problem", columns="series", values="time_s").dropna(axis="columns")
    factors = times.div(times.min(axis="columns"), axis="index").fillna(math.inf)
    steps = np.unique([1.0, *factors.to_numpy()[np.isfinite(factors.to_numpy())]])
    return pd.DataFrame(
        [
            {
                "series": series,
                "factor": float(step),
                "share": float((factors[series] <= step).mean()),
                "num_problems": len(factors),
            }
            for series in factors.columns
            for step in steps
        ],
        columns=["series", "factor", "share", "num_problems"],
    )


def pareto_front(points: pd.DataFrame, *, cost: str, score: str, metric: Metric) -> pd.Series[bool]:
    """Which rows no other beats: none of less cost and as good a score, nor of a better score at no more cost."""
    costs, scores = points[cost].to_numpy(), points[score].to_numpy() * metric.direction
    cheaper = (costs[None, :] <= costs[:, None]) & (scores[None, :] >= scores[:, None])
    better = (costs[None, :] < costs[:, None]) | (scores[None, :] > scores[:, None])
    return pd.Series(~(cheaper & better).any(axis=1), index=points.index)
