"""A finished record to change in tests; its numbers are small and all different."""

from __future__ import annotations

import secrets
from typing import Any

from harness.records.record import Point, Record, Window, WorkerPart
from harness.run.versions import installed_versions
from harness.suite.cell import Cell
from harness.worker.machine_description import describe_machine

FNN = {"workload": "fnn", "strategy": "serial"}


def finished(cell: Cell | None = None, **changes: Any) -> Record:
    cell = cell or Cell.model_validate(FNN)
    window = Window(
        start_s=0.0,
        end_s=2.0,
        num_steps=4,
        num_samples=128,
        loss=0.5,
        loader_s=0.25,
        exposed_s=0.125,
        bytes_sent=1000,
        step_p50_s=0.4,
        step_p95_s=0.7,
        step_max_s=0.8,
    )
    part = WorkerPart(
        rank=0,
        cores=[0],
        startup_s={"import": 1.0},
        windows=[window],
        snapshots_s=[2.0],
        train_s=2.0,
        cpu_s=1.5,
        peak_rss_bytes=10**8,
        settings={},
    )
    fields: dict[str, Any] = {
        "id": secrets.token_hex(6),
        "suite": "a",
        "cell": cell.stored(),
        "status": "ok",
        "reason": None,
        "log_tail": None,
        "started_at": "2026-01-02T03:04:05.678+00:00",
        "wall_s": 4.0,
        "launcher": "processes",
        "command": ["python", "-m", "harness.worker.worker"],
        "evaluated_model": cell.evaluated_model,
        "num_parameters": 50826,
        "weights_sha256": "0" * 64,
        "curve": [Point(step=4, num_samples=128, time_s=2.0, evaluation_s=0.01, loss=0.5, score=0.75)],
        "workers": [part],
        "machine": describe_machine(),
        "versions": installed_versions(),
        "revision": None,
    }
    return Record(**{**fields, **changes})
