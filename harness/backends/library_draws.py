"""What a user's data draw from that is no framework's: NumPy's and Python's global generators."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


def seed_of(*numbers: int) -> int:
    """One seed of several, far from those of their neighbours."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def restart_library_draws(seed: int) -> None:
    """What is drawn from now on, the seed alone decides."""
    np.random.seed(seed % 2**32)
    random.seed(seed)


@contextmanager
def library_draws_aside(seed: int) -> Iterator[None]:
    """Draws inside are those of the seed, and leave no trace on those that follow."""
    of_numpy, of_python = np.random.get_state(), random.getstate()
    restart_library_draws(seed)
    try:
        yield
    finally:
        np.random.set_state(of_numpy)
        random.setstate(of_python)
