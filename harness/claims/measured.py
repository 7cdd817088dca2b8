"""The columns that rules ask for beyond those of the frame of runs (harness/suite/claims.py: MEASURES)."""

from __future__ import annotations

import numpy as np
import pandas as pd

_BYTES_OF_A_VALUE = 4  # float32


def with_measures(runs: pd.DataFrame) -> pd.DataFrame:
    """A copy with them."""
    samples_of_a_step = runs["global_batch_size"] / runs["workers"]
    is_better_above = np.where(runs["metric_better"] == "higher", 1.0, -1.0)
    return runs.assign(
        cpu_s_per_sample=runs["cpu_s_per_step"] / samples_of_a_step,
        score_gain=runs["score"] * is_better_above,
        values_per_worker=runs["pss_bytes"] / runs["workers"] / _BYTES_OF_A_VALUE,
        broke=_broke(runs),
    )


def _broke(runs: pd.DataFrame) -> pd.Series[bool]:
    """Crashed, was stopped, diverged, or did not reach the target that it looked for."""
    looked = runs["target"].notna() & (runs["evaluations"] > 0)
    has_diverged = ~np.isfinite(runs["loss"]) & (runs["evaluations"] > 0)
    broke: pd.Series[bool] = (runs["status"] != "ok") | has_diverged | (looked & ~runs["reached"])
    return broke
