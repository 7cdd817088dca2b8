"""TensorFlow's ParameterServerStrategy with asynchronous workers, for the reference `tf-parameter-server`.

This process coordinates: it hands out steps with their batches, and whichever worker is free takes the next. A worker
reads the weights from the server, and its gradient is applied there as it comes, without a lock.
Source: tensorflow.org/tutorials/distribute/parameter_server_training, custom loop; Dean et al. 2012.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import tensorflow as tf

from harness.backends.tensorflow_native import Model, Training
from harness.backends.tensorflow_program import Batch, Given, Tensor, split
from harness.fabrics.connection import Connection
from harness.protocols import GradientAveraging
from harness.suite.cell import Cell
from harness.timing.clock import Clock

WAITING_STEPS_PER_WORKER = 2  # enough to keep every worker busy, few enough that batches do not pile up

WAITING_CALLS = 2  # threads that only wait, beside one a worker; TensorFlow's guide asks for one at least


class ParameterServer:
    """Implements harness.protocols.NativeFabric for the coordinator, which speaks for all workers."""

    waiting_is_known = False  # nor with one worker, which waits for its weights as they come from the server
    rank, size = 0, 1

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None:
        self.num_workers = cell.workers
        self.bytes_sent = 0
        # The coordinator's calls hold threads while they wait; with fewer it never connects.
        tf.config.threading.set_inter_op_parallelism_threads(cell.workers + WAITING_CALLS)
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        self._strategy = tf.distribute.ParameterServerStrategy(resolver)
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(self._strategy)

    def barrier(self) -> None: ...

    def broadcast(self, vector: Tensor) -> Tensor:
        return vector

    def total_steps(self, own_steps: int) -> int:
        return own_steps

    def distribute(self, model: Model, averaging: GradientAveraging) -> Training:
        return _ServedTraining(model, self._strategy, self._coordinator, self)

    def settings(self) -> dict[str, str]:
        return {"tf.distribute": "ParameterServerStrategy", "servers": "1", "batches": "sent by the coordinator"}

    def close(self) -> None: ...


class _ServedTraining(Training):
    """Buffers and counters lie on the server too: the last worker to move them has the word."""

    def __init__(self, model: Model, strategy: Any, coordinator: Any, fabric: ParameterServer) -> None:
        super().__init__(model, fabric.rank, strategy.scope())
        self._strategy, self._coordinator, self._fabric = strategy, coordinator, fabric
        self._under_way: deque[_RemoteLoss] = deque()
        self._limit = WAITING_STEPS_PER_WORKER * fabric.num_workers
        self._train = tf.function(self._train_on, autograph=False)

    def step(self, given: Given, learning_rate: Tensor) -> _MeanLoss:
        """One step of each worker, handed out; their losses come when they are asked for."""
        losses = []
        for own in split(given, self._fabric.num_workers):
            if len(self._under_way) >= self._limit:
                self._under_way.popleft().value()
            remote = self._coordinator.schedule(self._train, args=(self.model.source.batch_of(own), learning_rate))
            losses.append(_RemoteLoss(remote))
            self._under_way.append(losses[-1])
            self._fabric.bytes_sent += self.model.num_bytes  # its gradient
        return _MeanLoss(losses)

    def weights(self) -> Tensor:
        """With every step that was handed out: a worker may still be at some."""
        self.synchronize()
        return super().weights()

    def batch_of(self, given: Given) -> Batch:
        return given  # on a worker: the coordinator has made it

    def _train_on(self, batch: Batch, learning_rate: Tensor) -> Tensor:
        return self._strategy.run(self._replica_step, args=(batch, learning_rate))

    def _replica_step(self, batch: Batch, learning_rate: Tensor) -> Tensor:
        gradients, loss = self.gradients_of(batch)
        self.apply(gradients, learning_rate)
        return loss

    def synchronize(self) -> None:
        while self._under_way:
            self._under_way.popleft().value()


class _RemoteLoss:
    """A loss that a worker is still at; fetched once."""

    def __init__(self, remote: Any) -> None:
        self._remote = remote
        self._value: float | None = None

    def value(self) -> float:
        if self._value is None:
            self._value = float(self._remote.fetch())
            self._remote = None
        return self._value


class _MeanLoss:
    def __init__(self, losses: list[_RemoteLoss]) -> None:
        self._losses = losses

    def __float__(self) -> float:
        return float(np.mean([loss.value() for loss in self._losses]))
