"""The wheels of a kit: Horovod built for another machine's Python, PyTorch and card, and what else it lacks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from harness.bootstrap.checks import SetupError
from harness.bootstrap.cuda_fit import cuda_obstacles, cuda_of, installed_nccl
from harness.bootstrap.horovod_options import OPTIONS
from harness.bootstrap.horovod_wheel import Target, build_wheel, cached_wheel, run
from harness.bootstrap.mpi import Mpi
from harness.bootstrap.pins import CONSTRAINTS, ROOT, Pins
from harness.bootstrap.toolkit import Toolkit

OF_TESTS = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis")  # tests/gpu and what they import
WITH_NCCL = {"HOROVOD_GPU_OPERATIONS": "NCCL"}
STAGED: dict[str, str] = {}  # through the host's memory: what NCCL refuses, two ranks on one GPU
_ASK = "import horovod.torch as hvd; print(int(hvd.nccl_built()), int(hvd.cuda_built()))"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """That the kit is for."""

    python: Path  # of the same version, here
    torch: str
    cuda: str | None  # of its PyTorch; None: whatever pip's is for
    architectures: tuple[str, ...]  # compute capabilities, as 9.0
    index: str | None  # where its PyTorch comes from
    has: dict[str, str | None]  # its packages, with their versions where they are known


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """An environment like the machine's, in which Horovod is built and looked at."""

    machine: Machine
    python: Path
    site: Path
    pins: Pins
    constraints: Path  # without those of what the machine has
    log: Path

    @classmethod
    def make(cls, machine: Machine, pins: Pins, folder: Path, log: Path) -> Workshop:
        run([machine.python, "-m", "venv", folder / "environment"], "making an environment", log)
        (site,) = (folder / "environment").glob("lib/python*/site-packages")
        known = {"torch", *(name for name, version in machine.has.items() if version)}
        kept = [line for line in CONSTRAINTS.read_text().split() if _normal(line.partition("==")[0]) not in known]
        constraints = folder / "constraints.txt"
        constraints.write_text("\n".join(kept) + "\n")
        python = folder / "environment" / "bin" / "python"
        workshop = cls(machine=machine, python=python, site=site, pins=pins, constraints=constraints, log=log)
        index = [] if machine.index is None else ["--extra-index-url", machine.index]
        workshop.pip("install", *index, f"torch=={machine.torch}")
        workshop.pip("install", *pins.horovod_needs, *pins.horovod_build_requires, "numpy", "psutil", "pyyaml")
        return workshop

    def pip(self, command: str, *arguments: str | Path) -> None:
        pip = (self.python, "-m", "pip", command, "--disable-pip-version-check", "-c", self.constraints)
        run([*pip, *arguments], f"pip {command}", self.log)

    def horovod(self, toolkit: Toolkit, options: dict[str, str]) -> Path:
        """The wheel built so, which was imported here. Raises SetupError where it cannot be."""
        architectures = ",".join(each.replace(".", "") for each in self.machine.architectures)
        plain = {name: value for name, value in os.environ.items() if name not in OPTIONS}
        environ = {**plain, **options, "HOROVOD_BUILD_CUDA_CC_LIST": architectures}
        pin = f"torch=={self._answer('import torch; print(torch.__version__)')}"
        obstacles = cuda_obstacles({"torch": pin}, [str(self.site)], toolkit, environ)
        if obstacles:
            raise SetupError("\n  - ".join(["horovod was not built:", *obstacles]))
        target = Target(
            python=self.python,
            frameworks=(pin,),
            shaped_by=(*self.pins.horovod_needs, *self.pins.horovod_build_requires, *installed_nccl([str(self.site)])),
            mpi=Mpi(compiler=self.python.with_name("mpicxx"), is_of_this_python=True),
            toolkit=toolkit,
            abi=self._answer("import sysconfig; print(sysconfig.get_config_var('SOABI'))"),
        )
        wheel = cached_wheel(target, environ) or build_wheel(target, environ, self.log)
        self.pip("install", "--no-deps", "--no-index", "--force-reinstall", wheel)
        nccl, cuda = map(int, self._answer(_ASK).split())
        if bool(nccl) != (options == WITH_NCCL) or not cuda:
            raise SetupError(f"{wheel} was built with CUDA {bool(cuda)}, NCCL {nccl}, which is not what was asked for")
        return wheel

    def refuse_another_cuda(self) -> None:
        found = cuda_of("torch", [str(self.site)])
        if self.machine.cuda not in (None, found):
            raise SetupError(
                f"torch=={self.machine.torch} as pip finds it is for CUDA {found}, not {self.machine.cuda}: "
                "KIT_INDEX=<the index that pytorch.org shows for that one>"
            )

    def version(self) -> str:
        return self._answer("import platform; print(platform.python_version())")

    def lacking(self) -> list[str]:
        """What hvdbench, Horovod and the tests need and the machine has not, `name==version`, as pinned.

        pip is asked what it would install into an environment that has what the machine has, in name and version.
        """
        stand_in = self.constraints.with_name("stand-in")
        run([self.python, "-m", "venv", "--without-pip", stand_in], "making a stand-in of the machine", self.log)
        (site,) = stand_in.glob("lib/python*/site-packages")
        pinned = dict(line.split("==") for line in CONSTRAINTS.read_text().split())
        pinned = {_normal(name): version for name, version in pinned.items()}
        for name, version in self.machine.has.items():
            _place(site, name, version or pinned.get(name, "0"))
        report = self.constraints.with_name("report.json")
        asked = ("--python", stand_in / "bin" / "python", "install", "--dry-run", "-q", "--report", report)
        run(
            [self.python, "-m", "pip", *asked, "-c", self.constraints, *_needed()],
            "asking pip what the machine lacks",
            self.log,
        )
        found = [item["metadata"] for item in json.loads(report.read_text())["install"]]
        return sorted(f"{item['name']}=={item['version']}" for item in found)

    def _answer(self, code: str) -> str:
        done = subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SetupError(f"in the kit's environment, python -c {code!r} failed:\n{done.stderr}")
        return done.stdout.strip()


def packages_of(text: str) -> dict[str, str | None]:
    """Of lines as `pip list --format freeze` prints them, or names alone."""
    found: dict[str, str | None] = {}
    for line in text.split("\n"):
        name, _, version = line.partition("#")[0].strip().partition("==")
        if name:
            found[_normal(name)] = version.partition("+")[0] or None
    return found


def _needed() -> list[str]:
    """Requirements of hvdbench, Horovod and the tests, from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    of_tests = [each for each in extras["dev"] if re.split(r"[><=]", each)[0] in OF_TESTS]
    return [*project["dependencies"], *extras["horovod"], *of_tests]


def _place(site: Path, name: str, version: str) -> None:
    """A package of which pip sees name and version, and that needs nothing."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "RECORD").touch()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
