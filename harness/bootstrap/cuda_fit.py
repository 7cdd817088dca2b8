"""Whether Horovod, built as asked for, would import beside the frameworks: CUDA and NCCL of both, read from files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path

from harness.bootstrap.horovod_options import asks_for_gpus
from harness.bootstrap.toolkit import HOMES, Toolkit, naming_variable

_SAYS_CUDA = {  # where a framework says which CUDA it was built for; silent where for the CPU alone
    "torch": ("version.py", re.compile(r"^cuda\b[^=]*= '([\d.]+)'", re.MULTILINE)),
    "tensorflow": ("python/platform/build_info.py", re.compile(r"'cuda_version', '([\d.]+)'")),
}
_SAYS_ABI = {  # and which of GCC's two ABIs; silent where it is the newer one, as in all of today
    "torch": ("share/cmake/Torch/TorchConfig.cmake", re.compile(r"_GLIBCXX_USE_CXX11_ABI=(\d)")),
}
_INSTEAD = {  # of a build for the CPU alone
    "torch": "install the build for your CUDA (TORCH_INDEX=<pytorch.org's for it>)",
    "tensorflow": "uninstall it, or install tensorflow[and-cuda] instead, in an environment of its own",
}


def cuda_of(framework: str, path: Sequence[str] | None = None) -> str | None:
    """The CUDA version that an installed framework is built for; None for the CPU alone. path: as sys.path."""
    return _said(framework, *_SAYS_CUDA[framework], path)


def build_of(framework: str, path: Sequence[str] | None = None) -> str:
    """What its version need not tell: conda's builds for the CPU and for CUDA have the same one, without a label."""
    abi = _said(framework, *_SAYS_ABI[framework], path) if framework in _SAYS_ABI else None
    return f"{framework} for CUDA {cuda_of(framework, path)}, C++11 ABI {abi}"


def _said(framework: str, name: str, says: re.Pattern[str], path: Sequence[str] | None) -> str | None:
    """By a file of the framework."""
    spec = PathFinder.find_spec(framework, path)
    places = spec.submodule_search_locations or () if spec is not None else ()
    texts = (file.read_text(errors="replace") for place in places if (file := Path(place, name)).is_file())
    return next((found[1] for text in texts if (found := says.search(text))), None)


def installed_nccl(path: Sequence[str]) -> tuple[str, ...]:
    """pip's packages of NCCL, as `name==version`."""
    found = list(metadata.distributions(path=list(path)))[::-1]  # the first on the path is the one imported
    versions = {each.metadata["Name"].replace("_", "-"): each.version for each in found if "Name" in each.metadata}
    return tuple(f"{name}=={version}" for name, version in sorted(versions.items()) if name.startswith("nvidia-nccl-"))


def toolkit_obstacle(toolkit: Toolkit | None, environ: Mapping[str, str]) -> str | None:
    asked = asks_for_gpus(environ)
    if asked is None or toolkit is not None:
        return None
    return f"{asked}, but " + (
        _named_in_vain(environ)
        or "there is no nvcc on the PATH, in CUDA_HOME or in /usr/local/cuda: install NVIDIA's toolkit "
        "of the major version that PyTorch is built for, or CUDA_HOME=<where it lies>"
    )


def _named_in_vain(environ: Mapping[str, str]) -> str | None:
    """Where there is no toolkit: the variable that names something else."""
    name = naming_variable(environ)
    return name and f"{name}={environ[name]}, whose bin/nvcc says no release; allowed: a CUDA toolkit's folder"


def cuda_obstacles(
    frameworks: Mapping[str, str], path: Sequence[str], toolkit: Toolkit | None, environ: Mapping[str, str]
) -> list[str]:
    """One sentence for each combination that cannot work, with what to take instead; empty where all can.

    frameworks: installed on `path`, `name==version` by framework. toolkit: what would compile Horovod.
    """
    built_for = {framework: cuda_of(framework, path) for framework in frameworks}
    asked = asks_for_gpus(environ)
    found = [] if asked is None else list(_asked_for_in_vain(asked, frameworks, built_for))
    lacking = toolkit_obstacle(toolkit, environ)
    if lacking is None and toolkit is None and built_for.get("torch"):
        lacking = _named_in_vain(environ)  # unasked, too, Horovod would have been built for CUDA by it
    found += [] if lacking is None else [lacking]
    if toolkit is not None and not found:
        # Beside a PyTorch for CUDA, Horovod is built for CUDA unasked.
        acting = {name: cuda for name, cuda in built_for.items() if cuda and (asked or name == "torch")}
        found += [_misfit(toolkit, frameworks[name], cuda) for name, cuda in acting.items() if _differ(toolkit, cuda)]
    return found + (list(_two_nccls(path, environ)) if asked else [])


def _asked_for_in_vain(asked: str, frameworks: Mapping[str, str], built_for: Mapping[str, str | None]) -> Iterator[str]:
    for framework, cuda in built_for.items():
        if cuda is None:
            yield (
                f"{asked}, but {frameworks[framework]} is built for the CPU alone, and a Horovod for GPUs does not "
                f"import beside it: {_INSTEAD[framework]}"
            )
    majors = {_major(cuda) for cuda in built_for.values() if cuda}
    if len(majors) > 1:
        each = " and ".join(f"{frameworks[name]} for CUDA {cuda}" for name, cuda in built_for.items() if cuda)
        yield (
            f"{each} are in one environment, where NCCL and cuDNN of the one lie over the other's: take an environment "
            "for each, or builds of both for one major version"
        )


def _differ(toolkit: Toolkit, cuda: str) -> bool:
    return _major(toolkit.release) != _major(cuda)


def _misfit(toolkit: Toolkit, pin: str, cuda: str) -> str:
    return (
        f"{toolkit.home} is the toolkit of CUDA {toolkit.release}, {pin} is built for CUDA {cuda}, and a process would "
        f"have the runtimes of both; allowed: {HOMES[1]}=<a toolkit of CUDA {_major(cuda)}>, or a build of the "
        f"framework for CUDA {_major(toolkit.release)} or for the CPU (TORCH_INDEX)"
    )


def _two_nccls(path: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    installed = installed_nccl(path)
    if len(installed) > 1:
        yield (
            f"{' and '.join(installed)} are both installed, and each has written over the other's files: uninstall "
            "both (pip uninstall), then install the one for PyTorch's CUDA"
        )
    named = environ.get("HOROVOD_NCCL_HOME")
    version = _nccl_in(Path(named)) if named else None
    if version is not None and not all(pin.partition("==")[2].startswith(version) for pin in installed):
        yield (
            f"HOROVOD_NCCL_HOME={named} has NCCL {version}, the framework loads {installed[0]}, and a process has one: "
            "leave HOROVOD_NCCL_HOME out, which takes the framework's"
        )


def _nccl_in(home: Path) -> str | None:
    header = home / "include" / "nccl.h"
    if not header.is_file():
        return None
    text = header.read_text(errors="replace")
    parts = [re.search(rf"^#define NCCL_{name}\s+(\d+)", text, re.MULTILINE) for name in ("MAJOR", "MINOR", "PATCH")]
    return ".".join(part[1] for part in parts if part)


def _major(version: str) -> str:
    return version.partition(".")[0]
