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
from harness.report.outcomes import accuracy_over, profile, speed_ups, time_against_accuracy, time_to_target
from harness.report.scaling import scaling, throughput

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
    lambda given: accuracy_over(
        given, x="time_s", unit="training time (s)", name="accuracy-over-time", title="Accuracy over time"
    ),
    lambda given: accuracy_over(
        given, x="num_samples", unit="samples trained on, all workers", name="accuracy-over-samples",
        title="Accuracy over samples",
    ),
    throughput,
    scaling,
    where_time_goes,
    time_against_accuracy,
    profile,
    staleness,
    merges,
    consensus,
    memory,
    gpu_memory,
)  # fmt: skip
