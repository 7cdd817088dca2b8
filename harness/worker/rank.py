"""One rank of a run, from the import of its framework to the part that it leaves in the run's folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import registry
from harness.backends.triton_first import import_triton
from harness.fabrics.connection import Connection
from harness.fabrics.factory import FabricFactory
from harness.protocols import EvaluatedModel, Fabric, Replica, TellsStaleness, needs_equal_steps
from harness.records.record import Window, WorkerPart
from harness.records.run_files import (
    CURVE_FILE,
    TRAINING_BEGAN,
    TRAINING_ENDED,
    part_path,
    write_atomically,
)
from harness.suite.cell import Cell
from harness.timing import turns
from harness.timing.clock import Clock
from harness.timing.stopwatch import Stopwatch
from harness.worker import cgroup, process
from harness.worker.gpus import driver_settings
from harness.worker.interruption_watch import InterruptionWatch
from harness.worker.kept_windows import joined, num_joined
from harness.worker.machine_description import describe_machine
from harness.worker.machine_identity import kernel_id, machine_id
from harness.worker.merges import MergeWatch
from harness.worker.peers import with_peers
from harness.worker.plan import drift_steps, evaluation_steps, most_merges, plan_of
from harness.worker.progress_writer import ProgressWriter
from harness.worker.sabotage import faults_of, with_faults, worsened
from harness.worker.time_limit import TimeLimit
from harness.worker.training import (
    Evaluation,
    Session,
    TrainingOutcome,
    distances_of,
    drift_of,
    evaluate,
    time_averages,
    train,
    warm_up,
)
from harness.worker.usage import Usage, UsageMeter, rss_bytes


def run_rank(cell: Cell, connection: Connection, cores: list[int] | None, *, watch: Stopwatch) -> None:
    """Trains and writes this rank's part, rank 0 also the curve.

    cores: those that this process is pinned to. watch: runs since start-up began.
    """
    startup = _Startup(watch)
    session, clock, merges = _set_up(cell, connection, startup)
    replica, fabric = session.replica, session.fabric
    progress = ProgressWriter(connection.run_dir)
    num_workers = cell.workers // fabric.size
    share = num_workers / connection.workers_here
    meter, interruptions = meter_of(fabric, share=share), InterruptionWatch(session.turns.now)
    steps, opened = session.opened()
    with closing(opened) as batches:
        with _told(session, connection.run_dir, progress), interruptions:
            trained = train(session, batches, clock, progress.tell, steps)
        used: dict[str, Any] = {  # before what makes batches ends, and evaluation takes some too
            "train_s": trained.train_s,
            "stopped_after": trained.stopped_after,
            "interruptions": interruptions.read(),
            **vars(usage_of(meter, fabric, share=share)),
            "made_rss_bytes": round(startup.made_rss_bytes * share),
            "gpu_memory_bytes": replica.peak_gpu_bytes(),
            "measuring_bytes": _copies_bytes(replica, trained, merges),
            "tensor_bytes": replica.tensor_bytes(),
        }
    _tell_end(fabric, connection.run_dir)
    evaluation = evaluate(session, trained.snapshots)
    windows = _windows_of(session, clock)
    each = num_joined(len(windows), rank=fabric.rank, size=fabric.size)
    part = WorkerPart(
        rank=fabric.rank,
        num_workers=num_workers,
        host=machine_id(),
        machine=None if connection.local_rank else describe_machine(cgroup.unbound_cores()),
        cores=cores,
        startup_s=startup.phases_s,
        windows=joined(windows, each),
        windows_joined=each,
        snapshots_s=[snapshot.at_s for snapshot in trained.snapshots],
        **used,
        staleness_counts=fabric.staleness_counts() if isinstance(fabric, TellsStaleness) else None,
        distances=evaluation.distances,
        merges=None if merges is None else distances_of(session, merges.merges),
        drift=None if merges is None else drift_of(session, merges.drifted),
        average_alone_s=time_averages(session),
        settings=_settings(session),
    )
    if fabric.rank == 0:
        _write_curve(session, trained, evaluation, connection.run_dir, initial_sha256=startup.initial_sha256)
    write_atomically(part_path(connection.run_dir, fabric.rank), part.model_dump_json())
    fabric.close()


def meter_of(fabric: Fabric, *, share: float) -> UsageMeter:
    """Of what this rank's process uses in training. No thread goes on, and makes room for copies, until all have it."""
    meter = UsageMeter()
    if share < 1:
        fabric.barrier()
    return meter


def usage_of(meter: UsageMeter, fabric: Fabric, *, share: float) -> Usage:
    """This rank's share of what its process used. Threads read it when the last of them has trained: who was done
    sooner has its share of what the others went on to use, too."""
    if share < 1:
        fabric.barrier()
    return meter.read(share=share)


def _settings(session: Session) -> dict[str, str]:
    """In force on this worker."""
    of_parts = (session.replica.settings(), session.fabric.settings(), process.settings(), session.turns.settings())
    of_gpu = driver_settings() if session.cell.device == "gpu" else {}
    return {name: value for settings in (*of_parts, of_gpu) for name, value in settings.items()}


@contextmanager
def _told(session: Session, run_dir: Path, progress: ProgressWriter) -> Iterator[None]:
    """Rank 0 tells that training begins, and how it goes."""
    if session.fabric.rank:
        yield
        return
    (run_dir / TRAINING_BEGAN).touch()
    with progress.writing():
        yield


def _tell_end(fabric: Fabric, run_dir: Path) -> None:
    """Rank 0 tells that all have trained: servers count what they use until then, and the parent gives evaluation a
    time of its own."""
    fabric.barrier()
    if fabric.rank == 0:
        (run_dir / TRAINING_ENDED).touch()


def _windows_of(session: Session, clock: Clock) -> list[Window]:
    windows = clock.windows(waiting_is_known=session.fabric.waiting_is_known)
    if session.collective is None or not session.fabric.waiting_is_known:
        return windows
    return with_peers(windows, clock.waits(), session.collective, machine=kernel_id() or machine_id())


def _copies_bytes(replica: Replica, trained: TrainingOutcome, watch: MergeWatch[Any] | None) -> int:
    """Of the weights that are kept for evaluation and for the distances between workers, or of the room for them."""
    num_copies = sum(snapshot.copied is not None for snapshot in trained.snapshots)
    num_copies += 0 if watch is None else watch.num_copies
    return max(num_copies, trained.num_rooms) * replica.to_numpy(replica.weights()).nbytes


class _Startup:
    """How long each phase took, one after the other, and the weights and the memory of what was made."""

    def __init__(self, watch: Stopwatch) -> None:
        self.phases_s: dict[str, float] = {}
        self.initial_sha256 = ""
        self.made_rss_bytes = 0
        self._watch = watch

    @property
    def total_s(self) -> float:
        """Of the phases that have ended."""
        return sum(self.phases_s.values())

    def ended(self, phase: str) -> None:
        self.phases_s[phase] = self._watch.elapsed_s() - self.total_s

    def made(self, replica: Replica) -> None:
        """Framework, data and model are there, and nothing of what making them has left."""
        self.initial_sha256 = hashlib.sha256(replica.to_numpy(replica.weights()).tobytes()).hexdigest()
        process.give_back_freed_memory()
        self.made_rss_bytes = rss_bytes()


def _set_up(cell: Cell, connection: Connection, startup: _Startup) -> tuple[Session, Clock, MergeWatch[Any] | None]:
    """All that comes before the first measured step."""
    if cell.own is not None:
        import_triton()  # before either framework, of which a user's file may import the other
    replica_class = registry.load(registry.REPLICAS[cell.framework])
    fabric_factory: FabricFactory = registry.load(registry.FABRICS[cell.needs, cell.framework])
    registry.load(registry.PREPARATIONS[cell.framework])(
        num_threads=cell.threads,
        num_workers=connection.workers_here,
        gpus=connection.gpus_here if cell.device == "gpu" else (),
    )
    startup.ended("import")
    takes_turns = turns.of_environment(run=connection.run_dir.name, patience_s=cell.time_limit_s)
    clock = Clock(takes_turns.now)
    fabric = fabric_factory(cell, connection, clock)  # first: TensorFlow's own want to come before any variable
    startup.ended("connect")
    workload = registry.load(registry.WORKLOADS[cell.framework])(cell)
    plan = plan_of(cell, workload.num_samples)
    startup.ended("data")
    replica = replica_class(cell, workload, rank=fabric.rank, local_rank=connection.local_rank)
    del workload  # its data may lie on the device by now, and need not lie here too
    startup.made(replica)
    startup.ended("model")
    strategy = registry.strategy_of(cell.strategy, cell.folder)(cell.options, plan)
    session = Session(cell=cell, plan=plan, replica=replica, fabric=fabric, strategy=strategy, turns=takes_turns)
    warm_up(session)  # of the strategy itself: what watches or hinders it is there for training
    startup.ended("warm-up")
    watch = None
    if strategy.evaluated == EvaluatedModel.MEAN_OF_WORKERS:
        watch = MergeWatch(
            strategy,
            num_snapshots=len(evaluation_steps(cell, plan, num_weights=replica.num_parameters)),
            most_merges=most_merges(replica.num_parameters),
            drift_steps=drift_steps(cell, plan, num_weights=replica.num_parameters),
        )
        strategy = watch.as_strategy()
    for fault in faults_of(cell):
        strategy = with_faults(strategy, fault, plan, rank=fabric.rank, now=takes_turns.now)
    limit = TimeLimit(
        cell.time_limit_s,
        run_dir=connection.run_dir,
        rank=fabric.rank,
        num_ranks=fabric.size,
        in_step=strategy.evaluated != EvaluatedModel.SHARED or needs_equal_steps(strategy),
        now=clock.now,
    )
    num_watched = 0 if watch is None else watch.most_copies
    return replace(session, strategy=strategy, num_watched=num_watched, limit=limit), clock, watch


def _write_curve(
    session: Session, trained: TrainingOutcome, evaluation: Evaluation, run_dir: Path, *, initial_sha256: str
) -> None:
    cell = session.cell
    points = evaluation.points if cell.inject is None else worsened(evaluation.points, cell.inject, cell.metric)
    curve = {
        "curve": [point.model_dump() for point in points],
        "weights_sha256": evaluation.weights_sha256,
        "initial_sha256": initial_sha256,
        "planned_steps": session.plan.num_steps,
        "num_held_out": session.replica.num_held_out,
        "num_parameters": session.replica.num_parameters,
        "vector_size": session.replica.to_numpy(session.replica.weights()).size,
    }
    write_atomically(run_dir / CURVE_FILE, json.dumps(curve))
