"""What an installed Horovod was built with is told from its files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.bootstrap.horovod_library import built_with, horovod_has_nccl, horovod_supports, mpi_library

SAID_ITSELF = r"""
import importlib, re, sys
from pathlib import Path

horovod = importlib.import_module(f"horovod.{sys.argv[1]}")
print(*(name for name in ("gloo", "mpi", "nccl") if getattr(horovod, f"{name}_built")()))
if horovod.mpi_built():
    print(*set(re.findall(r"/(libmpi(?:ch)?\.so\.\d+)", Path("/proc/self/maps").read_text())))
"""


def place_library(site: Path, framework: str, content: bytes) -> None:
    folder = site / "horovod" / framework
    folder.mkdir(parents=True)
    (site / "horovod" / "__init__.py").touch()
    (folder / "mpi_lib_v2.cpython-311-x86_64-linux-gnu.so").write_bytes(content)


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (b"\x7fELF GlooController", ("gloo",)),
        (b"\x7fELF GlooController MPIController libmpi.so.12", ("gloo", "libmpi.so.12", "mpi")),
        (b"\x7fELF MPIController ncclAllReduce libmpi_cxx.so.40 libmpi.so.40", ("libmpi.so.40", "mpi", "nccl")),
        (b"\x7fELF GlooController ncclAllReduce NCCL version 2.28.3+cuda13.0", ("gloo", "nccl", "nccl 2.28.3")),
        (b"", ()),
    ],
)
def test_library_says_what_it_was_built_with(tmp_path: Path, content: bytes, facts: tuple[str, ...]) -> None:
    place_library(tmp_path, "torch", content)
    assert horovod_supports("torch", [str(tmp_path)])
    assert not horovod_supports("tensorflow", [str(tmp_path)])
    assert built_with("torch", [str(tmp_path)]) == facts
    assert horovod_has_nccl("torch", [str(tmp_path)]) == ("nccl" in facts)


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_horovod_of_this_environment_is_known_as_it_says_itself(framework: str) -> None:
    said = subprocess.check_output([sys.executable, "-c", SAID_ITSELF, framework], text=True).split()
    assert sorted(fact for fact in built_with(framework) if not fact.startswith("nccl ")) == sorted(said)
    assert mpi_library(framework) == next((fact for fact in said if fact.startswith("libmpi")), None)


def test_horovod_that_is_not_there_was_built_with_nothing() -> None:
    assert built_with("mxnet") == ()
