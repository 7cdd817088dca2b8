"""`hvdbench run` over two hosts: real launches over ssh, and what is left where one goes wrong."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.command import HVDBENCH, is_worker, records_in, training_has_begun, wait_until, write_suite
from tests.lab.machines import INTERFACE, NETWORK, Lab, network_lab

pytestmark = pytest.mark.lab

SHORT = "{workload: fnn, strategy: [allreduce-flat, delayed-averaging], workers: 2, hosts: 2, epochs: 1}"
ENDLESS = "{workload: fnn, strategy: allreduce-flat, workers: 2, hosts: 2, epochs: 1000000, time_limit_s: 600}"
SERVED = "{workload: fnn, strategy: [{name: downpour, servers: 2}, {name: elastic, servers: 2}], workers: 2, hosts: 2}"
GROUPS = "{workload: fnn, strategy: hogwild-averaging, workers: 4, hosts: 2, epochs: 20, evaluations: 2}"
OVER_THE_LAB = ["--launch-args", f"--network-interfaces {INTERFACE}"]
LIMIT_S = 600
WORKERS_SEE_IT_WITHIN_S = 120.0  # on the busiest machine; long before they would end by themselves


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One for all tests, which in the end have written nothing to the user's ssh files."""
    before = users_ssh_files()
    with network_lab() as built:
        yield built
    assert users_ssh_files() == before


def users_ssh_files() -> dict[Path, int]:
    folder = Path.home() / ".ssh"
    return {path: path.stat().st_mtime_ns for path in (folder, *folder.glob("*")) if path.exists()}


@contextmanager
def started(lab: Lab, suite: Path, results: Path, *more: str | Path) -> Iterator[subprocess.Popen[str]]:
    """`hvdbench run` on the head."""
    argv = lab.argv(*HVDBENCH, "run", suite, "--results", results, *more)
    with subprocess.Popen(
        argv, env=lab.environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            for left in lab.head.processes():
                left.kill()


def run(lab: Lab, suite: Path, results: Path, *more: str | Path) -> tuple[int, str]:
    """Exit code and output."""
    with started(lab, suite, results, *more) as process:
        output, _ = process.communicate(timeout=LIMIT_S)
    return process.returncode, output


def hvdbench_of(process: subprocess.Popen[str]) -> psutil.Process:
    (command,) = psutil.Process(process.pid).children()  # of nsenter
    return command


def workers_on_hosts(lab: Lab) -> list[list[psutil.Process]]:
    return [[process for process in host.processes() if is_worker(process)] for host in lab.hosts]


def nothing_runs(lab: Lab) -> bool:
    return not any(host.processes() for host in (lab.head, *lab.hosts))


def bytes_sent(record: dict[str, Any], rank: int) -> int:
    return sum(window["bytes_sent"] for window in record["workers"][rank]["windows"])


def assert_ran_on_both(lab: Lab, records: list[dict[str, Any]], sent_before: list[int]) -> None:
    """All is recorded as it should be, and what the workers say they sent has left their host's interface."""
    assert {record["cell"]["fields"]["strategy"] for record in records} == {"allreduce-flat", "delayed-averaging"}
    for record in records:
        assert (record["status"], record["reason"], record["cell"]["fields"]["hosts"]) == ("ok", None, 2)
        assert [worker["rank"] for worker in record["workers"]] == [0, 1]
    for rank, host in enumerate(lab.hosts):
        recorded = sum(bytes_sent(record, rank) for record in records)
        assert recorded > 5_000_000  # 22 steps of 203 kB and 5 averages
        assert recorded < host.bytes_sent() - sent_before[rank] < 4 * recorded  # warm-up and evaluation send too


@pytest.mark.parametrize("controller", ["gloo", "mpi"])
def test_suite_runs_on_the_hosts_of_a_list(lab: Lab, tmp_path: Path, controller: str) -> None:
    suite, results = write_suite(tmp_path / "s.yaml", SHORT), tmp_path / "r"
    before = [host.bytes_sent() for host in lab.hosts]
    code, output = run(lab, suite, results, "-H", lab.listed, "--controller", controller, *OVER_THE_LAB)
    assert code == 0, output
    assert_ran_on_both(lab, records_in(results), before)
    assert nothing_runs(lab)


def test_suite_runs_on_the_hosts_of_a_file_over_the_network_that_horovodrun_finds(lab: Lab, tmp_path: Path) -> None:
    suite, results, hostfile = write_suite(tmp_path / "s.yaml", SHORT), tmp_path / "r", tmp_path / "hosts"
    hostfile.write_text("".join(f"{host.name} slots=1\n" for host in lab.hosts))
    before = [host.bytes_sent() for host in lab.hosts]
    code, output = run(lab, suite, results, "--hostfile", hostfile)
    assert code == 0, output
    assert_ran_on_both(lab, records_in(results), before)


def test_servers_are_on_the_hosts_beside_their_workers(lab: Lab, tmp_path: Path) -> None:
    """Half of what each worker pushes, and half of what each server has, goes to the other host."""
    suite, results = write_suite(tmp_path / "s.yaml", SERVED), tmp_path / "r"
    before = [host.bytes_sent() for host in lab.hosts]
    code, output = run(lab, suite, results, "-H", lab.listed, *OVER_THE_LAB)
    assert code == 0, output
    records = records_in(results)
    for record in records:
        assert (record["status"], record["cell"]["fields"]["hosts"]) == ("ok", 2)
        assert [worker["rank"] for worker in record["workers"]] == [0, 1]
        assert len({worker["host"] for worker in record["workers"]}) == 2
        assert [(server["role"], server["index"]) for server in record["servers"]] == [("server", 0), ("server", 1)]
        assert record["workers"][0]["settings"]["server.transport"] == "tcp, encrypted"
        assert record["curve"][-1]["score"] > 0.9
    for rank, host in enumerate(lab.hosts):
        recorded = sum(bytes_sent(record, rank) + record["servers"][rank]["bytes_sent"] for record in records)
        assert recorded > 2_000_000
        assert recorded / 2 < host.bytes_sent() - before[rank] < 2 * recorded
    assert nothing_runs(lab)


def test_hosts_average_over_a_slow_network_what_their_workers_share(tmp_path: Path) -> None:
    """Two workers a host at 100 Mbit/s: of 225 steps each, 56 averages of the first of each host cross the network."""
    suite, results = write_suite(tmp_path / "s.yaml", GROUPS), tmp_path / "r"
    with network_lab(rate="100mbit") as slow:
        before = [host.bytes_sent() for host in slow.hosts]
        two_each = ",".join(f"{host.name}:2" for host in slow.hosts)
        code, output = run(slow, suite, results, "-H", two_each, *OVER_THE_LAB)
        assert code == 0, output
        sent = [host.bytes_sent() - earlier for host, earlier in zip(slow.hosts, before, strict=True)]
        assert nothing_runs(slow)
    (record,) = records_in(results)
    vector = 4 * record["vector_size"]
    assert [bytes_sent(record, rank) // vector for rank in range(4)] == [281, 225, 281, 225]
    assert len({worker["host"] for worker in record["workers"]}) == 2
    assert record["curve"][-1]["score"] > 0.9
    assert all(56 < of_host / vector < 200 for of_host in sent)  # warm-up and measuring average too; no update does


@pytest.mark.parametrize(("strategy", "workers"), [("serial", 1), ("hogwild", 2)])
def test_cell_of_one_machine_runs_on_the_first_host_that_is_named(
    lab: Lab, tmp_path: Path, strategy: str, workers: int
) -> None:
    first, second = (host.name for host in lab.hosts)
    listed = f"{second}:{workers},{first}:{workers}"
    endless = f"{{workload: fnn, strategy: {strategy}, workers: {workers}, epochs: 1000000, time_limit_s: 600}}"
    results = tmp_path / "r"
    with started(lab, write_suite(tmp_path / "s.yaml", endless), results, "-H", listed, *OVER_THE_LAB) as process:
        wait_until(lambda: training_has_begun(results), "training to begin")
        assert [len(found) for found in workers_on_hosts(lab)] == [0, workers]
        hvdbench_of(process).send_signal(signal.SIGTERM)
        process.communicate(timeout=LIMIT_S)
    wait_until(lambda: nothing_runs(lab), "all processes to end", WORKERS_SEE_IT_WITHIN_S)
    short = f"{{workload: fnn, strategy: {strategy}, workers: {workers}, epochs: 1}}"
    code, output = run(lab, write_suite(tmp_path / "s.yaml", short), results, "-H", listed, *OVER_THE_LAB)
    assert code == 0, output
    (record,) = records_in(results)
    assert (record["status"], record["launcher"], len(record["workers"])) == ("ok", "processes", workers)


@pytest.mark.parametrize(
    ("controller", "number"), [("gloo", signal.SIGKILL), ("mpi", signal.SIGKILL), ("gloo", signal.SIGTERM)]
)
def test_run_that_is_ended_leaves_no_process_on_any_host(
    lab: Lab, tmp_path: Path, controller: str, number: signal.Signals
) -> None:
    """Nobody on the other hosts is told: their workers see that the lock of the run folder is free."""
    suite, results = write_suite(tmp_path / "s.yaml", ENDLESS), tmp_path / "r"
    hosts = ["-H", lab.listed, "--controller", controller, *OVER_THE_LAB]
    with started(lab, suite, results, *hosts) as process:
        wait_until(lambda: training_has_begun(results), "training to begin")
        assert [len(workers) for workers in workers_on_hosts(lab)] == [1, 1]
        hvdbench_of(process).send_signal(number)
        wait_until(lambda: nothing_runs(lab), "all processes to end", limit_s=WORKERS_SEE_IT_WITHIN_S)
    assert records_in(results) == []


@pytest.mark.parametrize("controller", ["gloo", "mpi"])
def test_worker_killed_on_one_host_ends_the_run_on_both(lab: Lab, tmp_path: Path, controller: str) -> None:
    suite, results = write_suite(tmp_path / "s.yaml", ENDLESS), tmp_path / "r"
    hosts = ["-H", lab.listed, "--controller", controller, *OVER_THE_LAB]
    with started(lab, suite, results, *hosts) as process:
        wait_until(lambda: training_has_begun(results), "training to begin")
        _, (victim,) = workers_on_hosts(lab)
        victim.kill()
        output, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 1, output
        wait_until(lambda: nothing_runs(lab), "all processes to end", limit_s=WORKERS_SEE_IT_WITHIN_S)
    (record,) = records_in(results)
    assert record["status"] == "failed"


@pytest.mark.parametrize("controller", ["gloo", "mpi"])
def test_host_that_is_not_there_is_one_failed_record_that_names_it(lab: Lab, tmp_path: Path, controller: str) -> None:
    absent = f"{NETWORK}.99"
    suite, results = write_suite(tmp_path / "s.yaml", ENDLESS), tmp_path / "r"
    hosts = f"lab1:1,{absent}:1"
    code, output = run(lab, suite, results, "-H", hosts, "--controller", controller, *OVER_THE_LAB)
    assert code == 1, output
    (record,) = records_in(results)
    assert record["status"] == "failed"
    assert f"ssh not successful for host {absent}: ssh: connect to host {absent} port 22: " in str(record["reason"])
    assert nothing_runs(lab)
