"""What a launch tells of the time to target: it reached it, was given up before, or crashed.

Reached   at a moment between two evaluations.
Given up  trained and evaluated up to `observed_s` without the target: the time is longer, how much is not known. One
          that its time limit stopped was given up then. This is right censoring.
Crashed   failed, or was ended at its limit before anything was evaluated: no outcome at all.

A crash is not a slow launch: it says nothing of how long the strategy takes when it runs, so it neither joins the mean
as a long time nor keeps the strategy out of the ranking, where one crash in five launches would cost all that the other
four tell. But whoever uses the strategy pays for it: they launch again until it runs. With a share p of launches that
run, that is 1/p launches for each one that does, and a crash costs at least nothing, at most a whole launch (its clock
of training is lost with it). So the time with retries lies between the mean T of the launches that ran and T/p. As with
two evaluations, the later one stands for it, and what lies between is part of every interval; separation.py calls
nobody sooner or slower by less, so the luck of who crashed makes no claim. A strategy that crashed in more than half of
its launches is no choice, however fast the others were: p is hardly known, so T is only a lower bound of its time.

The share is that of these launches: how far it may be off stands beside it as Wilson's interval. That crashes hit
launches at random is taken for granted: where only the slow ones crash, the others' mean is too short.
"""

from __future__ import annotations

import math

import pandas as pd

from harness.records.machine_failures import is_the_machines

MIN_SHARE_RUN = 0.5  # of the launches of what has a time
# What grows with the number of launches that one success takes, retries included.
_PAID_AGAIN = ("time_to_target_s", "samples_to_target", "time_to_target_with_evaluation_s")


def tell_of_their_cells(launches: pd.DataFrame) -> pd.Series[bool]:
    """Which do: all but those that failed for what the machine lacked, as any other cell's would have."""
    is_machines = launches["reason"].fillna("").map(is_the_machines).astype(bool)
    return (launches["status"] != "failed") | ~is_machines


def has_outcome(launches: pd.DataFrame) -> pd.Series[bool]:
    """Which did not crash."""
    ran: pd.Series[bool] = (launches["status"] != "failed") & launches["observed_s"].notna()
    return ran


def with_retries(launches: pd.DataFrame) -> pd.DataFrame:
    """Those of a unit's launches that did not crash, with times and samples as paid for, crashes included.

    The earliest moments (`time_to_target_after_s`, ...) stay: a crash at the start costs nothing. Where most crashed,
    all launches stay as they are, those that have no time too.
    """
    ran = has_outcome(launches)
    if ran.all() or ran.mean() < MIN_SHARE_RUN:
        return launches
    return launches[ran].assign(**{column: launches.loc[ran, column] / ran.mean() for column in _PAID_AGAIN})


def always_reached(launches: pd.DataFrame) -> bool:
    """Whether a unit's launches reached the target whenever they did not crash, and most did not."""
    paid = with_retries(launches)
    return not paid.empty and bool(paid["reached"].all())


def reached_over_time(launches: pd.DataFrame) -> pd.DataFrame:
    """The share of a unit's launches that have reached the target: columns time_s, share and at_risk, from time 0 on.

    Source: Kaplan and Meier, JASA 53 (1958) 457.
    """
    reached_s, weight = launches["time_to_target_s"], _weight(launches)
    missing, rows = 1.0, [(0.0, 0.0, num_at_risk(launches, 0.0))]
    for moment_s in sorted(reached_s.dropna().unique()):
        at_risk = num_at_risk(launches, moment_s)
        missing *= 1 - float(weight[reached_s == moment_s].sum()) / at_risk
        rows.append((float(moment_s), 1 - missing, at_risk))
    return pd.DataFrame(rows, columns=["time_s", "share", "at_risk"])


def num_at_risk(launches: pd.DataFrame, moment_s: float) -> float:
    """Seeds of a unit that right before this moment had neither reached the target nor been given up.

    A launch that crashed stays at risk: it is watched for ever, and never reaches it.
    """
    watched_s = launches["time_to_target_s"].fillna(launches["observed_s"].where(has_outcome(launches), math.inf))
    return float(_weight(launches)[watched_s >= moment_s].sum())


def _weight(launches: pd.DataFrame) -> pd.Series[float]:
    """Those of one seed count together as one."""
    weight: pd.Series[float] = 1 / launches["seed"].map(launches["seed"].value_counts())
    return weight
