"""The regression check's own speed: the decision, and an A/A check of the smoke suite with all its launches.

`python -m tests.perf.checks` for the decision alone, `python -m tests.perf.checks --smoke` for both (five minutes).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

from harness.check.arms import parse_arm, ready
from harness.check.decision import decide
from harness.check.live import prepare, run_check
from harness.check.show import watching_pairs
from harness.stopwatch import Stopwatch
from harness.suite import Suite
from tests.check.test_false_alarms import NUM_CELLS, NUM_PAIRS, SETTINGS, simulated_suite
from tests.perf.reports import Bar

DECISION_LIMIT_S, SMOKE_LIMIT_S = 2.0, 300.0
NUM_DECISIONS = 7
ROOT = Path(__file__).resolve().parents[2]


def decision() -> Bar:
    """8 cells × 5 metrics × 24 pairs, one of them slower."""
    observed = simulated_suite(np.random.default_rng(0), 0.10)
    taken_s = []
    for _ in range(NUM_DECISIONS):
        watch = Stopwatch()
        decide(observed, SETTINGS, suite="perf", arm_a="a", arm_b="b")
        taken_s.append(watch.elapsed_s())
    name = f"decision over {5 * NUM_CELLS} comparisons × {NUM_PAIRS} pairs"
    return Bar(name=name, value=statistics.median(taken_s), limit=DECISION_LIMIT_S, unit="s")


def smoke() -> Bar:
    """From nothing to the verdict, start-ups and worktree included."""
    suite = Suite.load(ROOT / "suites" / "smoke.yaml")
    specs = (parse_arm("ref=HEAD"), parse_arm("ref=HEAD"))
    with tempfile.TemporaryDirectory() as scratch:
        watch = Stopwatch()
        with ready(specs) as arms, watching_pairs() as watcher:
            run_check(prepare(suite, arms, Path(scratch)), watcher)
        return Bar(name="A/A check of the smoke suite", value=watch.elapsed_s(), limit=SMOKE_LIMIT_S, unit="s")


def main() -> int:
    bars = [decision(), *([smoke()] if "--smoke" in sys.argv[1:] else [])]
    for bar in bars:
        print(bar, flush=True)
    return 0 if all(bar.holds for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
