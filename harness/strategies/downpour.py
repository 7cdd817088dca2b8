"""Downpour SGD: workers push what they have accrued to servers, and fetch the weights of all.

Worker i, step t = 1, 2, …:

    Δ = −η v,  v ← μ v + g(x) + λ x;   a ← a + Δ;   x ← x + Δ
    n_push | t:    push a;  a ← 0          servers: w ← w + a, or another of their rules over a
    n_fetch | t:   x ← w

    n_push → push_every, n_fetch → fetch_every; a → accrued; the servers' rules, momentum and Adagrad among them, are in
    harness/servers/held_weights.py. v, and what another optimizer keeps, is the worker's own: a rule that keeps
    something itself wants workers without momentum (Adagrad at 0.01 on cnn: 99 % without, 86 % with 0.9).

    blocking        a fetch is waited for
    asynchronous    the next step is taken meanwhile, and stays: x ← w + Δ; no push is waited for

Push comes before fetch, and n_push divides n_fetch: a fetch would otherwise forget, for the worker's view, the steps it
has not pushed. With both 1, blocking and the sum it is Hogwild over a network.

Source: Dean et al., "Large Scale Distributed Deep Networks" (NIPS 2012), algorithm 1 of the appendix, whose pseudo-code
fetches before the gradient and pushes after it; both 1 in their experiments, with Adagrad in the servers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from harness.protocols import (
    SERVED,
    EvaluatedModel,
    Loss,
    Pending,
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

DEFAULT_RATES = {"sum": 1.0, "sgd": 1.0, "momentum": 1.0, "adagrad": 0.01}


class DownpourOptions(ServerOptions):
    """server_rate: None stands for the rule's own default, which is 1, for `adagrad` 0.01."""

    push_every: Annotated[int, SearchRange(low=1, high=64, scale="log")] = Field(
        1, ge=1, description="steps whose updates are pushed together (n_push)"
    )
    fetch_every: Annotated[int, SearchRange(low=1, high=1, unit="push_every")] = Field(
        1, ge=1, description="steps between two fetches (n_fetch), a multiple of push_every"
    )
    transfer: Literal["blocking", "asynchronous"] = Field(
        "blocking", description="whether the next step waits for what comes from the servers"
    )
    server_rule: Literal["sum", "sgd", "momentum", "adagrad"] = Field(
        "sum", description="what the servers make of an update"
    )
    server_rate: float | None = Field(
        None, gt=0, description="sgd, momentum: share of an update; adagrad: the rate, in units of the weights (ρ)"
    )
    server_momentum: float = Field(0.9, ge=0, lt=1, description="momentum: the servers' (μ)")

    def first_exchange(self, plan: Plan) -> int:
        return self.push_every

    def caution(self, plan: Plan) -> str | None:
        """Where workers never hear of one another."""
        if plan.num_workers == 1 or self.fetch_every <= plan.num_steps:
            return None
        return (
            f"never fetches: its first fetch is due in step {self.fetch_every}, and a worker takes {plan.num_steps}; "
            "its workers train apart, and only the servers' weights join them"
        )

    @property
    def steps_between_pushes(self) -> int:
        return self.push_every

    @model_validator(mode="after")
    def _check_intervals(self) -> DownpourOptions:
        if self.fetch_every % self.push_every:
            raise ValueError(
                f"push_every: {self.push_every} does not divide fetch_every {self.fetch_every}: a fetch would take "
                "from the worker the steps it has not pushed; allowed: divisors of fetch_every"
            )
        return self

    @model_validator(mode="after")
    def _check_rate(self) -> DownpourOptions:
        if self.server_rule == "sum" and self.server_rate not in (None, 1.0):
            raise ValueError(f"server_rate: {self.server_rate:g} with server_rule sum; allowed: 1, or server_rule sgd")
        return self

    @property
    def rate(self) -> float:
        return DEFAULT_RATES[self.server_rule] if self.server_rate is None else self.server_rate


class Downpour:
    Options: ClassVar[type[StrategyOptions]] = DownpourOptions
    needs: ClassVar = SERVED
    evaluated: ClassVar = EvaluatedModel.SHARED

    def __init__(self, options: DownpourOptions, plan: Plan) -> None:
        self._options = options
        self._waits = options.transfer == "blocking"
        self._num_steps = 0
        self._accrued: Vector | None = None
        self._sent: Sent | None = None
        self._fetched: Pending | None = None

    def setup(self, replica: Replica, fabric: ServedFabric) -> None:
        options = self._options
        rule = ServerRule(
            name=options.server_rule,
            rate=options.rate,
            momentum=options.server_momentum,
            num_parameters=replica.num_parameters,
            began_positive=replica.began_positive,
        )
        self._weights = fabric.serve(replica.weights(), rule)
        replica.set_weights(self._weights)
        self._num_steps, self._accrued, self._sent, self._fetched = 0, None, None, None

    def step(self, replica: Replica, fabric: ServedFabric, batch: Any) -> Loss:
        gradient, loss = replica.gradient(batch)
        delta = replica.update(gradient)
        self._num_steps += 1
        fabric.step_taken()
        self._accrue(delta)
        before = self._fetched
        self._fetched = self._exchange(fabric)
        if self._waits and self._fetched is not None:
            self._weights, self._fetched = self._fetched.wait(), None
        else:
            self._weights = self._weights if before is None else before.wait()
            self._weights += delta
        replica.set_weights(self._weights)
        return loss

    def _accrue(self, delta: Vector) -> None:
        """In place, where a vector is memory: that of the first Δ, which is nobody else's."""
        if self._accrued is None:
            self._accrued = delta
        else:
            self._accrued += delta

    def _exchange(self, fabric: ServedFabric) -> Pending | None:
        """Pushes and fetches where it is time to; gives the fetch."""
        if self._num_steps % self._options.fetch_every == 0:
            return fabric.push_pull(self._taken())
        if self._num_steps % self._options.push_every == 0:
            self._end_push()
            self._sent = fabric.push(self._taken())
            if self._waits:
                self._end_push()
        return None

    def _taken(self) -> Vector:
        """What is accrued, which begins anew."""
        assert self._accrued is not None, "a step comes first"
        accrued, self._accrued = self._accrued, None
        return accrued

    def _end_push(self) -> None:
        if self._sent is not None:
            self._sent.wait()
            self._sent = None

    def rehearse(self, take_step: Callable[[], None]) -> None:
        """A step that pushes, one that fetches too, and the one after it, at which the fetch may arrive."""
        for number in (self._options.push_every, self._options.fetch_every):
            self._num_steps = number - 1
            take_step()
        take_step()

    def finish(self, replica: Replica, fabric: ServedFabric) -> None:
        """Servers get what is not pushed yet; the evaluated model has every step."""
        if self._fetched is not None:
            self._fetched.wait()
            self._fetched = None
        self._end_push()
        if self._accrued is not None:
            fabric.push(self._taken()).wait()

    def snapshot(self, replica: Replica, fabric: ServedFabric) -> Vector:
        return fabric.pull(to_train=False).wait()
