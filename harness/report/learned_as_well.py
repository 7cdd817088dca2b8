"""Beside the speeds of a contest: whether those that it recommends learn as well as one worker does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.analysis.contests import Contest
from harness.analysis.quality import QualityDifference
from harness.report.judged import JudgedContest
from harness.report.score_tables import difference_in_words, shown_of
from harness.report.wording import listed_briefly

_MOST_SAID = 5
WORSE = "worse"


def learned_as_well(judged: JudgedContest, differences: Sequence[QualityDifference]) -> Iterator[str]:
    """One sentence on those that are recommended, one on all others that are shown to be worse."""
    if not judged.is_comparison:
        return
    known = dict(_by_entrant(judged.contest, differences))
    references = {row.reference for row in known.values()}
    if not references:
        yield "No single worker ran beside them, so whether they learn as well is not known."
        return
    said = [f"{name} {difference_in_words(known[name])}" for name in judged.best if name in known][:_MOST_SAID]
    if said:
        yield f"At the end of training, against {listed_briefly(sorted(references))} ×1: {'; '.join(said)}."
    others = [name for name, row in known.items() if name not in judged.best and shown_of(row) == WORSE]
    if others:
        yield f"Shown to end worse, each by its individual interval: {listed_briefly(others)}."


def _by_entrant(contest: Contest, differences: Sequence[QualityDifference]) -> Iterator[tuple[str, QualityDifference]]:
    launches = contest.launches
    keys = zip(launches["problem"], launches["series"], launches["workers"], strict=True)
    names = dict(zip(keys, launches["entrant"], strict=True))
    for row in differences:
        key = (row.problem, row.series, row.workers)
        if key in names:
            yield names[key], row
