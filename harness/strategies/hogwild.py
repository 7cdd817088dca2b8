"""Lock-free updates of shared weights, in two ways: the harness' own and PyTorch's users'.

Every worker, on its own: x ← read(w), torn or not;  w ← w + Δ,  Δ = −η v,  v ← μ v + g(x) + λ x

in place and without a lock, so that concurrent updates may overwrite each other. v is the worker's own.

    hogwild          x is a copy, made in one pass before the gradient, and Δ is added in one pass after it: the same
                     in every framework, and on the code path of all strategies that are not a library's own
    torch-hogwild    x is w itself, which may change while the gradient is computed: parameters in shared memory, and
                     in each process an optimizer of PyTorch's over them

With `sparse`, x and Δ are the rows of an embedding that the batch uses, and what is no embedding: the paper's own case,
where an update touches few coordinates. λ = μ = 0 then, since both move rows that nobody used.

With `shared_statistics`, what the optimizer keeps is one for all workers, in the same memory: v, of RMSProp the mean
square s, of Adam also the count of steps. The shared RMSProp of A3C, without a lock and with g of an older w:

    s ← s + (s' − s),  s' = α s + (1 − α) g²;   w ← w − η g / (√s' + ε),  theirs √(s' + ε)

s is read when g is there, and changes are added, so that of workers in the same moment all count, where A3C's overwrite
each other's. So no more than 1 / (1 − α) should fall into one, 100 by default, or a mean square could end below 0; of
a velocity, which m of them take to (1 − m (1 − μ)) v, no more than 1 / (1 − μ), 10 with μ = 0.9, or it turns round, and
from twice as many on it grows by itself.

With `lock`, reading and adding exclude one another: no read is torn and no addition lost, and updates are as stale as
without. It is the control that tells what doing without is worth.

Source: Niu et al., "Hogwild!" (arXiv 1106.5730), Algorithm 1; without `sparse`, with every coordinate in each update;
https://docs.pytorch.org/docs/stable/notes/multiprocessing.html, "Hogwild", whose example has every process train all
epochs, where here they share them; shared statistics: Mnih et al. (arXiv 1602.01783), section 4, "Optimization".
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, cast

from pydantic import Field, model_validator

from harness.protocols import (
    SHARED,
    TORCH_SHARED,
    EvaluatedModel,
    GradientAveraging,
    Loss,
    NativeFabric,
    Plan,
    Replica,
    RowFabric,
    RowReplica,
    SharedFabric,
    StrategyOptions,
    Vector,
)


class HogwildOptions(StrategyOptions):
    sparse: bool = Field(
        False, description="read and add only the rows of a table that a batch uses, and what is no table"
    )
    lock: bool = Field(False, description="one worker at a time reads or adds: a control, not Hogwild")
    shared_statistics: bool = Field(
        False, description="what the optimizer keeps (velocity, mean square) is one for all workers, as in A3C"
    )

    @property
    def by_rows(self) -> bool:
        return self.sparse

    @property
    def shares_statistics(self) -> bool:
        return self.shared_statistics

    @model_validator(mode="after")
    def _check_sparse(self) -> HogwildOptions:
        if self.sparse and self.shared_statistics:
            raise ValueError("shared_statistics: true with sparse, whose plain SGD keeps none; allowed: false")
        return self


class Hogwild:
    """Reads a copy, then adds in place."""

    Options: ClassVar[type[StrategyOptions]] = HogwildOptions
    needs: ClassVar = SHARED
    evaluated: ClassVar = EvaluatedModel.SHARED

    def __init__(self, options: HogwildOptions, plan: Plan) -> None:
        self._sparse, self._has_lock = options.sparse, options.lock
        self._shares_statistics = options.shared_statistics

    def setup(self, replica: Replica, fabric: SharedFabric) -> None:
        if self._sparse:
            cast("RowFabric", fabric).share_rows(cast("RowReplica", replica).row_table())
        weights = replica.weights()
        self._num_weights = len(weights)
        shared = replica.joined([weights, replica.statistics()]) if self._shares_statistics else weights
        fabric.broadcast(shared)  # rank 0's become the shared ones

    def step(self, replica: Replica, fabric: SharedFabric, batch: Any) -> Loss:
        if self._sparse:
            return self._step_by_rows(cast("RowReplica", replica), cast("RowFabric", fabric), batch)
        if self._shares_statistics:
            return self._step_by_shared_statistics(replica, fabric, batch)
        with self._turn(fabric):
            replica.set_weights(fabric.live())
        gradient, loss = replica.gradient(batch)
        delta = replica.update(gradient)
        with self._turn(fabric):
            fabric.add(delta)
        return loss

    def finish(self, replica: Replica, fabric: SharedFabric) -> None: ...

    def snapshot(self, replica: Replica, fabric: SharedFabric) -> Vector:
        shared = fabric.read()
        return replica.joined([shared[: self._num_weights]]) if self._shares_statistics else shared

    def _step_by_shared_statistics(self, replica: Replica, fabric: SharedFabric, batch: Any) -> Loss:
        with self._turn(fabric):
            replica.set_weights(fabric.live()[: self._num_weights])
        gradient, loss = replica.gradient(batch)
        with self._turn(fabric):
            replica.set_statistics(fabric.live(to_train=False)[self._num_weights :])
            before = replica.statistics()
            delta = replica.update(gradient)
            fabric.add(replica.joined([delta, replica.statistics() - before]))
        return loss

    def _step_by_rows(self, replica: RowReplica, fabric: RowFabric, batch: Any) -> Loss:
        rows = replica.rows_of(batch)
        with self._turn(fabric):
            used = fabric.read_rows(rows)
        gradient, loss = replica.gradient_at(batch, used)
        change = replica.plain_update(gradient)
        with self._turn(fabric):
            fabric.add_rows(change)
        return loss

    def _turn(self, fabric: SharedFabric) -> AbstractContextManager[None]:
        return fabric.exclusively() if self._has_lock else nullcontext()


class TorchHogwild:
    """Trains in place, as PyTorch's users write it: `model.share_memory()`, and a plain loop in each process."""

    Options: ClassVar[type[StrategyOptions]] = StrategyOptions
    needs: ClassVar = TORCH_SHARED
    evaluated: ClassVar = EvaluatedModel.SHARED

    def __init__(self, options: StrategyOptions, plan: Plan) -> None: ...

    def setup(self, replica: Replica, fabric: NativeFabric[Any, Any]) -> None:
        fabric.broadcast(replica.weights())
        replica.average_gradients_over(fabric, GradientAveraging())  # nothing is averaged: the model moves

    def step(self, replica: Replica, fabric: NativeFabric[Any, Any], batch: Any) -> Loss:
        return replica.native_step(batch)

    def finish(self, replica: Replica, fabric: NativeFabric[Any, Any]) -> None: ...

    def snapshot(self, replica: Replica, fabric: NativeFabric[Any, Any]) -> Vector:
        return replica.weights()
