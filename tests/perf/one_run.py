"""One serial run, alone, of the fields given as JSON; prints its samples/s."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.cell import Cell
from harness.launchers.hosts import this_machine
from harness.record import ResultsFolder
from harness.runner import Setting, run_cell
from tests.perf.launches import Silent, samples_per_s_of_a_worker

setting = Setting(suite="perf", folder=ResultsFolder(Path(sys.argv[1])), hosts=this_machine())
cell = Cell.model_validate({**json.loads(sys.argv[2]), "strategy": "serial"})
print(samples_per_s_of_a_worker(run_cell(cell, setting, Silent())))
