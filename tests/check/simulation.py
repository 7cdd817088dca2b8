"""Simulated suites for the rule: 8 cells × 5 metrics, lognormal noise of 1 to 5 %, 5 % slow outliers, drift.

One metric of one cell is slowed. `python -m tests.check.simulation` prints the shares over 400 suites.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.check.observed import Observed, Pair, Run, Stage
from harness.check.sequential import compare_all, convicted
from harness.suite.gates import DEFAULT_GATES, CheckSettings, Gate

NUM_SUITES = 400
SLOWDOWNS = (0.03, 0.05, 0.10, 0.20)
# All but the one that is 1 or 0, of which a single worse pair counts.
METRICS = {name: Gate(better="lower") for name in DEFAULT_GATES if name not in ("target_reached", "scaling_efficiency")}
SETTINGS = CheckSettings(metrics={**DEFAULT_GATES, **METRICS})
NUM_CELLS, NUM_PAIRS = 8, SETTINGS.screen_pairs + SETTINGS.confirm_pairs
SLOWED, SLOWED_METRIC = "0", next(iter(METRICS))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the rule says of one suite."""

    convicted: frozenset[str]  # groups
    num_inconclusive: int  # comparisons
    clears_slowed: bool
    pairs_a_cell: float


def simulated_suite(
    rng: np.random.Generator, slowdown: float, noise: tuple[float, float] = (0.01, 0.05), outliers: float = 0.05
) -> Observed:
    """Values are times; both runs of a pair share the drift, each has noise and outliers of its own."""
    sd = rng.uniform(*noise, (NUM_CELLS, 5))
    shape = (NUM_PAIRS, NUM_CELLS, 5, 2)
    drift = np.cumsum(rng.normal(0, 0.005, (NUM_PAIRS, 1, 1, 1)), axis=0)
    slow = np.where(rng.random(shape) < outliers, 1 + rng.exponential(0.15, shape), 1.0)
    times = np.exp(rng.normal(0, 1, shape) * sd[None, :, :, None] + drift) * slow
    times[:, int(SLOWED), 0, 1] *= 1 + slowdown
    pairs = tuple(
        Pair(
            group=str(cell),
            seed=seed,
            stage=Stage.SCREEN if seed < SETTINGS.screen_pairs else Stage.CONFIRM,
            a=Run(values=dict(zip(METRICS, times[seed, cell, :, 0], strict=True))),
            b=Run(values=dict(zip(METRICS, times[seed, cell, :, 1], strict=True))),
        )
        for seed in range(NUM_PAIRS)
        for cell in range(NUM_CELLS)
    )
    return Observed(titles={str(cell): str(cell) for cell in range(NUM_CELLS)}, pairs=pairs)


def answer(observed: Observed) -> Answer:
    """Of a suite of which all pairs are there, as if they had been run one after the other."""
    compared = compare_all(observed, SETTINGS)
    found = convicted(compared)
    cleared = {(each.group, each.metric) for each in compared if each.num_to_clear is not None}
    fresh = dict.fromkeys(observed.titles, 0)
    for each in compared:
        if each.was_open:
            needed = SETTINGS.confirm_pairs if each.num_to_clear is None else each.num_to_clear
            fresh[each.group] = max(fresh[each.group], needed)
    return Answer(
        convicted=frozenset(group for group, _ in found),
        num_inconclusive=len(compared) - len(found) - len(cleared),
        clears_slowed=(SLOWED, SLOWED_METRIC) in cleared,
        pairs_a_cell=SETTINGS.screen_pairs + float(np.mean(list(fresh.values()))),
    )


def answers(slowdown: float, repetitions: int, seed: int, **spread: Any) -> list[Answer]:
    rng = np.random.default_rng(seed)
    return [answer(simulated_suite(rng, slowdown, **spread)) for _ in range(repetitions)]


def main() -> None:
    unchanged = answers(0.0, NUM_SUITES, seed=1)
    alarms = np.mean([bool(each.convicted) for each in unchanged])
    open_ended = np.mean([each.num_inconclusive for each in unchanged]) / (5 * NUM_CELLS)
    pairs = np.mean([each.pairs_a_cell for each in unchanged])
    print(f"{NUM_SUITES} suites each; false alarms: {alarms:.1%}")
    print(f"of unchanged comparisons {open_ended:.2%} inconclusive, after {pairs:.1f} pairs a cell")
    for slowdown in SLOWDOWNS:
        seen = answers(slowdown, NUM_SUITES, seed=2)
        found = np.mean([SLOWED in each.convicted for each in seen])
        cleared = np.mean([each.clears_slowed for each in seen])
        print(f"slowed by {slowdown:.0%}: found in {found:.1%}, called fine in {cleared:.1%}")


if __name__ == "__main__":
    main()
