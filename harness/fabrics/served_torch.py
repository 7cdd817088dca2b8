"""Served weights for PyTorch on the CPU, whose tensors are memory of the host."""

from __future__ import annotations

import torch

from harness.fabrics.served import Floats, Served


class ServedTorch(Served):
    def to_host(self, vector: torch.Tensor) -> Floats:
        return vector.numpy()

    def from_host(self, values: Floats) -> torch.Tensor:
        return torch.from_numpy(values)
