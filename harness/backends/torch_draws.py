"""What a user's code draws from, whichever library it asks: PyTorch's, NumPy's and Python's global generators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from harness.backends.library_draws import library_draws_aside, restart_library_draws


def restart_draws(seed: int) -> None:
    """What is drawn from now on, the seed alone decides."""
    torch.manual_seed(seed)
    restart_library_draws(seed)


@contextmanager
def draws_aside(seed: int, device: torch.device) -> Iterator[None]:
    """Draws inside are those of the seed, and leave no trace on those that follow."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []), library_draws_aside(seed):
        torch.manual_seed(seed)
        yield
