"""A worker's place among the others, from what its launcher put into the environment."""

from __future__ import annotations

import pytest

from harness.fabrics.connection import launch_in_words, place_among_workers, step_without_ranks, without_place
from harness.timing.traffic import allreduce_bytes


def step(tasks_per_node: str, *, node: int, task: int, local: int) -> dict[str, str]:
    """What srun tells a task of a step; the job that it belongs to may be larger."""
    counts = {"2(x3),1": 7, "3,1": 4, "1(x2)": 2}
    return {
        "SLURM_STEP_NUM_TASKS": str(counts[tasks_per_node]),
        "SLURM_STEP_TASKS_PER_NODE": tasks_per_node,
        "SLURM_TASKS_PER_NODE": "8(x4)",
        "SLURM_NODEID": str(node),
        "SLURM_PROCID": str(task),
        "SLURM_LOCALID": str(local),
    }


# Of `sbatch --nodes=2 --ntasks-per-node=2` within a step of job 7 of as many tasks, in the batch script.
LEFT_OF_A_STEP = {
    "SLURM_JOB_ID": "8",
    "SLURM_GTIDS": "0",
    "SLURM_NNODES": "2",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "0",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
    "SLURM_TASKS_PER_NODE": "2(x2)",
}
# Of a task of `srun --mpi=pmi2` of a job of two nodes: what Slurm's plugin of that name adds to its own variables.
BY_PMI2 = {
    "PMI_FD": "13",
    "PMI_JOBID": "8.0",
    "PMI_RANK": "2",
    "PMI_SIZE": "4",
    "SLURM_GTIDS": "2,3",
    "SLURM_JOB_ID": "8",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "1",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "2",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
    "SLURM_TASKS_PER_NODE": "2(x2)",
}


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({}, None),
        ({"HVDBENCH_RANK": "1", "HVDBENCH_SIZE": "4"}, (1, 4, 1, 4)),
        (
            {
                "HOROVOD_RANK": "5",
                "HOROVOD_SIZE": "8",
                "HOROVOD_LOCAL_RANK": "1",
                "HOROVOD_LOCAL_SIZE": "4",
            },
            (5, 8, 1, 4),
        ),
        (
            {
                "OMPI_COMM_WORLD_RANK": "5",
                "OMPI_COMM_WORLD_SIZE": "8",
                "OMPI_COMM_WORLD_LOCAL_RANK": "1",
                "OMPI_COMM_WORLD_LOCAL_SIZE": "4",
            },
            (5, 8, 1, 4),
        ),
        ({"PMI_RANK": "3", "PMI_SIZE": "4"}, (3, 4, 3, 4)),
        ({"PMI_RANK": "3"}, None),
        ({"PMI_RANK": "x", "PMI_SIZE": "4"}, None),
        ({"PMI_RANK": "5", "PMI_SIZE": "8", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "4"}, (5, 8, 1, 4)),
        ({"PMI_RANK": "4", "PMI_SIZE": "7", **step("2(x3),1", node=2, task=4, local=0)}, (4, 7, 0, 2)),
        ({"PMI_RANK": "6", "PMI_SIZE": "7", **step("2(x3),1", node=3, task=6, local=0)}, (6, 7, 0, 1)),
        ({"PMIX_RANK": "3", "SLURM_NTASKS": "9", **step("3,1", node=1, task=3, local=0)}, (3, 4, 0, 1)),
        ({"PMIX_RANK": "3", "SLURM_NTASKS": "4"}, (3, 4, 3, 4)),
        (LEFT_OF_A_STEP | {"PMIX_RANK": "3", "PMIX_NAMESPACE": "slurm.pmix.8.0"}, (3, 4, 3, 4)),
        (LEFT_OF_A_STEP | {"PMIX_RANK": "3", "PMIX_NAMESPACE": "slurm.pmix.7.0"}, None),
        (BY_PMI2, (2, 4, 0, 2)),
        (BY_PMI2 | {"SLURM_JOB_ID": "9"}, None),  # of a job that was submitted from within that step
        # MPICH's own launcher in that job, whose name for the step stays.
        (BY_PMI2 | {"SLURM_JOB_ID": "9", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "4"}, (2, 4, 1, 4)),
        (BY_PMI2 | {"PMI_JOBID": "8.0-1", "SLURM_JOB_ID": "9"}, (2, 4, 0, 2)),  # no name that is known
        # A container that is told no number of a job.
        ({"PMIX_RANK": "3", "PMIX_NAMESPACE": "slurm.pmix.7.0", "SLURM_NTASKS": "4"}, (3, 4, 3, 4)),
        # MPICH's own launcher in an allocation: the step is one of its proxies, a task a node.
        ({"PMI_RANK": "5", "PMI_SIZE": "8", **step("1(x2)", node=1, task=1, local=0)}, (5, 8, 5, 8)),
    ],
)
def test_place_is_read_from_every_launchers_variables(
    environ: dict[str, str], place: tuple[int, int, int, int] | None
) -> None:
    assert place_among_workers(environ) == place


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, None),
        ({"PMI_RANK": "0", "PMI_SIZE": "1"}, None),  # srun --pty bash
        (BY_PMI2 | {"PMI_RANK": "0", "PMI_SIZE": "1", "SLURM_STEP_NUM_TASKS": "1"}, None),
        (BY_PMI2, "PMI_RANK=2, PMI_SIZE=4"),
        ({"PMIX_RANK": "0", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "1"}, None),
        ({"PMI_RANK": "0", "PMI_SIZE": "4", "PATH": "/bin"}, "PMI_RANK=0, PMI_SIZE=4"),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}, "OMPI_COMM_WORLD_RANK=1, OMPI_COMM_WORLD_SIZE=2"),
    ],
)
def test_launch_is_of_several_processes_and_named_by_its_variables(environ: dict[str, str], words: str | None) -> None:
    assert launch_in_words(environ) == words


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        (step("3,1", node=1, task=3, local=0), "SLURM_STEP_NUM_TASKS=4"),  # srun --mpi=none
        (LEFT_OF_A_STEP | {"SLURM_GTIDS": "0,1"}, "SLURM_STEP_NUM_TASKS=4"),
        (LEFT_OF_A_STEP, None),
        (LEFT_OF_A_STEP | {"SLURM_STEP_TASKS_PER_NODE": "1(x4)", "SLURM_STEP_NUM_NODES": "4"}, None),
        (LEFT_OF_A_STEP | {"PMIX_RANK": "3", "PMIX_NAMESPACE": "slurm.pmix.7.0"}, None),
        (LEFT_OF_A_STEP | BY_PMI2 | {"PMI_JOBID": "7.0"}, None),
        (BY_PMI2, None),
        ({"PMIX_RANK": "3", **step("3,1", node=1, task=3, local=0)}, None),
        ({"SLURM_STEP_NUM_TASKS": "1"}, None),  # srun --pty bash
        ({"SLURM_NTASKS": "4"}, None),  # a batch script
    ],
)
def test_step_of_several_tasks_without_ranks_is_known(environ: dict[str, str], told: str | None) -> None:
    assert step_without_ranks(environ) == told


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (None, "SLURM_STEP_NUM_TASKS=2"),  # nothing tells the two apart
        ("8.batch", None),
        ("8", None),  # a job's script in older Slurms
        ("8.interactive", None),
        ("8.0", "SLURM_STEP_NUM_TASKS=2"),
        ("8+1.0", "SLURM_STEP_NUM_TASKS=2"),
    ],
)
def test_job_of_one_task_a_node_is_told_from_a_step_by_the_daemon_above_it(seen: str | None, told: str | None) -> None:
    of_the_step = {"SLURM_STEP_NUM_NODES": "2", "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_TASKS_PER_NODE": "1(x2)"}
    of_the_job = {"SLURM_NNODES": "2", "SLURM_NTASKS": "2", "SLURM_TASKS_PER_NODE": "1(x2)", "SLURM_PROCID": "0"}
    assert step_without_ranks(of_the_step | of_the_job, seen) == told


def test_step_of_a_job_whose_script_has_ranks_of_another_is_known() -> None:
    """A job that was submitted within a step by PMI2, and starts processes without any."""
    environ = BY_PMI2 | {"SLURM_JOB_ID": "9"}
    assert step_without_ranks(environ, "9.0") == "SLURM_STEP_NUM_TASKS=4"
    assert step_without_ranks(environ, "9.batch") is None


def test_without_place_keeps_what_a_user_sets() -> None:
    kept = {
        "HOROVOD_CYCLE_TIME": "5",
        "HOROVOD_GLOO_TIMEOUT_SECONDS": "9",
        "OMPI_MCA_btl": "self,tcp",
        "SLURM_NNODES": "2",
    }
    place = dict.fromkeys(
        (
            "HOROVOD_RANK",
            "HOROVOD_LOCAL_SIZE",
            "HOROVOD_CONTROLLER",
            "OMPI_COMM_WORLD_RANK",
            "PMI_SIZE",
            "PMIX_RANK",
            "MV2_COMM_WORLD_RANK",
        ),
        "1",
    )
    assert without_place({**kept, **place}) == kept


@pytest.mark.parametrize(("workers", "sent"), [(1, 0), (2, 1000), (4, 1500), (8, 1750)])
def test_bytes_of_an_allreduce_are_the_rings(workers: int, sent: int) -> None:
    assert allreduce_bytes(1000, workers) == sent
