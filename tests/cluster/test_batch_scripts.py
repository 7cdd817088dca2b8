"""What suites/cluster has for batch systems: each script starts `hvdbench run`, which takes its hosts from the job."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.command import hvdbench, write_suite

SCRIPTS = Path(__file__).parents[2] / "suites" / "cluster"
TWO_HOSTS = "{workload: fnn, strategy: allreduce, workers: 4, hosts: 2}"
LISTED = "cn042\ncn042\ncn043\ncn043\n"


@pytest.fixture
def bin_with_hvdbench(tmp_path: Path) -> Path:
    """A folder with a command of that name which says where and how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "hvdbench"
    command.write_text('#!/bin/sh\necho "$PWD: $*"\n')
    command.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("script", "arguments", "environ", "expected"),
    [
        ("slurm.sh", [], {}, "run suites/cluster.yaml"),
        ("slurm.sh", ["s.yaml", "--only", "workers=2"], {}, "run s.yaml --only workers=2"),
        ("lsf.sh", [], {}, "run suites/cluster.yaml"),
        ("lsf.sh", [], {"SUITE": "s.yaml"}, "run s.yaml"),
    ],
)
def test_script_runs_the_suite_where_it_was_submitted(
    bin_with_hvdbench: Path, tmp_path: Path, script: str, arguments: list[str], environ: dict[str, str], expected: str
) -> None:
    path = f"{bin_with_hvdbench}{os.pathsep}{os.environ['PATH']}"
    argv = ["bash", str(SCRIPTS / script), *arguments]
    done = subprocess.run(argv, cwd=tmp_path, env={"PATH": path, **environ}, capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path}: {expected}\n"


def test_script_of_pbs_goes_where_it_was_submitted_first(bin_with_hvdbench: Path, tmp_path: Path) -> None:
    """PBS starts a script in the home folder, without the PATH of the shell that submitted it."""
    environ = {"PATH": os.environ["PATH"], "PBS_O_WORKDIR": str(tmp_path), "PBS_O_PATH": str(bin_with_hvdbench)}
    argv = ["bash", str(SCRIPTS / "pbs.sh")]
    done = subprocess.run(argv, cwd="/", env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path}: run suites/cluster.yaml\n"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"PBS_JOBID": "12.pbs", "PBS_NODEFILE": "{listed}"}, "cn042:2, cn043:2 of PBS job 12.pbs (PBS_NODEFILE)"),
        ({"LSB_JOBID": "12", "LSB_MCPU_HOSTS": "a 2 b 2"}, "a:2, b:2 of LSF job 12 (LSB_MCPU_HOSTS)"),
        ({"LSB_JOBID": "12", "LSB_DJOB_HOSTFILE": "{listed}"}, "cn042:2, cn043:2 of LSF job 12 (LSB_DJOB_HOSTFILE)"),
    ],
)
def test_run_takes_the_hosts_of_the_job_and_says_so(tmp_path: Path, environ: dict[str, str], said: str) -> None:
    listed, suite = tmp_path / "listed", write_suite(tmp_path / "s.yaml", TWO_HOSTS)
    listed.write_text(LISTED)
    job = {name: value.format(listed=listed) for name, value in environ.items()}
    code, _, errors = hvdbench("run", suite, "--dry-run", environ=job)
    assert (code, errors) == (0, f"hvdbench: hosts: {said}\n")
    code, _, errors = hvdbench("run", suite, "--dry-run", "-H", "a:2,b:2", environ=job)
    assert (code, errors) == (0, "")


def test_run_of_more_workers_than_the_job_has_slots_is_refused(tmp_path: Path) -> None:
    job = {"LSB_JOBID": "12", "LSB_MCPU_HOSTS": "a 2 b 2"}
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: allreduce, workers: 6, hosts: 2}")
    code, _, errors = hvdbench("run", suite, "--dry-run", environ=job)
    assert code == 2
    assert "workers: 3 on a; allowed: up to its 2 slots" in errors
