"""The data sets of images (N, C, H, W) float32, standardised by the training set, and labels (N,) int64.

digits         1,797 images of 8×8 shipped with scikit-learn; 360 of them, drawn once, are held out
fashion-mnist  60,000 + 10,000 images of 28×28 (Xiao et al., arXiv 1708.07747)
cifar-10       50,000 + 10,000 images of 32×32 in colour (harness/workloads/cifar.py)
signals        4,000 + 1,000 generated series of 40 values, as images of 40×1 (harness/workloads/signals.py)
synthetic      seeded Gaussian images of any size, for throughput and scale; its labels carry no meaning
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import math
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.workloads.signals import NUM_CLASSES, NUM_TRAIN, make_signals

NUM_HELD_OUT_DIGITS = 360
FASHION_DEBIAN = Path("/usr/share/datasets/fashion-mnist")
FASHION_MD5 = {  # as the data set's authors publish them
    "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
}
FASHION_CLASSES = 10
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
DATA_VARIABLE = "HVDBENCH_DATA"


class DatasetError(Exception):
    """A data set that is not at hand; the message says where it was looked for and how to get it."""


@dataclass(frozen=True, kw_only=True)
class Split:
    inputs: NDArray[Any]  # (N, ...): images float32; or numbers of rows, int64
    targets: NDArray[Any]  # (N, ...): labels, int64; or ratings, float32

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    train: Split
    test: Split
    num_categories: int  # that labels may be; or that inputs may be, where these are no images

    @property
    def num_samples(self) -> int:
        return len(self.train)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of a sample."""
        return tuple(self.train.inputs.shape[1:])


def load_digits() -> Dataset:
    """Read from scikit-learn's own file: importing scikit-learn would cost every worker's start a second or more."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise DatasetError("digits is shipped with scikit-learn, which is not installed: make setup installs it")
    with gzip.open(Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", "rt") as rows:
        table = np.loadtxt(rows, delimiter=",", dtype=np.uint8)  # 64 pixels from 0 to 16, then the digit
    images, labels = table[:, :-1].reshape(-1, 1, 8, 8), table[:, -1]
    order = np.random.default_rng(0).permutation(len(labels))
    held_out, kept = order[:NUM_HELD_OUT_DIGITS], order[NUM_HELD_OUT_DIGITS:]
    return standardised(images[kept], labels[kept], images[held_out], labels[held_out], 10)


def load_signals() -> Dataset:
    """Series from top to bottom: an RNN reads them value by value."""
    made = make_signals()
    images = made.values.astype(np.float32)[:, None, :, None]
    train, test = slice(NUM_TRAIN), slice(NUM_TRAIN, None)
    return standardised(images[train], made.labels[train], images[test], made.labels[test], NUM_CLASSES)


def load_fashion_mnist(folder: Path | None) -> Dataset:
    """From the four gzipped IDX files in `folder`. Raises DatasetError where there are none, or they are damaged."""
    if folder is None:
        raise DatasetError(f"fashion-mnist is not on this machine: {HOW_TO_GET_FASHION}")
    train_images, train_labels, test_images, test_labels = (
        _read_idx(folder / name, num_axes) for name, num_axes in zip(FASHION_MD5, (3, 1, 3, 1), strict=True)
    )
    for images, labels, name in ((train_images, train_labels, "train"), (test_images, test_labels, "t10k")):
        if len(images) != len(labels):
            where = folder / f"{name}-images-idx3-ubyte.gz"
            raise DatasetError(f"{where}: {len(images)} images for {len(labels)} labels. {HOW_TO_GET_FASHION}")
        if labels.max() >= FASHION_CLASSES:
            where = folder / f"{name}-labels-idx1-ubyte.gz"
            raise DatasetError(f"{where}: holds a label of {labels.max()}; allowed: 0 to 9. {HOW_TO_GET_FASHION}")
    return standardised(train_images[:, None], train_labels, test_images[:, None], test_labels, FASHION_CLASSES)


def find_fashion_mnist(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The first folder that holds all four files: the user's, Debian's, then what was downloaded before."""
    given = environ.get(DATA_VARIABLE)
    places = [Path(given)] if given else [FASHION_DEBIAN, fashion_download_folder(environ)]
    return next((place for place in places if all((place / name).is_file() for name in FASHION_MD5)), None)


def fashion_download_folder(environ: Mapping[str, str] = os.environ) -> Path:
    return download_folder("fashion-mnist", environ)


def download_folder(dataset: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where what is fetched of a data set lies."""
    cache = environ.get("HVDBENCH_CACHE")
    base = Path(cache) if cache else Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hvdbench"
    return base / dataset


def download_fashion_mnist(environ: Mapping[str, str] = os.environ) -> Path:
    """Fetches the four files, each checked by its hash. Raises DatasetError when they cannot be had."""
    folder = fashion_download_folder(environ)
    fetch(FASHION_MD5, FASHION_URL, folder, or_else=f"fashion-mnist could not be downloaded. {HOW_TO_GET_FASHION}")
    return folder


def fetch(registry: Mapping[str, str], url: str, folder: Path, *, or_else: str) -> None:
    """Files of these names and hashes, from below that address. Raises DatasetError, `or_else` and why not."""
    import pooch

    source = pooch.create(path=folder, base_url=url, registry=dict(registry))
    try:
        for name in registry:
            source.fetch(name)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{or_else} ({error})") from None


def find_file(name: str, dataset: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """A data set that is one file: the user's, else what was downloaded before."""
    given = environ.get(DATA_VARIABLE)
    places = [*([Path(given)] if given else []), download_folder(dataset, environ)]
    return next((place / name for place in places if (place / name).is_file()), None)


def check_hash(path: Path, sha256: str, how_to_get: str) -> None:
    """Raises DatasetError where the file is another."""
    with path.open("rb") as content:
        found = f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"
    if found != sha256:
        raise DatasetError(f"{path}: is {found}; wanted: {sha256}. {how_to_get}")


HOW_TO_GET_FASHION = (
    "apt-get install dataset-fashion-mnist, or put the four *-ubyte.gz files in a folder and set "
    f"{DATA_VARIABLE} to it, or run hvdbench doctor --download fashion-mnist"
)


def make_synthetic(*, num_samples: int, size: int, channels: int, num_classes: int) -> Dataset:
    """The same images for every cell of that size, whatever its seed."""
    rng = np.random.default_rng([num_samples, size, channels, num_classes])
    num_test = max(1, num_samples // 8)
    images = rng.standard_normal((num_samples + num_test, channels, size, size), dtype=np.float32)
    labels = rng.integers(0, num_classes, num_samples + num_test)
    train, test = slice(num_samples), slice(num_samples, None)
    return Dataset(
        train=Split(inputs=images[train], targets=labels[train]),
        test=Split(inputs=images[test], targets=labels[test]),
        num_categories=num_classes,
    )


def with_wrong_labels(dataset: Dataset, share: float, seed: int) -> Dataset:
    """Of that share of the training samples, drawn, the label is any of the others; held-out labels are right."""
    train, num_labels = dataset.train, dataset.num_categories
    draws = np.random.default_rng([seed, len(train)])
    chosen = draws.choice(len(train), round(share * len(train)), replace=False)
    labels = train.targets.copy()
    labels[chosen] = (labels[chosen] + draws.integers(1, num_labels, len(chosen))) % num_labels
    return replace(dataset, train=replace(train, targets=labels))


def standardised(
    train_images: NDArray[Any],
    train_labels: NDArray[np.integer],
    test_images: NDArray[Any],
    test_labels: NDArray[np.integer],
    num_classes: int,
) -> Dataset:
    mean = train_images.mean(dtype=np.float64)
    deviation = math.sqrt(sum(np.square(part - mean).sum() for part in _parts(train_images)) / train_images.size)
    train, test = (
        Split(inputs=_scaled(images, mean, deviation), targets=labels.astype(np.int64))
        for images, labels in ((train_images, train_labels), (test_images, test_labels))
    )
    return Dataset(train=train, test=test, num_categories=num_classes)


def _scaled(images: NDArray[Any], mean: np.float64, deviation: float) -> NDArray[np.float32]:
    scaled = np.empty(images.shape, np.float32)
    for part, place in zip(_parts(images), _parts(scaled), strict=True):
        place[...] = (part - mean) / deviation
    return scaled


def _parts(images: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """A thousand at a time: with a float64 they are computed in float64, of all at once twice what is kept."""
    return (images[start : start + 1000] for start in range(0, len(images), 1000))


def _read_idx(path: Path, num_axes: int) -> NDArray[np.uint8]:
    """LeCun's IDX format: two zero bytes, type 8 (uint8), the number of axes, each axis' length, then the data."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: unreadable ({error}). {HOW_TO_GET_FASHION}") from None
    header_bytes = 4 + 4 * num_axes
    if len(content) <= header_bytes or content[:4] != bytes([0, 0, 8, num_axes]):
        raise DatasetError(f"{path}: not an IDX file of bytes with {num_axes} axes. {HOW_TO_GET_FASHION}")
    shape = struct.unpack_from(f">{num_axes}I", content, 4)
    values = np.frombuffer(content, np.uint8, offset=header_bytes)
    if values.size != math.prod(shape):
        raise DatasetError(f"{path}: holds {values.size} values, its header says {shape}. {HOW_TO_GET_FASHION}")
    return values.reshape(shape)
