"""The data sets: a fixed split of digits, Fashion-MNIST from sound files only, seeded noise."""

from __future__ import annotations

import gzip
import hashlib
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits as sklearn_digits

from harness.workloads.data import (
    DATA_VARIABLE,
    FASHION_MD5,
    Dataset,
    DatasetError,
    find_fashion_mnist,
    load_digits,
    load_fashion_mnist,
    load_signals,
    make_synthetic,
    with_wrong_labels,
)
from harness.workloads.datasets import DATASETS

FIRST_SIGNAL = [-0.337470, -0.552900, -0.663350, -0.834274]  # standardised
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = FASHION_MD5


def test_digits_split_is_fixed() -> None:
    digits = load_digits()
    assert (digits.train.inputs.shape, digits.test.inputs.shape) == ((1437, 1, 8, 8), (360, 1, 8, 8))
    assert digits.input_shape == (1, 8, 8)
    assert np.bincount(digits.test.targets).tolist() == [29, 38, 33, 40, 33, 39, 32, 42, 41, 33]
    assert hashlib.sha256(digits.test.targets.tobytes()).hexdigest()[:16] == "7323f6e1154dacb0"


def test_digits_are_those_of_scikit_learn_and_no_image_is_in_both_parts() -> None:
    digits, theirs = load_digits(), sklearn_digits()
    mean, deviation = 4.8781, 6.0140  # of the training part
    ours = np.concatenate([digits.train.inputs, digits.test.inputs]).reshape(-1, 64)
    labels = np.concatenate([digits.train.targets, digits.test.targets])
    raw = np.round(ours * deviation + mean)
    assert sorted(map(tuple, np.column_stack([raw, labels]))) == sorted(
        map(tuple, np.column_stack([theirs.data, theirs.target]))
    )


def test_training_images_are_standardised_by_themselves() -> None:
    digits = load_digits()
    assert digits.train.inputs.mean(dtype=np.float64) == pytest.approx(0, abs=1e-6)
    assert digits.train.inputs.std(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    assert abs(digits.test.inputs.mean(dtype=np.float64)) > 1e-4
    assert (digits.train.inputs.dtype, digits.train.targets.dtype) == (np.float32, np.int64)


def test_signals_are_the_same_everywhere_and_have_as_many_of_each_class() -> None:
    signals = load_signals()
    assert (signals.train.inputs.shape, signals.test.inputs.shape) == ((4000, 1, 40, 1), (1000, 1, 40, 1))
    assert np.bincount(signals.train.targets).tolist() == [400] * 10
    assert np.bincount(signals.test.targets).tolist() == [100] * 10
    assert signals.train.inputs[0, 0, :4, 0] == pytest.approx(FIRST_SIGNAL, abs=1e-5)


def test_signals_lie_anywhere_so_their_mean_tells_no_class() -> None:
    """As the design asks: a classifier by the mean of a series guesses, one that finds the curve does not."""
    signals = load_signals()
    means = signals.train.inputs.reshape(4000, 40).mean(axis=1)
    by_class = [means[signals.train.targets == label].mean() for label in range(10)]
    assert np.std(by_class) < 0.1 * means.std()


def test_synthetic_is_the_same_for_every_cell_of_its_size() -> None:
    shape = {"num_samples": 64, "size": 9, "channels": 2, "num_classes": 7}
    one, other = make_synthetic(**shape), DATASETS["synthetic"].load(shape)
    np.testing.assert_array_equal(one.train.inputs, other.train.inputs)
    assert one.train.inputs.shape == (64, 2, 9, 9)
    assert one.test.inputs.shape == (8, 2, 9, 9)
    assert set(one.train.targets) <= set(range(7))
    assert not np.array_equal(one.train.inputs, make_synthetic(**{**shape, "num_classes": 8}).train.inputs)


def idx(values: np.ndarray) -> bytes:
    header = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}i", *values.shape)
    return header + values.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four sound files: 6 training and 4 test images of 28×28."""
    rng = np.random.default_rng(0)
    for images, labels, count in ((TRAIN_IMAGES, TRAIN_LABELS, 6), (TEST_IMAGES, TEST_LABELS, 4)):
        (tmp_path / images).write_bytes(gzip.compress(idx(rng.integers(0, 256, (count, 28, 28)))))
        (tmp_path / labels).write_bytes(gzip.compress(idx(np.arange(count))))
    return tmp_path


def test_fashion_mnist_is_read_from_idx_files(folder: Path) -> None:
    data = load_fashion_mnist(folder)
    assert (data.train.inputs.shape, data.test.inputs.shape) == ((6, 1, 28, 28), (4, 1, 28, 28))
    assert data.train.targets.tolist() == [0, 1, 2, 3, 4, 5]
    raw = np.random.default_rng(0).integers(0, 256, (6, 28, 28))
    np.testing.assert_allclose(data.train.inputs[:, 0], (raw - raw.mean()) / raw.std(), atol=1e-5)


def test_fashion_mnist_takes_no_memory_beyond_its_images(tmp_path: Path) -> None:
    """10,000 images of 28×28 float32 are 31 MB: as float64 they would be 63 on the way, and more than once."""
    raw = idx(np.random.default_rng(0).integers(0, 256, (10_000, 28, 28), dtype=np.uint8))
    for images, labels in ((TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS)):
        (tmp_path / images).write_bytes(gzip.compress(raw, compresslevel=1))
        (tmp_path / labels).write_bytes(gzip.compress(idx(np.arange(10_000) % 10)))
    tracemalloc.start()
    try:
        data = load_fashion_mnist(tmp_path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    held_bytes = data.train.inputs.nbytes + data.test.inputs.nbytes
    assert held_bytes == 2 * 10_000 * 28 * 28 * 4
    assert (data.train.inputs.dtype, data.train.targets.dtype) == (np.float32, np.int64)
    assert peak_bytes < 1.75 * held_bytes  # the raw bytes, a quarter of it, and a thousand images in float64


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"no gzip",
        gzip.compress(b""),
        gzip.compress(idx(np.zeros((6, 28, 28))))[:-20],
        gzip.compress(idx(np.zeros((6, 28, 28))))[:10] + b"\xff" * 30,
        gzip.compress(b"\0\0\x0b\x03" + bytes(12)),
        gzip.compress(idx(np.zeros((6, 28, 28)))[:7]),
        gzip.compress(idx(np.zeros((6, 28, 28)))[:-1]),
        gzip.compress(idx(np.zeros((6, 28, 28))) + b"\0"),
        gzip.compress(b"\0\0\x08\x03" + struct.pack(">3i", -6, -28, 28) + bytes(6 * 28 * 28)),
        gzip.compress(idx(np.zeros(6))),
        gzip.compress(idx(np.zeros((5, 28, 28)))),
    ],
    ids=[
        "empty",
        "no gzip",
        "empty gzip",
        "truncated gzip",
        "corrupt gzip",
        "floats",
        "half a header",
        "a byte short",
        "a byte long",
        "negative lengths",
        "labels for images",
        "fewer images than labels",
    ],
)
def test_damaged_images_are_refused_by_name(folder: Path, damaged: bytes) -> None:
    (folder / TRAIN_IMAGES).write_bytes(damaged)
    with pytest.raises(DatasetError) as caught:
        load_fashion_mnist(folder)
    assert str(folder / TRAIN_IMAGES) in str(caught.value)
    assert "apt-get install dataset-fashion-mnist" in str(caught.value)


def test_labels_out_of_range_are_refused(folder: Path) -> None:
    (folder / TEST_LABELS).write_bytes(gzip.compress(idx(np.array([0, 1, 2, 10]))))
    with pytest.raises(DatasetError, match=r"t10k-labels.*: holds a label of 10; allowed: 0 to 9"):
        load_fashion_mnist(folder)


def test_fashion_mnist_is_looked_for_where_the_user_says(folder: Path, tmp_path: Path) -> None:
    assert find_fashion_mnist({DATA_VARIABLE: str(folder)}) == folder
    (folder / TEST_LABELS).unlink()
    assert find_fashion_mnist({DATA_VARIABLE: str(folder)}) is None


def test_fashion_mnist_that_was_downloaded_is_found(folder: Path) -> None:
    cache = folder.rename(folder.with_name("fashion-mnist")).parent
    found = find_fashion_mnist({"HVDBENCH_CACHE": str(cache)})
    assert found in (cache / "fashion-mnist", Path("/usr/share/datasets/fashion-mnist"))


def test_fashion_mnist_that_is_nowhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    with pytest.raises(DatasetError, match="not on this machine: apt-get install dataset-fashion-mnist, or put"):
        DATASETS["fashion-mnist"].load({})


@pytest.mark.needs_fashion_mnist
def test_fashion_mnist_of_this_machine_is_the_published_one() -> None:
    folder = find_fashion_mnist()
    assert folder is not None
    data: Dataset = load_fashion_mnist(folder)
    assert (len(data.train), len(data.test), data.input_shape) == (60_000, 10_000, (1, 28, 28))
    assert np.bincount(data.train.targets).tolist() == [6000] * 10
    assert np.bincount(data.test.targets).tolist() == [1000] * 10


FASHION = pytest.param("fashion-mnist", marks=pytest.mark.needs_fashion_mnist)


@pytest.mark.parametrize("name", ["digits", "signals", FASHION])
def test_sizes_known_beforehand_are_those_of_the_data(name: str) -> None:
    facts, dataset = DATASETS[name].facts({}), DATASETS[name].load({})
    assert (dataset.num_samples, dataset.input_shape) == (facts.num_samples, facts.shape)


def test_wrong_labels_are_as_many_as_asked_for_and_of_the_training_set_alone() -> None:
    digits = load_digits()
    wrong = with_wrong_labels(digits, 0.3, seed=5)
    assert (wrong.train.targets != digits.train.targets).sum() == 431  # of 1,437, each now another of the ten
    assert (wrong.train.targets.min(), wrong.train.targets.max()) == (0, 9)
    assert wrong.test is digits.test
    again, other = (with_wrong_labels(digits, 0.3, seed=seed).train.targets for seed in (5, 6))
    assert (again == wrong.train.targets).all()
    assert (other != wrong.train.targets).any()
