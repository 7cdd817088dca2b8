"""Pendulum: a rod on a motor too weak to lift it, which is to be swung up and held upright by torques of -2 to 2.

A state is the rod's angle, 0 where it stands upright, and its speed; seen are cosine, sine and speed. A frame costs
how far off the state before it is, and the torque: θ² + 0.1 θ'² + 0.001 u². After 200 frames an episode is cut off.

Source: constants, the order of operations and the single precision of torques are those of gymnasium's Pendulum-v1
(Towers et al., arXiv 2407.17032), so its states are these to the last bit. Rewards are to a rounding: gymnasium
squares by the C library's pow.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.workloads.policies import Gaussian

GRAVITY, MASS, LENGTH, FRAME_S = 10.0, 1.0, 1.0, 0.05
LARGEST_TORQUE, LARGEST_SPEED = 2.0, 8.0
LARGEST_START = np.array([math.pi, 1.0])
COSTLIEST_FRAME = math.pi**2 + 0.1 * LARGEST_SPEED**2 + 0.001 * LARGEST_TORQUE**2


class Pendulum:
    """Implements harness.workloads.rollouts.Environment."""

    num_observed = 3
    policy = Gaussian(num_dimensions=1)
    most_frames = 200

    def start(self, draws: np.random.Generator) -> NDArray[np.float64]:
        return draws.uniform(-LARGEST_START, LARGEST_START)

    def observed(self, states: NDArray[np.float64]) -> NDArray[np.float32]:
        angle, speed = states.T
        return np.stack([np.cos(angle), np.sin(angle), speed], axis=1, dtype=np.float32)

    def moved(
        self, states: NDArray[np.float64], actions: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        angle, speed = states.T
        torque = np.clip(actions[:, 0], -LARGEST_TORQUE, LARGEST_TORQUE)
        off = (angle + np.pi) % (2 * np.pi) - np.pi
        costs = np.square(off) + 0.1 * np.square(speed) + 0.001 * np.square(torque)
        push = 3 * GRAVITY / (2 * LENGTH) * np.sin(angle) + 3.0 / (MASS * LENGTH**2) * torque
        speed = np.clip(speed + push * FRAME_S, -LARGEST_SPEED, LARGEST_SPEED)
        return np.stack([angle + speed * FRAME_S, speed], axis=1), -costs, np.zeros(len(states), np.bool_)
