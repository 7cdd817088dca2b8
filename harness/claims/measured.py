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
        load_of_others=_load_of_others(runs),
    )


def _broke(runs: pd.DataFrame) -> pd.Series[bool]:
    """Crashed, was stopped, diverged, or did not reach the target that it looked for."""
    looked = runs["target"].notna() & (runs["evaluations"] > 0)
    has_diverged = ~np.isfinite(runs["loss"]) & (runs["evaluations"] > 0)
    broke: pd.Series[bool] = (runs["status"] != "ok") | has_diverged | (looked & ~runs["reached"])
    return broke


def _load_of_others(runs: pd.DataFrame) -> pd.Series[float]:
    """A core of the busiest host: its load average as a launch ends, less what launches of all these ask of a host.

    Those that ran before are in the minute that is averaged, so of no launch less is taken off than their mean, by
    duration.
    """
    on_a_host = -(-runs["cores"] // runs["num_machines"].fillna(1))  # rounded up
    of_all = float(np.average(on_a_host, weights=runs["wall_s"])) if len(runs) else 0.0
    of_others: pd.Series[float] = (runs["load_1min"] - on_a_host.clip(lower=of_all)).clip(lower=0)
    return of_others / runs["num_cores"]
