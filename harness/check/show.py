"""What a check shows: a live line on a terminal, plain lines in a log, and the table of its verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from harness.check.change_points import LEAST_COMMITS
from harness.check.effect_wording import direction, effect_in_words, size, value_in_words
from harness.check.history import History, Series
from harness.check.observed import Stage, difference, run_of
from harness.check.paired_sample import INTERVAL_LEVEL
from harness.check.verdict import MetricComparison, Outcome, Verdict
from harness.plain_text import counted, one_line, per_second
from harness.progress import console, in_minutes, plain, typical_s
from harness.records.record import Record
from harness.records.titles import titles_of
from harness.terminal import fitting_table, training_in_words
from harness.timing.stopwatch import Stopwatch

if TYPE_CHECKING:
    from harness.suite.cell import Cell

_STYLES = {
    Outcome.FINE: "green",
    Outcome.REGRESSION: "bold red",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.REPORTED: "dim",
    Outcome.MISSING: "bold red",
}
_TITLES = {Stage.SCREEN: "screening all cells", Stage.CONFIRM: "more pairs of cells without a conclusion"}
# Medians of either side, and the shift within pairs: one may be up where the other is down.
_IN_PAIRS = f"B against A within pairs [{INTERVAL_LEVEL:.0%}]"
_HEADINGS = ("metric", "median of A", "median of B", _IN_PAIRS, "pairs", "caught from", "verdict")


class ConsoleWatcher:
    """Implements harness.check.live.PairWatcher."""

    def __init__(self, bar: Progress, titles: Mapping[str, str]) -> None:
        """titles: of the check's cells by group, which tell apart those whose own titles are alike."""
        self._bar, self._titles = bar, titles
        self._task = bar.add_task("", total=None, now="", left="")
        self._seen_s: list[float] = []
        self._watch = Stopwatch()

    def stage_started(self, stage: Stage, num_pairs: int, num_done: int) -> None:
        self._num_pairs, self._num_ended = num_pairs, num_done
        guess = in_minutes((num_pairs - num_done) * self._pair_s())
        self._say(f"{_TITLES[stage]}: {counted(num_pairs, 'pair')}, {num_done} done, about {guess} to go")
        self._bar.update(self._task, total=num_pairs, completed=num_done, left="")
        self._watch = Stopwatch()

    def waiting(self, why: str) -> None:
        self._say(why)

    def pair_started(self, cell: Cell) -> None:
        self._now: dict[str, str] = {}
        self._sample_unit = cell.sample_unit
        self._bar.update(self._task, description=plain(self._title(cell)), now="starting")

    def run_progress(self, side: str, share: float, samples_per_s: float, loss: float) -> None:
        now = training_in_words(share, samples_per_s, loss, sample_unit=self._sample_unit)
        self._now[side] = plain(f"{side.upper()} {now}")
        self._bar.update(self._task, now="   ".join(self._now[side] for side in sorted(self._now)))

    def pair_ended(self, cell: Cell, a: Record, b: Record) -> None:
        self._num_ended += 1
        self._seen_s.append(self._watch.elapsed_s())
        self._watch = Stopwatch()
        self._say(f"[{self._num_ended}/{self._num_pairs}] {self._title(cell)}: {_pair_in_words(a, b)}")
        left = in_minutes((self._num_pairs - self._num_ended) * self._pair_s())
        self._bar.update(self._task, completed=self._num_ended, now="", left=f"about {left} left")

    def _title(self, cell: Cell) -> str:
        return f"{self._titles.get(cell.group, cell.title)} · seed {cell.seed}"

    def _pair_s(self) -> float:
        return typical_s(self._seen_s)

    def _say(self, line: str) -> None:
        _print_line(self._bar.console, line)


@contextmanager
def watching_pairs(cells: Iterable[Cell]) -> Iterator[ConsoleWatcher]:
    """A watcher of pairs of these cells, whose live line shows while in the block."""
    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[now]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    ]
    say = console()
    with Progress(*columns, console=say, disable=not say.is_terminal, transient=True) as bar:
        yield ConsoleWatcher(bar, titles_of(cell.stored() for cell in cells))


def _pair_in_words(a: Record, b: Record) -> str:
    runs = [run_of(record) for record in (a, b)]
    for side, run in zip("AB", runs, strict=True):
        if run is not None and run.trouble:
            return f"{side} {run.trouble}"
    rates = [run.values["throughput"] for run in runs if run is not None]
    worse = math.expm1(difference(*rates, better="higher", scale="ratio"))
    told = "" if math.isnan(worse) else f", B {size(abs(worse), 'ratio')} {direction('throughput', worse)}"
    unit = per_second({record.cell.sample_unit for record in (a, b)})
    return f"{rates[0]:,.0f} against {rates[1]:,.0f} {unit}{told}"


def show_verdict(verdict: Verdict) -> None:
    """A table a cell, and below them what failed and what is open."""
    say = console()
    _print_line(say, f"A = {verdict.arm_a}    B = {verdict.arm_b}")
    for cell in verdict.cells:
        if cell.failure or cell.unjudged:
            style = _STYLES[Outcome.REGRESSION if cell.failure else Outcome.INCONCLUSIVE]
            outcome = cell.failure or Outcome.INCONCLUSIVE
            _print_line(say, f"{cell.title}: {outcome}: {cell.words or cell.unjudged}", style=style)
        else:
            say.print(fitting_table(plain(cell.title), _columns(cell.comparisons), leading="metric", console=say))
    for cell, found in verdict.comparisons:
        if found.outcome.is_failure or found.outcome == Outcome.INCONCLUSIVE:
            _print_line(say, f"{found.outcome}: {cell.title}: {found.metric}: {found.words}")
    for line in (*verdict.incomparable, *verdict.notes):
        _print_line(say, f"note: {line}")
    _print_line(say, verdict.headline, style="bold")


def _columns(comparisons: Sequence[MetricComparison]) -> dict[str, list[str]]:
    rows = [_row(found) for found in comparisons]
    return {heading: [row[place] for row in rows] for place, heading in enumerate(_HEADINGS)}


def _row(found: MetricComparison) -> list[str]:
    a, b = (value_in_words(value, found.unit) for value in found.medians)
    effect = effect_in_words(found.metric, found.scale, found.effect, found.low, found.high, gate=found.gate)
    caught = size(found.smallest_caught, found.scale)
    said = [plain(text) for text in (found.metric, a, b, effect, str(len(found.deciding)), caught)]
    style = _STYLES[found.outcome]
    return [*said, f"[{style}]{found.outcome}[/]"]


def show_files(written: Sequence[Path]) -> None:
    """Where they are."""
    _print_line(console(), f"files in {written[0].parent}")


def _print_line(say: Console, text: str, style: str | None = None) -> None:
    """In one line, so that no text of a log begins one: GitHub obeys lines that begin with `::`."""
    say.print(one_line(text), highlight=False, markup=False, soft_wrap=True, style=style)


def show_history_table(history: History) -> None:
    """Where levels changed and targets were missed, what moved most first; what stands nowhere."""
    say = console()
    told = [(one, words) for one in history.series if (words := _changes_in_words(one))]
    if told:
        columns = {
            "cell": [plain(one.title) for one, _ in told],
            "metric": [one.metric for one, _ in told],
            "machine": [plain(one.machine) for one, _ in told],
            "commits": [str(len(one.points)) for one, _ in told],
            "changes (advisory)": [plain(words) for _, words in told],
        }
        say.print(fitting_table("where levels changed, what moved most first", columns, leading="cell", console=say))
    quiet = [one for one in history.series if not _changes_in_words(one)]
    short = Counter(one.metric for one in quiet if len(one.points) < LEAST_COMMITS)
    for metric, number in Counter(one.metric for one in quiet).items():
        said = f"{metric}: no change seen in {counted(number, 'series', 'series')}"
        too_few = f", {short[metric]} of them of fewer than {LEAST_COMMITS} commits, which show none"
        _print_line(say, said + too_few * bool(short[metric]))
    if history.unplaced:
        what = counted(len(history.unplaced), "commit")
        _print_line(say, f"left out, not in the repository: {what}: {', '.join(history.unplaced)}")


def _changes_in_words(one: Series) -> str:
    changes = [f"{point.revision}: {point.change:+.1%}" for point in one.points if point.is_change]
    changes += [f"{point.revision}: target missed" for point in one.points if math.isinf(point.value)]
    return ", ".join(changes)
