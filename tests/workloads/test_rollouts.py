"""Rollouts: what a worker makes by acting, its returns worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.workloads.policies import Categorical
from harness.workloads.rollouts import Experience, PlayedBatches, n_step_returns

HOW = {"steps": 2, "discount": 0.5, "entropy": 0.01, "value": 0.5}


class Countdown:
    """A state is how many frames are left; action 1 wins 1, and 10 in the last one. An episode is of three at most."""

    num_observed, policy, most_frames = 1, Categorical(num_actions=2), 3

    def __init__(self, longest: int) -> None:
        self._longest = longest

    def start(self, draws: np.random.Generator) -> NDArray[np.float64]:
        return draws.integers(self._longest, self._longest + 1, size=1).astype(float)

    def observed(self, states: NDArray[np.float64]) -> NDArray[np.float32]:
        return states.astype(np.float32)

    def moved(
        self, states: NDArray[np.float64], actions: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        left = states - 1
        return left, np.where(left[:, 0] == 0, 10.0, 1.0) * actions, left[:, 0] == 0


def wins(observations: NDArray[np.float32]) -> NDArray[np.float32]:
    """Always action 1; a state is worth 100 for each frame that is left."""
    sure = np.full(len(observations), 99, np.float32)
    return np.stack([-sure, sure, 100 * observations[:, 0]], axis=1)


def by_chance(observations: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.zeros((len(observations), 3), np.float32)


def opened(environment: Countdown, *, batch_size: int = 2, rank: int = 0) -> tuple[Experience, int]:
    experience = Experience(environment, **HOW)
    return experience, experience.open(rank=rank, batch_size=batch_size, seed=7)


def test_returns_of_two_frames_by_hand() -> None:
    """γ = ½: 1 + ½·10 = 6, 1 + ½·6 = 4; behind an end nothing counts, behind a cut what its state was worth, 8."""
    rewards, last = np.ones((2, 3)), np.full(3, 10.0)
    ended = np.array([[False, True, True], [False, False, False]])
    worth_after = np.array([[0.0, 0.0, 8.0], [0.0, 0.0, 0.0]])
    assert n_step_returns(rewards, ended, worth_after, last, 0.5).tolist() == [[4, 1, 5], [6, 6, 6]]


def test_worker_goes_on_where_its_last_rollout_ended() -> None:
    """Of three frames: 3, 2 then 1, and at 3 anew. 1 + ½(1 + ½·100) = 26.5, 51; 10 + 0, then 1 + ½·200."""
    experience, number = opened(Countdown(3))
    first, second = (experience.play(number, wins) for _ in range(2))
    assert (first.observations.ravel().tolist(), first.returns.tolist()) == ([3, 2], [26.5, 51])
    assert (second.observations.ravel().tolist(), second.returns.tolist()) == ([1, 3], [10, 101])
    assert first.actions.tolist() == [1, 1]


def test_cut_at_the_time_limit_is_no_end() -> None:
    """Of nine frames: cut at 6 left, after three; the third is worth 1 + ½·600, and the next episode starts at 9."""
    experience, number = opened(Countdown(9))
    experience.play(number, wins)
    second = experience.play(number, wins)
    assert second.observations.ravel().tolist() == [7, 9]
    assert second.returns.tolist() == [301, 401]


def test_environments_draw_the_same_whichever_worker_has_them() -> None:
    """Two workers of two environments act as one of four; opened again, they begin again."""
    together, number = opened(Countdown(9), batch_size=8)
    actions = together.play(number, by_chance).actions.reshape(2, 4)
    for rank in range(2):
        apart, own = opened(Countdown(9), batch_size=4, rank=rank)
        assert apart.play(own, by_chance).actions.reshape(2, 2).tolist() == actions[:, 2 * rank : 2 * rank + 2].tolist()
    again = together.open(rank=0, batch_size=8, seed=7)
    assert together.play(again, by_chance).actions.tolist() == actions.ravel().tolist()
    assert len(np.unique(actions)) == 2


@pytest.mark.parametrize(("drawn", "expected"), [(0.0, 0), (0.24, 0), (0.26, 2), (0.999, 2)])
def test_action_is_drawn_by_its_softmax(drawn: float, expected: int) -> None:
    """Shares ¼, 0 and ¾."""
    logits = np.log(np.array([[1.0, 1e-30, 3.0]], np.float32))
    assert Categorical(num_actions=3).drawn(logits, np.array([drawn])).tolist() == [expected]


def test_model_is_judged_by_whole_episodes_from_the_same_starts() -> None:
    """1 + 1 + 10 = 12; discounted 1 + ½ + ¼·10 = 4, where the critic says 300."""
    experience, _ = opened(Countdown(3))
    errors, returns = experience.judge(wins, experience.test.inputs)
    assert (set(returns), set(errors), len(returns)) == ({12.0}, {296.0**2}, 100)
    twice = [experience.judge(by_chance, experience.test.inputs)[1] for _ in range(2)]
    assert np.array_equal(*twice)
    assert 4 < twice[0].mean() < 8


def test_every_step_plays_on_in_the_workers_own_environments() -> None:
    batches = PlayedBatches(3)
    assert [batches.at(step) for step in (0, 5, 9)] == [3, 3, 3]
