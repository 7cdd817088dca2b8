"""How vectors of GPUs reach other workers: from memory to memory by NCCL, never through the host's unless asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.bootstrap.mending import building_for_cuda
from harness.suite.cell import Cell


def is_staged(cell: Cell) -> bool:
    """Whether vectors are copied to the host and back."""
    return bool(getattr(cell.options, "staging", "none") == "host")


def check_exchange(cell: Cell, hvd: Any, gpu_uuid: str | None = None) -> None:
    """Raises ValueError where Horovod would not do as the cell says; every rank has to call it, after `hvd.init`.

    gpu_uuid: of this worker's GPU, where the framework tells.
    """
    if cell.device != "gpu" or hvd.size() == 1 or is_staged(cell):
        return
    if not hvd.nccl_built():
        raise ValueError(
            "device: gpu, but this Horovod is built without NCCL, so that vectors would go through the host's memory; "
            f"allowed: one with it ({building_for_cuda(cell.framework, is_built_for_cuda=True)}), or options.staging: "
            "host, which says so"
        )
    if gpu_uuid is not None:
        check_gpu_each(hvd.allgather_object(gpu_uuid, name="gpus"))


def check_gpu_each(uuids: Sequence[str]) -> None:
    """Raises ValueError where two ranks have one GPU. uuids: by rank."""
    for rank, uuid in enumerate(uuids):
        if uuid in uuids[:rank]:
            raise ValueError(
                f"device: gpu: ranks {uuids.index(uuid)} and {rank} are on one GPU ({uuid}), which NCCL refuses; "
                "allowed: as many GPUs as workers on each host, or options.staging: host"
            )


def exchange_settings(cell: Cell, hvd: Any) -> dict[str, str]:
    """For the record, of cells on GPUs."""
    if cell.device != "gpu":
        return {}
    version = hvd.nccl_built()
    return {"horovod.nccl": nccl_version(version) if version else "none"}


def nccl_version(code: int) -> str:
    """NCCL's number 21805 is 2.18.5."""
    major, rest = divmod(code, 10_000)
    return ".".join(map(str, (major, *divmod(rest, 100))))
