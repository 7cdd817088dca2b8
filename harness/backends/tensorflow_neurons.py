"""Which weights of a model are whose neuron's, by the layers that Keras has.

A layer may have variables beside those of its kind, as by LoRA, or where a class of a user's own is derived from it:
whose these are is known where they have an entry for each neuron.
"""

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
_OF_A_NORM = ("gamma", "beta")
_RECURRENT = (_LAYERS.LSTMCell, _LAYERS.GRUCell, _LAYERS.SimpleRNNCell)  # those of LSTM, GRU and SimpleRNN
ALLOWED = ", ".join(
    kind.__name__.removesuffix("Cell") for kind in (*_BY_COLUMN, _LAYERS.Embedding, *_RECURRENT, *_BY_CHANNEL)
)


def neurons_of(model: Any, parameters: Sequence[Any]) -> Neurons:
    """Of these variables of the model. Raises WorkloadError for one of another layer."""
    numbering = NeuronNumbering()
    # The innermost comes last: a model has the variables of its layers as well.
    owners = {id(own): layer for layer in model._flatten_layers() for own in layer.trainable_variables}
    for variable in parameters:
        numbering.add(_numbers(numbering, owners[id(variable)], variable))
    return numbering.numbered()


def _numbers(numbering: NeuronNumbering, layer: Any, variable: Any) -> Numbers:
    shape, name = tuple(variable.shape), str(id(layer))
    if isinstance(layer, _BY_COLUMN) and shape[-1:] == (_num_columns(layer),):
        return numbering.of(name, shape, num_neurons=shape[-1], axis=-1)
    if isinstance(layer, _LAYERS.Embedding) and shape[:1] == (layer.input_dim,):
        return numbering.of(name, shape, num_neurons=shape[0])
    if isinstance(layer, _RECURRENT) and shape and shape[-1] % layer.units == 0:
        return numbering.of(name, shape, num_neurons=layer.units, axis=-1)
    if isinstance(layer, _BY_CHANNEL) and variable.name in _OF_A_NORM:
        size = variable.value.shape.num_elements()
        return numbering.of(name, (size,), num_neurons=size)
    raise WorkloadError(
        f"model: variable {variable.path} of a {type(layer).__name__}, whose neurons are not known; wanted, for "
        f"strategy neuron-wise: {ALLOWED}"
    )


def _num_columns(layer: Any) -> int:
    return int(layer.units if isinstance(layer, _LAYERS.Dense) else layer.filters)
