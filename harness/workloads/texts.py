"""The data sets of text: windows of characters (N, T) int64, and for each character the one that follows.

austen    Jane Austen, "Pride and Prejudice" (1813), which is in the public domain: 684,768 characters of 75 kinds, as
          the R package janeaustenr prepared them; they lie beside this file

Windows do not overlap; the last twentieth of them is held out.
"""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np

from harness.workloads.data import Dataset, Split

WINDOW = 64  # characters
AUSTEN = Path(__file__).parent / "texts" / "pride-and-prejudice.txt.xz"
NUM_AUSTEN, NUM_KINDS_AUSTEN = 684_768, 75


def load_austen() -> Dataset:
    return windows_of(lzma.decompress(AUSTEN.read_bytes()).decode())


def windows_of(text: str) -> Dataset:
    """Characters are numbered in their order in Unicode."""
    kinds, numbers = np.unique(np.array(list(text)), return_inverse=True)
    num_windows = num_windows_of(len(text))
    inputs, targets = (
        numbers[first : first + num_windows * WINDOW].reshape(num_windows, WINDOW).astype(np.int64) for first in (0, 1)
    )
    num_train = num_windows - num_held_out(num_windows)
    train, test = (
        Split(inputs=inputs[part], targets=targets[part]) for part in (slice(num_train), slice(num_train, None))
    )
    return Dataset(train=train, test=test, num_categories=len(kinds))


def num_windows_of(num_characters: int) -> int:
    """What follows the last of them is a target alone."""
    return (num_characters - 1) // WINDOW


def num_held_out(num_windows: int) -> int:
    return max(1, num_windows // 20)
