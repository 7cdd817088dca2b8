"""A batch in PyTorch: what the loss takes, tensors (B, ...) by themselves or in tuples, lists and mappings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from harness.workloads.own import Batch, WorkloadError


def map_tensors(function: Callable[[torch.Tensor], torch.Tensor], batch: Batch) -> Batch:
    """The batch with each of its tensors replaced; what is none stays as it is."""
    if isinstance(batch, torch.Tensor):
        return function(batch)
    if isinstance(batch, tuple | list):
        mapped = [map_tensors(function, part) for part in batch]
        return type(batch)(*mapped) if hasattr(batch, "_fields") else type(batch)(mapped)
    if isinstance(batch, Mapping):
        return {name: map_tensors(function, part) for name, part in batch.items()}
    return batch


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch on the device; as it is where that is the CPU, on which every batch is made."""
    if device.type == "cpu":
        return batch
    return map_tensors(lambda tensor: tensor.to(device, non_blocking=True), batch)


def gathered(batch: Batch, indices: torch.Tensor) -> Batch:
    """The samples of these indices."""
    return map_tensors(lambda tensor: tensor.index_select(0, indices), batch)


def sliced(batch: Batch, part: slice) -> Batch:
    return map_tensors(lambda tensor: tensor[part], batch)


def parts_of(batch: Batch, num_parts: int) -> list[Batch]:
    """The batch in equal parts. Raises WorkloadError where its tensors do not lie sample by sample."""
    if num_parts == 1:
        return [batch]
    lengths = lengths_of(batch)
    if len(lengths) != 1 or min(lengths) % num_parts:
        raise WorkloadError(
            f"accumulation: {num_parts} parts of a batch with tensors of {listed(lengths)} samples; "
            "wanted: one number in all of them, which it divides"
        )
    size = min(lengths) // num_parts
    return [sliced(batch, slice(index * size, (index + 1) * size)) for index in range(num_parts)]


def lengths_of(batch: Batch) -> set[int]:
    """Along the first axis, of all its tensors; a scalar's is 0."""
    found: set[int] = set()

    def note(tensor: torch.Tensor) -> torch.Tensor:
        found.add(len(tensor) if tensor.ndim else 0)
        return tensor

    map_tensors(note, batch)
    return found


def kinds_that_are_no_tensors(batch: Batch) -> set[str]:
    """Of its parts, such as text, which cannot be taken sample by sample."""
    if isinstance(batch, torch.Tensor):
        return set()
    if isinstance(batch, Mapping):
        return set().union(*map(kinds_that_are_no_tensors, batch.values()))
    if isinstance(batch, tuple | list):
        return set().union(*map(kinds_that_are_no_tensors, batch))
    return {type(batch).__name__}


def listed(lengths: set[int]) -> str:
    return " and ".join(map(str, sorted(lengths))) or "no"
