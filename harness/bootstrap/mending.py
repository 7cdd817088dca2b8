"""The commands that mend what an environment lacks: that of `make setup`, or one into which pip put hvdbench."""

from __future__ import annotations

from pathlib import Path

from harness.bootstrap.pins import ROOT

_KEEPING = "hvdbench setup --keep"
_FOR_GPUS = "HOROVOD_GPU_OPERATIONS=NCCL"


def has_make(root: Path = ROOT) -> bool:
    """Whether hvdbench lies in a checkout, or in what was unpacked of a source archive."""
    return (root / "Makefile").is_file()


def installing(package: str) -> str:
    return "make setup" if has_make() else f"pip install {package}"


def installing_horovod(framework: str, *, is_there: bool, for_gpus: bool = False) -> str:
    """is_there: the framework, so that a Horovod for it is built beside it."""
    keeping = f"{_FOR_GPUS} {_KEEPING}" if for_gpus else _KEEPING
    if is_there:
        return keeping
    return installing(framework) if has_make() else f"{installing(framework)}, then {keeping}"


def building_for_cuda(framework: str, *, is_built_for_cuda: bool) -> str:
    """Of a framework or a Horovod that is for the CPU."""
    if has_make():
        index = "" if is_built_for_cuda else "TORCH_INDEX=<pytorch.org's for your CUDA> "
        return f"{index}{_FOR_GPUS} make setup (README.md, Two commands)"
    keeping = installing_horovod(framework, is_there=True, for_gpus=True)
    return keeping if is_built_for_cuda else f"install the {framework} that is built for your CUDA, then {keeping}"
