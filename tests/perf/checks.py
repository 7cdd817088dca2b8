"""The regression check's own speed: the decision, and an A/A check of the smoke suite with all its launches."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from harness.check.arms import parse_arm, ready
from harness.check.decision import decide
from harness.check.live import prepare, run_check
from harness.check.show import watching_pairs
from harness.suite.suite import Suite
from harness.timing.stopwatch import Stopwatch
from tests.check.simulation import NUM_CELLS, NUM_PAIRS, SETTINGS, simulated_suite
from tests.perf.figure import Figure

DECISION_LIMIT_S, SMOKE_LIMIT_S = 2.0, 300.0
NUM_DECISIONS = 7
ROOT = Path(__file__).resolve().parents[2]


def figures() -> list[Figure]:
    return [_decision(), _smoke()]


def _decision() -> Figure:
    """8 cells × 5 metrics × 24 pairs, one of them slower."""
    observed = simulated_suite(np.random.default_rng(0), 0.10)
    taken_s = []
    for _ in range(NUM_DECISIONS):
        watch = Stopwatch()
        decide(observed, SETTINGS, suite="perf", arm_a="a", arm_b="b")
        taken_s.append(watch.elapsed_s())
    what = f"decision over {5 * NUM_CELLS} comparisons × {NUM_PAIRS} pairs, s"
    return Figure(what=what, values=tuple(taken_s), bar=DECISION_LIMIT_S, at_most=True)


def _smoke() -> Figure:
    """From nothing to the verdict, start-ups and worktree included."""
    suite = Suite.load(ROOT / "suites" / "smoke.yaml")
    specs = (parse_arm("ref=HEAD"), parse_arm("ref=HEAD"))
    with tempfile.TemporaryDirectory() as scratch:
        watch = Stopwatch()
        with ready(specs) as arms, watching_pairs(suite.cells) as watcher:
            run_check(prepare(suite, arms, Path(scratch)), watcher)
        taken_s = watch.elapsed_s()
    return Figure(what="A/A check of the smoke suite, s", values=(taken_s,), bar=SMOKE_LIMIT_S, at_most=True)
