"""The models as layers.

Source: ResNet-18, He et al. (arXiv 1512.03385); VGG-16, Simonyan, Zisserman (1409.1556); matrix factorisation, Koren,
Bell and Volinsky (Computer 42, 2009); neural collaborative filtering, He et al. (arXiv 1708.05031), the fusion of
product and FNN over one embedding (equation 11), each hidden layer half as wide as the one before; actor and critic
over one body, Mnih et al. (arXiv 1602.01783, section 4), here of 64 and 64 units.
"""

from __future__ import annotations

from harness.workloads.layers import (
    LSTM,
    Attention,
    Conv,
    Dense,
    Embedding,
    Factors,
    Flatten,
    GlobalAveragePool,
    GroupNorm,
    Interactions,
    Layer,
    LayerNorm,
    MaxPool,
    Positions,
    ReLU,
    Residual,
    Rows,
    Tanh,
)

Layers = tuple[Layer, ...]


def fnn(num_classes: int) -> Layers:
    return Flatten(), Dense(units=256), ReLU(), Dense(units=128), ReLU(), Dense(units=num_classes)


def cnn(num_classes: int) -> Layers:
    return (
        *(Conv(filters=32), ReLU(), MaxPool()),
        *(Conv(filters=64), ReLU(), MaxPool()),
        *(Flatten(), Dense(units=128), ReLU(), Dense(units=num_classes)),
    )


def rnn(num_classes: int) -> Layers:
    return Rows(), LSTM(units=128), Dense(units=num_classes)


def resnet18(num_classes: int) -> Layers:
    """With group norm for batch norm: the same number of parameters, no statistics that workers do not share."""
    blocks = [_basic_block(64, 64, 1), _basic_block(64, 64, 1)]
    for filters in (128, 256, 512):
        blocks += [_basic_block(filters // 2, filters, 2), _basic_block(filters, filters, 1)]
    stem = (
        Conv(filters=64, kernel=7, stride=2, bias=False),
        GroupNorm(),
        ReLU(),
        MaxPool(size=3, stride=2, padding=1),
    )
    return (*stem, *(layer for block in blocks for layer in block), GlobalAveragePool(), Dense(units=num_classes))


def vgg16(num_classes: int) -> Layers:
    """Configuration D, without dropout: its random masks would differ between frameworks."""
    features: list[Layer] = []
    for filters, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            features += [Conv(filters=filters), ReLU()]
        features.append(MaxPool())
    head = (Flatten(), Dense(units=4096), ReLU(), Dense(units=4096), ReLU(), Dense(units=num_classes))
    return *features, *head


def mf(num_rows: int) -> Layers:
    """A row: 16 factors and a bias."""
    return Embedding(rows=num_rows, units=17, deviation=0.1), Factors(penalty=0.05)


def ncf(num_rows: int) -> Layers:
    return (
        *(Embedding(rows=num_rows, units=16, deviation=0.1), Interactions()),
        *(Dense(units=32), ReLU(), Dense(units=16), ReLU(), Dense(units=1)),
    )


def lm_lstm(num_kinds: int) -> Layers:
    return (
        *(Embedding(rows=num_kinds, units=32, deviation=1.0), LSTM(units=128, sequences=True)),
        Dense(units=num_kinds),
    )


def lm_transformer(num_kinds: int) -> Layers:
    """Two blocks of 64 features, normalised before each part (Radford et al., GPT-2), without dropout."""
    blocks = [layer for _ in range(2) for layer in _decoder_block(64)]
    read = (Embedding(rows=num_kinds, units=64, deviation=0.02), Positions(deviation=0.02))
    return (*read, *blocks, LayerNorm(), Dense(units=num_kinds))


def actor_critic(num_outputs: int) -> Layers:
    """One body for both: what the policy is made of, and behind it the value of the state."""
    return (
        *(Dense(units=64), Tanh(), Dense(units=64), Tanh()),
        Dense(units=num_outputs + 1),
    )


def _decoder_block(width: int) -> Layers:
    return (
        Residual(body=(LayerNorm(), Attention(heads=2))),
        Residual(body=(LayerNorm(), Dense(units=4 * width), ReLU(), Dense(units=width))),
    )


def _basic_block(channels: int, filters: int, stride: int) -> Layers:
    body = (
        *(Conv(filters=filters, stride=stride, bias=False), GroupNorm(), ReLU()),
        *(Conv(filters=filters, bias=False), GroupNorm()),
    )
    projected = stride != 1 or channels != filters
    shortcut = (Conv(filters=filters, kernel=1, stride=stride, bias=False), GroupNorm()) if projected else ()
    return Residual(body=body, shortcut=shortcut), ReLU()
