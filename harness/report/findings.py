"""The answer in words: for every contest a headline, and what backs it.

A sentence claims a difference only where the contest's family of comparisons backs it, and says so where none does.
All contests of a page share the error of a family: where all is equal, at most 5 % of pages claim any difference. With
single launches nothing is claimed at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.analysis.comparable import Pool
from harness.analysis.implementation import Implementation, implementations
from harness.analysis.quality import QualityDifference, quality_differences
from harness.analysis.targets import BaselineComparison
from harness.report import second_answers
from harness.report.against_baseline import against_baseline, by_ratio, wrapper_of_baseline
from harness.report.headline import headline
from harness.report.implementation_table import implementation_sentence
from harness.report.judged import JudgedContest
from harness.report.learned_as_well import learned_as_well, learned_in_short


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One contest's answer: a headline, then what backs it, sentence by sentence."""

    headline: str
    learned_in_short: str  # whether what it recommends learns as well: stands beside the headline
    learned: tuple[str, ...]  # the same in numbers
    details: tuple[str, ...]


def findings(pool: Pool, contests: Sequence[JudgedContest], compared: Sequence[BaselineComparison]) -> list[Finding]:
    """One for each contest of the pool."""
    costs, differences = pool.of_runs(implementations), pool.once(quality_differences)
    return [_finding(judged, compared, costs, differences) for judged in contests]


def _finding(
    judged: JudgedContest,
    compared: Sequence[BaselineComparison],
    costs: Sequence[Implementation],
    differences: Sequence[QualityDifference],
) -> Finding:
    """Its series go by their names within the contest: the headline says what they share."""
    contest, here, separation, error = judged.contest, judged.rows, judged.separation, judged.error
    launches = contest.launches
    names = dict(zip(launches["series"], launches["competitor"], strict=True))
    finished = launches[launches["status"] == "ok"]
    most = int((launches if finished.empty else finished)["workers"].max())
    mine = [
        replace(row, series=names[row.series], baseline=names[row.baseline])
        for row in compared
        # The series, too: records that were damaged may have contests of one name.
        if row.contest == contest.name and row.workers == most and {row.series, row.baseline} <= names.keys()
    ]
    at_most = launches[launches["workers"] == most]
    as_named = launches.assign(series=launches["competitor"])
    told = [row for row in costs if row.series in set(at_most["series"]) and row.baseline in names]
    is_told = bool({names[row.series] for row in told} & {row.baseline for row in mine})
    of_wrapper = wrapper_of_baseline(as_named, mine, is_told=is_told)
    details = [
        *second_answers.missed(here),
        *second_answers.at_equal_workers(here, separation, error),
        *second_answers.at_equal_cost(contest, here),
        *second_answers.paying(contest, most, separation, error),
        *(against_baseline(as_named, row) for row in by_ratio(mine)),
        *([of_wrapper] if of_wrapper else ()),
        *(implementation_sentence(row, names) for row in told),
        *second_answers.elsewhere(contest),
    ]
    return Finding(
        headline=headline(judged),
        learned_in_short=learned_in_short(judged, differences),
        learned=tuple(learned_as_well(judged, differences)),
        details=tuple(details),
    )
