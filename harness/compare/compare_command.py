"""`hvdbench compare`: from what was asked for to a plan, its launches, the page and the answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from harness.compare.candidates import Candidates, candidates
from harness.compare.comparison_folder import ComparisonFolder
from harness.compare.measuring import SHARE_OF_MINUTES, launch_times_s, measuring_cells, paces_of
from harness.compare.planning import REPORT_S, Entry, LaunchPlan, PaceKey, plan_launches
from harness.compare.request import CompareError, Request
from harness.compare.suite_file import blocks_of, frameworks_of, suite_text
from harness.launchers.hosts import Host
from harness.plain_text import counted
from harness.progress import FIRST_GUESS_S, console, in_minutes, show_cautions, watching
from harness.report import write_report
from harness.report.answer import answer_lines
from harness.report.wording import listed
from harness.run.feasible import cautions, first_obstacle
from harness.run.outstanding import Again
from harness.run.runner import Setting, Summary, run_suite
from harness.suite.cell import Cell
from harness.suite.fields import LEAST_TIME_LIMIT_S
from harness.suite.gates import CheckSettings
from harness.suite.suite import Suite


def compare(
    request: Request,
    folder: ComparisonFolder,
    hosts: tuple[Host, ...],
    *,
    fresh: bool,
    again: Again | None = None,
) -> Summary:
    """Plans, or goes on with the plan that is there, runs and reports. Raises CompareError and what running raises."""
    if fresh and (kept := folder.set_aside()):
        _say(f"what was there is kept as {kept}")
    guess_s = FIRST_GUESS_S
    if folder.holds_plan_of(request):
        _say(f"{folder.suite}: planned already, and gone on with; --fresh plans anew")
    else:
        guess_s = _plan(request, folder, hosts).typical_s
    suite = Suite.load(folder.suite)
    show_cautions(cautions(suite.cells))
    setting = Setting(suite=suite.name, question=suite.question, folder=folder.results, hosts=hosts, again=again)
    summary = _run(suite, setting, guess_s)
    page = write_report([folder.results.path], folder.report)
    _say("", *answer_lines([folder.results.path]), "")
    _say(summary.in_words(folder.results.path), f"report: {page}", f"suite: {folder.suite}")
    return summary


def _plan(request: Request, folder: ComparisonFolder, hosts: tuple[Host, ...]) -> LaunchPlan:
    """Measures, and leaves the suite in the folder."""
    started = time.monotonic()
    found = candidates(request, hosts)
    launch_s = _measured(request, found.cells, folder, hosts)
    spent_s = time.monotonic() - started
    entries = [Entry(strategy=cell.strategy, framework=cell.framework, workers=cell.workers) for cell in found.cells]
    plan = plan_launches(entries, launch_s, repeats=request.repeats, minutes=request.minutes, spent_s=spent_s)
    kept = [cell for cell, entry in zip(found.cells, entries, strict=True) if entry in plan.entries]
    left_s = request.minutes * 60 - spent_s - REPORT_S
    folder.keep(request, suite_text(request, plan, kept, folder, time_budget_s=left_s))
    _say(*_in_words(request, plan, kept, found), f"suite: {folder.suite}", "")
    return plan


def _measured(
    request: Request, cells: Sequence[Cell], folder: ComparisonFolder, hosts: tuple[Host, ...]
) -> dict[PaceKey, float]:
    """Seconds of a launch."""
    short = measuring_cells(cells)
    obstacle = first_obstacle(short, hosts)
    if obstacle is not None:
        raise CompareError(obstacle)
    suite = Suite(name="measuring", question="", repeats=1, time_budget_s=None, check=CheckSettings(), cells=short)
    # By the factor, not the cells' own limit, which is in their keys: what was measured serves other minutes too.
    factor = max(SHARE_OF_MINUTES * request.minutes * 60, LEAST_TIME_LIMIT_S) / short[0].time_limit_s
    setting = Setting(
        suite=suite.name, folder=folder.measured, hosts=hosts, stopped_is_done=False, time_limit_factor=factor
    )
    _run(suite, setting, FIRST_GUESS_S)
    return launch_times_s(cells, paces_of(short, folder.measured.load()))


def _run(suite: Suite, setting: Setting, guess_s: float) -> Summary:
    with watching(suite, setting, guess_s=guess_s) as watcher:
        return run_suite(suite, setting, watcher)


def _in_words(request: Request, plan: LaunchPlan, cells: Sequence[Cell], found: Candidates) -> Iterator[str]:
    first = cells[0]
    yield ""
    yield (
        f"{first.problem}, {listed(frameworks_of(cells))}: {counted(plan.num_launches, 'launch', 'launches')}, "
        f"{plan.repeats} of each cell, about {in_minutes(plan.estimate_s)} of the {request.minutes:g} min"
    )
    whose = "the recipe's" if request.epochs is None else "as asked for: the recipe's target may be out of reach"
    amount = f"{first.samples:,} samples" if first.epochs is None else f"{first.epochs:g} epochs"
    yield f"each trains for {amount} ({whose}), {_target_in_words(first)}"
    has_several = len(frameworks_of(cells)) > 1
    for block in blocks_of(cells):
        yield f"- {', '.join(block.frameworks)}: {block.in_words}" if has_several else f"- {block.in_words}"
    yield from (f"given up to fit: {line}" for line in plan.given_up)
    yield from (f"left out: {line}" for line in found.left_out)


def _target_in_words(cell: Cell) -> str:
    if cell.target is None:
        return "without a target"
    return f"to {cell.metric.name} {cell.metric.target_in_words(cell.target)}"


def _say(*lines: str) -> None:
    for line in lines:
        console().print(line, highlight=False, markup=False, soft_wrap=True)
