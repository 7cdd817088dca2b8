"""A model as one vector: [trainable parameters | moving buffers].

All of them are views into one flat tensor, and the parameters' gradients become another (torch_gradients.py): a
strategy's arithmetic is one operation on one vector. Moving buffers, such as batch norm's averages, are those that a
forward pass in training mode changes; constant ones (masks, tables) stay out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from harness.backends.torch_gradients import gradients_of
from harness.protocols import Stretches, mask_of
from harness.workloads.own import WorkloadError


def trainable(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Tied ones once; frozen ones never."""
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def check_parameters(model: nn.Module) -> None:
    """Raises WorkloadError where there is nothing to train, or what one vector of float32 cannot hold."""
    for name, parameter in model.named_parameters():
        if is_lazy(parameter):
            raise WorkloadError(f"model: parameter {name} has no shape yet; wanted: one call of the model in `make`")
    parameters = trainable(model)
    if not parameters:
        raise WorkloadError("model: no parameter requires a gradient; wanted: at least one")
    for name, parameter in parameters:
        _check_dtype(f"parameter {name}", parameter)


def moved_buffers(model: nn.Module, forward: Callable[[], object]) -> list[str]:
    """Names of the buffers that the forward pass changes, found by making it; they are then as they were before.

    Raises WorkloadError where one is of a floating type that the vector cannot hold. One that counts, of an integer
    type, is found too.
    """
    held = dict(model.named_buffers())
    before = {name: buffer.clone() for name, buffer in held.items()}
    forward()
    after = dict(model.named_buffers())
    moved = [name for name in held if not torch.equal(after[name], before[name])]
    for name, buffer in held.items():
        if buffer.is_floating_point() and name in moved:
            _check_dtype(f"buffer {name}, which training moves", buffer)
        _Slot(model, name, buffer).put(before[name])
    return moved


def _check_dtype(what: str, tensor: torch.Tensor) -> None:
    if tensor.dtype != torch.float32:
        dtype = str(tensor.dtype).removeprefix("torch.")
        raise WorkloadError(f"model: {what}, is {dtype}; wanted: float32 (precision: bf16 computes in less)")


class _Slot:
    """A buffer's place in its module. A forward pass may write into the tensor there, or put another in its place."""

    def __init__(self, model: nn.Module, name: str, tensor: torch.Tensor) -> None:
        owner, _, self._name = name.rpartition(".")
        self._owner = model.get_submodule(owner)
        self._tensor = tensor

    @torch.no_grad()
    def put(self, values: torch.Tensor) -> None:
        self._tensor.copy_(values)
        setattr(self._owner, self._name, self._tensor)

    def collect(self) -> None:
        """Has the tensor hold what stands in the module."""
        present = getattr(self._owner, self._name)
        if present is not self._tensor:
            self.put(present)

    def restore(self) -> None:
        """Puts the tensor, whose values may have changed, where it belongs."""
        setattr(self._owner, self._name, self._tensor)


class FlatModel:
    """The vector, and the module that trains in its memory."""

    def __init__(self, module: nn.Module, moved: Sequence[str] = ()) -> None:
        self.module = module
        self.parameters = [parameter for _, parameter in trainable(module)]
        named = dict(module.named_buffers())
        moving = [name for name in moved if named[name].is_floating_point()]
        self._buffers = [_Slot(module, name, named[name]) for name in moving]
        self._counters = [
            (_Slot(module, name, named[name]), named[name].clone()) for name in moved if name not in moving
        ]
        self._tensors: list[torch.Tensor] = [*self.parameters, *(named[name] for name in moving)]
        self.num_parameters = sum(parameter.numel() for parameter in self.parameters)
        self.move_into(torch.cat([tensor.detach().flatten() for tensor in self._tensors]))
        self.gradients = gradients_of(self.parameters, self._averages.numel())
        self._averages_when_set = self._averages.clone()
        edges = accumulate((named[name].numel() for name in moving), initial=self.num_parameters)
        buffers = zip(moving, pairwise(edges), strict=True)
        self.began_positive: Stretches = tuple(edge for name, edge in buffers if (named[name] > 0).all())
        stays_positive = mask_of(self.began_positive, first=self.num_parameters, size=self._averages.numel())
        self._stays_positive = torch.from_numpy(stays_positive).to(self._vector.device)

    def move_into(self, memory: torch.Tensor) -> None:
        """From now on this is the vector, in the memory and with the values that it has."""
        self._vector = memory
        for tensor, part in zip(self._tensors, self._split(memory, self._tensors), strict=True):
            tensor.data = part
        self.weights, self._averages = memory[: self.num_parameters], memory[self.num_parameters :]

    @staticmethod
    def _split(vector: torch.Tensor, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        parts = vector[: sum(tensor.numel() for tensor in tensors)].split([tensor.numel() for tensor in tensors])
        return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]

    def read(self) -> torch.Tensor:
        """A copy of the vector."""
        for slot in self._buffers:
            slot.collect()
        return self._vector.clone()

    def write(self, vector: torch.Tensor) -> None:
        self._vector.copy_(vector)
        if self._buffers:
            for slot in self._buffers:
                slot.restore()
            self._averages_when_set.copy_(self._averages)

    def merge(self, vector: torch.Tensor) -> None:
        """As `write`, but that a buffer which began above 0 everywhere, as variances do, is taken nowhere below it.

        An average that looks ahead may lie there, and batch norm divides by its square root: what stands there stays.
        """
        if not self._buffers:
            self.write(vector)
            return
        for slot in self._buffers:
            slot.collect()
        kept = self._averages.clone()
        self.write(vector)
        self._averages.copy_(torch.where(self._stays_positive & (self._averages < 0), kept, self._averages))
        self._averages_when_set.copy_(self._averages)

    def merge_by(self, merged: Callable[..., torch.Tensor], *vectors: torch.Tensor) -> torch.Tensor:
        """`merge(merged(weights, *vectors))`; gives a copy of the weights after it. Without buffers that is what
        `merged` has made: no other copy is."""
        if self._buffers:
            self.merge(merged(self.read(), *vectors))
            return self.read()
        after = merged(self._vector, *vectors)
        self.write(after)
        is_anothers = any(after is each for each in (self._vector, *vectors))
        return after.clone() if is_anothers else after

    def restart_counters(self) -> None:
        """As they were when this was made."""
        for slot, values in self._counters:
            slot.put(values)

    def of_parameters(self, vector: torch.Tensor) -> torch.Tensor:
        """The parameters' part of a vector."""
        return vector[: self.num_parameters] if self._buffers else vector

    def shaped(self, weights: torch.Tensor) -> list[torch.Tensor]:
        """Views of the parameters' part, each in its parameter's shape."""
        return self._split(weights, self.parameters)

    def with_moves(self, delta: torch.Tensor, *, counts: bool) -> torch.Tensor:
        """Δ of the parameters, and behind it what the buffers have moved by since `write`; zeros unless it counts."""
        if not self._buffers:
            return delta
        for slot in self._buffers:
            slot.collect()
        moves = self._averages - self._averages_when_set
        return torch.cat([delta, moves if counts else torch.zeros_like(moves)])

    @contextmanager
    def evaluating(self, vector: torch.Tensor) -> Iterator[None]:
        """The vector in the model, in evaluation mode; all is as before after it."""
        kept, when_set = self.read(), self._averages_when_set.clone()
        modes = [(module, module.training) for module in self.module.modules()]
        self.write(vector)
        self.module.eval()
        try:
            yield
        finally:
            for module, is_training in modes:
                module.training = is_training
            self.write(kept)
            self._averages_when_set.copy_(when_set)
