"""Launches on one GPU: every strategy whose workers may have one, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.records.record import Record
from tests.gpu.launched import ON_GPU, in_words, launched, run

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(240)]  # the first test has to wait for all launches

COLLECTIVE = ("allreduce", "allreduce-flat", "local-sgd", "post-local-sgd", "slow-momentum", "delayed-averaging")
WORKLOADS = {  # how long each trains
    "fnn": {"dataset": "digits", "epochs": 5},
    "rnn": {"dataset": "digits", "epochs": 5},
    "lm-lstm": {"epochs": 1},
    "lm-transformer": {"epochs": 1},
    "mf": {"epochs": 1},
    "actor-critic": {"samples": 20_000},
}
TWO_WORKERS = {**ON_GPU, "strategy": "allreduce-flat", "workers": 2}

Records = dict[tuple[str, str], Record]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Records:
    """By strategy and precision."""
    made = launched(
        tmp_path_factory.mktemp("launches"),
        {**ON_GPU, "strategy": ["serial", *COLLECTIVE, "torch-ddp"], "controller": "gloo"},
        {**ON_GPU, "strategy": ["serial", "allreduce"], "precision": "bf16"},
    )
    return {(record.cell["strategy"], record.cell["precision"]): record for record in made}


@pytest.fixture(scope="module")
def workload_records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    """One short launch of each, on its usual data."""
    made = launched(tmp_path_factory.mktemp("workloads"), *map(short_cell, WORKLOADS))
    return {record.cell["workload"]: record for record in made}


def short_cell(workload: str) -> dict[str, object]:
    return {"workload": workload, "strategy": "serial", "device": "gpu", "evaluations": 3, **WORKLOADS[workload]}


@pytest.mark.parametrize("strategy", [*COLLECTIVE, "torch-ddp"])
def test_one_worker_of_a_strategy_learns_what_serial_learns(records: Records, strategy: str) -> None:
    assert score(records, "serial") > 0.9
    assert score(records, strategy) == pytest.approx(score(records, "serial"), abs=0.03)  # eleven digits of 360


@pytest.mark.parametrize("strategy", ["serial", "allreduce"])
def test_bf16_learns_what_float32_learns(records: Records, strategy: str) -> None:
    assert score(records, strategy, "bf16") == pytest.approx(score(records, strategy), abs=0.03)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_workload_trains_on_a_gpu(workload_records: dict[str, Record], workload: str) -> None:
    record = workload_records[workload]
    assert in_words(record) == ""
    first, *_, last = record.curve
    print(f"{workload}: {first.loss:.4f} to {last.loss:.4f}, {record.wall_s:.1f} s")
    assert record.workers[0].gpu_memory_bytes > 0
    assert last.loss < first.loss or workload == "actor-critic"  # whose loss is of the games that it plays


def score(records: Records, strategy: str, precision: str = "float32") -> float:
    """At the end of a launch that ended well."""
    record = records[strategy, precision]
    assert in_words(record) == ""
    print(f"{strategy} in {precision}: accuracy {record.curve[-1].score:.4f}, launch {record.wall_s:.1f} s")
    return record.curve[-1].score


def test_record_says_what_it_was_computed_with(records: Records) -> None:
    for record in records.values():
        assert "NVIDIA" in record.machine.gpus[0]
        assert "nvidia-driver" in record.versions
        (worker,) = record.workers
        assert worker.settings["gpu"] == record.machine.gpus[0]
        assert worker.settings["tf32"] == "off"
        assert worker.settings["driver"] == record.versions["nvidia-driver"]
        assert {"cuda", "cudnn", "cudnn.autotune", "step_times"} <= worker.settings.keys()


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
