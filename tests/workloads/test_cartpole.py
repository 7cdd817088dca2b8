"""CartPole: gymnasium's, frame by frame to the last bit."""

from __future__ import annotations

import gymnasium
import numpy as np

from harness.workloads.cartpole import CartPole

NUM_EPISODES = 20


def test_cartpole_equals_gymnasiums_frame_by_frame() -> None:
    """Episodes of random pushes fall after some 20 frames; in a batch of three, all are the same."""
    theirs, ours = gymnasium.make("CartPole-v1").unwrapped, CartPole()
    actions = np.random.default_rng(0)
    num_frames = 0
    for episode in range(NUM_EPISODES):
        theirs.reset(seed=episode)
        states = np.stack([theirs.state] * 3)
        fallen = False
        while not fallen:
            action = int(actions.integers(2))
            observed, reward, fallen, _, _ = theirs.step(action)
            states, rewards, all_fallen = ours.moved(states, np.full(3, action))
            num_frames += 1
            assert np.array_equal(states, np.stack([theirs.state] * 3))
            assert np.array_equal(ours.observed(states)[1], observed)
            assert (rewards[1], all_fallen.tolist()) == (reward, [fallen] * 3)
    assert num_frames > 10 * NUM_EPISODES


def test_cartpole_says_of_itself_what_gymnasium_says() -> None:
    specified = gymnasium.spec("CartPole-v1")
    assert (specified.max_episode_steps, specified.reward_threshold) == (CartPole.most_frames, 475.0)
    made = gymnasium.make("CartPole-v1")
    assert (made.observation_space.shape, made.action_space.n) == (
        (CartPole.num_observed,),
        CartPole.policy.num_actions,
    )


def test_episode_starts_within_gymnasiums_bounds() -> None:
    starts = np.stack([CartPole().start(np.random.default_rng(seed)) for seed in range(500)])
    assert starts.shape == (500, 4)
    assert 0.049 < np.abs(starts).max() < 0.05
