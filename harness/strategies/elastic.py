"""Elastic averaging: each worker has weights of its own, held to those of a centre by a spring.

Worker i, step t = 0, 1, 2, …, the centre x̃ at the servers:

    τ | t:         e = α (x_i − x̃);   x_i ← x_i − e;   x̃ ← x̃ + e
    every step:    x_i ← x_i + Δ,     Δ = −η v,  v ← μ v + g(x_i) + λ x_i,     of x_i before the spring has pulled

    τ → period, α → pull; the paper's β is m·α, 0.9 by default, and so α = 0.9/m. What a worker gives the centre it
    loses itself: Σ x_i + x̃ moves by the gradients alone. x_i is that of now, x̃ may be older: others may have moved
    the centre meanwhile, which staleness counts. A running variance that a late e would take below 0 stays what it was.

    EASGD          any optimizer of the cell; theirs is plain SGD
    EAMSGD         optimizer: nesterov, momentum: 0.99, which is theirs

    blocking       the centre is waited for, before the gradient
    asynchronous   the gradient is computed while the centre is on its way, and no push is waited for

The model that is judged is the centre: an average over workers and time. With α = 0 workers are on their own and the
centre never moves; with α = 1 a worker and the centre change places.

Source: Zhang, Choromanska and LeCun, "Deep learning with Elastic Averaging SGD" (arXiv 1412.6651), algorithms 1 and 2,
which exchange at t = 0 too; τ of 1, 4, 16 and 64 in their experiments.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.protocols import (
    SERVED,
    EvaluatedModel,
    Loss,
    Plan,
    Replica,
    SearchRange,
    Sent,
    ServedFabric,
    ServerOptions,
    ServerRule,
    StrategyOptions,
    Vector,
)

PULL_OF_ALL = 0.9  # β


class ElasticOptions(ServerOptions):
    """pull: None stands for 0.9 over the number of workers."""

    period: Annotated[int, SearchRange(low=1, high=64, scale="log")] = Field(
        10, ge=1, description="steps between two exchanges with the centre (τ)"
    )
    pull: Annotated[float | None, SearchRange(low=0.1, high=1, scale="log", unit="1/workers", unset=PULL_OF_ALL)] = (
        Field(None, ge=0, le=1, description="of the way between worker and centre, each's share (α)")
    )
    transfer: Literal["blocking", "asynchronous"] = Field(
        "asynchronous", description="whether the next step waits for what comes from the servers"
    )

    def first_exchange(self, plan: Plan) -> int:
        return self.period + 1  # before it there is nothing to tell: all start from the centre

    @property
    def steps_between_pushes(self) -> int:
        return self.period


class Elastic:
    Options: ClassVar[type[StrategyOptions]] = ElasticOptions
    needs: ClassVar = SERVED
    evaluated: ClassVar = EvaluatedModel.SHARED
    takes_scaled_rate: ClassVar = True  # the centre goes by the mean of its workers

    def __init__(self, options: ElasticOptions, plan: Plan) -> None:
        self._period, self._waits = options.period, options.transfer == "blocking"
        self._pull = PULL_OF_ALL / plan.num_workers if options.pull is None else options.pull
        self._num_steps = 0
        self._sent: Sent | None = None

    def setup(self, replica: Replica, fabric: ServedFabric) -> None:
        rule = ServerRule(num_parameters=replica.num_parameters, began_positive=replica.began_positive)
        replica.set_weights(fabric.serve(replica.weights(), rule))
        self._num_steps, self._sent = 0, None

    def step(self, replica: Replica, fabric: ServedFabric, batch: Any) -> Loss:
        is_due = self._num_steps % self._period == 0
        self._num_steps += 1
        fabric.step_taken()
        return self._exchanging_step(replica, fabric, batch) if is_due else replica.local_step(batch)

    def _exchanging_step(self, replica: Replica, fabric: ServedFabric, batch: Any) -> Loss:
        pulled = fabric.pull()
        if self._waits:
            centre = pulled.wait()
            gradient, loss = replica.gradient(batch)
        else:
            gradient, loss = replica.gradient(batch)
            centre = pulled.wait()
        elastic = replica.weights()
        elastic -= centre  # in place, where a vector is memory
        elastic *= self._pull
        self._end_push()
        self._sent = fabric.push(elastic)
        if self._waits:
            self._end_push()
        replica.descend(gradient)
        replica.merge_by(_given_away, elastic)
        return loss

    def _end_push(self) -> None:
        if self._sent is not None:
            self._sent.wait()
            self._sent = None

    def finish(self, replica: Replica, fabric: ServedFabric) -> None:
        self._end_push()

    def snapshot(self, replica: Replica, fabric: ServedFabric) -> Vector:
        return fabric.pull(to_train=False).wait()


def _given_away(weights: Vector, elastic: Vector) -> Vector:
    return weights - elastic
