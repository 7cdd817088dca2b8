"""One metric's pairs as numbers to test: how much worse B was, and between which ends that is known to lie.

A time to target is known only to lie between two evaluations. Tests go by the middle of that, which depends on nothing
but the launch itself, so swapping the arms of a pair still turns its sign; claims about sizes go by the ends: "worse by
more than the gate" by the least that is possible, "not worse by must_detect" by the most. A pair in which neither arm
reaches the target tells nothing of how much later one is: it counts as any difference there may be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.check.exact import Floats, interval, shift
from harness.check.observed import Pair, Run, Stage, difference
from harness.suite.gates import Gate

# Over five looks at growing numbers of pairs, either end is on the wrong side in at most 5 % (sequential.py).
INTERVAL_LEVEL = 0.97
# No timing sees less than this, and no two seeds train alike to the last digit.
_EXACT_TOLERANCE = 1e-12


@dataclass(frozen=True, kw_only=True)
class PairedSample:
    """Pairs of one metric of one cell in the order of their seeds; differences are positive where B is worse."""

    values: tuple[tuple[float, float], ...]  # (A, B)
    differences: Floats  # (n,)
    at_least: Floats  # (n,) the smallest difference that the evaluations leave open
    at_most: Floats  # (n,) the largest

    @property
    def is_usable(self) -> bool:
        """Whether there is something to compute with: a ratio of what is not above 0 is none."""
        return len(self.values) > 0 and not bool(np.isnan(self.differences).any())

    @property
    def told(self) -> Floats:
        """The differences of the pairs in which an arm got there: of the others 0 stands, which is no noise."""
        return self.differences[[not (math.isinf(a) and math.isinf(b)) for a, b in self.values]]

    @property
    def shift(self) -> float:
        return shift(self.differences)

    @property
    def interval(self) -> tuple[float, float]:
        """The shift's, wide enough for what the evaluations leave open."""
        return interval(self.at_least, INTERVAL_LEVEL)[0], interval(self.at_most, INTERVAL_LEVEL)[1]

    def first(self, num_pairs: int) -> PairedSample:
        return PairedSample(
            values=self.values[:num_pairs],
            differences=self.differences[:num_pairs],
            at_least=self.at_least[:num_pairs],
            at_most=self.at_most[:num_pairs],
        )

    def and_then(self, other: PairedSample) -> PairedSample:
        return PairedSample(
            values=self.values + other.values,
            differences=np.concatenate([self.differences, other.differences]),
            at_least=np.concatenate([self.at_least, other.at_least]),
            at_most=np.concatenate([self.at_most, other.at_most]),
        )


def paired_sample(pairs: Sequence[Pair], metric: str, gate: Gate, stage: Stage) -> PairedSample:
    """Of those pairs of the stage in which both runs have the metric."""
    runs = [
        (pair.a, pair.b)
        for pair in sorted(pairs, key=lambda pair: pair.seed)
        if pair.stage == stage
        if pair.a is not None and pair.b is not None
        if metric in pair.a.values and metric in pair.b.values
    ]
    ends = [(_ends(a, metric, gate), _ends(b, metric, gate)) for a, b in runs]
    return PairedSample(
        values=tuple((a.values[metric], b.values[metric]) for a, b in runs),
        differences=_differences([(_middle(*a, gate), _middle(*b, gate)) for a, b in ends], gate),
        at_least=np.array([_least(a, b, gate) for a, b in ends]),
        at_most=np.array([-_least(b, a, gate) for a, b in ends]),
    )


def _ends(run: Run, metric: str, gate: Gate) -> tuple[float, float]:
    """Between which the value lies, the better one first."""
    value = run.values[metric]
    return run.earliest.get(metric, value), value


def _middle(early: float, late: float, gate: Gate) -> float:
    """Of the logarithms, where it is ratios that count. What began at 0 has no middle: its end stands for it."""
    if early == late or (gate.scale == "ratio" and early == 0):
        return late
    return math.sqrt(early * late) if gate.scale == "ratio" else (early + late) / 2


def _least(a: tuple[float, float], b: tuple[float, float], gate: Gate) -> float:
    """The smallest difference of values between these ends. What may be as early as 0 may be better by any ratio, and
    where neither arm got there either may have been the better one."""
    if math.isinf(a[1]) and math.isinf(b[1]):
        return -math.inf
    if gate.scale == "ratio" and b[0] == 0 < b[1]:
        return -math.inf
    return _difference(a[1], b[0], gate)


def _differences(sides: Sequence[tuple[float, float]], gate: Gate) -> Floats:
    found = np.array([_difference(a, b, gate) for a, b in sides], dtype=np.float64)
    found[np.abs(found) < _EXACT_TOLERANCE] = 0.0
    return found


def _difference(a: float, b: float, gate: Gate) -> float:
    return difference(a, b, better=gate.better, scale=gate.scale)
