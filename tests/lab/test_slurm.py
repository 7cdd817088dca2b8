"""Suites as jobs and steps of a real Slurm, over two hosts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.command import LIMIT_S, is_worker, records_in, training_has_begun, wait_until, write_suite
from tests.lab.machines import Lab, network_lab
from tests.lab.slurm import start_slurm

pytestmark = [pytest.mark.lab, pytest.mark.needs_slurm]

JOB = Path(__file__).parents[2] / "suites" / "cluster" / "slurm.sh"
TWO_HOSTS = "{workload: fnn, strategy: allreduce-flat, workers: 2, hosts: 2, epochs: 1}"
ONE_MACHINE = "{workload: fnn, strategy: hogwild, workers: 2, epochs: 1}"
ONE_WORKER = "{workload: fnn, strategy: serial, epochs: 1}"
ENDLESS = "{workload: fnn, strategy: allreduce-flat, workers: 2, hosts: 2, epochs: 1000000, time_limit_s: 600}"
ASKED_FOR = ("--nodes=2", "--ntasks-per-node=2")
ONE_A_NODE = ("--nodes=2", "--ntasks-per-node=1")
WORKERS_SEE_IT_WITHIN_S = 120.0  # on the busiest machine; long before they would end by themselves


@dataclass(frozen=True)
class SlurmLab:
    lab: Lab
    environ: dict[str, str]

    def run(self, *command: str | Path) -> tuple[int, str]:
        """Exit code and output of a command on the head."""
        argv = self.lab.argv(*command)
        done = subprocess.run(
            argv,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        return done.returncode, done.stdout

    def submit(self, folder: Path, *arguments: str | Path, wait: bool = True) -> tuple[int, str]:
        """Exit code and output of the job; what is said of a job that is not waited for is its number."""
        log = folder / "log"
        how = ["--wait"] if wait else ["--parsable"]
        code, said = self.run("sbatch", *how, *ASKED_FOR, f"--output={log}", JOB, *arguments)
        return code, log.read_text() if wait else said.strip()

    def num_workers(self) -> list[int]:
        """On each host."""
        return [sum(map(is_living_worker, host.processes())) for host in self.lab.hosts]


def is_living_worker(process: psutil.Process) -> bool:
    """Not one whose end its parent has yet to hear of."""
    try:
        return is_worker(process)
    except psutil.Error:
        return False


@pytest.fixture(scope="module")
def slurm() -> Iterator[SlurmLab]:
    with network_lab() as lab:
        yield SlurmLab(lab, start_slurm(lab))


def num_hosts(record: dict[str, Any]) -> int:
    return len({worker["host"] for worker in record["workers"]})


@pytest.mark.parametrize("controller", ["gloo", "mpi"])
def test_job_runs_a_suite_on_its_nodes(slurm: SlurmLab, tmp_path: Path, controller: str) -> None:
    """Over MPI mpirun starts its daemons by srun: the job's other node knows them as a step of it."""
    suite, results = write_suite(tmp_path / "s.yaml", TWO_HOSTS), tmp_path / "r"
    code, output = slurm.submit(tmp_path, suite, "--results", results, "--controller", controller)
    assert code == 0, output
    assert "hvdbench: hosts: lab1:2, lab2:2 of Slurm job " in output
    (record,) = records_in(results)
    assert (record["status"], record["launcher"], num_hosts(record)) == ("ok", "horovodrun", 2)
    assert record["cell"]["fields"]["controller"] == controller


@pytest.mark.parametrize("shape", [ASKED_FOR, ONE_A_NODE], ids=["two-a-node", "one-a-node"])
@pytest.mark.parametrize("mpi", ["none", "pmix", "pmi2"])
def test_job_that_a_step_submits_is_no_part_of_it(
    slurm: SlurmLab, tmp_path: Path, mpi: str, shape: tuple[str, ...]
) -> None:
    """Of the same shape, and with all variables of the step."""
    suite, results, log = write_suite(tmp_path / "s.yaml", TWO_HOSTS), tmp_path / "r", tmp_path / "log"
    submit = f"sbatch {' '.join(shape)} --output={log} {JOB} {suite} --results {results}"
    step = ["srun", *shape, f"--mpi={mpi}", "sh", "-c", f"test $SLURM_PROCID != 0 || {submit}"]
    assert slurm.run(*step)[0] == 0
    wait_until(lambda: slurm.run("squeue", "--noheader")[1] == "", "the job to end")
    assert len(records_in(results)) == 1, log.read_text()
    (record,) = records_in(results)
    assert (record["status"], record["launcher"], num_hosts(record)) == ("ok", "horovodrun", 2)


def test_job_runs_where_the_name_of_its_first_node_does_not_resolve(slurm: SlurmLab, tmp_path: Path) -> None:
    """Over MPI, and what needs no other host; Gloo wants to look the name up, and that is said."""
    suite, results, log = tmp_path / "s.yaml", tmp_path / "r", tmp_path / "log"
    write_suite(suite, f"{TWO_HOSTS[:-1]}, controller: [gloo, mpi]}}\n  - {ONE_MACHINE}")
    (tmp_path / "hosts").write_text(f"127.0.0.1 localhost\n{slurm.lab.hosts[1].address} lab2\n")
    script = f"mount --bind {tmp_path}/hosts /etc/hosts && exec hvdbench run {suite} --results {results}"
    codes = []
    for only in ("controller=gloo,hosts=2", "controller=mpi", "strategy=hogwild"):
        job = [
            *ASKED_FOR,
            f"--output={log}",
            "--open-mode=append",
            f"--wrap=unshare --mount sh -c '{script} --only {only}'",
        ]
        codes.append(slurm.run("sbatch", "--wait", *job)[0])
    assert codes == [2, 0, 0], log.read_text()
    assert "hvdbench: hosts: localhost:2, lab2:2 of Slurm job " in log.read_text()
    assert "controller: gloo looks up this machine's name, and lab1 is not known" in log.read_text()
    launches = [(record["status"], record["launcher"], num_hosts(record)) for record in records_in(results)]
    assert sorted(launches) == [("ok", "horovodrun", 2), ("ok", "processes", 1)]


def test_job_runs_what_is_of_one_machine_on_its_first_node(slurm: SlurmLab, tmp_path: Path) -> None:
    suite, results = write_suite(tmp_path / "s.yaml", ONE_MACHINE), tmp_path / "r"
    code, output = slurm.submit(tmp_path, suite, "--results", results)
    assert code == 0, output
    (record,) = records_in(results)
    assert (record["status"], record["launcher"], num_hosts(record)) == ("ok", "processes", 1)


def test_step_of_a_job_is_a_launch(slurm: SlurmLab, tmp_path: Path) -> None:
    suite, results = write_suite(tmp_path / "s.yaml", TWO_HOSTS), tmp_path / "r"
    step = ["srun", "--nodes=2", "--ntasks=2", "--mpi=pmix", "hvdbench", "run", suite, "--results", results]
    code, output = slurm.run(*step)
    assert code == 0, output
    (record,) = records_in(results)
    assert (record["status"], record["launcher"], num_hosts(record)) == ("ok", "existing", 2)
    assert (record["cell"]["fields"]["controller"], record["cell"]["fields"]["hosts"]) == ("mpi", 2)


def test_step_of_one_node_starts_launches_there(slurm: SlurmLab, tmp_path: Path) -> None:
    """In a job of two, of which it has the second."""
    suite, results = write_suite(tmp_path / "s.yaml", ONE_WORKER), tmp_path / "r"
    step = ["srun", "--nodes=1", "--ntasks=1", "--nodelist=lab2", "hvdbench", "run", suite, "--results", results]
    code, output = slurm.run("salloc", *ASKED_FOR, *step)
    assert code == 0, output
    assert "hvdbench: hosts: " not in output
    (record,) = records_in(results)
    assert record["status"] == "ok"


def test_step_whose_processes_know_no_rank_is_refused(slurm: SlurmLab, tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.yaml", TWO_HOSTS)
    code, output = slurm.run("srun", "--nodes=2", "--ntasks=2", "hvdbench", "run", suite, "--results", tmp_path / "r")
    assert code == 2
    assert "(SLURM_STEP_NUM_TASKS=2) and told them no ranks; allowed: srun --mpi=pmix" in output


@pytest.mark.parametrize("controller", ["gloo", "mpi"])
def test_job_that_is_cancelled_leaves_no_process_on_any_node(slurm: SlurmLab, tmp_path: Path, controller: str) -> None:
    suite, results = write_suite(tmp_path / "s.yaml", ENDLESS), tmp_path / "r"
    arguments = (suite, "--results", results, "--controller", controller)
    _, job = slurm.submit(tmp_path, *arguments, wait=False)
    wait_until(lambda: training_has_begun(results), "training to begin")
    assert slurm.num_workers() == [1, 1]
    slurm.run("scancel", job)
    wait_until(lambda: slurm.num_workers() == [0, 0], "all workers to end", WORKERS_SEE_IT_WITHIN_S)
    wait_until(lambda: slurm.run("squeue", "--noheader")[1] == "", "the job to end")
    assert records_in(results) == []
    assert "hvdbench: interrupted" in (tmp_path / "log").read_text()
