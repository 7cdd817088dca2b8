"""What a worker knows of its place among the others before it reaches them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# (rank, size, local rank, local size), by who started the process: this harness, horovodrun over Gloo, Open MPI, Slurm.
_SOURCES = (
    ("HVDBENCH_RANK", "HVDBENCH_SIZE", "HVDBENCH_RANK", "HVDBENCH_SIZE"),
    ("HOROVOD_RANK", "HOROVOD_SIZE", "HOROVOD_LOCAL_RANK", "HOROVOD_LOCAL_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    ("PMIX_RANK", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"),
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
)


@dataclass(frozen=True, kw_only=True)
class Connection:
    rank: int
    size: int
    local_rank: int
    local_size: int
    run_dir: Path
    workers_here: int = 1  # workers of the cell in this process: threads of it, or driven by its only rank

    @property
    def gpus_here(self) -> range:
        """One for each worker of this process, where the cell wants GPUs."""
        return range(self.local_rank, self.local_rank + self.workers_here)


def place_among_workers(environ: Mapping[str, str]) -> tuple[int, int, int, int] | None:
    """(rank, size, local rank, local size), or None outside any launch."""
    for names in _SOURCES:
        if names[0] in environ and names[1] in environ:
            rank, size = int(environ[names[0]]), int(environ[names[1]])
            return rank, size, int(environ.get(names[2], rank)), int(environ.get(names[3], size))
    return None
