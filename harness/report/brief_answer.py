"""The answer in ten seconds: one sentence on a pool, one line on each contest, what weakens it, and the conditions.

A factor is an estimate and called "about"; what is claimed is the order alone, by the contest's family of comparisons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import pandas as pd

from harness.analysis.attempts import has_outcome, with_retries
from harness.analysis.comparable import Pool
from harness.analysis.intervals import CONFIDENCE
from harness.analysis.targets import paired_ratio
from harness.plain_text import counted
from harness.report.headline import broken, differing
from harness.report.judged import JudgedContest
from harness.report.wording import (
    capitalized,
    count,
    listed,
    listed_briefly,
    percent,
    target_of,
    time_of,
    times_in_short,
)

SERIAL = "serial"
_MOST_NAMED = 3  # problems in a sentence; of more, how many
_MOST_CHOICES = 3  # entrants of a best group that are named
SURE = f"{percent(CONFIDENCE, 0)} sure of the order"


class AnswerKind(Enum):
    SOONEST = auto()  # one entrant is shown to be sooner than every other
    CHOICE = auto()  # some are shown to be slower, several are not
    OPEN = auto()  # none is shown to be slower
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

    @property
    def rank(self) -> int:
        """Among others on a page: what is claimed first, where nothing is compared last."""
        return _ORDER.index(self.kind)

    @property
    def is_comparison(self) -> bool:
        return self.kind is not AnswerKind.SINGLE


def brief_answer(judged: JudgedContest) -> BriefAnswer:
    kind = _kind(judged)
    return BriefAnswer(
        name=judged.contest.name,
        kind=kind,
        line=_LINES[kind](judged),
        cautions=tuple(filter(None, (differing(judged.contest), broken(judged.rows), _given_up(judged)))),
    )


def _given_up(judged: JudgedContest) -> str:
    """On entrants whose launches were given up so early that they may be sooner than the first."""
    if not judged.order:
        return ""
    first = judged.by_name[judged.order[0]]
    early = [
        f"{row.series} ({time_of(row)})"
        for row in judged.rows
        if row.at_least_s is not None and first.time_s is not None
        if row.at_least_s.estimate <= first.time_s.estimate
        if has_outcome(judged.launches_of(row.series)).sum() > row.num_reached
    ]
    return f"Given up too early to be called slower than {first.series}: {listed_briefly(early)}." if early else ""


def _kind(judged: JudgedContest) -> AnswerKind:
    if not judged.is_comparison:
        return AnswerKind.SINGLE
    if len(judged.order) < 2:
        return AnswerKind.ALONE if judged.order else AnswerKind.NONE
    if len(judged.best) == 1:
        return AnswerKind.SOONEST
    return AnswerKind.OPEN if len(judged.best) == len(judged.order) else AnswerKind.CHOICE


def _soonest(judged: JudgedContest) -> str:
    first, second = judged.order[:2]
    return f"{first}: {_sooner(judged)} than the next best, {second} ({SURE})."


def _choice(judged: JudgedContest) -> str:
    return capitalized(_choose(judged))


def _choose(judged: JudgedContest) -> str:
    num_slower = len(judged.order) - len(judged.best)
    others = "the other is" if num_slower == 1 else f"the other {num_slower} are"
    return f"choose {_either(judged)}: not told apart; {others} slower than the soonest ({SURE})."


def _open(judged: JudgedContest) -> str:
    return f"No winner is shown: {_came_first(judged)}."


def _came_first(judged: JudgedContest) -> str:
    num_others = len(judged.order) - 1
    others = "the other is not" if num_others == 1 else f"none of the other {num_others} is"
    return f"{judged.order[0]} came first, but {others} shown to be slower"


def _alone(judged: JudgedContest) -> str:
    return f"{judged.order[0]} is the only one of {len(judged.rows)} that reliably reached {target_of(judged.rows[0])}."


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
    AnswerKind.ALONE: _alone,
    AnswerKind.NONE: _none,
    AnswerKind.SINGLE: _single,
}


def recommendation(contests: Sequence[JudgedContest]) -> str:
    """One sentence on all contests in which something is compared; empty where nothing is."""
    asked = [judged for judged in contests if judged.is_comparison]
    if not asked:
        return ""
    if len(asked) == 1:
        return _on_one(asked[0])
    said = [*_winners(asked), *_choices(asked), *_without_winner(asked)]
    return f"{capitalized('; '.join(said))}."


def _on_one(judged: JudgedContest) -> str:
    kind, problem = _kind(judged), judged.contest.name
    if kind is AnswerKind.SOONEST:
        first, second = judged.order[:2]
        who = _with_workers(judged, first)
        return f"Use {who} for {problem}: {_sooner(judged)} than the next best, {second} ({SURE})."
    if kind is AnswerKind.CHOICE:
        return f"For {problem} {_choose(judged)}"
    if kind is AnswerKind.OPEN:
        return f"No winner is shown for {problem}: {_came_first(judged)}."
    return f"{capitalized(problem)}: {_LINES[kind](judged)}"


def _winners(asked: Sequence[JudgedContest]) -> Iterator[str]:
    """One part of the sentence for each entrant that wins some contests."""
    by_winner: dict[str, list[JudgedContest]] = {}
    for judged in _of_kind(AnswerKind.SOONEST, asked):
        by_winner.setdefault(_with_workers(judged, judged.order[0]), []).append(judged)
    for who, won in by_winner.items():
        factors, names = [_factor(judged) for judged in won], _names(won, asked)
        if len(names) > _MOST_NAMED:
            span = f"{times_in_short(min(factors))} to {times_in_short(max(factors))}"
            where = f"{len(names)} of {len(asked)} problems"
            yield f"use {who} for {where}: about {span} sooner than the next best ({SURE})"
        else:
            first, *others = (f"{times_in_short(factor)}" for factor in factors)
            also = [f"{other} for {name}" for other, name in zip(others, names[1:], strict=True)]
            yield f"use {who}: about {listed([f'{first} sooner than the next best for {names[0]}', *also])} ({SURE})"


def _choices(asked: Sequence[JudgedContest]) -> Iterator[str]:
    found = sorted(_of_kind(AnswerKind.CHOICE, asked), key=lambda judged: len(judged.best))
    said = [f"{_either(judged)} for {judged.contest.name}" for judged in found[:_MOST_NAMED]]
    if said:
        yield f"choose {listed(said)} ({SURE}: the others are slower)"
    if len(found) > _MOST_NAMED:
        yield f"for {len(found) - _MOST_NAMED} other problems choose among several"


def _without_winner(asked: Sequence[JudgedContest]) -> Iterator[str]:
    for kind, said in (
        (AnswerKind.OPEN, "no winner is shown"),
        (AnswerKind.ALONE, "a single strategy reliably reached the target"),
        (AnswerKind.NONE, "no strategy reliably reached the target"),
    ):
        names = _names(_of_kind(kind, asked), asked)
        if names:
            where = listed(names) if len(names) <= _MOST_NAMED else f"{len(names)} of {len(asked)} problems"
            yield f"{said} for {where}"


def _of_kind(kind: AnswerKind, asked: Sequence[JudgedContest]) -> list[JudgedContest]:
    return [judged for judged in asked if _kind(judged) is kind]


def _names(some: Sequence[JudgedContest], asked: Sequence[JudgedContest]) -> list[str]:
    """Of contests, the aim alone where that names no other: one of an aim won, another one open are two."""
    others = {judged.contest.aim for judged in asked if judged not in some}
    if len({judged.contest.aim for judged in some}) < len(some) and _kind(some[0]) is AnswerKind.SOONEST:
        return [judged.contest.name for judged in some]
    names = (judged.contest.name if judged.contest.aim in others else judged.contest.aim for judged in some)
    return list(dict.fromkeys(names))


def _either(judged: JudgedContest) -> str:
    """Those to choose among, or those not to choose, whichever are few."""
    best, slower = list(judged.best), [name for name in judged.order if name not in judged.best]
    if len(best) <= _MOST_CHOICES:
        return " or ".join(best)
    return f"any but {listed(slower)}" if len(slower) < len(best) else f"one of {listed_briefly(best, _MOST_CHOICES)}"


def _with_workers(judged: JudgedContest, entrant: str) -> str:
    first = judged.launches_of(entrant).iloc[0]
    if first["strategy"] == SERIAL:
        return "serial training"
    return f"{first['competitor']} with {count(int(first['workers']), 'worker')}"


def _factor(judged: JudgedContest) -> float:
    """Of the time of the next best over that of the soonest, paired by seed."""
    first, second = (with_retries(judged.launches_of(name)) for name in judged.order[:2])
    ratio = paired_ratio(second, first, "time_to_target_s").interval
    assert ratio is not None  # claims need seeds in common
    return ratio.estimate


def _sooner(judged: JudgedContest) -> str:
    return f"about {times_in_short(_factor(judged))} sooner"


def conditions(pool: Pool) -> str:
    """Under which the answer holds, for a line below it."""
    runs = pool.launches
    said = [
        _span(runs["workers"], "worker"),
        f"{_span(runs['threads'], 'thread')} each",
        _span(runs["hosts"], "host"),
        *_network(runs),
        f"{_span(runs.groupby(['problem', 'series', 'workers'])['seed'].nunique(), 'seed')} each",
        _rates(runs),
    ]
    return f"Holds for {', '.join(said)}."


def _rates(runs: pd.DataFrame) -> str:
    several = runs.groupby("problem")["learning_rate"].nunique().max() > 1
    how = "several of them for a problem" if several else "not tuned for each strategy"
    return f"rates as the suite sets them, {how}"


def _span(values: pd.Series[int], noun: str) -> str:
    low, high = int(values.min()), int(values.max())
    return counted(low, noun) if low == high else f"{low} to {counted(high, noun)}"


def _network(runs: pd.DataFrame) -> Iterator[str]:
    controllers = sorted(runs["controller"].dropna().unique())
    if controllers:
        yield f"Horovod over {listed([str(name) for name in controllers])}"
