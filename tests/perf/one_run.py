"""One serial run, alone; prints its samples/s."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.cell import Cell
from harness.launchers.hosts import this_machine
from harness.record import ResultsFolder
from harness.runner import Setting, run_cell
from tests.perf.launches import TRAINING, Silent, samples_per_s_of_a_worker

setting = Setting(suite="perf", folder=ResultsFolder(Path(sys.argv[1])), hosts=this_machine())
print(samples_per_s_of_a_worker(run_cell(Cell.model_validate({**TRAINING, "strategy": "serial"}), setting, Silent())))
