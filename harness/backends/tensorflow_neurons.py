"""Which weights of a model are whose neuron's, by the layers that Keras has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from harness.backends.neuron_numbering import NeuronNumbering, Numbers
from harness.protocols import Neurons
from harness.workloads.own import WorkloadError

_LAYERS = keras.layers
_BY_COLUMN = (_LAYERS.Dense, _LAYERS.Conv1D, _LAYERS.Conv2D, _LAYERS.Conv3D)
_BY_CHANNEL = (_LAYERS.BatchNormalization, _LAYERS.GroupNormalization, _LAYERS.LayerNormalization)
_RECURRENT = (_LAYERS.LSTMCell, _LAYERS.GRUCell, _LAYERS.SimpleRNNCell)  # those of LSTM, GRU and SimpleRNN
ALLOWED = ", ".join(
    kind.__name__.removesuffix("Cell") for kind in (*_BY_COLUMN, _LAYERS.Embedding, *_RECURRENT, *_BY_CHANNEL)
)


def neurons_of(model: Any, parameters: Sequence[Any]) -> Neurons:
    """Of these variables of the model. Raises WorkloadError for one of another layer."""
    numbering = NeuronNumbering()
    layers = list(model._flatten_layers())
    for variable in parameters:
        # The innermost comes last: a model has the variables of its layers as well.
        owner = [layer for layer in layers if any(variable is own for own in layer.trainable_variables)][-1]
        numbering.add(_numbers(numbering, owner, variable))
    return numbering.numbered()


def _numbers(numbering: NeuronNumbering, layer: Any, variable: Any) -> Numbers:
    shape, name = tuple(variable.shape), str(id(layer))
    if isinstance(layer, _BY_COLUMN):
        return numbering.of(name, shape, num_neurons=shape[-1], axis=-1)
    if isinstance(layer, _LAYERS.Embedding):
        return numbering.of(name, shape, num_neurons=shape[0])
    if isinstance(layer, _RECURRENT):
        return numbering.of(name, shape, num_neurons=layer.units, axis=-1)
    if isinstance(layer, _BY_CHANNEL):
        size = variable.value.shape.num_elements()
        return numbering.of(name, (size,), num_neurons=size)
    raise WorkloadError(
        f"model: variable {variable.path} of a {type(layer).__name__}, whose neurons are not known; wanted, for "
        f"strategy neuron-wise: {ALLOWED}"
    )
