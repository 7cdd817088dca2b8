"""The rule, without any input or output: from pairs to a verdict.

1. Screen: a comparison is flagged when its exact one-sided p is small and its Hodges–Lehmann shift is worth a look, or
   when B misses in a single pair a target that A reaches there.
2. Confirm: fresh pairs of the flagged cells alone; Holm over the flagged comparisons; a regression needs a small
   adjusted p *and* a shift above the gate.

The confirming pairs are independent of those that raised the flag, so correcting for the flagged ones is enough.
Launches that crash more often than A's fail their cell, by a test with an error of its own (crashes.py).

A comparison that could have missed an effect of `must_detect` says so (inconclusive) rather than "fine", and so does
one with a target lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.check.crashes import rises
from harness.check.effect_wording import effect_in_words, size
from harness.check.exact import StageDesign, holm, interval, shift, smallest_caught, worse_p
from harness.check.observed import Observed, Pair, Stage, difference
from harness.check.verdict import CellVerdict, FailureKind, MetricComparison, Outcome, Verdict
from harness.suite.gates import CheckSettings, Gate
from harness.workloads.metric import ACCURACY

# No timing sees less than this, and no two seeds train alike to the last digit.
_EXACT_TOLERANCE = 1e-12
_NEITHER_REACHES = "neither arm reaches the target: train longer, or give the cell another target"
_NEITHER = {"final_score": "both arms diverge: give the cell a smaller learning rate"}


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """The pairs of one metric of one cell in one stage."""

    values: tuple[tuple[float, float], ...]
    differences: np.ndarray[tuple[int], np.dtype[np.float64]]

    @property
    def is_usable(self) -> bool:
        return len(self.values) > 0 and not bool(np.isnan(self.differences).any())


@dataclass(frozen=True, kw_only=True)
class _Screened:
    group: str
    metric: str
    gate: Gate
    screen: _Sample
    confirm: _Sample
    flagged: bool

    @property
    def num_lost(self) -> int:
        return _num_lost(self.metric, self.screen) + _num_lost(self.metric, self.confirm)


def groups_to_confirm(observed: Observed, settings: CheckSettings) -> list[str]:
    """The cells of which fresh pairs are wanted, in the order of `observed`."""
    flagged = {look.group for look in _screen(observed, settings) if look.flagged}
    return [group for group in observed.titles if group in flagged]


def convicted(observed: Observed, settings: CheckSettings) -> list[tuple[str, str]]:
    """(group, metric) of the confirmed regressions: the rule alone, without what a verdict tells beside it."""
    screened = _screen(observed, settings)
    adjusted = _adjusted_p(screened, settings)
    return [
        (look.group, look.metric)
        for look in screened
        if _is_convicted(look, adjusted.get((look.group, look.metric)), settings)
    ]


def decide(
    observed: Observed,
    settings: CheckSettings,
    *,
    suite: str,
    arm_a: str,
    arm_b: str,
    incomparable: Sequence[str] = (),
    notes: Sequence[str] = (),
    may_convict: bool = True,
) -> Verdict:
    """The verdict over all cells. may_convict: false for stored results, whose flags are reported, never confirmed."""
    screened = _screen(observed, settings)
    adjusted = _adjusted_p(screened, settings)
    num_flagged = max(1, sum(look.flagged for look in screened))
    crashing = rises(observed.attempts, settings.crash_level)
    cells = []
    for group, title in observed.titles.items():
        cell = _cell_without_comparisons(
            group, title, [pair for pair in observed.pairs if pair.group == group], crashing.get(group)
        )
        if cell is None:
            comparisons = tuple(
                _judge(look, settings, adjusted.get((group, look.metric)), num_flagged, may_convict)
                for look in screened
                if look.group == group
            )
            cell = CellVerdict(group=group, title=title, comparisons=comparisons)
        elif cell.failure and incomparable and not may_convict:
            cell = CellVerdict(group=group, title=title, unjudged=cell.words)
        cells.append(cell)
    return Verdict(
        suite=suite,
        arm_a=arm_a,
        arm_b=arm_b,
        cells=tuple(cells),
        incomparable=tuple(incomparable),
        notes=tuple(notes),
    )


def _cell_without_comparisons(group: str, title: str, pairs: list[Pair], more_often: str | None) -> CellVerdict | None:
    """The verdict of a cell whose runs are missing or broken; None when there is something to compare.

    more_often: that its launches crash more often, in words.
    """
    has_a, has_b = (any(getattr(pair, side) is not None for pair in pairs) for side in "ab")
    if has_a and not has_b:
        words = "missing: A has runs of this cell, B has none"
        return CellVerdict(group=group, title=title, failure=FailureKind.MISSING, words=words)
    if not has_a:
        return CellVerdict(group=group, title=title, unjudged="A has no run of this cell to compare with")
    if more_often:
        return CellVerdict(group=group, title=title, failure=FailureKind.CRASHED, words=more_often)
    troubles_a, troubles_b = (
        [run.trouble for pair in pairs if (run := getattr(pair, side)) is not None and run.trouble] for side in "ab"
    )
    if troubles_a:
        also = ", and so did B's" if troubles_b else ""
        return CellVerdict(group=group, title=title, unjudged=f"a run of A failed{also}: {troubles_a[0]}")
    if troubles_b:
        words = f"crashed: {len(troubles_b)} of B's runs, none of A's: {troubles_b[0]}"
        return CellVerdict(group=group, title=title, failure=FailureKind.CRASHED, words=words)
    return None


def _screen(observed: Observed, settings: CheckSettings) -> list[_Screened]:
    looks = []
    for group in observed.titles:
        pairs = [pair for pair in observed.pairs if pair.group == group]
        if any(run is not None and run.trouble for pair in pairs for run in (pair.a, pair.b)):
            continue  # that is its verdict
        for metric, general in settings.metrics.items():
            gate = general.by(observed.metrics.get(group, ACCURACY))
            screen, confirm = (_sample(pairs, metric, gate, stage) for stage in (Stage.SCREEN, Stage.CONFIRM))
            if screen.values:
                flagged = gate.gated and (_is_suspect(screen, gate, settings) or _num_lost(metric, screen) > 0)
                looks.append(
                    _Screened(group=group, metric=metric, gate=gate, screen=screen, confirm=confirm, flagged=flagged)
                )
    return looks


def _sample(pairs: list[Pair], metric: str, gate: Gate, stage: Stage) -> _Sample:
    values = tuple(
        (pair.a.values[metric], pair.b.values[metric])
        for pair in sorted(pairs, key=lambda pair: pair.seed)
        if pair.stage == stage
        if pair.a is not None and pair.b is not None
        if metric in pair.a.values and metric in pair.b.values
    )
    differences = np.array([difference(a, b, better=gate.better, scale=gate.scale) for a, b in values])
    differences[np.abs(differences) < _EXACT_TOLERANCE] = 0.0
    return _Sample(values=values, differences=differences)


def _is_suspect(sample: _Sample, gate: Gate, settings: CheckSettings) -> bool:
    return (
        sample.is_usable
        and worse_p(sample.differences) <= settings.screen_level
        and shift(sample.differences) > _as_shift(gate.screen, gate)
    )


def _num_lost(metric: str, sample: _Sample) -> int:
    """Pairs in which A reaches the target and B does not."""
    lost = sample.differences > 0 if metric == "target_reached" else np.isposinf(sample.differences)
    return int(lost.sum())


def _is_confirmable(look: _Screened, settings: CheckSettings) -> bool:
    return len(look.confirm.values) >= settings.confirm_pairs and look.confirm.is_usable


def _adjusted_p(screened: list[_Screened], settings: CheckSettings) -> dict[tuple[str, str], float]:
    """By group and metric, for each confirmed comparison; one that lacks pairs counts in the correction too."""
    flagged = [look for look in screened if look.flagged]
    p_values = [worse_p(look.confirm.differences) if _is_confirmable(look, settings) else 1.0 for look in flagged]
    return {
        (look.group, look.metric): p
        for look, p in zip(flagged, holm(p_values), strict=True)
        if _is_confirmable(look, settings)
    }


def _is_convicted(look: _Screened, adjusted_p: float | None, settings: CheckSettings) -> bool:
    return (
        adjusted_p is not None
        and adjusted_p <= settings.confirm_level
        and shift(look.confirm.differences) > _as_shift(look.gate.gate, look.gate)
    )


def _judge(
    look: _Screened, settings: CheckSettings, adjusted_p: float | None, num_flagged: int, may_convict: bool
) -> MetricComparison:
    gate, screen = look.gate, look.screen
    deciding = look.confirm if adjusted_p is not None else screen
    usable = deciding.is_usable
    low, high = interval(deciding.differences) if usable else (math.nan, math.nan)
    effect = shift(deciding.differences) if usable else math.nan
    caught = smallest_caught(deciding.differences, _designs(gate, settings, num_flagged)) if usable else math.inf
    outcome, why = _outcome(look, settings, adjusted_p, caught, may_convict)
    sizes = [_as_effect(value, gate) for value in (effect, low, high)]
    return MetricComparison(
        metric=look.metric,
        unit=gate.unit,
        scale=gate.scale,
        better=gate.better,
        outcome=outcome,
        words="; ".join(filter(None, [effect_in_words(look.metric, gate.scale, *sizes), why, _lost_in_words(look)])),
        effect=sizes[0],
        low=sizes[1],
        high=sizes[2],
        p=worse_p(deciding.differences) if usable else None,
        adjusted_p=adjusted_p,
        smallest_caught=_as_effect(caught, gate),
        gate=gate.gate,
        screened=screen.values,
        confirmed=look.confirm.values if adjusted_p is not None else (),
    )


def _outcome(
    look: _Screened,
    settings: CheckSettings,
    adjusted_p: float | None,
    caught: float,
    may_convict: bool,
) -> tuple[Outcome, str]:
    """The outcome, and why in words where the effect alone does not say it."""
    gate, num_screened, num_confirmed = look.gate, len(look.screen.values), len(look.confirm.values)
    if not gate.gated:
        return Outcome.REPORTED, ""
    if not look.screen.is_usable or bool(np.isnan(look.confirm.differences).any()):
        return Outcome.INCONCLUSIVE, "a value is not a number above 0: look at the records"
    if all(math.isinf(a) and math.isinf(b) for a, b in look.screen.values):
        return Outcome.INCONCLUSIVE, _NEITHER.get(look.metric, _NEITHER_REACHES)
    if num_screened < settings.screen_pairs:
        return Outcome.INCONCLUSIVE, f"{num_screened} of {settings.screen_pairs} pairs"
    if look.flagged and adjusted_p is None:
        if not may_convict:
            return Outcome.INCONCLUSIVE, "suspicious; only `check SUITE --a ARM --b ARM` on one machine can confirm it"
        return Outcome.INCONCLUSIVE, f"suspicious, with {num_confirmed} of {settings.confirm_pairs} confirming pairs"
    if _is_convicted(look, adjusted_p, settings):
        allowed = f"allowed: {size(gate.gate, gate.scale)}" if gate.gate else "allowed: none"
        return Outcome.REGRESSION, f"confirmed by {num_confirmed} fresh pairs, p = {adjusted_p:.2g}; {allowed}"
    if look.num_lost:
        return Outcome.INCONCLUSIVE, ""
    if _as_effect(caught, gate) > gate.must_detect:
        seen, wanted = size(_as_effect(caught, gate), gate.scale), size(gate.must_detect, gate.scale)
        return Outcome.INCONCLUSIVE, f"too noisy: only {seen} would have been caught, {wanted} must be"
    return Outcome.FINE, "flagged, not confirmed" if adjusted_p is not None else ""


def _lost_in_words(look: _Screened) -> str:
    num_pairs = len(look.screen.values) + len(look.confirm.values)
    what = "B diverges, which A does not," if look.metric == "final_score" else "B misses the target, which A reaches,"
    return f"{what} in {look.num_lost} of {num_pairs} pairs" if look.num_lost else ""


def _designs(gate: Gate, settings: CheckSettings, num_flagged: int) -> list[StageDesign]:
    return [
        StageDesign(
            num_pairs=settings.screen_pairs,
            level=settings.screen_level,
            least_shift=_as_shift(gate.screen, gate),
        ),
        StageDesign(
            num_pairs=settings.confirm_pairs,
            level=settings.confirm_level / num_flagged,
            least_shift=_as_shift(gate.gate, gate),
        ),
    ]


def _as_shift(effect: float, gate: Gate) -> float:
    return math.log1p(effect) if gate.scale == "ratio" else effect


def _as_effect(value: float, gate: Gate) -> float:
    return math.expm1(value) if gate.scale == "ratio" and not math.isinf(value) else value
