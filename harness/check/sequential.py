"""The rule for one comparison, look by look: which concludes, which wants more pairs, which is convicted.

1. Screen, over all cells: a comparison is fine at once when nothing of it looks worse and its interval lies below
   `must_detect`. Any other is *open*, when more pairs could help.
2. Fresh pairs of the cells with something open, a few at a time. After each few a comparison is fine when, over all its
   pairs, the shift is no larger than the gate, the interval ends below `must_detect` and nothing looks worse still. The
   last time it may.
3. What is still open with all its fresh pairs is convicted when these alone show it: by the exact test, Holm-corrected
   over all that were open, and by a shift above the gate, by the least that the evaluations leave open. Else it stays
   inconclusive.

Errors. The fresh pairs are independent of those that left a comparison open, and are tested once, at the end: Holm over
all that were open holds the chance of any false conviction below `confirm_level` whatever the noise; clearing some on
the way only lowers it. Who looked worse in the screen has more of that error to use (weight 1/p). "Fine" is an
equivalence test at 5 %: an effect of `must_detect` lies beyond the end of a 97 % interval at any look in at most 1.5 %,
at one of five in at most 5 % (`tests/check/test_false_alarms.py`).

Source: Schuirmann (1987) for equivalence; Pocock (1977) for several looks at one level; Holm (1979), with weights from
independent data as in Genovese, Roeder and Wasserman, Biometrika 93 (2006) 509.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.check.exact import holm, shift, worse_p
from harness.check.observed import Observed, Run, Stage
from harness.check.paired_sample import PairedSample, paired_sample
from harness.suite.gates import CheckSettings, Gate
from harness.workloads.metric import ACCURACY

_NUM_LOOKS = 4  # at fresh pairs


def looks(settings: CheckSettings) -> list[int]:
    """After how many fresh pairs each comparison is looked at."""
    return [math.ceil(settings.confirm_pairs * look / _NUM_LOOKS) for look in range(1, _NUM_LOOKS + 1)]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One metric of one cell, as far as its pairs have come."""

    group: str
    metric: str
    gate: Gate
    settings: CheckSettings
    screen: PairedSample
    fresh: PairedSample
    of_a_alone: tuple[float, ...] = ()  # A's values, where none of B's launches has one

    @cached_property
    def was_open(self) -> bool:
        """Whether it wanted fresh pairs after the screen: by these alone, and whatever the fresh ones say."""
        if not self.gate.gated or not self.screen.is_usable or self.is_never_reached:
            return False
        return self.looks_worse or not (self._is_shown_fine(self.screen) or self.is_coarse)

    @cached_property
    def num_to_clear(self) -> int | None:
        """How many fresh pairs it took to show that it is fine; None where they did not."""
        if not self.gate.gated or not self.screen.is_usable or self.num_lost:
            return None
        if not self.was_open:
            return 0 if self._is_shown_fine(self.screen) else None
        reached = (num for num in looks(self.settings) if num <= len(self.fresh.values))
        return next((num for num in reached if self._is_cleared_by(num)), None)

    @property
    def is_open(self) -> bool:
        """Whether it wants more pairs than there are."""
        return self.was_open and self.num_to_clear is None and not self.has_all_pairs

    @property
    def has_all_pairs(self) -> bool:
        return len(self.fresh.values) >= self.settings.confirm_pairs

    @property
    def is_never_reached(self) -> bool:
        """Whether neither arm ever got there: more pairs would not tell more."""
        screened = self.screen.values
        return bool(screened) and all(math.isinf(a) and math.isinf(b) for a, b in screened)

    @property
    def is_coarse(self) -> bool:
        """Whether evaluations are so far apart that they leave `must_detect` open, however many pairs there are."""
        return shift(self.screen.at_most) >= self._must_detect > self.screen.shift

    @property
    def num_lost(self) -> int:
        """Pairs in which A reaches the target and B does not."""
        return self._num_lost(self.screen) + self._num_lost(self.fresh)

    @property
    def num_neither(self) -> int:
        """Pairs in which neither got there."""
        return sum(math.isinf(a) and math.isinf(b) for a, b in self.screen.values + self.fresh.values)

    def pairs_with(self, num_fresh: int) -> PairedSample:
        return self.screen.and_then(self.fresh.first(num_fresh))

    @property
    def fresh_p(self) -> float | None:
        """Of all fresh pairs; None where it was cleared before, or lacks some."""
        is_tested = self.was_open and self.num_to_clear is None and self.has_all_pairs and self.fresh.is_usable
        return worse_p(self.fresh.differences) if is_tested else None

    def is_convicted(self, adjusted_p: float | None) -> bool:
        """adjusted_p: of its fresh pairs, for the number of comparisons that were open."""
        is_certain = adjusted_p is not None and adjusted_p <= self.settings.confirm_level
        return is_certain and shift(self.fresh.at_least) > self.gate.as_shift(self.gate.gate)

    @property
    def _must_detect(self) -> float:
        return self.gate.as_shift(self.gate.must_detect)

    @property
    def looks_worse(self) -> bool:
        return self._num_lost(self.screen) > 0 or self._is_suspicious(self.screen)

    def _is_cleared_by(self, num_fresh: int) -> bool:
        """With more pairs to come, what still looks worse waits for them."""
        pairs, is_last = self.pairs_with(num_fresh), num_fresh == self.settings.confirm_pairs
        return self._is_shown_fine(pairs) and (is_last or not self._is_suspicious(pairs))

    def _is_suspicious(self, pairs: PairedSample) -> bool:
        is_unlikely = worse_p(pairs.differences) <= self.settings.screen_level
        return is_unlikely and pairs.shift > self.gate.as_shift(self.gate.screen)

    def _is_shown_fine(self, pairs: PairedSample) -> bool:
        is_small = pairs.shift <= self.gate.as_shift(self.gate.gate)
        return pairs.is_usable and is_small and pairs.interval[1] < self._must_detect

    def _num_lost(self, pairs: PairedSample) -> int:
        lost = pairs.differences > 0 if self.metric == "target_reached" else np.isposinf(pairs.differences)
        return int(lost.sum())


def compare_all(observed: Observed, settings: CheckSettings) -> list[Comparison]:
    """Every metric of every cell whose runs all ended well; of others that is the verdict.

    What is gated is among them wherever A has it, though no pair of launches may.
    """
    compared = []
    for group in observed.titles:
        pairs = sorted((pair for pair in observed.pairs if pair.group == group), key=lambda pair: pair.seed)
        if any(run is not None and run.trouble for pair in pairs for run in (pair.a, pair.b)):
            continue
        for metric, gate in gates_of(group, observed, settings).items():
            screen, fresh = (paired_sample(pairs, metric, gate, stage) for stage in (Stage.SCREEN, Stage.CONFIRM))
            of_a, of_b = (told(metric, [getattr(pair, side) for pair in pairs]) for side in "ab")
            if screen.values or (gate.gated and of_a):
                compared.append(
                    Comparison(
                        group=group,
                        metric=metric,
                        gate=gate,
                        settings=settings,
                        screen=screen,
                        fresh=fresh,
                        of_a_alone=() if of_b else of_a,
                    )
                )
    return compared


def gates_of(group: str, observed: Observed, settings: CheckSettings) -> dict[str, Gate]:
    """By metric, as the cell's launches are judged."""
    return {metric: gate.by(observed.metrics.get(group, ACCURACY)) for metric, gate in settings.metrics.items()}


def told(metric: str, runs: Sequence[Run | None]) -> tuple[float, ...]:
    """Its values in those runs that have it."""
    return tuple(run.values[metric] for run in runs if run is not None and metric in run.values)


def open_groups(observed: Observed, settings: CheckSettings) -> list[str]:
    """The cells of which more pairs are wanted, in the order of `observed`."""
    still = {compared.group for compared in compare_all(observed, settings) if compared.is_open}
    return [group for group in observed.titles if group in still]


def adjusted_p(compared: Sequence[Comparison]) -> dict[tuple[str, str], float]:
    """By group and metric, of those that are tested. All that were open count in the correction."""
    opened = [each for each in compared if each.was_open]
    p_values = [each.fresh_p for each in opened]
    weights = [1 / worse_p(each.screen.differences) for each in opened]
    adjusted = holm([1.0 if p is None else p for p in p_values], weights)
    return {
        (each.group, each.metric): p for each, p, own in zip(opened, adjusted, p_values, strict=True) if own is not None
    }


def convicted(compared: Sequence[Comparison]) -> set[tuple[str, str]]:
    """(group, metric) of the confirmed regressions."""
    adjusted = adjusted_p(compared)
    keyed = {(each.group, each.metric): each for each in compared}
    return {key for key, each in keyed.items() if each.is_convicted(adjusted.get(key))}
