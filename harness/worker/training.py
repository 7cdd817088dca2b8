"""One worker's measured run: warm up, train against the clock, then evaluate what was kept on the way.

Evaluation waits until training is over: at each evaluation point a worker only copies its weights. So no evaluation
runs inside the timed part, no barrier is put into an asynchronous strategy, and nothing arrives for free in a pause.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, cast

import numpy as np

from harness.protocols import (
    Batches,
    CollectiveFabric,
    EvaluatedModel,
    Fabric,
    Plan,
    Rehearses,
    Replica,
    Share,
    SharesOutSteps,
    Strategy,
    Vector,
    needs_equal_steps,
)
from harness.records.record import Drift, Merge, Point
from harness.suite.cell import Cell
from harness.timing.clock import Clock, Mark
from harness.timing.stopwatch import Stopwatch
from harness.timing.turns import NoTurns, Turns
from harness.worker.merges import Drifted, Merged
from harness.worker.plan import evaluation_steps, learning_rate_of
from harness.worker.steps import Step, StepsAhead, equal_steps, shared_out_steps
from harness.worker.time_limit import Limit, NoLimit

WARMUP_STEPS = 5
NUM_AVERAGES_ALONE = 5
PROGRESS_EVERY_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Copied:
    """Weights at an evaluation point."""

    num_samples: int  # of all workers, as this one could see
    weights: Any  # put aside


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """An evaluation point of this worker; what was copied is None where it is another's that is evaluated."""

    step: int
    at_s: float
    copied: Copied | None


@dataclass(frozen=True, kw_only=True)
class TrainingOutcome:
    """What training leaves behind."""

    snapshots: list[Snapshot]
    num_rooms: int  # vectors for which memory was taken ahead, of which an early end leaves some empty
    train_s: float  # from the clock's start to the last step's end, and the snapshot after it
    stopped_after: int | None  # steps of this worker, where the time limit ended it; None where the plan did


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What became of the snapshots. Points and hash on rank 0 only."""

    points: list[Point]
    weights_sha256: str | None  # of the last weights evaluated
    distances: list[float] | None  # of this worker's weights from the mean, for strategies judged by the mean


@dataclass(frozen=True, kw_only=True)
class Progress:
    """For whoever watches the run."""

    share: float
    samples_per_s: float  # of all workers
    loss: float


@dataclass(frozen=True, kw_only=True)
class Session:
    """What one worker trains with."""

    cell: Cell
    plan: Plan
    replica: Replica
    fabric: Fabric
    strategy: Strategy[Any]  # of this fabric
    num_watched: int = 0  # copies of the weights that are kept at most, beside those that are evaluated
    turns: Turns = field(default_factory=NoTurns)
    limit: Limit = field(default_factory=NoLimit)

    @property
    def collective(self) -> CollectiveFabric | None:
        """The fabric, where it averages."""
        return cast("CollectiveFabric", self.fabric) if self.strategy.needs.has_collectives else None

    @property
    def batch_size(self) -> int:
        """Samples in one step of this rank: those of all workers it speaks for."""
        return self.cell.batch_per_worker * (self.cell.workers // self.fabric.size)

    @property
    def counter(self) -> SharesOutSteps | None:
        """By which workers share out their steps; None where each takes as many as the others.

        Data that come in an order of their own are each worker's own, and so are its steps.
        """
        fabric = self.fabric
        must_be_equal = self.replica.has_own_order or needs_equal_steps(self.strategy)
        may_differ = self.cell.work == "claimed" and not must_be_equal
        return fabric if may_differ and isinstance(fabric, SharesOutSteps) else None

    @property
    def is_evaluated(self) -> bool:
        """Whether this rank's weights are: every rank's of a mean, else the first one's, and others copy none."""
        return self.fabric.rank == 0 or self.strategy.evaluated == EvaluatedModel.MEAN_OF_WORKERS

    @property
    def share(self) -> Share:
        """Of the training samples, this rank's; all where steps are shared out, of which it takes some.

        Environments are each worker's own, however many steps it takes in them.
        """
        takes_of_all = self.counter is not None and not self.cell.acts
        num_workers, rank = (1, 0) if takes_of_all else (self.fabric.size, self.fabric.rank)
        return Share(num_workers=num_workers, rank=rank, batch_size=self.batch_size, seed=self.cell.seed)

    def steps(self) -> Iterator[Step]:
        """This rank's; whoever is asked for the next one has done the last."""
        if self.counter is None:
            return equal_steps(self.plan)
        return shared_out_steps(self.plan, self.counter, rank=self.fabric.rank, size=self.fabric.size)

    def opened(self) -> tuple[Iterator[Step], Batches]:
        """This rank's steps and its batches, which are made in their order where that is ahead of time; close them."""
        if self.counter is None or self.cell.input == "resident":
            return self.steps(), self.replica.batches(self.share)
        ahead = StepsAhead(self.steps())
        return iter(ahead), self.replica.batches(self.share, ahead.batches())


def warm_up(session: Session) -> None:
    """A few steps of the real thing, then all as before: what libraries do at their first use stays off the clock.

    Also what the strategy does in later steps alone, where it rehearses that, and the first average, where it does not.
    """
    replica, fabric, strategy = session.replica, session.fabric, session.strategy
    initial = replica.weights()
    strategy.setup(replica, fabric)
    with closing(replica.batches(session.share)) as batches:
        places = count()

        def take_step() -> None:
            strategy.step(replica, fabric, batches.at(next(places)))

        for _ in range(WARMUP_STEPS):
            take_step()
        if isinstance(strategy, Rehearses):
            strategy.rehearse(take_step)
    strategy.finish(replica, fabric)
    if session.collective is not None:
        session.collective.mean(replica.weights())
        session.collective.mean_async(replica.weights()).wait()
    replica.synchronize()
    fabric.barrier()
    replica.reset(initial)


def train(
    session: Session,
    batches: Batches,
    clock: Clock,
    report: Callable[[Progress], None],
    steps: Iterator[Step] | None = None,
) -> TrainingOutcome:
    """Trains by the plan, or until its limit, on this rank's batches.

    They stay open: what makes them is part of what training uses. steps: in whose order they come; None: in any.
    """
    cell, plan, replica, fabric, strategy = (
        session.cell,
        session.plan,
        session.replica,
        session.fabric,
        session.strategy,
    )
    learning_rate = learning_rate_of(cell, plan)
    snapshots_due = _snapshots_due(session)
    batch_size, global_batch = session.batch_size, session.batch_size * fabric.size
    snapshots: list[tuple[int, Mark, Copied | None]] = []  # the step, a moment that is yet to be read
    reported_at, reported_step = 0.0, 0
    recorder = replica.recorder()
    num_rooms = replica.make_room((len(snapshots_due) if session.is_evaluated else 0) + session.num_watched)
    strategy.setup(replica, fabric)
    replica.synchronize()
    replica.restart_peak()
    fabric.barrier()
    session.turns.await_start(rank=fabric.rank, num_ranks=fabric.size)
    clock.start(num_steps=plan.num_steps, bytes_sent=fabric.bytes_sent, recorder=recorder)
    steps = session.limit.within(session.steps() if steps is None else steps)
    step = next(steps, None)
    while step is not None:
        replica.set_learning_rate(learning_rate.at(step.number))
        with clock.loader:
            batch = batches.at(step.batch)
        loss = strategy.step(replica, fabric, batch)
        num_done, step = step.number + 1, next(steps, None)
        if step is None:
            strategy.finish(replica, fabric)
        if clock.step_done(loss, batch_size, is_last=step is None):
            replica.synchronize()
            clock.close_window(fabric.bytes_sent)
            elapsed = clock.now()
            if elapsed - reported_at >= PROGRESS_EVERY_S:
                rate = (num_done - reported_step) * global_batch / (elapsed - reported_at)
                report(Progress(share=num_done / plan.num_steps, samples_per_s=rate, loss=clock.last_loss()))
                reported_at, reported_step = elapsed, num_done
        if snapshots_due and (step is None or snapshots_due[0] <= num_done < plan.num_steps):
            snapshots_due = [due for due in snapshots_due if due > num_done]
            snapshots.append((num_done, *_copied(session, num_done, clock, is_ahead=recorder is not None)))
    replica.synchronize()
    train_s = clock.now()
    session.turns.done(fabric.rank)
    return TrainingOutcome(
        snapshots=_timed(snapshots, clock),
        num_rooms=num_rooms,
        train_s=train_s,
        stopped_after=session.limit.stopped_after,
    )


def _snapshots_due(session: Session) -> list[int]:
    """After which steps; of a worker of a shared model that another reads, when it is done with its own part."""
    due = evaluation_steps(session.cell, session.plan, num_weights=session.replica.num_parameters)
    reads_none = not session.is_evaluated and session.strategy.evaluated == EvaluatedModel.SHARED
    return due[-1:] if reads_none else due


def _copied(session: Session, num_done: int, clock: Clock, *, is_ahead: bool) -> tuple[Mark, Copied | None]:
    """is_ahead: whether the host goes ahead of the device, whose own clock gives the moment then."""
    replica, fabric = session.replica, session.fabric
    weights = session.strategy.snapshot(replica, fabric) if session.is_evaluated else None
    if not is_ahead:  # the host's clock has to look when the device is that far
        replica.synchronize()
    if weights is None:
        return clock.mark(), None
    num_samples, mark = fabric.total_steps(num_done) * session.batch_size, clock.mark()
    return mark, Copied(num_samples=num_samples, weights=replica.put_aside(weights))


def _timed(snapshots: list[tuple[int, Mark, Copied | None]], clock: Clock) -> list[Snapshot]:
    moments_s = clock.seconds_at([mark for _, mark, _ in snapshots])
    return [
        Snapshot(step=step, at_s=at_s, copied=copied)
        for (step, _, copied), at_s in zip(snapshots, moments_s, strict=True)
    ]


def time_averages(session: Session) -> list[float] | None:
    """Seconds of single averages of all weights with nothing else going on; every rank has to call it."""
    fabric = session.collective
    if fabric is None or fabric.size == 1:
        return None
    taken_s = []
    for _ in range(1 + NUM_AVERAGES_ALONE):
        vector = session.replica.weights()
        session.replica.synchronize()
        fabric.barrier()
        watch = Stopwatch(session.turns.now)
        fabric.mean(vector)
        session.replica.synchronize()
        taken_s.append(watch.elapsed_s())
    return taken_s[1:]  # the first agrees on names and makes buffers


def evaluate(session: Session, snapshots: list[Snapshot]) -> Evaluation:
    """The evaluated model's curve.

    Every rank has to call it: the model of the averaging strategies is the mean of all workers'. A shared model is
    complete only when every worker is done, so rank 0 reads its last point again.
    """
    replica, fabric = session.replica, session.fabric
    kind = session.strategy.evaluated
    points: list[Point] = []
    digest = None
    distances = []
    fabric.barrier()
    if kind == EvaluatedModel.SHARED and session.is_evaluated and snapshots:
        snapshots = [*snapshots[:-1], _completed(session, snapshots[-1])]
    for snapshot in snapshots:
        if snapshot.copied is None:
            continue
        vector = replica.taken_back(snapshot.copied.weights)
        if kind == EvaluatedModel.MEAN_OF_WORKERS:
            distance, vector = _from_mean(session, vector)
            distances.append(distance)
        if fabric.rank:
            continue
        watch = Stopwatch(session.turns.now)
        loss, score = replica.evaluate(vector)
        points.append(
            Point(
                step=snapshot.step,
                num_samples=snapshot.copied.num_samples,
                time_s=snapshot.at_s,
                evaluation_s=watch.elapsed_s(),
                loss=loss,
                score=score,
            )
        )
        if snapshot is snapshots[-1]:
            digest = hashlib.sha256(replica.to_numpy(vector).tobytes()).hexdigest()
    return Evaluation(
        points=points,
        weights_sha256=digest,
        distances=distances if kind == EvaluatedModel.MEAN_OF_WORKERS else None,
    )


def _completed(session: Session, last: Snapshot) -> Snapshot:
    """What a shared model is now that every worker is done."""
    replica, fabric = session.replica, session.fabric
    vector, total_steps = session.strategy.snapshot(replica, fabric), fabric.total_steps(last.step)
    aside = replica.put_aside(vector)
    replica.synchronize()
    copied = Copied(num_samples=total_steps * session.batch_size, weights=aside)
    return replace(last, step=total_steps // fabric.size, copied=copied)


def drift_of(session: Session, drifted: Sequence[Drifted]) -> list[Drift]:
    """This worker's distances from the mean at the steps that were drawn; every rank has to call it."""
    return [
        Drift(step=each.step, distance=_from_mean(session, session.replica.taken_back(each.weights))[0])
        for each in drifted
    ]


def distances_of(session: Session, merges: Sequence[Merged]) -> list[Merge]:
    """This worker's distances from the mean around its watched merges; every rank has to call it."""
    taken_back = session.replica.taken_back
    return [
        Merge(
            step=merged.step,
            before=_from_mean(session, taken_back(merged.before))[0],
            after=_from_mean(session, taken_back(merged.after))[0],
        )
        for merged in merges
    ]


def _from_mean(session: Session, vector: Vector) -> tuple[float, Vector]:
    """‖x_i − x̄‖₂ of this worker's vector from the workers' mean, and that mean. `vector` is given up.

    0 where they are equal but for the rounding that averaging itself adds: that worker holds the mean.
    """
    assert session.collective is not None, "a mean of workers is evaluated where they can average"
    own = session.replica.to_numpy(vector).copy()  # `mean` may write into its argument
    mean = session.collective.mean(vector)
    averaged = session.replica.to_numpy(mean)
    distance = float(np.linalg.norm(own - averaged))
    rounding = float(np.finfo(np.float32).eps * np.linalg.norm(averaged)) * session.cell.workers
    return 0.0 if distance <= rounding else distance, mean
