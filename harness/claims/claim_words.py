"""A judged claim in words: its number, the rule, the conditions and what would have been seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from harness.analysis.intervals import Interval
from harness.claims.checklist import cells_of, load_in_words
from harness.claims.judged_claim import Judged
from harness.claims.numbers import Number, finished_of
from harness.plain_text import counted, on_its_side, places_of
from harness.records.titles import titles_of
from harness.report.wording import (
    in_shown_unit,
    listed,
    listed_briefly,
    share_with_interval,
    times_of,
    unit_of_difference,
    with_interval,
)
from harness.suite.cell import Cell
from harness.suite.claims import Claim

_MODEL = "model sizes"  # a slope of values over parameters


def number_in_words(claim: Claim, found: Number) -> str:
    """`cnn 0.42 × [0.3, 0.6]`."""
    named = f"{found.case} " if found.case else ""
    of = found.interval
    estimate, low, high = (_on_its_side(claim, value) for value in (of.estimate, of.low, of.high))
    return f"{named}{_interval_in_words(claim, replace(of, estimate=estimate, low=low, high=high))}"


def numbers_in_words(judged: Judged) -> str:
    return "; ".join(number_in_words(judged.claim, found) for found in judged.numbers)


def rule_in_words(claim: Claim) -> str:
    """`holds below 0.9 ×`."""
    holds = claim.rule.holds
    said = _value_in_words(claim, holds.value)
    predicted = "" if claim.rule.predicted is None else f"; predicted {_value_in_words(claim, claim.rule.predicted)}"
    return f"holds {'below' if holds.below is not None else 'above'} {said}{predicted}"


def seen_in_words(judged: Judged) -> str:
    """`cnn 0.71 ×`: what would have been found four times in five."""
    claim = judged.claim
    said = [
        f"{f'{found.case} ' if found.case else ''}{_value_in_words(claim, _on_its_side(claim, found.seen))}"
        for found in judged.numbers
        if math.isfinite(found.seen)
    ]
    return "; ".join(said) or "nothing"


def seeds_in_words(judged: Judged) -> str:
    """`cnn 4 of 5`: whose own number lies beyond the threshold, however it spreads; empty where seeds have none."""
    holds = judged.claim.rule.holds
    sign = -1 if holds.below is not None else 1
    said = [
        f"{f'{found.case} ' if found.case else ''}"
        f"{sum(sign * value > sign * holds.value for value in found.by_seed)} of {len(found.by_seed)}"
        for found in judged.numbers
        if found.by_seed
    ]
    return "; ".join(said)


def measure_in_words(claim: Claim) -> str:
    """`time to the target, ours / theirs`."""
    rule, measure = claim.rule, claim.measure
    sign = "/" if measure.scale == "ratio" else "−"
    sides = f"ours {sign} theirs" if rule.theirs is not None else "ours"
    relative = ""
    if rule.relative_to is not None:
        relative = f", relative to {listed([_launches_of(name, value) for name, value in rule.relative_to.items()])}"
    trend = f", slope over {rule.trend_over}" if rule.trend_over else ""
    return f"{measure.words}, {sides}{relative}{trend}"


def _launches_of(name: str, value: Any) -> str:
    """`1 worker`, `launches without slowed`: those that a claim's are measured by."""
    if value is None:
        return f"launches without {name}"
    return counted(value, "worker") if name == "workers" else f"{name} {value}"


def conditions_in_words(judged: Judged) -> str:
    """Who against whom, on what, with how many workers, tuned or not, how often."""
    rule = judged.claim.rule
    sides = [_sides(judged.claim, of_ours=True), *([_sides(judged.claim, of_ours=False)] if rule.theirs else [])]
    problems = list(dict.fromkeys(cell.problem for cell in _cells(judged.claim, of_ours=True)))
    said = [
        " against ".join(sides),
        listed(problems) if len(problems) < 4 else f"{len(problems)} problems",
        _workers(judged.claim),
        _tuning(judged.launches["tuning_budget"]),
        counted(judged.launches["seed"].nunique(), "seed"),
    ]
    return ", ".join([*said, *([rule.note] if rule.note else [])])


def beside_others_in_words(found: Sequence[Judged], most_load: float) -> str | None:
    """Which launches whose times are judged ran beside other work: a cell's median lets single ones pass."""
    timed = [judged for judged in found if judged.claim.measure.is_timed]
    if not timed:
        return None
    finished = [finished_of(cells_of(judged.claim), judged.launches) for judged in timed]
    launches = pd.concat(finished).drop_duplicates("run")
    busy = launches[launches["load_of_others"] > most_load].sort_values("load_of_others", ascending=False)
    if busy.empty:
        return None
    titles = titles_of(cell.stored() for judged in timed for cell in cells_of(judged.claim))
    of_each = zip(busy["group"], busy["seed"], busy["load_of_others"], strict=True)
    names = [f"{titles[group]} (seed {seed}: {load_in_words(load, most_load)})" for group, seed, load in of_each]
    return (
        f"{len(busy)} of {counted(len(launches), 'launch', 'launches')} whose times are judged ran beside a load of "
        f"others above {most_load:g} a core, which may widen intervals: {listed_briefly(names, 3)}; launches that are "
        "judged anew, all of them, go to a folder of their own (--results)"
    )


def _sides(claim: Claim, *, of_ours: bool) -> str:
    return listed(list(dict.fromkeys(cell.strategy_label for cell in _cells(claim, of_ours=of_ours))))


def _cells(claim: Claim, *, of_ours: bool) -> list[Cell]:
    """Of one side, over all cases; of theirs none where ours stands by itself."""
    sides = [case.ours if of_ours else case.theirs for case in claim.cases]
    return [cell for side in sides if side for cell in side.cells]


def _workers(claim: Claim) -> str:
    """`2 and 4 workers`, `2 workers against 1`."""
    ours, theirs = (sorted({cell.workers for cell in _cells(claim, of_ours=side)}) for side in (True, False))
    said = listed([str(num) for num in ours])
    against = f" against {listed([str(num) for num in theirs])}" if theirs and theirs != ours else ""
    return f"{said} {'worker' if ours == [1] else 'workers'}{against}"


def _tuning(budgets: pd.Series[float]) -> str:
    """`tuned by 20 trials each, 10 of 20 launches at the recipe's settings`."""
    told = sorted(budgets.dropna().unique())
    if not told:
        return "at the recipe's settings"
    num_untuned = int(budgets.isna().sum())
    rest = f", {num_untuned} of {len(budgets)} launches at the recipe's settings" if num_untuned else ""
    return f"tuned by {listed([f'{budget:g}' for budget in told])} trials each{rest}"


def _interval_in_words(claim: Claim, interval: Interval) -> str:
    if not math.isfinite(interval.estimate):
        return "–"
    if _is_in_percent(claim):
        return share_with_interval(interval)
    if claim.rule.trend_over is not None:
        return f"{with_interval(interval)}{_unit(claim)}"
    if claim.measure.scale == "ratio":
        return times_of(interval)
    if claim.rule.measure == "score_gain":
        return _gain_in_words(claim, interval)
    return f"{with_interval(interval)} {claim.measure.unit}"


def _on_its_side(claim: Claim, value: float) -> float:
    """The value, such that rounding takes it to no other side of the threshold."""
    places = 3 if _is_in_percent(claim) else places_of(value, 3)
    return on_its_side(value, claim.rule.holds.value, places)


def _is_in_percent(claim: Claim) -> bool:
    """Of a difference that is neither a slope nor in a unit."""
    has_unit = claim.measure.unit or claim.rule.measure == "score_gain"
    return claim.measure.scale != "ratio" and claim.rule.trend_over is None and not has_unit


def _gain_in_words(claim: Claim, interval: Interval) -> str:
    """In points where all scores are shares, in their unit where they have one."""
    metrics = [cell.metric for cell in _cells(claim, of_ours=True)]
    if len({metric.unit for metric in metrics}) > 1:
        return with_interval(interval)
    shown = with_interval(in_shown_unit(interval, metrics[0]))
    return f"{shown} {unit_of_difference(metrics[0])}".rstrip()


def _value_in_words(claim: Claim, value: float) -> str:
    return _interval_in_words(claim, Interval(estimate=value, low=math.nan, high=math.nan, n=0, method=""))


def _unit(claim: Claim) -> str:
    return f" {_MODEL}" if claim.rule.measure == "values_per_worker" else ""
