"""Simulated suites for the rule: 8 cells × 5 metrics, lognormal noise of 1 to 5 %, 5 % slow outliers, drift.

One metric of one cell is slowed. `python -m tests.check.simulation` prints the shares over 400 suites.
"""

from __future__ import annotations

import numpy as np

from harness.check.decision import convicted
from harness.check.observed import Observed, Pair, Run, Stage
from harness.suite.gates import DEFAULT_GATES, CheckSettings, Gate

NUM_SUITES = 400
SLOWDOWNS = (0.03, 0.05, 0.10, 0.20)
METRICS = {name: Gate(better="lower") for name in list(DEFAULT_GATES)[:5]}
SETTINGS = CheckSettings(metrics={**DEFAULT_GATES, **METRICS})
NUM_CELLS, NUM_PAIRS = 8, 24
SLOWED = "0"


def simulated_suite(rng: np.random.Generator, slowdown: float) -> Observed:
    """Values are times; both runs of a pair share the drift, each has noise and outliers of its own."""
    sd = rng.uniform(0.01, 0.05, (NUM_CELLS, 5))
    shape = (NUM_PAIRS, NUM_CELLS, 5, 2)
    drift = np.cumsum(rng.normal(0, 0.005, (NUM_PAIRS, 1, 1, 1)), axis=0)
    slow = np.where(rng.random(shape) < 0.05, 1 + rng.exponential(0.15, shape), 1.0)
    times = np.exp(rng.normal(0, 1, shape) * sd[None, :, :, None] + drift) * slow
    times[:, int(SLOWED), 0, 1] *= 1 + slowdown
    pairs = tuple(
        Pair(
            group=str(cell),
            seed=seed,
            stage=Stage.SCREEN if seed < 8 else Stage.CONFIRM,
            a=Run(values=dict(zip(METRICS, times[seed, cell, :, 0], strict=True))),
            b=Run(values=dict(zip(METRICS, times[seed, cell, :, 1], strict=True))),
        )
        for seed in range(NUM_PAIRS)
        for cell in range(NUM_CELLS)
    )
    return Observed(titles={str(cell): str(cell) for cell in range(NUM_CELLS)}, pairs=pairs)


def convictions(slowdown: float, repetitions: int, seed: int) -> list[set[str]]:
    rng = np.random.default_rng(seed)
    return [{group for group, _ in convicted(simulated_suite(rng, slowdown), SETTINGS)} for _ in range(repetitions)]


def main() -> None:
    alarms = np.mean([bool(groups) for groups in convictions(0.0, NUM_SUITES, seed=1)])
    print(f"{NUM_SUITES} suites each; false alarms: {alarms:.1%}")
    for slowdown in SLOWDOWNS:
        found = np.mean([SLOWED in groups for groups in convictions(slowdown, NUM_SUITES, seed=2)])
        print(f"slowed by {slowdown:.0%}: found in {found:.1%}")


if __name__ == "__main__":
    main()
