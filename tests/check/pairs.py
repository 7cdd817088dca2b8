"""Pairs with known differences, and what a check concludes of them, for the tests of the rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from harness.check.decision import decide
from harness.check.observed import Observed, Pair, Run, Stage
from harness.check.verdict import MetricComparison, Verdict
from harness.suite.gates import CheckSettings

SETTINGS = CheckSettings()
REACHED = {"throughput": 1000.0, "target_reached": 1.0, "time_to_target": 2.0, "final_score": 0.97}
LOST = {"throughput": 1000.0, "target_reached": 0.0, "time_to_target": math.inf, "final_score": 0.95}


def run(**values: Any) -> Run:
    return Run(values={name.strip(): float(value) for name, value in values.items()})


def observed(cells: Any) -> Observed:
    """From {group: [(a, b), ...]}, each a dict of values, a Run or None: the first 8 pairs screen, the rest confirm."""
    pairs = []
    for group, sides in cells.items():
        for seed, (a, b) in enumerate(sides):
            stage = Stage.SCREEN if seed < 8 else Stage.CONFIRM
            made = [Run(values=side) if isinstance(side, dict) else side for side in (a, b)]
            pairs.append(Pair(group=group, seed=seed, stage=stage, a=made[0], b=made[1]))
    return Observed(titles={group: f"cell {group}" for group in cells}, pairs=tuple(pairs))


def noisy_throughput(
    num_pairs: int, *, slowdown: float = 0.0, sd: float = 0.01, seed: int = 0, base: float = 1000.0
) -> list[Any]:
    """Pairs of runs with lognormal noise, the second slower by that share."""
    rng = np.random.default_rng(seed)
    noise = np.exp(rng.normal(0, sd, (num_pairs, 2)))
    return [({"throughput": base * x}, {"throughput": base * y / (1 + slowdown)}) for x, y in noise]


def verdict_of(cells: Any, settings: CheckSettings = SETTINGS, **more: Any) -> Verdict:
    return decide(observed(cells), settings, suite="s", arm_a="a", arm_b="b", **more)


def only_comparison(verdict: Verdict, metric: str = "throughput") -> MetricComparison:
    return next(c for _, c in verdict.comparisons if c.metric == metric)
