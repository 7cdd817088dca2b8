"""Training as a PyTorch user writes it: a module, an optimizer and the body of a loop.

A fabric adds its own data parallelism in a subclass of `TorchTraining`, which wraps the loss or the optimizer.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn

from harness.backends.torch_batches import parts_of
from harness.backends.torch_flat import trainable
from harness.backends.torch_optimizer import rate_shares, set_rate
from harness.protocols import GradientAveraging
from harness.workloads.own import Batch


@dataclass(frozen=True, kw_only=True)
class TorchModel:
    """What there is to train, not wrapped yet."""

    module: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Callable[[nn.Module, Batch], torch.Tensor]
    move_into: Callable[[torch.Tensor], None]  # memory, whose values are the weights from then on
    clip_norm: float | None = None  # of the gradient that the optimizer gets
    accumulation: int = 1  # parts of each batch whose gradients are added up here, before any are averaged
    leaves_unused: Callable[[], bool] = lambda: False  # whether the loss uses no more than some of the parameters

    @property
    def gradient_bytes(self) -> int:
        return sum(parameter.nbytes for _, parameter in trainable(self.module))


class LossOf(nn.Module):
    """The loss as a module: what wraps it need not know by which calls of the model the loss comes about."""

    def __init__(self, model: TorchModel) -> None:
        super().__init__()
        self.module, self._loss = model.module, model.loss

    def forward(self, batch: Batch) -> torch.Tensor:
        return self._loss(self.module, batch)


class TorchTraining:
    """Implements harness.protocols.NativeTraining: the loop body over the wrapped loss and optimizer."""

    def __init__(self, model: TorchModel, averaging: GradientAveraging) -> None:
        self.loss_of: nn.Module = LossOf(model)
        self.optimizer = model.optimizer
        self._parameters = [parameter for _, parameter in trainable(model.module)]
        self._clip_norm, self._accumulation = model.clip_norm, model.accumulation
        self._passes, self._pass = averaging.backward_passes_per_step, 0
        self._rate_shares = rate_shares(model.optimizer)
        self._fresh = deepcopy(model.optimizer.state_dict())

    def step(self, batch: Batch, learning_rate: float) -> torch.Tensor:
        set_rate(self.optimizer, learning_rate, self._rate_shares)  # first: Adasum steps within `backward`
        *others, last = parts_of(batch, self._accumulation)
        losses = []
        if others:
            with self.keeping_gradients():
                losses = [self._backward(part) for part in others]
        losses.append(self._backward(last))
        self._pass += 1
        if self._pass == self._passes:
            self._pass = 0
            self.update()
            self.optimizer.zero_grad()
        return torch.stack(losses).mean() if others else losses[0]

    def _backward(self, batch: Batch) -> torch.Tensor:
        loss: torch.Tensor = self.loss_of(batch)
        share = self._passes * self._accumulation
        (loss / share if share > 1 else loss).backward()
        return loss.detach()

    def keeping_gradients(self) -> AbstractContextManager[None]:
        """Around the backward passes whose gradients are not to be averaged yet."""
        return nullcontext()

    def update(self) -> None:
        """The optimizer's step; a fabric counts here what it sends, and times its waiting."""
        self.clip()
        self.optimizer.step()

    def clip(self) -> None:
        """Once the gradients are averaged."""
        if self._clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._clip_norm)

    def forget(self) -> None:
        if self._pass:  # Horovod's hooks count passes too: end the one begun, on every rank alike
            self.update()
        self._pass = 0
        self.optimizer.zero_grad()
        self.optimizer.load_state_dict(deepcopy(self._fresh))
