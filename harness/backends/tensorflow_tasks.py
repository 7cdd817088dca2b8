"""Every task in TensorFlow; evaluated are sums of loss and score over the batch."""

from __future__ import annotations

import tensorflow as tf

from harness.backends.tensorflow_program import Tensor
from harness.workloads.task import Task, TaskLoss


def loss_of(task: Task) -> TaskLoss:
    match task.name:
        case "classify":
            return TaskLoss(loss=_loss_of_labels, evaluate=_evaluate_labels)
        case "rate":
            return TaskLoss(loss=_loss_of_ratings, evaluate=_evaluate_ratings)
        case "continue":
            return TaskLoss(loss=_loss_of_labels, evaluate=_evaluate_text)
        case "act":
            raise AssertionError("acting has no targets: see tensorflow_acting.py")


def _loss_of_labels(logits: Tensor, labels: Tensor) -> Tensor:  # (B, ..., classes), (B, ...)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def _evaluate_labels(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    right = tf.argmax(logits, axis=1) == labels
    return tf.reduce_sum(each), tf.reduce_sum(tf.cast(right, tf.float32))


def _loss_of_ratings(given: Tensor, ratings: Tensor) -> Tensor:  # (B, 1 + costs), (B,)
    costs = tf.reduce_sum(given[:, 1:], 1)
    return tf.reduce_mean(tf.square(given[:, 0] - ratings) + costs)


def _evaluate_ratings(given: Tensor, ratings: Tensor) -> tuple[Tensor, Tensor]:
    squared = tf.reduce_sum(tf.square(given[:, 0] - ratings))
    return squared, squared


def _evaluate_text(logits: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:  # (B, T, kinds), (B, T)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(following, logits)
    total = tf.reduce_sum(tf.reduce_mean(each, 1))
    return total, total
