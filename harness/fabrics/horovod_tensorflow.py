"""Horovod for TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import horovod.tensorflow as hvd
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from harness.backends.tensorflow_compiled import compiled, run_by
from harness.backends.tensorflow_native import Model, Training
from harness.backends.tensorflow_program import Given, Tensor
from harness.fabrics.connection import Connection
from harness.fabrics.gpu_exchange import check_exchange, exchange_settings, is_staged
from harness.fabrics.horovod import apply_settings, name_of, settings_in_force
from harness.protocols import GradientAveraging, HorovodOptions
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from harness.timing.traffic import allgather_bytes, allreduce_bytes


class HorovodTensorFlow:
    """Implements harness.protocols.CollectiveFabric and NativeFabric. With one worker nothing is sent."""

    waiting_is_known = True

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None:
        assert isinstance(cell.options, HorovodOptions)
        apply_settings(cell.options, controller=cell.controller, initialized=hvd.is_initialized())
        hvd.init()
        check_exchange(cell, hvd)
        self.rank, self.size = hvd.rank(), hvd.size()
        self.bytes_sent = 0
        self.device = "/cpu:0" if is_staged(cell) else ""  # where Horovod's operations are; empty: where tensors lie
        self._cell, self._waiting = cell, clock.waiting
        self._mean = _compiled_mean("mean", self.device)
        self._mean_aside = _compiled_mean("mean_async", self.device)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mean_async")

    def barrier(self) -> None:
        if self.size > 1:
            # Horovod has a barrier for PyTorch only.
            hvd.allreduce(tf.zeros(()), op=hvd.Sum, name="barrier", device_dense=self.device)

    def broadcast(self, vector: Tensor) -> Tensor:
        if self.size == 1:
            return vector
        with tf.device(self.device or None):
            return hvd.broadcast(vector, root_rank=0, name="broadcast")

    def total_steps(self, own_steps: int) -> int:
        return own_steps * self.size

    def mean(self, vector: Tensor) -> Tensor:
        if self.size == 1:
            return vector
        self.bytes_sent += allreduce_bytes(_num_bytes(vector), self.size)
        with self._waiting:
            return self._mean(vector)

    def mean_async(self, vector: Tensor) -> _Pending:
        """In a thread, which sleeps until the mean has arrived: Horovod has no asynchronous call for TensorFlow.

        The thread takes 1.4 % of the CPU time of four steps of the CNN on digits. On an eager executor of its own
        instead (`executor_scope`, asynchronous) the training thread takes as much more.
        """
        if self.size == 1:
            return _Pending(self, None, vector)
        self.bytes_sent += allreduce_bytes(_num_bytes(vector), self.size)
        return _Pending(self, self._thread.submit(self._mean_aside, vector), vector)

    def gather(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        with tf.device("CPU"):
            gathered: NDArray[np.float64] = hvd.allgather(tf.constant(values[None]), name="gather").numpy()
        return gathered

    def shifted(self, vector: Tensor, hop: int) -> Tensor:
        if self.size == 1:
            return vector
        self.bytes_sent += _num_bytes(vector)
        sizes = np.zeros(self.size, np.int32)  # of what goes to each rank
        sizes[(self.rank + hop) % self.size] = vector.shape[0]
        with self._waiting, tf.device(self.device or None):
            received, _ = hvd.alltoall(vector, splits=tf.constant(sizes), name="shifted")
        return received

    def gather_bytes(self, payload: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.size == 1:
            return payload[None]
        self.bytes_sent += allgather_bytes(payload.nbytes, self.size)
        with self._waiting, tf.device("CPU"):
            gathered: NDArray[np.uint8] = hvd.allgather(tf.constant(payload[None]), name="gather_bytes").numpy()
        return gathered

    def distribute(self, model: Model, averaging: GradientAveraging) -> Training:
        self.waiting_is_known = self.size == 1  # the graph waits
        return _HorovodTraining(model, averaging, self)

    def settings(self) -> dict[str, str]:
        return {**settings_in_force(), "mean_async": "thread", **exchange_settings(self._cell, hvd)}

    def close(self) -> None:
        self._thread.shutdown()  # Horovod itself shuts down at exit; inside an existing launch it must outlive the cell


class _HorovodTraining(Training):
    """DistributedGradientTape, as in Horovod's examples.

    With Adasum the workers' own updates are combined, not their gradients: that is what Horovod's DistributedOptimizer
    for PyTorch does, and its one for TensorFlow's first version; its tape would hand Adasum raw gradients.

    Its graphs are run by TensorFlow's pool, as in those examples: by its caller, a graph would go on in Horovod's own
    thread after each allreduce, while that thread has others to see to.
    """

    def __init__(self, model: Model, averaging: GradientAveraging, fabric: HorovodTensorFlow) -> None:
        super().__init__(model, fabric.rank)
        fp16 = averaging.compression == "fp16"
        self._compression = hvd.Compression.fp16 if fp16 else hvd.Compression.none
        self._combines_updates = averaging.op == "adasum" and fabric.size > 1
        self._op = hvd.Adasum if averaging.op == "adasum" else hvd.Average
        self._passes, self._pass = averaging.backward_passes_per_step, 0
        self._fabric = fabric
        self._bytes_per_step = allreduce_bytes(model.num_bytes // (2 if fp16 else 1), fabric.size)
        self._train = tf.function(self._train_on, autograph=False)
        if self._passes > 1:
            self._sums = [tf.Variable(tf.zeros_like(variable), trainable=False) for variable in self.variables]
            self._add = tf.function(self._add_gradients, autograph=False)
            self._train_on_sums = tf.function(self._reduce_and_apply, autograph=False)

    def step(self, given: Given, learning_rate: Tensor) -> Tensor:
        if self._passes == 1:
            self._fabric.bytes_sent += self._bytes_per_step
            return self._train(given, learning_rate)
        loss = self._add(given)
        self._pass += 1
        if self._pass == self._passes:
            self._pass = 0
            self._fabric.bytes_sent += self._bytes_per_step
            self._train_on_sums(learning_rate)
        return loss

    def _train_on(self, given: Given, learning_rate: Tensor) -> Tensor:
        if self.model.num_parts > 1 or self._combines_updates:
            gradients, loss = self.gradients_of(given)
            self._step_along(gradients, learning_rate)
            return loss
        with tf.GradientTape() as tape:
            loss, state = self.loss_of(given, self.state())
        self.move_to(state)
        tape = hvd.DistributedGradientTape(
            tape,
            device_dense=self._fabric.device,
            compression=self._compression,
            op=self._op,
            sparse_as_dense=True,
        )
        self.apply(self.dense(tape.gradient(loss, self.variables)), learning_rate)
        return loss

    def _add_gradients(self, given: Given) -> Tensor:
        """The tape has no `backward_passes_per_step`, so this is what Horovod's optimizer wrapper does with it."""
        gradients, loss = self.gradients_of(given)
        for total, gradient in zip(self._sums, gradients, strict=True):
            total.assign_add(gradient / self._passes)
        return loss

    def _reduce_and_apply(self, learning_rate: Tensor) -> None:
        self._step_along(self._sums, learning_rate)
        self._clear_sums()

    def _step_along(self, gradients: Sequence[Tensor], learning_rate: Tensor) -> None:
        """This worker's gradients, together with the others'."""
        if not self._combines_updates:
            self.apply(self._reduced(gradients), learning_rate)
            return
        starts = [tf.identity(variable.read_value()) for variable in self.variables]
        self.apply(gradients, learning_rate)
        updates = [variable.read_value() - start for variable, start in zip(self.variables, starts, strict=True)]
        for variable, start, update in zip(self.variables, starts, self._reduced(updates), strict=True):
            variable.assign(start + update)

    def _reduced(self, vectors: Sequence[Tensor]) -> list[Tensor]:
        return [
            hvd.allreduce(
                vector,
                op=self._op,
                compression=self._compression,
                name=f"vector_{index}",
                device_dense=self._fabric.device,
            )
            for index, vector in enumerate(vectors)
        ]

    def _clear_sums(self) -> None:
        for total in self._sums:
            total.assign(tf.zeros_like(total))

    def forget(self) -> None:
        super().forget()
        self._pass = 0
        if self._passes > 1:
            self._clear_sums()


class _Pending:
    def __init__(self, fabric: HorovodTensorFlow, future: Future[Any] | None, vector: Tensor) -> None:
        self._fabric, self._future, self._vector = fabric, future, vector
        self._issued = fabric._waiting.mark()

    def wait(self) -> Tensor:
        if self._future is None:
            return self._vector
        with self._fabric._waiting.since(self._issued):
            return self._future.result()


def _compiled_mean(what: str, device: str) -> Callable[[Tensor], Tensor]:
    def mean(vector: Tensor) -> Tensor:
        return hvd.allreduce(vector, op=hvd.Average, name=name_of(what, vector.shape[0]), device_dense=device)

    return compiled(mean, runner=run_by())


def _num_bytes(vector: Tensor) -> int:
    return int(vector.shape[0]) * vector.dtype.size
