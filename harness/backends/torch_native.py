"""Training as a PyTorch user writes it: a module, an optimizer and the body of a loop.

A fabric adds its own data parallelism in a subclass of `TorchTraining`, which wraps the module or the optimizer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from harness.protocols import GradientAveraging

Batch = tuple[torch.Tensor, torch.Tensor]  # images (B, C, H, W), labels (B,)


@dataclass(frozen=True, kw_only=True)
class TorchModel:
    """What there is to train, not wrapped yet."""

    module: nn.Module
    optimizer: torch.optim.Optimizer
    loss: nn.Module

    @property
    def gradient_bytes(self) -> int:
        return sum(parameter.nbytes for parameter in self.module.parameters() if parameter.requires_grad)


class TorchTraining:
    """Implements harness.protocols.NativeTraining: the loop body over the wrapped module and optimizer."""

    def __init__(self, model: TorchModel, averaging: GradientAveraging) -> None:
        self.module, self.optimizer, self._loss = model.module, model.optimizer, model.loss
        self._passes, self._pass = averaging.backward_passes_per_step, 0

    def step(self, batch: Batch, learning_rate: float) -> torch.Tensor:
        images, labels = batch
        loss: torch.Tensor = self._loss(self.module(images), labels)
        (loss / self._passes if self._passes > 1 else loss).backward()
        self._pass += 1
        if self._pass == self._passes:
            self._pass = 0
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate
            self.update()
            self.optimizer.zero_grad()
        return loss.detach()

    def update(self) -> None:
        """The optimizer's step; a fabric counts here what it sends, and times its waiting."""
        self.optimizer.step()

    def forget(self) -> None:
        if self._pass:  # Horovod's hooks count passes too: end the one begun, on every rank alike
            self.update()
        self._pass = 0
        self.optimizer.zero_grad()
        self.optimizer.state.clear()
