"""The answer in ten seconds: one line on each contest, and what weakens it.

A factor is an estimate and called "about"; what is claimed is the order alone, by the contest's family of comparisons.
How sure that is stands once, in the sentence on all contests (recommendation.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from harness.analysis.attempts import has_outcome
from harness.report.headline import broken, differing, served, too_few
from harness.report.judged import JudgedContest
from harness.report.wording import (
    listed,
    listed_briefly,
    missed_in_words,
    target_of,
    time_of,
    times_in_short,
)

_MOST_CHOICES = 3  # entrants that are named


class AnswerKind(Enum):
    SOONEST = auto()  # one entrant is shown to be sooner than every other
    CHOICE = auto()  # some are shown to be slower, several are not
    OPEN = auto()  # none is shown to be slower
    TOO_FEW = auto()  # several reliably reached the target, with too few seeds to tell them apart
    ALONE = auto()  # one of several entrants reliably reached the target
    NONE = auto()  # no entrant did
    SINGLE = auto()  # one entrant, who is compared with none


_ORDER = list(AnswerKind)


@dataclass(frozen=True, kw_only=True)
class BriefAnswer:
    """On one contest."""

    name: str  # the contest's
    kind: AnswerKind
    line: str  # without the contest's name
    cautions: tuple[str, ...]  # what weakens it
    on_bars: str  # what a reader of the picture may not see why it is so

    @property
    def rank(self) -> int:
        """Among others on a page: what is claimed first, where nothing is compared last."""
        return _ORDER.index(self.kind)

    @property
    def is_comparison(self) -> bool:
        return self.kind is not AnswerKind.SINGLE


def brief_answer(judged: JudgedContest, *, tells_settings: bool = True) -> BriefAnswer:
    """tells_settings: whether it is cautioned by those in which entrants differ, which are said nowhere else."""
    kind, contest = kind_of(judged), judged.contest
    cautions = (  # a page unfolds the first: what may undo the answer, what went wrong, then what else differs
        _given_up(judged),
        broken(judged.rows),
        too_few(judged),
        differing([contest]) if tells_settings else "",
        served(contest),
    )
    return BriefAnswer(
        name=contest.name,
        kind=kind,
        line=_LINES[kind](judged),
        cautions=tuple(filter(None, cautions)),
        on_bars=_on_bars(judged),
    )


def _given_up(judged: JudgedContest) -> str:
    """On entrants whose launches were given up so early that they may be sooner than the first."""
    if not judged.order:
        return ""
    first = judged.by_name[judged.first]
    early = [
        f"{row.series} ({time_of(row)})"
        for row in judged.rows
        if row.at_least_s is not None and first.time_s is not None
        if row.at_least_s.estimate <= first.time_s.estimate
        if has_outcome(judged.launches_of(row.series)).sum() > row.num_reached
    ]
    return f"Given up too early to be called slower than {first.series}: {listed_briefly(early)}." if early else ""


def _on_bars(judged: JudgedContest) -> str:
    """Why some that are shaded are not shown to be slower, though their bars begin where that of the first has ended;
    empty where no such bar is drawn."""
    if not judged.is_comparison or len(judged.best) < 2:
        return ""
    first, *others = (judged.by_name[name] for name in judged.best)
    apart = [row.series for row in others if row.time_s and first.time_s and row.time_s.low > first.time_s.high]
    if not apart:
        return ""
    return (
        f"Not shown to be slower, though the bars do not overlap: {listed_briefly(apart)}. A bar is of each alone; an "
        "order is claimed by ratios paired by seed, with all claims of the page together."
    )


def kind_of(judged: JudgedContest) -> AnswerKind:
    if not judged.is_comparison:
        return AnswerKind.SINGLE
    if len(judged.order) < 2:
        return AnswerKind.ALONE if judged.order else AnswerKind.NONE
    if not judged.ranked:
        return AnswerKind.TOO_FEW
    if len(judged.best) == 1:
        return AnswerKind.SOONEST
    return AnswerKind.OPEN if len(judged.best) == len(judged.ranked) else AnswerKind.CHOICE


def _soonest(judged: JudgedContest) -> str:
    first, second = judged.ranked[:2]
    sooner = f"about {times_in_short(judged.times_as_long(second))} sooner"
    return f"{first}: {sooner} than the next best, {second}{but(judged)}."


def _choice(judged: JudgedContest) -> str:
    num_slower = len(judged.ranked) - len(judged.best)
    others = "the other is" if num_slower == 1 else f"the other {num_slower} are"
    told = f"not told apart; {others} slower than the soonest"
    return f"Choose {either(judged)}: {told}{but(judged)}{_left_out(judged)}."


def _open(judged: JudgedContest) -> str:
    num_others = len(judged.ranked) - 1
    others = "the other is not" if num_others == 1 else f"none of the other {num_others} is"
    said = f"{judged.first} came first, but {others} shown to be slower"
    return f"No winner is shown: {said}{but(judged)}{_left_out(judged)}."


def _left_out(judged: JudgedContest) -> str:
    """On those that are told apart from nobody, since they did not reliably reach the target; empty where all did."""
    if len(judged.missed) == 1:
        return f"; {judged.missed[0].series} {missed_in_words(judged.missed[0])}"
    names = [row.series for row in judged.missed]
    return f"; {listed_briefly(names, _MOST_CHOICES)} did not reliably reach the target" if names else ""


def but(judged: JudgedContest) -> str:
    """On those that came before the first of those that are ranked; empty where there are none."""
    ahead = [name for name in judged.too_few if judged.order.index(name) < judged.order.index(judged.first)]
    came = "came before, with" if len(ahead) == 1 else "came before, each with"
    return f"; {listed_briefly(ahead)} {came} too few seeds to tell" if ahead else ""


def _too_few(judged: JudgedContest) -> str:
    return f"Too few seeds to tell: {judged.first} came first of {len(judged.order)}."


def _alone(judged: JudgedContest) -> str:
    only, target = f"{judged.order[0]} is the only one of {len(judged.rows)}", target_of(judged.rows[0])
    if judged.too_few:
        return f"{only} that reached {target}, with too few seeds to tell."
    return f"{only} that reliably reached {target}."


def _single(judged: JudgedContest) -> str:
    only = judged.rows[0]
    said = "reaches" if judged.order else "does not reliably reach"
    return f"{only.series} {said} {target_of(only)}; there is nothing to compare it with."


def _none(judged: JudgedContest) -> str:
    return f"No strategy reliably reached {target_of(judged.rows[0])}."


_LINES = {
    AnswerKind.SOONEST: _soonest,
    AnswerKind.CHOICE: _choice,
    AnswerKind.OPEN: _open,
    AnswerKind.TOO_FEW: _too_few,
    AnswerKind.ALONE: _alone,
    AnswerKind.NONE: _none,
    AnswerKind.SINGLE: _single,
}


def either(judged: JudgedContest) -> str:
    """Those to choose among, or those not to choose, whichever are few."""
    best, slower = list(judged.best), [name for name in judged.ranked if name not in judged.best]
    if len(best) <= _MOST_CHOICES:
        return " or ".join(best)
    return f"any but {listed(slower)}" if len(slower) < len(best) else f"one of {listed_briefly(best, _MOST_CHOICES)}"
