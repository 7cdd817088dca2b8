"""The sentence on a pool: what to use on all its problems, and under which conditions that holds.

There are two such sentences where its problems were solved with tuned settings and with the recipe's.

Made of what is said of each contest (brief_answer.py), so that the two never disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from harness.analysis.comparable import Pool
from harness.analysis.tuned import RECIPE
from harness.plain_text import counted
from harness.report.brief_answer import (
    LINES,
    SURE,
    AnswerKind,
    but,
    came_first,
    choose,
    either,
    factor_of,
    kind_of,
    sooner,
)
from harness.report.judged import JudgedContest
from harness.report.matrix import AcrossProblems
from harness.report.tuning_words import how_tuned
from harness.report.wording import capitalized, count, listed, listed_briefly, times_in_short

SERIAL = "serial"
_MOST_NAMED = 3  # problems in a sentence; of more, how many


def recommendations(contests: Sequence[JudgedContest], across: Sequence[AcrossProblems]) -> list[str]:
    """A sentence for each way of tuning on all contests in which something is compared; empty where nothing is.

    The best that was tuned comes before the best without tuning.
    """
    asked = [judged for judged in contests if judged.is_comparison]
    ways = sorted({judged.contest.tuning for judged in asked}, key=lambda tuning: (tuning == RECIPE, tuning))
    return [_on_way(tuning, [each for each in asked if each.contest.tuning == tuning], across) for tuning in ways]


def _on_way(tuning: str, asked: Sequence[JudgedContest], across: Sequence[AcrossProblems]) -> str:
    """`Tuned in 20 trials each: use ...`, of what was tuned in this way."""
    said = _on_one(asked[0]) if len(asked) == 1 else f"{'; '.join(_on_several(asked, across))}."
    return f"{capitalized(how_tuned(tuning))}: {said}"


def _on_several(asked: Sequence[JudgedContest], across: Sequence[AcrossProblems]) -> Iterator[str]:
    yield from (*_winners(asked), *_choices(asked), *_without_winner(asked), *_came_before(asked))
    if asked[0].contest.tuning == RECIPE:
        yield from _over_all(asked, [each for each in across if each.tuning == RECIPE])


def _over_all(asked: Sequence[JudgedContest], across: Sequence[AcrossProblems]) -> Iterator[str]:
    """Which strategy does best with one choice of its options for all problems of a place; an estimate, no claim.

    A problem that was not asked in a place (a framework, say) is none of its problems: the others are named then.
    """
    all_aims = {judged.contest.aim for judged in asked}
    for each in across:
        if each.first is None:
            continue
        strategy, score = each.first
        where = f" ({each.place})" if each.place else ""
        times = times_in_short(score.estimate)
        how_far = "first in each" if each.is_first_in_each(strategy) else f"about {times} the soonest of each"
        aims = [judged.contest.aim for judged in each.contests]
        problems = "all problems" if set(aims) == all_aims else listed_briefly(aims, _MOST_NAMED)
        yield f"one for {problems}{where}: {strategy}, {how_far}"


def _on_one(judged: JudgedContest) -> str:
    kind, problem = kind_of(judged), judged.contest.topic
    if kind is AnswerKind.SOONEST:
        first, second = judged.ranked[:2]
        who = _with_workers(judged, first)
        return f"use {who} for {problem}: {sooner(judged)} than the next best, {second} ({SURE}){but(judged)}."
    if kind is AnswerKind.CHOICE:
        return f"for {problem} {choose(judged)}"
    if kind is AnswerKind.OPEN:
        return f"no winner is shown for {problem}: {came_first(judged)}."
    return f"{problem}: {LINES[kind](judged)}"


def _winners(asked: Sequence[JudgedContest]) -> Iterator[str]:
    """One part of the sentence for each entrant that wins some contests."""
    by_winner: dict[str, list[JudgedContest]] = {}
    for judged in _of_kind(AnswerKind.SOONEST, asked):
        by_winner.setdefault(_with_workers(judged, judged.first), []).append(judged)
    for who, won in by_winner.items():
        factors, names = [factor_of(judged) for judged in won], _names(won, asked)
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
    said = [f"{either(judged)} for {judged.contest.topic}" for judged in found[:_MOST_NAMED]]
    if said:
        yield f"choose {listed(said)} ({SURE}: the others are slower)"
    if len(found) > _MOST_NAMED:
        yield f"for {len(found) - _MOST_NAMED} other problems choose among several"


def _without_winner(asked: Sequence[JudgedContest]) -> Iterator[str]:
    for kind, said in (
        (AnswerKind.OPEN, "no winner is shown"),
        (AnswerKind.TOO_FEW, "there are too few seeds to tell"),
        (AnswerKind.ALONE, "a single strategy reliably reached the target"),
        (AnswerKind.NONE, "no strategy reliably reached the target"),
    ):
        names = _names(_of_kind(kind, asked), asked)
        if names:
            where = listed(names) if len(names) <= _MOST_NAMED else f"{len(names)} of {len(asked)} problems"
            yield f"{said} for {where}"


def _came_before(asked: Sequence[JudgedContest]) -> Iterator[str]:
    """Which of these answers somebody with too few seeds may yet change."""
    unsure = [judged.contest.topic for judged in asked if but(judged)]
    if unsure:
        yield f"on {listed_briefly(unsure, _MOST_NAMED)} one with too few seeds to tell came before"


def _of_kind(kind: AnswerKind, asked: Sequence[JudgedContest]) -> list[JudgedContest]:
    return [judged for judged in asked if kind_of(judged) is kind]


def _names(some: Sequence[JudgedContest], asked: Sequence[JudgedContest]) -> list[str]:
    """Of contests, the aim alone where that names no other: one of an aim won, another one open are two."""
    others = {judged.contest.aim for judged in asked if judged not in some}
    if len({judged.contest.aim for judged in some}) < len(some) and kind_of(some[0]) is AnswerKind.SOONEST:
        return [judged.contest.topic for judged in some]
    names = (judged.contest.topic if judged.contest.aim in others else judged.contest.aim for judged in some)
    return list(dict.fromkeys(names))


def _with_workers(judged: JudgedContest, entrant: str) -> str:
    first = judged.launches_of(entrant).iloc[0]
    if first["strategy"] == SERIAL:
        return "serial training"
    return f"{first['competitor']} with {count(int(first['workers']), 'worker')}"


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
    ways = [how_tuned(tuning) for tuning in sorted(runs["tuning"].unique(), reverse=True)]
    if len(ways) > 1:
        return f"{' or '.join(ways)}, as each answer says"
    if runs["tuning"].iloc[0] != RECIPE:
        return ways[0]
    several = runs.groupby("problem")["learning_rate"].nunique().max() > 1
    how = "several of them for a problem" if several else "not tuned for each strategy"
    return f"recipe: rates as the suite sets them, {how}"


def _span(values: pd.Series[int], noun: str) -> str:
    low, high = int(values.min()), int(values.max())
    return counted(low, noun) if low == high else f"{low} to {counted(high, noun)}"


def _network(runs: pd.DataFrame) -> Iterator[str]:
    controllers = sorted(runs["controller"].dropna().unique())
    if controllers:
        yield f"Horovod over {listed([str(name) for name in controllers])}"
