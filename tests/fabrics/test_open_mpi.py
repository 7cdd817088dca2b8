"""What Open MPI does while it waits, as it says itself in a process that runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.fabrics.horovod import YIELDS
from harness.launchers.horovodrun import mpirun

_ASK = (
    "from pathlib import Path; from harness.fabrics.open_mpi import yields_when_idle; import horovod.torch as hvd;"
    "hvd.init(); assert hvd.mpi_enabled();"
    "Path.home().joinpath(f'{hvd.rank()}.said').write_text(f'{yields_when_idle()}'); hvd.shutdown()"
)
_LOAD = "import ctypes, horovod.torch; ctypes.c_bool.in_dll(ctypes.CDLL(None), 'opal_progress_yield_when_idle');"


def said(options: list[str], environ: dict[str, str], home: Path) -> list[str]:
    """By two processes of one launch, which nobody but these tells anything; in files, since mpirun mixes lines."""
    started = [str(mpirun()), "--allow-run-as-root", *options, "-np", "2", sys.executable, "-c", _ASK]
    untold = {name: value for name, value in os.environ.items() if not name.startswith("OMPI_")}
    told = {**untold, "HOME": str(home), **environ}
    done = subprocess.run(started, env=told, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return [home.joinpath(f"{rank}.said").read_text() for rank in range(2)]


@pytest.mark.needs_open_mpi
@pytest.mark.parametrize(
    ("slots", "environ", "in_force"),
    [
        (2, {}, False),  # the default, of which no variable tells
        (1, {}, True),  # of itself, where it is oversubscribed
        (2, {YIELDS: "1"}, True),
    ],
)
def test_open_mpi_that_runs_says_whether_it_yields(
    tmp_path: Path, slots: int, environ: dict[str, str], in_force: bool
) -> None:
    options = ["--host", f"localhost:{slots}", *(["--oversubscribe"] if slots == 1 else [])]
    assert said(options, environ, tmp_path) == [str(in_force)] * 2


@pytest.mark.needs_open_mpi
def test_open_mpi_says_what_a_file_has_told_it(tmp_path: Path) -> None:
    """In the home, where no variable tells of it."""
    (tmp_path / ".openmpi").mkdir()
    (tmp_path / ".openmpi" / "mca-params.conf").write_text("mpi_yield_when_idle = 1\n")
    assert said(["--host", "localhost:2"], {}, tmp_path) == ["True"] * 2


@pytest.mark.parametrize("before", ["", pytest.param(_LOAD, marks=pytest.mark.needs_open_mpi)])
def test_process_whose_mpi_has_not_started_says_nothing(before: str) -> None:
    """What its library holds then, where that is loaded and there to be read, is what it was built with."""
    asked = f"{before}from harness.fabrics.open_mpi import yields_when_idle; print(yields_when_idle())"
    assert subprocess.check_output([sys.executable, "-c", asked], text=True) == "None\n"
