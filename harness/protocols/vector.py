"""What strategies do arithmetic on."""

from __future__ import annotations

from typing import Any, Protocol, Self, SupportsFloat

import numpy as np
from numpy.typing import NDArray


class Vector(Protocol):
    """All trainable parameters (or their gradient) as one flat array on the device, shape (P,).

    Torch tensors, TensorFlow tensors and NumPy arrays are Vectors.
    """

    def __add__(self, other: Any) -> Self: ...
    def __sub__(self, other: Any) -> Self: ...
    def __mul__(self, other: Any) -> Self: ...
    def __rmul__(self, other: Any) -> Self: ...
    def __len__(self) -> int: ...
    def __getitem__(self, stretch: slice) -> Self:
        """A stretch of it, which may share its memory."""
        ...


Stretches = tuple[tuple[int, int], ...]  # of a vector: where each begins, and where it has ended


def mask_of(stretches: Stretches, *, first: int, size: int) -> NDArray[np.bool_]:
    """Of so many values of the vector from that place on, before which there is no stretch, those that lie in one."""
    mask = np.zeros(size, np.bool_)
    for begin, end in stretches:
        mask[begin - first : end - first] = True
    return mask


def hold_positive(change: Any, weights: Any, stretches: Stretches) -> None:
    """Takes out of a change, in place, what would take weights in these stretches below 0: what stands there stays.

    For vectors that are memory, as NumPy's and PyTorch's are.
    """
    for begin, end in stretches:
        part = change[begin:end]
        part[weights[begin:end] + part < 0] = 0


Loss = SupportsFloat  # a mean over the batch; on a GPU `float(loss)` waits for it, so only window edges ask
