"""The host runs ahead of the device: inside a window nothing waits for it, in any strategy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.worker.training import PROGRESS_EVERY_S
from tests.gpu.launched import in_words, launched
from tests.gpu.profiled import STEP, TRACE_VARIABLE
from tests.gpu.trace import fences_inside, num_fences, num_spans

pytestmark = pytest.mark.gpu

PROFILED = Path(__file__).with_name("profiled.py")


@pytest.mark.parametrize("strategy", ["Serial", "Allreduce", "AllreduceFlat", "DelayedAveraging"])
def test_nothing_waits_for_the_device_inside_a_window(tmp_path: Path, strategy: str) -> None:
    trace = tmp_path / "trace.json"
    cell = {"workload": "cnn", "dataset": "digits", "device": "gpu", "epochs": 2, "evaluations": 3}
    (record,) = launched(tmp_path, {**cell, "strategy": f"{PROFILED}:{strategy}"}, environ={TRACE_VARIABLE: str(trace)})
    assert in_words(record) == ""
    events = json.loads(trace.read_text())["traceEvents"]
    (worker,) = record.workers
    assert num_spans(events, STEP) == sum(window.num_steps for window in worker.windows)
    assert fences_inside(events, STEP) == {}
    # One fence ends each window, one a second is for who watches, and the profiler's own begin and end it.
    print(f"{strategy}: {num_fences(events)} fences, {len(worker.windows)} windows in {worker.train_s:.2f} s")
    assert num_fences(events) <= len(worker.windows) + worker.train_s / PROGRESS_EVERY_S + 2
