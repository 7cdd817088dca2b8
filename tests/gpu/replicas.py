"""Replicas in this process, on the CPU or on its first GPU."""

from __future__ import annotations

from typing import Any

from harness import registry
from harness.suite.cell import Cell

NUM_THREADS = 4
SMALL_IMAGES = {"name": "synthetic", "num_samples": 64, "size": 32, "channels": 3, "num_classes": 10}


def cell_on(device: str, workload: str, **fields: Any) -> Cell:
    """The workload's recipe: images on digits, a model for throughput on small images, others on their usual data."""
    given: dict[str, Any] = {"workload": workload, "strategy": "serial", "device": device}
    if workload in ("resnet18", "vgg16"):
        given["dataset"] = SMALL_IMAGES
    elif workload in ("fnn", "cnn", "rnn"):
        given["dataset"] = "digits"
    return Cell.model_validate({**given, **fields})


def prepare(device: str) -> None:
    """As a worker prepares its framework."""
    gpus = [0] if device == "gpu" else []
    registry.load(registry.PREPARATIONS["torch"])(num_threads=NUM_THREADS, gpus=gpus)


def replica_of(cell: Cell) -> Any:
    prepare(cell.device)
    workload = registry.load(registry.WORKLOADS["torch"])(cell)
    return registry.load(registry.REPLICAS["torch"])(cell, workload, rank=0, local_rank=0)
