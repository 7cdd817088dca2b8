"""To which family a strategy belongs, from what its records say of it: a strategy of a user's has one, too.

synchronous    every worker holds the same weights: all wait for the mean gradient of a step
averaging      workers train models of their own, whose mean is what counts
asynchronous   workers move one set of weights without waiting for one another
reference      one worker that nobody waits for
"""

from __future__ import annotations

from enum import StrEnum

import pandas as pd

from harness.protocols import EvaluatedModel


class Family(StrEnum):
    SYNCHRONOUS = "synchronous"
    AVERAGING = "averaging"
    ASYNCHRONOUS = "asynchronous"
    REFERENCE = "reference"
    OTHER = "other"  # judged by a model that is none of ours


# Whose evaluated model does not tell: ad-psgd's, the mean of its workers, is taken from memory that they share.
_BY_NAME = {"serial": Family.REFERENCE, "ad-psgd": Family.AVERAGING}
_BY_MODEL: dict[str, Family] = {
    EvaluatedModel.REPLICATED: Family.SYNCHRONOUS,
    EvaluatedModel.MEAN_OF_WORKERS: Family.AVERAGING,
    EvaluatedModel.SHARED: Family.ASYNCHRONOUS,
}


def families_of(runs: pd.DataFrame) -> dict[str, Family]:
    """By strategy, in the order of their names. runs: columns strategy and evaluated_model."""
    different = runs[["strategy", "evaluated_model"]].drop_duplicates("strategy").sort_values("strategy")
    return {
        str(strategy): _BY_NAME.get(strategy) or _BY_MODEL.get(model, Family.OTHER)
        for strategy, model in different.itertuples(index=False)
    }
