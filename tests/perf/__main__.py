"""`python -m tests.perf [NAME...]`: a line a figure, its spread, whether its bar holds; half an hour for all."""

from __future__ import annotations

import multiprocessing
import sys

from harness.run.versions import revision
from harness.worker.machine_description import describe_machine
from tests.perf.benchmarks import BENCHMARKS, measure


def main() -> int:
    names = sys.argv[1:] or BENCHMARKS
    for name in names:
        if name not in BENCHMARKS:
            print(f"tests.perf {name}: no such benchmark; allowed: {', '.join(BENCHMARKS)}", file=sys.stderr)
            return 2
    machine = describe_machine()
    print(f"{machine.cpu}, {machine.num_cores} cores, load {machine.load_1min:.1f}, commit {revision()}", flush=True)
    num_missed = 0
    for name in names:
        # A process of its own for each: threads and pinning of one do not reach the next.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            figures = pool.apply(measure, (name,))
        for figure in figures:
            print(figure, flush=True)
            num_missed += not figure.holds
    return 1 if num_missed else 0


if __name__ == "__main__":
    sys.exit(main())
