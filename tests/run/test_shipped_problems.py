"""Workloads that are no images, under real launches: small, but learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.analysis import load
from harness.launchers.hosts import this_machine
from harness.records.record import Record
from harness.records.results_folder import ResultsFolder
from harness.run.runner import Setting, run_cell
from harness.suite.cell import Cell
from harness.workloads.shipped import recipe_of
from tests.run.test_runner import Quiet

FEW_RATINGS = {"name": "synthetic-ratings", "users": 200, "items": 100, "num_samples": 20_000, "rank": 2}


def ran(folder: Path, **fields: Any) -> Record:
    setting = Setting(suite="problems", folder=ResultsFolder(folder), hosts=this_machine())
    setting.folder.make()
    return run_cell(Cell.model_validate({"evaluations": 4, **fields}), setting, Quiet())


def test_resnet18_goes_through_its_recipe_for_cifar_10_on_noise_of_that_shape(tmp_path: Path) -> None:
    """200 epochs shrunk to three of four steps, the first warm-up: that much can be tried without the images."""
    shrunk = {"epochs": 3.0, "warmup_epochs": 1.0, "batch_size": 16, "learning_rate": 0.001}
    recipe = {**recipe_of("resnet18", "cifar-10"), **shrunk}
    noise = {"name": "synthetic", "num_samples": 64, "size": 32, "channels": 3, "num_classes": 10}
    record = ran(tmp_path, workload="resnet18", dataset=noise, strategy="serial", **recipe)
    assert record.status == "ok", record.log_tail
    assert (record.num_parameters, record.curve[-1].step) == (11_181_642, 12)
    losses = [window.loss for window in record.workers[0].windows]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


@pytest.mark.needs_two_cores
@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_ratings_are_learnt_by_their_rows_without_a_lock(tmp_path: Path, framework: str) -> None:
    """Biases alone leave an RMSE of 0.87, the noise 0.5."""
    by_rows = {"name": "hogwild", "sparse": True}
    record = ran(tmp_path, workload="mf", dataset=FEW_RATINGS, strategy=by_rows, framework=framework, workers=2)
    assert record.status == "ok", record.log_tail
    assert 0.5 < record.curve[-1].score < 0.62
    (run,) = load(tmp_path).to_dict("records")
    assert (run["metric"], run["metric_better"], run["sample_unit"]) == ("RMSE", "lower", "rating")


@pytest.mark.needs_two_cores
@pytest.mark.parametrize(
    ("strategy", "framework"),
    [("hogwild", "torch"), ("hogwild", "tensorflow"), ("allreduce", "torch"), ("allreduce", "tensorflow")],
)
def test_acting_is_learnt_with_and_without_a_lock_step(tmp_path: Path, strategy: str, framework: str) -> None:
    """Pushes at random keep the pole up for some 22 frames. At the recipe's rate a policy may begin by pushing one way
    alone, some 9 frames, and learn late; how workers that share it come to do so is chance."""
    record = ran(
        tmp_path,
        workload="actor-critic",
        strategy=strategy,
        framework=framework,
        workers=2,
        batch_size=20,
        learning_rate=0.0007,
        samples=24_000,
        evaluations=8,
    )
    assert record.status == "ok", record.log_tail
    assert max(point.score for point in record.curve) > 30
    assert record.curve[-1].num_samples == 24_000
    (run,) = load(tmp_path).to_dict("records")
    assert (run["metric"], run["metric_better"], run["sample_unit"]) == ("mean return", "higher", "frame")


@pytest.mark.needs_two_cores
def test_text_is_learnt(tmp_path: Path) -> None:
    """Guessing evenly among 75 kinds takes 4.3 nats a character, by how often each comes 3.1."""
    record = ran(
        tmp_path, workload="lm-lstm", strategy={"name": "local-sgd", "period": 8}, workers=2, epochs=0.4, evaluations=2
    )
    assert record.status == "ok", record.log_tail
    assert record.curve[-1].score < 2.6
    (run,) = load(tmp_path).to_dict("records")
    assert (run["metric"], run["metric_better"], run["sample_unit"]) == ("cross-entropy", "lower", "window")
