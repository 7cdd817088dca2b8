"""Two loops, each in a process of its own, that take turns of 20 ms on one core and count their own time alone.

So both meet the same neighbours and interruptions (harness/timing/turns.py). A pair of fresh processes gives one ratio.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness.check.launching import turn_taker
from harness.launchers.supervisor import RUN_VARIABLE
from harness.timing.turns import TURN_VARIABLE, make_turn_folder, of_environment
from harness.worker import process
from tests.perf.ending import ending_with_parent
from tests.perf.figure import Figure

NUM_PAIRS = 7
SIDES = ("harness", "bare")
PATIENCE_S = 120.0


def compare_in_turns(what: str, module: str, workload: str, *, bar: float) -> Figure:
    """Ratios of the samples/s of the module's `harness(workload, now)` loop to those of its `bare(workload, now)`."""
    ratios = []
    for pair in range(NUM_PAIRS):
        order = SIDES if pair % 2 else SIDES[::-1]
        speeds = _speeds(order, module, workload)
        ratios.append(speeds["harness"] / speeds["bare"])
    return Figure(what=what, values=tuple(ratios), bar=bar)


def _speeds(order: tuple[str, ...], module: str, workload: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as scratch:
        folders = {side: make_turn_folder(Path(scratch) / side) for side in order}
        with turn_taker(list(folders.values()), patience_s=PATIENCE_S), ExitStack() as stack:
            processes = {
                side: stack.enter_context(_started(module, side, workload, folder)) for side, folder in folders.items()
            }
            said = {side: started.communicate() for side, started in processes.items()}
    for side, started in processes.items():
        assert started.returncode == 0, said[side][1].decode(errors="replace")
    return {side: json.loads(output.splitlines()[-1]) for side, (output, _) in said.items()}


@contextmanager
def _started(module: str, side: str, workload: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One side, ended with the block."""
    with subprocess.Popen(
        ending_with_parent([sys.executable, "-m", __name__, module, side, workload]),
        env=os.environ | {RUN_VARIABLE: f"perf-{os.getpid()}-{side}", TURN_VARIABLE: str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def main() -> None:
    """One side."""
    module, side, workload = sys.argv[1:]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    process.prepare(num_threads=1)
    turns = of_environment(run=os.environ[RUN_VARIABLE], patience_s=PATIENCE_S)
    samples_per_s = getattr(importlib.import_module(module), side)(workload, turns.now)
    samples_per_s()  # what happens at first use is not measured
    turns.await_start(rank=0, num_ranks=1)
    speed = samples_per_s()
    turns.done(0)
    print(json.dumps(speed))


if __name__ == "__main__":
    main()
