"""A user's Keras model behind the replica's protocol, in numbers worked by hand."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from harness.backends import tensorflow_workloads
from harness.extensions import WORKLOADS, ExtensionError, code_digest
from harness.strategies.elastic import Elastic, ElasticOptions
from harness.suite.cell import Cell
from harness.workloads import KerasWorkload
from harness.workloads.own import WorkloadError
from tests.backends.keras_models import (
    absolute,
    column,
    half_square,
    linear,
    replica_of,
    whole,
    workload_of,
)
from tests.backends.stale_server import StaleServer


def normalised() -> keras.Model:
    """Batch norm, then w · x: its parameters are γ = 1, β = 0 and w = 1, its buffers a mean 0 and a variance 1."""
    inputs = keras.Input((1,))
    normal = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-9)(inputs)
    return keras.Model(inputs, keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")(normal))


PAIR = column(0, 4)  # of mean 2 and variance 4: a step of the averages gives 0.2, and 0.9 + 0.4


def test_buffers_stand_behind_the_parameters_and_have_no_gradient() -> None:
    made = replica_of(workload_of(normalised(), PAIR))
    assert made.weights().numpy().tolist() == [1, 0, 1, 0, 1]
    assert made.num_parameters == 3
    gradient, _ = made.gradient(whole(made, 2))
    assert gradient.numpy()[3:].tolist() == [0, 0]
    assert made.weights().numpy()[3:] == pytest.approx([0.2, 1.3])


def test_model_itself_never_changes() -> None:
    workload = workload_of(normalised(), PAIR)
    made = replica_of(workload)
    made.local_step(whole(made, 2))
    assert [variable.numpy().tolist() for variable in workload.model.variables] == [[1], [0], [0], [1], [[1]]]


@pytest.mark.parametrize(("rank", "moved"), [(0, [0.2, 0.3]), (1, [0, 0])])
def test_update_of_shared_weights_carries_rank_0s_buffers(rank: int, moved: list[float]) -> None:
    made = replica_of(workload_of(normalised(), PAIR), rank=rank)
    made.set_weights(made.weights())
    gradient, _ = made.gradient(whole(made, 2))
    assert made.update(gradient).numpy()[3:] == pytest.approx(moved, abs=1e-7)


def test_merged_buffers_are_what_training_goes_on_from() -> None:
    """From a mean of 1 and a variance of 3: 0.9 + 0.2 and 2.7 + 0.4."""
    made = replica_of(workload_of(normalised(), PAIR))
    made.merge(tf.constant([1.0, 0, 1, 1, 3]))
    made.local_step(whole(made, 2))
    assert made.weights().numpy()[3:] == pytest.approx([1.1, 3.1])


def test_merge_takes_no_variance_below_0_whatever_the_mean() -> None:
    made = replica_of(workload_of(normalised(), PAIR))
    made.merge(tf.constant([1.0, 0, 1, 5, 3]))
    made.merge(tf.constant([2.0, 0, 1, -5, -0.5]))
    assert made.weights().numpy().tolist() == [2, 0, 1, -5, 3]
    made.gradient(whole(made, 2))
    assert made.weights().numpy()[3:] == pytest.approx([0.9 * -5 + 0.2, 0.9 * 3 + 0.4])


def test_variances_alone_began_above_0() -> None:
    assert replica_of(workload_of(normalised(), PAIR)).began_positive == ((4, 5),)
    assert replica_of(workload_of(linear(), PAIR)).began_positive == ()


@pytest.mark.parametrize("is_held", [True, False])
def test_late_pulls_at_a_centre_take_no_variance_of_it_below_0(is_held: bool) -> None:
    """The data's variance is 0, and a worker that finds 1 at the centre each time pulls it down by some 0.09 a step."""
    made = replica_of(workload_of(normalised(), column(3, 3)))
    strategy, fabric = Elastic(ElasticOptions(period=1, pull=0.45), None), StaleServer(holds_positive=is_held)  # type: ignore[arg-type]
    strategy.setup(made, fabric)  # type: ignore[arg-type]
    for _ in range(40):
        strategy.step(made, fabric, whole(made, 2))  # type: ignore[arg-type]
    variance = fabric.held.weights[4]
    assert (variance >= 0) == is_held
    assert variance < 0.1


def test_merge_by_merges_what_the_function_makes_and_gives_a_copy_of_that() -> None:
    """Twice the weights, and (0, 1, 0, 2, −4) more: the last is a variance, which stays what it was."""
    made = replica_of(workload_of(normalised(), PAIR))
    before = made.weights().numpy()
    added = tf.constant([0.0, 1, 0, 2, -4])
    given = made.merge_by(lambda weights, others: 2 * weights + others, added)
    expected = 2 * before + added.numpy()
    expected[4] = before[4]
    assert given.numpy().tolist() == made.weights().numpy().tolist() == expected.tolist()
    made.local_step(whole(made, 2))
    assert given.numpy().tolist() == expected.tolist()
    assert made.weights().numpy().tolist() != expected.tolist()


def test_evaluate_takes_the_vectors_buffers_and_leaves_the_replicas() -> None:
    """With a mean of 2 and a variance of 4 the inputs 0 and 4 are −1 and 1: a loss of ½ and a score of 1."""
    made = replica_of(workload_of(normalised(), PAIR))
    assert made.evaluate(tf.constant([1.0, 0, 1, 2, 4])) == pytest.approx((0.5, 1))
    assert made.weights().numpy()[3:].tolist() == [0, 1]


def test_frozen_layers_are_neither_trained_nor_in_the_vector() -> None:
    first = keras.layers.Dense(2, use_bias=False, kernel_initializer="ones", trainable=False)
    model = keras.Sequential([keras.Input((1,)), first, keras.layers.Dense(1, kernel_initializer="ones")])
    made = replica_of(workload_of(model, column(1)))
    assert made.weights().numpy().tolist() == [1, 1, 0]
    made.local_step(whole(made, 1))  # ŷ = 2, its gradient in each weight 2 · 1 and in the bias 2; η = ½
    assert made.weights().numpy().tolist() == [0, 0, -1]
    assert float(made.gradient(whole(made, 1))[1]) == 0.5  # ŷ = −1: the frozen ones are still there


def test_layer_that_is_used_twice_is_one_parameter() -> None:
    inputs = keras.Input((1,))
    tied = keras.layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(2.0))
    made = replica_of(workload_of(keras.Model(inputs, tied(tied(inputs))), column(1)))
    assert made.weights().numpy().tolist() == [2]
    assert made.gradient(whole(made, 1))[0].numpy().tolist() == [16]  # of ½ w⁴: 2 w³


def test_parameter_that_the_loss_does_not_use_has_a_gradient_of_zero() -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    made = replica_of(workload_of(model, column(3), loss=lambda model, batch: tf.reduce_sum(model.layers[0].bias ** 2)))
    assert made.gradient(whole(made, 1))[0].numpy().tolist() == [0, 0]


def dropping() -> keras.Model:
    return keras.Sequential([keras.Input((64,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])


def losses(made: Any, num_steps: int) -> list[float]:
    return [float(made.gradient(whole(made, 1))[1]) for _ in range(num_steps)]


def test_dropout_draws_by_seed_and_rank_and_begins_anew_at_reset() -> None:
    keras.utils.set_random_seed(0)
    workload = workload_of(dropping(), np.ones((1, 64), np.float32))
    first, second, other = (replica_of(workload, rank=rank, seed=seed) for rank, seed in ((0, 0), (1, 0), (0, 1)))
    drawn = losses(first, 3)
    assert len({*drawn, *losses(second, 3), *losses(other, 3)}) == 9
    first.reset(first.weights())
    assert losses(first, 3) == drawn
    assert losses(replica_of(workload, seed=0), 3) == drawn


def test_evaluation_drops_nothing() -> None:
    model = dropping()
    model.layers[-1].kernel.assign(np.ones((64, 1)))
    made = replica_of(workload_of(model, np.ones((1, 64), np.float32)))
    assert made.evaluate(made.weights()) == (2048, 64)


def test_model_that_is_not_built_is_built_from_its_data() -> None:
    model = keras.Sequential([keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    assert replica_of(workload_of(model, column(1, 2))).weights().numpy().tolist() == [1]


def test_losses_that_layers_add_are_the_models() -> None:
    """½ ŷ² of ŷ = 1 and half the square of the weight beside it."""
    inputs = keras.Input((1,))
    dense = keras.layers.Dense(
        1, use_bias=False, kernel_initializer="ones", kernel_regularizer=keras.regularizers.L2(0.5)
    )
    workload = workload_of(
        keras.Model(inputs, dense(inputs)),
        column(1),
        loss=lambda model, batch: half_square(model, batch) + sum(model.losses),
    )
    made = replica_of(workload)
    gradient, loss = made.gradient(whole(made, 1))
    assert (gradient.numpy().tolist(), float(loss)) == ([2], 1)


def test_score_is_the_mean_over_all_samples_finished_at_the_end() -> None:
    """Of 501 samples, in batches of 500 and 1: 500 of 3 and one of 504 are 4 on average, and its root is 2."""
    inputs = np.concatenate([np.full((500, 1), 3.0), [[504.0]]]).astype(np.float32)
    workload = workload_of(linear(), inputs, batch_size=1, finish=np.sqrt)
    made = replica_of(workload)
    assert made.evaluate(made.weights())[1] == pytest.approx(2)


def test_evaluate_of_the_workload_gives_both_in_one_pass() -> None:
    def both(model: Any, batch: Any) -> tuple[Any, Any]:
        return half_square(model, batch), tf.reduce_mean(absolute(model, batch))

    def never(model: Any, batch: Any) -> Any:
        raise AssertionError("not asked for")

    made = replica_of(workload_of(linear(), column(1, 3), evaluate=both, score=never))
    assert made.evaluate(made.weights()) == (2.5, 2)


def float64_model() -> keras.Model:
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, dtype="float64", name="precise")])


def nowhere(model: Any, batch: Any) -> Any:
    return tf.reduce_mean(batch[0])


def noisy(model: Any, batch: Any) -> Any:
    return half_square(model, batch) * keras.random.uniform(())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "cnn"}, "model: is str; wanted: a keras.Model"),
        ({"model": keras.Sequential([keras.Input((1,)), keras.layers.ReLU()])}, "model: has no trainable parameter"),
        ({"model": float64_model()}, "model: parameter .*precise/kernel is float64; wanted: float32"),
        ({"loss": absolute}, r"loss: shape \(2,\); wanted: a scalar"),
        ({"loss": lambda model, batch: half_square(model, batch) * np.nan}, "loss: NaN on the first test samples"),
        ({"score": lambda model, batch: model(batch[0])}, r"score: shape \(2, 1\) of 2 samples; wanted: \(2,\)"),
        ({"score": lambda model, batch: absolute(model, batch) * np.nan}, "score: NaN on the first test samples"),
        ({"loss": noisy}, "loss: assigns seed_generator.*, which is none of the model's variables"),
        ({"train": (column(),), "samples_per_epoch": 2}, "train: empty; wanted: at least one sample"),
        ({"test": (column(),)}, "test: empty; wanted: at least one sample"),
        ({"test": (column(1, 2), column(1))}, "test: arrays of 1, 2 samples; wanted: as many in each"),
        ({"train": column(1, 2)}, "train: is ndarray; wanted: a tuple of arrays"),
        ({"collate": lambda samples: (np.ones(5),)}, "collate: makes tensors of 5 of all 2 samples; wanted: as many"),
        ({"collate": lambda samples: None}, "collate: returned NoneType; wanted: the samples as a batch of arrays"),
        ({"score": lambda model, batch: None}, r"score: NoneType; wanted: a tensor of shape \(2,\), or a scalar"),
        ({"loss": lambda model, batch: "x"}, "loss: str; wanted: a scalar, the mean over the batch"),
        ({"evaluate": lambda model, batch: 0.5}, "evaluate: returned float; wanted: loss and score, a tuple of two"),
        ({"optimizer": lambda: "adam"}, "optimizer: made str; wanted: a keras.optimizers.Optimizer"),
    ],
)
def test_workload_that_cannot_be_trained_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(WorkloadError, match=message):
        replica_of(workload_of(**{"model": linear(), "inputs": column(1, 2), **changes}))


def test_loss_that_no_parameter_moves_is_named_when_its_gradient_is_taken() -> None:
    made = replica_of(workload_of(linear(), column(1, 2), loss=nowhere))
    with pytest.raises(WorkloadError, match="loss: depends on no trainable parameter"):
        made.gradient(whole(made, 2))


CODE = """
import keras
import numpy as np

from harness.workloads import ACCURACY, KerasWorkload

def make():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    data = (np.zeros((4, 2), np.float32),)
    return KerasWorkload(
        model=model, loss=print, score=print, train=data, test=data, batch_size=2, learning_rate=0.1
    )
"""


def cell_of_file(folder: Path, **fields: Any) -> Cell:
    (folder / "own.py").write_text(CODE)
    own = {
        "code": code_digest("own.py:make", str(folder), group=WORKLOADS),
        "metric": {"name": "accuracy", "better": "higher"},
        "sample_unit": "row",
        "num_samples": 4,
    }
    recipe = {"batch_size": 2, "learning_rate": 0.1, "momentum": 0.0, "epochs": 1.0}
    given = {"workload": "own.py:make", "folder": str(folder), "own": own, "recipe": recipe, "strategy": "serial"}
    return Cell.model_validate({**given, "framework": "tensorflow", **fields})


def made_by(cell: Cell) -> KerasWorkload:
    made = tensorflow_workloads.workload_of(cell)
    assert isinstance(made, KerasWorkload)
    return made


def kernel(workload: KerasWorkload) -> list[list[float]]:
    return workload.model.layers[0].kernel.numpy().tolist()


def test_initial_weights_follow_from_the_seed_in_every_thread(tmp_path: Path) -> None:
    cell = cell_of_file(tmp_path)
    begin = threading.Barrier(4)

    def work(_: int) -> list[list[float]]:
        begin.wait()
        return kernel(made_by(cell))

    with ThreadPoolExecutor(4) as threads:
        drawn = list(threads.map(work, range(4)))
    assert drawn == [drawn[0]] * 4
    assert kernel(made_by(cell_of_file(tmp_path, seed=1))) != drawn[0]


def test_bf16_is_the_dtype_policy_while_the_model_is_made(tmp_path: Path) -> None:
    dense = made_by(cell_of_file(tmp_path, precision="bf16")).model.layers[0]
    assert (dense.compute_dtype, dense.variable_dtype) == ("bfloat16", "float32")
    assert keras.config.dtype_policy().name == "float32"


def test_code_that_has_changed_is_not_trained(tmp_path: Path) -> None:
    cell = cell_of_file(tmp_path)
    (tmp_path / "own.py").write_text(CODE + "\n# another")
    with pytest.raises(ExtensionError, match=r"own\.py:make: has changed since the cells were planned; give"):
        made_by(cell)


def test_bf16_loss_is_a_float32_of_less_precise_scores() -> None:
    """bfloat16 has 8 bits: 1.01 is 1.0078 there, whose half square is 0.50785."""
    inputs = keras.Input((1,))
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", dtype="mixed_bfloat16")
    made = replica_of(workload_of(keras.Model(inputs, dense(inputs)), column(1.01)), precision="bf16")
    gradient, loss = made.gradient(whole(made, 1))
    assert float(loss) == pytest.approx(1.0078125**2 / 2, rel=1e-6)
    assert gradient.dtype == tf.float32
