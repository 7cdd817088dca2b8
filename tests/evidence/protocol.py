"""What is recorded: the same arm twice, at rest and under load, and one arm with a fault put in. Resumable.

Each recording is a check of its own, kept as pairs like any other, so an interrupted protocol goes on where it was.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.check.arms import Arm, parse_arm, ready
from harness.check.live import Check, PairWatcher, observe, prepare, record_pairs, run_check
from harness.check.observed import Observed
from harness.check.verdict import Verdict
from harness.suite.cell import Cell
from harness.suite.gates import DEFAULT_GATES, CheckSettings
from harness.suite.injection import Injection
from harness.suite.suite import Suite

NUM_PAIRS = 24  # of a fault: what a flagged cell gets, screening and confirming
BALLAST_BYTES = 64 * 1024**2

# Two seconds of training beside three to five of starting up, and targets in the steep part of their curves.
ALONE = Cell(workload="fnn", dataset="signals", strategy="serial")
TOGETHER = Cell(workload="cnn", strategy="allreduce-flat", workers=2, batch_size=64, epochs=20, target=0.9)
CELLS = (ALONE, TOGETHER)
SETTINGS = CheckSettings()


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A change that a check should find, or rightly pass over."""

    name: str
    cell: Cell
    injection: Injection
    into_a: bool = False  # into the baseline: then B is the better one


SLOWDOWNS = (0.03, 0.05, 0.10, 0.20)
FAULTS = (
    *(Fault(name=f"slower by {share:.0%}", cell=ALONE, injection=Injection(slowdown=share)) for share in SLOWDOWNS),
    Fault(name="doubled traffic", cell=TOGETHER, injection=Injection(doubled_traffic=True)),
    Fault(name="64 MiB of ballast", cell=ALONE, injection=Injection(ballast_bytes=BALLAST_BYTES)),
    Fault(name="3 points less accurate", cell=ALONE, injection=Injection(score_drop=0.03)),
    Fault(name="crash half-way", cell=ALONE, injection=Injection(crash_at=0.5)),
    Fault(name="faster by 10 %", cell=ALONE, injection=Injection(slowdown=0.11), into_a=True),
)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """All that was recorded, and what the check itself said live."""

    at_rest: tuple[tuple[Verdict, Observed], ...]
    loaded: tuple[tuple[Verdict, Observed], ...]
    faults: Mapping[str, Observed]


def suite_of(*cells: Cell) -> Suite:
    return Suite(name="evidence", question="-", repeats=1, time_budget_s=None, check=SETTINGS, cells=cells)


def record_all(
    results: Path,
    watcher: PairWatcher,
    *,
    num_at_rest: int,
    num_loaded: int,
    num_fault_pairs: int,
    faults: tuple[Fault, ...],
) -> Recorded:
    """Records what is missing of the protocol."""
    here = parse_arm("here")
    with ready((here, here)) as arms:

        def same_arm_twice(attempt: str) -> tuple[Verdict, Observed]:
            check = prepare(suite_of(*CELLS), arms, results, attempt=attempt)
            return run_check(check, watcher), observe(check)

        seen = {fault.name: record_fault(fault, arms, results, watcher, num_fault_pairs) for fault in faults}
        with one_core_busy(num_loaded > 0):
            loaded = tuple(same_arm_twice(f"loaded {number}") for number in range(num_loaded))
        at_rest = tuple(same_arm_twice(f"at rest {number}") for number in range(num_at_rest))  # last: more can follow
    return Recorded(at_rest=at_rest, loaded=loaded, faults=seen)


def record_fault(fault: Fault, arms: tuple[Arm, Arm], results: Path, watcher: PairWatcher, num_pairs: int) -> Observed:
    faulty = {fault.cell.group: fault.injection}
    a, b = arms
    chosen = (replace(a, injections=faulty), b) if fault.into_a else (a, replace(b, injections=faulty))
    check: Check = prepare(suite_of(fault.cell), chosen, results, attempt=fault.name)
    return record_pairs(check, range(num_pairs), watcher)


@contextmanager
def one_core_busy(wanted: bool) -> Iterator[None]:
    """A process that computes on the first core for as long as this one lives, as a neighbour on a machine does."""
    if not wanted:
        yield
        return
    burn = (
        "import os\nparent = os.getppid()\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "while os.getppid() == parent: sum(range(100_000))"
    )
    process = subprocess.Popen([sys.executable, "-c", burn])
    try:
        yield
    finally:
        process.kill()
        process.wait()


METRICS = tuple(name for name, gate in DEFAULT_GATES.items() if gate.gated)
