"""The transformer of transformer.py in PyTorch."""

from __future__ import annotations

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Attention to what came before, then two layers on each position; each added to what came in."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm_1 = nn.LayerNorm(width)
        self.heads = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.norm_2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, inputs: Tensor) -> Tensor:  # (B, T, D)
        by_head = self.heads(self.norm_1(inputs)).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(*by_head, is_causal=True)  # (B, H, T, D / H)
        inputs = inputs + self.mix(attended.transpose(1, 2).flatten(2))
        return inputs + self.down(functional.relu(self.up(self.norm_2(inputs))))


class Transformer(nn.Module):
    def __init__(self, num_kinds: int, *, length: int, width: int, num_heads: int, num_blocks: int) -> None:
        super().__init__()
        self.character = nn.Embedding(num_kinds, width)
        self.place = nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(Block(width, num_heads) for _ in range(num_blocks)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, num_kinds)
        for embedding in (self.character, self.place):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, characters: Tensor) -> Tensor:  # (B, T)
        places = torch.arange(characters.shape[1], device=characters.device)
        return self.head(self.norm(self.blocks(self.character(characters) + self.place(places))))  # (B, T, kinds)


model_of = Transformer


def tensors(windows: NDArray) -> tuple[Tensor]:  # (N, T + 1)
    return (torch.from_numpy(windows),)


def score(model: nn.Module, batch: tuple[Tensor]) -> Tensor:
    """Nats a character of each window, (B,)."""
    (windows,) = batch
    guesses = model(windows[:, :-1])
    return functional.cross_entropy(guesses.transpose(1, 2), windows[:, 1:], reduction="none").mean(dim=1)


def loss(model: nn.Module, batch: tuple[Tensor]) -> Tensor:
    return score(model, batch).mean()
