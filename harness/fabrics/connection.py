"""What a worker knows of its place among the others before it reaches them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# (rank, size, local rank, local size), by who started the process: this harness, horovodrun over Gloo, Open MPI, Slurm
# by PMIx, which leaves the last two to Slurm's count of its node, Slurm or MPICH by PMI.
_SOURCES = (
    ("HVDBENCH_RANK", "HVDBENCH_SIZE", "HVDBENCH_RANK", "HVDBENCH_SIZE"),
    ("HOROVOD_RANK", "HOROVOD_SIZE", "HOROVOD_LOCAL_RANK", "HOROVOD_LOCAL_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS", "", ""),
    ("PMIX_RANK", "SLURM_NTASKS", "", ""),
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
)
# What a launcher tells its processes of their place, beside settings that a user may have made.
_OF_A_PLACE = re.compile(
    "(OMPI_COMM_WORLD|MV2_COMM_WORLD|PMIX(?!_MCA_)|PMI)_.*|MPI_LOCALRANKID|MPI_LOCALNRANKS|HVDBENCH_(RANK|SIZE)"
    "|HOROVOD_((LOCAL_|CROSS_)?(RANK|SIZE)|HOSTNAME|CONTROLLER|GLOO_RENDEZVOUS_(ADDR|PORT))"
)
_TASKS_OF_NODES = re.compile(r"(\d{1,9})(?:\(x(\d{1,9})\))?")
MOST_NODES = 2**16  # of a job, as in Slurm
_COUNTS = (  # of a step and of a job, which are the same within the step, unless by srun --preserve-env
    ("SLURM_STEP_NUM_NODES", "SLURM_NNODES"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"),
    ("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE"),
)
_JOBS_OF_RANKS = {  # of Slurm's plugins: what names the step of a rank, which a job submitted in it has still
    "PMIX_RANK": ("PMIX_NAMESPACE", re.compile(r"slurm\.pmix\.(\d+)\.\d+")),
    "PMI_RANK": ("PMI_JOBID", re.compile(r"(\d+)\.\d+")),
}
_OF_SRUN = re.compile(r"[\d+]+\.[\d+]+")  # a step by its number; a job's script is one by name


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
    names = _source(environ)
    if names is None:
        return None
    rank, size = int(environ[names[0]]), int(environ[names[1]])
    if names[2] in environ and names[3] in environ:
        return rank, size, int(environ[names[2]]), int(environ[names[3]])
    return rank, size, *(_place_on_node(environ, rank, size) or (rank, size))


def launch_in_words(environ: Mapping[str, str]) -> str | None:
    """`PMI_RANK=0, PMI_SIZE=4`: what says that this process is one of several; None where nothing does.

    One process alone is no launch: an interactive shell of Slurm has a rank too.
    """
    names = _source(environ)
    if names is None or int(environ[names[1]]) == 1:
        return None
    return f"{names[0]}={environ[names[0]]}, {names[1]}={environ[names[1]]}"


def step_without_ranks(environ: Mapping[str, str], step: str | None = None) -> str | None:
    """`SLURM_STEP_NUM_TASKS=4`, where Slurm started several processes and told none its rank in a way MPI knows.

    step: around this process (launchers/slurm_step.py), where it is seen; else what the variables let know.
    """
    number = environ.get("SLURM_STEP_NUM_TASKS", "")
    if _source(environ) is not None or not number.isdecimal() or int(number) == 1:
        return None
    is_in_it = _is_in_its_step(environ) if step is None else _OF_SRUN.fullmatch(step) is not None
    return f"SLURM_STEP_NUM_TASKS={number}" if is_in_it else None


def without_place(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a launch of one's own: its workers take no place from the launch around it."""
    return {name: value for name, value in environ.items() if not _OF_A_PLACE.fullmatch(name)}


def _source(environ: Mapping[str, str]) -> tuple[str, str, str, str] | None:
    left = _ranks_of_another_job(environ)
    told = (names for names in _SOURCES if all(environ.get(name, "").isdecimal() for name in names[:2]))
    return next((names for names in told if names[0] not in left), None)


def _is_in_its_step(environ: Mapping[str, str]) -> bool:
    """Whether the step that Slurm's variables tell of is around this process.

    A job that is submitted from within a step has the step's variables still. Its script is one process, the first and
    only one of its node, and the job's own counts are beside those of the step. Where these are the same, of one task a
    node, no variable tells the two apart.
    """
    if _ranks_of_another_job(environ):
        return False
    here = environ.get("SLURM_GTIDS", "")  # of all tasks on this node
    if environ.get("SLURM_PROCID", "0") != "0" or "," in here:
        return True
    tasks = tasks_of_nodes(environ.get("SLURM_STEP_TASKS_PER_NODE", ""))
    if here and tasks and tasks[0] > 1:
        return False
    return all(environ.get(of_job) in (None, environ.get(of_step)) for of_step, of_job in _COUNTS)


def _ranks_of_another_job(environ: Mapping[str, str]) -> set[str]:
    """The variables whose rank is one of a step of another job than the one around this process.

    Not so where MPICH's own launcher, which says the place on the node as well, has told another rank since.
    """
    found = {rank: step.fullmatch(environ.get(name, "")) for rank, (name, step) in _JOBS_OF_RANKS.items()}
    of_others = {rank for rank, step in found.items() if step and step[1] != environ.get("SLURM_JOB_ID", step[1])}
    return of_others - ({"PMI_RANK"} if "MPI_LOCALRANKID" in environ else set())


def _place_on_node(environ: Mapping[str, str], rank: int, size: int) -> tuple[int, int] | None:
    """(local rank, local size) as Slurm counts them; None where the processes are not those of a step of its own."""
    local_rank, node = environ.get("SLURM_LOCALID", ""), environ.get("SLURM_NODEID", "")
    tasks = tasks_of_nodes(environ.get("SLURM_STEP_TASKS_PER_NODE") or environ.get("SLURM_TASKS_PER_NODE", ""))
    is_step = sum(tasks) == size and environ.get("SLURM_PROCID", str(rank)) == str(rank)
    if not (is_step and local_rank.isdecimal() and node.isdecimal() and int(node) < len(tasks)):
        return None
    return int(local_rank), tasks[int(node)]


def tasks_of_nodes(text: str) -> list[int]:
    """The number on each node, as Slurm writes them: `2(x3),1`; none where it says something else, or of too many."""
    found = [part and (int(part[1]), int(part[2] or 1)) for part in map(_TASKS_OF_NODES.fullmatch, text.split(","))]
    counted = [part for part in found if part]
    if len(counted) < len(found) or sum(num_nodes for _, num_nodes in counted) > MOST_NODES:
        return []
    return [num_tasks for num_tasks, num_nodes in counted for _ in range(num_nodes)]
