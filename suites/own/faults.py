"""One of two workers at fault. Once, a tenth of its way, it dies, or its batch is no number, or far from all others; or
it takes long for each gradient, while the other moves the weights.

What is learned is the teacher's function of stream.py. A batch follows from (seed, rank, step), so what happens once is
of one worker and step in every launch, whatever the strategy: the workers take as many steps each. Who is late has been
so all along, as long as the other takes the steps that it does not. (`slowed` of a suite has a worker sleep when its
update is written: it is late then, its gradients are not.)
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace

from stream import Arrays, labelled, make
from torch import Tensor, nn

from harness.workloads import Stream, TorchWorkload
from harness.workloads.stream import StreamPlace

RANK, STEP = 1, 150  # at fault, of 1,500 steps that each of two workers takes
FAR = 100.0  # times what the teacher says
LATE_S = 0.002  # of each gradient: several steps of the other worker


def death() -> TorchWorkload:
    return with_fault(die)


def no_number() -> TorchWorkload:
    return with_fault(lambda batch: (batch[0] * float("nan"), batch[1]))


def outlier() -> TorchWorkload:
    return with_fault(lambda batch: (batch[0], batch[1] * FAR))


def straggler() -> TorchWorkload:
    whole = make()

    def late_loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        time.sleep(LATE_S)
        return whole.loss(model, batch)

    return replace(whole, loss=late_loss) if rank_here() == RANK else whole


def rank_here() -> int:
    """As the harness tells the processes that it starts, or Horovod's launcher its own."""
    return int(os.environ.get("HVDBENCH_RANK", os.environ.get("HOROVOD_RANK", 0)))


def with_fault(fault: Callable[[Arrays], Arrays]) -> TorchWorkload:
    def batch(at: StreamPlace) -> Arrays:
        made = labelled(at.random, at.batch_size)
        return fault(made) if (at.rank, at.step) == (RANK, STEP) else made

    return replace(make(), train=Stream(batch))


def die(batch: Arrays) -> Arrays:
    os._exit(1)
