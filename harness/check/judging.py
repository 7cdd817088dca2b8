"""What is said of one comparison: its outcome, why, and its effect with what would have been caught."""

from __future__ import annotations

import math

import numpy as np

from harness.check.effect_wording import beside, effect_in_words, size
from harness.check.exact import StageDesign, smallest_caught, worse_p
from harness.check.paired_sample import PairedSample
from harness.check.sequential import Comparison
from harness.check.verdict import MetricComparison, Outcome
from harness.plain_text import counted

_NEITHER_REACHES = "neither arm reaches the target: train longer, or give the cell another target"
_NEITHER = {"final_score": "both arms diverge: give the cell a smaller learning rate"}
_COARSE = "reached between evaluations that leave it open: give the cell more of them, or a target that takes longer"
_LIVE_ALONE = "only `check SUITE --a ARM --b ARM` on one machine can tell"


def judge(
    compared: Comparison, adjusted_p: float | None, *, num_open: int, may_convict: bool, may_fail: bool
) -> MetricComparison:
    """The comparison as a verdict has it.

    adjusted_p: of its fresh pairs, where they were tested. num_open: comparisons that Holm's correction was for.
    may_convict: of getting worse. may_fail: for being missing, which tells nothing between sides that do not compare.
    """
    outcome, why = _missing(compared, may_fail) or _outcome(compared, adjusted_p, may_convict)
    gate, deciding = compared.gate, _deciding(compared, outcome)
    usable = deciding.is_usable
    low, high = deciding.interval if usable else (math.nan, math.nan)
    effect, low, high = (gate.as_effect(value) for value in (deciding.shift if usable else math.nan, low, high))
    caught = _smallest_caught(deciding, _designs(compared, num_open)) if usable else math.inf
    what = effect_in_words(compared.metric, gate.scale, effect, low, high, gate=gate.gate)
    return MetricComparison(
        metric=compared.metric,
        unit=gate.unit,
        scale=gate.scale,
        better=gate.better,
        outcome=outcome,
        words="; ".join(filter(None, [what, why, _lost_in_words(compared)])),
        effect=effect,
        low=low,
        high=high,
        p=worse_p(deciding.differences) if usable else None,
        adjusted_p=adjusted_p,
        smallest_caught=gate.as_effect(caught),
        gate=gate.gate,
        screened=compared.screen.values or tuple((value, math.nan) for value in compared.of_a_alone),
        confirmed=compared.fresh.first(_num_looked_at(compared)).values,
    )


def _smallest_caught(pairs: PairedSample, designs: list[StageDesign]) -> float:
    told = pairs.told
    return smallest_caught(told, designs, share_untold=1 - len(told) / len(pairs.values))


def _deciding(compared: Comparison, outcome: Outcome) -> PairedSample:
    """Fresh pairs alone convict: those that raised the suspicion say too much. To clear, all count."""
    return compared.fresh if outcome == Outcome.REGRESSION else compared.pairs_with(_num_looked_at(compared))


def _num_looked_at(compared: Comparison) -> int:
    return len(compared.fresh.values) if compared.num_to_clear is None else compared.num_to_clear


def _missing(compared: Comparison, may_fail: bool) -> tuple[Outcome, str] | None:
    """The outcome where A's launches have the metric and none of B's does, and why in words."""
    if not compared.of_a_alone:
        return None
    words = f"{counted(len(compared.of_a_alone), 'launch', 'launches')} of A's have it, none of B's"
    return Outcome.MISSING if may_fail else Outcome.INCONCLUSIVE, words


def _outcome(compared: Comparison, adjusted_p: float | None, may_convict: bool) -> tuple[Outcome, str]:
    """The outcome, and why in words where the effect alone does not say it."""
    gate, settings, num_screened = compared.gate, compared.settings, len(compared.screen.values)
    if not gate.gated:
        return Outcome.REPORTED, ""
    if bool(np.isnan(compared.screen.and_then(compared.fresh).differences).any()):
        return Outcome.INCONCLUSIVE, "a value is not a number above 0: look at the records"
    if compared.is_never_reached:
        return Outcome.INCONCLUSIVE, _NEITHER.get(compared.metric, _NEITHER_REACHES)
    if num_screened < settings.screen_pairs:
        return Outcome.INCONCLUSIVE, f"{num_screened} of {settings.screen_pairs} pairs"
    if compared.is_convicted(adjusted_p):
        allowed = f"allowed: {size(gate.gate, gate.scale)}" if gate.gate else "allowed: none"
        return Outcome.REGRESSION, f"confirmed by {settings.confirm_pairs} fresh pairs, p = {adjusted_p:.2g}; {allowed}"
    if compared.num_to_clear is not None:
        return Outcome.FINE, f"after {compared.num_to_clear} fresh pairs" if compared.num_to_clear else ""
    return Outcome.INCONCLUSIVE, _doubt(compared, may_convict)


def _doubt(compared: Comparison, may_convict: bool) -> str:
    """What stands between a comparison and its conclusion."""
    pairs, gate = compared.pairs_with(_num_looked_at(compared)), compared.gate
    is_above = pairs.shift > gate.as_shift(gate.gate)
    is_noisy = pairs.interval[1] >= gate.as_shift(gate.must_detect)
    if compared.is_coarse and not compared.was_open:
        return _COARSE if not compared.num_neither else _NEITHER.get(compared.metric, _NEITHER_REACHES)
    if compared.has_all_pairs:
        suspicion = f"{'above the gate' if is_above else 'suspicious'}, not confirmed"
        what = _noise(pairs, compared) if is_noisy and not is_above else suspicion
    else:
        is_suspicious = is_above or compared.looks_worse or not is_noisy
        what = "suspicious" if is_suspicious else _noise(pairs, compared)
        what += f", with {len(compared.fresh.values)} of {compared.settings.confirm_pairs} fresh pairs"
    return what if may_convict else f"{what}; {_LIVE_ALONE}"


def _noise(pairs: PairedSample, compared: Comparison) -> str:
    gate = compared.gate
    left_open = size(beside(gate.as_effect(pairs.interval[1]), gate.must_detect), gate.scale)
    return f"too noisy: {left_open} worse is possible, less than {size(gate.must_detect, gate.scale)} has to be shown"


def _lost_in_words(compared: Comparison) -> str:
    num_pairs = len(compared.screen.values) + len(compared.fresh.values)
    is_score = compared.metric == "final_score"
    what = "B diverges, which A does not," if is_score else "B misses the target, which A reaches,"
    neither = "both diverge" if is_score else "both miss the target"
    said = [
        f"{words} in {number} of {num_pairs} pairs"
        for words, number in ((what, compared.num_lost), (neither, compared.num_neither))
        if number
    ]
    return "; ".join(said)


def _designs(compared: Comparison, num_open: int) -> list[StageDesign]:
    gate, settings = compared.gate, compared.settings
    return [
        StageDesign(
            num_pairs=settings.screen_pairs,
            level=settings.screen_level,
            least_shift=gate.as_shift(gate.screen),
            enough_shift=gate.as_shift(gate.gate),
        ),
        StageDesign(
            num_pairs=settings.confirm_pairs,
            level=settings.confirm_level / num_open,
            least_shift=gate.as_shift(gate.gate),
        ),
    ]
