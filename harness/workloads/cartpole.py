"""CartPole: a pole on a cart, which pushes to the left (0) or to the right (1) are to keep upright.

A state is the cart's place and speed, and the pole's angle and its speed. Each frame is worth 1, the one in which the
pole falls or the cart runs off too; after 500 an episode is cut off.

Source: Barto, Sutton and Anderson, "Neuronlike adaptive elements that can solve difficult learning control problems"
(IEEE Transactions on Systems, Man, and Cybernetics 13, 1983). Constants and the order of operations are those of
gymnasium's CartPole-v1 (Towers et al., arXiv 2407.17032), so its states are these to the last bit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from harness.workloads.policies import Categorical

GRAVITY, CART_MASS, POLE_MASS, HALF_LENGTH = 9.8, 1.0, 0.1, 0.5
TOTAL_MASS = POLE_MASS + CART_MASS
POLE_MASS_LENGTH = POLE_MASS * HALF_LENGTH
FORCE, FRAME_S = 10.0, 0.02
FARTHEST_PLACE, LARGEST_ANGLE = 2.4, 12 * 2 * math.pi / 360
LARGEST_START = 0.05


class CartPole:
    """Implements harness.workloads.rollouts.Environment."""

    num_observed = 4
    policy = Categorical(num_actions=2)
    most_frames = 500

    def start(self, draws: np.random.Generator) -> NDArray[np.float64]:
        return draws.uniform(-LARGEST_START, LARGEST_START, size=4)

    def observed(self, states: NDArray[np.float64]) -> NDArray[np.float32]:
        return states.astype(np.float32)

    def moved(
        self, states: NDArray[np.float64], actions: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        _, speed, angle, spin = states.T
        force = np.where(actions == 1, FORCE, -FORCE)
        cosine, sine = np.cos(angle), np.sin(angle)
        push = (force + POLE_MASS_LENGTH * np.square(spin) * sine) / TOTAL_MASS
        spin_change = (GRAVITY * sine - cosine * push) / (
            HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * np.square(cosine) / TOTAL_MASS)
        )
        speed_change = push - POLE_MASS_LENGTH * spin_change * cosine / TOTAL_MASS
        after = states + FRAME_S * np.stack([speed, speed_change, spin, spin_change], axis=1)
        fallen = (np.abs(after[:, 0]) > FARTHEST_PLACE) | (np.abs(after[:, 2]) > LARGEST_ANGLE)
        return after, np.ones(len(after)), fallen
