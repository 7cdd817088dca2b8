"""What strategies do arithmetic on."""

from __future__ import annotations

from typing import Any, Protocol, Self, SupportsFloat


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


Loss = SupportsFloat  # a mean over the batch; on a GPU `float(loss)` waits for it, so only window edges ask
