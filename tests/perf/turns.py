"""A strategy and the serial one, taking turns in the same two workers of one launch. Needs two cores.

A machine's speed changes from second to second by more than what is asked about. Turns of a second or two meet the same
machine; launches one after the other do not.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import process, registry
from harness.cell import Cell
from harness.clock import Clock
from harness.fabrics.connection import Connection, place_among_workers
from harness.launchers.command import LaunchCommand, worker_argv
from harness.launchers.hosts import placement, this_machine
from harness.launchers.supervisor import log_tail, supervise
from harness.protocols import Capability
from harness.record import ResultsFolder
from harness.run_files import CELL_FILE, write_atomically
from harness.run_folder import run_folder
from harness.worker import die_with_parent
from tests.perf.figure import Figure
from tests.perf.harness_loop import NUM_PAIRS, harness_loop

FIELDS: dict[str, Any] = {"workload": "cnn", "dataset": "digits", "evaluations": 0, "workers": 2}
TIME_LIMIT_S = 900.0


def figures() -> list[Figure]:
    return [
        *(
            _figure(
                f"cnn, torch, 2 workers, batches of {batch_size}: hogwild over serial",
                {"strategy": "hogwild", "batch_size": batch_size},
                bar=0.95,
            )
            for batch_size in (64, 16)
        ),
        *(
            _figure(
                f"cnn, {framework}, a worker of delayed-averaging (MPI, period {period}) over serial",
                {
                    "framework": framework,
                    "strategy": {"name": "delayed-averaging", "period": period},
                    "controller": "mpi",
                    "batch_size": 64,
                },
                bar=0.9,
            )
            for framework in ("torch", "tensorflow")
            for period in (4, 16)
        ),
    ]


def _figure(what: str, fields: dict[str, Any], *, bar: float) -> Figure:
    """Ratios of a worker's samples/s in the strategy's turns to that in serial turns.

    Where workers wait for one another, each serial turn has the machine to itself; where they do not, all train at once
    in both: the machine is as busy.
    """
    cell = Cell.model_validate(FIELDS | fields)
    with tempfile.TemporaryDirectory() as scratch, run_folder(ResultsFolder(Path(scratch))) as run_dir:
        (run_dir / CELL_FILE).write_text(cell.model_dump_json())
        launcher = registry.load(registry.LAUNCHERS[cell.needs, cell.framework])()
        commands = launcher.commands(cell, placement(cell, this_machine()), run_dir, [])
        outcome = supervise(
            [_of_this_program(command, run_dir) for command in commands],
            run_dir,
            time_limit_s=TIME_LIMIT_S,
            watch=lambda: None,
        )
        assert outcome.exit_code == 0, log_tail(run_dir)
        told = [json.loads(_speeds_path(run_dir, rank).read_text()) for rank in range(cell.workers)]
    turns = zip(*told, strict=True)  # one item a pair of turns: every worker's two speeds
    ratios = tuple(statistics.mean(a for a, _ in turn) / statistics.mean(b for _, b in turn) for turn in turns)
    return Figure(what=what, values=ratios, bar=bar)


def _of_this_program(command: LaunchCommand, run_dir: Path) -> LaunchCommand:
    worker = worker_argv(run_dir)
    assert command.argv[-len(worker) :] == worker, command.argv
    return replace(command, argv=[*command.argv[: -len(worker)], sys.executable, "-m", __name__, str(run_dir)])


def _speeds_path(run_dir: Path, rank: int) -> Path:
    return run_dir / f"speeds-{rank}.json"


def take_turns(run_dir: Path) -> None:
    """One worker's side."""
    die_with_parent(run_dir)
    place = place_among_workers(os.environ)
    assert place is not None
    rank, size, local_rank, local_size = place
    cell = Cell.model_validate_json((run_dir / CELL_FILE).read_text())
    assert process.pin(local_rank, local_size, cell.threads), "needs a core a worker"
    process.prepare(num_threads=cell.threads)
    registry.load(registry.PREPARATIONS[cell.framework])(num_threads=cell.threads)
    connection = Connection(rank=rank, size=size, local_rank=local_rank, local_size=local_size, run_dir=run_dir)
    fabric = registry.load(registry.FABRICS[cell.needs, cell.framework])(cell, connection, Clock(window_steps=1))
    ours = harness_loop(cell, fabric)
    alone = harness_loop(Cell.model_validate(cell.model_dump() | {"strategy": "serial", "options": {}, "workers": 1}))
    waits = cell.needs == Capability.COLLECTIVE

    def serial() -> float:
        speed = 0.0
        for turn in range(size if waits else 1):
            fabric.barrier()
            if turn == rank or not waits:
                speed = alone()
        return speed

    def strategy() -> float:
        fabric.barrier()
        return ours()

    strategy(), serial()
    speeds = []
    for pair in range(NUM_PAIRS):
        if pair % 2:
            second = serial()
            speeds.append((strategy(), second))
        else:
            speeds.append((strategy(), serial()))
    fabric.barrier()
    write_atomically(_speeds_path(run_dir, rank), json.dumps(speeds))


if __name__ == "__main__":
    take_turns(Path(sys.argv[1]))
