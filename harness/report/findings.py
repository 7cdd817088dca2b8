"""The answer in words: for every contest, which strategy reaches the target soonest and whether more workers pay.

A sentence claims a difference only where an interval excludes 1, and says so where none does. With single launches
nothing is claimed at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from harness.analysis.comparable import Contest, Pool, closest_match, contests
from harness.analysis.implementation import Implementation, implementations
from harness.analysis.scores import target_in_words
from harness.analysis.targets import BaselineComparison, Reaching, paired_ratio, reaching
from harness.report.against_baseline import against_baseline, by_ratio
from harness.report.implementation_table import implementation_sentence
from harness.report.wording import count, listed, number, percent, times, with_interval

SERIAL = "serial"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One contest's answer: a headline, then what backs it, sentence by sentence."""

    headline: str
    details: tuple[str, ...]


def findings(pool: Pool, compared: list[BaselineComparison]) -> list[Finding]:
    """One for each contest."""
    reached, costs = reaching(pool.launches), implementations(pool.runs)
    return [_finding(contest, compared, reached, costs) for contest in contests(pool.launches)]


def _finding(
    contest: Contest, compared: list[BaselineComparison], reached: list[Reaching], costs: list[Implementation]
) -> Finding:
    """Its series go by their names within the contest: the headline says what they share."""
    launches = contest.launches.assign(series=contest.launches["competitor"])
    names = dict(zip(contest.launches["series"], contest.launches["competitor"], strict=True))
    finished = launches[launches["status"] == "ok"]
    most = int((launches if finished.empty else finished)["workers"].max())
    series = set(contest.launches.loc[launches["workers"] == most, "series"])
    here = [
        replace(row, series=names[row.series])
        for row in reached
        if row.aim == contest.aim and row.workers == most and row.series in series
    ]
    mine = [
        replace(row, series=names[row.series], baseline=names[row.baseline])
        for row in compared
        if row.contest == contest.name and row.workers == most
    ]
    details = [
        *_missed(here),
        *_broken_beyond(launches, most),
        *_paying(launches, most),
        *(against_baseline(launches, row) for row in by_ratio(mine)),
        *(implementation_sentence(row, names) for row in costs if row.series in series and row.baseline in names),
        *_apart(contest),
    ]
    return Finding(headline=_headline(contest.name, launches, most, here), details=tuple(details))


def _headline(contest: str, launches: pd.DataFrame, workers: int, here: list[Reaching]) -> str:
    said = f"{contest}, {count(workers, 'worker')}: {_soonest(launches, here)}"
    unfinished = sum(row.num_unfinished for row in here)
    if unfinished:
        said += f" {unfinished} of {count(sum(row.num_launches for row in here), 'launch', 'launches')} did not finish."
    return said


def _soonest(launches: pd.DataFrame, here: list[Reaching]) -> str:
    always = sorted((row for row in here if row.time_s is not None), key=lambda row: _time(row))
    if not always:
        return f"no strategy reached {_target(here[0])} in all of its launches."
    best = always[0]
    said = f"{best.series} reaches {_target(best)} after {_with_unit(best)}"
    if len(here) == 1:
        return f"{said}."
    if len(always) == 1:
        return f"{said}; no other strategy reached it in all of its launches."
    close = [other.series for other in always[1:] if not _is_sooner(launches, best, other)]
    if not close:
        others = "" if len(always) == len(here) else " that reached it in all of its launches"
        return f"{said}, sooner than every other strategy{others}."
    if len(close) == len(always) - 1:
        return f"no strategy is shown to be the soonest; {said}, not told apart from {listed(close)}."
    return f"{said}, among the soonest: not told apart from {listed(close)}."


def _is_sooner(runs: pd.DataFrame, best: Reaching, other: Reaching) -> bool:
    ours, theirs = (_unit(runs, row.series, row.workers) for row in (best, other))
    ratio = paired_ratio(ours, theirs, "time_to_target_s").interval
    return ratio is not None and ratio.excludes(1.0)


def _paying(launches: pd.DataFrame, most: int) -> Iterator[str]:
    """Whether more workers pay: against serial training, or where that did not run, each strategy's own single worker.

    One sentence for those where they do, one for those where they do not and one for those where it is open.
    """
    if most == 1:
        return
    singles = launches[launches["workers"] == 1]
    serial = singles[singles["strategy"] == SERIAL]
    workers = count(most, "worker")
    no, yes, unclear = f"{workers} do not pay for", f"{workers} pay for", f"Whether {workers} pay is open for"
    answers: dict[str, list[str]] = {no: [], yes: [], unclear: []}
    for series, part in launches[launches["workers"] == most].groupby("series", sort=True):
        own = singles[singles["series_any_hosts"] == part["series_any_hosts"].iloc[0]]
        single = closest_match(part, serial) if len(serial) else own
        ratio = paired_ratio(part, single, "time_to_target_s")
        if ratio.interval is None or not ratio.interval.is_known:
            continue
        answer = unclear if not ratio.interval.excludes(1.0) else yes if ratio.interval.estimate < 1 else no
        answers[answer].append(f"{series} ({times(ratio)})")
    whose = "one serial worker" if len(serial) else "its own single worker"
    for answer, names in answers.items():
        if names:
            yield f"{answer} {listed(names)}: time to target over that of {whose}."


def _missed(here: list[Reaching]) -> Iterator[str]:
    for row in here:
        if row.time_s is not None:
            continue
        share = row.share_reached
        broken = f", {row.num_unfinished} of which did not finish" if row.num_unfinished else ""
        said = (
            f"{row.series} reached {_target(row)} in {round(share.estimate * share.n)} of "
            f"{count(share.n, 'launch', 'launches')}{broken} "
            f"(Wilson interval {percent(share.low, 0)} to {percent(share.high, 0)})"
        )
        if math.isfinite(row.horizon_s):
            said += f"; its restricted mean time is {with_interval(row.restricted_s)} s of at most "
            said += f"{number(row.horizon_s)} s"
        yield f"{said}."


def _broken_beyond(launches: pd.DataFrame, most: int) -> Iterator[str]:
    beyond = int((launches["workers"] > most).sum())
    if beyond:
        yield f"With more workers none of {count(beyond, 'launch', 'launches')} finished."


def _apart(contest: Contest) -> Iterator[str]:
    if contest.other_kinds:
        yield (
            f"Not compared with strategies whose workers are {listed(list(contest.other_kinds))}: "
            "threads and processes share memory and cores in different ways."
        )


def _unit(runs: pd.DataFrame, series: str, workers: int) -> pd.DataFrame:
    return runs[(runs["series"] == series) & (runs["workers"] == workers)]


def _time(row: Reaching) -> float:
    assert row.time_s is not None
    return row.time_s.estimate


def _target(row: Reaching) -> str:
    return target_in_words(row.metric, row.target)


def _with_unit(row: Reaching) -> str:
    assert row.time_s is not None
    interval = row.time_s
    bounds = f" [{number(interval.low)}, {number(interval.high)}]" if interval.is_known else ""
    return f"{number(interval.estimate)}\u00a0s{bounds}"
