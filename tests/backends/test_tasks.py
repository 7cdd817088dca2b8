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
from harness.backends.torch_layers import build
from harness.workloads.layers import Factors, Interactions, Layer
from harness.workloads.task import CLASSIFY, RATE, TaskLoss

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
