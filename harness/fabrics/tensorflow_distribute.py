"""TensorFlow's synchronous strategies, for the references `tf-multiworker` and `tf-mirrored`.

Both train in a custom loop: `strategy.run` of a step that averages its gradients with `all_reduce`.
Source: tensorflow.org/tutorials/distribute/custom_training.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import tensorflow as tf

from harness.backends.tensorflow_native import Model, Training
from harness.backends.tensorflow_program import Given, Tensor
from harness.fabrics.connection import Connection
from harness.protocols import GradientAveraging
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from harness.timing.traffic import allreduce_bytes


class MultiWorker:
    """MultiWorkerMirroredStrategy: a process a worker, TensorFlow's ring over gRPC, NCCL on GPUs.

    Implements harness.protocols.NativeFabric.
    """

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None:
        self.rank, self.size = connection.rank, connection.size
        self.bytes_sent = 0
        self.waiting_is_known = self.size == 1  # else the graph waits
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
        self._sum = tf.function(self._summed, autograph=False)

    def _summed(self, vector: Tensor) -> Tensor:
        def add(own: Tensor) -> Tensor:
            here = tf.identity(own)  # all_reduce wants a tensor that stands on a device
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, here)

        return self._strategy.run(add, args=(vector,))

    def barrier(self) -> None:
        self._sum(tf.zeros(1))

    def broadcast(self, vector: Tensor) -> Tensor:
        return self._sum(vector if self.rank == 0 else tf.zeros_like(vector))

    def total_steps(self, own_steps: int) -> int:
        return own_steps * self.size

    def distribute(self, model: Model, averaging: GradientAveraging) -> Training:
        bytes_per_step = allreduce_bytes(model.num_bytes, self.size)
        return _StrategyTraining(model, self._strategy, self, bytes_per_step, num_replicas_here=1)

    def settings(self) -> dict[str, str]:
        return {"tf.distribute": "MultiWorkerMirroredStrategy"}

    def close(self) -> None:
        self.barrier()  # a worker that leaves while another still talks to it makes that one fail


class Mirrored:
    """MirroredStrategy: one process for all workers, each a GPU or, on a CPU machine, a logical device.

    Implements harness.protocols.NativeFabric.
    """

    rank, size = 0, 1  # the one process that speaks for all workers

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None:
        self._num_workers = cell.workers
        self.bytes_sent = 0
        self.waiting_is_known = cell.workers == 1  # else the graph waits
        self._kind = cell.device
        if cell.device == "cpu":
            logical = [tf.config.LogicalDeviceConfiguration() for _ in range(cell.workers)]
            tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], logical)
        devices = [f"/{cell.device}:{index}" for index in range(cell.workers)]
        self._strategy = tf.distribute.MirroredStrategy(devices)

    def barrier(self) -> None: ...

    def broadcast(self, vector: Tensor) -> Tensor:
        return vector

    def total_steps(self, own_steps: int) -> int:
        return own_steps

    def distribute(self, model: Model, averaging: GradientAveraging) -> Training:
        bytes_per_step = allreduce_bytes(model.num_bytes, self._num_workers) * self._num_workers
        return _StrategyTraining(model, self._strategy, self, bytes_per_step, num_replicas_here=self._num_workers)

    def settings(self) -> dict[str, str]:
        devices = "GPUs" if self._kind == "gpu" else "logical devices of one CPU"
        return {"tf.distribute": "MirroredStrategy", "devices": f"{self._num_workers} {devices}"}

    def close(self) -> None: ...


class _StrategyTraining(Training):
    """A custom loop's step. Each replica of this process takes its own part of the batch."""

    def __init__(
        self, model: Model, strategy: Any, fabric: Any, bytes_per_step: int, *, num_replicas_here: int
    ) -> None:
        super().__init__(model, fabric.rank, strategy.scope())
        self._strategy, self._fabric = strategy, fabric
        self._num_replicas_here = num_replicas_here
        # A clipped gradient is averaged before, and by Keras' optimizers again.
        self._averages_first = model.clip_norm is not None or not self._optimizer.averages
        self._bytes_per_step = bytes_per_step * (self._averages_first + self._optimizer.averages)
        self._train = tf.function(self._train_on, autograph=False)

    def step(self, given: Given, learning_rate: Tensor) -> Tensor:
        self._fabric.bytes_sent += self._bytes_per_step
        return self._train(given, learning_rate)

    def forget(self) -> None:
        super().forget()
        if self.counters:
            self._strategy.run(self._restart_counters)

    def _restart_counters(self) -> None:
        """Each replica's as of the worker that it stands for."""
        by_rank = [self.model.program.counters(rank) for rank in range(self._strategy.num_replicas_in_sync)]
        own = tf.distribute.get_replica_context().replica_id_in_sync_group
        for counter, values in zip(self.counters, zip(*by_rank, strict=True), strict=True):
            counter.assign(tf.constant(np.stack(values))[own])

    def _train_on(self, given: Given, learning_rate: Tensor) -> Tensor:
        losses = self._strategy.run(self._replica_step, args=(given, learning_rate))
        local = self._strategy.experimental_local_results(losses)
        return local[0] if len(local) == 1 else tf.add_n(local) / len(local)

    def _replica_step(self, given: Given, learning_rate: Tensor) -> Tensor:
        context = tf.distribute.get_replica_context()
        gradients, loss = self.gradients_of(tf.nest.map_structure(self._own_part, given))
        if self._averages_first:
            gradients = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        self.apply(gradients, learning_rate)
        return loss

    def _own_part(self, tensor: Tensor) -> Tensor:
        here = tf.distribute.get_replica_context().replica_id_in_sync_group % self._num_replicas_here
        size = tensor.shape[0] // self._num_replicas_here
        return tf.reshape(tensor, (self._num_replicas_here, size, *tensor.shape[1:]))[here]
