"""What an installed Horovod was built with is told from its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bootstrap.horovod_library import built_with, horovod_has_nccl, horovod_supports, mpi_library


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


def test_horovod_of_this_environment_has_both_controllers() -> None:
    assert built_with("torch") == built_with("tensorflow") == ("gloo", "libmpi.so.40", "mpi")
    assert mpi_library("torch") == "libmpi.so.40"
    assert built_with("mxnet") == ()
