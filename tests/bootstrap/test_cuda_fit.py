"""A Horovod that would not import is refused before it is compiled, with what to take instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bootstrap.cuda_fit import build_of, cuda_obstacles, cuda_of, installed_nccl, toolkit_obstacle
from harness.bootstrap.toolkit import Toolkit

FOR_GPUS = {"HOROVOD_GPU_OPERATIONS": "NCCL"}
TORCH = {"torch": "torch==2.13.0"}
TENSORFLOW = {"tensorflow": "tensorflow==2.21.0"}
OF_13 = Toolkit(home=Path("/opt/cuda"), release="13.0")


def place_framework(site: Path, framework: str, cuda: str | None) -> None:
    """As its package says what it was built for."""
    if framework == "torch":
        place, text = (
            site / "torch",
            f"__version__ = '2.13.0'\ncuda: Optional[str] = {cuda!r}\nhip: Optional[str] = None\n",
        )
        name = "version.py"
    else:
        place, name = site / "tensorflow" / "python" / "platform", "build_info.py"
        version = f"('cuda_version', {cuda!r}), " if cuda else ""
        text = f"build_info = collections.OrderedDict([{version}('is_cuda_build', {bool(cuda)})])\n"
    place.mkdir(parents=True)
    (site / framework / "__init__.py").touch()
    (place / name).write_text(text)


def place_distribution(site: Path, name: str, version: str) -> None:
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"  # as wheels write it; pip of 3.13 reads it
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "RECORD").touch()


def obstacles(
    site: Path, frameworks: dict[str, str], environ: dict[str, str], toolkit: Toolkit | None = OF_13
) -> list[str]:
    return cuda_obstacles(frameworks, [str(site)], toolkit, environ)


def test_framework_says_what_cuda_it_is_for(tmp_path: Path) -> None:
    for number, (framework, cuda) in enumerate(
        [("torch", "13.0"), ("tensorflow", "12.5.1"), ("torch", None), ("tensorflow", None)]
    ):
        place_framework(tmp_path / str(number), framework, cuda)
        assert cuda_of(framework, [str(tmp_path / str(number))]) == cuda
    assert cuda_of("torch", [str(tmp_path)]) is None  # there is none


def test_builds_of_one_version_are_told_apart(tmp_path: Path) -> None:
    """conda's version has no label, and PyPI's has none in its metadata; before 2.7 PyPI's had GCC's older ABI."""
    for number, cuda in enumerate(["13.0", None]):
        place_framework(tmp_path / str(number), "torch", cuda)
    config = tmp_path / "1" / "torch" / "share" / "cmake" / "Torch" / "TorchConfig.cmake"
    assert build_of("torch", [str(tmp_path / "0")]) == "torch for CUDA 13.0, C++11 ABI None"
    assert build_of("torch", [str(tmp_path / "1")]) == "torch for CUDA None, C++11 ABI None"
    config.parent.mkdir(parents=True)
    config.write_text('  set(TORCH_CXX_FLAGS "-D_GLIBCXX_USE_CXX11_ABI=0")\n')
    assert build_of("torch", [str(tmp_path / "1")]) == "torch for CUDA None, C++11 ABI 0"
    place_framework(tmp_path, "tensorflow", "12.5.1")
    assert build_of("tensorflow", [str(tmp_path)]) == "tensorflow for CUDA 12.5.1, C++11 ABI None"


def test_what_fits_meets_no_obstacle(tmp_path: Path) -> None:
    place_framework(tmp_path, "torch", "13.2")
    place_distribution(tmp_path, "nvidia-nccl-cu13", "2.28.9")
    assert obstacles(tmp_path, TORCH, FOR_GPUS) == []
    assert obstacles(tmp_path, TORCH, {}) == []
    assert obstacles(tmp_path, TORCH, {}, toolkit=None) == []
    assert installed_nccl([str(tmp_path)]) == ("nvidia-nccl-cu13==2.28.9",)


def test_cpu_builds_are_no_concern_where_gpus_are_not_asked_for(tmp_path: Path) -> None:
    place_framework(tmp_path, "torch", None)
    place_framework(tmp_path, "tensorflow", "12.5.1")
    assert obstacles(tmp_path, TORCH | TENSORFLOW, {}) == []


@pytest.mark.parametrize(
    ("framework", "instead"),
    [("torch", "install the build for your CUDA"), ("tensorflow", r"install tensorflow\[and-cuda\] instead")],
)
def test_framework_for_the_cpu_alone_is_refused_for_gpus(tmp_path: Path, framework: str, instead: str) -> None:
    place_framework(tmp_path, framework, None)
    (said,) = obstacles(tmp_path, {framework: f"{framework}-cpu==2.21.0"}, FOR_GPUS)
    assert said.startswith(f"HOROVOD_GPU_OPERATIONS=NCCL, but {framework}-cpu==2.21.0 is built for the CPU alone")
    assert instead.replace("\\", "") in said


def test_frameworks_for_two_cudas_are_refused_in_one_environment(tmp_path: Path) -> None:
    place_framework(tmp_path, "torch", "13.0")
    place_framework(tmp_path, "tensorflow", "12.5.1")
    (said,) = obstacles(tmp_path, TORCH | TENSORFLOW, FOR_GPUS)
    assert said.startswith("torch==2.13.0 for CUDA 13.0 and tensorflow==2.21.0 for CUDA 12.5.1 are in one environment")
    assert "take an environment for each" in said


@pytest.mark.parametrize("environ", [{}, FOR_GPUS])
def test_toolkit_of_another_major_version_is_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    """Unasked too: where there is a toolkit, a PyTorch for CUDA gets a Horovod for CUDA."""
    place_framework(tmp_path, "torch", "12.6")
    (said,) = obstacles(tmp_path, TORCH, environ)
    assert said.startswith("/opt/cuda is the toolkit of CUDA 13.0, torch==2.13.0 is built for CUDA 12.6")
    assert "CUDA_HOME=<a toolkit of CUDA 12>" in said


def test_gpus_without_a_toolkit_are_refused(tmp_path: Path) -> None:
    place_framework(tmp_path, "torch", "13.0")
    (said,) = obstacles(tmp_path, TORCH, FOR_GPUS, toolkit=None)
    assert said == toolkit_obstacle(None, FOR_GPUS)
    assert said.startswith("HOROVOD_GPU_OPERATIONS=NCCL, but there is no nvcc on the PATH")


STALE = {"CUDA_HOME": "/a/module/of/yesterday"}
SAYS_STALE = "CUDA_HOME=/a/module/of/yesterday, whose bin/nvcc says no release; allowed: a CUDA toolkit's folder"


@pytest.mark.parametrize(
    ("cuda", "environ", "expected"),
    [
        (None, STALE, []),
        ("13.0", STALE, [SAYS_STALE]),
        ("13.0", STALE | FOR_GPUS, [f"HOROVOD_GPU_OPERATIONS=NCCL, but {SAYS_STALE}"]),
    ],
)
def test_name_of_what_is_no_toolkit_is_refused_where_cuda_is_wanted(
    tmp_path: Path, cuda: str | None, environ: dict[str, str], expected: list[str]
) -> None:
    place_framework(tmp_path, "torch", cuda)
    assert obstacles(tmp_path, TORCH, environ, toolkit=None) == expected


def test_two_packages_of_nccl_are_refused(tmp_path: Path) -> None:
    place_framework(tmp_path, "torch", "13.0")
    place_distribution(tmp_path, "nvidia-nccl-cu12", "2.27.3")
    place_distribution(tmp_path, "nvidia-nccl-cu13", "2.28.9")
    (said,) = obstacles(tmp_path, TORCH, FOR_GPUS)
    assert said.startswith("nvidia-nccl-cu12==2.27.3 and nvidia-nccl-cu13==2.28.9 are both installed")


@pytest.mark.parametrize(("patch", "is_fine"), [(9, True), (3, False)])
def test_nccl_that_the_framework_does_not_load_is_refused(tmp_path: Path, patch: int, is_fine: bool) -> None:
    place_framework(tmp_path, "torch", "13.0")
    place_distribution(tmp_path, "nvidia-nccl-cu13", "2.28.9")
    header = tmp_path / "other" / "include" / "nccl.h"
    header.parent.mkdir(parents=True)
    header.write_text(f"#define NCCL_H_\n#define NCCL_MAJOR 2\n#define NCCL_MINOR 28\n#define NCCL_PATCH {patch}\n")
    said = obstacles(tmp_path, TORCH, FOR_GPUS | {"HOROVOD_NCCL_HOME": str(tmp_path / "other")})
    assert (said == []) is is_fine
    if not is_fine:
        assert "has NCCL 2.28.3, the framework loads nvidia-nccl-cu13==2.28.9" in said[0]
