"""The workloads there are: models, data sets, and for each pair the settings with which `serial` reaches the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from harness.workloads import data, models
from harness.workloads.data import Dataset, DatasetError


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A model before its weights: its layers, and what a list of models says of it."""

    layers: Callable[[int], models.Layers]  # of the number of classes
    about: str
    synthetic_shape: dict[str, int] = field(default_factory=dict)  # of the synthetic data set, unless the cell says


MODELS = {
    "fnn": Architecture(layers=models.fnn, about="two hidden layers of 256 and 128 units"),
    "cnn": Architecture(
        layers=models.cnn, about="two convolutions of 32 and 64 filters, one hidden layer of 128 units"
    ),
    "rnn": Architecture(layers=models.rnn, about="an LSTM of 128 units that reads the image row by row"),
    "resnet18": Architecture(
        layers=models.resnet18,
        about="ResNet-18 with group norm, for throughput",
        synthetic_shape={"num_samples": 256, "size": 224, "channels": 3, "num_classes": 1000},
    ),
    "vgg16": Architecture(
        layers=models.vgg16,
        about="VGG-16 without dropout, for throughput",
        synthetic_shape={"num_samples": 128, "size": 224, "channels": 3, "num_classes": 1000},
    ),
}

DATASETS = {
    "digits": "1,437 + 360 images of 8×8, shipped with scikit-learn",
    "fashion-mnist": "60,000 + 10,000 images of 28×28",
    "signals": "4,000 + 1,000 generated series of 40 values, after MNIST-1D",
    "synthetic": "seeded noise of any size, for throughput and scale",
}

IMAGE_SHAPES = {
    "digits": (1, 8, 8),
    "signals": (1, 40, 1),
    "fashion-mnist": (1, 28, 28),
}  # (C, H, W); synthetic's are the cell's
NUM_SAMPLES = {"digits": 1437, "signals": 4000, "fashion-mnist": 60_000}  # to train on

_DEFAULT = {"learning_rate": 0.01, "momentum": 0.9, "batch_size": 32, "epochs": 1.0}
_RECIPES: dict[tuple[str, str], dict[str, Any]] = {
    ("fnn", "digits"): {"learning_rate": 0.02, "epochs": 20.0, "target": 0.96},
    ("cnn", "digits"): {
        "learning_rate": 0.01,
        "weight_decay": 1e-3,
        "batch_size": 16,
        "epochs": 15.0,
        "target": 0.98,
    },
    ("rnn", "digits"): {"learning_rate": 0.05, "epochs": 30.0, "target": 0.95},
    ("fnn", "signals"): {"learning_rate": 0.005, "batch_size": 16, "epochs": 24.0, "target": 0.72},
    ("fnn", "fashion-mnist"): {"learning_rate": 0.02, "batch_size": 64, "epochs": 10.0, "target": 0.88},
    ("cnn", "fashion-mnist"): {"learning_rate": 0.02, "batch_size": 64, "epochs": 6.0, "target": 0.905},
    ("rnn", "fashion-mnist"): {"learning_rate": 0.05, "batch_size": 64, "epochs": 6.0, "target": 0.87},
}


def recipe_of(model: str, dataset: str) -> dict[str, Any]:
    """Defaults of a cell's training settings, by the names of its fields."""
    recipe = {**_DEFAULT, **_RECIPES.get((model, dataset), {})}
    if dataset == "synthetic":
        recipe["evaluations"] = 0  # its labels carry no meaning
    return recipe


def takes_images_of(model: str, shape: tuple[int, int, int]) -> bool:
    """Whether something is left of an image of this shape after every layer of the model."""
    left: tuple[int, ...] = shape
    for layer in MODELS[model].layers(2):
        left = layer.output(left)
        if min(left) < 1:
            return False
    return True


def load_dataset(name: str, synthetic: dict[str, int] | None) -> Dataset:
    """Raises DatasetError where it is not at hand."""
    match name:
        case "digits":
            return data.load_digits()
        case "signals":
            return data.load_signals()
        case "fashion-mnist":
            folder = data.find_fashion_mnist()
            if folder is None:
                raise DatasetError(f"fashion-mnist is not on this machine: {data.HOW_TO_GET_FASHION}")
            return data.load_fashion_mnist(folder)
        case "synthetic":
            assert synthetic is not None
            return data.make_synthetic(**synthetic)
    raise AssertionError(name)
