"""Strategies by problems: who is soonest on each, who is not shown to be slower, and one score across them.

A strategy stands for itself with its options, without them where they were tuned to each problem; on each problem with
the number of workers and the settings with which it is soonest there. Who was tried with more of these comes out sooner
by chance, so a score is made of times that did not choose (`chosen_by_other_seeds`); what is claimed counts every try
as an entrant anyway.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from harness.analysis.across import chosen_by_other_seeds, score_across
from harness.analysis.attempts import with_retries
from harness.analysis.contests import PLACE, place_in_words
from harness.analysis.intervals import Interval
from harness.report.judged import JudgedContest
from harness.report.table_cells import Row, Table, TableCell, interval_cell, intervals_of, text, value
from harness.report.wording import count, listed, number

TUNING = "tuning"  # of PLACE
SCORE, TRIED = "across, × the soonest", "tried"
_MARKS = {"best": "★ ", "tied": "≈ ", "few": "? ", "": ""}


@dataclass(frozen=True, kw_only=True)
class Best:
    """A strategy on one problem: those of its entrants that always reached the target, the soonest first."""

    entrants: tuple[str, ...]
    mark: str  # best, tied, few (seeds: not told apart) or nothing
    said: str  # where there is no entrant


@dataclass(frozen=True, kw_only=True)
class AcrossProblems:
    """The strategies of contests that differ in their problems alone."""

    place: str  # framework, kind of worker and resources, as far as they tell it from other contests
    told_tuning: str  # likewise, in which way settings came about
    contests: tuple[JudgedContest, ...]
    order: tuple[str, ...]  # strategies, the best first
    found: Mapping[str, Sequence[Best]]  # what each came to on each problem
    scores: Mapping[str, Interval | None]

    @property
    def first(self) -> tuple[str, Interval] | None:
        """The best with enough seeds on every problem, and its score; None where nobody has both."""
        for strategy in self.order:
            score = self.scores[strategy]
            if score is not None and all(best.mark != "few" for best in self.found[strategy]):
                return strategy, score
        return None

    def is_first_in_each(self, strategy: str) -> bool:
        return all(best.mark == "best" for best in self.found[strategy])

    @property
    def tuning(self) -> str:
        return self.contests[0].contest.tuning


def across_problems(contests: Sequence[JudgedContest]) -> list[AcrossProblems]:
    """One for each place with several problems."""
    by_place: dict[tuple[object, ...], list[JudgedContest]] = {}
    for judged in contests:
        if judged.is_comparison:
            by_place.setdefault(judged.contest.place, []).append(judged)
    return [_compared(place, same, by_place) for place, same in by_place.items() if len(same) > 1]


def matrices(
    across: Sequence[AcrossProblems],
    asked: Sequence[JudgedContest],
    aims: Iterable[str],
    anchors: Mapping[str, str],
    prefix: str,
) -> Iterator[Table]:
    """asked: all contests. aims: all that there are, with a contest or without. anchors: by names of contests."""
    for position, each in enumerate(across):
        name = f"{prefix}matrix-{position}" if position else f"{prefix}matrix"
        yield replace(_matrix(each, anchors, name), note=_left_out(each, asked, aims))


def _compared(
    place: tuple[object, ...], contests: Sequence[JudgedContest], places: Collection[tuple[object, ...]]
) -> AcrossProblems:
    """places: of all contests."""
    strategies = sorted({name for judged in contests for name in judged.contest.launches["variant"]})
    found = {strategy: [_best(judged, strategy) for judged in contests] for strategy in strategies}
    scores = {strategy: _score(contests, each) for strategy, each in found.items()}
    order = sorted(strategies, key=lambda strategy: (_rank(scores[strategy], found[strategy]), strategy))
    return AcrossProblems(
        place=place_in_words(place, places, *(column for column in PLACE if column != TUNING)),
        told_tuning=place_in_words(place, places, TUNING),
        contests=tuple(contests),
        order=tuple(order),
        found=found,
        scores=scores,
    )


def _matrix(across: AcrossProblems, anchors: Mapping[str, str], name: str) -> Table:
    contests = across.contests
    headings = [f"{judged.contest.aim} (s)" for judged in contests]
    rows = tuple(
        _row(strategy, contests, across.found[strategy], across.scores[strategy], headings) for strategy in across.order
    )
    return Table(
        name=name,
        title=", ".join(filter(None, ["Strategies by problems", across.place, across.told_tuning])),
        caption="Each strategy's shortest time to target, with its number of workers. ★ first, ≈ not shown to be "
        "slower than the first, ? too few seeds to tell, as on the leaderboards, where the arrows lead. Tried: with "
        "how many workers or settings, over all problems; the shortest of many is shorter by chance. Across: the "
        "geometric mean over all of these problems of its time over that of the first, with its "
        f"{intervals_of(rows)} over seeds. Each seed counts with the setting that is soonest over the other seeds, so "
        "many tries win nothing. It holds for these problems, which are no sample of others.",
        rows=rows,
        links={heading: anchors[judged.contest.name] for heading, judged in zip(headings, contests, strict=True)},
    )


def _left_out(across: AcrossProblems, asked: Sequence[JudgedContest], aims: Iterable[str]) -> str:
    """A sentence on the problems without a column; empty where all have one."""
    shown = {judged.contest.aim for judged in across.contests}
    missing = {aim: [judged for judged in asked if judged.contest.aim == aim] for aim in aims if aim not in shown}
    places = {judged.contest.place for judged in asked}
    said = [f"{aim} ({_why_left_out(contests, places)})" for aim, contests in sorted(missing.items())]
    return f"Without a column: {listed(said)}." if said else ""


def _why_left_out(contests: Sequence[JudgedContest], places: Collection[tuple[object, ...]]) -> str:
    """Of one problem, whose contests these are. places: of all."""
    if not contests:
        return "no launch looks for a target"  # has none, or is not evaluated
    compared = [judged for judged in contests if judged.is_comparison]
    if not compared:
        return "there is nothing to compare"
    found = sorted({place_in_words(judged.contest.place, places) for judged in compared} - {""})
    return f"compared apart, in {listed(found)}" if found else "compared apart"


def _best(judged: JudgedContest, strategy: str) -> Best:
    launches = judged.contest.launches
    mine = set(launches.loc[launches["variant"] == strategy, "entrant"])
    always = [name for name in judged.ranked if name in mine] or [name for name in judged.too_few if name in mine]
    if not always:
        shares = [judged.by_name[name] for name in mine]
        num_reached, num_launches = (
            sum(getattr(row, what) for row in shares) for what in ("num_reached", "num_launches")
        )
        said = f"{num_reached} of {count(num_launches, 'launch', 'launches')}" if shares else "–"
        return Best(entrants=(), mark="", said=said)
    return Best(entrants=tuple(always), mark=_mark(judged, always), said="")


def _mark(judged: JudgedContest, entrants: Sequence[str]) -> str:
    """Of a strategy whose entrants these are, the soonest first."""
    if entrants[0] in judged.too_few:
        return "few"
    return "best" if entrants[0] == judged.first else "tied" if set(entrants) & set(judged.best) else ""


def _score(contests: Sequence[JudgedContest], bests: Sequence[Best]) -> Interval | None:
    """None where some problem was not always solved, or problems have no seed in common."""
    pairs = []
    for judged, best in zip(contests, bests, strict=True):
        if not best.entrants:
            return None
        soonest = with_retries(judged.launches_of(judged.first))
        pairs.append((_by_other_seeds(judged, best, soonest), soonest))
    score = score_across(pairs)
    return score if math.isfinite(score.estimate) else None


def _by_other_seeds(judged: JudgedContest, best: Best, soonest: pd.DataFrame) -> pd.DataFrame:
    """For each seed, the launches of the entrant that the other seeds choose; the soonest itself where it always is."""
    timed = {name: with_retries(judged.launches_of(name)) for name in best.entrants}
    chosen = chosen_by_other_seeds(timed)
    if set(chosen.values()) == {judged.first}:
        return soonest
    return pd.concat([timed[name][timed[name]["seed"] == seed] for seed, name in chosen.items()])


def _rank(score: Interval | None, bests: Sequence[Best]) -> tuple[float, int]:
    """Those with a score by it, then by how many problems they always solved."""
    return (score.estimate if score else math.inf), sum(not best.entrants for best in bests)


def _row(
    strategy: str, contests: Sequence[JudgedContest], bests: Sequence[Best], score: Interval | None, headings: list[str]
) -> Row:
    cells = {heading: _cell(judged, best) for heading, judged, best in zip(headings, contests, bests, strict=True)}
    tried = sum(
        int(judged.contest.launches.loc[judged.contest.launches["variant"] == strategy, "entrant"].nunique())
        for judged in contests
    )
    return {"strategy": text(strategy), **cells, TRIED: value(tried, str(tried)), SCORE: interval_cell(score)}


def _cell(judged: JudgedContest, best: Best) -> TableCell:
    if not best.entrants:
        return TableCell(text=best.said, sort_by="", is_number=True)
    shortest = best.entrants[0]
    time_s = judged.by_name[shortest].time_s
    assert time_s is not None
    workers = int(judged.launches_of(shortest)["workers"].iloc[0])
    shown = f"{_MARKS[best.mark]}{number(time_s.estimate)} ×{workers}"
    return replace(value(time_s.estimate, shown), mark=best.mark)
