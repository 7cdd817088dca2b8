"""Optimizers in TensorFlow: over a replica's flat variable by the harness' formulas, elsewhere by Keras' classes.

SGD is TensorFlow's own operation `ResourceApplyMomentum`, v ← μ v + g, w ← w − η v, wherever it steps by itself: Keras'
SGD keeps η inside v, which makes another experiment of a rate that changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import keras
import tensorflow as tf

from harness.backends.tensorflow_program import Tensor
from harness.optimizers.clipping import clipped
from harness.optimizers.optimizer import Hyperparameters, Optimizer
from harness.optimizers.sgd import SGD
from harness.registry import OPTIMIZERS
from harness.suite.cell import Cell
from harness.workloads.own import WorkloadError


class VariablesOptimizer(Protocol):
    """An optimizer of these variables. What it does can stand in a compiled function."""

    averages: bool  # the replicas' gradients under a strategy of TensorFlow's; otherwise it wants them averaged

    def descend(self, gradients: Sequence[Tensor], learning_rate: Tensor) -> None: ...

    def forget(self) -> None:
        """As if it had seen nothing."""
        ...

    def state(self) -> Sequence[Any]:
        """The variables that it keeps."""
        ...


class FlatVariableOptimizer(VariablesOptimizer, Protocol):
    """Of one flat variable."""

    def update(self, gradient: Tensor, learning_rate: Tensor) -> Tensor:
        """Δ; the variable stays as it is."""
        ...


def formula_of(cell: Cell) -> Optimizer[Any]:
    """The harness' own optimizer that the cell names."""
    hyperparameters = Hyperparameters(momentum=cell.momentum, weight_decay=cell.weight_decay)
    return OPTIMIZERS[cell.optimizer](cell.optimizer_options, hyperparameters)


def flat_optimizer(cell: Cell, own: Callable[[], Any] | None, variable: Any) -> FlatVariableOptimizer:
    if cell.optimizer == "own":
        return _KerasFlat(_made_by(own), variable)
    formula = formula_of(cell)
    return _Momentum(formula, cell.momentum, [variable]) if type(formula) is SGD else _Formula(formula, variable)


def native_optimizer(cell: Cell, own: Callable[[], Any] | None, variables: Sequence[Any]) -> VariablesOptimizer:
    """As a TensorFlow user takes them."""
    if cell.optimizer == "own":
        return _KerasClass(_made_by(own), variables)
    formula = formula_of(cell)
    if type(formula) is SGD:
        return _Momentum(formula, cell.momentum, variables)
    optimizer = getattr(keras.optimizers, formula.keras_class)(learning_rate=1.0, **formula.keras_arguments())
    return _KerasClass(optimizer, variables, formula)


def native_optimizer_note(cell: Cell) -> str | None:
    """Where native steps compute something else than the formula; None if nowhere."""
    if cell.optimizer == "own" or type(formula_of(cell)) is SGD:
        return None
    return formula_of(cell).keras_differs


def clipped_by(clip_norm: float | None, gradients: Sequence[Tensor]) -> Sequence[Tensor]:
    """Of all together, at this norm at most."""
    if clip_norm is None:
        return gradients
    norm = tf.linalg.global_norm(gradients)
    return [clipped(gradient, clip_norm, norm) for gradient in gradients]


class _Momentum:
    """w ← w − η v, v ← μ v + g + λ w."""

    averages = False

    def __init__(self, formula: SGD, momentum: float, variables: Sequence[Any]) -> None:
        self._formula, self._momentum, self._variables = formula, momentum, variables
        self._velocities = [tf.Variable(tf.zeros_like(variable), trainable=False) for variable in variables]

    def descend(self, gradients: Sequence[Tensor], learning_rate: Tensor) -> None:
        for variable, velocity, gradient in zip(self._variables, self._velocities, gradients, strict=True):
            penalised = self._formula.with_penalty(gradient, variable)
            apply_momentum(variable, velocity, penalised, learning_rate, self._momentum)

    def update(self, gradient: Tensor, learning_rate: Tensor) -> Tensor:
        (variable,), (velocity,) = self._variables, self._velocities
        penalised = self._formula.with_penalty(gradient, variable)
        return velocity.assign(self._momentum * velocity + penalised, read_value=True) * -learning_rate

    def forget(self) -> None:
        for velocity in self._velocities:
            velocity.assign(tf.zeros_like(velocity))

    def state(self) -> Sequence[Any]:
        return self._velocities


class _Formula:
    """The harness' formula, its slots as variables."""

    averages = False

    def __init__(self, formula: Optimizer[Any], variable: Any) -> None:
        self._formula, self._variable = formula, variable
        self._slots = [tf.Variable(slot) for slot in formula.initial_slots(tf.zeros_like(variable))]
        self._step = tf.Variable(0.0)

    def descend(self, gradients: Sequence[Tensor], learning_rate: Tensor) -> None:
        (gradient,) = gradients
        self._variable.assign_add(self.update(gradient, learning_rate))

    def update(self, gradient: Tensor, learning_rate: Tensor) -> Tensor:
        slots = [slot.read_value() for slot in self._slots]
        weights, step = self._variable.read_value(), self._step.read_value()
        delta, new_slots = self._formula.update(gradient, weights, slots, learning_rate, step)
        for slot, value in zip(self._slots, new_slots, strict=True):
            slot.assign(value)
        self._step.assign_add(1.0)
        return delta

    def forget(self) -> None:
        for slot, value in zip(self._slots, self._formula.initial_slots(tf.zeros_like(self._variable)), strict=True):
            slot.assign(value)
        self._step.assign(0.0)

    def state(self) -> Sequence[Any]:
        return [*self._slots, self._step]


class _KerasClass:
    """A Keras optimizer; decay that is a penalty goes through the gradients, for Keras has none such."""

    averages = True

    def __init__(self, optimizer: Any, variables: Sequence[Any], formula: Optimizer[Any] | None = None) -> None:
        self._optimizer, self._variables, self._formula = optimizer, variables, formula
        optimizer.build(variables)
        self._initial = [variable.numpy() for variable in optimizer.variables]

    def descend(self, gradients: Sequence[Tensor], learning_rate: Tensor) -> None:
        if self._formula is not None:
            pairs = zip(gradients, self._variables, strict=True)
            gradients = [self._formula.with_penalty(gradient, variable) for gradient, variable in pairs]
        num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if num_replicas > 1:  # over which Keras sums
            gradients = [gradient / num_replicas for gradient in gradients]
        self._optimizer.learning_rate = learning_rate
        self._optimizer.apply(gradients, self._variables)

    def forget(self) -> None:
        for variable, value in zip(self._optimizer.variables, self._initial, strict=True):
            variable.assign(value)

    def state(self) -> Sequence[Any]:
        return [variable.value for variable in self._optimizer.variables]


class _KerasFlat(_KerasClass):
    """A user's own over the flat variable; Δ is the difference that it makes."""

    def __init__(self, optimizer: Any, variable: Any) -> None:
        super().__init__(optimizer, [variable])
        self._variable = variable

    def update(self, gradient: Tensor, learning_rate: Tensor) -> Tensor:
        before = tf.identity(self._variable.read_value())
        self.descend([gradient], learning_rate)
        delta = self._variable.read_value() - before
        self._variable.assign(before)
        return delta


def apply_momentum(variable: Any, velocity: Any, gradient: Tensor, learning_rate: Tensor, momentum: Any) -> None:
    """velocity ← momentum · velocity + gradient;  variable ← variable − learning_rate · velocity."""
    tf.raw_ops.ResourceApplyMomentum(
        var=variable.handle, accum=velocity.handle, lr=learning_rate, grad=gradient, momentum=momentum
    )


def _made_by(make: Callable[[], Any] | None) -> Any:
    """The workload's own optimizer. Raises WorkloadError where it is none, or one that the cell cannot steer."""
    if make is None:
        raise WorkloadError("optimizer: the workload makes none of its own; wanted: a function that returns one")
    optimizer = make()
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise WorkloadError(f"optimizer: made {type(optimizer).__name__}; wanted: a keras.optimizers.Optimizer")
    if not isinstance(optimizer.get_config()["learning_rate"], float):
        raise WorkloadError(
            "optimizer: has a schedule of its own; wanted: a number as its rate, and the cell's schedule"
        )
    return optimizer
