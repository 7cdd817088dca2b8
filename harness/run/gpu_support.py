"""Whether what is installed can use the GPUs that are there. Looks at files, imports nothing."""

from __future__ import annotations

from harness.bootstrap.cuda_fit import cuda_of
from harness.bootstrap.horovod_library import horovod_has_nccl
from harness.bootstrap.mending import building_for_cuda
from harness.protocols import HorovodOptions
from harness.suite.cell import Cell
from harness.worker.gpus import VISIBLE_VARIABLE, present_gpus, visible_gpus


def is_built_for_cuda(framework: str) -> bool:
    """False where it says that it is not, or is missing."""
    return cuda_of(framework) is not None


def gpu_obstacle(cell: Cell, *, is_own_launch: bool, is_here: bool = True) -> str | None:
    """Why this cell's workers cannot train on GPUs here.

    is_own_launch: of one that others have made, each process may see one GPU alone, its own. is_here: some of them are
    on this machine; what GPUs another one has, its workers will tell.
    """
    present = present_gpus()
    visible = visible_gpus(present)
    is_staged = isinstance(cell.options, HorovodOptions) and cell.options.staging == "host"
    each = cell.workers // cell.hosts if is_own_launch and not is_staged else 1
    if is_here and each > len(visible):
        hidden = f", {VISIBLE_VARIABLE} hides {len(present) - len(visible)}" if len(visible) < len(present) else ""
        return f"device: gpu with {each} workers on a host; this one has {len(visible)} GPUs{hidden}"
    is_for_cuda = is_built_for_cuda(cell.framework)
    mend = building_for_cuda(cell.framework, is_built_for_cuda=is_for_cuda)
    if not is_for_cuda:
        return f"device: gpu, but {cell.framework} is built for the CPU alone: {mend}"
    if cell.needs.uses_horovod and cell.workers > 1 and not is_staged and not horovod_has_nccl(cell.framework):
        return f"device: gpu, but horovod is built without NCCL: {mend}"
    return None
