"""A user's file with a small batch-norm CNN in Keras, on digits, through the real launchers."""

from __future__ import annotations

import os
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

# As Triton may be: it comes before TensorFlow, which PyTorch for CUDA needs, should a user's file use it too.
TRITON = "import sys; assert 'tensorflow' not in sys.modules"
CODE = """
import sys

import keras
import tensorflow as tf

from harness.workloads import KerasWorkload
from harness.workloads.data import load_digits


def make():
    assert "triton" in sys.modules
    data = load_digits()
    model = keras.Sequential([
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(16, 3, padding="same", use_bias=False),
        keras.layers.BatchNormalization(momentum=0.9),
        keras.layers.ReLU(),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(10),
    ])
    crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return KerasWorkload(
        model=model,
        loss=lambda model, batch: crossentropy(batch[1], model(batch[0])),
        score=lambda model, batch: tf.argmax(model(batch[0]), axis=1) == batch[1],
        train=(data.train.inputs.transpose(0, 2, 3, 1), data.train.targets),
        test=(data.test.inputs.transpose(0, 2, 3, 1), data.test.targets),
        batch_size=32,
        learning_rate=0.05,
        momentum=0.9,
        epochs=3,
    )
"""
RECIPE = {"batch_size": 32, "learning_rate": 0.05, "momentum": 0.9, "epochs": 3.0}


class _Watcher:
    def cell_started(self, cell: Cell) -> None: ...
    def cell_progress(self, share: float, samples_per_s: float, loss: float) -> None: ...
    def cell_ended(self, record: Record) -> None: ...


@pytest.fixture(autouse=True)
def with_triton(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "triton.py").write_text(TRITON)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'found'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


def launched(folder: Path, **fields: Any) -> Record:
    (folder / "own.py").write_text(CODE)
    own = {
        "code": code_digest("own.py:make", str(folder), group=WORKLOADS),
        "metric": ACCURACY,
        "sample_unit": "image",
        "num_samples": 1437,
    }
    given = {"workload": "own.py:make", "folder": str(folder), "own": own, "recipe": RECIPE, "framework": "tensorflow"}
    cell = Cell.model_validate({**given, "evaluations": 3, **fields})
    setting = Setting(suite="a", folder=ResultsFolder(folder), hosts=(Host(name="localhost", slots=2),))
    record = run_cell(cell, setting, _Watcher())
    assert record.status == "ok", f"{record.reason}\n{record.log_tail}"
    return record


@pytest.mark.parametrize(
    ("strategy", "workers"),
    [
        ("serial", 1),
        ({"name": "local-sgd", "period": 8}, 2),
        ({"name": "delayed-averaging", "period": 8}, 2),
        ("hogwild", 2),
        ("allreduce", 2),
        ("tf-mirrored", 2),
        ("tf-multiworker", 2),
        ("tf-parameter-server", 2),
    ],
)
def test_keras_model_learns_under(strategy: Any, workers: int, tmp_path: Path) -> None:
    record = launched(tmp_path, strategy=strategy, workers=workers)
    assert record.num_parameters == 16 * 9 + 2 * 16 + 256 * 10 + 10
    assert record.curve[-1].score > 0.8


def test_record_says_where_keras_own_optimizer_differs(tmp_path: Path) -> None:
    fields = {"optimizer": "adam", "momentum": 0.0, "learning_rate": 0.005}
    record = launched(tmp_path, strategy="allreduce", workers=2, clip_norm=1.0, accumulation=2, **fields)
    assert record.curve[-1].score > 0.8
    assert "Keras' Adam adds epsilon before" in record.workers[0].settings["native.optimizer"]
