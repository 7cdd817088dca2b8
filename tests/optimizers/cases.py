"""The optimizers that ship, with the settings under which they are tried."""

from __future__ import annotations

from typing import Any

CASES: list[tuple[str, dict[str, Any]]] = [
    ("sgd", {}),
    ("sgd", {"momentum": 0.9}),
    ("nesterov", {}),
    ("nesterov", {"momentum": 0.9}),
    ("adagrad", {}),
    ("adagrad", {"initial_accumulator": 0.1, "epsilon": 1e-3}),
    ("rmsprop", {}),
    ("rmsprop", {"momentum": 0.9, "alpha": 0.9}),
    ("rmsprop", {"centered": True}),
    ("rmsprop", {"momentum": 0.9, "centered": True, "epsilon": 1e-3}),
    ("adam", {}),
    ("adam", {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}),
    ("adamw", {}),
    ("adamw", {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}),
]
WEIGHT_DECAY = 0.05
