"""What a model gives, in NumPy alone: for acting, in which both frameworks are then to the last bit alike.

A frame asks for the outputs of a handful of observations. A framework's call for those costs more than the arithmetic.
It is float32 whatever a cell's `precision`: with bf16 a worker acts by its weights as they are, and learns in less.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.workloads.layers import Dense, Layer, Tanh

Array = NDArray[np.float32]


def outputs_of(layers: tuple[Layer, ...], parameters: Sequence[Array], inputs: Array) -> Array:
    """parameters: in the workload's order and layouts."""
    values, left = inputs, iter(parameters)
    for layer in layers:
        match layer:
            case Dense():
                values = values @ next(left).T + next(left)
            case Tanh():
                values = np.tanh(values)
            case _:
                raise AssertionError(layer)
    return values
