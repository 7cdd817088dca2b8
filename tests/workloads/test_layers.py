"""Parameter counts and shapes, against what the papers and reference implementations have."""

from __future__ import annotations

import pytest

from harness.workloads.layers import (
    LSTM,
    Attention,
    Conv,
    Dense,
    Embedding,
    Factors,
    GroupNorm,
    Interactions,
    LayerNorm,
    MaxPool,
    Positions,
    ReLU,
    Residual,
    Rows,
    num_layers_of,
    output_shape,
    parameters_of,
)
from harness.workloads.shipped import MODELS, takes_inputs_of
from harness.workloads.task import ACT, CLASSIFY, CONTINUE, RATE

DIGITS, FASHION, IMAGENET = (1, 8, 8), (1, 28, 28), (3, 224, 224)


@pytest.mark.parametrize(
    ("model", "shape", "num_classes", "count"),
    [
        ("fnn", DIGITS, 10, 64 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10),
        ("fnn", FASHION, 10, 784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10),
        ("cnn", DIGITS, 10, 9 * 32 + 32 + 9 * 32 * 64 + 64 + 256 * 128 + 128 + 1290),
        ("cnn", FASHION, 10, 9 * 32 + 32 + 9 * 32 * 64 + 64 + 3136 * 128 + 128 + 1290),
        ("rnn", DIGITS, 10, 512 * 8 + 512 * 128 + 512 + 1290),
        ("rnn", FASHION, 10, 512 * 28 + 512 * 128 + 512 + 1290),
        ("resnet18", IMAGENET, 1000, 11_689_512),  # He et al., as torchvision counts it
        ("vgg16", IMAGENET, 1000, 138_357_544),  # Simonyan and Zisserman, configuration D
    ],
)
def test_number_of_parameters(model: str, shape: tuple[int, int, int], num_classes: int, count: int) -> None:
    layers = MODELS[model].layers(num_classes)
    assert sum(parameter.size for parameter in parameters_of(layers, shape)) == count
    assert output_shape(layers, shape) == (num_classes,)


@pytest.mark.parametrize("model", sorted(MODELS))
def test_names_of_parameters_are_unique(model: str) -> None:
    shape = {CLASSIFY: (3, 32, 32), RATE: (2,), CONTINUE: (64,), ACT: (4,)}[MODELS[model].task]
    names = [parameter.name for parameter in parameters_of(MODELS[model].layers(10), shape)]
    assert len(set(names)) == len(names)


def test_names_say_where_a_parameter_is() -> None:
    block = Residual(body=(Conv(filters=4),), shortcut=(Conv(filters=4, kernel=1, bias=False),))
    names = [parameter.name for parameter in parameters_of((ReLU(), block), (2, 8, 8))]
    assert names == ["1.body.0.kernel", "1.body.0.bias", "1.shortcut.0.kernel"]


@pytest.mark.parametrize(
    ("layer", "shape", "output"),
    [
        (Conv(filters=5), (3, 8, 7), (5, 8, 7)),
        (Conv(filters=5, kernel=7, stride=2), (3, 224, 224), (5, 112, 112)),
        (Conv(filters=5, kernel=1, stride=2), (3, 7, 7), (5, 4, 4)),
        (MaxPool(), (3, 7, 8), (3, 3, 4)),
        (MaxPool(size=3, stride=2, padding=1), (3, 112, 112), (3, 56, 56)),
        (Rows(), (3, 8, 7), (8, 21)),
        (LSTM(units=6), (8, 21), (6,)),
        (GroupNorm(), (64, 4, 4), (64, 4, 4)),
        (Embedding(rows=9, units=3, deviation=0.1), (2,), (2, 3)),
        (Factors(penalty=0.5), (2, 3), (2,)),
        (Dense(units=4), (5, 3), (5, 4)),
        (LSTM(units=6, sequences=True), (8, 21), (8, 6)),
        (Attention(heads=2), (5, 4), (5, 4)),
        (LayerNorm(), (5, 4), (5, 4)),
        (Positions(deviation=0.1), (5, 4), (5, 4)),
        (Interactions(), (2, 3), (9,)),
    ],
)
def test_output_shape(layer: object, shape: tuple[int, ...], output: tuple[int, ...]) -> None:
    assert layer.output(shape) == output  # type: ignore[attr-defined]


def test_lstm_has_one_bias_a_gate() -> None:
    shapes = {parameter.name: parameter.shape for parameter in LSTM(units=6).parameters((8, 21))}
    assert shapes == {"kernel": (24, 21), "recurrent": (24, 6), "bias": (24,)}


def test_decoder_has_the_parameters_of_its_parts() -> None:
    """Two tables; two blocks of two norms, attention (4 D² + 4 D) and an FNN of four times the width; norm and head."""
    layers = MODELS["lm-transformer"].layers(75)
    block = 2 * 128 + 4 * 64 * 64 + 4 * 64 + 2 * 4 * 64 * 64 + 4 * 64 + 64
    count = 75 * 64 + 64 * 64 + 2 * block + 128 + 65 * 75
    assert sum(parameter.size for parameter in parameters_of(layers, (64,))) == count == 113_867
    assert output_shape(layers, (64,)) == (64, 75)
    assert num_layers_of(parameters_of(layers, (64,))) == 2 + 2 * (1 + 2 + 1 + 2) + 2


def test_fans_are_those_of_the_kernel() -> None:
    kernel, _ = Conv(filters=5, kernel=3).parameters((2, 8, 8))
    assert (kernel.fan_in, kernel.fan_out) == (18, 45)
    kernel, _ = Dense(units=7).parameters((11,))
    assert (kernel.fan_in, kernel.fan_out) == (11, 7)


def test_image_too_small_for_a_model_is_seen() -> None:
    models = {name for name, architecture in MODELS.items() if architecture.task is CLASSIFY}
    assert {name for name in models if takes_inputs_of(name, DIGITS)} == models - {"vgg16"}
    assert not takes_inputs_of("vgg16", (3, 31, 31))
    assert takes_inputs_of("vgg16", (3, 32, 32))
