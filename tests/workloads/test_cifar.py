"""CIFAR-10, from the published archive alone: its reader on a tiny one of the same form."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from harness.workloads.cifar import CIFAR_FILE, TEST_FILES, TRAIN_FILES, load_cifar
from harness.workloads.data import DATA_VARIABLE, DatasetError
from harness.workloads.datasets import DATASETS


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


def test_images_that_are_nowhere_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HVDBENCH_CACHE", str(tmp_path))
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(DatasetError, match="not on this machine: hvdbench doctor --download cifar-10"):
        DATASETS["cifar-10"].load({})
