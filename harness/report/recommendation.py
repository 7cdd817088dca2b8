"""The answer on a pool: what to use on all its problems, and what stands beside that.

There are two such answers where its problems were solved with tuned settings and with the recipe's.

Made of what is said of each contest (brief_answer.py), so that the two never disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.analysis.intervals import CONFIDENCE, Interval
from harness.analysis.tuned import RECIPE
from harness.report.brief_answer import AnswerKind, but, either, kind_of
from harness.report.judged import JudgedContest
from harness.report.matrix import AcrossProblems
from harness.report.tuning_words import how_tuned
from harness.report.wording import (
    capitalized,
    count,
    listed,
    listed_briefly,
    missed_in_words,
    number,
    percent,
    times_in_short,
)

SERIAL = "serial"
_SURE = f"{percent(CONFIDENCE, 0)} sure of the order"
_MOST_NAMED = 3  # problems in a sentence; of more, how many


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """What to use, of what was tuned in one way."""

    sentence: str  # which says in which way
    beside: tuple[str, ...]  # sentences on its risk, on problems that it leaves open, and on one for all problems


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Of a sentence, on problems with answers of one kind."""

    words: str
    sure: str = ""  # how sure that is, where it is a claim


def recommendations(contests: Sequence[JudgedContest], across: Sequence[AcrossProblems]) -> list[Recommendation]:
    """One for each way of tuning on all contests in which something is compared; empty where nothing is.

    The best that was tuned comes before the best without tuning; where there are both, each opens with its way.
    """
    found = {judged.contest.tuning for judged in contests if judged.is_comparison}
    ways = sorted(found, key=lambda tuning: (tuning == RECIPE, tuning))
    return [
        _on_way(tuning, [each for each in contests if each.contest.tuning == tuning], across, opens=len(ways) > 1)
        for tuning in ways
    ]


def _on_way(
    tuning: str, contests: Sequence[JudgedContest], across: Sequence[AcrossProblems], *, opens: bool
) -> Recommendation:
    """`Use ... (95 % sure of the order; recipe, not tuned).`

    contests: those of this way, with those in which nothing is compared. opens: whether the sentence begins with the
    way, `Recipe, not tuned: use ...`, to be told from others.
    """
    asked, how = [judged for judged in contests if judged.is_comparison], how_tuned(tuning)
    first, *others = _parts(asked)
    sentence = f"{how}: {_said(first)}" if opens else _said(first, how)
    beside = [*_risks(asked, contests)]
    if others:
        beside.append("; ".join(map(_said, others)))
    if tuning == RECIPE:
        beside += _over_all(asked, [each for each in across if each.tuning == RECIPE])
    return Recommendation(sentence=_as_sentence(sentence), beside=tuple(map(_as_sentence, beside)))


def _said(part: _Part, *more: str) -> str:
    in_brackets = "; ".join(filter(None, [part.sure, *more]))
    return f"{part.words} ({in_brackets})" if in_brackets else part.words


def _as_sentence(words: str) -> str:
    return f"{capitalized(words)}."


def _parts(asked: Sequence[JudgedContest]) -> Iterator[_Part]:
    """The first is what is recommended, or why nothing is."""
    yield from (*_winners(asked), *_choices(asked), *_alone(asked), *_without_winner(asked), *_came_before(asked))


def _winners(asked: Sequence[JudgedContest]) -> Iterator[_Part]:
    """`use hogwild with 2 workers for fnn and rnn: about 1.5× and 1.2× sooner than the next best, serial training`."""
    by_winner: dict[str, list[JudgedContest]] = {}
    for judged in _of_kind(AnswerKind.SOONEST, asked):
        by_winner.setdefault(_with_workers(judged, judged.first), []).append(judged)
    if not by_winner:
        return
    said = [f"{who} for {_where(won, asked)}" for who, won in by_winner.items()]
    if len(said) > _MOST_NAMED:
        num_others = sum(map(len, list(by_winner.values())[_MOST_NAMED:]))
        said[_MOST_NAMED:] = [f"others for {num_others} more"]
    won = [judged for each in by_winner.values() for judged in each]
    yield _Part(words=f"use {', and '.join(said)}: about {_how_much(won)} sooner than {_next_best(won)}", sure=_SURE)


def _how_much(won: Sequence[JudgedContest]) -> str:
    """`1.5× and 1.2×`, in order of the problems; of many from the least to the most."""
    factors = [judged.times_as_long(judged.ranked[1]) for judged in won]
    said = list(map(times_in_short, factors))
    if len(set(said)) == 1:
        return said[0]
    if len(said) > _MOST_NAMED:
        return f"{times_in_short(min(factors))} to {times_in_short(max(factors))}"
    return listed(said)


def _next_best(won: Sequence[JudgedContest]) -> str:
    """Named where it is the same on all of these problems."""
    names = {_second(judged) for judged in won}
    return f"the next best, {names.pop()}" if len(names) == 1 else "the next best of each"


def _second(judged: JudgedContest) -> str:
    """With its workers where it is what the winner is with others."""
    first, second = (str(judged.launches_of(entrant)["competitor"].iloc[0]) for entrant in judged.ranked[:2])
    return _with_workers(judged, judged.ranked[1]) if second in (first, SERIAL) else second


def _choices(asked: Sequence[JudgedContest]) -> Iterator[_Part]:
    found = sorted(_of_kind(AnswerKind.CHOICE, asked), key=lambda judged: len(judged.best))
    said = [f"{either(judged)} for {judged.contest.topic}" for judged in found[:_MOST_NAMED]]
    if len(found) > _MOST_NAMED:
        said.append(f"among several for {len(found) - _MOST_NAMED} other problems")
    if said:
        num_slower = sum(len(judged.ranked) - len(judged.best) for judged in found)
        slower = "the other is slower" if num_slower == 1 else "the others are slower"
        yield _Part(words=f"choose {listed(said)}", sure=f"{_SURE}: {slower}")


def _alone(asked: Sequence[JudgedContest]) -> Iterator[_Part]:
    """Of a few seeds nothing is reliable."""
    every = _of_kind(AnswerKind.ALONE, asked)
    for found, reached, unsure in (
        ([judged for judged in every if not judged.too_few], "reliably reached the target", ""),
        ([judged for judged in every if judged.too_few], "reached the target", ", with too few seeds to tell"),
    ):
        if len(found) > _MOST_NAMED:
            yield _Part(words=f"a single one {reached} for {_where(found, asked)}{unsure}")
            continue
        for judged in found:
            who = _with_workers(judged, judged.order[0])
            yield _Part(words=f"only {who} {reached} for {_where([judged], asked)}{unsure}")


def _without_winner(asked: Sequence[JudgedContest]) -> Iterator[_Part]:
    for kind, said in (
        (AnswerKind.OPEN, "no winner is shown"),
        (AnswerKind.TOO_FEW, "there are too few seeds to tell who is soonest"),
        (AnswerKind.NONE, "no strategy reliably reached the target"),
    ):
        if found := _of_kind(kind, asked):
            yield _Part(words=f"{said} for {_where(found, asked)}")


def _came_before(asked: Sequence[JudgedContest]) -> Iterator[_Part]:
    """Which of these answers somebody with too few seeds may yet change."""
    unsure = [judged.contest.topic for judged in asked if but(judged)]
    if unsure:
        yield _Part(words=f"on {listed_briefly(unsure, _MOST_NAMED)} one with too few seeds to tell came before")


def _risks(asked: Sequence[JudgedContest], contests: Sequence[JudgedContest]) -> Iterator[str]:
    """Where some that are recommended for one problem missed the target of another, or did not finish."""
    recommended = {_on_any_problem(judged, entrant) for judged in asked for entrant in _recommended(judged)}
    missed = [
        f"{_with_workers(judged, row.series)} {missed_in_words(row, of=f' of {_where([judged], asked)}')}"
        for judged in contests
        for row in judged.rows
        if row.num_reached < row.num_launches and row.series not in _recommended(judged)
        if _on_any_problem(judged, row.series) in recommended
    ]
    if len(missed) > _MOST_NAMED:
        missed[_MOST_NAMED:] = [f"likewise for {len(missed) - _MOST_NAMED} more"]
    if missed:
        yield f"but {'; '.join(missed)}"


def _recommended(judged: JudgedContest) -> tuple[str, ...]:
    return judged.best if kind_of(judged) in (AnswerKind.SOONEST, AnswerKind.CHOICE) else ()


def _on_any_problem(judged: JudgedContest, entrant: str) -> tuple[str, int]:
    """What an entrant is in contests of other problems, too."""
    first = judged.launches_of(entrant).iloc[0]
    return str(first["variant"]), int(first["workers"])


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
        aims = [judged.contest.aim for judged in each.contests]
        problems = "all problems" if set(aims) == all_aims else listed_briefly(aims, _MOST_NAMED)
        how_far = "came first in each" if each.is_first_in_each(strategy) else f"takes {_on_average(score)}"
        yield f"as one for {problems}{where}, {_over_problems(each, strategy)} {how_far}"


def _on_average(score: Interval) -> str:
    """`about 1.2× as long as the soonest of each, on average (95 % interval 1.05 to 1.36)`."""
    bounds = f"{percent(CONFIDENCE, 0)} interval {number(score.low)} to {number(score.high)}"
    sure = f" ({bounds})" if score.is_known else ""
    return f"about {times_in_short(score.estimate)} as long as the soonest of each, on average{sure}"


def _over_problems(across: AcrossProblems, strategy: str) -> str:
    """With its number of workers where that is the same on all problems."""
    soonest = zip(across.contests, across.found[strategy], strict=True)
    names = {_with_workers(judged, best.entrants[0]) for judged, best in soonest}
    return names.pop() if len(names) == 1 else strategy


def _of_kind(kind: AnswerKind, asked: Sequence[JudgedContest]) -> list[JudgedContest]:
    return [judged for judged in asked if kind_of(judged) is kind]


def _where(some: Sequence[JudgedContest], asked: Sequence[JudgedContest]) -> str:
    names = _names(some, asked)
    return listed(names) if len(names) <= _MOST_NAMED else f"{len(names)} of {len(asked)} problems"


def _names(some: Sequence[JudgedContest], asked: Sequence[JudgedContest]) -> list[str]:
    """Of contests, the aim alone where that names no other: one of an aim won, another one open are two."""
    others = {judged.contest.aim for judged in asked if judged not in some}
    if len({judged.contest.aim for judged in some}) < len(some) and kind_of(some[0]) is AnswerKind.SOONEST:
        return [judged.contest.topic for judged in some]
    names = (judged.contest.topic if judged.contest.aim in others else judged.contest.aim for judged in some)
    return list(dict.fromkeys(names))


def _with_workers(judged: JudgedContest, entrant: str) -> str:
    first = judged.launches_of(entrant).iloc[0]
    if first["competitor"] == SERIAL:
        return "serial training"
    return f"{first['competitor']} with {count(int(first['workers']), 'worker')}"
