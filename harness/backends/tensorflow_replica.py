"""One worker's model in TensorFlow, whatever is trained: the parts that tensorflow_*.py make, behind the protocol.

Where the training set lies on the device, a batch is the indices of its samples and the graph gathers from it, so what
the clock's loader phase sees is the hand-over of indices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from harness.backends.host_room import HostRoom
from harness.backends.library_draws import library_draws_aside, restart_library_draws, seed_of
from harness.backends.tensorflow_compiled import RUN_BY_POOL, run_by
from harness.backends.tensorflow_cuda import chosen_gpus, gpu_settings
from harness.backends.tensorflow_flat import FlatTraining
from harness.backends.tensorflow_input import HeldOut, source_of
from harness.backends.tensorflow_keras import keras_data, keras_program
from harness.backends.tensorflow_native import Model, Training
from harness.backends.tensorflow_optimizer import flat_optimizer, native_optimizer, native_optimizer_note
from harness.backends.tensorflow_program import Given, Program, Tensor
from harness.backends.tensorflow_rows import RowFunctions
from harness.backends.tensorflow_shipped import shipped_data, shipped_program
from harness.protocols import Batches, GradientAveraging, NativeFabric, Neurons, RowTable, Share, Stretches, UsedRows
from harness.suite.cell import Cell
from harness.workloads.data import Dataset
from harness.workloads.own import KerasWorkload
from harness.workloads.rollouts import Experience

Shipped = Dataset | Experience

EVALUATION_BATCH = 500


def prepare(*, num_threads: int, num_workers: int = 1, gpus: Sequence[int] = ()) -> None:
    """Sizes TensorFlow's thread pools and hides all GPUs but those named, once a process; float32 is float32 on GPUs.

    An operation spreads over at most `num_threads` of the intra-op pool, which with one thread is the caller itself.
    What callers do not run themselves (tensorflow_compiled.py) the inter-op pool runs, a graph of each of the process'
    `num_workers` at a time.

    Raises ValueError when TensorFlow already runs with others, or sees no GPU.
    """
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        tf.config.set_visible_devices(chosen_gpus(gpus), "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(num_threads)
        tf.config.threading.set_inter_op_parallelism_threads(num_workers)
    except RuntimeError:
        running = tf.config.threading.get_intra_op_parallelism_threads()
        raise ValueError(
            f"threads: {num_threads} and GPUs {list(gpus)} are asked for, but TensorFlow already runs in this process, "
            f"with {running} threads"
        ) from None


class TensorFlowReplica:
    """Implements harness.protocols.Replica, and RowReplica where the shipped model looks rows up.

    Raises WorkloadError for a user's workload that cannot be trained.
    """

    def __init__(self, cell: Cell, workload: Shipped | KerasWorkload, *, rank: int, local_rank: int) -> None:
        self._device = f"/{cell.device.upper()}:0"  # `prepare` shows this process its own
        self._room = HostRoom()
        data = shipped_data(workload) if isinstance(workload, Shipped) else keras_data(workload)
        self._source = source_of(data, cell.input, self._device)
        self._program = _program_of(cell, workload)
        self._model = Model(
            program=self._program,
            source=self._source,
            optimizer_of=partial(native_optimizer, cell, self._program.optimizer),
            clip_norm=cell.clip_norm,
            num_parts=cell.accumulation,
        )
        # What does not lie on the device may not fit it by the hundred: no more at a time than in training.
        size = EVALUATION_BATCH if cell.input == "resident" else min(EVALUATION_BATCH, cell.batch_per_worker)
        self._test = HeldOut(data, cell.input, self._device, size)
        self._runner = run_by()
        self._flat = FlatTraining(
            self._program,
            rank=rank,
            moves_buffers=cell.moves_buffers(rank),
            device=self._device,
            source=self._source,
            optimizer_of=partial(flat_optimizer, cell, self._program.optimizer),
            clip_norm=cell.clip_norm,
            num_parts=cell.accumulation,
            runner=self._runner,
        )
        self._native: Training | None = None
        self._native_note = native_optimizer_note(cell)
        self._learning_rate = 0.0
        self.set_learning_rate(cell.learning_rate)
        self._draws_seed = seed_of(cell.seed, rank)
        restart_library_draws(self._draws_seed)

    def batches(self, share: Share, order: Iterable[int] | None = None) -> Batches:
        return self._source.batches(share, order)

    @property
    def has_own_order(self) -> bool:
        return self._source.has_own_order

    def weights(self) -> Tensor:
        return self._flat.weights() if self._native is None else self._native.weights()

    def make_room(self, num_vectors: int) -> int:
        self._room.make(num_vectors, like=self.weights().numpy())
        return num_vectors

    def put_aside(self, vector: Tensor) -> NDArray[np.float32]:
        return self._room.of(np.asarray(memoryview(vector.cpu())))  # as a view of it, which `numpy()` is not

    def taken_back(self, aside: NDArray[np.float32]) -> Tensor:
        return self.from_numpy(aside)

    def set_weights(self, vector: Tensor) -> None:
        if self._native is None:
            self._flat.set_weights(vector)
        else:
            self._native.set_weights(vector)

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        return tf.concat(parts, axis=0)

    def merge(self, vector: Tensor) -> None:
        if self._native is None:
            self._flat.merge(vector)
        else:
            self._native.set_weights(vector)

    def merge_by(self, merged: Callable[..., Tensor], *vectors: Tensor) -> Tensor:
        if self._native is None:
            return self._flat.merge_by(merged, *vectors)
        self.merge(merged(self.weights(), *vectors))
        return self.weights()

    def gradient(self, batch: Given) -> tuple[Tensor, Tensor]:
        gradient, loss = self._flat.gradient(batch)
        return gradient, loss

    def row_table(self) -> RowTable:
        return self._row_functions.table

    def rows_of(self, batch: Given) -> Tensor:
        return self._row_functions.of(batch)

    def gradient_at(self, batch: Given, used: UsedRows) -> tuple[UsedRows, Tensor]:
        return self._row_functions.gradient(batch, used)

    def plain_update(self, gradient: UsedRows) -> UsedRows:
        rate = -self._learning_rate_tensor
        return UsedRows(rows=gradient.rows, values=gradient.values * rate, rest=gradient.rest * rate)

    @cached_property
    def _row_functions(self) -> RowFunctions:
        return RowFunctions(self._program, self._source, self._runner)

    def update(self, gradient: Tensor) -> Tensor:
        return self._flat.update(gradient, self._learning_rate_tensor)

    def descend(self, gradient: Tensor) -> None:
        self._flat.descend(gradient, self._learning_rate_tensor)

    def statistics(self) -> Tensor:
        return self._flat.statistics()

    def set_statistics(self, vector: Tensor) -> None:
        self._flat.set_statistics(vector)

    def local_step(self, batch: Given) -> Tensor:
        return self._flat.local_step(batch, self._learning_rate_tensor)

    def average_gradients_over(self, fabric: NativeFabric[Model, Training], averaging: GradientAveraging) -> None:
        if self._native is None:
            vector = self.weights()
            self._native = fabric.distribute(self._model, averaging)
            self._native.set_weights(vector)

    def native_step(self, batch: Given) -> Tensor:
        assert self._native is not None, "average_gradients_over comes first"
        return self._native.step(batch, self._learning_rate_tensor)

    def set_learning_rate(self, learning_rate: float) -> None:
        if learning_rate != self._learning_rate:  # making a tensor of it each step would show
            self._learning_rate = learning_rate
            self._learning_rate_tensor = tf.constant(learning_rate, tf.float32)

    def reset(self, vector: Tensor) -> None:
        self.set_weights(vector)
        self._flat.forget()
        if self._native is not None:
            self._native.forget()
        restart_library_draws(self._draws_seed)

    def evaluate(self, vector: Tensor) -> tuple[float, float]:
        with library_draws_aside(self._draws_seed):
            return self._evaluated(vector)

    def _evaluated(self, vector: Tensor) -> tuple[float, float]:
        total_loss, total_score, num_samples = 0.0, 0.0, 0
        for size, batch in self._test.batches():
            loss, score = self._flat.evaluate(vector, batch)
            total_loss += float(loss)
            total_score += float(score)
            num_samples += size
        return total_loss / num_samples, self._program.finish(total_score / num_samples)

    @property
    def num_held_out(self) -> int:
        return self._test.num_samples

    def synchronize(self) -> None:
        if self._native is not None:
            self._native.synchronize()
        if "GPU" in self._device:  # on a CPU every call returns when it is done
            tf.test.experimental.sync_devices()

    def recorder(self) -> None:
        return None  # TensorFlow has no events of a GPU's stream to offer

    def restart_peak(self) -> None:
        for gpu in self._gpus():
            tf.config.experimental.reset_memory_stats(gpu)

    def peak_gpu_bytes(self) -> int | None:
        gpus = self._gpus()
        return sum(tf.config.experimental.get_memory_info(gpu)["peak"] for gpu in gpus) if gpus else None

    def _gpus(self) -> list[str]:
        """Of this process, by their full names: in a cluster `GPU:0` would be one of each process."""
        if "GPU" not in self._device:
            return []
        process, _, _ = self.weights().device.rpartition(":")
        return [f"{process}:{index}" for index in range(len(tf.config.get_visible_devices("GPU")))]

    def tensor_bytes(self) -> int:
        return (self._flat if self._native is None else self._native).tensor_bytes()

    def to_numpy(self, vector: Tensor) -> NDArray[np.float32]:
        values = vector.numpy()
        parameters, buffers = np.split(values, [self.num_parameters])
        mapped = self._program.to_workload(parameters)
        return np.concatenate([mapped, buffers]) if len(buffers) else mapped

    def from_numpy(self, values: NDArray[np.float32]) -> Tensor:
        with tf.device(self._device):
            return tf.constant(values)

    def matrices(self) -> list[tuple[int, int]]:
        shapes = [array.shape for array in self._program.parameters]
        return [(math.prod(shape[:-1]), shape[-1]) if len(shape) > 1 else (math.prod(shape), 1) for shape in shapes]

    def neurons(self) -> Neurons:
        return self._program.neurons()

    @property
    def num_parameters(self) -> int:
        return self._flat.num_parameters

    @property
    def began_positive(self) -> Stretches:
        return self._flat.began_positive

    def settings(self) -> dict[str, str]:
        threads = tf.config.threading
        known = {
            "tensorflow.intra_op_threads": str(threads.get_intra_op_parallelism_threads()),
            "tensorflow.inter_op_threads": str(threads.get_inter_op_parallelism_threads()),
            "tensorflow.steps_run_by": RUN_BY_POOL if self._native is not None else self._runner,
        }
        if self._native is not None and self._native_note is not None:
            known["native.optimizer"] = self._native_note
        return known | (gpu_settings() if "GPU" in self._device else {})


def _program_of(cell: Cell, workload: Shipped | KerasWorkload) -> Program:
    return shipped_program(cell, workload) if isinstance(workload, Shipped) else keras_program(cell, workload)
