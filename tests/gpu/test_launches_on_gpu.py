"""Launches on one GPU: every workload, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.records.record import Record
from tests.gpu.launched import ON_GPU, in_words, launched, run

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(240)]  # the first test has to wait for all launches

WORKLOADS = {  # how long each trains
    "fnn": {"dataset": "digits", "epochs": 5},
    "rnn": {"dataset": "digits", "epochs": 5},
    "lm-lstm": {"epochs": 1},
    "lm-transformer": {"epochs": 1},
    "mf": {"epochs": 1},
    "actor-critic": {"samples": 20_000},
}
TWO_WORKERS = {**ON_GPU, "strategy": "allreduce-flat", "workers": 2}


@pytest.fixture(scope="module")
def workload_records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    """One short launch of each, on its usual data."""
    made = launched(tmp_path_factory.mktemp("workloads"), *map(short_cell, WORKLOADS))
    return {record.cell["workload"]: record for record in made}


def short_cell(workload: str) -> dict[str, object]:
    return {"workload": workload, "strategy": "serial", "device": "gpu", "evaluations": 3, **WORKLOADS[workload]}


@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_workload_trains_on_a_gpu(workload_records: dict[str, Record], workload: str) -> None:
    record = workload_records[workload]
    assert in_words(record) == ""
    first, *_, last = record.curve
    print(f"{workload}: {first.loss:.4f} to {last.loss:.4f}, {record.wall_s:.1f} s")
    assert record.workers[0].gpu_memory_bytes > 0
    assert last.loss < first.loss or workload == "actor-critic"  # whose loss is of the games that it plays


def test_shared_weights_are_refused_on_a_gpu(tmp_path: Path) -> None:
    """Processes could share them by CUDA IPC, but their kernels take turns: what is Hogwild's, races, is not there."""
    code, _, errors = run(tmp_path, {**ON_GPU, "strategy": "hogwild", "workers": 2})
    assert code == 2
    assert "device: gpu with strategy hogwild" in errors
    assert "allowed: cpu, since a GPU does one after another what several workers ask of it" in errors


@pytest.mark.parametrize(("visible", "found"), [("", "0 GPUs, CUDA_VISIBLE_DEVICES hides"), (None, "1 GPU")])
def test_more_workers_than_gpus_are_refused(tmp_path: Path, visible: str | None, found: str) -> None:
    shown = first_gpu() if visible is None else visible
    code, _, errors = run(tmp_path, TWO_WORKERS, environ={"CUDA_VISIBLE_DEVICES": shown})
    assert code == 2
    assert f"device: gpu with 2 workers on a host; this one has {found}" in errors


def first_gpu() -> str:
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
