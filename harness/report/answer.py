"""What the head of the page says, for a terminal: the same findings of the same frames, so that they never disagree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.analysis.comparable import Pool, pools
from harness.analysis.loading import load_all, with_trials
from harness.plain_text import one_line
from harness.report.against_baseline import comparisons
from harness.report.cautions import warnings
from harness.report.findings import findings
from harness.report.judged import JudgedContest, judged_contests
from harness.report.matrix import across_problems
from harness.report.recommendation import recommendations

NO_CONTEST = (
    "No target was set and evaluated, so nothing is said of who is soonest; the page compares speed and scores. "
    "A `target` in the suite or the workload asks for more."
)


def answer_lines(folders: Sequence[str | Path]) -> list[str]:
    """Recommendations, headlines, what backs each, warnings. Raises ResultsError where results cannot be read."""
    results = load_all(*with_trials(folders))
    parts = pools(results.runs)
    judged = zip(parts, judged_contests(parts), strict=True)
    said = [line for pool, contests in judged for line in _of_pool(pool, contests, is_one_of_several=len(parts) > 1)]
    return [one_line(line) for line in (*said, *(f"! {caution}" for caution in results.cautions))]


def _of_pool(pool: Pool, contests: Sequence[JudgedContest], *, is_one_of_several: bool) -> Iterator[str]:
    if is_one_of_several:
        yield f"On {pool.name}:"
    for recommendation in recommendations(contests, across_problems(contests)):
        yield recommendation.sentence
        yield from (f"- {sentence}" for sentence in recommendation.beside)
    found = findings(pool, contests, comparisons(pool))
    for finding in found:
        yield finding.headline
        yield from (f"- {sentence}" for sentence in (*finding.learned, *finding.details))
    if not found:
        yield NO_CONTEST
    yield from (f"! {warning}" for warning in warnings(pool))
