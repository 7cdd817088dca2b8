"""Contests with what is claimed of each: the one place that says by which error, for sentences and pictures alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from harness.analysis.attempts import with_retries
from harness.analysis.comparable import Pool
from harness.analysis.contests import Contest, contests
from harness.analysis.intervals import MIN_LAUNCHES
from harness.analysis.separation import Separation, error_of_each
from harness.analysis.targets import Reaching, paired_ratio, reaching


@dataclass(frozen=True, kw_only=True)
class JudgedContest:
    """A contest, how its entrants fare, and which are shown to be slower than which."""

    contest: Contest
    rows: tuple[Reaching, ...]  # its entrants, by their names in `series`
    separation: Separation
    error: float  # that any claim of the contest is false

    @cached_property
    def by_name(self) -> dict[str, Reaching]:
        return {row.series: row for row in self.rows}

    @property
    def order(self) -> tuple[str, ...]:
        """Entrants that always reached the target, the soonest first."""
        return self.separation.order

    @cached_property
    def missed(self) -> tuple[Reaching, ...]:
        """The entrants that did not always reach it."""
        return tuple(row for row in self.rows if row.series not in self.order)

    @property
    def too_few(self) -> tuple[str, ...]:
        """Of these, those with too few seeds to be told apart from any other."""
        return self.separation.too_few

    @cached_property
    def ranked(self) -> tuple[str, ...]:
        """The others of these: who is soonest is said of them alone."""
        return tuple(name for name in self.order if name not in self.too_few)

    @property
    def first(self) -> str:
        """The soonest that is ranked; where none is, the soonest of all."""
        return (self.ranked or self.order)[0]

    @cached_property
    def best(self) -> tuple[str, ...]:
        """Of those that are ranked, the ones that are not shown to be slower than the soonest."""
        return tuple(self.separation.not_slower(list(self.ranked), error=self.error))

    def times_as_long(self, entrant: str) -> float:
        """As the first, paired by seed, crashes paid for; NaN where either has no time, or they share no seed."""
        ours, firsts = (with_retries(self.launches_of(name)) for name in (entrant, self.first))
        ratio = paired_ratio(ours, firsts, "time_to_target_s").interval
        return ratio.estimate if ratio else math.nan

    @property
    def is_comparison(self) -> bool:
        """Whether there is something to compare."""
        return len(self.rows) > 1

    @cached_property
    def _by_entrant(self) -> dict[str, pd.DataFrame]:
        return {str(name): rows for name, rows in self.contest.launches.groupby("entrant")}

    def launches_of(self, entrant: str) -> pd.DataFrame:
        return self._by_entrant[entrant]

    def series_of(self, entrant: str) -> str:
        return str(self.launches_of(entrant)["series"].iloc[0])


def judged_contests(pools: Sequence[Pool]) -> list[tuple[JudgedContest, ...]]:
    """Those of each pool of a page; all of the page share one error."""
    asked = [list(contests(pool.launches)) for pool in pools]
    error = error_of_each(sum(_may_claim(contest) for each in asked for contest in each))
    return [_of_pool(pool, each, error) for pool, each in zip(pools, asked, strict=True)]


def _may_claim(contest: Contest) -> bool:
    """Whether several entrants were launched with enough seeds: known from the plan, whatever came out."""
    return int((contest.launches.groupby("entrant")["seed"].nunique() >= MIN_LAUNCHES).sum()) > 1


def _of_pool(pool: Pool, asked: Sequence[Contest], error: float) -> tuple[JudgedContest, ...]:
    reached = pool.of_launches(reaching)
    return tuple(
        JudgedContest(
            contest=contest, rows=tuple(_entrants(contest, reached)), separation=contest.separation(), error=error
        )
        for contest in asked
    )


def _entrants(contest: Contest, reached: list[Reaching]) -> list[Reaching]:
    """Those of the contest, by their names in it."""
    names = contest.entrants
    return [
        replace(row, series=names[key])
        for row in reached
        if row.aim == contest.aim and (key := (row.problem, row.series, row.workers)) in names
    ]
