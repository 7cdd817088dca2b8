"""One worker's model in TensorFlow.

All parameters are one flat variable in TensorFlow's layouts, so that no step transposes a kernel; `to_numpy` gives them
in the workload's. A batch is the indices of its samples: the training set lies on the device and the graph gathers from
it, so what the clock's loader phase sees is the hand-over of indices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from harness.backends.tensorflow_layers import layouts, scores
from harness.backends.tensorflow_native import Model, Tensor, Training, apply_momentum
from harness.protocols import GradientAveraging, NativeFabric, Share
from harness.suite.cell import Cell
from harness.workloads.data import Dataset, Split
from harness.workloads.initial import initial_weights
from harness.workloads.layers import parameters_of
from harness.workloads.sampler import IndexedBatches, Sampler
from harness.workloads.shipped import MODELS

EVALUATION_BATCH = 500


def prepare(*, num_threads: int, num_workers: int = 1, gpus: Sequence[int] = ()) -> None:
    """Sizes TensorFlow's thread pools and hides all GPUs but those named, once a process.

    The inter-op pool runs one step of each of the process' `num_workers` at a time; an operation spreads over at most
    `num_threads` of the intra-op pool, which with one thread is the caller itself.

    Raises ValueError when TensorFlow already runs with others.
    """
    try:
        present = tf.config.list_physical_devices("GPU")
        tf.config.set_visible_devices([present[index] for index in gpus], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(num_threads)
        tf.config.threading.set_inter_op_parallelism_threads(num_workers)
    except RuntimeError:
        running = tf.config.threading.get_intra_op_parallelism_threads()
        raise ValueError(
            f"threads: {num_threads} and GPUs {list(gpus)} are asked for, but TensorFlow already runs in this process, "
            f"with {running} threads"
        ) from None


class TensorFlowReplica:
    """Implements harness.protocols.Replica."""

    def __init__(self, cell: Cell, dataset: Dataset, *, rank: int, local_rank: int) -> None:
        self._device = f"/{cell.device.upper()}:0"  # `prepare` shows this process its own
        self._layers = MODELS[cell.workload].layers(dataset.num_classes)
        self._layouts = layouts(self._layers, dataset.image_shape)
        self._sizes = [int(np.prod(layout.native)) for layout in self._layouts]
        initial = initial_weights(parameters_of(self._layers, dataset.image_shape), cell.seed)
        arrays = [layout.to_native(array) for layout, array in zip(self._layouts, initial, strict=True)]
        self._num_samples = dataset.num_samples
        self._momentum, self._weight_decay = cell.momentum, cell.weight_decay
        self._native: Training | None = None
        with tf.device(self._device):
            self._flat = tf.Variable(np.concatenate([array.ravel() for array in arrays]))
            self._velocity = tf.Variable(tf.zeros_like(self._flat))
            self._images, self._labels = _on_device(dataset.train)
            self._test_images, self._test_labels = _on_device(dataset.test)
        self._learning_rate = 0.0
        self.set_learning_rate(cell.learning_rate)
        self._gradient, self._local_step, self._update, self._descend, self._score = self._compile()

    def _compile(self) -> tuple[Any, Any, Any, Any, Any]:
        """The gradient, what is done with one, both in one, the score: as functions whose call is one of TensorFlow's.

        The first two are given a batch size and return the function for it.
        """

        def gradient(indices: Tensor) -> tuple[Tensor, Tensor]:
            images, labels = tf.gather(self._images, indices), tf.gather(self._labels, indices)
            weights = self._flat.read_value()
            with tf.GradientTape() as tape:
                tape.watch(weights)
                loss = self._loss(self._parameters(weights), images, labels)
            return tape.gradient(loss, weights), loss

        def update(gradient: Tensor, learning_rate: Tensor) -> Tensor:
            decayed = self._with_decay(gradient)
            velocity = self._velocity.assign(self._momentum * self._velocity + decayed, read_value=True)
            return velocity * -learning_rate

        def descend(gradient: Tensor, learning_rate: Tensor) -> None:
            apply_momentum(self._flat, self._velocity, self._with_decay(gradient), learning_rate, self._momentum)

        def local_step(indices: Tensor, learning_rate: Tensor) -> Tensor:
            slope, loss = gradient(indices)
            descend(slope, learning_rate)
            return loss

        def score(weights: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            logits = scores(self._layers, self._parameters(weights), images)  # (B, classes)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            return tf.reduce_sum(losses), tf.reduce_sum(tf.cast(tf.argmax(logits, axis=1) == labels, tf.int32))

        vector, scalar = tf.TensorSpec(self._flat.shape, tf.float32), tf.TensorSpec([], tf.float32)
        return (
            cache(lambda size: _compiled(gradient, tf.TensorSpec([size], tf.int64))),
            cache(lambda size: _compiled(local_step, tf.TensorSpec([size], tf.int64), scalar)),
            _compiled(update, vector, scalar),
            _compiled(descend, vector, scalar),
            tf.function(score, autograph=False),
        )

    def _parameters(self, vector: Tensor) -> list[Tensor]:
        parts = tf.split(vector, self._sizes)  # whose gradient is one concatenation
        return [tf.reshape(part, layout.native) for part, layout in zip(parts, self._layouts, strict=True)]

    def _loss(self, parameters: Sequence[Tensor], images: Tensor, labels: Tensor) -> Tensor:
        logits = scores(self._layers, parameters, images)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))

    def batches(self, share: Share) -> IndexedBatches:
        return IndexedBatches(Sampler(num_samples=self._num_samples, **vars(share)), self.load)

    def load(self, indices: NDArray[np.int64]) -> Tensor:
        return tf.constant(indices)

    def weights(self) -> Tensor:
        return self._flat.read_value() if self._native is None else self._native.weights()

    def set_weights(self, vector: Tensor) -> None:
        if self._native is None:
            self._flat.assign(vector)
        else:
            self._native.set_weights(vector)

    def merge(self, vector: Tensor) -> None:
        self.set_weights(vector)

    def gradient(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        gradient, loss = self._gradient(batch.shape[0])(batch)
        return gradient, loss

    def update(self, gradient: Tensor) -> Tensor:
        return self._update(gradient, self._learning_rate_tensor)

    def descend(self, gradient: Tensor) -> None:
        self._descend(gradient, self._learning_rate_tensor)

    def local_step(self, batch: Tensor) -> Tensor:
        return self._local_step(batch.shape[0])(batch, self._learning_rate_tensor)

    def _with_decay(self, gradient: Tensor) -> Tensor:
        return gradient + self._weight_decay * self._flat if self._weight_decay else gradient

    def average_gradients_over(self, fabric: NativeFabric[Model, Training], averaging: GradientAveraging) -> None:
        if self._native is not None:
            return
        model = Model(
            initial=[part.numpy() for part in self._parameters(self.weights())],
            loss=self._loss,
            images=self._images,
            labels=self._labels,
            momentum=self._momentum,
            weight_decay=self._weight_decay,
        )
        self._native = fabric.distribute(model, averaging)

    def native_step(self, batch: Tensor) -> Tensor:
        assert self._native is not None, "average_gradients_over comes first"
        return self._native.step(batch, self._learning_rate_tensor)

    def set_learning_rate(self, learning_rate: float) -> None:
        if learning_rate != self._learning_rate:  # making a tensor of it each step would show
            self._learning_rate = learning_rate
            self._learning_rate_tensor = tf.constant(learning_rate, tf.float32)

    def reset(self, vector: Tensor) -> None:
        self.set_weights(vector)
        self._velocity.assign(tf.zeros_like(self._velocity))
        if self._native is not None:
            self._native.forget()

    def evaluate(self, vector: Tensor) -> tuple[float, float]:
        total_loss, num_right, num_images = 0.0, 0, len(self._test_labels)
        for first in range(0, num_images, EVALUATION_BATCH):
            part = slice(first, first + EVALUATION_BATCH)
            loss, right = self._score(vector, self._test_images[part], self._test_labels[part])
            total_loss += float(loss)
            num_right += int(right)
        return total_loss / num_images, num_right / num_images

    def synchronize(self) -> None:
        if self._native is not None:
            self._native.synchronize()
        if "GPU" in self._device:  # on a CPU every call returns when it is done
            tf.test.experimental.sync_devices()

    def peak_gpu_bytes(self) -> int | None:
        if "GPU" not in self._device:
            return None
        # In full, as a tensor there names it: in a cluster `GPU:0` would be one of each process.
        process, _, _ = self._images.device.rpartition(":")
        indices = range(len(tf.config.get_visible_devices("GPU")))
        return sum(tf.config.experimental.get_memory_info(f"{process}:{index}")["peak"] for index in indices)

    def to_numpy(self, vector: Tensor) -> NDArray[np.float32]:
        parts = np.split(vector.numpy(), np.cumsum(self._sizes)[:-1])
        mapped = [layout.to_workload(part).ravel() for layout, part in zip(self._layouts, parts, strict=True)]
        return np.concatenate(mapped)

    @property
    def num_parameters(self) -> int:
        return sum(self._sizes)

    def settings(self) -> dict[str, str]:
        return {
            "tensorflow.intra_op_threads": str(tf.config.threading.get_intra_op_parallelism_threads()),
            "tensorflow.inter_op_threads": str(tf.config.threading.get_inter_op_parallelism_threads()),
        }


def _compiled(function: Callable[..., Any], *arguments: tf.TensorSpec) -> Any:
    """A concrete function: it is entered faster than one that looks for it by its arguments."""
    return tf.function(function, autograph=False).get_concrete_function(*arguments)


def _on_device(split: Split) -> tuple[Tensor, Tensor]:
    images = np.ascontiguousarray(split.images.transpose(0, 2, 3, 1))  # (N, H, W, C)
    return tf.constant(images), tf.constant(split.labels)
