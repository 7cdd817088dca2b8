"""What each task makes small and is judged by, worked by hand, the same in both frameworks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import torch

from harness.backends import tensorflow_tasks, torch_tasks
from harness.backends.tensorflow_layers import scores
from harness.backends.tensorflow_replica import prepare
from harness.backends.torch_layers import build
from harness.workloads.initial import initial_weights
from harness.workloads.layers import Attention, Factors, Interactions, Layer
from harness.workloads.task import CLASSIFY, CONTINUE, RATE, TaskLoss

prepare(num_threads=1)  # before anything else of TensorFlow is used

# p = (1, 2) and q = (3, 4) with biases 0.5 and -1
ROWS = np.array([[[1, 2, 0.5], [3, 4, -1]]], np.float32)


def torch_says(layer: Layer) -> Any:
    return build((layer,), ROWS.shape[1:])(torch.from_numpy(ROWS))


def tensorflow_says(layer: Layer) -> Any:
    return scores((layer,), [], tf.constant(ROWS))


BOTH = pytest.mark.parametrize("says", [torch_says, tensorflow_says])
TASKS = pytest.mark.parametrize(
    ("loss_of", "tensor", "mean"),
    [(torch_tasks.loss_of, torch.tensor, True), (tensorflow_tasks.loss_of, tf.constant, False)],
    ids=["torch", "tensorflow"],
)
LossOf = Callable[[Any], TaskLoss]


@BOTH
def test_factors_give_the_rating_and_what_its_rows_cost(says: Callable[[Layer], Any]) -> None:
    """1·3 + 2·4 + 0.5 − 1 = 10.5;  0.1 · (1 + 4 + 0.25 + 9 + 16 + 1) = 3.125."""
    assert says(Factors(penalty=0.1)).numpy().tolist() == [[10.5, 3.125]]


@BOTH
def test_interactions_are_both_rows_and_their_product(says: Callable[[Layer], Any]) -> None:
    assert says(Interactions()).numpy().tolist() == [[1, 2, 0.5, 3, 4, -1, 3, 8, -0.5]]


@TASKS
def test_ratings_are_trained_with_their_costs_and_judged_without(
    loss_of: LossOf, tensor: Callable[..., Any], mean: bool
) -> None:
    """Told 10.5 for 10 and 1 for 3, at costs of 3.125 and 0: (0.25 + 3.125 + 4) / 2 = 3.6875; RMSE √(4.25 / 2)."""
    task_loss, told, ratings = loss_of(RATE), tensor([[10.5, 3.125], [1.0, 0.0]]), tensor([10.0, 3.0])
    assert float(task_loss.loss(told, ratings)) == 3.6875
    loss, score = task_loss.evaluate(told, ratings)
    assert float(loss) == (2.125 if mean else 4.25)
    assert RATE.finish(float(np.sum(score.numpy())) / 2) == pytest.approx(1.457738, abs=1e-6)


@TASKS
def test_labels_are_trained_by_cross_entropy_and_judged_by_the_share_that_is_right(
    loss_of: LossOf, tensor: Callable[..., Any], mean: bool
) -> None:
    """Odds of 3 to 1 for the right label, then for the wrong one: (ln 4/3 + ln 4) / 2."""
    task_loss, told, labels = loss_of(CLASSIFY), tensor([[np.log(3.0), 0.0]] * 2), tensor(np.array([0, 1]))
    wanted = (np.log(4 / 3) + np.log(4)) / 2
    assert float(task_loss.loss(told, labels)) == pytest.approx(wanted)
    loss, score = task_loss.evaluate(told, labels)
    assert float(loss) == pytest.approx(wanted if mean else 2 * wanted)
    assert float(np.sum(score.numpy())) == 1


@TASKS
def test_text_is_trained_and_judged_by_nats_a_character(
    loss_of: LossOf, tensor: Callable[..., Any], mean: bool
) -> None:
    """Two windows of two characters: odds of 3 to 1 for three that follow and against the fourth."""
    task_loss = loss_of(CONTINUE)
    told, following = tensor([[[np.log(3.0), 0.0]] * 2] * 2), tensor(np.array([[0, 0], [0, 1]]))
    first, second = np.log(4 / 3), (np.log(4 / 3) + np.log(4)) / 2
    assert float(task_loss.loss(told, following)) == pytest.approx((first + second) / 2)
    loss, score = task_loss.evaluate(told, following)
    assert float(np.sum(score.numpy())) == pytest.approx(first + second)
    assert float(loss) == pytest.approx((first + second) / (2 if mean else 1))


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_attention_sees_no_step_after_its_own(framework: str) -> None:
    """A change of the third step moves the third and the fourth, and neither of those before."""
    layer, shape = Attention(heads=2), (4, 6)
    parameters = initial_weights(layer.parameters(shape), 0)
    before = np.random.default_rng(0).standard_normal((1, *shape)).astype(np.float32)
    after = before + np.eye(4, dtype=np.float32)[2][None, :, None]
    one, other = (attended(framework, layer, parameters, values) for values in (before, after))
    assert (np.abs(one - other).max(axis=2) > 1e-3).tolist() == [[False, False, True, True]]


def attended(framework: str, layer: Layer, parameters: list[Any], values: Any) -> Any:
    if framework == "tensorflow":
        native = [each.T for each in parameters]
        return scores((layer,), native, tf.constant(values)).numpy()
    model = build((layer,), values.shape[1:])
    for parameter, drawn in zip(model.parameters(), parameters, strict=True):
        parameter.data = torch.from_numpy(drawn)
    return model(torch.from_numpy(values)).detach().numpy()
