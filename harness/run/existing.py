"""Inside a launch that somebody else made (horovodrun, mpirun, srun): cells run in the processes that are there.

Every rank runs the same command. Rank 0 says what is missing, keeps the time and records; the others follow it. One
process runs all cells, one after another, so Horovod's settings are those of the launch, and the record's launcher
says `existing`: such runs share a process, which runs started by this harness never do. A cell that fails ends the
launch; the next one takes it last, so that it does not stand in the way of the others.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness import registry
from harness.backends.triton_first import import_triton
from harness.extensions import ExtensionError
from harness.fabrics.connection import (
    Connection,
    launch_in_words,
    place_among_workers,
    step_without_ranks,
    without_place,
)
from harness.fabrics.process_sets import process_sets
from harness.launchers.command import LaunchCommand
from harness.launchers.deadline import Deadline
from harness.launchers.slurm_step import step_around
from harness.launchers.supervisor import LaunchEnd
from harness.plain_text import counted, one_line
from harness.protocols import Role
from harness.records.record import Record
from harness.records.results_folder import ResultsFolder
from harness.records.run_files import ERROR_PREFIX
from harness.records.titles import titles_of
from harness.run.feasible import cautions, first_obstacle
from harness.run.node_cores import alone_on_its_cores
from harness.run.outstanding import DONE_AGAIN, Again
from harness.run.run_folder import reserve, run_folder
from harness.run.runner import Setting, make_record
from harness.suite.cell import Cell
from harness.suite.suite import Suite, SuiteError
from harness.timing.stopwatch import Stopwatch
from harness.worker import process
from harness.worker.gpus import cores_near_workers
from harness.worker.plan import first_exchange_step, plan_of
from harness.worker.worker import run_worker

EXIT_FAILED = 1
_LOOK_EVERY_S = 0.5


def launch_around(*, own_launch: bool = False) -> str | None:
    """What says that this process is one of a launch, in words; None where it starts its own.

    own_launch: the user says so, and from now on nothing here takes a place from the environment.

    Raises SuiteError where this is one of several processes, and each would start its own.
    """
    if own_launch:
        for name in os.environ.keys() - without_place(os.environ).keys():
            del os.environ[name]
        return None
    if untold := step_without_ranks(os.environ, step_around()):
        raise SuiteError(
            f"srun started several processes ({untold}) and told them no ranks; allowed: srun --mpi=pmix, or what "
            "else srun --mpi=list has of MPI's; --own-launch where this process is the only one"
        )
    return launch_in_words(os.environ)


def require_no_launch(command: str, *, own_launch: bool, allowed: str = "hvdbench run SUITE") -> None:
    """Raises SuiteError inside a launch: each of its processes would start all launches."""
    if around := launch_around(own_launch=own_launch):
        raise SuiteError(
            f"{command}: starts its launches itself; inside a launch ({around}), allowed: {allowed}; where it is none, "
            "--own-launch"
        )


@contextmanager
def _naming_the_launch() -> Iterator[None]:
    """What is refused here may be due to a launch that is none."""
    try:
        yield
    except SuiteError as error:
        told = launch_in_words(os.environ)
        raise SuiteError(f"{error} (a launch, by {told}; where it is none, --own-launch starts one)") from None


def require_fitting(suite: Suite) -> None:
    """Raises SuiteError where this launch cannot run the suite's collective cells of its size, or there are none."""
    place = place_among_workers(os.environ)
    assert place is not None
    with _naming_the_launch():
        _fitting(suite, size=place[1])


def run_inside(suite: Suite, folder: ResultsFolder, *, again: Again | None = None) -> int:
    """Runs the suite's missing collective cells of this launch's size. Returns the exit code. Raises SuiteError."""
    place = place_among_workers(os.environ)
    assert place is not None
    with _naming_the_launch():
        fitting = _fitting(suite, size=place[1])  # whoever is refused waits for no cores
        if place[0] == 0:  # where the others are not there, MPI ends this process after a while, with words of its own
            _say_which_launch()
        with alone_on_its_cores():
            return _run_inside(suite, fitting, place, folder, again=again)


def _say_which_launch() -> None:
    told = launch_in_words(os.environ)
    print(
        f"hvdbench: rank 0 of a launch ({told}); where it is none, --own-launch starts one", file=sys.stderr, flush=True
    )


@dataclass(frozen=True, kw_only=True)
class _Fitting:
    """The cells that this launch can run, and what is settled for all of them before Horovod starts."""

    cells: list[Cell]
    settled: tuple[str, int, int, str]  # framework, threads, loader_workers, device


def _fitting(suite: Suite, *, size: int) -> _Fitting:
    """Raises SuiteError where there are none, or this launch cannot run them all."""
    cells = [cell for cell in suite.cells if cell.needs.uses_horovod and cell.workers == size]
    settled = _the_only(cells, size)
    obstacle = first_obstacle(cells, None)
    if obstacle:
        raise SuiteError(obstacle)
    return _Fitting(cells=cells, settled=settled)


def _run_inside(
    suite: Suite, fitting: _Fitting, place: tuple[int, int, int, int], folder: ResultsFolder, *, again: Again | None
) -> int:
    rank, size, local_rank, local_size = place
    cores, hvd = _prepared(fitting, place)
    # The launch decides how and over what its workers talk; the record has to say what was, not what was asked for.
    actual = {"controller": "mpi" if hvd.mpi_enabled() else "gloo", "hosts": hvd.cross_size()}
    cells = {cell.key: cell for cell in (_as_launched(cell, actual) for cell in fitting.cells)}
    first_exchanges = {cell.key: _first_exchange(cell) for cell in cells.values()}  # on each rank, before any trains
    setting = Setting(
        suite=suite.name,
        question=suite.question,
        tuning=suite.tuned,
        rules=suite.rules,
        folder=folder,
        hosts=(),
        is_existing=True,
        again=again,
    )
    todo = _untried_first(list(cells.values()), setting, suite) if rank == 0 else iter(())
    titles = titles_of(cell.stored() for cell in cells.values())
    while cell := hvd.broadcast_object(next(todo, None), root_rank=0, name="todo"):
        connection = {"rank": rank, "size": size, "local_rank": local_rank, "local_size": local_size}
        if rank == 0:
            with run_folder(folder) as run_dir:
                hvd.broadcast_object(str(run_dir), root_rank=0, name="run_dir")
                here = Connection(**connection, run_dir=run_dir)
                record = _lead(cell, here, cores, hvd, setting, first_exchange=first_exchanges[cell.key])
            print(f"{titles[cell.group]} · seed {cell.seed}: {record.status}", flush=True)
        else:
            run_dir = Path(hvd.broadcast_object(None, root_rank=0, name="run_dir"))
            run_worker(cell.model_dump_json(), Connection(**connection, run_dir=run_dir), cores)
            _meet(hvd)  # the part is written
    return 0


def _prepared(fitting: _Fitting, place: tuple[int, int, int, int]) -> tuple[list[int] | None, Any]:
    """The cores that this process is pinned to, and Horovod, started. Raises SuiteError."""
    _, size, local_rank, local_size = place
    framework, num_threads, num_loaders, device = fitting.settled
    near = cores_near_workers(local_size) if device == "gpu" else []
    cores = process.pin(local_rank, local_size, num_threads + num_loaders, near=near, is_existing=True)
    process.prepare(num_threads=num_threads)
    if any(cell.own is not None for cell in fitting.cells):
        import_triton()
    registry.load(registry.PREPARATIONS[framework])(
        num_threads=num_threads, gpus=[local_rank] if device == "gpu" else []
    )
    hvd: Any = importlib.import_module(f"horovod.{framework}")
    as_placed = [cell.model_copy(update={"hosts": size // local_size}) for cell in fitting.cells]
    sets, wanted = process_sets(as_placed, hvd), "one by the MPI that Horovod was built with, or by horovodrun"
    try:
        hvd.init(process_sets=sets)
    except ValueError:  # as where it does not find the workers of a set
        raise SuiteError(
            f"Horovod did not start in this launch of {size}, for what it says above; where ranks are invalid, wanted: "
            f"{wanted}"
        ) from None
    if hvd.size() != size:
        found = counted(hvd.size(), "process", "processes")
        raise SuiteError(f"Horovod finds {found} of the {size} of this launch; wanted: {wanted}")
    return cores, hvd


def _as_launched(cell: Cell, actual: dict[str, Any]) -> Cell:
    """The cell as this launch runs it. Raises SuiteError where it cannot."""
    try:
        return Cell.model_validate({**cell.model_dump(), **actual})
    except ValidationError as error:
        raise SuiteError(f"{cell.title}: not in this launch: {error.errors()[0]['msg']}") from None


def _first_exchange(cell: Cell) -> int | None:
    """Raises SuiteError where a strategy, a user's perhaps, does not tell it."""
    try:
        return first_exchange_step(cell, plan_of(cell, cell.num_samples))
    except ExtensionError as error:
        raise SuiteError(f"{cell.title}: strategy: {error}") from None


def _untried_first(cells: list[Cell], setting: Setting, suite: Suite) -> Iterator[Cell]:
    """What is to run, within the suite's time budget. Raises ResultsError where records cannot be read."""
    watch = Stopwatch()
    setting.folder.make()
    contents = setting.folder.entries()
    for caution in (*cautions(cells), *contents.cautions):
        print(f"hvdbench: {one_line(caution)}", file=sys.stderr, flush=True)
    tried = {entry.key for entry in contents.entries}
    left = setting.outstanding(cells, contents.entries)
    todo = sorted(left.chosen(cells, setting.again), key=lambda cell: cell.key in tried)
    of = counted(cells[0].workers, "worker")
    print(f"{suite.name}: {counted(len(todo), 'launch', 'launches')} in this launch of {of}", flush=True)
    if left.elsewhere_in_words and setting.again != "all":
        print(one_line(left.elsewhere_in_words), flush=True)
    if left.in_words and setting.again is None:
        print(one_line(f"{left.in_words}; {DONE_AGAIN}"), flush=True)
    for position, cell in enumerate(todo):
        if suite.time_budget_s is not None and watch.elapsed_s() > suite.time_budget_s:
            print(f"{suite.name}: time budget over, {len(todo) - position} left", flush=True)
            return
        yield cell


def _meet(hvd: Any) -> None:
    """A barrier in words that Horovod has for both frameworks."""
    hvd.allgather_object(None, name="meet")


def _lead(
    cell: Cell,
    connection: Connection,
    cores: list[int] | None,
    hvd: Any,
    setting: Setting,
    *,
    first_exchange: int | None,
) -> Record:
    """Rank 0's share: train like the others, then record; on failure or at the time limit record that and end."""
    run_dir = connection.run_dir
    reserve(run_dir)
    started_at, watch = datetime.now(UTC), Stopwatch()
    settings = setting.settings_of(cell)

    def record(exit_code: int | None) -> Record:
        made = make_record(
            cell,
            run_dir,
            suite=setting.suite,
            question=setting.question,
            launcher="existing",
            commands=[LaunchCommand(role=Role.WORKER, argv=["hvdbench", *sys.argv[1:]])],
            end=LaunchEnd(exit_code=exit_code, wall_s=watch.elapsed_s()),
            started_at=started_at,
            first_exchange=first_exchange,
            settings=settings,
            tuning=setting.tuning_of(cell),
            rules=setting.rules,
        )
        setting.folder.write(made, run_dir)
        return made

    deadline, has_ended = Deadline(run_dir, cell.time_limit_s), threading.Event()

    def give_up_in_time() -> None:
        while not deadline.is_over():
            if has_ended.wait(_LOOK_EVERY_S):
                return
        record(None)
        faulthandler.dump_traceback(file=sys.stderr)
        os._exit(EXIT_FAILED)  # a hung collective cannot be ended otherwise; the launch ends the other ranks

    threading.Thread(target=give_up_in_time, daemon=True).start()
    try:
        run_worker(cell.model_dump_json(), connection, cores)
        _meet(hvd)
    except BaseException as error:
        has_ended.set()
        # Of a rank that fails, the launcher ends the others with a signal; of an interruption nothing is recorded.
        if isinstance(error, Exception) or any(run_dir.glob(f"{ERROR_PREFIX}*")):
            record(EXIT_FAILED)
        raise
    has_ended.set()
    return record(0)


def _the_only(cells: list[Cell], size: int) -> tuple[str, int, int, str]:
    """Framework, threads, loader_workers and device of all these cells. Raises SuiteError where they differ."""
    if not cells:
        raise SuiteError(
            f"no collective cell of {counted(size, 'worker')} in this suite; hvdbench show lists what there is"
        )
    names = ("framework", "threads", "loader_workers", "device")  # of what is settled before Horovod starts
    kinds = {(cell.framework, cell.threads, cell.loader_workers, cell.device) for cell in cells}
    codes = sorted({cell.workload for cell in cells if cell.own is not None})
    if len(codes) > 1:  # what one imports would still be there for the other
        raise SuiteError(
            f"one launch imports the code of one workload; choose with --only workload=: {', '.join(codes)}"
        )
    if len(kinds) > 1:
        listed = "; ".join(
            ",".join(f"{name}={value}" for name, value in zip(names, kind, strict=True)) for kind in sorted(kinds)
        )
        raise SuiteError(
            "one launch runs one framework with one number of threads and loader_workers on one device; choose with "
            f"--only: {listed}"
        )
    return kinds.pop()
