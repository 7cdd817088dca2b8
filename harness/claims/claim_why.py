"""Why a number came out as it did: two sentences at most, by what the harness measured beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from harness.analysis.attempts import with_retries
from harness.analysis.targets import paired_ratio
from harness.claims.judged_claim import Judged
from harness.claims.numbers import finished_of
from harness.report.wording import number, percent, times
from harness.suite.claims import Case

_MOST = 2
_MIB = 2**20
_TRENDS = {  # whose crossing is told: what is so much of what, and its unit in that of the frame
    "compute_s_per_step": ("a step computes for", "ms", 1e-3),
    "bytes_per_compute_s": ("a second of computing sends", "MB", 1e6),
}


def why_in_words(judged: Judged) -> list[str]:
    """Of the case whose effect is the largest, or the last of a trend; empty where launches are missing."""
    if judged.launches.empty:
        return []
    rule = judged.claim.rule
    case = judged.claim.cases[-1] if rule.trend_over else _most_telling(judged)
    return list(_sentences(judged, case))[:_MOST]


def _most_telling(judged: Judged) -> Case:
    """The one that is furthest from the threshold, on either side."""
    threshold = judged.claim.rule.holds.value

    def distance(position: int) -> float:
        estimate = judged.numbers[position].interval.estimate
        if judged.claim.measure.scale == "ratio" and estimate > 0:
            return abs(math.log(estimate / threshold))
        return abs(estimate - threshold) if math.isfinite(estimate) else -1.0

    return judged.claim.cases[max(range(len(judged.claim.cases)), key=distance)]


def _sentences(judged: Judged, case: Case) -> Iterator[str]:
    other = case.theirs or case.ours
    names = case.ours.cells[0].strategy_label, other.cells[0].strategy_label
    sides = [finished_of(cells, judged.launches) for cells in (case.ours.cells, other.cells)]
    if any(side.empty for side in sides):
        return
    where = _where(judged, case)
    yield from _crossing(judged)
    if judged.claim.rule.measure == "values_per_worker":
        yield f"{where}{_memory(sides, names)}"
    if judged.claim.rule.measure == "time_to_target_s" and case.theirs is not None:
        yield from (f"{where}{said}" for said in _factors(sides, names))
    if case.theirs is not None:
        yield from (f"{where}{said}" for said in _waits(sides, names))
    yield from _apart(sides[0], names[0])


def _where(judged: Judged, case: Case) -> str:
    """Its problem, or its name where another case has that too; empty of one case, and of one that is a strategy."""
    cell, problems = case.ours.cells[0], [each.ours.cells[0].problem for each in judged.claim.cases]
    if len(problems) == 1 or case.name == cell.strategy_label:
        return ""
    return f"On {cell.problem}, " if problems.count(cell.problem) == 1 else f"With {case.name}, "


def _crossing(judged: Judged) -> Iterator[str]:
    """Beyond the cases it is only where their line leads to."""
    found, over = judged.numbers[0], judged.claim.rule.trend_over
    if over not in _TRENDS or not math.isfinite(found.crossing) or not found.interval.excludes(0.0):
        return
    what, unit, factor = _TRENDS[over]
    at, least, most = (number(x / factor) for x in (found.crossing, *found.reach))
    where = f"where {what} {at} {unit}"
    if found.reach[0] <= found.crossing <= found.reach[1]:
        yield f"The ratio crosses 1 {where}."
    else:
        yield f"By its slope the ratio would cross 1 {where}: beyond all cases, {least} to {most} {unit}."


def _memory(sides: list[pd.DataFrame], names: tuple[str, str]) -> str:
    told = [float((side["pss_bytes"] / side["workers"]).mean()) / _MIB for side in sides]
    return f"a worker of {names[0]} takes {number(told[0])} MiB in all, one of {names[1]} {number(told[1])} MiB."


def _factors(sides: list[pd.DataFrame], names: tuple[str, str]) -> Iterator[str]:
    """Time to target = seconds a sample × samples; nothing where some launch missed the target."""
    ours, theirs = (
        paid.assign(seconds_per_sample=paid["time_to_target_s"] / paid["samples_to_target"])
        for paid in map(with_retries, sides)
    )
    found = [paired_ratio(ours, theirs, column) for column in ("seconds_per_sample", "samples_to_target")]
    if any(ratio.interval is None for ratio in found):
        return
    seconds, samples = (times(ratio).split(" [")[0] for ratio in found)
    yield f"{names[0]} takes {seconds} the seconds a sample of {names[1]}, and {samples} the samples."


def _waits(sides: list[pd.DataFrame], names: tuple[str, str]) -> Iterator[str]:
    ours, theirs = (float(side["exposed_share"].mean()) for side in sides)
    if math.isfinite(ours) and math.isfinite(theirs):
        shares = f"in {percent(ours)} of its time, {names[1]} in {percent(theirs)}"
        yield f"{names[0]} waits for communication or slower workers {shares}."


def _apart(ours: pd.DataFrame, name: str) -> Iterator[str]:
    stale, drift = (float(ours[column].mean()) for column in ("staleness_mean", "consensus_distance"))
    if math.isfinite(stale):
        yield f"An update of {name} meets {number(stale)} updates of others that it did not see."
    elif math.isfinite(drift):
        yield f"The weights of {name}'s workers are {number(drift)} apart from their mean."
