"""`python -m tests.perf [NAME...]`: a line a figure, its spread, whether its bar holds; an hour and a half for all."""

from __future__ import annotations

import subprocess
import sys

from harness.run.versions import revision
from harness.worker.machine_description import describe_machine
from tests.perf.benchmarks import BENCHMARKS, EXIT_MISSED
from tests.perf.ending import ending_with_parent


def main() -> int:
    names = sys.argv[1:] or BENCHMARKS
    for name in names:
        if name not in BENCHMARKS:
            print(f"tests.perf {name}: no such benchmark; allowed: {', '.join(BENCHMARKS)}", file=sys.stderr)
            return 2
    machine = describe_machine()
    print(f"{machine.cpu}, {machine.num_cores} cores, load {machine.load_1min:.1f}, commit {revision()}", flush=True)
    has_missed = False
    for name in names:
        exit_code = _measured_apart(name)
        if exit_code not in (0, EXIT_MISSED):
            return exit_code
        has_missed |= exit_code == EXIT_MISSED
    return 1 if has_missed else 0


def _measured_apart(name: str) -> int:
    """The exit code of a process of its own: threads and pinning of one benchmark do not reach the next."""
    command = [sys.executable, "-m", "tests.perf.benchmarks", name]
    with subprocess.Popen(ending_with_parent(command, by="TERM")) as measuring:
        return measuring.wait()


if __name__ == "__main__":
    sys.exit(main())
