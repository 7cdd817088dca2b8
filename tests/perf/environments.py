"""Environments alone: how fast eight of them are stepped, and gymnasium's own that steps as many at once."""

from __future__ import annotations

import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv

from harness.workloads.cartpole import CartPole
from tests.perf.alternating import alternate, seconds_of
from tests.perf.figure import Figure

LEAST_OF_GYMNASIUMS = 1.35
NUM_ENVIRONMENTS, NUM_FRAMES, NUM_SERIES = 8, 2000, 7


def figures() -> list[Figure]:
    actions = np.random.default_rng(0).integers(2, size=NUM_ENVIRONMENTS)
    rates = alternate(lambda: _frames_per_s(actions), lambda: _frames_per_s_of_gymnasium(actions), num_pairs=NUM_SERIES)
    what = f"cartpole, {NUM_ENVIRONMENTS} environments stepped alone, frames/s"
    return [
        Figure(what=f"{what}: over gymnasium's", values=rates.ratios, bar=LEAST_OF_GYMNASIUMS),
        Figure(what=what, values=rates.ours, bar=None),
    ]


def _frames_per_s(actions: np.ndarray) -> float:
    environment, draws = CartPole(), np.random.default_rng(0)
    start = np.stack([environment.start(draws) for _ in range(NUM_ENVIRONMENTS)])

    def step() -> None:
        states = start
        for _ in range(NUM_FRAMES):
            states, _, fallen = environment.moved(states, actions)
            states[fallen] = start[fallen]

    return NUM_FRAMES * NUM_ENVIRONMENTS / seconds_of(step)


def _frames_per_s_of_gymnasium(actions: np.ndarray) -> float:
    """It begins again by itself where a pole has fallen."""
    environment = CartPoleVectorEnv(NUM_ENVIRONMENTS)
    environment.reset(seed=0)

    def step() -> None:
        for _ in range(NUM_FRAMES):
            environment.step(actions)

    return NUM_FRAMES * NUM_ENVIRONMENTS / seconds_of(step)
