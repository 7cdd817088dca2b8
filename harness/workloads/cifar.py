"""CIFAR-10: 50,000 + 10,000 colour images of 32×32 in ten classes, from the archive of its binary version.

A record is a byte for the label and 3,072 for the pixels, channel by channel, row by row; its Python version is a
pickle, which is not read here. Its author asks to be cited, and states no licence: it is never shipped.

Source: Krizhevsky, "Learning multiple layers of features from tiny images" (2009).
"""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.workloads.data import (
    DATA_VARIABLE,
    Dataset,
    DatasetError,
    check_hash,
    download_folder,
    fetch,
    find_file,
    standardised,
)

SHAPE, NUM_CLASSES = (3, 32, 32), 10
CIFAR_FILE = "cifar-10-binary.tar.gz"
CIFAR_SHA256 = {CIFAR_FILE: "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}
CIFAR_URL = "https://www.cs.toronto.edu/~kriz/"
HOW_TO_GET_CIFAR = (
    f"hvdbench doctor --download cifar-10, or put {CIFAR_FILE} of {CIFAR_URL} in a folder and set {DATA_VARIABLE} to it"
)
TRAIN_FILES = tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6))
TEST_FILES = ("cifar-10-batches-bin/test_batch.bin",)
_RECORD_BYTES = 1 + 3 * 32 * 32


def find_cifar(environ: Mapping[str, str] = os.environ) -> Path | None:
    return find_file(CIFAR_FILE, "cifar-10", environ)


def download_cifar(environ: Mapping[str, str] = os.environ, *, url: str = CIFAR_URL) -> Path:
    """Fetches the file, checked by its hash. Raises DatasetError when it cannot be had."""
    folder = download_folder("cifar-10", environ)
    fetch(CIFAR_SHA256, url, folder, or_else=f"cifar-10 could not be downloaded. {HOW_TO_GET_CIFAR}")
    return folder / CIFAR_FILE


def load_cifar(path: Path | None, sha256: str = CIFAR_SHA256[CIFAR_FILE]) -> Dataset:
    """From the archive as it is published. Raises DatasetError where there is none, or another."""
    if path is None:
        raise DatasetError(f"cifar-10 is not on this machine: {HOW_TO_GET_CIFAR}")
    check_hash(path, sha256, HOW_TO_GET_CIFAR)
    try:
        with tarfile.open(path) as archive:
            train, test = (_read(archive, names) for names in (TRAIN_FILES, TEST_FILES))
    except (tarfile.TarError, KeyError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: unreadable ({error}). {HOW_TO_GET_CIFAR}") from None
    return standardised(*train, *test, NUM_CLASSES)


def _read(archive: tarfile.TarFile, names: tuple[str, ...]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (N, C, H, W) and labels (N,) of these files, one behind the other."""
    records = [np.frombuffer(_content(archive, name), np.uint8).reshape(-1, _RECORD_BYTES) for name in names]
    table = np.concatenate(records)
    return table[:, 1:].reshape(-1, *SHAPE), table[:, 0]


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise KeyError(f"{name} is no file")
    return member.read()
