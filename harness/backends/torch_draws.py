"""What a user's code draws from, whichever library it asks: PyTorch's, NumPy's and Python's global generators."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_of(*numbers: int) -> int:
    """One seed of several, far from those of their neighbours."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def restart_draws(seed: int) -> None:
    """What is drawn from now on, the seed alone decides."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


@contextmanager
def draws_aside(seed: int, device: torch.device) -> Iterator[None]:
    """Draws inside are those of the seed, and leave no trace on those that follow."""
    of_numpy, of_python = np.random.get_state(), random.getstate()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        restart_draws(seed)
        try:
            yield
        finally:
            np.random.set_state(of_numpy)
            random.setstate(of_python)
