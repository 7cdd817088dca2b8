"""Lock-free updates of shared weights, of some neurons at a time: parts of a network at rates of their own.

Every worker, on its own: x ← read(w);  Δ as in `hogwild`;  w_n ← w_n + Δ_n for the neurons n that are due at its step t

    every    all: `hogwild`
    one      one, drawn anew: "a single neuron at a time"
    share    each with probability q, drawn anew
    own      n mod m = i: each weight has one writer, and goes to the optimum of that worker's data
    paces    t mod k_n = 0, with what has come together since then: a_n ← a_n + Δ_n, of which w_n ← w_n + a_n;  a_n ← 0

A neuron is a dense layer's row with its bias, a filter, a unit of an LSTM, an embedding's row. In all but `paces` what
is not due is dropped; the whole gradient is computed in each. What has come together and is not due when training ends
is in no model, as at any other moment. Weights that are not due get a 0 added, without a lock, too.

q → share, k → paces: one for each layer, or the slowest, with neurons of paces 1, 2, ..., k, 1, ... in turn

Source: asynchronous block coordinate descent, Liu et al., AsySCD (arXiv 1311.1873), with neurons as blocks.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from harness.protocols import (
    SHARED,
    EvaluatedModel,
    Loss,
    Neurons,
    Plan,
    Replica,
    SharedFabric,
    StrategyOptions,
    Vector,
)

MOST_PACE = 1_000_000  # steps: with more a neuron is never written
Pace = Annotated[int, Field(ge=1, le=MOST_PACE)]


class NeuronWiseOptions(StrategyOptions):
    due: Literal["every", "one", "share", "own", "paces"] = Field("paces", description="which neurons at a step")
    share: float = Field(0.25, gt=0, le=1, description="share: of the neurons that are due at a step (q)")
    paces: Pace | Annotated[tuple[Pace, ...], Field(min_length=1)] = Field(
        8, description="paces: steps between two writes (k), of the slowest neurons, or a list, of each layer's"
    )

    @field_validator("paces", mode="before")
    @classmethod
    def _check_paces(cls, given: Any) -> Any:
        paces = given if isinstance(given, list | tuple) else [given]
        if not paces or not all(type(pace) is int and 1 <= pace <= MOST_PACE for pace in paces):  # no bool
            raise ValueError(
                f"{given!r}; allowed: a whole number from 1 to {MOST_PACE:,}, or a list of them, one for each layer"
            )
        return given

    @property
    def by_neurons(self) -> bool:
        return True

    def check_layers(self, num_layers: int) -> None:
        if self.due == "paces" and isinstance(self.paces, tuple) and len(self.paces) != num_layers:
            raise ValueError(
                f"options.paces: {len(self.paces)} for a model of {num_layers} layers; allowed: as many, or one number"
            )


class NeuronWise:
    Options: ClassVar[type[StrategyOptions]] = NeuronWiseOptions
    needs: ClassVar = SHARED
    evaluated: ClassVar = EvaluatedModel.SHARED

    def __init__(self, options: NeuronWiseOptions, plan: Plan) -> None:
        self._options, self._plan = options, plan

    def setup(self, replica: Replica, fabric: SharedFabric) -> None:
        start = fabric.broadcast(replica.weights())  # rank 0's become the shared ones
        self._neurons = replica.neurons()
        self._paces = _paces(self._options, self._neurons)
        self._draws = np.random.default_rng([self._plan.seed, fabric.rank])
        self._mask = np.ones(len(start), np.float32)  # (P,), of what belongs to no neuron too
        self._accrued = start * 0.0
        self._num_steps = 0

    def step(self, replica: Replica, fabric: SharedFabric, batch: Any) -> Loss:
        replica.set_weights(fabric.live())
        gradient, loss = replica.gradient(batch)
        self._num_steps += 1
        fabric.add(self._written(replica, replica.update(gradient), fabric.rank))
        return loss

    def finish(self, replica: Replica, fabric: SharedFabric) -> None: ...

    def snapshot(self, replica: Replica, fabric: SharedFabric) -> Vector:
        return fabric.read()

    def _written(self, replica: Replica, delta: Vector, rank: int) -> Vector:
        """What of Δ, and of what has accrued, goes into the shared weights."""
        if self._options.due == "every":
            return delta
        of_weight = self._neurons.of_weight
        np.take(self._due(rank).astype(np.float32), of_weight, out=self._mask[: len(of_weight)])
        mask = replica.from_numpy(self._mask)
        if self._options.due != "paces":
            return delta * mask
        accrued = self._accrued + delta
        written = accrued * mask
        self._accrued = accrued - written
        return written

    def _due(self, rank: int) -> NDArray[np.bool_]:
        """The neurons that are.  # (num_neurons,)"""
        numbers = np.arange(len(self._neurons.layer))
        due: NDArray[np.bool_]
        match self._options.due:
            case "one":
                due = numbers == self._draws.integers(len(numbers))
            case "share":
                due = self._draws.random(len(numbers)) < self._options.share
            case "own":
                due = numbers % self._plan.num_workers == rank
            case _:
                due = self._num_steps % self._paces == 0
        return due


def _paces(options: NeuronWiseOptions, neurons: Neurons) -> NDArray[np.int64]:
    """Of each neuron, which none has who is due by other rules. Raises ValueError for paces of other layers."""
    if options.due != "paces":
        return np.ones(0, np.int64)
    options.check_layers(neurons.num_layers)
    if isinstance(options.paces, int):
        return 1 + np.arange(len(neurons.layer)) % options.paces
    return np.array(options.paces)[neurons.layer]
