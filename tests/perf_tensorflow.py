"""TensorFlow's figures of `make perf`: the measured loop against a bare one, and strategies against what others offer.

The bare loop is the fastest that its author knew to write: one `tf.function` a step, which also gathers the batch from
the training set on the device, and TensorFlow's own momentum operation on one variable a parameter.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from harness import registry
from harness.backends.tensorflow_layers import layouts, scores
from harness.backends.tensorflow_native import apply_momentum
from harness.backends.tensorflow_replica import prepare
from harness.cell import Cell
from harness.clock import Clock
from harness.fabrics.alone import Alone
from harness.launchers.hosts import this_machine
from harness.protocols import Plan
from harness.record import Record, ResultsFolder
from harness.runner import Setting, run_cell
from harness.sampling import Sampler
from harness.training import Session, train, warm_up, window_steps
from harness.workloads.initial import initial_weights
from harness.workloads.layers import parameters_of
from harness.workloads.registry import MODELS, load_dataset
from tests.perf.pairs import Ratio, compare

NUM_PAIRS, NUM_LAUNCH_PAIRS = 15, 6
STEPS = {"fnn": 3000, "cnn": 500, "rnn": 500}
LAUNCHED = {"workload": "cnn", "dataset": "digits", "framework": "tensorflow", "epochs": 30, "evaluations": 0}


def loop_ratios() -> list[Ratio]:
    """Pins this process: for one of its own."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    prepare(num_threads=1)
    return [_loop_ratio(workload) for workload in STEPS]


def launch_ratios() -> list[Ratio]:
    """Needs two cores."""
    with tempfile.TemporaryDirectory() as scratch:
        setting = Setting(suite="perf", folder=ResultsFolder(Path(scratch)), hosts=this_machine())

        def launch(**fields: Any) -> Callable[[], float]:
            cell = Cell.model_validate({**LAUNCHED, **fields})
            return lambda: _samples_per_s_of_a_worker(run_cell(cell, setting, _Silent()))

        return [
            compare(
                "cnn, TensorFlow, 2 workers: allreduce-flat (MPI) over tf-multiworker",
                launch(strategy="allreduce-flat", workers=2, controller="mpi"),
                launch(strategy="tf-multiworker", workers=2),
                num_pairs=NUM_LAUNCH_PAIRS,
                bar=1.0,
            ),
            compare(
                "cnn, TensorFlow: a worker of delayed-averaging (MPI) over serial",
                launch(strategy="delayed-averaging", workers=2, controller="mpi"),
                launch(strategy="serial"),
                num_pairs=NUM_LAUNCH_PAIRS,
                bar=0.9,
            ),
        ]


class _Silent:
    def cell_started(self, cell: Cell) -> None: ...
    def cell_progress(self, share: float, samples_per_s: float, loss: float) -> None: ...
    def cell_ended(self, record: Record) -> None: ...


def _samples_per_s_of_a_worker(record: Record) -> float:
    assert record.status == "ok", record.log_tail
    num_samples = sum(window.num_samples for part in record.workers for window in part.windows)
    return num_samples / record.cell.workers / max(part.train_s for part in record.workers)


def _loop_ratio(workload: str) -> Ratio:
    cell = Cell.model_validate(
        {"workload": workload, "strategy": "serial", "framework": "tensorflow", "evaluations": 0}
    )
    what = f"{workload}: harness over a bare TensorFlow loop, samples/s"
    return compare(what, _harness(cell), bare(cell), num_pairs=NUM_PAIRS, bar=0.98)


def _harness(cell: Cell) -> Callable[[], float]:
    dataset = load_dataset(cell.dataset, None)
    num_steps = STEPS[cell.workload]
    plan = Plan(num_workers=1, num_steps=num_steps, steps_per_epoch=len(dataset.train) / cell.batch_size)
    session = Session(
        cell=cell,
        plan=plan,
        replica=registry.load(registry.REPLICAS["tensorflow"])(cell, dataset, local_rank=0),
        fabric=Alone(cell, None, None),  # type: ignore[arg-type]
        strategy=registry.STRATEGIES["serial"](cell.options, plan),
        sampler=Sampler(
            num_samples=len(dataset.train), batch_size=cell.batch_size, num_workers=1, rank=0, seed=cell.seed
        ),
    )
    warm_up(session)

    def samples_per_s() -> float:
        clock = Clock(window_steps=window_steps(plan))
        train(session, clock, lambda progress: None)
        return num_steps * cell.batch_size / clock.now()

    return samples_per_s


def bare(cell: Cell) -> Callable[[], float]:
    """The loop of a user's script; returns what runs it and says its samples/s."""
    dataset = load_dataset(cell.dataset, None)
    layers = MODELS[cell.workload].layers(dataset.num_classes)
    drawn = initial_weights(parameters_of(layers, dataset.image_shape), cell.seed)
    arrays = [
        layout.to_native(array) for layout, array in zip(layouts(layers, dataset.image_shape), drawn, strict=True)
    ]
    variables = [tf.Variable(array) for array in arrays]
    velocities = [tf.Variable(tf.zeros_like(array)) for array in arrays]
    images = tf.constant(np.ascontiguousarray(dataset.train.images.transpose(0, 2, 3, 1)))
    labels = tf.constant(dataset.train.labels)

    @tf.function(autograph=False)
    def step(chosen: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = scores(layers, variables, tf.gather(images, chosen))
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(labels, chosen), logits)
            loss = tf.reduce_mean(losses)
        for variable, velocity, gradient in zip(variables, velocities, tape.gradient(loss, variables), strict=True):
            apply_momentum(variable, velocity, gradient, cell.learning_rate, cell.momentum)
        return loss

    num_steps = STEPS[cell.workload]

    def samples_per_s() -> float:
        rng = np.random.default_rng(0)
        num_done = 0
        started = time.perf_counter()
        while num_done < num_steps:
            order = rng.permutation(len(dataset.train))
            for first in range(0, len(order) - cell.batch_size + 1, cell.batch_size):
                step(tf.constant(order[first : first + cell.batch_size]))
                num_done += 1
                if num_done == num_steps:
                    break
        return num_done * cell.batch_size / (time.perf_counter() - started)

    return samples_per_s


if __name__ == "__main__":
    for ratio in [*loop_ratios(), *launch_ratios()]:
        print(ratio, flush=True)
