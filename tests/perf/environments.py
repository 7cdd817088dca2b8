"""Environments alone: the frames that eight of them step in a second."""

from __future__ import annotations

import numpy as np

from harness.timing.stopwatch import Stopwatch
from harness.workloads.cartpole import CartPole
from tests.perf.figure import Figure

FEWEST_FRAMES_PER_S = 150_000.0
NUM_ENVIRONMENTS, NUM_FRAMES, NUM_SERIES = 8, 2000, 7


def figures() -> list[Figure]:
    environment = CartPole()
    draws = np.random.default_rng(0)
    start = np.stack([environment.start(draws) for _ in range(NUM_ENVIRONMENTS)])
    actions = draws.integers(2, size=NUM_ENVIRONMENTS)
    rates = []
    for _ in range(NUM_SERIES):
        watch, states = Stopwatch(), start
        for _ in range(NUM_FRAMES):
            states, _, fallen = environment.moved(states, actions)
            states[fallen] = start[fallen]
        rates.append(NUM_FRAMES * NUM_ENVIRONMENTS / watch.elapsed_s())
    what = f"cartpole, {NUM_ENVIRONMENTS} environments stepped alone, frames/s"
    return [Figure(what=what, values=tuple(rates), bar=FEWEST_FRAMES_PER_S)]
