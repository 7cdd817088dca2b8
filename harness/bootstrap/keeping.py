"""`hvdbench setup --keep`: Horovod for the frameworks of an environment of which nothing else is changed."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from harness.bootstrap.checks import SetupError, lacking_to_compile, python_obstacle, too_little_disk
from harness.bootstrap.horovod_library import built_with, horovod_has_nccl, horovod_supports
from harness.bootstrap.horovod_source import BUILD_REQUIRES, VERSION
from harness.bootstrap.horovod_wheel import Target, build_wheel, cache_dir, cached_wheel, run
from harness.bootstrap.mpi import find_mpi, version_of
from harness.bootstrap.pins import CONSTRAINTS

_DISTRIBUTIONS = {"torch": ("torch",), "tensorflow": ("tensorflow", "tensorflow-cpu")}
# The oldest that the edited Horovod compiles against, and that have Keras 3.
_OLDEST = {"torch": (2, 2), "tensorflow": (2, 16)}
# What Horovod's Python code imports and an environment may lack; pip leaves alone what is there.
_RUNTIME_NEEDS = ("cffi>=1.16", "cloudpickle>=3.0", "packaging>=23")
NEEDED_DISK_BYTES = 2 * 1024**3  # one build, beside the wheel


@dataclass(frozen=True, kw_only=True)
class InstalledEnvironment:
    """One that is there. Its frameworks are told from their metadata: none is imported."""

    python: Path
    site: Path  # where packages go
    path: Sequence[str]  # as sys.path

    @classmethod
    def of_this_python(cls) -> InstalledEnvironment:
        import sysconfig

        return cls(python=Path(sys.executable), site=Path(sysconfig.get_paths()["purelib"]), path=tuple(sys.path))

    def frameworks(self) -> dict[str, str]:
        """By framework `name==version` of the package that it comes in, the local label (+cu130) included."""
        named = [(each.metadata["Name"], each) for each in self._distributions()]  # no name: what a removal left
        found = {name.lower().replace("_", "-"): each.version for name, each in named if name}
        return {
            framework: f"{name}=={found[name]}"
            for framework, names in _DISTRIBUTIONS.items()
            for name in names
            if name in found
        }

    def _distributions(self) -> list[metadata.Distribution]:
        return list(metadata.distributions(path=list(self.path)))[::-1]  # the first on the path is the one imported


def set_up_keeping(environment: InstalledEnvironment, environ: Mapping[str, str]) -> None:
    """Builds and installs Horovod where its library for a framework is missing. Raises SetupError."""
    frameworks = environment.frameworks()
    if not frameworks:
        raise SetupError(
            f"{environment.python} has neither torch nor tensorflow: install one of them there, "
            "or make setup, which makes an environment of its own"
        )
    lacking = [framework for framework in frameworks if not horovod_supports(framework, environment.path)]
    if not lacking:
        _say_what_is_there(environment, frameworks, "used as it is")
        return
    target = _target(environment, frameworks, environ)
    wheel = cached_wheel(target, environ)
    _refuse_what_cannot_be(environment, frameworks, lacking, environ, compiling=wheel is None)
    served = [framework for framework in frameworks if framework not in lacking]
    _say_what_is_there(environment, served, f"gives way to one for {' and '.join(frameworks)}")
    _install(environment, target, wheel, environ)


def _say_what_is_there(environment: InstalledEnvironment, frameworks: Iterable[str], becomes: str) -> None:
    for framework in frameworks:
        with_what = ", ".join(built_with(framework, environment.path))
        print(f"set-up: horovod for {framework} is there and {becomes}: {with_what}")


def _refuse_what_cannot_be(
    environment: InstalledEnvironment,
    frameworks: Mapping[str, str],
    lacking: list[str],
    environ: Mapping[str, str],
    *,
    compiling: bool,
) -> None:
    """All that is in the way, before time is spent. compiling: whether Horovod has to be built."""
    too_full = too_little_disk(tempfile.gettempdir(), NEEDED_DISK_BYTES) if compiling else None
    found = [obstacle for obstacle in (python_obstacle(), too_full) if obstacle]
    found += [said for framework in frameworks if (said := _too_old(framework, frameworks[framework]))]
    if not os.access(environment.site, os.W_OK):
        found.append(
            f"{environment.site} is read-only: make an environment on top of it "
            "(python -m venv --system-site-packages mine), install hvdbench there and set up from it"
        )
    if importlib.util.find_spec("pip") is None:
        found.append(f"{environment.python} has no pip: {environment.python} -m ensurepip")
    has_nccl = any(horovod_has_nccl(framework, environment.path) for framework in frameworks)
    if has_nccl and not environ.get("HOROVOD_GPU_OPERATIONS"):
        found.append(
            f"horovod here has NCCL and nothing for {', '.join(lacking)}; one for both takes its place: "
            "HOROVOD_GPU_OPERATIONS=NCCL hvdbench setup --keep"
        )
    found += lacking_to_compile() if compiling else []
    if found:
        raise SetupError("nothing was changed:\n  - " + "\n  - ".join(found))


def _too_old(framework: str, pin: str) -> str | None:
    oldest = _OLDEST[framework]
    found = re.match(r"(\d+)\.(\d+)", pin.partition("==")[2])
    if found is None or tuple(map(int, found.groups())) >= oldest:  # one of no such form says nothing
        return None
    return f"{pin}: Horovod {VERSION} is built for {framework} {'.'.join(map(str, oldest))} or newer: upgrade it"


def _install(environment: InstalledEnvironment, target: Target, wheel: Path | None, environ: Mapping[str, str]) -> None:
    """wheel: the cached one; None has it built."""
    names = ", ".join(target.frameworks)
    log = cache_dir(environ) / "hvdbench-setup.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    pip: list[str | Path] = [environment.python, "-m", "pip", "install", "--disable-pip-version-check"]
    if wheel is None:
        print(f"set-up: building horovod {VERSION} for {names} (5 to 15 minutes), log in {log}", flush=True)
        with tempfile.TemporaryDirectory(prefix="hvdbench-tools-") as scratch:
            tools = Path(scratch, "tools")
            run([*pip, "-c", CONSTRAINTS, "--target", tools, *BUILD_REQUIRES], "installing what builds horovod", log)
            wheel = build_wheel(replace(target, tools=tools), environ, log)
    run([*pip, *_RUNTIME_NEEDS], "installing what horovod imports", log)
    run([*pip, "--no-deps", "--no-index", "--force-reinstall", wheel], "installing horovod", log)
    print(f"set-up: horovod {VERSION} is installed for {names}")


def _target(environment: InstalledEnvironment, frameworks: Mapping[str, str], environ: Mapping[str, str]) -> Target:
    mpi = find_mpi(environment.python, environ.get("PATH"))
    if mpi is None:
        print("set-up: no mpicxx beside Python or on the PATH: Gloo alone is built; load a module for MPI as well")
    made_by = "" if mpi is None else f"{mpi.compiler} {version_of(mpi)}"
    return Target(
        python=environment.python,
        frameworks=tuple(sorted(frameworks.values())),
        shaped_by=(made_by, *BUILD_REQUIRES),
        mpi=mpi,
    )
