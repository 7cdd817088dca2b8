"""Text in windows: each character with the one that follows it, the end held out."""

from __future__ import annotations

import hashlib
import lzma

import numpy as np

from harness.workloads.texts import AUSTEN, NUM_AUSTEN, NUM_KINDS_AUSTEN, WINDOW, load_austen, windows_of


def test_windows_have_each_character_with_the_one_that_follows() -> None:
    """Of 41·64 characters, 40 windows: the last character of the last one is still followed by another."""
    text = "ab" * (41 * WINDOW // 2)
    made = windows_of(text)
    assert (made.train.inputs.shape, made.test.inputs.shape) == ((38, WINDOW), (2, WINDOW))
    assert (made.num_categories, made.input_shape, made.train.inputs.dtype) == (2, (WINDOW,), np.int64)
    assert made.train.inputs[0, :4].tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(made.train.targets, 1 - made.train.inputs)


def test_windows_follow_one_another() -> None:
    text = "".join(chr(32 + number % 90) for number in range(30 * WINDOW))
    made = windows_of(text)
    whole = np.concatenate([made.train.inputs, made.test.inputs]).ravel()
    np.testing.assert_array_equal(whole, np.arange(29 * WINDOW) % 90)
    assert made.train.targets[0, -1] == made.train.inputs[1, 0]


def test_shipped_text_is_the_novel() -> None:
    text = lzma.decompress(AUSTEN.read_bytes()).decode()
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "dfc684d4f857fa93"
    assert "It is a truth universally acknowledged, that a single man in possession\nof a good fortune" in text
    made = load_austen()
    assert (len(text), made.num_categories) == (NUM_AUSTEN, NUM_KINDS_AUSTEN)
    assert len(made.train) + len(made.test) == (NUM_AUSTEN - 1) // WINDOW
