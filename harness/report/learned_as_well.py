"""Beside the speeds of a contest: whether those that it recommends learn as well as one worker does, short and long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.analysis.contests import Contest
from harness.analysis.quality import QualityDifference
from harness.report.judged import JudgedContest
from harness.report.score_tables import NO_DIFFERENCE, WORSE, at_full_speed, difference_in_words, shown_of
from harness.report.wording import capitalized, listed_briefly

_MOST_SAID = 5
_NOT_KNOWN = "No single worker ran beside them, so whether they learn as well is not known."


def learned_in_short(judged: JudgedContest, differences: Sequence[QualityDifference]) -> str:
    """Without numbers, of those that are recommended; empty where nothing is compared."""
    if not judged.is_comparison:
        return ""
    known = dict(_by_entrant(judged.contest, differences))
    if not known:
        return _why_not_known(judged)
    names: dict[str, list[str]] = {}
    for name in filter(known.__contains__, judged.best):
        names.setdefault(shown_of(known[name]), []).append(name)
    if not names:
        return ""
    score = f"{capitalized(next(iter(known.values())).metric.name)} at the end, against {_references(known, judged)}"
    if set(names) == {NO_DIFFERENCE}:
        return f"{score}: {NO_DIFFERENCE}."
    return f"{score}: {'; '.join(f'{listed_briefly(each)} {shown}' for shown, each in names.items())}."


def learned_as_well(judged: JudgedContest, differences: Sequence[QualityDifference]) -> Iterator[str]:
    """One sentence on those that are recommended, one on all others that are shown to be worse."""
    if not judged.is_comparison:
        return
    known = dict(_by_entrant(judged.contest, differences))
    if not known:
        yield from filter(None, [_why_not_known(judged)])
        return
    said = [f"{name} {difference_in_words(known[name])}" for name in judged.best if name in known][:_MOST_SAID]
    if said:
        yield f"At the end of training, against {_references(known, judged)}: {'; '.join(said)}."
    others = [name for name, row in known.items() if name not in judged.best and shown_of(row) == WORSE]
    if others:
        yield f"Shown to end worse: {listed_briefly(others)}."


def _why_not_known(judged: JudgedContest) -> str:
    """Empty where a single worker ran: then the others have no score to hold against it."""
    return "" if (judged.contest.launches["workers"] == 1).any() else _NOT_KNOWN


def _references(known: Mapping[str, QualityDifference], judged: JudgedContest) -> str:
    """As the contest calls them; of one that it leaves out, by its whole name."""
    launches = judged.contest.launches
    names = dict(zip(launches["series"], launches["competitor"], strict=True))
    named = {f"{names.get(row.reference, row.reference)} ×1{at_full_speed(row)}" for row in known.values()}
    return listed_briefly(sorted(named))


def _by_entrant(contest: Contest, differences: Sequence[QualityDifference]) -> Iterator[tuple[str, QualityDifference]]:
    names = contest.entrants
    for row in differences:
        key = (row.problem, row.series, row.workers)
        if key in names:
            yield names[key], row
