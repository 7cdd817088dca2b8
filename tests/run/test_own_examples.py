"""suites/own/ as a user runs it, but shorter: workloads of one's own under real launches."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from harness.analysis import load
from harness.bootstrap.pins import ROOT
from harness.launchers.hosts import this_machine
from harness.records.record import Record
from harness.records.results_folder import ResultsFolder
from harness.run.runner import Setting, run_cell
from harness.suite.cell import Cell
from harness.suite.suite import Suite
from tests.run.test_runner import Quiet

OWN = ROOT / "suites" / "own" / "own.yaml"


@pytest.fixture(scope="module")
def cells() -> tuple[Cell, ...]:
    return Suite.load(OWN, repeats=1).cells


def ran(cells: tuple[Cell, ...], folder: Path, amount: float, **wanted: Any) -> Record:
    """amount: of training, in epochs, or in samples of a stream."""
    (cell,) = [cell for cell in cells if all(getattr(cell, name) == value for name, value in wanted.items())]
    setting = Setting(suite="own", folder=ResultsFolder(folder), hosts=this_machine())
    setting.folder.make()
    training = {"samples" if cell.is_streamed else "epochs": amount}
    return run_cell(cell.model_copy(update={**training, "evaluations": 2}), setting, Quiet())


@pytest.mark.needs_two_cores
@pytest.mark.parametrize("strategy", ["allreduce-flat", "local-sgd", "hogwild"])
def test_batch_norm_network_learns_under_each_strategy(cells: tuple[Cell, ...], tmp_path: Path, strategy: str) -> None:
    record = ran(cells, tmp_path, 6, workload="cnn.py:make", strategy=strategy, workers=2)
    assert record.status == "ok", record.log_tail
    assert record.curve[-1].score > 0.85
    assert len(record.cell["own"]["code"]) == 16


@pytest.mark.needs_two_cores
@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_transformer_learns_in_each_framework(cells: tuple[Cell, ...], tmp_path: Path, framework: str) -> None:
    record = ran(
        cells, tmp_path, 1, workload="transformer.py:make", framework=framework, strategy="local-sgd", workers=2
    )
    assert record.status == "ok", record.log_tail
    assert record.curve[-1].score < record.curve[0].score < math.log(92)  # nats of guessing evenly among 92 kinds
    (run,) = load(tmp_path).to_dict("records")
    assert (run["metric"], run["metric_better"], run["sample_unit"]) == ("cross-entropy", "lower", "window")
    assert run["optimizer"] == "adamw beta2=0.95"


@pytest.mark.needs_two_cores
def test_stream_is_shared_out_while_batches_are_made_ahead(cells: tuple[Cell, ...], tmp_path: Path) -> None:
    """6,400 samples are 200 batches of 32, whoever takes them."""
    record = ran(cells, tmp_path, 6400, workload="stream.py:make", strategy="hogwild", workers=2)
    assert record.status == "ok", record.log_tail
    assert sum(window.num_steps for part in record.workers for window in part.windows) == 200
    assert (record.curve[-1].step, record.curve[-1].num_samples) == (100, 6400)
    assert record.curve[-1].score < record.curve[0].score
    (run,) = load(tmp_path).to_dict("records")
    assert (run["samples"], math.isnan(run["epochs"])) == (6400, True)
