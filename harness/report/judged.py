"""Contests with what is claimed of each: the one place that says by which error, for sentences and pictures alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from harness.analysis.comparable import Pool
from harness.analysis.contests import Contest, contests
from harness.analysis.families import Family, family_of
from harness.analysis.separation import ERROR, Separation
from harness.analysis.targets import Reaching, reaching


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
    def best(self) -> tuple[str, ...]:
        """Of these, those that are not shown to be slower than the soonest."""
        return tuple(self.separation.not_slower(list(self.order), error=self.error))

    @property
    def is_comparison(self) -> bool:
        """Whether there is something to compare."""
        return len(self.rows) > 1

    def launches_of(self, entrant: str) -> pd.DataFrame:
        return self.contest.launches[self.contest.launches["entrant"] == entrant]

    def family_of(self, entrant: str) -> Family:
        first = self.launches_of(entrant).iloc[0]
        return family_of(str(first["strategy"]), str(first["evaluated_model"]))


def judged_contests(pool: Pool) -> list[JudgedContest]:
    """One for each contest of the pool; all share the error of one family of claims."""
    reached, asked = reaching(pool.launches), list(contests(pool.launches))
    num_families = sum(contest.launches["entrant"].nunique() > 1 for contest in asked)
    error = ERROR / max(1, num_families)
    return [
        JudgedContest(
            contest=contest, rows=tuple(_entrants(contest, reached)), separation=contest.separation(), error=error
        )
        for contest in asked
    ]


def _entrants(contest: Contest, reached: list[Reaching]) -> list[Reaching]:
    """Those of the contest, by their names in it."""
    launches = contest.launches
    keys = zip(launches["problem"], launches["series"], launches["workers"], strict=True)
    names = dict(zip(keys, launches["entrant"], strict=True))
    return [
        replace(row, series=names[key])
        for row in reached
        if row.aim == contest.aim and (key := (row.problem, row.series, row.workers)) in names
    ]
