"""What is spent on the way to a target: core-seconds, wall time with start-up, CPU time, bytes.

Core-seconds   training time to the target × the cores that were asked for (threads and loader processes of all
               workers, and one for each server), busy or not. Of a GPU, likewise, GPU-seconds.
Wall time      start-up of the slowest worker, then training to the target; evaluation is off the clock, as ever.
CPU time       what workers and servers used: a step's, times the steps to the target.
Bytes          sent by all, servers included: a step's, times the steps to the target.

A crash is paid for by another launch (attempts.py), which starts up again. What it took of wall time is recorded, from
its launch to its end: the launches that ran bear it in equal shares, those that were given up too. Of its training only
the longest is known, which is a whole launch's.

Where a launch was given up before the target, core-seconds and wall time are lower bounds, and what goes by steps is
not known. A bound of core-seconds leaves crashes out: they may have come before training. Where most launches crashed
both are bounds, and both leave them out: how many crash for each that runs is hardly known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from harness.analysis.attempts import MIN_SHARE_RUN, has_outcome, with_retries
from harness.analysis.comparable import Pool
from harness.analysis.intervals import Interval, scaled
from harness.analysis.seeds import geometric_mean_by_seed, mean_by_seed
from harness.analysis.series import UNIT, units
from harness.analysis.targets import (
    AFTER,
    Reaching,
    between_evaluations,
    interval_to_target,
    reaching,
    time_lower_bound,
)

_NEEDED = (  # few columns: units are taken out of them, thousands
    *UNIT,
    *("seed", "status", "reached", "cores", "num_gpus", "global_batch_size", "startup_s", "wall_s", "observed_s"),
    *("time_to_target_s", "time_to_target_after_s", "time_to_target_with_evaluation_s"),
    *("samples_to_target", "samples_to_target_after"),
    *("cpu_s_per_step", "bytes_per_step"),
)


@dataclass(frozen=True, kw_only=True)
class Spending:
    """Of one unit of which some launch did not crash. Intervals are over seeds."""

    reaching: Reaching
    cores: int
    core_s: Interval
    gpu_s: Interval | None  # None on a CPU
    wall_s: Interval  # with start-up, and with that of crashes
    cpu_s: Interval | None  # None where some launch did not reach the target, or does not tell
    sent_bytes: float  # mean over seeds; NaN likewise

    @property
    def is_lower_bound(self) -> bool:
        """Whether core-seconds and wall time are what the true ones exceed."""
        return self.reaching.is_lower_bound


def spendings(pool: Pool) -> list[Spending]:
    """Of the units that have a target and did not always crash."""
    by_unit = dict(units(pool.launches[list(_NEEDED)]))
    reached = pool.of_launches(reaching)
    return [_spending(row, by_unit[row.problem, row.series, row.workers]) for row in reached if row.known_s]


def _spending(row: Reaching, launches: pd.DataFrame) -> Spending:
    assert row.known_s is not None
    first = launches.iloc[0]
    stepwise = _over_steps(launches)
    cpu_after_s, cpu_s = (geometric_mean_by_seed(stepwise, column) for column in ("cpu_after_s", "cpu_s"))
    return Spending(
        reaching=row,
        cores=int(first["cores"]),
        core_s=scaled(row.known_s, int(first["cores"])),
        gpu_s=scaled(row.known_s, int(first["num_gpus"])) if first["num_gpus"] else None,
        wall_s=_wall(launches, is_lower_bound=row.is_lower_bound),
        cpu_s=between_evaluations(cpu_after_s, cpu_s) if (cpu_s > 0).all() and row.time_s else None,
        sent_bytes=float(mean_by_seed(stepwise, "sent_bytes").mean()) if row.time_s else math.nan,
    )


def _over_steps(launches: pd.DataFrame) -> pd.DataFrame:
    """Those that count, with what a step takes times the steps to the target of all workers, retries included.

    `cpu_after_s` is up to the evaluation before that one, as `samples_to_target_after` is.
    """
    paid = with_retries(launches)
    latest, earliest = (
        paid[samples] * paid["workers"] / paid["global_batch_size"]
        for samples in ("samples_to_target", AFTER["samples_to_target"])
    )
    return paid.assign(
        cpu_s=paid["cpu_s_per_step"] * latest,
        cpu_after_s=paid["cpu_s_per_step"] * earliest,
        sent_bytes=paid["bytes_per_step"] * latest,
    )


def _wall(launches: pd.DataFrame, *, is_lower_bound: bool) -> Interval:
    """The time to target by a clock that runs from the launch's start-up on, and while its share of crashes lasted.

    The earliest moment is without them: that none crashes the next time is part of the interval (attempts.py).
    """
    ran, crashes_s = launches[has_outcome(launches)], _crashes_s(launches)
    more_s = {"time_to_target_s": crashes_s, "time_to_target_after_s": 0.0, "observed_s": crashes_s}
    later = ran.assign(**{moment: ran[moment] + ran["startup_s"] + more_s[moment] for moment in more_s})
    return time_lower_bound(later) if is_lower_bound else interval_to_target(later, "time_to_target_s")


def _crashes_s(launches: pd.DataFrame) -> float:
    """How long the crashes of a unit lasted, for each launch of it that ran; 0 where most crashed."""
    ran = has_outcome(launches)
    if ran.mean() < MIN_SHARE_RUN:
        return 0.0
    return float(launches.loc[~ran, "wall_s"].sum() / ran.sum())
