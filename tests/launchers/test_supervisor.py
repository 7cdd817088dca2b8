"""No process outlives its run, however it ends: real processes, small ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from harness.launchers.command import LaunchCommand
from harness.launchers.deadline import Deadline
from harness.launchers.supervisor import GRACE_S, RUN_VARIABLE, LaunchEnd, _Lost, _wait, end_run, log_tail, supervise
from harness.protocols import Role
from harness.records.run_files import TRAINING_ENDED
from tests.command import LIMIT_S, wait_until

LOOPBACK = "localhost,127.0.0.1,::1"
SLEEP = "import time; time.sleep(3600)"
# A grandchild in a session of its own, as daemons make themselves; it writes its id and stays.
DETACH = (
    "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)'], "
    "start_new_session=True); open({path!r}, 'w').write(str(child.pid))"
)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    path = tmp_path / f"run-{os.getpid()}-{tmp_path.name}"
    path.mkdir()
    return path


def python(code: str, role: Role = Role.WORKER, **environ: str) -> LaunchCommand:
    return LaunchCommand(role=role, argv=[sys.executable, "-c", code], environ=environ)


def nothing() -> None: ...


def run(
    run_dir: Path, *commands: LaunchCommand, limit_s: float = LIMIT_S, watch: Callable[[], None] = nothing
) -> LaunchEnd:
    return supervise(list(commands), run_dir, deadline=Deadline(run_dir, limit_s, stopping_s=0.0), watch=watch)


def of_this_run(run_dir: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(RUN_VARIABLE) == run_dir.name:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


LATER_S = LIMIT_S + 1.0


def later_once(condition: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit is over as soon as the condition holds, and not before, however busy the machine is."""
    really = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: really() + (LATER_S if condition() else 0.0))


def test_commands_that_end_well_give_0_and_their_output(run_dir: Path) -> None:
    # `print` would write the line's end apart where Python does not buffer, and the other's line could come in between.
    one, two = (
        python("import os; os.write(1, b'one\\n')"),
        python("import os; os.write(1, os.environb[b'TWO'])", TWO="two\n"),
    )
    end = run(run_dir, one, two)
    assert end.exit_code == 0
    assert end.wall_s > 0
    assert sorted(log_tail(run_dir).split()) == ["one", "two"]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {}),
        ({"http_proxy": "p"}, {"no_proxy": LOOPBACK, "NO_PROXY": LOOPBACK}),
        ({"HTTPS_PROXY": "p", "NO_PROXY": "a"}, {"no_proxy": f"a,{LOOPBACK}", "NO_PROXY": f"a,{LOOPBACK}"}),
        (
            {"grpc_proxy": "p", "no_proxy": "a", "NO_PROXY": "b", "no_grpc_proxy": "c"},
            {"no_proxy": f"a,{LOOPBACK}", "NO_PROXY": f"a,{LOOPBACK}", "no_grpc_proxy": f"c,{LOOPBACK}"},
        ),
    ],
)
def test_loopback_is_reached_beside_proxies(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], expected: dict[str, str]
) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    listing = (
        "import json, os; print(json.dumps({name: os.environ[name] for name in os.environ if 'no_' in name.lower()}))"
    )
    run(run_dir, python(listing))
    assert json.loads(log_tail(run_dir)) == expected


def test_processes_know_their_run_and_have_no_terminal(run_dir: Path) -> None:
    code = f"import os, sys; print(os.environ[{RUN_VARIABLE!r}], sys.stdin.read() == '', os.getsid(0) == os.getpid())"
    run(run_dir, python(code))
    assert log_tail(run_dir).split() == [run_dir.name, "True", "True"]


def test_first_failure_ends_the_others(run_dir: Path) -> None:
    end = run(run_dir, python(SLEEP), python("import sys; sys.exit(3)", Role.SERVER))
    assert (end.exit_code, end.role) == (3, Role.SERVER)
    assert of_this_run(run_dir) == []


def test_killed_worker_ends_the_others(run_dir: Path) -> None:
    end = run(run_dir, python(SLEEP), python("import os; os.kill(os.getpid(), 9)"))
    assert (end.exit_code, end.role) == (-signal.SIGKILL, Role.WORKER)
    assert of_this_run(run_dir) == []


def test_of_those_that_ended_together_the_killed_one_counts(run_dir: Path) -> None:
    """A worker fails as soon as one that it exchanges with is gone."""
    commands = [python("") for _ in range(3)]
    ended = [SimpleNamespace(poll=partial(int, code)) for code in (0, 1, -9)]
    found = _wait(ended, _Lost(commands, run_dir), Deadline(run_dir, LIMIT_S, stopping_s=0.0), nothing)  # type: ignore[arg-type]
    assert found == (-9, 2)


def test_time_limit_ends_a_hanging_worker(run_dir: Path) -> None:
    end = run(run_dir, python(SLEEP), limit_s=0.5)
    assert end.exit_code is None
    assert end.wall_s >= 0.5
    assert of_this_run(run_dir) == []


def test_worker_that_evaluates_what_it_trained_outlives_the_time_limit(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, evaluated = run_dir / TRAINING_ENDED, run_dir / "evaluated"
    waits = f"while not pathlib.Path({str(evaluated)!r}).exists(): time.sleep(0.01)"
    trained = f"import pathlib, time; pathlib.Path({str(ended)!r}).touch()\n{waits}"
    later_once(ended.exists, monkeypatch)
    assert run(run_dir, python(trained), watch=lambda: ended.exists() and evaluated.touch()).exit_code == 0


def test_worker_deaf_to_sigterm_is_killed_after_the_grace_period(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEP}"
    later_once(lambda: log_tail(run_dir), monkeypatch)
    end = run(run_dir, python(deaf))
    assert end.exit_code is None
    assert log_tail(run_dir) == "deaf\n"
    assert end.wall_s >= LATER_S + GRACE_S
    assert of_this_run(run_dir) == []


def test_what_a_worker_says_as_the_time_limit_ends_it_is_not_in_the_log(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later_once(lambda: log_tail(run_dir), monkeypatch)
    raising = "import signal; signal.signal(signal.SIGTERM, lambda *_: 1 / 0); print('busy', flush=True)"
    end = run(run_dir, python(f"{raising}; {SLEEP}"))
    assert end.exit_code is None
    assert log_tail(run_dir) == "busy\n"


@pytest.mark.parametrize("ending", ["", "; sys.exit(1)"], ids=["ends well", "fails"])
def test_grandchild_in_a_session_of_its_own_is_ended(run_dir: Path, ending: str) -> None:
    path = run_dir / "pid"
    run(run_dir, python(DETACH.format(path=str(path)) + ending))
    child = int(path.read_text())
    wait_until(lambda: is_gone(child), "the grandchild to end")


def test_interruption_ends_everything_and_is_passed_on(run_dir: Path) -> None:
    def interrupt() -> None:
        if log_tail(run_dir):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(run_dir, python(f"print('up', flush=True); {SLEEP}"), watch=interrupt)
    assert of_this_run(run_dir) == []


def test_command_that_cannot_start_ends_those_that_did(run_dir: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run(run_dir, python(SLEEP), LaunchCommand(role=Role.LAUNCHER, argv=["/nowhere/horovodrun"]))
    assert of_this_run(run_dir) == []


def test_command_that_had_only_begun_is_not_waited_for(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment, by which what belongs to a launch is found, comes a moment after it has started."""
    monkeypatch.setattr("harness.launchers.supervisor.end_run", lambda tag: None)
    with pytest.raises(FileNotFoundError):
        run(run_dir, python(SLEEP), LaunchCommand(role=Role.LAUNCHER, argv=["/nowhere/horovodrun"]))


def test_command_on_another_host_is_refused_before_any_starts(run_dir: Path) -> None:
    elsewhere = LaunchCommand(role=Role.SERVER, argv=["true"], host="b")
    with pytest.raises(ValueError, match="host: b for a process started here; allowed: None, this machine"):
        run(run_dir, python("print('started')"), elsewhere)
    assert log_tail(run_dir) == ""


def test_end_run_leaves_other_runs_alone(run_dir: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEP], env={**os.environ, RUN_VARIABLE: "another"}) as other:
        end_run(run_dir.name)
        assert other.poll() is None
        other.kill()


def test_end_run_removes_the_runs_shared_memory() -> None:
    tag = f"test-{os.getpid()}"
    mine, others = Path(f"/dev/shm/hvdbench-{tag}.new"), Path(f"/dev/shm/hvdbench-other-{tag}")
    try:
        mine.touch()
        others.touch()
        end_run(tag)
        assert not mine.exists()
        assert others.exists()
    finally:
        others.unlink()


def test_watch_is_called_while_they_run(run_dir: Path) -> None:
    calls, enough = [], run_dir / "enough"

    def watch() -> None:
        calls.append(threading.current_thread())
        if len(calls) == 5:
            enough.touch()

    waits = f"import pathlib, time\nwhile not pathlib.Path({str(enough)!r}).exists(): time.sleep(0.01)"
    assert run(run_dir, python(waits), watch=watch).exit_code == 0
    assert set(calls) == {threading.main_thread()}


def test_log_tail_is_the_end_of_a_long_log(run_dir: Path) -> None:
    run(run_dir, python("print('x' * 100_000); print('the end')"))
    tail = log_tail(run_dir)
    assert len(tail) == 8192
    assert tail.endswith("the end\n")


PARENT = """
import sys
from pathlib import Path
from harness.suite.cell import Cell
from harness.launchers.hosts import this_machine
from harness.records.results_folder import ResultsFolder
from harness.run.runner import Setting, run_cell
class Watcher:
    def cell_started(self, cell): ...
    def cell_progress(self, share, samples_per_s, loss): print("training", flush=True)
    def cell_ended(self, record): ...
cell = Cell.model_validate({"workload": "fnn", "strategy": "hogwild", "workers": 2, "epochs": 1000000})
run_cell(cell, Setting(suite="a", folder=ResultsFolder(Path(sys.argv[1])), hosts=this_machine()), Watcher())
"""


@pytest.mark.needs_two_cores
def test_workers_end_themselves_when_their_parent_is_killed(tmp_path: Path) -> None:
    """Nobody is left to end them: they see that the lock of the run folder is free."""
    with subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "training\n"
        (run_dir,) = (tmp_path / ".runs").iterdir()
        workers = of_this_run(run_dir)
        assert len(workers) == 2
        parent.kill()
        parent.wait()
    wait_until(lambda: all(map(is_gone, workers)), "the workers to see that their parent is gone")
    assert not list(Path("/dev/shm").glob(f"hvdbench-{run_dir.name}*"))
    assert not list(tmp_path.glob("*.json"))
