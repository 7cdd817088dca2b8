"""Generated series that take a network seconds to learn, after MNIST-1D (Greydanus and Kobak, arXiv 2011.14439).

Each class is a short curve. A sample is its curve somewhere in a long line of zeros, scaled, tilted, under correlated
and white noise, resampled to 40 values: where it lies says nothing, so what is learnt has to be found anywhere in the
series. Lengths, scales and noise are the paper's; the curves are drawn here, since its own are handmade.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NUM_TRAIN, NUM_TEST, NUM_CLASSES, LENGTH = 4000, 1000, 10, 40
_SEED = 42
_CURVE_LENGTH = 12
_PADDING = 36, 60
_MAX_SHIFT = 48
_SCALE = 0.4
_TILT = 0.75
_CORRELATED_NOISE, _CORRELATION = 0.25, 2.0  # scale, and the deviation of the smoothing kernel in values
_WHITE_NOISE = 0.02


@dataclass(frozen=True, kw_only=True)
class Signals:
    """values: (N, 40); labels: (N,), as many of each class as of any other."""

    values: Array
    labels: NDArray[np.int64]


def make_signals() -> Signals:
    """Training samples, then held-out ones; the same on every machine."""
    rng = np.random.default_rng(_SEED)
    curves = _curves(rng)
    labels = np.arange(NUM_TRAIN + NUM_TEST) % NUM_CLASSES
    labels = np.concatenate([rng.permutation(labels[:NUM_TRAIN]), rng.permutation(labels[NUM_TRAIN:])])
    return Signals(values=np.stack([_sample(curves[label], rng) for label in labels]), labels=labels)


def _curves(rng: np.random.Generator) -> Array:
    """One a class, (classes, 12): smooth, and all of one height, so that no class is told by its size."""
    raw = np.stack([_smoothed(rng.standard_normal(3 * _CURVE_LENGTH), 1.5) for _ in range(NUM_CLASSES)])
    middle = raw[:, _CURVE_LENGTH:-_CURVE_LENGTH]
    centred = middle - middle.mean(axis=1, keepdims=True)
    return np.asarray(1.0 * centred / np.abs(centred).max(axis=1, keepdims=True))


def _sample(curve: Array, rng: np.random.Generator) -> Array:
    scaled = curve * (1 + _SCALE * (rng.random() - 0.5))
    padded = np.concatenate([scaled, np.zeros(rng.integers(_PADDING[0], _PADDING[1] + 1))])
    shifted = np.roll(padded, rng.integers(_MAX_SHIFT))
    noise = _smoothed(_CORRELATED_NOISE * rng.standard_normal(len(shifted)), _CORRELATION)
    tilt = _TILT * (rng.random() - 0.5) * np.linspace(-0.5, 0.5, len(shifted))
    places = np.linspace(0, len(shifted) - 1, LENGTH)
    resampled = np.interp(places, np.arange(len(shifted)), shifted + noise - tilt)
    return np.asarray(resampled + _WHITE_NOISE * rng.standard_normal(LENGTH))


def _smoothed(values: Array, deviation: float) -> Array:
    """Convolved with a Gaussian of this deviation, in values."""
    reach = np.arange(-int(4 * deviation), int(4 * deviation) + 1)
    kernel = np.exp(-0.5 * (reach / deviation) ** 2)
    return np.convolve(values, kernel / kernel.sum(), mode="same")
