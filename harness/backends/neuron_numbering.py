"""Numbers for the neurons of a model, layer by layer: for whoever asks which weights are whose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.protocols import Neurons

Numbers = NDArray[np.int32]


class NeuronNumbering:
    """A backend gives its parameters one after another, in the vector's order."""

    def __init__(self) -> None:
        self._first_of_layer: dict[str, int] = {}
        self._layer_of_neuron: list[int] = []
        self._of_parameters: list[Numbers] = []

    def of(self, layer: str, shape: tuple[int, ...], *, num_neurons: int, axis: int = 0) -> Numbers:
        """The neuron of each weight of a parameter of that shape: a view, which takes the room of one axis.

        layer: whose neurons get numbers when its first parameter comes. axis: along which neurons stand, one after
        another, or in several blocks of all, as an LSTM's gates are.
        """
        if layer not in self._first_of_layer:
            self._first_of_layer[layer] = len(self._layer_of_neuron)
            self._layer_of_neuron += [len(self._first_of_layer) - 1] * num_neurons
        along = self._first_of_layer[layer] + np.arange(shape[axis], dtype=np.int32) % num_neurons
        return _spread(along, shape, axis)

    def add(self, numbers: Numbers) -> None:
        """A parameter's, as it lies in the vector."""
        self._of_parameters.append(numbers)

    def numbered(self) -> Neurons:
        return Neurons(of_parameters=self._of_parameters, layer=np.array(self._layer_of_neuron, np.int32))


def _spread(along: Numbers, shape: tuple[int, ...], axis: int) -> Numbers:
    """The numbers of an axis over a whole array of that shape."""
    return np.moveaxis(np.broadcast_to(along, (*np.delete(shape, axis), len(along))), -1, axis)
