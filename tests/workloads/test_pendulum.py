"""Pendulum: gymnasium's, frame by frame, its states to the last bit."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from harness.workloads.pendulum import COSTLIEST_FRAME, Pendulum

NUM_EPISODES = 5


def test_pendulum_equals_gymnasiums_frame_by_frame() -> None:
    """Episodes of 200 frames under random torques, one in three beyond what the motor has; in a batch of three."""
    theirs, ours = gymnasium.make("Pendulum-v1").unwrapped, Pendulum()
    draws = np.random.default_rng(0)
    for episode in range(NUM_EPISODES):
        theirs.reset(seed=episode)
        states = np.stack([theirs.state] * 3)
        for _ in range(Pendulum.most_frames):
            torque = draws.uniform(-3, 3, size=1).astype(np.float32)
            observed, reward, fallen, _, _ = theirs.step(torque)
            states, rewards, ended = ours.moved(states, np.stack([torque] * 3))
            assert np.array_equal(states, np.stack([theirs.state] * 3))
            assert np.array_equal(ours.observed(states)[1], observed)
            assert (rewards[1], ended.tolist()) == (pytest.approx(reward, abs=1e-9), [fallen] * 3)


def test_pendulum_says_of_itself_what_gymnasium_says() -> None:
    assert gymnasium.spec("Pendulum-v1").max_episode_steps == Pendulum.most_frames
    made = gymnasium.make("Pendulum-v1")
    assert made.observation_space.shape == (Pendulum.num_observed,)
    assert made.action_space.shape == (Pendulum.policy.num_dimensions,)
    assert pytest.approx(16.2736044) == COSTLIEST_FRAME  # as its documentation says


def test_episode_starts_anywhere_and_slowly() -> None:
    starts = np.stack([Pendulum().start(np.random.default_rng(seed)) for seed in range(500)])
    assert starts.shape == (500, 2)
    assert 3.1 < np.abs(starts[:, 0]).max() < np.pi
    assert 0.99 < np.abs(starts[:, 1]).max() < 1
