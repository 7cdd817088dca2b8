"""A small decoder-only transformer that learns to write, in PyTorch and in Keras: `workload: transformer.py:make`.

The text is what scikit-learn says of its data sets: it needs no download. A sample is a window of characters, the score
is the cross-entropy of the next character, in nats a character: less is better.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray

from harness.workloads import KerasWorkload, Metric, TorchWorkload

LENGTH, WIDTH, NUM_HEADS, NUM_BLOCKS = 64, 64, 4, 2
NATS = Metric(name="cross-entropy", unit="nats/character", better="lower", bounds=(0.0, None))


def make(framework: str = "torch") -> TorchWorkload | KerasWorkload:
    windows, num_kinds = characters()
    num_test = len(windows) // 20
    settings: dict[str, Any] = {
        "metric": NATS,
        "sample_unit": "window",
        "batch_size": 16,
        "learning_rate": 3e-3,
        "optimizer": {"name": "adamw", "beta2": 0.95},
        "weight_decay": 0.1,
        "epochs": 8,
        "target": 2.5,
    }
    train, test = windows[:-num_test], windows[-num_test:]
    if framework == "torch":
        from transformer_torch import loss, model_of, score, tensors
    else:
        from transformer_keras import from_torch, loss, model_of, score, tensors

        settings["from_torch"] = from_torch
    kind = TorchWorkload if framework == "torch" else KerasWorkload
    model = model_of(num_kinds, length=LENGTH, width=WIDTH, num_heads=NUM_HEADS, num_blocks=NUM_BLOCKS)
    return kind(model=model, loss=loss, score=score, train=tensors(train), test=tensors(test), **settings)


def characters() -> tuple[NDArray[np.int64], int]:
    """Windows (N, LENGTH + 1) of character numbers, half of each shared with the next, and how many kinds there are."""
    folder = Path(sklearn.__file__).parent / "datasets" / "descr"
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.rst")))
    kinds, numbers = np.unique(list(text), return_inverse=True)
    starts = np.arange(0, len(numbers) - LENGTH - 1, LENGTH // 2)
    return numbers[starts[:, None] + np.arange(LENGTH + 1)].astype(np.int64), len(kinds)
