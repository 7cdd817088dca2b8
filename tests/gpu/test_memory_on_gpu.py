"""The peak of a GPU's memory in records is training's, as PyTorch counts it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.gpu.bare_loop import BareLoop
from tests.gpu.launched import in_words, launched
from tests.gpu.replicas import SMALL_IMAGES, cell_on, prepare, replica_of

pytestmark = pytest.mark.gpu

NUM_STEPS = 10
NUM_VECTORS_OF_THE_HARNESS = 4  # that a bare loop has not: what warm-up goes back to, Δ on its way
GIB_OF_FLOATS = 2**28


@pytest.fixture
def bare_peak_bytes() -> int:
    """Of a warm bare loop over the same data; weights, gradients and momentum are in it."""
    prepare("gpu")
    before = torch.cuda.memory_allocated()
    loop = BareLoop(cell_on("gpu", "resnet18"))
    loop.samples_per_s(NUM_STEPS)  # here cuDNN tries what takes more
    torch.cuda.reset_peak_memory_stats()
    loop.samples_per_s(NUM_STEPS)
    return torch.cuda.max_memory_allocated() - before


def test_peak_of_a_launch_is_near_that_of_a_bare_loop(tmp_path: Path, bare_peak_bytes: int) -> None:
    cell = {"workload": "resnet18", "dataset": SMALL_IMAGES, "strategy": "serial", "device": "gpu", "epochs": 5}
    (record,) = launched(tmp_path, cell)
    assert in_words(record) == ""
    (found,) = (part.gpu_memory_bytes for part in record.workers)
    vector_bytes = 4 * (record.num_parameters or 0)
    print(f"recorded {found}, bare {bare_peak_bytes}, a vector {vector_bytes}")
    assert found is not None
    assert 0.95 * bare_peak_bytes <= found <= 1.05 * bare_peak_bytes + NUM_VECTORS_OF_THE_HARNESS * vector_bytes


def test_peak_counts_from_where_it_is_restarted() -> None:
    replica = replica_of(cell_on("gpu", "cnn"))
    torch.empty(GIB_OF_FLOATS, device="cuda")  # and gone
    replica.restart_peak()
    assert replica.peak_gpu_bytes() < 2**30
    torch.empty(GIB_OF_FLOATS, device="cuda")
    assert replica.peak_gpu_bytes() == torch.cuda.max_memory_allocated() >= 2**30
