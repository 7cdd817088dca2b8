"""Horovod gets into an environment that is there, and nothing else of it changes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from harness.bootstrap import checks, horovod_wheel, keeping
from harness.bootstrap.checks import SetupError
from harness.bootstrap.keeping import InstalledEnvironment, set_up_keeping
from tests.bootstrap.test_cuda_fit import OF_13, place_distribution, place_framework
from tests.bootstrap.test_horovod_library import place_library
from tests.bootstrap.test_horovod_wheel import archive, sound_files
from tests.release.installed import make_environment

THERE = {"torch": "2.11.0+cu130", "numpy": "1.26.4", "nvidia-nccl-cu13": "2.28", "packaging": "24.0"}
NEEDS = {"cffi": "1.17", "cloudpickle": "3.0.0"}
# Stands where the environment's Python stands: what compiles is left out, what installs is pip's.
PYTHON = """#!/bin/sh
echo "$*" >> {folder}/calls
case "$*" in
  *"pip download"*)
      while [ "$1" != -d ]; do shift; done; cp {folder}/archive.tar.gz "$2"/horovod-0.28.1.tar.gz ;;
  *"--target"*) [ -z "$PYTHONPATH$PIP_CONSTRAINT" ] ;;
  *"pip wheel"*) while [ "$1" != -w ]; do shift; done; mkdir -p "$2"; cp {folder}/built/*.whl "$2" ;;
  *"pip install"*) shift 2; exec {real} -m pip --python {python} "$@" ;;
  *) exec {real} "$@" ;;
esac
"""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InstalledEnvironment:
    """A real one, whose packages are names and versions alone."""
    python = make_environment(Path(sys.executable), tmp_path / "venv")
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    for name, version in (THERE | NEEDS).items():
        place_distribution(site, name, version)
    content = archive(tmp_path, sound_files())
    monkeypatch.setattr(horovod_wheel, "SHA256", hashlib.sha256(content).hexdigest())
    place_library(tmp_path / "tree", "torch", b"GlooController")
    place_distribution(tmp_path / "tree", "horovod", "0.28.1")
    (tmp_path / "tree" / "horovod-0.28.1.dist-info" / "WHEEL").write_text(
        "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    (tmp_path / "built").mkdir()
    pack = [sys.executable, "-m", "wheel", "pack", "-d", tmp_path / "built", tmp_path / "tree"]
    subprocess.run(pack, check=True, capture_output=True)
    return InstalledEnvironment(
        python=tool(tmp_path / "python", PYTHON, folder=tmp_path, real=sys.executable, python=python),
        site=site,
        path=(str(site),),
    )


def tool(path: Path, text: str, **values: object) -> Path:
    path.write_text(text.format(**values))
    path.chmod(0o755)
    return path


def environ(folder: Path) -> dict[str, str]:
    (folder / "bin").mkdir(exist_ok=True)
    for name in ("strip", "patchelf"):
        tool(folder / "bin" / name, "#!/bin/sh\n")
    return {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "HVDBENCH_CACHE": str(folder / "cache")}


def listed(environment: InstalledEnvironment) -> dict[str, str]:
    return {each.metadata["Name"]: each.version for each in metadata.distributions(path=list(environment.path))}


def test_horovod_alone_comes_into_an_environment(environment: InstalledEnvironment, tmp_path: Path) -> None:
    before, of_an_image = listed(environment), {"PYTHONPATH": "/a/module", "PIP_CONSTRAINT": "/etc/pip/constraint.txt"}
    set_up_keeping(environment, environ(tmp_path) | of_an_image)
    assert listed(environment) == before | {"horovod": "0.28.1"}
    assert before["torch"] == "2.11.0+cu130"


def test_horovod_that_is_there_is_used_as_it_is(
    environment: InstalledEnvironment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place_library(environment.site, "torch", b"GlooController MPIController libmpi.so.40")
    set_up_keeping(environment, environ(tmp_path))
    assert "horovod for torch is there and used as it is: gloo, libmpi.so.40, mpi" in capsys.readouterr().out
    assert not (tmp_path / "calls").exists()


def test_misspelt_operations_are_refused_where_a_horovod_is_there(
    environment: InstalledEnvironment, tmp_path: Path
) -> None:
    place_library(environment.site, "torch", b"GlooController")
    with pytest.raises(SetupError, match="HOROVOD_GPU_OPERATIONS=nccl: no such operations; allowed: NCCL, MPI"):
        set_up_keeping(environment, environ(tmp_path) | {"HOROVOD_GPU_OPERATIONS": "nccl"})


def test_horovod_of_one_framework_is_said_to_give_way_to_one_for_both(
    environment: InstalledEnvironment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place_library(environment.site, "torch", b"GlooController")
    place_distribution(environment.site, "tensorflow", "2.21rc0")  # a pre-release, whose numbers are two
    (environment.site / "half_removed-1.0.dist-info").mkdir()  # has no name
    set_up_keeping(environment, environ(tmp_path))
    said = capsys.readouterr().out
    assert "horovod for torch is there and gives way to one for torch and tensorflow: gloo" in said
    assert "as it is" not in said


def test_cached_wheel_is_installed_without_a_compiler_or_disk_to_build(
    environment: InstalledEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up_keeping(environment, environ(tmp_path))
    shutil.rmtree(environment.site / "horovod")
    monkeypatch.setattr(horovod_wheel, "lacking_to_compile", lambda cxx: ["g++ is missing"])
    monkeypatch.setattr(checks, "NEEDED_TO_BUILD_BYTES", 10**18)
    set_up_keeping(environment, environ(tmp_path))
    assert (environment.site / "horovod" / "torch").is_dir()


def test_second_environment_of_the_same_versions_takes_the_cached_wheel(
    environment: InstalledEnvironment, tmp_path: Path
) -> None:
    set_up_keeping(environment, environ(tmp_path))
    set_up_keeping(environment, environ(tmp_path))  # has it by now
    calls = (tmp_path / "calls").read_text()
    assert calls.count("pip wheel") == 1
    assert "tensorflow" not in calls


def test_wheel_for_another_build_of_the_same_version_is_not_taken(
    environment: InstalledEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "find_toolkit", lambda environ: None)
    place_framework(environment.site, "torch", "13.0")
    set_up_keeping(environment, environ(tmp_path))
    for path in (environment.site / "horovod", environment.site / "torch"):
        shutil.rmtree(path)
    place_framework(environment.site, "torch", None)
    set_up_keeping(environment, environ(tmp_path))
    assert (tmp_path / "calls").read_text().count("pip wheel") == 2


def remove_frameworks(environment: InstalledEnvironment) -> None:
    (environment.site / "torch-2.11.0+cu130.dist-info").rename(environment.site / "none")


def add_tensorflow_beside_nccl(environment: InstalledEnvironment) -> None:
    place_library(environment.site, "torch", b"GlooController ncclAllReduce")
    place_distribution(environment.site, "tensorflow", "2.21.0")


def add_tensorflow_beside_mpi(environment: InstalledEnvironment) -> None:
    place_library(environment.site, "torch", b"GlooController MPIController libmpi.so.40")
    place_distribution(environment.site, "tensorflow", "2.21.0")


def make_torch_old(environment: InstalledEnvironment) -> None:
    folder = environment.site / "torch-2.11.0+cu130.dist-info"
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.0.1\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (remove_frameworks, "has neither torch nor tensorflow: install one of them there"),
        (make_torch_old, r"torch 2\.0\.1 is older than 2\.3, the oldest that will do: upgrade it"),
        (
            add_tensorflow_beside_nccl,
            r"has NCCL and nothing for tensorflow.*HOROVOD_GPU_OPERATIONS=NCCL hvdbench setup",
        ),
        (
            add_tensorflow_beside_mpi,
            r"has MPI and nothing for tensorflow.*its mpicxx is on the PATH, or .* HOROVOD_WITHOUT_MPI=1 hvdbench",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_changed(
    environment: InstalledEnvironment, tmp_path: Path, change: Callable[[InstalledEnvironment], None], said: str
) -> None:
    change(environment)
    with pytest.raises(SetupError, match=said):
        set_up_keeping(environment, environ(tmp_path))
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("given", [{"PATH": "module:/usr/bin:/bin"}, {"HOROVOD_WITHOUT_MPI": "1"}])
def test_mpi_is_kept_where_its_compiler_is_and_given_up_where_that_is_asked_for(
    environment: InstalledEnvironment,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str],
) -> None:
    add_tensorflow_beside_mpi(environment)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "module").mkdir()
    tool(tmp_path / "module" / "mpicxx", "#!/bin/sh\n")
    tool(tmp_path / "module" / "strip", "#!/bin/sh\n")
    set_up_keeping(environment, environ(tmp_path) | given)
    said = capsys.readouterr().out
    assert "horovod for torch is there and gives way to one for torch and tensorflow: gloo, libmpi.so.40, mpi" in said
    assert "Gloo alone is built" not in said


FOR_GPUS = {"HOROVOD_GPU_OPERATIONS": "NCCL"}


def test_horovod_without_nccl_gives_way_to_one_that_is_asked_for(
    environment: InstalledEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "find_toolkit", lambda environ: OF_13)
    place_framework(environment.site, "torch", "13.0")
    place_library(environment.site, "torch", b"GlooController")
    set_up_keeping(environment, environ(tmp_path) | FOR_GPUS)
    assert "pip wheel" in (tmp_path / "calls").read_text()


def test_frameworks_for_two_cudas_are_refused_before_anything_is_changed(
    environment: InstalledEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "find_toolkit", lambda environ: OF_13)
    place_distribution(environment.site, "tensorflow", "2.21.0")
    for framework, cuda in (("torch", "13.0"), ("tensorflow", "12.5.1")):
        place_framework(environment.site, framework, cuda)
    with pytest.raises(SetupError, match=r"nothing was changed:\n  - torch==.* for CUDA 12.5.1 are in one environment"):
        set_up_keeping(environment, environ(tmp_path) | FOR_GPUS)
    assert not (tmp_path / "calls").exists()


def test_places_that_do_not_take_it_are_refused(
    environment: InstalledEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path != environment.site)  # root may write anywhere
    monkeypatch.setattr(checks, "NEEDED_TO_BUILD_BYTES", 10**18)
    with pytest.raises(SetupError, match="site-packages is read-only: make an environment on top") as caught:
        set_up_keeping(environment, environ(tmp_path))
    assert "GiB free, set-up needs 931322574.6 GiB" in str(caught.value)
    assert not (tmp_path / "calls").exists()


def test_cache_that_cannot_be_written_to_is_refused_before_anything_is_built(
    environment: InstalledEnvironment, tmp_path: Path
) -> None:
    with pytest.raises(SetupError, match="/proc/1 cannot be written to: HVDBENCH_CACHE=<a folder that can>"):
        set_up_keeping(environment, environ(tmp_path) | {"HVDBENCH_CACHE": "/proc/1/hvdbench"})
    assert not (tmp_path / "calls").exists()
