"""The figures in the order of the report, drawn side by side."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from harness.report.costs import consensus, gpu_memory, memory, merges, staleness, where_time_goes
from harness.report.material import Figure, Material
from harness.report.outcomes import profile, speed_ups, time_to_target
from harness.report.scaling import scaling, throughput
from harness.report.score_figures import score_over, time_against_score

MAX_PROCESSES = 4


def figures(given: Material) -> list[Figure]:
    """Those for which there is something to draw, in the order of the report; drawn side by side on a few cores."""
    num_processes = min(MAX_PROCESSES, len(os.sched_getaffinity(0)))
    gc.freeze()  # else a child's collector copies every page of what there is, only by looking at it
    try:
        # Forked, so that each starts with all that is imported and with the theme in force.
        with ProcessPoolExecutor(num_processes, mp_context=multiprocessing.get_context("fork")) as pool:
            made = list(pool.map(partial(_draw, given), range(len(_FIGURES))))
    finally:
        gc.unfreeze()
    return [figure for figure in made if figure.panels]


def _draw(given: Material, position: int) -> Figure:
    return _FIGURES[position](given)


_FIGURES: tuple[Callable[[Material], Figure], ...] = (
    speed_ups,
    time_to_target,
    partial(score_over, x="time_s", unit="training time (s)", over="time"),
    partial(score_over, x="num_samples", unit="samples trained on, all workers", over="samples"),
    throughput,
    scaling,
    where_time_goes,
    time_against_score,
    profile,
    staleness,
    merges,
    consensus,
    memory,
    gpu_memory,
)
