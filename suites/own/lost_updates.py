"""How many additions to shared weights are lost, where workers make them without a lock: counted, in real launches.

Every step adds 2⁻¹⁰ to every weight, whatever its batch. float32 has all sums of that exactly, so what is missing after
the last step was written over by another worker, which had read the weight before. Models are those that ship; they
compute outputs and gradients as ever, times 0, so that two workers meet as seldom as in training. In `adding` nothing
is computed: they meet as often as they can.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from harness.backends.torch_layers import build
from harness.workloads import Metric, TorchWorkload
from harness.workloads.shipped import MODELS

ADDED = 2.0**-10  # by a step, to each weight
NUM_SAMPLES, EPOCHS, BATCH_SIZE = 512, 32, 16
NUM_STEPS = NUM_SAMPLES * EPOCHS // BATCH_SIZE  # of all workers together
LOST = Metric(name="additions lost", unit="share", better="lower", bounds=(0.0, 1.0))
NUM_CLASSES = 10


def fnn() -> TorchWorkload:  # 50,826 weights
    return counted("fnn", size=8)


def rnn() -> TorchWorkload:  # 71,434
    return counted("rnn", size=8)


def cnn() -> TorchWorkload:  # 421,642
    return counted("cnn", size=28)


def adding() -> TorchWorkload:  # as many
    return counted("cnn", size=28, computes=False)


def counted(name: str, *, size: int, computes: bool = True) -> TorchWorkload:
    """The model on images of so many pixels a side."""
    model = build(MODELS[name].layers(NUM_CLASSES), (1, size, size))
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    images, labels = torch.rand(NUM_SAMPLES, 1, size, size), torch.randint(NUM_CLASSES, (NUM_SAMPLES,))
    return TorchWorkload(
        model=model,
        loss=beside_learning if computes else minus_the_sum,
        score=share_lost,
        train=TensorDataset(images, labels),
        test=TensorDataset(images[:1], labels[:1]),
        metric=LOST,
        sample_unit="image",
        batch_size=BATCH_SIZE,
        learning_rate=ADDED,
        epochs=EPOCHS,
    )


def minus_the_sum(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Its gradient is -1 for every weight."""
    return -torch.stack([parameter.sum() for parameter in trained(model)]).sum()


def beside_learning(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The same, and all that is computed where it is not."""
    images, labels = batch
    return minus_the_sum(model, batch) + 0 * nn.functional.cross_entropy(model(images), labels)


def share_lost(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Of all additions to all weights; for each sample the same."""
    weights = torch.cat([parameter.detach().flatten() for parameter in trained(model)])
    lost = 1 - weights.double().mean() / (NUM_STEPS * ADDED)
    return lost.float().expand(len(batch[0]))


def trained(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
