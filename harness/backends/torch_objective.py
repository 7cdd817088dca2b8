"""A workload's loss and score, in the cell's precision, and what they may not be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any

import torch
from torch import nn

from harness.backends.torch_batches import parts_of
from harness.suite.cell import Cell
from harness.workloads.own import Batch, OwnWorkload, WorkloadError


class Objective:
    """What is made small, and what is shown.

    precision bf16: the forward pass, loss and score run under autocast; weights, and with them gradients, are float32.
    """

    def __init__(self, cell: Cell, workload: OwnWorkload, device: torch.device) -> None:
        def in_precision(function: Callable[..., Any]) -> Callable[..., Any]:
            if cell.precision == "float32":
                return function
            return torch.autocast(device.type, dtype=torch.bfloat16)(function)

        self._loss, self._both = in_precision(workload.loss), in_precision(workload.loss_and_score)
        self._finished = workload.finished
        self._num_parts = cell.accumulation
        self._is_checked = False

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Raises WorkloadError where the first one is none that can be made small."""
        loss = self._loss(model, batch)
        if not self._is_checked:
            _check_trainable(loss)
            self._is_checked = True
        return loss

    def backward(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Adds the gradient of the batch's loss to the parameters', in as many parts as the cell says; that loss."""
        if self._num_parts == 1:
            loss = self.loss(model, batch)
            loss.backward()
            return loss.detach()
        losses = []
        for part in parts_of(batch, self._num_parts):
            loss = self.loss(model, part)
            (loss / self._num_parts).backward()
            losses.append(loss.detach())
        return torch.stack(losses).mean()

    @torch.no_grad()
    def evaluate(self, model: nn.Module, batches: Iterable[tuple[Batch, int]]) -> tuple[float, float]:
        """The mean loss and the metric over all batches, each weighted by its size."""
        num_samples, total_loss, total_score = 0, 0.0, 0.0
        for batch, size in batches:
            loss, score = self._both(model, batch)
            _check_scalar("loss", loss)
            total_loss += float(loss) * size
            total_score += _sum_of_scores(score, size)
            num_samples += size
        return total_loss / num_samples, self._finished(total_score / num_samples)


def _check_trainable(loss: Any) -> None:
    _check_scalar("loss", loss)
    if not loss.requires_grad:
        raise WorkloadError("loss: does not depend on a parameter; wanted: computed from what the model gives")
    if loss.isnan():
        raise WorkloadError("loss: not a number for the first batch; wanted: a finite one")


def _check_scalar(what: str, value: Any) -> None:
    if not isinstance(value, torch.Tensor):
        raise WorkloadError(
            f"{what}: {type(value).__name__}; wanted: a tensor without an axis, the mean over the batch"
        )
    if value.ndim:
        raise WorkloadError(f"{what}: shape {tuple(value.shape)}; wanted: a scalar, the mean over the batch")


def _sum_of_scores(score: Any, size: int) -> float:
    """Of the batch's samples, from one value a sample or from their mean."""
    if isinstance(score, torch.Tensor) and score.shape == (size,):
        return float(score.sum(dtype=torch.float64))
    if isinstance(score, torch.Tensor) and score.ndim:
        raise WorkloadError(f"score: shape {tuple(score.shape)}; wanted: ({size},), a value a sample, or their mean")
    if not isinstance(score, torch.Tensor | Real):
        raise WorkloadError(
            f"score: {type(score).__name__}; wanted: a tensor of shape ({size},), a value a sample, or their mean"
        )
    return float(score) * size
