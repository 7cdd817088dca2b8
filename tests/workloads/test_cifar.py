"""CIFAR-10, from the published archive alone: its reader on a tiny one of the same form."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from harness.backends.torch_replica import TorchReplica
from harness.backends.torch_shipped import shipped_workload
from harness.cli import app
from harness.optimizers.schedules import CosineSchedule
from harness.suite.cell import Cell
from harness.workloads.cifar import CIFAR_FILE, TEST_FILES, TRAIN_FILES, load_cifar
from harness.workloads.data import DATA_VARIABLE, DatasetError
from harness.workloads.datasets import DATASETS
from tests.command import write_suite


def record(label: int) -> bytes:
    """Red is the label, green 10 more, blue 20 more, but for the last pixel of each row, which is 255."""
    planes = np.repeat(label + np.array([0, 10, 20], np.uint8), 32 * 32).reshape(3, 32, 32)
    planes[:, :, -1] = 255
    return bytes([label]) + planes.tobytes()


def archive(path: Path, files: dict[str, bytes]) -> str:
    """A file as it is published, and its hash."""
    with tarfile.open(path, "w:gz") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def contents() -> dict[str, bytes]:
    """A record in each file to train on, of labels 0 to 4; two held out, of 8 and 9."""
    made = {name: record(label) for label, name in enumerate(TRAIN_FILES)}
    return {**made, TEST_FILES[0]: record(8) + record(9)}


def test_images_are_read_by_channel_row_and_column(tmp_path: Path) -> None:
    path = tmp_path / CIFAR_FILE
    made = load_cifar(path, archive(path, contents()))
    assert (made.train.targets.tolist(), made.test.targets.tolist()) == ([0, 1, 2, 3, 4], [8, 9])
    assert (made.train.inputs.shape, made.input_shape, made.num_categories) == ((5, 3, 32, 32), (3, 32, 32), 10)
    assert (made.train.inputs.mean(), made.train.inputs.std()) == pytest.approx((0, 1), abs=1e-5)
    red, _, blue = made.test.inputs[0]
    assert np.ptp(red[:, :-1]) == 0
    a_step = made.test.inputs[1, 0, 0, 0] - red[0, 0]  # of 1 of 255
    assert blue[0, 0] - red[0, 0] == pytest.approx(20 * a_step, rel=1e-4)
    assert red[:, -1] == pytest.approx(red[0, 0] + (255 - 8) * a_step, rel=1e-4)


def test_another_or_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / CIFAR_FILE
    archive(path, contents())
    with pytest.raises(DatasetError, match=r"cifar-10-binary\.tar\.gz: is sha256:\w+; wanted: sha256:c4a38c50a1bc"):
        load_cifar(path)
    found = archive(path, {TEST_FILES[0]: record(0)})
    with pytest.raises(DatasetError, match=r"unreadable .*data_batch_1\.bin"):
        load_cifar(path, found)


def test_dry_run_takes_the_archive_from_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is the published one is seen as it is read."""
    monkeypatch.setenv("HVDBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    suite = write_suite(tmp_path / "s.yaml", "{workload: resnet18, dataset: cifar-10, strategy: serial}")
    asked = ["run", str(suite), "--dry-run", "--results", str(tmp_path / "results")]
    refused = CliRunner().invoke(app, asked)
    assert (refused.exit_code, "cifar-10 is not on this machine" in refused.output) == (2, True)
    archive(tmp_path / CIFAR_FILE, contents())
    shown = CliRunner().invoke(app, asked)
    assert (shown.exit_code, "Nobody has trained this one here but for some steps on noise" in shown.output) == (
        0,
        True,
    ), shown.output


def test_resnet18_learns_the_images_of_an_archive(tmp_path: Path) -> None:
    """By the recipe, early in its warm-up: on its five images the fourth step's loss is below the first's."""
    path = tmp_path / CIFAR_FILE
    data = load_cifar(path, archive(path, contents()))
    cell = Cell.model_validate({"workload": "resnet18", "dataset": "cifar-10", "strategy": "serial"})
    assert (cell.learning_rate, cell.momentum, cell.weight_decay, cell.batch_size) == (0.1, 0.9, 5e-4, 128)
    assert (cell.schedule, cell.num_epochs, cell.target) == (CosineSchedule(), 200, 0.65)
    assert (cell.warmup_epochs, cell.warmup_from) == (5, "zero")
    replica = TorchReplica(cell, shipped_workload(cell, data), rank=0, local_rank=0)
    images, labels = torch.from_numpy(data.train.inputs), torch.from_numpy(data.train.targets)
    replica.set_learning_rate(0.001)
    losses = []
    for _ in range(4):
        gradient, loss = replica.gradient((images, labels))
        losses.append(float(loss))
        replica.descend(gradient)
    assert np.isfinite(losses).all()
    assert losses[3] < losses[0]


def test_images_that_are_nowhere_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HVDBENCH_CACHE", str(tmp_path))
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(DatasetError, match="not on this machine: hvdbench doctor --download cifar-10"):
        DATASETS["cifar-10"].load({})
