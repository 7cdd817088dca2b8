"""A training problem in NumPy and float64 whose every step can be worked by hand, and workers in threads.

Sample s has the loss ½ a·(x − c_s)², summed over the coordinates; a batch has the mean of its samples'. So the gradient
at x is a·(x − mean of c_s), and a worker that always sees the same sample has an optimum of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.protocols import SHARED, Capability, GradientAveraging, NativeFabric, Plan, Share
from harness.registry import STRATEGIES

Array = NDArray[np.float64]
PATIENCE_S = 10.0  # a strategy whose workers disagree about a collective fails here, and does not hang


@dataclass(frozen=True, kw_only=True)
class Quadratic:
    optima: Array  # (N, P), c_s
    curvature: Array  # (P,), a
    start: Array  # (P,)
    learning_rate: float
    momentum: float = 0.0
    weight_decay: float = 0.0


def one_dimensional(optima: Sequence[float], **changes: Any) -> Quadratic:
    """½ (x − c_s)² from x = 0, at the rate ½: a step halves the distance to the batch's optimum."""
    fields: dict[str, Any] = {"curvature": np.ones(1), "start": np.zeros(1), "learning_rate": 0.5}
    return Quadratic(**{"optima": np.array(optima, np.float64)[:, None], **fields, **changes})


def random_problem(*, num_samples: int, seed: int = 0, **changes: Any) -> Quadratic:
    rng = np.random.default_rng(seed)
    fields: dict[str, Any] = {
        "optima": rng.normal(size=(num_samples, 5)),
        "curvature": rng.uniform(0.5, 1.5, 5),
        "start": rng.normal(size=5),
        "learning_rate": 0.3,
    }
    return Quadratic(**{**fields, **changes})


class OwnSample:
    """Implements harness.protocols.Batches: worker i sees sample i, always."""

    def __init__(self, rank: int) -> None:
        self._rank = rank

    def at(self, step: int) -> list[int]:
        return [self._rank]

    def close(self) -> None: ...


class NumpyReplica:
    """Implements harness.protocols.Replica. A batch is the indices of its samples."""

    def __init__(self, problem: Quadratic) -> None:
        self._problem = problem
        self._weights = problem.start.copy()
        self._velocity = np.zeros_like(self._weights)
        self._learning_rate = problem.learning_rate
        self._native: _MeanGradients | None = None

    def batches(self, share: Share) -> OwnSample:
        return OwnSample(share.rank)

    def weights(self) -> Array:
        return self._weights.copy()

    def set_weights(self, vector: Array) -> None:
        self._weights[:] = vector

    def merge(self, vector: Array) -> None:
        self.set_weights(vector)

    def gradient(self, batch: Any) -> tuple[Array, float]:
        problem = self._problem
        away = self._weights - problem.optima[batch]  # (B, P)
        loss = 0.5 * (problem.curvature * away**2).sum(axis=1).mean()
        return problem.curvature * away.mean(axis=0), float(loss)

    def update(self, gradient: Array) -> Array:
        problem = self._problem
        self._velocity = problem.momentum * self._velocity + gradient + problem.weight_decay * self._weights
        return -self._learning_rate * self._velocity

    def descend(self, gradient: Array) -> None:
        self._weights += self.update(gradient)

    def local_step(self, batch: Any) -> float:
        gradient, loss = self.gradient(batch)
        self.descend(gradient)
        return loss

    def average_gradients_over(
        self, fabric: NativeFabric[NumpyReplica, _MeanGradients], averaging: GradientAveraging
    ) -> None:
        if self._native is None:
            self._native = fabric.distribute(self, averaging)

    def native_step(self, batch: Any) -> float:
        assert self._native is not None
        return self._native.step(batch, self._learning_rate)

    def set_learning_rate(self, learning_rate: float) -> None:
        self._learning_rate = learning_rate

    def reset(self, vector: Array) -> None:
        self.set_weights(vector)
        self._velocity = np.zeros_like(self._velocity)
        if self._native is not None:
            self._native.forget()

    def evaluate(self, vector: Array) -> tuple[float, float]:
        kept = self.weights()
        self.set_weights(vector)
        _, loss = self.gradient(slice(None))
        self.set_weights(kept)
        return loss, 0.0  # nothing is classified

    def to_numpy(self, vector: Any) -> NDArray[np.float32]:
        return np.asarray(vector, np.float32)

    @property
    def num_parameters(self) -> int:
        return self._weights.size

    def settings(self) -> dict[str, str]:
        return {}

    def peak_gpu_bytes(self) -> None:
        return None

    def synchronize(self) -> None: ...


class _MeanGradients:
    """Implements harness.protocols.NativeTraining: a library's wrapper, written out."""

    def __init__(self, replica: NumpyReplica, averaging: GradientAveraging, fabric: ThreadCollective) -> None:
        self._replica, self._fabric = replica, fabric
        self._passes = averaging.backward_passes_per_step
        self._accumulated: list[Array] = []

    def step(self, batch: Any, learning_rate: float) -> float:
        gradient, loss = self._replica.gradient(batch)
        self._accumulated.append(gradient)
        if len(self._accumulated) == self._passes:
            self._replica.set_learning_rate(learning_rate)
            self._replica.descend(self._fabric.mean(np.mean(self._accumulated, axis=0)))
            self.forget()
        return loss

    def forget(self) -> None:
        self._accumulated = []


class _ThreadFabric:
    """What the fabrics of all capabilities share; one object a worker, `team` shared by them."""

    waiting_is_known = True

    def __init__(self, rank: int, team: Team) -> None:
        self.rank, self.size, self._team = rank, team.size, team
        self.bytes_sent = 0

    def barrier(self) -> None:
        self._team.barrier.wait(PATIENCE_S)

    def broadcast(self, vector: Array) -> Array:
        return self._team.exchange(self.rank, vector)[0].copy()

    def total_steps(self, own_steps: int) -> int:
        return own_steps * self.size

    def close(self) -> None: ...


class ThreadCollective(_ThreadFabric):
    """Implements harness.protocols.CollectiveFabric and NativeFabric.

    The k-th mean of each worker is of one kind, whenever it comes.
    """

    def __init__(self, rank: int, team: Team) -> None:
        super().__init__(rank, team)
        self._num_async = 0

    def mean(self, vector: Array) -> Array:
        return np.mean(self._team.exchange(self.rank, vector), axis=0)

    def mean_async(self, vector: Array) -> _PendingMean:
        self._num_async += 1
        self._team.contribute(self._num_async, self.rank, vector)
        return _PendingMean(self._team, self._num_async)

    def distribute(self, model: NumpyReplica, averaging: GradientAveraging) -> _MeanGradients:
        return _MeanGradients(model, averaging, self)


@dataclass(frozen=True)
class _PendingMean:
    team: Team
    number: int

    def wait(self) -> Array:
        return np.mean(self.team.collected(self.number), axis=0)


class ThreadShared(_ThreadFabric):
    """Implements harness.protocols.SharedFabric. In lockstep, all workers read before any of them adds."""

    def broadcast(self, vector: Array) -> Array:
        first = super().broadcast(vector)
        if self.rank == 0:
            self._team.shared = first.copy()
            self._team.num_added = 0
        self.barrier()
        return first

    def read(self) -> Array:
        copied = self._team.shared.copy()
        if self._team.in_lockstep:
            self.barrier()
        return copied

    def add(self, delta: Array) -> None:
        if not self._team.in_lockstep:
            self._team.add(delta)
            return
        deltas = self._team.exchange(self.rank, delta)
        if self.rank == 0:
            for each in deltas:  # in the order of ranks: sums that differ by rounding would not be equal
                self._team.add(each)
        self.barrier()

    def total_steps(self, own_steps: int) -> int:
        return self._team.num_added


FABRICS: dict[Capability, type[_ThreadFabric]] = {SHARED: ThreadShared}  # the others can have collectives


class Team:
    """What the threads of one run share."""

    def __init__(self, size: int, *, in_lockstep: bool) -> None:
        self.size, self.in_lockstep = size, in_lockstep
        self.barrier = threading.Barrier(size)
        self.condition = threading.Condition()
        self.shared = np.zeros(0)
        self.num_added = 0
        self._slots: list[Array] = [np.zeros(0)] * size
        self._contributions: dict[int, dict[int, Array]] = {}

    def exchange(self, rank: int, vector: Array) -> list[Array]:
        """Everybody's vector, by rank."""
        self._slots[rank] = vector.copy()
        self.barrier.wait(PATIENCE_S)
        gathered = list(self._slots)
        self.barrier.wait(PATIENCE_S)
        return gathered

    def add(self, delta: Array) -> None:
        with self.condition:  # in NumPy two threads' += may lose one; what is tested here is not that
            self.shared += delta
            self.num_added += 1

    def contribute(self, number: int, rank: int, vector: Array) -> None:
        with self.condition:
            self._contributions.setdefault(number, {})[rank] = vector.copy()
            self.condition.notify_all()

    def collected(self, number: int) -> list[Array]:
        with self.condition:
            complete = self.condition.wait_for(lambda: len(self._contributions[number]) == self.size, PATIENCE_S)
            assert complete, f"mean {number} has {sorted(self._contributions[number])} of {self.size} workers"
            return [self._contributions[number][rank] for rank in range(self.size)]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What the workers of one run did."""

    paths: Array  # (workers, steps, P): each worker's evaluated part after each step
    final: Array  # (workers, P): after `finish`
    losses: Array  # (workers, steps)

    @property
    def path(self) -> list[list[float]]:
        """The paths of a one-dimensional problem."""
        return self.paths[:, :, 0].tolist()


BatchOf = Callable[[int, int], Any]  # (rank, step) → indices


def own_sample(rank: int, step: int) -> list[int]:
    """Worker i sees sample i, always."""
    return [rank]


def train(
    problem: Quadratic,
    strategy: str,
    *,
    workers: int = 1,
    steps: int = 3,
    batch_of: BatchOf = own_sample,
    steps_per_epoch: float = 1.0,
    in_lockstep: bool = True,
    warm_up_steps: int = 0,
    **options: Any,
) -> Trained:
    """Runs the strategy on worker threads over a real barrier, after a warm-up as in harness/worker/training.py."""
    kind = STRATEGIES[strategy]
    team = Team(workers, in_lockstep=in_lockstep)
    plan = Plan(num_workers=workers, num_steps=steps, steps_per_epoch=steps_per_epoch)
    fabric_class = FABRICS.get(kind.needs, ThreadCollective)

    def work(rank: int) -> tuple[list[Array], Array, list[float]]:
        replica, fabric = NumpyReplica(problem), fabric_class(rank, team)
        running = kind(kind.Options(**options), plan)
        try:
            if warm_up_steps:
                running.setup(replica, fabric)
                for step in range(warm_up_steps):
                    running.step(replica, fabric, batch_of(rank, step))
                running.finish(replica, fabric)
                fabric.barrier()
                replica.reset(problem.start)
            running.setup(replica, fabric)
            path, losses = [], []
            for step in range(steps):
                losses.append(float(running.step(replica, fabric, batch_of(rank, step))))
                path.append(running.snapshot(replica, fabric))
            running.finish(replica, fabric)
            return path, running.snapshot(replica, fabric), losses
        except BaseException:
            team.barrier.abort()
            raise

    with ThreadPoolExecutor(workers) as threads:
        done = [future.result() for future in [threads.submit(work, rank) for rank in range(workers)]]
    return Trained(
        paths=np.array([path for path, _, _ in done]),
        final=np.array([final for _, final, _ in done]),
        losses=np.array([losses for _, _, losses in done]),
    )
