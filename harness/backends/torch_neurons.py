"""Which weights of a module are whose neuron's, by the layers that PyTorch has.

A class of a user's own that is derived from one may have parameters beside those of its base: whose these are is known
where they have a row for each neuron.
"""

from __future__ import annotations

import re

from torch import nn

from harness.backends.neuron_numbering import NeuronNumbering, Numbers
from harness.backends.torch_flat import trainable
from harness.protocols import Neurons
from harness.workloads.own import WorkloadError

_BY_ROW = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding)
_BY_CHANNEL = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.LayerNorm)
_RECURRENT = (nn.LSTM, nn.GRU, nn.RNN)
_OF_A_DIRECTION = re.compile(r"(?:weight|bias)_[ih]h_(l\d+(?:_reverse)?)")
ALLOWED = ", ".join(kind.__name__ for kind in (*_BY_ROW, *_RECURRENT, *_BY_CHANNEL))


def neurons_of(module: nn.Module) -> Neurons:
    """Of its trainable parameters. Raises WorkloadError for one of another layer."""
    numbering = NeuronNumbering()
    for name, parameter in trainable(module):
        owner, _, own_name = name.rpartition(".")
        numbering.add(_numbers(numbering, owner, module.get_submodule(owner), own_name, tuple(parameter.shape)))
    return numbering.numbered()


def _numbers(numbering: NeuronNumbering, owner: str, layer: nn.Module, name: str, shape: tuple[int, ...]) -> Numbers:
    weight = getattr(layer, "weight", None)
    if isinstance(layer, _BY_ROW) and weight is not None and shape[:1] == weight.shape[:1]:
        return numbering.of(owner, shape, num_neurons=shape[0])
    if isinstance(layer, _BY_CHANNEL) and weight is not None and shape == weight.shape:
        return numbering.of(owner, (weight.numel(),), num_neurons=weight.numel())
    if isinstance(layer, _RECURRENT) and (direction := _OF_A_DIRECTION.fullmatch(name)):
        return numbering.of(f"{owner}.{direction[1]}", shape, num_neurons=layer.hidden_size)
    raise WorkloadError(
        f"model: parameter {f'{owner}.{name}' if owner else name} of a {type(layer).__name__}, whose neurons are not "
        f"known; wanted, for strategy neuron-wise: {ALLOWED}"
    )
