"""Training data that a worker makes itself, by acting in environments with the weights that it trains with.

A step's batch is no array but a number, of the worker's environments: what they answer depends on the weights, and
which weights those are the strategy says: Hogwild's are read when the step begins, an allreduce's are everybody's. So
the loss plays first, and then says what of it should have gone another way. Each environment goes on where the last
step has left it, and begins anew where an episode ends.

    R_t = r_t + γ R_{t+1},  R_n = V(s_n);   R_{t+1} is 0 behind an end, V of the last state where time was up

A cut at the time limit is no end: what would have followed is still worth something.

    n → steps, γ → discount, V → the last of the model's outputs, before it what its policy is made of

Source: Mnih et al., "Asynchronous methods for deep reinforcement learning" (arXiv 1602.01783), Algorithm S3; time
limits: Pardo et al. (arXiv 1712.00378).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.workloads.data import Split
from harness.workloads.policies import Policy

Model = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # of observations (E, O), outputs (E, policy's + 1)
ENVIRONMENTS_STREAM = 1  # beside initial weights and orders of samples, which are drawn from (seed, number)
NUM_STARTS = 100


class Environment(Protocol):
    """The rules, over many states at once, (E, S)."""

    num_observed: int
    most_frames: int  # of an episode

    @property
    def policy(self) -> Policy: ...

    def start(self, draws: np.random.Generator) -> NDArray[np.float64]:
        """A state, (S,)."""
        ...

    def observed(self, states: NDArray[np.float64]) -> NDArray[np.float32]:
        """What the model sees of them, (E, O)."""
        ...

    def moved(
        self, states: NDArray[np.float64], actions: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """The states after a frame, what it was worth, and whether the episode is over."""
        ...


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """What the environments of a worker have answered: n frames of each, one frame of all after another."""

    observations: NDArray[np.float32]  # (n·E, O)
    actions: NDArray[Any]  # (n·E, ...)
    returns: NDArray[np.float32]  # (n·E,)


@dataclass(frozen=True, kw_only=True)
class ActingObjective:
    """What is made small: the mean over frames of −log π(a|s) A − β H(π(s)) + c A², A = R − V(s), fixed in the first
    term."""

    entropy: float  # β
    value: float  # c


class Experience:
    """What is in the place of a data set where workers act, and a workload's `train`. One a worker."""

    num_samples = None  # in an epoch: there are none

    def __init__(
        self,
        environment: Environment,
        *,
        steps: int,
        discount: float,
        entropy: float,
        value: float,
        reward_scale: float = 1.0,
    ) -> None:
        """entropy, value: weights in the objective; reward_scale: what a reward is multiplied by to learn from it."""
        self.environment, self.objective = environment, ActingObjective(entropy=entropy, value=value)
        self.num_categories, self.input_shape = environment.policy.num_outputs, (environment.num_observed,)
        self.test = _starts_of(environment)
        self._steps, self._discount, self._reward_scale = steps, discount, reward_scale
        self._opened: list[_Actors] = []

    def open(self, *, rank: int, batch_size: int, seed: int) -> int:
        """Environments of a worker, all at a start; gives their number. Each draws the same whoever's it is."""
        count = batch_size // self._steps
        self._opened.append(_Actors(self.environment, seed=seed, first=rank * count, count=count))
        return len(self._opened) - 1

    def play(self, number: int, model: Model) -> Rollout:
        """The next frames of these environments, a batch of them."""
        return self._opened[number].play(model, self._steps, self._discount, self._reward_scale)

    def judge(self, model: Model, starts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """An episode from each start, by actions drawn as in training; the draws are the same each time.

        Gives the square of how far the critic was off at the start, and the return, without discount, each (N,). (By
        the likeliest action alone, weights that know next to nothing may happen to balance for a whole episode.)
        """
        environment, states = self.environment, starts
        draws = np.random.default_rng(NUM_STARTS)
        running = np.arange(len(starts))
        returns, discounted = np.zeros(len(starts)), np.zeros(len(starts))
        expected = _values(model(environment.observed(starts)))
        for frame in range(environment.most_frames):
            outputs = model(environment.observed(states))[:, :-1]
            noise = environment.policy.noise(draws, len(starts))[running]  # whoever else is over by now
            states, rewards, ended = environment.moved(states, environment.policy.drawn(outputs, noise))
            returns[running] += rewards
            discounted[running] += self._discount**frame * self._reward_scale * rewards
            states, running = states[~ended], running[~ended]
            if not len(running):
                break
        return np.square(expected - discounted), returns


class PlayedBatches:
    """A worker's environments as what a step takes. Implements harness.protocols.Batches."""

    def __init__(self, batch: Any) -> None:
        """batch: their number, as the framework wants it."""
        self._batch = batch

    def at(self, step: int) -> Any:
        return self._batch

    def close(self) -> None: ...


class _Actors:
    """Environments, each with random numbers of its own: which worker has it changes nothing of what it plays."""

    def __init__(self, environment: Environment, *, seed: int, first: int, count: int) -> None:
        self._environment = environment
        self._draws = [np.random.default_rng([seed, first + index, ENVIRONMENTS_STREAM]) for index in range(count)]
        self._states = np.stack([environment.start(draws) for draws in self._draws])
        self._ages = np.zeros(count, np.int64)  # frames of the episode

    def play(self, model: Model, num_steps: int, discount: float, reward_scale: float) -> Rollout:
        policy = self._environment.policy
        noise = np.stack([policy.noise(each, num_steps) for each in self._draws], axis=1)  # (n, E, ...)
        frames = [self._frame(model, of_frame) for of_frame in noise]
        observations, actions, rewards, ended, worth_after = (np.stack(column) for column in zip(*frames, strict=True))
        last = _values(model(self._environment.observed(self._states)))
        returns = n_step_returns(reward_scale * rewards, ended, worth_after, last, discount)
        return Rollout(
            observations=observations.reshape(-1, observations.shape[-1]),
            actions=actions.reshape(-1, *actions.shape[2:]),
            returns=returns.astype(np.float32).ravel(),
        )

    def _frame(self, model: Model, noise: NDArray[np.float64]) -> tuple[NDArray[Any], ...]:
        """What was seen, done and got in a frame, whether the episode ended by it, and what that state was worth."""
        environment = self._environment
        observations = environment.observed(self._states)
        actions = environment.policy.drawn(model(observations)[:, :-1], noise)
        self._states, rewards, fallen = environment.moved(self._states, actions)
        self._ages += 1
        ended = fallen | (self._ages == environment.most_frames)
        worth_after = np.zeros(len(ended))
        if ended.any():
            cut = ended & ~fallen
            if cut.any():
                worth_after[cut] = _values(model(environment.observed(self._states[cut])))
            self._start_anew(np.flatnonzero(ended))
        return observations, actions, rewards, ended, worth_after

    def _start_anew(self, which: NDArray[np.int64]) -> None:
        for index in which:
            self._states[index] = self._environment.start(self._draws[index])
        self._ages[which] = 0


def n_step_returns(
    rewards: NDArray[np.float64],
    ended: NDArray[np.bool_],
    worth_after: NDArray[np.float64],
    last: NDArray[np.float64],
    discount: float,
) -> NDArray[np.float64]:
    """R of each frame, (n, E). worth_after: of the state in which an episode ended; last: of those behind all."""
    returns = np.empty_like(rewards)
    following = last
    for step in reversed(range(len(rewards))):
        following = rewards[step] + discount * np.where(ended[step], worth_after[step], following)
        returns[step] = following
    return returns


def _starts_of(environment: Environment) -> Split:
    """From which a model is judged: the same for every cell. Nothing is asked of them but to act."""
    draws = np.random.default_rng(0)
    starts = np.stack([environment.start(draws) for _ in range(NUM_STARTS)])
    return Split(inputs=starts, targets=np.zeros(NUM_STARTS, np.float32))


def _values(outputs: NDArray[np.float32]) -> NDArray[np.float64]:
    return outputs[:, -1].astype(np.float64)
