"""Every edit applies to the release itself, and the build reads no variable that a wheel's key does not know of."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from harness.bootstrap.horovod_options import OPTIONS
from harness.bootstrap.horovod_source import EDITS, UNSEEN_EDITS, unpack_edited
from harness.bootstrap.horovod_wheel import kept_source

pytestmark = pytest.mark.needs_horovod_source


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_edited(kept_source(os.environ), tmp_path_factory.mktemp("source"))


@pytest.mark.parametrize(("name", "replacement"), [(name, new) for name, _, new, _ in (*EDITS, *UNSEEN_EDITS) if new])
def test_release_is_edited(source: Path, name: str, replacement: str) -> None:
    assert replacement in (source / name).read_text()


def test_nccl_is_looked_for_as_pip_installs_it(source: Path) -> None:
    text = (source / "cmake" / "Modules" / "FindNCCL.cmake").read_text()
    assert text.count('"libnccl.so.2"') == 2
    assert text.index("import nvidia.nccl") < text.index("list(APPEND NCCL_ROOT ${HOROVOD_NCCL_HOME}")


def test_stream_of_a_device_is_defined_after_its_type(source: Path) -> None:
    text = (source / "horovod" / "tensorflow" / "mpi_ops.cc").read_text()
    assert text.count("AsGpuStreamValue(Stream* stream)") == 1
    assert text.index("stream_executor/stream.h") < text.index("AsGpuStreamValue(Stream* stream)")


def test_options_are_all_that_the_source_reads(source: Path) -> None:
    """But for what is built in, of which `Target` decides the WITH."""
    files = [source / "CMakeLists.txt", *source.glob("cmake/**/*"), *source.glob("horovod/*/CMakeLists.txt")]
    text = "".join(path.read_text(errors="replace") for path in files if path.is_file())
    read = set(re.findall(r"(?:ENV\{|environ\.get\(')(HOROVOD_\w+)", text))
    assert len(read) > 20
    assert {name for name in read - set(OPTIONS) if not re.match("HOROVOD_WITH(OUT)?_", name)} == set()
