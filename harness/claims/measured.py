"""The columns that rules ask for beyond those of the frame of runs (harness/suite/claims.py: MEASURES)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.analysis.attempts import has_outcome

_BYTES_OF_A_VALUE = 4  # float32


def with_measures(runs: pd.DataFrame) -> pd.DataFrame:
    """A copy with them."""
    samples_of_a_step = runs["global_batch_size"] / runs["workers"]
    is_better_above = np.where(runs["metric_better"] == "higher", 1.0, -1.0)
    return runs.assign(
        cpu_s_per_sample=runs["cpu_s_per_step"] / samples_of_a_step,
        score_gain=runs["score"] * is_better_above,
        values_per_worker=runs["pss_bytes"] / runs["workers"] / _BYTES_OF_A_VALUE,
        unfinished=_unfinished(runs),
        broke=_broke(runs),
        bytes_per_compute_s=runs["bytes_per_step"] / runs["compute_s_per_step"],
        load_of_others=_load_of_others(runs),
    )


def _unfinished(runs: pd.DataFrame) -> pd.Series[bool]:
    """Crashed, or was stopped."""
    unfinished: pd.Series[bool] = runs["status"] != "ok"
    return unfinished


def _broke(runs: pd.DataFrame) -> pd.Series[bool]:
    """Crashed, diverged, or did not reach the target that it looked for; what its time limit stopped may have."""
    looked = runs["target"].notna() & (runs["evaluations"] > 0)
    has_diverged = ~np.isfinite(runs["loss"]) & (runs["evaluations"] > 0)
    has_trained = (runs["status"] == "timeout") & (runs["evaluations"] == 0) & runs["samples_per_s"].notna()
    has_crashed = _unfinished(runs) & ~has_outcome(runs) & ~has_trained
    broke: pd.Series[bool] = has_crashed | has_diverged | (looked & ~runs["reached"])
    return broke


def _load_of_others(runs: pd.DataFrame) -> pd.Series[float]:
    """A core of the busiest host, the smaller of two bounds from above; the second only where records tell.

    Its load average as a launch ends, less what launches of all these ask of a host: the launch's own helping threads
    are in it. And what others' share of CPU time says where no core was idle: they got it beside what was asked.
    """
    on_a_host = -(-runs["cores"] // runs["num_machines"].fillna(1))  # rounded up
    # Those that ran before are in the minute that is averaged: of none less is taken off than the mean, by duration.
    of_all = float(np.average(on_a_host, weights=runs["wall_s"])) if len(runs) else 0.0
    by_load = (runs["load_1min"] - on_a_host.clip(lower=of_all)).clip(lower=0) / runs["num_cores"]
    asked_of_a_core = (on_a_host / runs["num_cores"]).clip(lower=1)
    by_cpu_time = asked_of_a_core * runs["others_share"] / (1 - runs["others_share"])
    smaller: pd.Series[float] = pd.concat([by_load, by_cpu_time], axis=1).min(axis=1)
    return smaller
