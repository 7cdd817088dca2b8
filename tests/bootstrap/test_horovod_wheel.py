"""The build refuses an archive that is not the one it knows, before anything is compiled."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from harness.bootstrap import horovod_wheel
from harness.bootstrap.checks import SetupError
from harness.bootstrap.horovod_options import OPTIONS
from harness.bootstrap.horovod_source import EDITS, SHA256, UNSEEN_EDITS
from harness.bootstrap.horovod_wheel import build_wheel, cached_wheel, kept_source, pinned_target, run, wheel_dir
from harness.bootstrap.pins import load_pins
from harness.bootstrap.toolkit import Toolkit

PINS = load_pins()
# Stands where the environment's Python stands, "downloads" the archive beside it, and compiles what is in it as CMake
# does, if anything is.
FAKE_PYTHON = """#!/bin/sh
case "$*" in
  *"pip download"*) while [ "$1" != -d ]; do shift; done; cp {archive} "$2"/horovod-0.28.1.tar.gz ;;
  *"pip wheel"*)
      while [ $# -gt 1 ]; do shift; done
      [ ! -e "$1/code.cc" ] || {{ mkdir "$1/build" && cd "$1/build" && ccache g++ -c "$1/code.cc" -I"$1"; }}
      exit 9 ;;
  *) echo "unexpected: $*"; exit 8 ;;
esac
"""


def archive(folder: Path, files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"horovod-0.28.1/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    (folder / "archive.tar.gz").write_bytes(buffer.getvalue())
    return buffer.getvalue()


def sound_files() -> dict[str, str]:
    files: dict[str, str] = {}
    for name, text, _, count in (*EDITS, *UNSEEN_EDITS):
        files[name] = files.get(name, "") + f"{text}\n" * count
    return files


def build(folder: Path) -> Path:
    python = folder / "python"
    python.write_text(FAKE_PYTHON.format(archive=folder / "archive.tar.gz"))
    python.chmod(0o755)
    environ = {
        "HVDBENCH_CACHE": str(folder / "cache"),
        "PATH": os.environ["PATH"],
        "CCACHE_DIR": str(folder / "ccache"),
    }
    return build_wheel(pinned_target(PINS, python, None), environ, folder / "log")


def test_archive_with_another_hash_is_refused(tmp_path: Path) -> None:
    content = archive(tmp_path, sound_files())
    with pytest.raises(SetupError) as caught:
        build(tmp_path)
    assert f"SHA-256 is {hashlib.sha256(content).hexdigest()}" in str(caught.value)
    assert SHA256 in str(caught.value)
    assert list((tmp_path / "cache").rglob("*.whl")) == []


@pytest.mark.parametrize("edit", [*EDITS, *UNSEEN_EDITS], ids=lambda edit: edit[0])
@pytest.mark.parametrize("times", [0, 2])
def test_archive_in_which_a_text_to_edit_stands_otherwise_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: tuple[str, str, str, int], times: int
) -> None:
    name, text, _, _ = edit
    files = sound_files()
    files[name] = files[name].replace(f"{text}\n", f"{text}\n" * times)
    monkeypatch.setattr(horovod_wheel, "SHA256", hashlib.sha256(archive(tmp_path, files)).hexdigest())
    with pytest.raises(SetupError, match="another Horovod release") as caught:
        build(tmp_path)
    assert f"found {times}" in str(caught.value)


def test_sound_archive_is_edited_and_goes_on_to_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(horovod_wheel, "SHA256", hashlib.sha256(archive(tmp_path, sound_files())).hexdigest())
    with pytest.raises(SetupError, match=r"building horovod failed \(exit 9\)"):
        build(tmp_path)


def test_archive_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(horovod_wheel, "SHA256", hashlib.sha256(archive(tmp_path, sound_files())).hexdigest())
    for _ in range(2):
        with pytest.raises(SetupError, match="building horovod failed"):
            build(tmp_path)
        (tmp_path / "archive.tar.gz").unlink(missing_ok=True)  # from now on there is none to be had
    assert kept_source({"HVDBENCH_CACHE": str(tmp_path / "cache")}).exists()


BUILDING = """
import json, sys
from pathlib import Path
from harness.bootstrap.horovod_wheel import build_wheel, pinned_target
from harness.bootstrap.pins import load_pins
folder = Path(sys.argv[1])
build_wheel(pinned_target(load_pins(), folder / "python", None), json.loads(sys.argv[2]), folder / "log")
"""


def test_what_a_killed_build_leaves_goes_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first step kills the process that builds."""
    temporary, killing = tmp_path / "temporary", tmp_path / "killing"
    temporary.mkdir()
    killing.mkdir()
    (killing / "python").write_text("#!/bin/sh\nkill -KILL $PPID\n")
    (killing / "python").chmod(0o755)
    given = json.dumps({"HVDBENCH_CACHE": str(tmp_path / "cache")})
    killed = subprocess.run(
        [sys.executable, "-c", BUILDING, killing, given],
        env={"PYTHONPATH": ":".join(sys.path), "TMPDIR": str(temporary)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(list(temporary.iterdir())) == 1
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    archive(tmp_path, sound_files())
    with pytest.raises(SetupError, match="SHA-256"):
        build(tmp_path)
    assert list(temporary.iterdir()) == []


@pytest.mark.needs_ccache
def test_second_build_finds_in_ccache_what_the_first_one_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its folder is another one, as are those in the compiler's command and in what it reads."""
    files = sound_files() | {"code.h": "int one();\n", "code.cc": '#include "code.h"\nint one() { return 1; }\n'}
    monkeypatch.setattr(horovod_wheel, "SHA256", hashlib.sha256(archive(tmp_path, files)).hexdigest())
    for hits in (0, 1):
        with pytest.raises(SetupError, match=r"building horovod failed \(exit 9\)"):
            build(tmp_path)
        assert ccache_hits(tmp_path / "ccache") == hits


def ccache_hits(folder: Path) -> int:
    ask = ["ccache", "--print-stats"]
    done = subprocess.run(
        ask, env={**os.environ, "CCACHE_DIR": str(folder)}, capture_output=True, text=True, check=True
    )
    found = dict(line.split("\t") for line in done.stdout.splitlines())
    return int(found["direct_cache_hit"]) + int(found["preprocessed_cache_hit"])


def test_wheel_is_cached_by_all_that_shapes_it(tmp_path: Path) -> None:
    environ = {"HVDBENCH_CACHE": str(tmp_path)}
    target = pinned_target(PINS, tmp_path / "bin" / "python", None)
    folder = wheel_dir(target, environ)
    assert cached_wheel(target, environ) is None
    folder.mkdir(parents=True)
    (folder / "horovod-0.28.1-x.whl").touch()
    assert cached_wheel(target, environ) == folder / "horovod-0.28.1-x.whl"
    assert cached_wheel(replace(target, frameworks=("torch==2.14.0",)), environ) is None
    assert cached_wheel(replace(target, shaped_by=("Open MPI 5",)), environ) is None
    assert cached_wheel(replace(target, mpi=None), environ) is None
    assert cached_wheel(replace(target, abi="cpython-399-x86_64-linux-gnu"), environ) is None
    another_toolkit = Toolkit(home=tmp_path, release="99.0")
    assert cached_wheel(replace(target, toolkit=another_toolkit), environ) is None


@pytest.mark.parametrize("name", [*OPTIONS, "CXX", "CXXFLAGS", "CUDA_HOME", "CMAKE_PREFIX_PATH", "CPATH"])
def test_wheel_is_cached_by_each_variable_that_acts_on_its_build(tmp_path: Path, name: str) -> None:
    environ = {"HVDBENCH_CACHE": str(tmp_path)}
    target = pinned_target(PINS, tmp_path / "bin" / "python", Toolkit(home=tmp_path, release="13.0"))
    plain = wheel_dir(target, environ)
    assert wheel_dir(target, {**environ, name: "1"}) not in (plain, wheel_dir(target, {**environ, name: "2"}))
    assert wheel_dir(target, {**environ, name: ""}) == plain
    assert wheel_dir(target, {**environ, "HOROVOD_CYCLE_TIME": "5"}) == plain  # acts when Horovod runs


@pytest.mark.parametrize(("release", "is_another"), [("13.0", True), (None, False)])
def test_wheel_beside_pytorch_for_cuda_is_another_where_a_toolkit_is(
    tmp_path: Path, release: str | None, is_another: bool
) -> None:
    """There Horovod is built for CUDA unasked, and does not import beside the same version for CPUs."""
    toolkit = None if release is None else Toolkit(home=tmp_path, release=release)
    target = pinned_target(PINS, tmp_path / "python", toolkit)
    environ = {"HVDBENCH_CACHE": str(tmp_path)}
    beside_cuda = replace(target, is_beside_cuda=True)
    assert (wheel_dir(beside_cuda, environ) != wheel_dir(target, environ)) is is_another


def test_toolkit_is_named_to_horovod_and_to_pytorch(tmp_path: Path) -> None:
    target = pinned_target(PINS, tmp_path / "python", Toolkit(home=tmp_path, release="13.0"))
    reaching = target.environ({})
    assert reaching["CUDA_HOME"] == reaching["HOROVOD_CUDA_HOME"] == str(tmp_path)
    assert reaching["HOROVOD_NCCL_LINK"] == "SHARED"


def test_build_goes_by_the_mpi_of_its_target_whatever_modules_are_loaded(tmp_path: Path) -> None:
    """CMake asks MPI_ROOT first."""
    target = pinned_target(PINS, tmp_path / "bin" / "python", None)
    assert target.environ({"I_MPI_ROOT": "/intel", "MPI_ROOT": "/module"})["MPI_ROOT"] == str(tmp_path)
    assert "MPI_ROOT" not in replace(target, mpi=None).environ({})


def test_build_takes_the_cores_that_it_may_run_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a machine of hundreds a batch job may have three, and the memory for three compilers."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 5, 9})
    assert pinned_target(PINS, tmp_path / "python", None).environ({"MAKEFLAGS": "-j1"})["MAKEFLAGS"] == "-j3"


def test_build_sees_packages_of_a_module_where_its_framework_may_be_one_alone(tmp_path: Path) -> None:
    given = {"PYTHONPATH": "/module/site-packages", "PIP_CONSTRAINT": "/etc/pip/of-the-image.txt"}
    pinned = pinned_target(PINS, tmp_path / "python", None)
    assert not given.keys() & pinned.environ(given).keys()
    keeping = replace(pinned, tools=tmp_path / "tools")
    assert keeping.environ(given)["PYTHONPATH"] == f"{tmp_path / 'tools'}:/module/site-packages"
    assert keeping.environ({})["PYTHONPATH"] == str(tmp_path / "tools")
    assert "PIP_CONSTRAINT" not in keeping.environ(given)


def test_name_of_what_is_no_toolkit_does_not_reach_the_build(tmp_path: Path) -> None:
    target = pinned_target(PINS, tmp_path / "python", None)
    stale = {"HVDBENCH_CACHE": str(tmp_path), "CUDA_HOME": "/stale", "HOROVOD_CUDA_HOME": "/stale"}
    assert not {"CUDA_HOME", "HOROVOD_CUDA_HOME"} & target.environ(stale).keys()
    assert wheel_dir(target, stale) == wheel_dir(target, {"HVDBENCH_CACHE": str(tmp_path)})


def test_failed_step_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as caught:
        run(["sh", "-c", "echo No matching distribution found; exit 3"], "doing it", tmp_path / "log")
    assert "doing it failed (exit 3)" in str(caught.value)
    assert "No matching distribution found" in str(caught.value)
    assert "Is there a network" in str(caught.value)
