"""What the harness takes for itself: around a launch, and before the command line answers."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from harness.cell import Cell
from harness.runner import Setting, run_cell
from tests.perf.figure import Figure
from tests.perf.launches import NUM_PAIRS, Silent, scratch_setting


def figures() -> list[Figure]:
    with scratch_setting() as setting:
        return [_share_of_a_launch(setting), _help()]


def _share_of_a_launch(setting: Setting) -> Figure:
    """Seconds of a cell that are neither worker start-up nor training."""
    cell = Cell.model_validate({"workload": "fnn", "strategy": "serial", "epochs": 1})
    seconds = []
    for _ in range(NUM_PAIRS):
        started = time.perf_counter()
        record = run_cell(cell, setting, Silent())
        seconds.append(time.perf_counter() - started - record.wall_s)
    return Figure(what="harness work a cell outside its workers, s", values=tuple(seconds), bar=0.3, at_most=True)


def _help() -> Figure:
    seconds = []
    for _ in range(NUM_PAIRS):
        started = time.perf_counter()
        subprocess.run([Path(sys.executable).parent / "hvdbench", "--help"], capture_output=True, check=True)
        seconds.append(time.perf_counter() - started)
    return Figure(what="hvdbench --help, s", values=tuple(seconds), bar=0.3, at_most=True)
