"""`hvdbench run` with real workers: what it leaves when all goes well, and when it is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from harness.plain_text import one_line
from tests.command import (
    HVDBENCH,
    LIMIT_S,
    hvdbench,
    is_worker,
    records_in,
    started,
    training_has_begun,
    wait_until,
    workers_of,
    write_suite,
)

SHORT = "{workload: fnn, strategy: serial, epochs: 1}"
ENDLESS = "{workload: fnn, strategy: %s, workers: 2, epochs: 1000000, time_limit_s: 600}"


def test_run_leaves_one_record_a_launch_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.yaml", SHORT, "repeats: 2")
    results = tmp_path / "r"
    code, output, _ = hvdbench("run", suite, "--results", results)
    assert code == 0
    assert "2 ran, 0 failed" in output
    assert {record["cell"]["fields"]["seed"] for record in records_in(results)} == {0, 1}  # type: ignore[index]
    assert list((results / ".runs").iterdir()) == []
    code, output, _ = hvdbench("run", suite, "--results", results)
    assert code == 0
    assert "0 ran, 0 failed" in output
    assert len(records_in(results)) == 2


def test_run_records_no_path_of_the_machine(tmp_path: Path) -> None:
    results = tmp_path / "r"
    hvdbench("run", write_suite(tmp_path / "s.yaml", SHORT), "--results", results)
    text = next(results.glob("*.json")).read_text()
    assert str(Path.home()) not in text
    assert str(tmp_path) not in text


def test_run_hands_launch_args_on_as_a_shell_would(tmp_path: Path) -> None:
    results = tmp_path / "r"
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: allreduce, controller: mpi, epochs: 1}")
    more = '--mpi-args="--mca mpi_show_mca_params enviro"'
    code, output, _ = hvdbench("run", suite, "--results", results, "--launch-args", more)
    assert code == 0, output
    (record,) = records_in(results)
    assert "--mpi-args=--mca mpi_show_mca_params enviro" in record["command"]  # type: ignore[operator]


def test_run_refuses_launch_args_with_an_open_quote(tmp_path: Path) -> None:
    code, _, errors = hvdbench("run", write_suite(tmp_path / "s.yaml", SHORT), "--launch-args", "--mpi-args='--mca")
    assert code == 2
    assert "--launch-args --mpi-args='--mca: No closing quotation; allowed: arguments of horovodrun" in errors


@pytest.mark.parametrize("strategy", ["hogwild", "allreduce"])
def test_run_killed_outright_leaves_no_process_and_goes_on(tmp_path: Path, strategy: str) -> None:
    endless = write_suite(tmp_path / "s.yaml", ENDLESS % strategy)
    results = tmp_path / "r"
    with started("run", endless, "--results", results) as parent:
        wait_until(lambda: training_has_begun(results), "training to begin")
        (run_dir,) = results.glob(".runs/*")
        parent.kill()
    wait_until(lambda: not workers_of(results), "the workers to see that their parent is gone")
    assert records_in(results) == []
    code, output, _ = hvdbench("run", write_suite(tmp_path / "s.yaml", SHORT), "--results", results)
    assert code == 0
    assert "1 ran" in output
    assert list((results / ".runs").iterdir()) == []
    assert not list(Path("/dev/shm").glob(f"hvdbench-{run_dir.name}*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_interrupted_stops_its_workers_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    results = tmp_path / "r"
    with started("run", write_suite(tmp_path / "s.yaml", ENDLESS % "hogwild"), "--results", results) as parent:
        wait_until(lambda: training_has_begun(results), "training to begin")
        parent.send_signal(number)
        _, errors = parent.communicate(timeout=LIMIT_S)
    assert parent.returncode == 130
    assert "the same command goes on" in errors
    assert workers_of(results) == []
    assert records_in(results) == []


SLEEPER = """
from pathlib import Path
import os, time

def make():
    written = Path(__file__).with_suffix(".part")
    written.write_text(str(os.getpid()))
    written.rename(Path(__file__).with_suffix(".pid"))
    time.sleep(600)
"""


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_dry_step_ends_with_the_command_that_asked_for_it(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "mine.py").write_text(SLEEPER)
    suite = write_suite(tmp_path / "s.yaml", "{workload: 'mine.py:make', strategy: serial}")
    with started("run", suite, "--results", tmp_path / "r") as parent:
        wait_until(lambda: list(tmp_path.glob("mine.pid")) != [], "the dry step to begin")
        parent.send_signal(number)
        _, errors = parent.communicate(timeout=LIMIT_S)
    if number == signal.SIGINT:
        assert parent.returncode == 130
        assert errors == "hvdbench: interrupted: finished records are safe, the same command goes on\n"
    dry_step = int((tmp_path / "mine.pid").read_text())
    wait_until(lambda: not runs(dry_step), "the dry step to see that its parent is gone")


@pytest.mark.parametrize("strategy", ["hogwild", "allreduce"])
def test_run_records_a_worker_that_was_killed(tmp_path: Path, strategy: str) -> None:
    results = tmp_path / "r"
    with started("run", write_suite(tmp_path / "s.yaml", ENDLESS % strategy), "--results", results) as parent:
        wait_until(lambda: training_has_begun(results), "training to begin")
        victim = next(process for process in workers_of(results) if is_worker(process))
        victim.kill()
        output, _ = parent.communicate(timeout=LIMIT_S)
    assert parent.returncode == 1
    assert "1 failed" in output
    (record,) = records_in(results)
    assert record["status"] == "failed"
    assert workers_of(results) == []


@pytest.mark.parametrize("strategy", ["hogwild", "allreduce", "delayed-averaging"])
def test_run_evaluates_what_was_trained_when_its_time_limit_stopped_it(tmp_path: Path, strategy: str) -> None:
    suite = write_suite(tmp_path / "s.yaml", (ENDLESS % strategy).replace("600}", "8}"))
    results = tmp_path / "r"
    code, out, _ = hvdbench("run", suite, "--results", results)
    assert (code, "0 ran, 0 failed, 1 stopped at its time limit" in out) == (0, True)
    assert "0 of 1 launches to go, about 0 s; 1 stopped" in hvdbench("show", suite, "--results", results)[1]
    code, out, _ = hvdbench("run", suite, "--results", results)
    assert (code, "0 ran, 0 failed. " in out) == (0, True)
    (record,) = records_in(results)
    assert record["status"] == "timeout"
    assert record["reason"].startswith("training stopped at the cell's time_limit_s of 8 s, after ")
    (point,) = record["curve"]  # a million epochs are far from their first evaluation
    windows = [window for part in record["workers"] for window in part["windows"]]
    assert point["num_samples"] == sum(window["num_samples"] for window in windows)
    if strategy != "hogwild":  # whose workers take what steps are left, each as many as it comes to
        steps = [sum(window["num_steps"] for window in part["windows"]) for part in record["workers"]]
        assert steps == [point["step"]] * 2
        assert all(0 <= window["peer_s"] <= window["exposed_s"] for window in windows)
    else:  # rank 0 stops when its own clock of training says so: start-up has taken nothing of the limit
        assert record["workers"][0]["train_s"] >= 8
    assert workers_of(results) == []


def test_run_that_its_time_limit_cut_short_says_so_where_rank_0_was_done_before(tmp_path: Path) -> None:
    """Rank 1 takes a thousand times as long for as many steps: it is stopped when rank 0 has long left."""
    cell = (
        "{workload: fnn, strategy: hogwild, workers: 2, work: dealt, slowed: {rank: 1, factor: 1000}, epochs: 20, %s}"
    )
    results = tmp_path / "r"
    code, out, _ = hvdbench("run", write_suite(tmp_path / "s.yaml", cell % "time_limit_s: 8"), "--results", results)
    assert (code, "0 ran, 0 failed, 1 stopped at its time limit" in out) == (0, True)
    (record,) = records_in(results)
    steps = [sum(window["num_steps"] for window in part["windows"]) for part in record["workers"]]
    assert steps[0] == 449 > steps[1] > 0
    assert [part["stopped_after"] for part in record["workers"]] == [None, steps[1]]
    assert record["reason"].startswith(
        "training stopped at the cell's time_limit_s of 8 s, "
        f"after {sum(steps)} of 898 steps of all workers, {steps[1]} to 449 of each; "
    )


def test_two_runs_on_the_same_results_share_the_work(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.yaml", SHORT, "repeats: 4")
    results = tmp_path / "r"
    with started("run", suite, "--results", results) as first, started("run", suite, "--results", results) as second:
        for parent in (first, second):
            parent.communicate(timeout=LIMIT_S)
            assert parent.returncode == 0
    assert sorted(record["cell"]["fields"]["seed"] for record in records_in(results)) == [0, 1, 2, 3]  # type: ignore[index]


@pytest.mark.needs_mounts
def test_run_on_a_full_disk_says_so_and_keeps_what_is_there(tmp_path: Path) -> None:
    results = tmp_path / "r"
    results.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", results], check=True)
    try:
        suite = write_suite(tmp_path / "s.yaml", SHORT)
        assert hvdbench("run", suite, "--results", results)[0] == 0
        (results / "filler").write_bytes(b"x" * 8 * 1024**2)
        before = records_in(results)
        code, _, errors = hvdbench("run", write_suite(suite, SHORT, "repeats: 2"), "--results", results)
        assert code == 2
        assert "No space left on device" in errors
        assert str(results) in errors
        assert records_in(results) == before
        (results / "filler").unlink()
        assert hvdbench("run", suite, "--results", results)[0] == 0
        assert len(records_in(results)) == 2
    finally:
        subprocess.run(["umount", results], check=True)


def test_run_says_which_setting_has_changed_since_and_runs_again_when_asked(tmp_path: Path) -> None:
    suite, results = write_suite(tmp_path / "s.yaml", SHORT), tmp_path / "r"
    before, now = {"MALLOC_TOP_PAD_": "4096"}, {"MALLOC_TOP_PAD_": "8192"}
    assert hvdbench("run", suite, "--results", results, environ=before)[0] == 0
    said = "1 launch was done with MALLOC_TOP_PAD_ 4096 (now 8192): left as they are; `--again changed` does them again"
    for command in (["run"], ["run", "--dry-run"], ["show"]):
        code, out, _ = hvdbench(*command, suite, "--results", results, environ=now)
        assert code == 0
        assert said in out
    assert len(records_in(results)) == 1
    code, out, _ = hvdbench("run", suite, "--results", results, "--again", "changed", environ=now)
    assert (code, "1 ran, 0 failed" in out, said in out) == (0, True, False)
    assert sorted(str(record["settings"]) for record in records_in(results)) == [str(before), str(now)]
    code, _, errors = hvdbench("run", suite, "--results", results, "--again", "some")
    assert code == 2
    assert "--again some: allowed: changed" in errors


LAUNCHES = {
    "horovodrun": ["horovodrun", "--gloo", "-np", "2", "-H", "localhost:2"],
    "mpirun": ["mpirun", "--allow-run-as-root", "--host", "localhost:2", "-np", "2"],
}


def inside(launcher: str, home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`hvdbench run` with these arguments, started by a launcher of two processes. home: where Open MPI has no file."""
    command, *options = LAUNCHES[launcher]
    argv = [Path(sys.executable).parent / command, *options, *HVDBENCH, "run", *arguments]
    environ = os.environ | {"HOME": str(home)}
    return subprocess.run(
        list(map(str, argv)), env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


@pytest.mark.parametrize(
    ("launcher", "controller", "in_force"),
    [("horovodrun", "gloo", {}), ("mpirun", "mpi", {"OMPI_MCA_mpi_yield_when_idle": "0"})],
)
def test_run_inside_an_existing_launch_uses_its_processes(
    tmp_path: Path, launcher: str, controller: str, in_force: dict[str, str]
) -> None:
    block = "{workload: fnn, strategy: [allreduce, local-sgd, hogwild], workers: [1, 2], epochs: 1}"
    suite = write_suite(tmp_path / "s.yaml", block)
    results = tmp_path / "r"
    done = inside(launcher, tmp_path, suite, "--results", results)
    assert done.returncode == 0, done.stdout + done.stderr
    records = records_in(results)
    assert {record["cell"]["fields"]["strategy"] for record in records} == {"allreduce", "local-sgd"}  # type: ignore[index]
    for record in records:
        assert record["status"] == "ok"
        assert record["launcher"] == "existing"
        # Nothing of what a launcher sets for its processes, but that Open MPI busy-waits unless told otherwise.
        assert record["settings"] == {"launch": "existing"} | in_force
        assert record["cell"]["fields"]["workers"] == 2  # type: ignore[index]
        assert record["cell"]["fields"]["controller"] == controller  # type: ignore[index]
        assert len(record["workers"]) == 2  # type: ignore[arg-type]
        assert record["machine"]["num_cores"] == len(os.sched_getaffinity(1))  # type: ignore[index]


def test_a_cell_that_fails_inside_a_launch_says_why_and_lets_the_others_run(tmp_path: Path) -> None:
    block = "{workload: fnn, strategy: [{name: allreduce, cycle_time_ms: 7}, local-sgd], workers: 2, epochs: 1}"
    suite = write_suite(tmp_path / "s.yaml", block)
    results = tmp_path / "r"
    for _ in range(2):  # Horovod of this launch runs with its own cycle time: where that cell comes, the launch ends
        assert inside("horovodrun", tmp_path, suite, "--results", results).returncode != 0
    ended: dict[object, list[dict[str, object]]] = {"ok": [], "failed": []}
    for record in records_in(results):
        ended[record["status"]].append(record)
    assert [record["cell"]["fields"]["strategy"] for record in ended["ok"]] == ["local-sgd"]  # type: ignore[index]
    assert {record["cell"]["fields"]["strategy"] for record in ended["failed"]} == {"allreduce"}  # type: ignore[index]
    assert all("HOROVOD_CYCLE_TIME=7.0 is asked for" in str(record["reason"]) for record in ended["failed"])


def test_inside_a_launch_hosts_are_refused_and_nothing_is_started_in_a_dry_run(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: allreduce, workers: 2}")
    results = tmp_path / "r"
    done = inside("horovodrun", tmp_path, suite, "--results", results, "-H", "localhost:2")
    assert done.returncode != 0
    assert "not inside a launch" in done.stdout + done.stderr
    assert inside("horovodrun", tmp_path, suite, "--results", results, "--dry-run").returncode == 0
    assert not results.exists()


INTERACTIVE = {"PMI_RANK": "0", "PMI_SIZE": "1", "SLURM_LOCALID": "0", "SLURM_NTASKS": "1"}  # srun --pty bash
OF_FOUR = {"PMI_RANK": "0", "PMI_SIZE": "4"}


def test_interactive_shell_of_slurm_is_no_launch(tmp_path: Path) -> None:
    suite, results = write_suite(tmp_path / "s.yaml", SHORT), tmp_path / "r"
    code, _, errors = hvdbench("run", suite, "--results", results, environ=INTERACTIVE)
    assert (code, errors) == (0, "")
    assert [record["launcher"] for record in records_in(results)] == ["processes"]


def test_refusal_inside_a_launch_says_which_variables_made_it_one(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: allreduce, workers: 2}")
    for more, refused in (
        ([], "no collective cell of 4 workers in this suite; hvdbench show lists what there is (a launch, by "),
        (
            ["--dry-run"],
            "no collective cell of 4 workers in this suite; hvdbench show lists what there is (a launch, by ",
        ),
        (["-H", "localhost:2"], "-H, --hostfile, --launch-args, --cores: not inside a launch ("),
        (["-H", "localhost:2", "--dry-run"], "-H, --hostfile, --launch-args, --cores: not inside a launch ("),
    ):
        code, _, errors = hvdbench("run", suite, "--results", tmp_path / "r", *more, environ=OF_FOUR)
        assert (code, errors.count("\n")) == (2, 1)  # nobody has waited for the cores of ranks that are not there
        assert f"{refused}PMI_RANK=0, PMI_SIZE=4" in errors
        assert "where it is none, --own-launch starts one" in errors


def test_process_that_waits_for_the_rest_of_a_launch_has_said_which_variables_made_it_one(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: allreduce, workers: 4}")
    with started("run", suite, "--results", tmp_path / "r", environ=OF_FOUR) as alone:
        assert alone.stderr is not None
        said = alone.stderr.readline()
        alone.kill()
    assert said == "hvdbench: rank 0 of a launch (PMI_RANK=0, PMI_SIZE=4); where it is none, --own-launch starts one\n"


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        (["compare", "fnn"], "hvdbench run SUITE"),
        (["tune", "SUITE"], "hvdbench run SUITE"),
        (["claims", "SUITE"], "--no-run, or hvdbench run SUITE"),
        (["check", "SUITE", "--a", "here", "--b", "here"], "the same command outside of it"),
        (["parity", "fnn", "--native"], "the same command outside of it"),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_what_starts_its_launches_itself_is_refused_inside_one(
    tmp_path: Path, command: list[str], allowed: str
) -> None:
    """Each of four processes would start them all."""
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: allreduce, workers: 2}")
    argv = [str(suite) if word == "SUITE" else word for word in command]
    code, _, errors = hvdbench(*argv, cwd=tmp_path, environ=OF_FOUR)
    said = f"inside a launch (PMI_RANK=0, PMI_SIZE=4), allowed: {allowed}; where it is none, --own-launch"
    assert (code, errors.count("\n")) == (2, 1)
    assert f" starts its launches itself; {said}" in one_line(errors)
    assert list(tmp_path.iterdir()) == [suite]


def test_processes_of_srun_that_know_no_rank_are_refused(tmp_path: Path) -> None:
    """Each would start all launches."""
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: serial}")
    code, _, errors = hvdbench("run", suite, "--dry-run", environ={"SLURM_STEP_NUM_TASKS": "4"})
    assert code == 2
    assert "srun started several processes (SLURM_STEP_NUM_TASKS=4) and told them no ranks; allowed: srun" in errors


def test_own_launch_starts_launches_whatever_the_environment_says(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: allreduce, workers: 2, epochs: 1}")
    results = tmp_path / "r"
    code, out, errors = hvdbench("run", suite, "--results", results, "--own-launch", environ=OF_FOUR)
    assert code == 0, out + errors
    assert [record["launcher"] for record in records_in(results)] == ["horovodrun"]


def test_results_that_cannot_be_a_folder_are_refused(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.yaml", SHORT)
    code, _, errors = hvdbench("run", suite, "--results", suite / "r")
    assert code == 2
    assert "Not a directory" in errors
    assert str(suite / "r") in errors
