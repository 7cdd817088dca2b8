"""NVIDIA's toolkit that Horovod's CUDA code is compiled with, found as Horovod, CMake and PyTorch look for one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.bootstrap.programs import answer

HOMES = ("HOROVOD_CUDA_HOME", "CUDA_HOME")  # Horovod reads the first, PyTorch the second alone
_USUAL = Path("/usr/local/cuda")


@dataclass(frozen=True, kw_only=True)
class Toolkit:
    home: Path
    release: str  # as 13.0

    def environ(self) -> dict[str, str]:
        """Under both names: by one of them alone, half of the build finds another toolkit or none."""
        return dict.fromkeys(HOMES, str(self.home))


def find_toolkit(environ: Mapping[str, str]) -> Toolkit | None:
    """That of HOROVOD_CUDA_HOME or CUDA_HOME, else of the nvcc on the PATH, else /usr/local/cuda.

    None also where one of the two variables names something else: a module may have left it, and the CPU needs none.
    """
    name = naming_variable(environ)
    if name is not None:
        home = Path(environ[name])
        release = _release(home / "bin" / "nvcc")
        return None if release is None else Toolkit(home=home, release=release)
    found = shutil.which("nvcc", path=environ.get("PATH")) or str(_USUAL / "bin" / "nvcc")
    release = _release(Path(found))
    return None if release is None else Toolkit(home=_home(Path(found)), release=release)


def naming_variable(environ: Mapping[str, str]) -> str | None:
    """The one of HOMES that says where the toolkit lies, rightly or not."""
    return next((name for name in HOMES if environ.get(name)), None)


def _home(nvcc: Path) -> Path:
    """The toolkit's folder. nvcc may be a link or a script outside of it: it says itself where it lies."""
    where = re.search(r"_HERE_=(.+)", _answer(nvcc, "--dryrun", "-x", "cu", "/dev/null"))
    beside = [Path(where[1]).parent] if where else []
    places = [*beside, nvcc.parent.parent]
    return next((place for place in places if _has_headers(place)), places[0])


def _has_headers(home: Path) -> bool:
    return any((*home.glob("include/cuda_runtime.h"), *home.glob("targets/*/include/cuda_runtime.h")))


def _release(nvcc: Path) -> str | None:
    found = re.search(r"release (\d+\.\d+)", _answer(nvcc, "--version"))
    return None if found is None else found[1]


def _answer(nvcc: Path, *arguments: str) -> str:
    """What it says; nothing where it is missing or something else."""
    done = answer([nvcc, *arguments])
    return "" if done is None else done.stdout + done.stderr
