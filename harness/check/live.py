"""Runs a check: randomised interleaved pairs, first of all cells, then fresh ones of those that were flagged."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from harness.check.arms import Arm
from harness.check.circumstances import differences_of_arms
from harness.check.decision import decide
from harness.check.launching import About, Tell, ask_about, launch, launch_in_turns
from harness.check.observed import (
    Observed,
    Pair,
    Stage,
    ended_well,
    observed_of,
    run_of,
    single_of_each,
)
from harness.check.pair_folder import SIDES, PairFolder
from harness.check.pair_order import in_random_order, sides_in_random_order
from harness.check.sequential import looks, open_groups
from harness.check.verdict import Verdict
from harness.check.worktree import ArmError
from harness.records.record import Record
from harness.records.setting_names import is_recorded
from harness.run.core_locks import held
from harness.run.launch_settings import decided_by_cell, launch_settings
from harness.suite.cell import Cell
from harness.suite.gates import CheckSettings
from harness.suite.suite import Suite
from harness.timing.stopwatch import Stopwatch


class PairWatcher(Protocol):
    """Whoever shows how a check goes on."""

    def stage_started(self, stage: Stage, num_pairs: int, num_done: int) -> None: ...
    def waiting(self, why: str) -> None: ...
    def pair_started(self, cell: Cell) -> None: ...
    def run_progress(self, side: str, share: float, samples_per_s: float, loss: float) -> None: ...
    def pair_ended(self, cell: Cell, a: Record, b: Record) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Check:
    """What is compared, by which rule, and where its pairs are kept."""

    suite: str
    cells: tuple[Cell, ...]  # one for each group, seed 0
    settings: CheckSettings
    arm_a: Arm
    arm_b: Arm
    folder: PairFolder
    abouts: tuple[About, About]
    identities: tuple[str, str]  # of the arms, as the check began
    notes: tuple[str, ...]


def prepare(
    suite: Suite, arms: tuple[Arm, Arm], results: Path, *, attempt: str = "", notes: Sequence[str] = ()
) -> Check:
    """A check of the suite's cells, in a folder of its own for these very arms. Raises ArmError.

    attempt: tells apart checks of the same arms that are not to share their pairs.
    notes: what the verdict tells beside its comparisons.
    """
    cells = tuple({cell.group: cell.with_seed(0) for cell in suite.cells}.values())
    for arm in arms:
        _refuse_what_cells_decide(arm, cells)
    read_by_some = [note for arm in arms for note in _read_by_some(arm, cells)]
    abouts = (ask_about(arms[0], cells), ask_about(arms[1], cells))
    identities = (arms[0].identity(), arms[1].identity())
    outside = [sorted([*about.versions.items(), *about.settings.items()]) for about in abouts]
    depends_on = [
        *(sorted(cell.group for cell in cells), suite.check.model_dump(mode="json"), outside, attempt),
        *identities,
        abouts[0].fingerprint,
    ]
    name = hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:12]
    return Check(
        suite=suite.name,
        cells=cells,
        settings=suite.check,
        arm_a=arms[0],
        arm_b=arms[1],
        folder=PairFolder(results / f"{suite.name}-{name}"),
        abouts=abouts,
        identities=identities,
        notes=(*notes, *read_by_some),
    )


def _refuse_what_cells_decide(arm: Arm, cells: Sequence[Cell]) -> None:
    """A variable that means nothing to a launch: both arms would be equal, and the answer would be about nothing."""
    for cell in cells:
        for name, decides in decided_by_cell(cell).items():
            if name in arm.environ:
                raise ArmError(
                    f"arm {arm.name}: {name} has no effect on {cell.title}: its {decides} decides; give a suite cells "
                    f"that differ in {decides} and compare them by `hvdbench run` and `report`"
                )


def _read_by_some(arm: Arm, cells: Sequence[Cell]) -> list[str]:
    """A note on each variable that some cells alone go by. Raises ArmError for one by which none does."""
    holding = [launch_settings(cell, arm.environ) for cell in cells]
    notes = []
    for name in filter(is_recorded, arm.environ):
        num = sum(name in settings for settings in holding)
        if not num:
            raise ArmError(
                f"arm {arm.name}: {name} has no effect on any cell of the check: none of their launches reads it; "
                "give a suite cells on which it has"
            )
        if num < len(cells):
            notes.append(
                f"arm {arm.name}: {name} reaches {num} of {len(cells)} cells; on the others the arms are equal"
            )
    return notes


def run_check(check: Check, watcher: PairWatcher, *, time_budget_s: float | None = None) -> Verdict:
    """Runs the missing pairs and decides. Raises ArmError, ResultsError; what is finished is safe then.

    time_budget_s: no further pair is started after it; what is missing makes the verdict inconclusive.
    """
    watch = Stopwatch()
    settings = check.settings
    with check.folder.claim():
        check.folder.forget_failures_that_say_nothing()
        done = settings.screen_pairs
        _run_pairs(check, Stage.SCREEN, in_random_order(check.cells, range(done)), watcher, watch, time_budget_s)
        for num_fresh in looks(settings):
            still_open = _wanting_more(check)
            if not still_open:
                break
            seeds = range(done, done := settings.screen_pairs + num_fresh)
            _run_pairs(check, Stage.CONFIRM, in_random_order(still_open, seeds), watcher, watch, time_budget_s)
        return verdict_of(check)


def verdict_of(check: Check) -> Verdict:
    """The verdict on the pairs that there are."""
    names = [_full_name(arm, about) for arm, about in zip((check.arm_a, check.arm_b), check.abouts, strict=True)]
    return decide(
        observe(check),
        check.settings,
        suite=check.suite,
        arm_a=names[0],
        arm_b=names[1],
        notes=[*check.notes, *changed_circumstances(*check.abouts), *_without_turns(check)],
    )


def _without_turns(check: Check) -> list[str]:
    if not check.settings.take_turns:
        return []
    return [
        f"arm {arm.name}: launches ran one after the other, which is noisier: its harness is from before turns, "
        "or this system forbids to stop processes (pidfd)"
        for arm, about in zip((check.arm_a, check.arm_b), check.abouts, strict=True)
        if not about.takes_turns
    ]


def changed_circumstances(a: About, b: About) -> list[str]:
    """Packages and Pythons of other versions and settings of other values in the arms, which may be what made the
    difference."""
    return differences_of_arms(a.versions, b.versions) + differences_of_arms(a.settings, b.settings)


def observe(check: Check) -> Observed:
    """The stored pairs as plain numbers."""
    pairs = tuple(
        Pair(
            group=group,
            seed=seed,
            stage=Stage.SCREEN if seed < check.settings.screen_pairs else Stage.CONFIRM,
            a=run_of(a),
            b=run_of(b),
        )
        for (group, seed), (a, b) in check.folder.load().items()
    )
    return observed_of([cell.stored() for cell in check.cells], pairs)


def record_pairs(check: Check, seeds: range, watcher: PairWatcher) -> Observed:
    """Runs the missing pairs of these seeds, flagged or not: recordings on which rules can be compared."""
    with check.folder.claim():
        _run_pairs(check, Stage.SCREEN, in_random_order(check.cells, seeds), watcher, Stopwatch(), None)
    return observe(check)


def _wanting_more(check: Check) -> list[Cell]:
    """The cells with something open, and with a gated scaling efficiency also those that it rests on."""
    wanted = set(open_groups(observe(check), check.settings))
    if check.settings.metrics["scaling_efficiency"].gated:
        single_of = single_of_each(cell.stored() for cell in check.cells)
        wanted |= {single_of[group] for group in wanted & single_of.keys()}
    return [cell for cell in check.cells if cell.group in wanted]


def _launched(check: Check, cell: Cell, folder: Path, tell: Callable[[str], Tell]) -> dict[str, Record]:
    """Both arms' runs of the cell, by side."""
    arm_of = dict(zip(SIDES, (check.arm_a, check.arm_b), strict=True))
    arms = {side: arm_of[side] for side in sides_in_random_order(check.folder.path.name, cell)}
    if takes_turns(check, cell):
        return launch_in_turns({side: (arm, cell) for side, arm in arms.items()}, folder, tell)
    return {side: launch(arm, cell, folder / side, tell(side)) for side, arm in arms.items()}


def takes_turns(check: Check, cell: Cell) -> bool:
    """A GPU goes on with what it was given when its process is stopped."""
    return check.settings.take_turns and cell.device == "cpu" and all(about.takes_turns for about in check.abouts)


def _run_pairs(
    check: Check, stage: Stage, scheduled: list[Cell], watcher: PairWatcher, watch: Stopwatch, budget_s: float | None
) -> None:
    stored = check.folder.load()
    watcher.stage_started(stage, len(scheduled), sum((cell.group, cell.seed) in stored for cell in scheduled))
    spoilt = {group for (group, _), pair in stored.items() if _is_broken(*pair)}
    for cell in scheduled:
        if budget_s is not None and watch.elapsed_s() > budget_s:
            return
        if (cell.group, cell.seed) in stored or cell.group in spoilt:
            continue
        with held(os.sched_getaffinity(0), watcher.waiting), check.folder.staged(cell.group, cell.seed) as staging:
            watcher.pair_started(cell)
            records = _launched(check, cell, staging, lambda side: partial(watcher.run_progress, side))
            _refuse_changed_code(check)
        if _is_broken(records["a"], records["b"]):
            spoilt.add(cell.group)
        watcher.pair_ended(cell, records["a"], records["b"])


def _refuse_changed_code(check: Check) -> None:
    """An edit would mix two programs in one arm. Asked before a pair is kept, so that no kept pair is of both."""
    for arm, before in zip((check.arm_a, check.arm_b), check.identities, strict=True):
        if arm.identity() != before:
            raise ArmError(
                f"arm {arm.name}: its code has changed while the check ran; the same command checks it as it is now, "
                "or, once it is as before, goes on with the finished pairs"
            )


def _is_broken(a: Record, b: Record) -> bool:
    """Whether a run has failed, so that more pairs of its cell say nothing new."""
    return not (ended_well(a) and ended_well(b))


def _full_name(arm: Arm, about: About) -> str:
    return f"{arm.name} ({about.revision})" if about.revision else arm.name
