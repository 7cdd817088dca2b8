"""Strategies across problems: performance profiles, and the front of training time against score.

Performance profile: ρ_s(τ) is the share of problems which strategy s solves within τ times the time of the best one.
Source: Dolan and Moré, "Benchmarking Optimization Software with Performance Profiles" (Mathematical Programming 91,
2002); for training algorithms: Dahl et al., AlgoPerf (arXiv 2306.07179), which also takes the median over
repetitions and counts a problem that was not solved as never.

A strategy goes by one name on every problem (`variant`): settings that a suite varies on one problem alone, such as a
batch size, would else make two of it there, neither of which has run on the others. On each problem it has the setting
and the number of workers with which it is soonest. So who tried more settings had more chances, which is said beside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.attempts import with_retries
from harness.analysis.contests import Contest, contests, place_in_words
from harness.analysis.seeds import geometric_mean_by_seed
from harness.workloads.metric import Metric


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Strategies that ran on every problem of several, in one framework, with one kind of worker and its resources."""

    name: str  # framework, kind and resources, where profiles of a pool differ in them
    solved: pd.DataFrame  # columns strategy, problem, setting (the best), time_s, factor (of the problem's best time)
    left_out: tuple[str, ...]  # strategies that lack a problem, with what they lack

    @property
    def num_problems(self) -> int:
        return int(self.solved["problem"].nunique())

    def share_within(self, strategy: str, factor: float) -> float:
        """ρ of a strategy at τ = factor."""
        factors = self.solved.loc[self.solved["strategy"] == strategy, "factor"]
        return float((factors <= factor * (1 + 1e-12)).mean())


def performance_profiles(launches: pd.DataFrame) -> list[Profile]:
    """Of launches of one pool: those in which several strategies share several problems."""
    found: dict[tuple[object, ...], list[Contest]] = {}
    for contest in contests(launches):
        found.setdefault(contest.place, []).append(contest)
    profiles = [_profile(place_in_words(place, found), together) for place, together in found.items()]
    return [each for each in profiles if each.num_problems > 1 and each.solved["strategy"].nunique() > 1]


def _profile(name: str, together: list[Contest]) -> Profile:
    """Of contests in one place. A problem that a single strategy ran on is none to compare on."""
    rows = [row for contest in together if contest.launches["variant"].nunique() > 1 for row in _best(contest)]
    solved = pd.DataFrame(rows, columns=["strategy", "problem", "setting", "time_s"])
    problems = set(solved["problem"])
    lacking = {name: sorted(problems - set(part["problem"])) for name, part in solved.groupby("strategy", sort=True)}
    complete = solved[solved["strategy"].isin([strategy for strategy, lacks in lacking.items() if not lacks])]
    best_s = complete.groupby("problem")["time_s"].transform("min")
    factor = (complete["time_s"] / best_s).fillna(math.inf)  # nobody solved it: ∞ / ∞
    return Profile(
        name=name,
        solved=complete.assign(factor=factor).reset_index(drop=True),
        left_out=tuple(f"{strategy!s} (not on {', '.join(lacks)})" for strategy, lacks in lacking.items() if lacks),
    )


def _best(contest: Contest) -> Iterator[tuple[str, str, str, float]]:
    """Of each strategy, the setting with which it is soonest: by the median over seeds, a target missed as never."""
    for variant, rows in contest.launches.groupby("variant", sort=True):
        of_settings = {str(entrant): _median_s(part) for entrant, part in rows.groupby("entrant", sort=True)}
        setting = min(of_settings, key=lambda name: of_settings[name])
        yield str(variant), contest.aim, setting, of_settings[setting]


def _median_s(launches: pd.DataFrame) -> float:
    paid = with_retries(launches)
    never = paid.assign(time_to_target_s=paid["time_to_target_s"].fillna(math.inf))
    return float(np.median(geometric_mean_by_seed(never, "time_to_target_s")))


def pareto_front(points: pd.DataFrame, *, cost: str, score: str, metric: Metric) -> pd.Series[bool]:
    """Which rows no other beats: none of less cost and as good a score, nor of a better score at no more cost."""
    costs, scores = points[cost].to_numpy(), points[score].to_numpy() * metric.direction
    cheaper = (costs[None, :] <= costs[:, None]) & (scores[None, :] >= scores[:, None])
    better = (costs[None, :] < costs[:, None]) | (scores[None, :] > scores[:, None])
    return pd.Series(~(cheaper & better).any(axis=1), index=points.index)
