"""Actor and critic in both frameworks: the objective worked by hand, and that a step acts with the weights it has."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import torch
from numpy.typing import NDArray

from harness import registry
from harness.backends import tensorflow_acting, torch_acting
from harness.backends.tensorflow_replica import prepare
from harness.protocols import Replica, Share
from harness.suite.cell import Cell
from harness.workloads.policies import LEAST_VARIANCE, Categorical, Gaussian, Policy
from harness.workloads.rollouts import ActingObjective

prepare(num_threads=1)  # before anything else of TensorFlow is used

OUTPUTS = np.array([[0.0, np.log(3), 1.0]], np.float32)  # π = (¼, ¾), V = 1
TWO_ACTIONS, ACTION = Categorical(num_actions=2), np.array([0])
FRAMEWORKS = pytest.mark.parametrize("framework", ["torch", "tensorflow"])


def loss_and_slope(
    framework: str,
    objective: ActingObjective,
    policy: Policy = TWO_ACTIONS,
    given: NDArray[np.float32] = OUTPUTS,
    taken: NDArray[Any] = ACTION,
) -> tuple[float, list[float]]:
    """3 came of what was done: an advantage of 2."""
    if framework == "torch":
        outputs = torch.from_numpy(given).requires_grad_()
        actions, returns = torch.from_numpy(taken), torch.tensor([3.0])
        loss = torch_acting.loss_of_rollout(policy, outputs, actions, returns, objective)
        loss.backward()
        assert outputs.grad is not None
        return float(loss.detach()), outputs.grad[0].tolist()
    variable = tf.Variable(given)
    with tf.GradientTape() as tape:
        loss = tensorflow_acting.loss_of_rollout(policy, variable, tf.constant(taken), tf.constant([3.0]), objective)
    return float(loss), tape.gradient(loss, variable).numpy()[0].tolist()


@FRAMEWORKS
def test_objective_by_hand(framework: str) -> None:
    """−2 ln ¼ + ½·2² = 4.7726. Slopes: A(π − 1) = 2·(¼ − 1), 2·¾; of the critic −2·½·2."""
    loss, slope = loss_and_slope(framework, ActingObjective(entropy=0.0, value=0.5))
    assert loss == pytest.approx(2 * np.log(4) + 2, rel=1e-6)
    assert slope == pytest.approx([-1.5, 1.5, -2.0], rel=1e-6)


@FRAMEWORKS
def test_entropy_is_to_be_large(framework: str) -> None:
    """H = 0.56234 less; its slope is −π(ln π + H) = ±0.20599."""
    loss, slope = loss_and_slope(framework, ActingObjective(entropy=1.0, value=0.5))
    assert loss == pytest.approx(2 * np.log(4) + 2 - 0.562335, rel=1e-6)
    assert slope == pytest.approx([-1.705990, 1.705990, -2.0], rel=1e-5)


@FRAMEWORKS
def test_objective_of_torques_by_hand(framework: str) -> None:
    """μ = (0, 2), σ² = 2, V = 1; done was (1, 2). −log π = ¼ + ln 4π, H = 1 + ln 4π; dσ²/dx = 1 − e⁻².

    Slopes: A times −(a − μ)/σ² = (−½, 0), and −¼·½ + ½ = ⅜ in σ², of H ½.
    """
    outputs = np.array([[0.0, 2.0, np.log(np.e ** (2 - LEAST_VARIANCE) - 1), 1.0]], np.float32)
    objective = ActingObjective(entropy=1.0, value=0.5)
    taken = np.array([[1.0, 2.0]], np.float32)
    loss, slope = loss_and_slope(framework, objective, Gaussian(num_dimensions=2), outputs, taken)
    assert loss == pytest.approx(2 * (0.25 + np.log(4 * np.pi)) + 2 - (1 + np.log(4 * np.pi)), rel=1e-5)
    assert slope == pytest.approx([-1.0, 0.0, (2 * 0.375 - 0.5) * (1 - np.exp(-2)), -2.0], rel=1e-4)


def replica_of(framework: str) -> Replica:
    cell = Cell.model_validate({"workload": "actor-critic", "strategy": "serial", "framework": framework})
    workload = registry.load(registry.WORKLOADS[framework])(cell)
    made: Replica = registry.load(registry.REPLICAS[framework])(cell, workload, rank=0, local_rank=0)
    return made


def gradient(replica: Replica, *, rank: int = 0, batch_size: int = 40) -> Any:
    with closing(replica.batches(Share(num_workers=2, rank=rank, batch_size=batch_size, seed=0))) as batches:
        found, _ = replica.gradient(batches.at(0))
        return replica.to_numpy(found).copy()


@FRAMEWORKS
def test_gradients_of_two_workers_average_to_that_of_one_with_all_environments(framework: str) -> None:
    """A2C of 2 × 4 environments is A2C of 8."""
    replica = replica_of(framework)
    halves = [gradient(replica, rank=rank, batch_size=20) for rank in range(2)]
    assert not np.allclose(*halves)
    np.testing.assert_allclose(np.mean(halves, axis=0), gradient(replica), rtol=1e-4, atol=1e-6)


@FRAMEWORKS
def test_step_acts_with_the_weights_that_it_has_read(framework: str) -> None:
    """A batch that was asked for before weights came, as Hogwild's is, is played with them."""
    replica = replica_of(framework)
    expected = gradient(replica)
    right = replica.weights()
    replica.set_weights(right * 0.0)
    assert not np.allclose(gradient(replica), expected)
    with closing(replica.batches(Share(num_workers=1, rank=0, batch_size=40, seed=0))) as batches:
        batch = batches.at(0)
        replica.set_weights(right)
        found, _ = replica.gradient(batch)
        np.testing.assert_array_equal(replica.to_numpy(found), expected)


@FRAMEWORKS
def test_evaluation_plays_no_training_environment_on(framework: str) -> None:
    replica = replica_of(framework)
    share = Share(num_workers=1, rank=0, batch_size=40, seed=0)
    losses = []
    for looks in (False, True):
        with closing(replica.batches(share)) as batches:
            replica.gradient(batches.at(0))
            if looks:
                loss, score = replica.evaluate(replica.weights())
                assert 8 < score < 100
                assert loss > 0
            losses.append(float(replica.gradient(batches.at(1))[1]))
    assert losses[0] == losses[1]
