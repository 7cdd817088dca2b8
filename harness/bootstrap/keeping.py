"""`hvdbench setup --keep`: Horovod for the frameworks of an environment of which nothing else is changed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from harness.bootstrap.checks import (
    ON_TOP,
    SetupError,
    framework_obstacle,
    managed_by_the_system,
    read_only,
)
from harness.bootstrap.cuda_fit import build_of, cuda_obstacles, installed_nccl
from harness.bootstrap.horovod_library import built_with, horovod_has_nccl, horovod_supports
from harness.bootstrap.horovod_options import WITHOUT_MPI, asks_for_gpus, require_known_values
from harness.bootstrap.horovod_source import BUILD_REQUIRES, VERSION
from harness.bootstrap.horovod_wheel import Target, beside_no_others, build_obstacles, build_wheel, cached_wheel, run
from harness.bootstrap.mpi import find_mpi, version_of
from harness.bootstrap.pins import CONSTRAINTS
from harness.bootstrap.pythons import python_obstacle
from harness.bootstrap.scratch import scratch_folder
from harness.bootstrap.toolkit import find_toolkit

_DISTRIBUTIONS = {"torch": ("torch",), "tensorflow": ("tensorflow", "tensorflow-cpu")}
# What Horovod's Python code imports and an environment may lack; pip leaves alone what is there.
_RUNTIME_NEEDS = ("cffi>=1.16", "cloudpickle>=3.0", "packaging>=23")


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
        named = [each for each in self._distributions() if "Name" in each.metadata]  # no name: what a removal left
        found = {each.metadata["Name"].lower().replace("_", "-"): each.version for each in named}
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
    require_known_values(environ)
    frameworks = environment.frameworks()
    if not frameworks:
        raise SetupError(
            f"{environment.python} has neither torch nor tensorflow: install one of them there, "
            "or make setup, which makes an environment of its own"
        )
    lacking = [framework for framework in frameworks if not _is_served(framework, environment, environ)]
    if not lacking:
        _say_what_is_there(environment, frameworks, "used as it is")
        return
    target = _target(environment, frameworks, environ)
    wheel = cached_wheel(target, environ)
    _refuse_what_cannot_be(environment, frameworks, lacking, target, environ, compiling=wheel is None)
    served = [framework for framework in frameworks if framework not in lacking]
    _say_what_is_there(environment, served, f"gives way to one for {' and '.join(frameworks)}")
    _install(environment, target, wheel, environ)


def _is_served(framework: str, environment: InstalledEnvironment, environ: Mapping[str, str]) -> bool:
    """Whether Horovod is there for it, with NCCL where that is asked for."""
    wants_nccl = (asks_for_gpus(environ) or "").endswith("=NCCL")
    return (horovod_has_nccl if wants_nccl else horovod_supports)(framework, environment.path)


def _say_what_is_there(environment: InstalledEnvironment, frameworks: Iterable[str], becomes: str) -> None:
    for framework in frameworks:
        with_what = ", ".join(built_with(framework, environment.path))
        print(f"set-up: horovod for {framework} is there and {becomes}: {with_what}")


def _refuse_what_cannot_be(
    environment: InstalledEnvironment,
    frameworks: Mapping[str, str],
    lacking: list[str],
    target: Target,
    environ: Mapping[str, str],
    *,
    compiling: bool,
) -> None:
    """All that is in the way, before time is spent. compiling: whether Horovod has to be built."""
    too_old = [framework_obstacle(name, pin.partition("==")[2]) for name, pin in frameworks.items()]
    place = read_only(environment.site, ON_TOP) or managed_by_the_system(environ)
    found = [said for said in (python_obstacle(), *too_old, place) if said]
    if importlib.util.find_spec("pip") is None:
        found.append(f"{environment.python} has no pip: {environment.python} -m ensurepip")
    found += _would_be_lost(environment, frameworks, lacking, target, environ)
    found += build_obstacles(target, environ) if compiling else []
    found += cuda_obstacles(frameworks, environment.path, target.toolkit, environ)
    if found:
        raise SetupError("nothing was changed:\n  - " + "\n  - ".join(found))


def _would_be_lost(
    environment: InstalledEnvironment,
    frameworks: Mapping[str, str],
    lacking: list[str],
    target: Target,
    environ: Mapping[str, str],
) -> Iterator[str]:
    """What the Horovod that is there has, and the one for all frameworks that takes its place would not."""
    has = {fact for framework in frameworks for fact in built_with(framework, environment.path)}
    lead = f"and nothing for {', '.join(lacking)}; one for both takes its place:"
    if "nccl" in has and not asks_for_gpus(environ):
        yield f"horovod here has NCCL {lead} HOROVOD_GPU_OPERATIONS=NCCL hvdbench setup --keep"
    if "mpi" in has and target.mpi is None and not environ.get(WITHOUT_MPI):
        yield (
            f"horovod here has MPI {lead} load the MPI that it was built with, so that its mpicxx is on the PATH, or "
            f"give MPI up by {WITHOUT_MPI}=1 hvdbench setup --keep"
        )


def _install(environment: InstalledEnvironment, target: Target, wheel: Path | None, environ: Mapping[str, str]) -> None:
    """wheel: the cached one; None has it built."""
    names = ", ".join(target.frameworks)
    log = environment.site / "hvdbench-setup.log"
    pip: list[str | Path] = [environment.python, "-m", "pip", "install", "--disable-pip-version-check"]
    if wheel is None:
        print(f"set-up: building horovod {VERSION} for {names} (3 to 15 minutes), log in {log}", flush=True)
        with scratch_folder() as scratch:
            tools = scratch / "tools"
            ours = [*pip, "-c", CONSTRAINTS, "--target", tools, *BUILD_REQUIRES]
            run(ours, "installing what builds horovod", log, beside_no_others(environ))
            wheel = build_wheel(replace(target, tools=tools), environ, log)
    run([*pip, *_RUNTIME_NEEDS], "installing what horovod imports", log)
    run([*pip, "--no-deps", "--no-index", "--force-reinstall", wheel], "installing horovod", log)
    print(f"set-up: horovod {VERSION} is installed for {names}")


def _target(environment: InstalledEnvironment, frameworks: Mapping[str, str], environ: Mapping[str, str]) -> Target:
    is_unwanted = bool(environ.get(WITHOUT_MPI))
    mpi = None if is_unwanted else find_mpi(environment.python, environ.get("PATH"))
    if mpi is None and not is_unwanted:
        print("set-up: no mpicxx beside Python or on the PATH: Gloo alone is built; load a module for MPI as well")
    made_by = "" if mpi is None else f"{mpi.compiler} {version_of(mpi.compiler.with_name('mpirun'))}"
    builds = [build_of(framework, environment.path) for framework in sorted(frameworks)]
    return Target(
        python=environment.python,
        frameworks=tuple(sorted(frameworks.values())),
        shaped_by=(made_by, *BUILD_REQUIRES, *installed_nccl(environment.path), *builds),
        mpi=mpi,
        toolkit=find_toolkit(environ),
    )
