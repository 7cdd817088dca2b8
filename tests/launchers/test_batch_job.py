"""The hosts of a batch job, from the variables and files of jobs of two hosts and more as each scheduler makes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.launchers import hosts as hosts_module
from harness.launchers.batch_job import batch_job
from harness.launchers.hosts import Host, HostsError, parse_hosts, this_machine

# Of `sbatch --nodes=2 --ntasks-per-node=2` in the lab (Slurm 22.05.8), in the batch script.
SLURM = {
    "SLURM_JOB_ID": "2",
    "SLURM_JOB_NODELIST": "lab[1-2]",
    "SLURM_JOB_CPUS_PER_NODE": "2(x2)",
    "SLURM_NNODES": "2",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "0",
    "SLURM_TASKS_PER_NODE": "2(x2)",
    "SLURMD_NODENAME": "lab1",
}
# Of `srun -N1 -n1 -w lab2` in that job; what it says otherwise, and besides.
STEP = SLURM | {
    "SLURM_NNODES": "1",
    "SLURM_NTASKS": "1",
    "SLURM_STEP_ID": "2",
    "SLURM_STEP_NODELIST": "lab2",
    "SLURM_STEP_NUM_NODES": "1",
    "SLURM_STEP_NUM_TASKS": "1",
    "SLURM_STEP_TASKS_PER_NODE": "1",
    "SLURM_TASKS_PER_NODE": "1",
    "SLURMD_NODENAME": "lab2",
}
# Of `sbatch --nodes=2 --ntasks-per-node=1` within such a step: a job of its own, with variables of the step left.
SUBMITTED_IN_STEP = STEP | {
    "SLURM_JOB_ID": "5",
    "SLURM_NNODES": "2",
    "SLURM_NTASKS": "2",
    "SLURM_TASKS_PER_NODE": "1(x2)",
    "SLURMD_NODENAME": "lab1",
}


@pytest.fixture(autouse=True)
def no_name_resolves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts_module, "_addresses", lambda name: frozenset())


def hosts_of(environ: dict[str, str]) -> tuple[Host, ...]:
    job = batch_job(environ)
    assert job is not None
    return job.hosts


def test_slurm_gives_a_slot_for_each_task_of_a_node() -> None:
    job = batch_job(SLURM)
    assert job is not None
    assert job.hosts == parse_hosts("localhost:2,lab2:2")
    assert job.in_words == "localhost:2, lab2:2 of Slurm job 2 (SLURM_JOB_NODELIST)"
    assert not job.is_here_alone


def test_slurms_name_of_this_machine_is_kept_where_it_resolves(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"lab1": frozenset({hosts_module._HERE}), "lab2": frozenset({"192.0.2.2"})}
    monkeypatch.setattr(hosts_module, "_addresses", known.__getitem__)
    assert hosts_of(SLURM) == parse_hosts("lab1:2,lab2:2")


@pytest.mark.parametrize(
    ("listed", "tasks", "expected"),
    [
        ("n1", "4", "n1:4"),
        ("n[08-10,12],login", "2(x4),1", "n08:2,n09:2,n10:2,n12:2,login:1"),
        ("rack[1-2]n[1-2]", "1(x4)", "rack1n1,rack1n2,rack2n1,rack2n2"),
        ("gpu[01]a,gpu-b", "8(x2)", "gpu01a:8,gpu-b:8"),
    ],
)
def test_slurm_lists_nodes_in_ranges(listed: str, tasks: str, expected: str) -> None:
    assert hosts_of({**SLURM, "SLURM_JOB_NODELIST": listed, "SLURM_TASKS_PER_NODE": tasks}) == parse_hosts(expected)


def test_slurms_step_of_one_node_is_this_machine_whatever_the_job_has() -> None:
    job = batch_job(STEP)
    assert job is not None
    assert job.in_words == "localhost:1 of Slurm job 2 (SLURM_STEP_NODELIST)"
    assert job.is_here_alone


def test_slurms_job_that_was_submitted_in_a_step_has_its_own_nodes() -> None:
    assert hosts_of(SUBMITTED_IN_STEP) == parse_hosts("localhost,lab2")
    assert hosts_of(SUBMITTED_IN_STEP | {"SLURMD_NODENAME": "lab2"}) == parse_hosts("lab1,localhost")


def test_slurm_names_this_machine_where_its_name_does_not_resolve() -> None:
    """Of a job of one node: by ssh nothing would reach it."""
    one_node = {**SLURM, "SLURM_JOB_NODELIST": "cn042.invalid", "SLURM_TASKS_PER_NODE": "4"}
    for name, is_here in (("cn042.invalid", True), ("cn043.invalid", False)):
        job = batch_job({**one_node, "SLURMD_NODENAME": name})
        assert job is not None
        assert job.is_here_alone is is_here


PBS = {"PBS_JOBID": "1234.pbs01", "PBS_ENVIRONMENT": "PBS_BATCH", "PBS_O_WORKDIR": "/home/me"}
LSF = {"LSB_JOBID": "1234", "LSB_HOSTS": "hostA hostA hostB hostB hostB", "LSB_MCPU_HOSTS": "hostA 2 hostB 3 "}


def test_pbs_gives_a_slot_for_each_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "1234.pbs01"
    file.write_text("cn042.cluster\ncn042.cluster\ncn043.cluster\ncn043.cluster\n")
    job = batch_job({**PBS, "PBS_NODEFILE": str(file)})
    assert job is not None
    assert job.in_words == "cn042.cluster:2, cn043.cluster:2 of PBS job 1234.pbs01 (PBS_NODEFILE)"


def test_lsf_gives_slots_by_its_variable_or_a_file(tmp_path: Path) -> None:
    job = batch_job(LSF)
    assert job is not None
    assert job.in_words == "hostA:2, hostB:3 of LSF job 1234 (LSB_MCPU_HOSTS)"
    file = tmp_path / ".1234.hostfile"
    file.write_text("hostC\nhostC\nhostD\nhostD\n")
    assert hosts_of({**LSF, "LSB_DJOB_HOSTFILE": str(file)}) == parse_hosts("hostC:2,hostD:2")


def test_lsf_adds_up_the_slots_of_a_host_that_it_names_again() -> None:
    assert hosts_of({**LSF, "LSB_MCPU_HOSTS": "hostA 2 hostB 3 hostA 1"}) == parse_hosts("hostA:3,hostB:3")


@pytest.mark.parametrize("environ", [{}, {"SLURM_JOB_ID": "1"}, PBS, {"LSB_JOBID": "1234"}, {"SLURM_CONF": "/etc/s"}])
def test_no_job_where_no_variable_names_hosts(environ: dict[str, str]) -> None:
    assert batch_job(environ) is None


def test_job_of_this_machine_is_here_alone() -> None:
    (here,) = this_machine()
    job = batch_job({**SLURM, "SLURM_JOB_NODELIST": here.name, "SLURM_TASKS_PER_NODE": "1"})
    assert job is not None
    assert job.is_here_alone


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {**SLURM, "SLURM_TASKS_PER_NODE": "2"},
            r"SLURM_JOB_NODELIST=lab\[1-2\] SLURM_TASKS_PER_NODE=2: 2 nodes and 1 numbers of tasks",
        ),
        (
            {**SLURM, "SLURM_TASKS_PER_NODE": "1(x999999999)"},
            r"SLURM_TASKS_PER_NODE=1\(x999999999\): no numbers of tasks; allowed: 2\(x3\),1, of up to 65536 nodes",
        ),
        ({**SLURM, "SLURM_TASKS_PER_NODE": "2,x"}, "SLURM_TASKS_PER_NODE=2,x: no numbers of tasks"),
        ({**SLURM, "SLURM_JOB_NODELIST": f"n[{'1-65000,' * 1000}7]"}, r"7\] SLURM_.*: 65537 nodes and 2 numbers of"),
        ({**SLURM, "SLURM_JOB_NODELIST": "lab[a-b]"}, "'a-b' is no range of numbers"),
        ({**SLURM, "SLURM_JOB_NODELIST": "lab[2-1]"}, "'2-1' is no range of numbers"),
        ({**SLURM, "SLURM_JOB_NODELIST": "lab[1-999999999]"}, "'1-999999999' is no range of numbers"),
        (
            {**SLURM, "SLURM_JOB_NODELIST": "lab[1-2"},
            r"lab\[1-2 .*: no list of nodes; allowed: names and ranges of them",
        ),
        ({**SLURM, "SLURM_JOB_NODELIST": "lab[]"}, r"lab\[\] .*: no list of nodes"),
        ({**SLURM, "SLURM_JOB_NODELIST": "lab1,,lab2"}, "lab1,,lab2 .*: no list of nodes"),
        ({**SLURM, "SLURM_JOB_NODELIST": "lab[1-[2]]"}, r"lab\[1-\[2\]\] .*: no list of nodes"),
        ({**SLURM, "SLURM_JOB_NODELIST": "lab 1,b"}, "'lab 1:2' is no host; allowed: name:slots,name:slots"),
        ({**PBS, "PBS_NODEFILE": "/none"}, r"PBS_NODEFILE=/none: unreadable \("),
        ({**LSF, "LSB_MCPU_HOSTS": "hostA 2 hostB"}, "LSB_MCPU_HOSTS=hostA 2 hostB: 'hostB:' is no host"),
    ],
)
def test_variables_that_say_nothing_clear_are_refused_with_what_to_give(environ: dict[str, str], message: str) -> None:
    with pytest.raises(HostsError, match=f"{message}.*; -H names hosts in their place"):
        batch_job(environ)
