"""Which weights are whose neuron's: the same in both frameworks, refused where a layer is none that is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from harness.backends.torch_neurons import neurons_of
from harness.backends.torch_shipped import shipped_workload
from harness.protocols import Neurons
from harness.suite.cell import Cell
from harness.workloads.data import load_digits
from harness.workloads.layers import num_layers_of, parameters_of
from harness.workloads.own import WorkloadError
from harness.workloads.shipped import MODELS

NUM_NEURONS = {"fnn": 256 + 128 + 10, "cnn": 32 + 64 + 128 + 10, "rnn": 128 + 10}


def shipped(workload: str) -> Neurons:
    cell = Cell.model_validate({"workload": workload, "strategy": "serial"})
    model = shipped_workload(cell, load_digits()).model
    assert isinstance(model, nn.Module)
    return neurons_of(model)


@pytest.mark.parametrize("workload", NUM_NEURONS)
def test_neurons_of_the_shipped_models_are_counted(workload: str) -> None:
    found = shipped(workload)
    assert len(found.layer) == NUM_NEURONS[workload]
    assert np.unique(found.of_weight).tolist() == list(range(NUM_NEURONS[workload]))
    layers = MODELS[workload].layers(10)
    assert found.layer[-1] + 1 == num_layers_of(parameters_of(layers, (1, 8, 8)))


def test_a_neuron_is_a_row_with_its_bias() -> None:
    # 3 × 2 weights, row by row, and 3 biases; then 1 × 3 and 1
    found = neurons_of(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))
    assert found.of_weight.tolist() == [0, 0, 1, 1, 2, 2, 0, 1, 2, 3, 3, 3, 3]
    assert found.layer.tolist() == [0, 0, 0, 1]


def test_layers_are_counted_without_a_number_for_each_weight() -> None:
    """Four thousand million weights, which have no memory either."""
    model = nn.Sequential(nn.Linear(2**16, 2**16, device="meta"), nn.Linear(2**16, 2, device="meta"))
    found = neurons_of(model)
    assert (found.num_layers, len(found.layer)) == (2, 2**16 + 2)


def test_a_unit_of_an_lstm_has_a_row_of_every_gate() -> None:
    # Two units, one feature: 8 × 1, 8 × 2, 8 and 8, gate by gate
    rows = [0, 1] * 4
    assert neurons_of(nn.LSTM(1, 2)).of_weight.tolist() == [*rows, *np.repeat(rows, 2).tolist(), *rows, *rows]
    assert neurons_of(nn.GRU(1, 2, bidirectional=True)).layer.tolist() == [0, 0, 1, 1]


def test_rows_of_an_embedding_and_channels_of_a_norm_are_neurons() -> None:
    found = neurons_of(nn.Sequential(nn.Embedding(2, 2), nn.LayerNorm(2)))
    assert found.of_weight.tolist() == [0, 0, 1, 1, 2, 3, 2, 3]


def test_layer_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(WorkloadError, match=r"in_proj_weight of a MultiheadAttention.*wanted.*Linear.*Embedding, LSTM"):
        neurons_of(nn.MultiheadAttention(4, 2))
    own = nn.Module()
    own.scale = nn.Parameter(torch.ones(1))
    with pytest.raises(WorkloadError, match="parameter scale of a Module"):
        neurons_of(own)


@pytest.mark.parametrize(
    ("layer", "value"),
    [
        (nn.Linear(2, 3), torch.tensor(1.0)),
        (nn.Linear(2, 3), torch.ones(4, 2)),  # as LoRA's, of rank 4
        (nn.BatchNorm1d(3, affine=False), torch.ones(3)),
        (nn.LayerNorm(3), torch.tensor(1.0)),
    ],
)
def test_parameter_of_a_users_own_that_no_neuron_has_is_refused(layer: nn.Module, value: torch.Tensor) -> None:
    layer.own = nn.Parameter(value)
    with pytest.raises(WorkloadError, match=f"parameter own of a {type(layer).__name__}, whose neurons are not known"):
        neurons_of(layer)


def test_parameter_of_a_users_own_with_a_row_for_each_neuron_is_theirs() -> None:
    layer = nn.Linear(1, 3, bias=False)
    layer.scale = nn.Parameter(torch.ones(3, 2))
    assert neurons_of(layer).of_weight.tolist() == [0, 1, 2, 0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("workload", NUM_NEURONS)
def test_neurons_are_the_same_in_tensorflow(workload: str) -> None:
    from harness.backends.tensorflow_shipped import shipped_program

    cell = Cell.model_validate({"workload": workload, "strategy": "serial", "framework": "tensorflow"})
    program, torchs = shipped_program(cell, load_digits()), shipped(workload)
    found = program.neurons()
    in_workloads_layout = program.to_workload(found.of_weight.astype(np.float32))
    assert in_workloads_layout.tolist() == torchs.of_weight.tolist()
    assert found.layer.tolist() == torchs.layer.tolist()


def test_neurons_of_a_keras_model() -> None:
    import keras

    from harness.backends.tensorflow_neurons import neurons_of as keras_neurons_of

    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((3,)), layers.Embedding(2, 1), layers.LSTM(2), layers.Dense(1), layers.LayerNormalization()]
    )
    found = keras_neurons_of(model, model.trainable_variables)
    rows = [2, 3] * 4  # (features, 4 · units), (units, 4 · units), (4 · units)
    assert found.of_weight.tolist() == [0, 1, *rows, *rows, *rows, *rows, 4, 4, 4, 5, 5]
    assert found.layer.tolist() == [0, 0, 1, 1, 2, 3]


def test_keras_layer_that_is_not_known_is_refused_with_those_that_are() -> None:
    import keras

    from harness.backends.tensorflow_neurons import neurons_of as keras_neurons_of

    inputs: Any = keras.Input((2, 4))
    model = keras.Model(inputs, keras.layers.MultiHeadAttention(1, 4)(inputs, inputs))
    with pytest.raises(WorkloadError, match=r"of a EinsumDense, whose neurons.*wanted.*Dense.*Embedding, LSTM"):
        keras_neurons_of(model, model.trainable_variables)


def test_keras_variable_that_no_neuron_has_is_refused() -> None:
    import keras

    from harness.backends.tensorflow_neurons import neurons_of as keras_neurons_of

    of_lora, scaled = keras.layers.Dense(3), keras.layers.Dense(3)
    of_norm, of_lstm = keras.layers.LayerNormalization(), keras.layers.LSTM(2)
    with_own = [scaled, of_norm, of_lstm.cell]
    for layer in with_own:
        layer.own = keras.Variable(1.0)
    model = keras.Sequential([keras.Input((2, 2)), of_lora, scaled, of_norm, of_lstm])
    of_lora.enable_lora(4)
    refused = [(layer, layer.own) for layer in with_own] + [(of_lora, of_lora.lora_kernel_a)]
    for owner, variable in refused:
        with pytest.raises(WorkloadError, match=f"of a {type(owner).__name__}, whose neurons are not known"):
            keras_neurons_of(model, [variable])
    known = [each for each in model.trainable_variables if all(each is not variable for _, variable in refused)]
    assert len(keras_neurons_of(model, known).layer) == 3 + 3 + 3 + 2
