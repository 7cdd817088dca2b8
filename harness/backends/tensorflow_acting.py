"""Acting in TensorFlow: inside the compiled step, NumPy plays with the weights that the step has at that point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from harness.backends.tensorflow_layers import Layout, scores
from harness.backends.tensorflow_program import Batch, Tensor
from harness.workloads.layers import Layer
from harness.workloads.numpy_model import outputs_of
from harness.workloads.policies import LEAST_VARIANCE, Categorical, Gaussian, Policy
from harness.workloads.rollouts import ActingObjective, Experience, Model
from harness.workloads.task import TaskLoss


def acting_functions(
    layers: tuple[Layer, ...], laid_out: Sequence[Layout], experience: Experience, precision: Any
) -> TaskLoss:
    """Of the weights and the number of the environments to play in; of the weights and a batch of starts."""

    policy = experience.environment.policy

    def in_numpy(weights: Sequence[NDArray[np.float32]]) -> Model:
        parameters = [layout.to_workload(array) for layout, array in zip(laid_out, weights, strict=True)]
        return lambda observations: outputs_of(layers, parameters, observations)

    def play(number: NDArray[np.int64], *weights: NDArray[np.float32]) -> tuple[NDArray[Any], ...]:
        rollout = experience.play(int(number), in_numpy(weights))
        return rollout.observations, rollout.actions, rollout.returns

    def judge(starts: NDArray[np.float64], *weights: NDArray[np.float32]) -> tuple[np.float32, np.float32]:
        errors, returns = experience.judge(in_numpy(weights), starts)
        return np.float32(errors.sum()), np.float32(returns.sum())

    def loss(weights: Sequence[Tensor], number: Tensor) -> Tensor:
        played = tf.numpy_function(play, [number, *weights], [tf.float32, policy.kind_of_action, tf.float32])
        seen, actions, returns = (tf.stop_gradient(part) for part in played)
        seen = tf.ensure_shape(seen, (None, *experience.input_shape))
        outputs = scores(layers, weights, seen, precision)
        return loss_of_rollout(policy, outputs, actions, returns, experience.objective)

    def evaluate(weights: Sequence[Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
        starts, _ = batch
        errors, returns = tf.numpy_function(judge, [starts, *weights], [tf.float32, tf.float32])
        return errors, returns

    return TaskLoss(loss=loss, evaluate=evaluate)


def loss_of_rollout(
    policy: Policy, outputs: Tensor, actions: Tensor, returns: Tensor, objective: ActingObjective
) -> Tensor:
    """outputs: (N, policy's + 1); actions: (N, ...); returns: (N,)."""
    taken, entropies = _log_shares_and_entropies(policy, outputs[:, :-1], actions)
    advantages = returns - outputs[:, -1]
    costs = objective.value * tf.square(advantages) - objective.entropy * entropies
    return tf.reduce_mean(costs - taken * tf.stop_gradient(advantages))


def _log_shares_and_entropies(policy: Policy, outputs: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """log π of what was done, and H(π), each (N,)."""
    match policy:
        case Categorical():
            log_shares = tf.nn.log_softmax(outputs)
            entropies = -tf.reduce_sum(tf.exp(log_shares) * log_shares, 1)
            return tf.gather(log_shares, actions, axis=1, batch_dims=1), entropies
        case Gaussian(num_dimensions=dimensions):
            variances = tf.nn.softplus(outputs[:, -1]) + LEAST_VARIANCE
            of_deviation = 0.5 * dimensions * (math.log(2 * math.pi) + tf.math.log(variances))
            squared = tf.reduce_sum(tf.square(actions - outputs[:, :-1]), 1)
            return -squared / (2 * variances) - of_deviation, of_deviation + 0.5 * dimensions
    raise AssertionError(policy)
