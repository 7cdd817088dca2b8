"""What stepping by a library's own wrapper costs: implementation, apart from the algorithm and never part of waiting.

`allreduce` and the reference strategies step through an optimizer a parameter, as their users do; all other strategies,
`serial` included, through one flat vector. What a step of theirs takes more than one of the flat strategy that computes
the same is the wrapper's and, in TensorFlow on a CPU, that of handing each graph to another thread: its pool's, as with
any `tf.function`, where the others' caller runs theirs. With one worker nothing is sent and nobody waits, so that is
where it is read off; where no single worker ran, off the fewest workers, without their waits. Where one of the two does
not tell these, only what the step takes of CPU time is known. A strategy with an option set computes something else in
a step, or at other moments, and is not asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from harness.analysis.seeds import mean_by_seed
from harness.analysis.series import closest_match, units
from harness.analysis.targets import Ratio, paired_ratio

# Of each strategy that steps by a library's own optimizer, the one that computes the same on the flat vector. By their
# names in records: nothing of what can be run is looked up here.
FLAT_LIKES = {
    **dict.fromkeys(
        ("allreduce", "torch-ddp", "tf-multiworker", "tf-mirrored", "tf-parameter-server"), "allreduce-flat"
    ),
    "torch-hogwild": "hogwild",
}

# In which both have to agree: what a step computes, and on what.
_OF_A_STEP = [
    *("problem", "framework", "worker_kind", "workers", "threads", "hosts", "device", "batch_size", "batch_per"),
    *("optimizer", "momentum", "weight_decay", "clip_norm", "accumulation", "precision", "input", "loader_workers"),
]


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """One native series against its flat like, paired by seed."""

    problem: str
    series: str
    workers: int  # with how many it was read off
    baseline: str
    compute: Ratio  # of the seconds of a step, waiting taken off
    cpu: Ratio  # of the CPU seconds of a step
    extra_s: float  # of a step, waiting taken off: mean over seeds, this minus the baseline; NaN where one is unknown


def implementations(runs: pd.DataFrame) -> list[Implementation]:
    """For runs of one pool, every native series with nothing set whose flat like ran; by problem and series."""
    has_nothing_set = runs["label"] == runs["strategy"]
    is_either = runs["strategy"].isin([*FLAT_LIKES, *FLAT_LIKES.values()])
    known = runs[has_nothing_set & runs["cpu_s_per_step"].notna() & is_either]
    known = known.assign(step=known.groupby(_OF_A_STEP, dropna=False).ngroup())
    of_step = dict(list(known.groupby(["strategy", "step"])))
    found: dict[tuple[str, str], Implementation] = {}
    for (problem, series, workers), rows in units(known[known["strategy"].isin(list(FLAT_LIKES))]):
        strategy, step = rows.iloc[0][["strategy", "step"]]
        likes = of_step.get((FLAT_LIKES[strategy], step))
        if likes is not None and (problem, series) not in found:  # units come with the fewest workers first
            base = closest_match(rows, likes)
            found[problem, series] = _against(rows, base, problem=problem, series=series, workers=workers)
    return list(found.values())


def _against(rows: pd.DataFrame, base: pd.DataFrame, *, problem: str, series: str, workers: int) -> Implementation:
    told, base_told = (each.dropna(subset=["compute_s_per_step"]) for each in (rows, base))
    extra_s = mean_by_seed(told, "compute_s_per_step").mean() - mean_by_seed(base_told, "compute_s_per_step").mean()
    return Implementation(
        problem=problem,
        series=series,
        workers=workers,
        baseline=str(base["series"].iloc[0]),
        compute=paired_ratio(told, base_told, "compute_s_per_step"),
        cpu=paired_ratio(rows, base, "cpu_s_per_step"),
        extra_s=float(extra_s),
    )
