"""Lock-free updates of shared weights, in two ways: the harness' own and PyTorch's users'.

Every worker, on its own: x ← read(w), torn or not;  w ← w + Δ,  Δ = −η v,  v ← μ v + g(x) + λ x

in place and without a lock, so that concurrent updates may overwrite each other. v is the worker's own.

    hogwild          x is a copy, made in one pass before the gradient, and Δ is added in one pass after it: the same
                     in every framework, and on the code path of all strategies that are not a library's own
    torch-hogwild    x is w itself, which may change while the gradient is computed: parameters in shared memory, and
                     in each process an optimizer of PyTorch's over them

Source: Niu et al., "Hogwild!" (arXiv 1106.5730), Algorithm 1, with every coordinate in each update;
https://docs.pytorch.org/docs/stable/notes/multiprocessing.html, "Hogwild", whose example has every process train all
epochs, where here they share them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from harness.protocols import (
    SHARED,
    TORCH_SHARED,
    EvaluatedModel,
    GradientAveraging,
    Loss,
    NativeFabric,
    Plan,
    Replica,
    SharedFabric,
    StrategyOptions,
    Vector,
)


class Hogwild:
    """Reads a copy, then adds in place."""

    Options: ClassVar[type[StrategyOptions]] = StrategyOptions
    needs: ClassVar = SHARED
    evaluated: ClassVar = EvaluatedModel.SHARED

    def __init__(self, options: StrategyOptions, plan: Plan) -> None: ...

    def setup(self, replica: Replica, fabric: SharedFabric) -> None:
        fabric.broadcast(replica.weights())  # rank 0's become the shared ones

    def step(self, replica: Replica, fabric: SharedFabric, batch: Any) -> Loss:
        replica.set_weights(fabric.live())
        gradient, loss = replica.gradient(batch)
        fabric.add(replica.update(gradient))
        return loss

    def finish(self, replica: Replica, fabric: SharedFabric) -> None: ...

    def snapshot(self, replica: Replica, fabric: SharedFabric) -> Vector:
        return fabric.read()


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
