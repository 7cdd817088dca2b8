"""`python -m tests.perf [loops] [launches]`: one line a ratio, its spread, and whether its bar holds."""

from __future__ import annotations

import multiprocessing
import sys

from harness.machine import describe_machine, revision
from tests.perf import launches, loops
from tests.perf.pairs import Ratio

BENCHMARKS = {"loops": loops.ratios, "launches": launches.ratios}


def main() -> int:
    machine = describe_machine()
    print(f"{machine.cpu}, {machine.num_cores} cores, load {machine.load_1min:.1f}, commit {revision()}", flush=True)
    missed = 0
    for name in sys.argv[1:] or BENCHMARKS:
        # A process of its own for each: threads and pinning of one do not reach the next.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            results: list[Ratio] = pool.apply(BENCHMARKS[name])
        for ratio in results:
            print(ratio, flush=True)
            missed += not ratio.holds
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
