"""What changed since an earlier report: answers, times with their ratios, what is new and what is gone.

Only what was measured on the same machine, in the same way, with the same versions and settings has its times compared;
what forbids it is named. Entrants are found again by what they are (`group`, the hash of their cell without its seed),
whatever they are called beside others.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.analysis.attempts import with_retries
from harness.analysis.comparable import Pool, pools, what_keeps_apart
from harness.analysis.earlier import Change, changes, earlier_runs
from harness.analysis.intervals import Interval
from harness.analysis.targets import Reaching, paired_ratio
from harness.plain_text import one_line
from harness.report.brief_answer import brief_answer
from harness.report.judged import JudgedContest, judged_contests
from harness.report.table_cells import Row, Table, TableCell, interval_cell, intervals_of, text
from harness.report.tables import time_cell
from harness.report.wording import count, listed_briefly, times_of


@dataclass(frozen=True, kw_only=True)
class WhatChanged:
    """Since when, in sentences, and every entrant in a table."""

    since: str
    sentences: tuple[str, ...]
    table: Table


@dataclass(frozen=True, kw_only=True)
class _Entrant:
    """One of a contest."""

    contest: str
    name: str
    reaching: Reaching
    launches: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """All pools of before, each with its contests."""

    since: str  # what they are called
    pools: tuple[tuple[Pool, tuple[JudgedContest, ...]], ...]

    @classmethod
    def of(cls, folder: Path) -> Earlier:
        """Of an earlier report, or of a results folder. Raises ResultsError where there is no launch."""
        parts = pools(earlier_runs(folder))
        return cls(since=one_line(folder.resolve().name), pools=tuple(zip(parts, judged_contests(parts), strict=True)))

    def what_changed(self, now: Sequence[JudgedContest], pool: Pool, prefix: str) -> WhatChanged:
        """now: the contests of the pool."""
        before, reasons = _counterpart(pool, self.pools)
        sentences, rows = _compared(now, before, reasons, pool.num_pools)
        return WhatChanged(since=self.since, sentences=tuple(sentences), table=_table(rows, prefix))


def _compared(
    now: Sequence[JudgedContest], before: Sequence[JudgedContest], reasons: Sequence[str], num_pools: int
) -> tuple[list[str], tuple[Row, ...]]:
    """reasons: what forbids to compare times."""
    ours, theirs = _entrants(now), _entrants(before)
    both = {} if reasons else {key: _ratio(ours[key], theirs[key]) for key in ours.keys() & theirs.keys()}
    found = changes({key: ratio for key, ratio in both.items() if ratio}, num_pools=num_pools)
    rows = tuple(_row(key, ours.get(key), theirs.get(key), found.get(key)) for key in _order(ours, theirs, found))
    said = [
        *(f"Times are not compared: {reason}." for reason in reasons),
        *_answers(now, before),
        *_times(ours, found),
        *_crashes(ours, theirs),
        *_launched_again(ours, both),
        *_come_and_gone(ours, theirs),
    ]
    return said, rows


def _counterpart(
    pool: Pool, earlier: Sequence[tuple[Pool, tuple[JudgedContest, ...]]]
) -> tuple[tuple[JudgedContest, ...], list[str]]:
    """The contests of the pool of before that compares best, and what forbids to compare times with it."""
    tried = [(what_keeps_apart(pool.launches, other.launches), contests) for other, contests in earlier]
    reasons, found = min(tried, key=lambda pair: len(pair[0]))
    return found, reasons


def _entrants(contests: Sequence[JudgedContest]) -> dict[str, _Entrant]:
    """By what they are. A single worker that stands in several contests is taken from the first."""
    found: dict[str, _Entrant] = {}
    for judged in contests:
        for row in judged.rows:
            launches = judged.launches_of(row.series)
            key = " ".join(map(str, launches[["group", "tuning"]].iloc[0]))
            found.setdefault(
                key, _Entrant(contest=judged.contest.name, name=row.series, reaching=row, launches=launches)
            )
    return found


def _ratio(now: _Entrant, before: _Entrant) -> Interval | None:
    """Crashes paid for. None where either did not reliably reach the target, no seed is shared, or launches are the
    very same."""
    if set(now.launches["run"]) & set(before.launches["run"]):
        return None
    return paired_ratio(with_retries(now.launches), with_retries(before.launches), "time_to_target_s").interval


def _answers(now: Sequence[JudgedContest], before: Sequence[JudgedContest]) -> Iterator[str]:
    """The contests whose soonest, or whose best group, is another one."""
    asked = _met_again(now, before)
    changed = [pair for pair in asked if _answer(pair[0]) != _answer(pair[1])]
    for judged, was in changed:
        old_line, new_line, name = brief_answer(was).line, brief_answer(judged).line, was.contest.name
        called = "" if name == judged.contest.name else f" ({name} before)"
        yield f"{judged.contest.name}{called}, another answer. Before: {old_line} Now: {new_line}"
    if len(changed) < len(asked):
        same = [judged.contest.name for judged, was in asked if _answer(judged) == _answer(was)]
        yield f"The same answer as before for {listed_briefly(same)}."


def _met_again(
    now: Sequence[JudgedContest], before: Sequence[JudgedContest]
) -> list[tuple[JudgedContest, JudgedContest]]:
    """Pairs of the same question, the one with most entrants in common first: in the same place with some of them,
    whatever it was called, or called the same."""
    found = []
    for judged, was in itertools.product(now, before):
        num_shared = len(_cells(judged) & _cells(was))
        is_renamed = num_shared > 0 and judged.contest.place == was.contest.place
        if is_renamed or judged.contest.name == was.contest.name:
            found.append((num_shared, judged, was))
    found.sort(key=lambda each: -each[0])
    pairs: list[tuple[JudgedContest, JudgedContest]] = []
    for _, judged, was in found:
        if not any(judged is one or was is other for one, other in pairs):
            pairs.append((judged, was))
    return sorted(pairs, key=lambda pair: list(map(id, now)).index(id(pair[0])))


def _cells(judged: JudgedContest) -> frozenset[str]:
    """What its entrants are."""
    return frozenset(judged.contest.launches["group"])


def _answer(judged: JudgedContest) -> tuple[str, frozenset[str]]:
    """The soonest and the best group, by what they are."""
    groups = {name: str(judged.launches_of(name)["group"].iloc[0]) for name in judged.order}
    return (groups[judged.first] if judged.order else ""), frozenset(groups[name] for name in judged.best)


def _times(entrants: dict[str, _Entrant], found: dict[str, Change]) -> Iterator[str]:
    shown = {key: change for key, change in found.items() if change.is_shown}
    for what, keys in (
        ("Later than before", [key for key, change in shown.items() if change.ratio.estimate > 1]),
        ("Sooner than before", [key for key, change in shown.items() if change.ratio.estimate < 1]),
    ):
        if keys:
            keys.sort(key=lambda key: -abs(shown[key].ratio.estimate - 1))
            said = [f"{_name(entrants[key])} ({times_of(shown[key].ratio)})" for key in keys]
            yield f"{what}: {listed_briefly(said)}."
    if len(shown) < len(found):
        yield f"{count(len(found) - len(shown), 'entrant')} of {len(found)} not shown to take another time than before."


def _crashes(now: dict[str, _Entrant], before: dict[str, _Entrant]) -> Iterator[str]:
    """How many launches crashed, of those of which another share did: counted, and no claim."""

    def share(entrant: _Entrant) -> float:
        return entrant.reaching.num_crashed / entrant.reaching.num_launches

    others = [key for key in now.keys() & before.keys() if share(now[key]) != share(before[key])]
    others.sort(key=lambda key: (share(before[key]) - share(now[key]), _name(now[key])))
    said = [
        f"{_name(now[key])} in {_crashed_of(now[key])} launches ({_crashed_of(before[key])} before)" for key in others
    ]
    if said:
        yield f"Crashed: {listed_briefly(said)}."


def _launched_again(entrants: dict[str, _Entrant], both: dict[str, Interval | None]) -> Iterator[str]:
    untold = sorted(_name(entrants[key]) for key, ratio in both.items() if ratio is None)
    if untold:
        yield (
            f"Without a ratio: {listed_briefly(untold)}. Its launches are the same as before, share no seed with them, "
            "or did not reliably reach the target."
        )


def _come_and_gone(now: dict[str, _Entrant], before: dict[str, _Entrant]) -> Iterator[str]:
    for what, here, there in (("New", now, before), ("Gone", before, now)):
        names = sorted(_name(entrant) for key, entrant in here.items() if key not in there)
        if names:
            yield f"{what}: {listed_briefly(names)}."


def _name(entrant: _Entrant) -> str:
    return f"{entrant.name} on {entrant.contest}"


def _order(ours: dict[str, _Entrant], theirs: dict[str, _Entrant], found: dict[str, Change]) -> list[str]:
    """What changed most first, then what is new, then what is gone."""

    def place(key: str) -> tuple[bool, float, str]:
        change = found.get(key)
        distance = abs(change.ratio.estimate - 1) if change else 0.0
        return not (change and change.is_shown), -distance, _name(ours.get(key) or theirs[key])

    return sorted(ours.keys() | theirs.keys(), key=place)


def _row(key: str, now: _Entrant | None, before: _Entrant | None, change: Change | None) -> Row:
    known = now or before
    assert known is not None, key
    return {
        "strategy": text(known.name),
        "shown": text(_shown(now, before, change)),
        "now, × before": interval_cell(change.ratio if change else None),
        "before (s)": time_cell(before.reaching if before else None),
        "now (s)": time_cell(now.reaching if now else None),
        "contest": text(known.contest),
        "crashed before": _crashed(before),
        "crashed now": _crashed(now),
    }


def _crashed(entrant: _Entrant | None) -> TableCell:
    return text("–" if entrant is None else _crashed_of(entrant))


def _crashed_of(entrant: _Entrant) -> str:
    return f"{entrant.reaching.num_crashed} of {entrant.reaching.num_launches}"


def _shown(now: _Entrant | None, before: _Entrant | None, change: Change | None) -> str:
    if now is None or before is None:
        return "gone" if now is None else "new"
    if change is None:
        return "not compared"
    if not change.is_shown:
        return "no change"
    return "later" if change.ratio.estimate > 1 else "sooner"


def _table(rows: tuple[Row, ...], prefix: str) -> Table:
    return Table(
        name=f"{prefix}changes",
        title="Every entrant, now and before",
        caption=f"Times to target and their ratio, paired by seed, each with its {intervals_of(rows)}. What is shown "
        "is claimed for all of them together, and for those of all machines on the page. The two were measured at "
        "different times: whatever else changed on the machine in between is part of a ratio.",
        rows=rows,
    )
