"""A run's own account of its waiting against Horovod's timeline of the same run."""

from __future__ import annotations

import itertools
import json

from harness.launchers.hosts import this_machine
from harness.records.results_folder import ResultsFolder
from harness.run.runner import Setting, run_cell
from harness.suite.cell import Cell
from harness.worker.training import NUM_AVERAGES_ALONE, WARMUP_STEPS


class Unwatched:
    def cell_started(self, cell): ...
    def cell_progress(self, share, samples_per_s, loss): ...
    def cell_ended(self, record): ...


def durations_s(timeline, tensor):
    """From the first rank's wish to the end, of each average of this tensor in order.

    The last averages may be missing: Horovod writes the file in a thread, which drops what is still queued at the end.
    """
    events = json.loads(timeline.read_text().rstrip().rstrip(",").removesuffix("]") + "]")
    pids = {event["pid"] for event in events if event.get("args", {}).get("name") == tensor}
    of_tensor = [event for event in events if event.get("pid") in pids and event["ph"] in "BE"]
    durations, open_phases, wished_us = [], [], 0.0
    for event in of_tensor:
        if event["ph"] == "B":
            open_phases.append(event["name"])
            wished_us = event["ts"] if event["name"].startswith("NEGOTIATE") else wished_us
        elif open_phases.pop() == "ALLREDUCE":
            durations.append((event["ts"] - wished_us) / 1e6)
    return durations


def test_exposed_time_agrees_with_horovods_timeline(tmp_path, monkeypatch):
    timeline = tmp_path / "timeline.json"
    monkeypatch.setenv("HOROVOD_TIMELINE", str(timeline))
    cell = Cell.model_validate({"workload": "cnn", "strategy": "allreduce-flat", "workers": 2, "epochs": 2.0})
    folder = ResultsFolder(tmp_path / "results")
    folder.path.mkdir()
    record = run_cell(cell, Setting(suite="timeline", folder=folder, hosts=this_machine()), Unwatched())
    assert record.status == "ok", record.log_tail
    num_steps = record.curve[-1].step
    found = durations_s(timeline, f"allreduce.mean_{record.vector_size}")
    num_before = WARMUP_STEPS + 1  # and one average by itself
    num_of_run = num_before + num_steps
    assert num_of_run <= len(found) <= num_of_run + 1 + NUM_AVERAGES_ALONE
    told_s = sum(itertools.islice(found, num_before, num_of_run))
    exposed_s = [sum(window.exposed_s for window in part.windows) for part in record.workers]
    # For each average somebody waited from the first wish to the end, and nobody but while it trained. How much longer
    # than Horovod says one waited is up to who else wants the core.
    assert sum(exposed_s) >= told_s
    assert all(window.exposed_s <= window.end_s - window.start_s for part in record.workers for window in part.windows)
