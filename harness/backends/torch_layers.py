"""Layers as PyTorch modules, with parameters in the workload's order and shapes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from harness.workloads import layers as spec


def build(layers: tuple[spec.Layer, ...], shape: spec.Shape) -> nn.Sequential:
    """Modules for what has this `shape` (without the batch). Their parameters are yet to be set."""
    modules = []
    for layer in layers:
        modules.append(_module(layer, shape))
        shape = layer.output(shape)
    return nn.Sequential(*modules)


def _module(layer: spec.Layer, shape: spec.Shape) -> nn.Module:
    match layer:
        case spec.Dense(units=units):
            return nn.Linear(shape[-1], units)
        case spec.Conv(filters=filters, kernel=kernel, stride=stride, bias=bias):
            return nn.Conv2d(shape[0], filters, kernel, stride=stride, padding=kernel // 2, bias=bias)
        case spec.LSTM(units=units, sequences=sequences):
            return _Hidden(shape[1], units, sequences=sequences)
        case spec.GroupNorm(groups=groups):
            return nn.GroupNorm(groups, shape[0])
        case spec.LayerNorm():
            return nn.LayerNorm(shape[-1])
        case spec.Attention(heads=heads):
            return _Attention(shape[-1], heads)
        case spec.Positions():
            return _Positions(*shape)
        case spec.Embedding(rows=rows, units=units):
            return LookUp(rows, units)
        case spec.Factors(penalty=penalty):
            return _Factors(penalty)
        case spec.Interactions():
            return _Interactions()
        case spec.ReLU():
            return nn.ReLU()
        case spec.Tanh():
            return nn.Tanh()
        case spec.MaxPool(size=size, stride=stride, padding=padding):
            return nn.MaxPool2d(size, stride=stride, padding=padding)
        case spec.GlobalAveragePool():
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        case spec.Flatten():
            return nn.Flatten()
        case spec.Rows():
            return _Rows()
        case spec.Residual(body=body, shortcut=shortcut):
            return _Residual(build(body, shape), build(shortcut, shape))
    raise AssertionError(layer)


class LookUp(nn.Embedding):
    """An embedding that takes rows which it is given for those of its own table."""

    given: torch.Tensor | None = None  # (n, units), in the order in which they would be looked up

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        if self.given is None:
            return super().forward(numbers)
        return self.given.view(*numbers.shape, self.embedding_dim)


class _Rows(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:  # (B, C, H, W)
        return images.permute(0, 2, 3, 1).flatten(2)  # (B, H, W·C)


class _Hidden(nn.Module):
    """An LSTM with one bias a gate: PyTorch's second bias stays zero and is no parameter.

    Were both trained, the bias would learn at twice the rate of the same layer in TensorFlow.
    """

    def __init__(self, features: int, units: int, *, sequences: bool) -> None:
        super().__init__()
        self.sequences = sequences
        self.lstm = nn.LSTM(features, units, batch_first=True)
        second = self.lstm.bias_hh_l0
        assert isinstance(second, nn.Parameter)
        nn.init.zeros_(second)
        second.requires_grad_(False)

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:  # (B, T, F)
        each, (last, _) = self.lstm(sequence)
        return each if self.sequences else last[-1]  # (B, T, units) or (B, units)


class _Attention(nn.Module):
    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.heads, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:  # (B, T, F)
        by_head = self.heads(sequence).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = by_head  # (B, H, T, F / H)
        attended = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        return self.mix(attended.transpose(1, 2).flatten(2))


class _Positions(nn.Module):
    def __init__(self, num_steps: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(num_steps, width)

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:  # (B, T, F)
        return sequence + self.table.weight


class _Factors(nn.Module):
    def __init__(self, penalty: float) -> None:
        super().__init__()
        self.penalty = penalty

    def forward(self, rows: torch.Tensor) -> torch.Tensor:  # (B, 2, k + 1)
        rated: torch.Tensor = _Rating.apply(rows, self.penalty)
        return rated


class _Rating(torch.autograd.Function):
    """With its gradient written out: left to autograd, a step of matrix factorisation takes half as long again."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, penalty: float) -> torch.Tensor:
        ctx.save_for_backward(rows)
        ctx.penalty = penalty
        first, second = rows.unbind(1)
        rating = (first[:, :-1] * second[:, :-1]).sum(1) + first[:, -1] + second[:, -1]
        return torch.stack([rating, penalty * rows.square().sum((1, 2))], 1)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, None]:  # (B, 2): of the rating, of the cost
        (rows,) = ctx.saved_tensors
        gradient = rows.flip(1) * slope[:, :1, None]
        gradient[:, :, -1] = slope[:, :1]
        return gradient.addcmul_(rows, slope[:, 1:, None], value=2 * ctx.penalty), None


class _Interactions(nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:  # (B, 2, k)
        first, second = rows.unbind(1)
        return torch.cat([first, second, first * second], 1)


class _Residual(nn.Module):
    def __init__(self, body: nn.Sequential, shortcut: nn.Sequential) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.body(inputs) + self.shortcut(inputs)
