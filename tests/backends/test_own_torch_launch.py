"""A user's own file through real launches: each strategy trains it, and what it says of itself holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.extensions import WORKLOADS, code_digest
from harness.launchers.hosts import Host
from harness.records.record import Record
from harness.records.results_folder import ResultsFolder
from harness.run.runner import Setting, run_cell
from harness.suite.cell import Cell
from harness.workloads import ACCURACY

OWN = """
import torch
from torch import nn

from harness.workloads import TorchWorkload
from harness.workloads.data import load_digits


def make():
    digits = load_digits()
    train, test = (
        (torch.from_numpy(split.inputs), torch.from_numpy(split.targets)) for split in (digits.train, digits.test)
    )
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)
    )
    return TorchWorkload(
        model=model,
        loss=lambda model, batch: nn.functional.cross_entropy(model(batch[0]), batch[1]),
        score=lambda model, batch: (model(batch[0]).argmax(1) == batch[1]).float(),
        train=train,
        test=test,
        batch_size=16,
        learning_rate=0.05,
    )
"""
NUM_PARAMETERS = 8 * 9 + 8 + 16 + 1290
TRAINING: dict[str, Any] = {"batch_size": 16, "learning_rate": 0.05, "momentum": 0.9, "epochs": 2.0, "evaluations": 2}


class _Silent:
    def cell_started(self, cell: Cell) -> None: ...
    def cell_progress(self, share: float, samples_per_s: float, loss: float) -> None: ...
    def cell_ended(self, record: Record) -> None: ...


def cell_of(folder: Path, code: str = OWN, **fields: Any) -> Cell:
    (folder / "own.py").write_text(code)
    digest = code_digest("own.py:make", str(folder), group=WORKLOADS)
    own = {"code": digest, "metric": ACCURACY, "sample_unit": "image", "num_samples": 1437}
    return Cell.model_validate({"workload": "own.py:make", "folder": str(folder), "own": own, **TRAINING, **fields})


def launched(cell: Cell, folder: Path) -> Record:
    hosts = (Host(name="localhost", slots=2),)
    return run_cell(cell, Setting(suite="a", folder=ResultsFolder(folder / "results"), hosts=hosts), _Silent())


@pytest.mark.parametrize(
    ("strategy", "fields"),
    [
        ("serial", {}),
        ({"name": "local-sgd", "period": 4}, {"workers": 2}),
        ({"name": "post-local-sgd", "switch_epoch": 1.0, "period": 4}, {"workers": 2}),
        ({"name": "delayed-averaging", "period": 4}, {"workers": 2}),
        ("allreduce", {"workers": 2, "clip_norm": 5.0, "accumulation": 2}),
        ("torch-ddp", {"workers": 2, "optimizer": "adagrad", "momentum": 0.0, "accumulation": 2}),
        ("hogwild", {"workers": 2, "momentum": 0.0}),
        ("torch-hogwild", {"workers": 2, "momentum": 0.0}),
    ],
    ids=str,
)
def test_own_module_with_batch_norm_learns_the_digits(tmp_path: Path, strategy: Any, fields: dict[str, Any]) -> None:
    record = launched(cell_of(tmp_path, strategy=strategy, **fields), tmp_path)
    assert record.status == "ok", f"{record.reason}\n{record.log_tail}"
    assert record.num_parameters == NUM_PARAMETERS
    assert record.curve[-1].score > 0.8


# With the accumulators' start, which a wrapper that makes the optimizer anew would lose.
LIKE_THE_FLAT_ONE: dict[str, Any] = {
    "workers": 2,
    "optimizer": {"name": "adagrad", "initial_accumulator": 0.1},
    "momentum": 0.0,
    "weight_decay": 0.01,
    "clip_norm": 0.5,
    "accumulation": 2,
    "epochs": 0.2,
    "evaluations": 1,
}


@pytest.mark.parametrize("strategy", ["allreduce", "torch-ddp"])
def test_native_training_clips_the_mean_of_all_parts_as_the_flat_one_does(tmp_path: Path, strategy: str) -> None:
    native, flat = (
        launched(cell_of(tmp_path, strategy=name, **LIKE_THE_FLAT_ONE), tmp_path)
        for name in (strategy, "allreduce-flat")
    )
    assert native.status == flat.status == "ok", f"{native.log_tail}\n{flat.log_tail}"
    assert native.curve[-1].loss == pytest.approx(flat.curve[-1].loss, rel=1e-5)


@pytest.mark.parametrize("strategy", ["allreduce", "torch-ddp"])
def test_parameter_that_no_loss_uses_stays_and_stops_nothing(tmp_path: Path, strategy: str) -> None:
    unused = OWN.replace(
        "    return Torch", "    model.register_parameter('unused', nn.Parameter(torch.ones(6)))\n    return Torch"
    )
    cell = cell_of(tmp_path, unused, strategy=strategy, workers=2, epochs=0.2, evaluations=1, accumulation=2)
    record = launched(cell, tmp_path)
    assert record.status == "ok", f"{record.reason}\n{record.log_tail}"
    assert record.num_parameters == NUM_PARAMETERS + 6


def test_code_that_has_changed_since_is_not_run(tmp_path: Path) -> None:
    cell = cell_of(tmp_path, strategy="serial")
    (tmp_path / "own.py").write_text(OWN + "\n")
    record = launched(cell, tmp_path)
    assert record.status == "failed"
    assert "own.py:make: has changed since the cells were planned; give the same command again" in record.log_tail
