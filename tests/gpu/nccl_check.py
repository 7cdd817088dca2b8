"""Horovod alone on GPUs, a rank each: `horovodrun -np 1 python nccl_check.py`. Needs no hvdbench.

Its collectives, and the two CUDA kernels of its own: the one that scales a vector, and the one that copies several into
one buffer. NCCL refuses two ranks on one GPU; they need a Horovod that is built without it.
"""

from __future__ import annotations

import sys
import time

import horovod.torch as hvd
import torch

NUM_TIMED = 100


def main() -> int:
    hvd.init()
    torch.cuda.set_device(hvd.local_rank() % torch.cuda.device_count())
    built = f"torch {torch.__version__}, NCCL {hvd.nccl_built()}, CUDA {hvd.cuda_built()}"
    print(f"rank {hvd.rank()} of {hvd.size()} on {torch.cuda.get_device_name()}: {built}", flush=True)
    vector = torch.arange(1 << 20, dtype=torch.float32, device="cuda")
    found = results(vector)
    for what, is_right in found.items():
        print(f"{what}: {'as expected' if is_right else 'WRONG'}", flush=True)
    print(f"allreduce of 4 MiB: {seconds_of_allreduce(vector) * 1000:.3f} ms", flush=True)
    return 0 if all(found.values()) else 1


def results(vector: torch.Tensor) -> dict[str, bool]:
    """By what Horovod did, whether every rank has what it should: all ranks give the same."""
    size, parts = hvd.size(), [vector[:1000].clone(), vector[1000:5000].clone()]
    summed = hvd.grouped_allreduce(parts, op=hvd.Sum)
    return {
        "allreduce": torch.equal(hvd.allreduce(vector, op=hvd.Average), vector),
        "allgather": torch.equal(hvd.allgather(vector), vector.repeat(size)),
        "broadcast": torch.equal(hvd.broadcast(vector, root_rank=0), vector),
        "scaled sum": torch.allclose(hvd.allreduce(vector, op=hvd.Sum, prescale_factor=0.5), vector * 0.5 * size),
        "sums of a group": all(torch.allclose(each, part * size) for each, part in zip(summed, parts, strict=True)),
    }


def seconds_of_allreduce(vector: torch.Tensor) -> float:
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(NUM_TIMED):
        hvd.allreduce(vector, op=hvd.Sum, name="timed")
    torch.cuda.synchronize()
    return (time.perf_counter() - started) / NUM_TIMED


if __name__ == "__main__":
    sys.exit(main())
