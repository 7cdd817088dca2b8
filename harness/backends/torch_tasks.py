"""Every task in PyTorch; evaluated are the mean loss and a score for each sample, (B,)."""

from __future__ import annotations

import torch
from torch.nn import functional

from harness.workloads.task import Task, TaskLoss

Tensor = torch.Tensor


def loss_of(task: Task) -> TaskLoss:
    match task.name:
        case "classify":
            return TaskLoss(loss=functional.cross_entropy, evaluate=_evaluate_labels)
        case "rate":
            return TaskLoss(loss=_loss_of_ratings, evaluate=_evaluate_ratings)
        case "continue":
            return TaskLoss(loss=_loss_of_text, evaluate=_evaluate_text)
        case "act":
            raise AssertionError("acting has no targets: see torch_acting.py")


def _evaluate_labels(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:  # (B, classes), (B,)
    return functional.cross_entropy(logits, labels), logits.argmax(1) == labels


def _loss_of_ratings(given: Tensor, ratings: Tensor) -> Tensor:  # (B, 1 + costs), (B,)
    costs = given[:, 1:].sum(1)
    return ((given[:, 0] - ratings).square() + costs).mean()


def _evaluate_ratings(given: Tensor, ratings: Tensor) -> tuple[Tensor, Tensor]:
    squared = (given[:, 0] - ratings).square()
    return squared.mean(), squared


def _loss_of_text(logits: Tensor, following: Tensor) -> Tensor:  # (B, T, kinds), (B, T)
    return functional.cross_entropy(logits.flatten(0, 1), following.flatten())


def _evaluate_text(logits: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
    each = functional.cross_entropy(logits.transpose(1, 2), following, reduction="none").mean(1)
    return each.mean(), each
