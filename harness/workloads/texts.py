"""The data sets of text: windows of characters (N, T) int64, and for each character the one that follows.

austen    Jane Austen, "Pride and Prejudice" (1813), which is in the public domain: 684,768 characters of 75 kinds, as
          the R package janeaustenr prepared them; they lie beside this file
text      a file of the user's, in UTF-8

Windows do not overlap; the last twentieth of them is held out.
"""

from __future__ import annotations

import hashlib
import lzma
from pathlib import Path

import numpy as np

from harness.workloads.data import Dataset, DatasetError, Split

WINDOW = 64  # characters
AUSTEN = Path(__file__).parent / "texts" / "pride-and-prejudice.txt.xz"
NUM_AUSTEN, NUM_KINDS_AUSTEN = 684_768, 75
FEWEST_CHARACTERS = 20 * WINDOW + 1


def load_austen() -> Dataset:
    return windows_of(lzma.decompress(AUSTEN.read_bytes()).decode())


def read_text(path: str) -> tuple[str, str]:
    """What stands in a user's file, and its digest. Raises DatasetError where it is no text, or too short a one."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); wanted: a file of text in UTF-8") from None
    if len(text) < FEWEST_CHARACTERS:
        raise DatasetError(f"{path}: holds {len(text)} characters; wanted: {FEWEST_CHARACTERS} or more")
    return text, hashlib.sha256(text.encode()).hexdigest()[:16]


def load_text(path: str, digest: str) -> Dataset:
    """Raises DatasetError where the file is not the one that was planned with."""
    text, found = read_text(path)
    if found != digest:
        raise DatasetError(f"{path}: has changed since the cell was made; wanted: the text of digest {digest}")
    return windows_of(text)


def windows_of(text: str) -> Dataset:
    """Characters are numbered in their order in Unicode."""
    kinds, numbers = np.unique(np.array(list(text)), return_inverse=True)
    num_windows = num_windows_of(len(text))
    inputs, targets = (
        numbers[first : first + num_windows * WINDOW].reshape(num_windows, WINDOW).astype(np.int64) for first in (0, 1)
    )
    num_train = num_to_train_on(len(text))
    train, test = (
        Split(inputs=inputs[part], targets=targets[part]) for part in (slice(num_train), slice(num_train, None))
    )
    return Dataset(train=train, test=test, num_categories=len(kinds))


def num_windows_of(num_characters: int) -> int:
    """What follows the last of them is a target alone."""
    return (num_characters - 1) // WINDOW


def num_to_train_on(num_characters: int) -> int:
    num_windows = num_windows_of(num_characters)
    return num_windows - num_held_out(num_windows)


def num_held_out(num_windows: int) -> int:
    return max(1, num_windows // 20)
