"""The two replicas that are compared, with the same weights in both.

Shipped workloads draw them alike. Of a user's code, the torch model's are carried into the Keras model by the
workload's own `from_torch`; so are its gradients, since carrying only permutes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import registry
from harness.backends.triton_first import import_triton
from harness.protocols import Replica
from harness.suite.cell import Cell
from harness.workloads.layers import parameters_of
from harness.workloads.own import WorkloadError
from harness.workloads.shipped import MODELS

FRAMEWORKS = ("torch", "tensorflow")
Flat = NDArray[np.float32]  # (P,)
Shapes = Sequence[tuple[str, tuple[int, ...]]]  # of parameters by name, in a vector's order


@dataclass(frozen=True, kw_only=True)
class Side:
    """One framework's replica."""

    replica: Replica
    to_common: Callable[[Flat], Flat]  # parameters, or their gradients, as both sides have them


def sides_of(cell: Cell) -> tuple[Side, Side, Shapes]:
    """PyTorch's, TensorFlow's, and the parameters as both have them.

    Raises DatasetError, and of a user's code ExtensionError or WorkloadError.
    """
    import_triton()
    for name in FRAMEWORKS:  # before a user's file uses either
        registry.load(registry.PREPARATIONS[name])(num_threads=cell.threads)
    (ours, our_workload), (theirs, their_workload) = (_replica_and_workload(cell, name) for name in FRAMEWORKS)
    if cell.own is None:
        return _alike(ours), _alike(theirs), _shipped_shapes(cell)
    carried, shapes = _carrier(our_workload, their_workload)
    buffers = theirs.to_numpy(theirs.weights())[theirs.num_parameters :]
    start = np.concatenate([carried(_parameters(ours)), buffers])
    theirs.set_weights(theirs.weights() * 0.0 + start)  # whatever its framework, a vector takes an array into a sum
    return Side(replica=ours, to_common=carried), _alike(theirs), shapes


def _alike(replica: Replica) -> Side:
    return Side(replica=replica, to_common=lambda flat: flat)


def _replica_and_workload(cell: Cell, framework: str) -> tuple[Replica, Any]:
    cell = cell.model_copy(update={"framework": framework})
    workload = registry.load(registry.WORKLOADS[framework])(cell)
    return registry.load(registry.REPLICAS[framework])(cell, workload, rank=0, local_rank=0), workload


def _parameters(replica: Replica) -> Flat:
    return replica.to_numpy(replica.weights())[: replica.num_parameters]


def _shipped_shapes(cell: Cell) -> Shapes:
    dataset = cell.load_dataset()
    layers = MODELS[cell.workload].layers(dataset.num_categories)
    return [(parameter.name, parameter.shape) for parameter in parameters_of(layers, dataset.input_shape)]


def _carrier(ours: Any, theirs: Any) -> tuple[Callable[[Flat], Flat], Shapes]:
    """What carries PyTorch's parameters over, and Keras' shapes of them. The replica has built the Keras model."""
    if theirs.from_torch is None:
        raise WorkloadError(
            "from_torch: missing in the KerasWorkload; wanted: a function that gives the Keras model's trainable "
            "variables for the torch model's parameters by name"
        )
    named = [(name, tuple(each.shape)) for name, each in ours.model.named_parameters() if each.requires_grad]
    shapes = [(variable.path, tuple(variable.shape)) for variable in theirs.model.trainable_variables]

    def carried(flat: Flat) -> Flat:
        arrays = [np.asarray(array) for array in theirs.from_torch(_by_name(flat, named))]
        _check_shapes([array.shape for array in arrays], shapes)
        return np.concatenate([array.ravel() for array in arrays])

    return carried, shapes


def _by_name(flat: Flat, shapes: Shapes) -> dict[str, Flat]:
    parts = np.split(flat, np.cumsum([int(np.prod(shape)) for _, shape in shapes])[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes, parts, strict=True)}


def _check_shapes(given: Sequence[tuple[int, ...]], wanted: Shapes) -> None:
    if len(given) != len(wanted):
        raise WorkloadError(
            f"from_torch: gives {len(given)} arrays; wanted: {len(wanted)}, one a trainable variable of the Keras model"
        )
    for shape, (name, right) in zip(given, wanted, strict=True):
        if shape != right:
            raise WorkloadError(f"from_torch: gives shape {shape} for {name}; wanted: {right}")
