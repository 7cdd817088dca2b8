"""Initial weights, drawn once in NumPy and injected into every framework.

Source: he, He et al. (arXiv 1502.01852), normal with σ = √(2/fan_in); glorot, Glorot and Bengio (AISTATS 2010), uniform
in ±√(6/(fan_in+fan_out)); normal, of the deviation that the layer says;
the LSTM's forget gate starts at 1, Jozefowicz et al. (ICML 2015).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.workloads.layers import Parameter


def initial_weights(parameters: tuple[Parameter, ...], seed: int) -> list[NDArray[np.float32]]:
    """One array a parameter, in order. Each has a stream of its own: a change of one layer leaves the others alone."""
    return [_draw(parameter, np.random.default_rng([seed, index])) for index, parameter in enumerate(parameters)]


def _draw(parameter: Parameter, rng: np.random.Generator) -> NDArray[np.float32]:
    shape = parameter.shape
    match parameter.initializer:
        case "he":
            return np.asarray(rng.standard_normal(shape) * np.sqrt(2 / parameter.fan_in), np.float32)
        case "glorot":
            bound = np.sqrt(6 / (parameter.fan_in + parameter.fan_out))
            return rng.uniform(-bound, bound, shape).astype(np.float32)
        case "normal":
            return np.asarray(rng.standard_normal(shape) * parameter.deviation, np.float32)
        case "zeros":
            return np.zeros(shape, np.float32)
        case "ones":
            return np.ones(shape, np.float32)
        case "lstm-bias":
            units = shape[0] // 4
            bias = np.zeros(shape, np.float32)
            bias[units : 2 * units] = 1
            return bias
