"""What a run shows: a live line on a terminal, plain lines in a log; and the tables of `show` and `doctor`."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column

from harness.plain_text import counted, one_line, per_second
from harness.terminal import fitting_table, training_in_words

if TYPE_CHECKING:
    from harness.doctor import Diagnostic
    from harness.records.index import IndexEntry
    from harness.records.record import Record
    from harness.records.results_folder import ResultsFolder
    from harness.run.outstanding import Outstanding
    from harness.run.runner import Setting
    from harness.suite.cell import Cell
    from harness.suite.suite import Suite

LOG_WIDTH = 160
_HEIGHT = 25  # of nothing that is shown; a dumb terminal's width is not overruled without it
FIRST_GUESS_S = 10.0  # a launch's time before one was seen


@cache
def console() -> Console:
    """Standard output, as wide as COLUMNS says or the terminal is; elsewhere as a line needs."""
    said = os.environ.get("COLUMNS", "")
    width = int(said) if said.isdigit() else None if os.isatty(1) else LOG_WIDTH
    return Console(width=width, height=_HEIGHT if width else None)


def plain(text: str) -> str:
    """As Rich shows it in a table or a live line: without markup, in one line, whoever wrote it."""
    return escape(one_line(text))


class SuiteWatcher:
    """Implements harness.runner.Watcher: one bar on a terminal, and a line for each cell that ended."""

    def __init__(
        self, bar: Progress, num_cells: int, seen_s: list[float], guess_s: float, titles: Mapping[str, str]
    ) -> None:
        """titles: of the suite's cells by group, which tell apart those whose own titles are alike."""
        self._bar, self._num_cells, self._seen_s, self._guess_s = bar, num_cells, seen_s, guess_s
        self._titles = titles
        self._num_ended = 0
        self._task = bar.add_task("", total=num_cells, now="", left="")

    def cell_started(self, cell: Cell) -> None:
        from harness.records.titles import with_seed

        self._sample_unit = cell.sample_unit
        self._title = with_seed(self._titles.get(cell.group, cell.title), cell.seed)
        self._started = time.monotonic()
        self._bar.update(self._task, description=plain(self._title), now="starting", left=self._left(), refresh=True)

    def waiting(self, why: str) -> None:
        self._bar.console.print(one_line(why), highlight=False, markup=False, soft_wrap=True)

    def cell_progress(self, share: float, samples_per_s: float, loss: float) -> None:
        now = training_in_words(share, samples_per_s, loss, sample_unit=self._sample_unit)
        self._bar.update(self._task, now=plain(now), refresh=True)

    def cell_ended(self, record: Record) -> None:
        self._num_ended += 1
        self._seen_s.append(time.monotonic() - self._started)
        place = f"[{self._num_ended}/{self._num_cells}]"
        line = f"{place} {self._title}: {outcome_of(record)}"
        self._bar.console.print(one_line(line), highlight=False, markup=False, soft_wrap=True)
        if record.status != "ok" and not record.was_stopped and record.log_tail:
            tail = "\n".join(record.log_tail.splitlines()[-8:])
            self._bar.console.print(tail, style="dim", highlight=False, markup=False, soft_wrap=True)
        self._bar.update(self._task, completed=self._num_ended, now="", left=self._left(), refresh=True)

    def _left(self) -> str:
        each_s = typical_s(self._seen_s, self._guess_s)
        return f"about {in_minutes((self._num_cells - self._num_ended) * each_s)} left"


@contextmanager
def watching(
    suite: Suite, setting: Setting, *, guess_s: float = FIRST_GUESS_S, done_again: str | None = None
) -> Iterator[SuiteWatcher]:
    """The watcher of a suite's cells that are to run, its live line shown while in the block.

    guess_s: of a launch, as long as the folder has seen none. done_again: what does again what was done under other
    circumstances, where that is not --again.
    """
    from harness.records.titles import titles_of

    records = stored(setting.folder)
    seen_s = [record.wall_s for record in records]
    left = setting.outstanding(suite.cells, records)
    num_to_run = len(left.chosen(suite.cells, setting.again))
    say = console()
    say.print(
        f"{one_line(suite.name)}: {counted(len(suite.cells), 'launch', 'launches')}, "
        f"{len(suite.cells) - num_to_run} done, "
        f"about {in_minutes(num_to_run * typical_s(seen_s, guess_s))} to go",
        highlight=False,
        markup=False,
    )
    _show_changed(left, setting, done_again)
    # On a narrow terminal the cell's title gives way, never the numbers.
    columns = [
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        BarColumn(bar_width=10, table_column=Column(no_wrap=True, min_width=10)),
        TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        TextColumn("{task.fields[now]}", table_column=Column(no_wrap=True, min_width=38)),
        TextColumn("{task.fields[left]}", table_column=Column(no_wrap=True, min_width=17)),
    ]
    live = say.is_terminal
    # Drawn when there is news, about once a second: redrawing takes time from the workers.
    with Progress(*columns, console=say, disable=not live, transient=True, expand=True, auto_refresh=False) as bar:
        yield SuiteWatcher(bar, num_to_run, seen_s, guess_s, titles_of(cell.stored() for cell in suite.cells))


def outcome_of(record: Record) -> str:
    """One run in a few words."""
    if record.status != "ok":
        return f"{record.status}: {record.reason}"
    from harness.records.derived import has_diverged, point_of_target, samples_per_s, steady_of
    from harness.records.interruptions import interruptions_in_words

    train_s = max(part.train_s for part in record.workers)
    rate = f"{samples_per_s(record, steady_of(record)):,.0f} {per_second([record.cell.sample_unit])}"
    words = f"{rate} over {train_s:.1f} s"
    if record.machine.num_kinds > 1:
        words += f", on unlike machines ({record.machine.cpu})"
    if record.curve:
        metric, target = record.cell.metric, record.cell["target"]
        last, reached = record.curve[-1], point_of_target(record)
        has_missed = target is not None and reached is None
        score = metric.missing(last.score, target) if has_missed else last.score
        words += ", diverged" if has_diverged(last.score, last.loss) else f", {metric.name} {metric.in_words(score)}"
        if target is not None:
            when = "not reached" if reached is None else f"after {reached.time_s:.2f} s"
            words += f", {metric.target_in_words(target)} {when}"
    lost = ", ".join(map(str, record.lost_ranks))
    went_on = lost and f"went on without {'worker' if len(record.lost_ranks) == 1 else 'workers'} {lost}"
    return "; ".join(filter(None, (words, went_on, interruptions_in_words(record))))


def show_matrix(suite: Suite, setting: Setting) -> None:
    """The points of a suite, one line each, with the launches done of all."""
    from harness.records.titles import differing_of
    from harness.run.runner import stopped_in_words

    records = stored(setting.folder)
    outstanding = setting.outstanding(suite.cells, records)
    to_do = outstanding.chosen(suite.cells, setting.again)
    left, total = Counter(cell.group for cell in to_do), Counter(cell.group for cell in suite.cells)
    points = {cell.group: cell for cell in suite.cells}
    differing = differing_of(cell.stored() for cell in points.values())
    ordered = sorted(points.items(), key=lambda pair: pair[1].title)
    cells = [cell for _, cell in ordered]
    columns = {
        "workload": [plain(cell.workload) for cell in cells],
        "dataset": [str(cell.dataset or "") for cell in cells],
        "strategy": [plain(cell.strategy_label) for cell in cells],
        "framework": [str(cell.framework) for cell in cells],
        "workers × threads": [f"{cell.workers} × {cell.threads}" for cell in cells],
        "device": [str(cell.device) for cell in cells],
        "over": [_over(cell) for cell in cells],
        "done": [f"{total[group] - left[group]}/{total[group]}" for group, _ in ordered],
        "differs in": [plain(", ".join(differing[group])) for group, _ in ordered],
    }
    if not any(differing.values()):
        del columns["differs in"]
    console().print(fitting_table(plain(suite.question), columns, leading="strategy", console=console()))
    estimate = in_minutes(len(to_do) * typical_s([record.wall_s for record in records]))
    stopped = f"; {stopped_in_words(outstanding.num_stopped)}" if outstanding.num_stopped else ""
    console().print(f"{len(to_do)} of {len(suite.cells)} launches to go, about {estimate}{stopped}", highlight=False)
    _show_changed(outstanding, setting)


def _show_changed(left: Outstanding, setting: Setting, done_again: str | None = None) -> None:
    """What was done under other circumstances, or on other machines, unless it is being done again."""
    from harness.run.outstanding import DONE_AGAIN

    if left.elsewhere_in_words and setting.again != "all":
        console().print(one_line(left.elsewhere_in_words), highlight=False, markup=False, soft_wrap=True)
    if left.in_words and setting.again is None:
        said = f"{left.in_words}; {done_again or DONE_AGAIN}"
        console().print(one_line(said), highlight=False, markup=False, soft_wrap=True)


def _over(cell: Cell) -> str:
    """Over what its workers reach each other."""
    return f"{cell.controller or 'this machine'}" + (f", {cell.hosts} hosts" if cell.hosts > 1 else "")


def show_diagnostics(diagnostics: list[Diagnostic]) -> None:
    """The doctor's table."""
    columns = {
        "what": [f"{'✓' if each.present else '–'} {each.what}" for each in diagnostics],
        "found": [plain(each.found) for each in diagnostics],
        "to mend it": [plain(each.mend or "") for each in diagnostics],
    }
    console().print(fitting_table("", columns, leading="what", console=console()))


def stored(folder: ResultsFolder) -> list[IndexEntry]:
    """What is known of the folder's records, if it is there yet; what was set aside is said."""
    if not folder.path.exists():
        return []
    contents = folder.entries()
    show_cautions(contents.cautions)
    return contents.entries


def show_cautions(cautions: Iterable[str]) -> None:
    """To standard error, a line each: standard output may be a file of results."""
    for caution in cautions:
        print(f"hvdbench: {one_line(caution)}", file=sys.stderr)


def typical_s(seen_s: list[float], guess_s: float = FIRST_GUESS_S) -> float:
    return median(seen_s[-20:]) if seen_s else guess_s


def in_minutes(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes >= 1 else f"{seconds:.0f} s"
