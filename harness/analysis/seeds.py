"""Seeds are the units of every statistic: launches of one seed, in however many folders, are one observation of it.

A seed fixes initial weights and order of samples, so its launches share them: three seeds run three times each are
three, and an interval over nine would be too narrow.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def mean_by_seed(rows: pd.DataFrame, column: str) -> pd.Series[float]:
    """Arithmetic means over the launches of each seed that have a value."""
    return _means(rows, rows[column].to_numpy(np.float64))


def geometric_mean_by_seed(rows: pd.DataFrame, column: str) -> pd.Series[float]:
    """The same of times, rates and ratios; 0 where one is 0: a target reached at the first evaluation, from 0 s on."""
    with np.errstate(divide="ignore"):
        logs = np.log(rows[column].to_numpy(np.float64))
    return _means(rows, logs).apply(np.exp)


def _means(rows: pd.DataFrame, values: NDArray[np.float64]) -> pd.Series[float]:
    """By seed. Pages ask for thousands, and pandas takes ten times as long for a handful of rows."""
    seeds, places = np.unique(rows["seed"].to_numpy(), return_inverse=True)
    is_known = ~np.isnan(values)
    sums = np.bincount(places, weights=np.where(is_known, values, 0.0), minlength=len(seeds))
    counts = np.bincount(places, weights=is_known, minlength=len(seeds))
    with np.errstate(invalid="ignore"):
        return pd.Series(sums / counts, index=pd.Index(seeds, name="seed"))
