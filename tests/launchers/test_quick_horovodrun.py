"""horovodrun answers as itself, imports no framework, and leaves word of why it gave up."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command import LIMIT_S

QUICK = ["-m", "harness.launchers.quick_horovodrun"]
PROBE = """
import sys
from horovod.common import util
from horovod.runner import launch

def refuse(*_): raise AssertionError("a framework was asked")

util._check_extension_lambda = refuse
launch.run_commandline = lambda: [
    launch.run_controller(True, lambda: print("gloo"), False, None, False, None, None),
    launch.run_controller(False, None, True, lambda: print("mpi"), False, None, None),
]
from harness.launchers.quick_horovodrun import main
main()
print({"torch", "tensorflow"} & set(sys.modules))
"""


NOTES = """
import sys
from pathlib import Path
from horovod.runner import launch
from horovod.runner.util import cache

launch.CACHE_FOLDER = sys.argv[1]
launch.run_commandline = lambda: None
from harness.launchers.quick_horovodrun import main
main()
notes = cache.Cache(launch.CACHE_FOLDER, 60, "of a launch")
with Path(launch.CACHE_FOLDER, "cache.bin").open("rb") as read_by_another:
    whole = read_by_another.read()
    notes.put("a host", True)
    read_by_another.seek(0)
    print(read_by_another.read() == whole, cache.Cache(launch.CACHE_FOLDER, 60, "of a launch").get("a host"))
"""


def run(*argv: str | Path, home: str | None = None) -> subprocess.CompletedProcess[str]:
    argv_here = [sys.executable, *map(str, argv)]
    environ = {**os.environ, **({} if home is None else {"HOME": home})}
    return subprocess.run(argv_here, env=environ, capture_output=True, text=True, check=False, timeout=LIMIT_S)


def test_it_is_horovodrun(tmp_path: Path) -> None:
    assert run(*QUICK, tmp_path, "--version").stdout.strip() == "0.28.1"
    assert not list(tmp_path.iterdir())


def test_no_framework_is_imported_to_learn_what_was_built(tmp_path: Path) -> None:
    assert run("-c", PROBE, tmp_path).stdout.split() == ["gloo", "mpi", "set()"]


def test_host_that_ssh_does_not_reach_is_named(tmp_path: Path) -> None:
    """Nobody listens on port 1 of an address that horovodrun does not know as this machine's."""
    refused = ["-H", "127.0.0.2:1", "--ssh-port", "1", "--disable-cache"]
    done = run(*QUICK, tmp_path, "-np", "1", *refused, "--gloo", "true")
    assert done.returncode == 1
    reason = (tmp_path / "error-horovodrun").read_text()
    assert reason.startswith("horovodrun: ssh not successful for host 127.0.0.2: ")
    assert "\n" not in reason


def test_command_that_fails_is_told_with_its_exit_code(tmp_path: Path) -> None:
    done = run(*QUICK, tmp_path, "-np", "1", "-H", "localhost:1", "--gloo", "false")
    assert done.returncode == 1
    assert (tmp_path / "error-horovodrun").read_text().endswith("Exit code: 1")


@pytest.mark.parametrize(("signal", "exit_code"), [("KILL", 137), ("BUS", 135)])
def test_exit_code_tells_by_which_signal_a_command_was_killed(tmp_path: Path, signal: str, exit_code: int) -> None:
    script = tmp_path / "killed.sh"
    script.write_text(f"kill -{signal} $$")
    done = run(*QUICK, tmp_path, "-np", "1", "-H", "localhost:1", "--gloo", "sh", script)
    assert done.returncode == exit_code
    assert "Exit code: " in done.stderr


def test_home_that_is_read_only_is_no_obstacle(tmp_path: Path) -> None:
    done = run(*QUICK, tmp_path, "-np", "1", "-H", "localhost:1", "--gloo", "true", home="/proc/1")
    assert (done.returncode, list(tmp_path.iterdir())) == (0, [])


def test_notes_of_a_home_are_never_half_written(tmp_path: Path) -> None:
    """Another launch that reads them meanwhile has them as they were."""
    assert run("-c", NOTES, tmp_path).stdout.split() == ["True", "True"]


def test_notes_that_a_killed_launch_was_writing_are_cleared(tmp_path: Path) -> None:
    """Once they are an hour old: a younger one may be under way."""
    for name, age_s in {".cache.bin.7": 3601, ".cache.bin.8": 3500}.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    assert run("-c", NOTES, tmp_path).stdout.split() == ["True", "True"]
    assert {path.name for path in tmp_path.iterdir()} == {".cache.bin.8", "cache.bin"}
