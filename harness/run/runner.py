"""Runs what is missing of a suite, one launch after another, and leaves one record for each.

The parent alone writes records. A run that is interrupted leaves none, so the same command goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from harness import registry
from harness.launchers.command import LaunchCommand, Launcher
from harness.launchers.deadline import Deadline
from harness.launchers.hosts import Host, is_elsewhere, placement, this_machine
from harness.launchers.supervisor import LaunchEnd, log_tail, supervise
from harness.plain_text import shortened
from harness.protocols import Role
from harness.records.index import IndexEntry
from harness.records.machines import Place, hosts_of, machine_of
from harness.records.record import Machine, Record, Rules, ServerPart, Status, Tuning, WorkerPart
from harness.records.results_folder import ResultsFolder, writing_to
from harness.records.run_files import (
    CELL_FILE,
    CURVE_FILE,
    ERROR_PREFIX,
    PLACE_PREFIX,
    PROGRESS_FILE,
    SERVER_PART_PREFIX,
    part_path,
)
from harness.records.software import driver_among_versions
from harness.run.core_locks import held
from harness.run.heartbeat import beating
from harness.run.launch_settings import args_in_words, launch_settings
from harness.run.outstanding import Again, Outstanding, outstanding
from harness.run.remedies import with_full_disk, with_remedy
from harness.run.run_folder import RUNS_FOLDER, ProgressFile, clear_leftovers, reserve, run_folder
from harness.run.timed_curve import timed_curve
from harness.run.versions import horovod_build, revision, versions_on
from harness.suite.cell import Cell
from harness.suite.suite import Suite
from harness.worker.machine_description import describe_machine
from harness.worker.machine_identity import machine_id
from harness.worker.parent_watch import EXIT_ORPHANED
from harness.worker.plan import first_exchange_step, plan_of
from harness.worker.process import pins

MAX_REASON = 500
# Of a process that ends by these, no word says why: others only say that it is gone.
_LEAVING_NO_WORD = (signal.SIGKILL, signal.SIGTERM)


class Watcher(Protocol):
    """Whoever shows how a suite goes on."""

    def cell_started(self, cell: Cell) -> None: ...
    def cell_progress(self, share: float, samples_per_s: float, loss: float) -> None: ...
    def cell_ended(self, record: Record) -> None: ...


class WaitingWatcher(Watcher, Protocol):
    """One that also shows why it does not go on."""

    def waiting(self, why: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where and how launches happen; the same for all of a suite."""

    suite: str
    folder: ResultsFolder
    hosts: tuple[Host, ...]
    launch_args: list[str] = field(default_factory=list)  # handed on to horovodrun
    cores: str | None = None  # on which alone this process runs, as the command names them
    question: str = ""  # that the suite answers
    is_existing: bool = False  # the launch was made by others
    again: Again | None = None  # what of the finished cells is run once more
    stopped_is_done: bool = True  # a cell is done by a launch that its time limit stopped
    time_limit_factor: float = 1.0  # on that of a cell: above 1 where launches share the machine by turns
    tuning: Tuning | None = None  # by which the suite was tuned
    rules: Rules | None = None  # by which the suite's claims are decided
    trials: Mapping[str, Tuning] = field(default_factory=dict)  # by key, of cells that are trials of tuning

    @property
    def options(self) -> list[str]:
        """Of a command that launches in the same way."""
        said: list[str] = []
        if self.hosts != this_machine():
            said += ["-H", ",".join(f"{host.name}:{host.slots}" for host in self.hosts)]
        if self.launch_args:
            said.append(f"--launch-args={shlex.join(self.launch_args)}")  # one word: it begins with dashes
        if self.cores is not None:
            said += ["--cores", self.cores]
        return said if pins() else [*said, "--no-pin"]

    def tuning_of(self, cell: Cell) -> Tuning | None:
        """What is not evaluated was not tuned, though the rest of its suite was."""
        return self.trials.get(cell.key, self.tuning if cell.evaluations else None)

    def settings_of(self, cell: Cell) -> dict[str, str]:
        """What holds in a launch of the cell beside what the cell says."""
        return launch_settings(
            cell, os.environ, hosts=self.hosts, launch_args=self.launch_args, existing=self.is_existing
        )

    def outstanding(self, cells: Sequence[Cell], records: Iterable[IndexEntry]) -> Outstanding:
        return outstanding(cells, records, self.settings_of, self.is_elsewhere, stopped_is_done=self.stopped_is_done)

    def is_elsewhere(self, cell: Cell) -> bool:
        """Whether some of the cell's workers are on other machines than this one."""
        return cell.hosts > 1 if self.is_existing else is_elsewhere(cell, self.hosts)


@dataclass(frozen=True, kw_only=True)
class Summary:
    num_ok: int
    num_stopped: int  # at their time limit, by themselves
    num_failed: int
    num_elsewhere: int  # another hvdbench was at them
    num_left: int  # the suite's time budget was over

    def in_words(self, folder: Path) -> str:
        parts = [f"{self.num_ok} ran", f"{self.num_failed} failed"]
        if self.num_stopped:
            parts.append(stopped_in_words(self.num_stopped))
        if self.num_elsewhere:
            parts.append(f"{self.num_elsewhere} left to another hvdbench")
        if self.num_left:
            parts.append(f"{self.num_left} left when the suite's time budget was over: the same command goes on")
        return f"{', '.join(parts)}. Records are in {folder}"


def stopped_in_words(num_stopped: int) -> str:
    return f"{num_stopped} stopped at {'its' if num_stopped == 1 else 'their'} time limit"


def run_suite(suite: Suite, setting: Setting, watcher: WaitingWatcher) -> Summary:
    """Runs the missing cells. Raises ResultsError when records cannot be read or written; what is finished is safe."""
    setting.folder.make()
    clear_leftovers(setting.folder)
    records = setting.folder.entries().entries
    known = {record.id for record in records}
    todo = setting.outstanding(suite.cells, records).chosen(suite.cells, setting.again)
    started = time.monotonic()
    ended = Counter[str]()
    num_elsewhere = 0
    for position, cell in enumerate(todo):
        if suite.time_budget_s is not None and time.monotonic() - started > suite.time_budget_s:
            num_left = len(todo) - position
            break
        with setting.folder.claim(cell.key) as mine:
            if not mine:
                num_elsewhere += 1
                continue
            since = setting.folder.of_key_since(cell.key, known)
            if not setting.outstanding([cell], since).chosen([cell], "changed"):
                continue  # another hvdbench was faster
            record = run_cell_alone(cell, setting, watcher)
            ended["stopped" if record.was_stopped else record.status] += 1
    else:
        num_left = 0
    return Summary(
        num_ok=ended["ok"],
        num_stopped=ended["stopped"],
        num_failed=ended["failed"] + ended["timeout"],
        num_elsewhere=num_elsewhere,
        num_left=num_left,
    )


def run_cell_alone(cell: Cell, setting: Setting, watcher: WaitingWatcher) -> Record:
    """`run_cell`, once nobody else measures on its cores, and while nobody else does."""
    with _cores_of(cell, setting, watcher):
        return run_cell(cell, setting, watcher)


def _cores_of(cell: Cell, setting: Setting, watcher: WaitingWatcher) -> AbstractContextManager[None]:
    """Keeps other measurements from the cores of this machine, where the cell is launched on it."""
    is_here = any(host.is_this_machine for host in placement(cell, setting.hosts))
    return held(os.sched_getaffinity(0), watcher.waiting) if is_here else nullcontext()


def run_cell(cell: Cell, setting: Setting, watcher: Watcher) -> Record:
    """One launch of one cell and its record. Raises ExtensionError before it where the strategy is at fault."""
    first_exchange = first_exchange_step(cell, plan_of(cell, cell.num_samples))
    launcher: Launcher = registry.load(registry.LAUNCHERS[cell.needs, cell.framework])()
    watcher.cell_started(cell)
    with run_folder(setting.folder) as run_dir:
        reserve(run_dir)
        with writing_to(setting.folder.path, "--results"):
            told = _as_told(cell, setting.time_limit_factor).model_dump_json()
            (run_dir / CELL_FILE).write_text(told, encoding="utf-8")
        placed = placement(cell, setting.hosts)
        commands = launcher.commands(cell, placed, run_dir, setting.launch_args)
        started_at, settings = datetime.now(UTC), setting.settings_of(cell)
        progress = ProgressFile(run_dir / PROGRESS_FILE, watcher.cell_progress)
        deadline = Deadline(run_dir, cell.time_limit_s * setting.time_limit_factor)
        with beating(run_dir) if is_elsewhere(cell, placed) else nullcontext():
            end = supervise(commands, run_dir, deadline=deadline, watch=progress.read)
        record = make_record(
            cell,
            run_dir,
            suite=setting.suite,
            question=setting.question,
            launcher=launcher.name,
            commands=commands,
            end=end,
            started_at=started_at,
            time_limit_factor=setting.time_limit_factor,
            first_exchange=first_exchange,
            settings=settings,
            tuning=setting.tuning_of(cell),
            rules=setting.rules,
        )
        setting.folder.write(record, run_dir)
    watcher.cell_ended(record)
    return record


def _as_told(cell: Cell, time_limit_factor: float) -> Cell:
    """As the workers get it: with the limit that holds for them, who count no time in which they are stopped."""
    return cell.model_copy(update={"time_limit_s": cell.time_limit_s * min(1.0, time_limit_factor)})


def make_record(
    cell: Cell,
    run_dir: Path,
    *,
    suite: str,
    question: str = "",
    launcher: str,
    commands: list[LaunchCommand],
    end: LaunchEnd,
    started_at: datetime,
    time_limit_factor: float = 1.0,
    first_exchange: int | None,
    settings: dict[str, str],
    tuning: Tuning | None = None,
    rules: Rules | None = None,
) -> Record:
    """Puts together what the workers left and how they ended.

    first_exchange: as `first_exchange_step` tells; asked before the launch, since a user's code may fail at it.
    """
    status, reason = _status(cell, end, run_dir, time_limit_factor)
    if status == "failed" and reason is not None:
        reason = _with_first_error(reason, run_dir, end, commands)
    parts, curve = _read_parts(run_dir, cell.workers)
    num_left = cell.workers - len(end.lost_ranks)
    if status == "ok" and (sum(part.num_workers for part in parts) < num_left or not curve):
        absent = sorted(set(range(cell.workers)) - {part.rank for part in parts})
        status, reason = (
            "failed",
            (
                f"the workers ended well, but ranks {absent} left no part in the results folder: "
                "is it on a file system that all hosts share?"
            ),
        )
    elif status == "ok" and any(part.stopped_after is not None for part in parts):
        status = "timeout"
        reason = _stop_in_words(cell, min(1.0, time_limit_factor), parts, planned_steps=curve["planned_steps"])
    return Record(
        id=run_dir.name,
        suite=suite,
        question=question,
        tuning=tuning,
        rules=rules,
        cell=cell.stored(),
        status=status,
        reason=None if reason is None else with_remedy(reason),
        log_tail=None if status == "ok" else log_tail(run_dir),
        started_at=started_at.isoformat(timespec="milliseconds"),
        wall_s=end.wall_s,
        launcher=launcher,
        command=_portable(commands[0].argv),
        evaluated_model=cell.evaluated_model,
        first_exchange_step=first_exchange,
        num_parameters=curve.get("num_parameters"),
        num_held_out=curve.get("num_held_out"),
        vector_size=curve.get("vector_size"),
        weights_sha256=curve.get("weights_sha256"),
        initial_sha256=curve.get("initial_sha256"),
        curve=timed_curve(curve.get("curve", []), parts, cell.evaluated_model),
        workers=parts,
        servers=_read_servers(run_dir),
        lost_ranks=list(end.lost_ranks),
        machine=_machine(parts, run_dir),
        versions=_versions(cell, parts, run_dir),
        horovod_build=horovod_build(cell),
        settings=settings,
        revision=revision(),
    )


def _machine(parts: list[WorkerPart], run_dir: Path) -> Machine:
    """That of whoever trained, or crashed before it left a part.

    This process knows best of its own: workers there may be bound to some of its cores. Of a crash before each machine
    has told, those that have not are taken to be like the others, and their record says nothing of it.
    """
    told: list[WorkerPart | Place] = [*_places(run_dir), *parts]
    trained_here = hosts_of(told) <= {machine_id()}
    return (None if trained_here else machine_of(told)) or describe_machine()


def _versions(cell: Cell, parts: list[WorkerPart], run_dir: Path) -> dict[str, str]:
    """Of this machine; with the driver of the GPUs on which a launch crashed elsewhere. Who trained tells it itself."""
    here = versions_on(cell.device)
    if parts or cell.device != "gpu":
        return here
    return {**here, **driver_among_versions(place.driver for place in _places(run_dir))}


def _places(run_dir: Path) -> list[Place]:
    return [Place.model_validate_json(path.read_bytes()) for path in sorted(run_dir.glob(f"{PLACE_PREFIX}*"))]


def _status(cell: Cell, end: LaunchEnd, run_dir: Path, time_limit_factor: float) -> tuple[Status, str | None]:
    if end.exit_code is None:
        return "timeout", _limit_in_words(cell.time_limit_s, time_limit_factor)
    who = "worker or its launcher" if end.role == Role.LAUNCHER else end.role or Role.WORKER
    if end.exit_code == EXIT_ORPHANED:
        return "failed", f"a {who} lost sight of the process that started it"
    if end.killed_by is not None:
        return "failed", f"a {who} was killed by signal {end.killed_by}"
    if end.exit_code:
        return "failed", with_full_disk(f"a {who} ended with exit code {end.exit_code}", run_dir)
    return "ok", None


def _stop_in_words(cell: Cell, factor: float, parts: list[WorkerPart], *, planned_steps: int) -> str:
    """Of training that stopped by itself, of some workers at least."""
    evaluated = "; what was trained by then was evaluated" if cell.evaluations else ""
    taken = _taken_in_words(cell, parts, planned_steps)
    return f"training {_limit_in_words(cell.time_limit_s, factor)}, after {taken}{evaluated}"


def _taken_in_words(cell: Cell, parts: list[WorkerPart], planned_steps: int) -> str:
    """planned_steps: of each worker, or on average where they share their steps out."""
    taken = [sum(window.num_steps for window in part.windows) for part in parts]
    if min(taken) == max(taken):
        return f"{taken[0]} of {planned_steps} steps of each worker"
    planned_of_all = planned_steps * cell.workers // parts[0].num_workers
    return f"{sum(taken)} of {planned_of_all} steps of all workers, {min(taken)} to {max(taken)} of each"


def _limit_in_words(time_limit_s: float, factor: float) -> str:
    """The limit that held, which need not be the cell's own."""
    if factor == 1.0:
        return f"stopped at the cell's time_limit_s of {time_limit_s:g} s"
    return f"stopped at {time_limit_s * factor:.3g} s, {factor:.3g} times the cell's time_limit_s of {time_limit_s:g} s"


def _with_first_error(ended: str, run_dir: Path, end: LaunchEnd, commands: list[LaunchCommand]) -> str:
    """What the first process that failed said, after the crash of another one, such as by SIGSEGV.

    Who crashes leaves no word, since who has left one ends by an exit code (harness/worker/failure.py), and the others
    say in many ways that they miss it.
    """
    forgiven = [command.dispensable_rank for command in commands if command.dispensable_rank is not None]
    word = None if end.killed_by in _LEAVING_NO_WORD else _first_error(run_dir, forgiven)
    if word is None:
        return ended
    return word if end.killed_by is None else f"{ended}; {word}"


def _first_error(run_dir: Path, forgiven: Sequence[int]) -> str | None:
    """What the worker that failed first said; the others' errors are often only that it is gone.

    forgiven: ranks without which the launch goes on, so that it never ends for what they say.
    """
    spared = {f"{ERROR_PREFIX}{rank}" for rank in forgiven}
    errors = [path for path in run_dir.glob(f"{ERROR_PREFIX}*") if path.name not in spared]
    if not errors:
        return None
    first = min(errors, key=lambda path: path.stat().st_mtime_ns)
    return shortened(first.read_text(encoding="utf-8", errors="replace"), MAX_REASON)  # whose end has the cause


def _read_parts(run_dir: Path, num_workers: int) -> tuple[list[WorkerPart], dict[str, Any]]:
    paths = [part_path(run_dir, rank) for rank in range(num_workers)]
    parts = [WorkerPart.model_validate_json(path.read_bytes()) for path in paths if path.exists()]
    curve_path = run_dir / CURVE_FILE
    return parts, json.loads(curve_path.read_bytes()) if curve_path.exists() else {}


def _read_servers(run_dir: Path) -> list[ServerPart]:
    paths = run_dir.glob(f"{SERVER_PART_PREFIX}*")
    parts = [ServerPart.model_validate_json(path.read_bytes()) for path in paths]
    return sorted(parts, key=lambda part: (part.role, part.index))


def _portable(argv: list[str]) -> list[str]:
    """The command without secrets, interfaces and paths of this machine."""
    prefix = str(Path(sys.executable).parent)
    return [
        Path(part).name if part.startswith(prefix) or f"/{RUNS_FOLDER}/" in part else said
        for part, said in zip(argv, args_in_words(argv), strict=True)
    ]
