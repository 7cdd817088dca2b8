"""Where a run's warm-up ends: found from its windows, not assumed.

The Marginal Standard Error Rule: of all ways to cut off the first d of n values, take the one that leaves the mean
with the smallest squared standard error,

    d* = argmin_{0 ≤ d ≤ n/2}  (1 / (n−d)²) · Σ_{i>d} (x_i − x̄_{d,n})²

A minimum at the end of that range says that the run did not settle.

Source: White, "An Effective Truncation Heuristic for Bias Reduction in Simulation Output" (Simulation 69(6), 1997);
batching as MSER-5 is left out, since a window is a batch of steps already.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-12
MIN_VALUES = 8  # fewer tell no trend from noise: nothing is cut off


@dataclass(frozen=True, kw_only=True)
class Steady:
    first: int  # windows before this one are warm-up
    is_found: bool


def steady_state(values: NDArray[np.float64]) -> Steady:
    """values: seconds per sample of consecutive windows, shape (n,)."""
    n = len(values)
    if n < MIN_VALUES:
        return Steady(first=0, is_found=n > 0)
    # Tail sums for all cuts at once; centred first, so that the squares do not cancel.
    centred = values - values.mean()
    kept = np.arange(n, 0, -1)
    tail_sum = np.cumsum(centred[::-1])[::-1]
    tail_squares = np.cumsum((centred**2)[::-1])[::-1]
    squared_error = (tail_squares - tail_sum**2 / kept) / kept**2
    squared_error[squared_error < _ROUNDING * squared_error.max()] = 0.0  # of equal values, the longest tail
    last_cut = n // 2
    first = int(np.argmin(squared_error[: last_cut + 1]))
    return Steady(first=first, is_found=first < last_cut)
