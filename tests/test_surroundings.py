"""What surrounds the tests reaches none of them: neither settings of whoever starts them, nor what another one left."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness import extensions
from harness.bootstrap.pins import ROOT
from harness.extensions import WORKLOADS, load_extension
from tests.command import LIMIT_S
from tests.surroundings import leaving_nothing

SETTINGS = {  # of malloc, of Horovod and of OpenMP, and whether workers are pinned
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=7",
    "HOROVOD_CYCLE_TIME": "2",
    "OMP_PROC_BIND": "true",
    "HVDBENCH_PINNING": "off",
}
TOUCHY = (  # tests that would fail by one of them
    "tests/worker/test_process.py::test_freed_memory_is_kept",
    "tests/run/test_launch_settings.py::test_launch_is_recorded_where_it_is_not_this_harness_own_on_this_machine",
    "tests/test_arguments.py::test_read_setting_is_of_the_hosts_and_arguments_given",
)


def test_settings_of_whoever_starts_the_tests_reach_none(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={tmp_path}", *TOUCHY]
    environ = os.environ | SETTINGS | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 0, done.stdout


def test_no_test_leaves_a_users_code_to_the_next(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Neither the folder to import from, nor the module of the file, nor what it imports itself."""
    (tmp_path / "training.py").write_text("import beside_it, package_beside.part\nmake = 1\n")
    (tmp_path / "beside_it.py").touch()
    (tmp_path / "package_beside").mkdir()
    (tmp_path / "package_beside" / "part.py").touch()
    path, modules, loaded = list(sys.path), set(sys.modules), set(extensions._loaded)
    with leaving_nothing():
        load_extension("training.py:make", str(tmp_path), group=WORKLOADS)
        assert str(tmp_path) in sys.path
        assert extensions._loaded > loaded
        assert {"beside_it", "package_beside", "package_beside.part"} < sys.modules.keys()
    assert (sys.path, extensions._loaded) == (path, loaded)
    assert sys.modules.keys() == modules
    assert "nothing_left" in request.fixturenames


def test_what_a_test_imports_from_a_folder_that_it_names_itself_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is looked, the folder may be gone from where modules are found."""
    (tmp_path / "lent.py").touch()
    with leaving_nothing(), monkeypatch.context() as lending:
        lending.syspath_prepend(tmp_path)
        importlib.import_module("lent")
    assert "lent" not in sys.modules


def test_no_test_leaves_its_threads_to_the_next() -> None:
    before = torch.get_num_threads()
    with leaving_nothing():
        torch.set_num_threads(before + 1)
    assert torch.get_num_threads() == before
