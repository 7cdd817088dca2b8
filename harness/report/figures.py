"""The figures of all chapters, drawn side by side."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from harness.report.chapters import CHAPTERS, FIRST_SCREEN
from harness.report.material import Figure, Material

MAX_PROCESSES = 4
_CHAPTERS = (FIRST_SCREEN, *CHAPTERS)
_FIGURES = tuple(draw for chapter in _CHAPTERS for draw in chapter.figures)
_inherited: list[Material] = []  # of a child, which draws from it: taking it along with each task takes as long


def figures(given: Material) -> dict[str, tuple[Figure, ...]]:
    """By the names of chapters, those for which there is something to draw; drawn side by side on a few cores."""
    num_processes = min(MAX_PROCESSES, len(os.sched_getaffinity(0)))
    gc.freeze()  # else a child's collector copies every page of what there is, only by looking at it
    try:
        # Forked, so that each starts with all that is imported, with the theme in force and with what it draws from.
        forked = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(num_processes, forked, initializer=_inherited.append, initargs=(given,)) as pool:
            made = iter(list(pool.map(_draw, range(len(_FIGURES)))))
    finally:
        gc.unfreeze()
    return {chapter.name: _not_empty([next(made) for _ in chapter.figures]) for chapter in _CHAPTERS}


def _not_empty(made: Sequence[Figure]) -> tuple[Figure, ...]:
    return tuple(figure for figure in made if figure.panels)


def _draw(position: int) -> Figure:
    return _FIGURES[position](_inherited[0])
