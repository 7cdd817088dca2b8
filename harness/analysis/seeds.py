"""Seeds are the units of every statistic: launches of one seed, in however many folders, are one observation of it.

A seed fixes initial weights and order of samples, so its launches share them: three seeds run three times each are
three, and an interval over nine would be too narrow.
"""

from __future__ import annotations

import numpy as np
import pandas as pd


def mean_by_seed(rows: pd.DataFrame, column: str) -> pd.Series[float]:
    """Arithmetic means over the launches of each seed that have a value."""
    means: pd.Series[float] = rows[column].groupby(rows["seed"]).mean()
    return means


def geometric_mean_by_seed(rows: pd.DataFrame, column: str) -> pd.Series[float]:
    """The same of times, rates and ratios; 0 where one is 0: a target reached at the first evaluation, from 0 s on."""
    with np.errstate(divide="ignore"):
        logs = np.log(rows[column])
    means: pd.Series[float] = np.exp(logs.groupby(rows["seed"]).mean())
    return means
