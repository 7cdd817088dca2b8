"""A stream of made-up data, in PyTorch and in Keras: `hvdbench compare suites/own/stream.py:make`.

A small network learns what a fixed one, its teacher, says of random inputs. Data that cost nothing to make have
neither number nor end: a batch follows from (seed, rank, step), no two workers see the same, and training takes so many
samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.workloads import KerasWorkload, Metric, Stream, TorchWorkload

NUM_INPUTS, WIDTH = 8, 32
ERROR = Metric(name="squared error", better="lower", bounds=(0.0, None))
Arrays = tuple[NDArray[np.float32], NDArray[np.float32]]

_fixed = np.random.default_rng(0)
_HIDDEN = _fixed.standard_normal((NUM_INPUTS, 4)).astype(np.float32)
_OUT = _fixed.standard_normal((4, 1)).astype(np.float32)


def labelled(draws: np.random.Generator, size: int) -> Arrays:  # (B, NUM_INPUTS), (B, 1)
    inputs = draws.standard_normal((size, NUM_INPUTS), dtype=np.float32)
    return inputs, np.tanh(inputs @ _HIDDEN) @ _OUT


def make(framework: str = "torch") -> TorchWorkload | KerasWorkload:
    settings = {
        "train": Stream(lambda at: labelled(at.random, at.batch_size)),
        "samples": 96_000,
        "metric": ERROR,
        "batch_size": 32,
        "learning_rate": 0.05,
        "momentum": 0.9,
        "target": 0.001,
    }
    return in_torch(settings) if framework == "torch" else in_keras(settings)


def in_torch(settings: dict[str, object]) -> TorchWorkload:
    import torch
    from torch import nn

    def errors(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:  # (B,)
        return (model(batch[0]) - batch[1]).square().squeeze(1)

    model = nn.Sequential(nn.Linear(NUM_INPUTS, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1))
    test = tuple(map(torch.from_numpy, labelled(np.random.default_rng(1), 1000)))
    return TorchWorkload(
        model=model, loss=lambda model, batch: errors(model, batch).mean(), score=errors, test=test, **settings
    )


def in_keras(settings: dict[str, object]) -> KerasWorkload:
    import keras
    from keras import layers, ops

    def errors(model: keras.Model, batch: Arrays) -> object:  # (B,)
        return ops.squeeze(ops.square(model(batch[0]) - batch[1]), 1)

    model = keras.Sequential([keras.Input((NUM_INPUTS,)), layers.Dense(WIDTH, activation="tanh"), layers.Dense(1)])
    return KerasWorkload(
        model=model,
        loss=lambda model, batch: ops.mean(errors(model, batch)),
        score=errors,
        test=labelled(np.random.default_rng(1), 1000),
        from_torch=lambda named: [named["0.weight"].T, named["0.bias"], named["2.weight"].T, named["2.bias"]],
        **settings,
    )
