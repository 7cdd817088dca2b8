"""The figures of all chapters, drawn side by side."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from harness.analysis.spending import spendings
from harness.records.results_folder import ResultsError
from harness.report.chapters import CHAPTERS, FIRST_SCREEN
from harness.report.material import Figure, Material

MAX_PROCESSES = 4
_WATCH_EVERY_S = 1.0
_CHAPTERS = (FIRST_SCREEN, *CHAPTERS)
_FIGURES = tuple(draw for chapter in _CHAPTERS for draw in chapter.figures)
_inherited: list[Material] = []  # of a child, which draws from it: taking it along with each task takes as long


@contextmanager
def drawing_of(given: Material) -> Iterator[Callable[[], dict[str, tuple[Figure, ...]]]]:
    """Begins to draw on a few cores, and yields what waits for it: by the names of chapters, the figures that show
    something."""
    if given.pool.runs.empty:
        yield dict
        return
    num_processes = min(MAX_PROCESSES, len(os.sched_getaffinity(0)))
    given.pool.once(spendings)  # several figures and a table ask for them: found once, before the fork
    gc.freeze()  # else a child's collector copies every page of what there is, only by looking at it
    try:
        # Forked, so that each starts with all that is imported, with the theme in force and with what it draws from.
        forked = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(num_processes, forked, initializer=_begin, initargs=(given, os.getpid())) as pool:
            drawn = pool.map(_draw, range(len(_FIGURES)))
            try:
                yield lambda: _by_chapter(list(drawn))
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
    except BrokenProcessPool:
        raise ResultsError(
            "report: a process that draws figures was ended from outside, as the system does where memory runs out: "
            "free some, or give fewer results folders, and give the same command again"
        ) from None
    finally:
        gc.unfreeze()


def _by_chapter(drawn: Sequence[Figure]) -> dict[str, tuple[Figure, ...]]:
    made = iter(drawn)
    return {chapter.name: _not_empty([next(made) for _ in chapter.figures]) for chapter in _CHAPTERS}


def _not_empty(made: Sequence[Figure]) -> tuple[Figure, ...]:
    return tuple(figure for figure in made if figure.panels)


def _begin(given: Material, parent: int) -> None:
    """Of a child, which ends with its parent, however that ended: it would wait for work, and hold a pipe, for good."""
    _inherited.append(given)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_EVERY_S)
    os._exit(1)


def _draw(position: int) -> Figure:
    return _FIGURES[position](_inherited[0])
