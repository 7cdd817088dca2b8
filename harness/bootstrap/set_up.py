"""Makes `.venv` with all that is pinned and Horovod built, or says what is missing.

With `--here` it installs into the environment of the Python that runs it (conda), with `--lock` it rewrites the
transitive pins from what is installed. TORCH_INDEX names a package index with the build of torch to take (for the CPU
alone, or a CUDA version). It and Horovod's build options hold for later set-ups of that environment too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import sysconfig
import time
import venv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.bootstrap.byte_code import LEFT_OUT_BY_PIP, ByteCode
from harness.bootstrap.checks import SetupError, missing_prerequisites
from harness.bootstrap.cuda_fit import cuda_obstacles, cuda_of, toolkit_obstacle
from harness.bootstrap.horovod_options import asks_for_gpus, options_set, require_known_values
from harness.bootstrap.horovod_source import VERSION
from harness.bootstrap.horovod_wheel import (
    Target,
    beside_no_others,
    build_obstacles,
    build_wheel,
    cached_wheel,
    pinned_target,
    run,
    wheel_dir,
)
from harness.bootstrap.mpi import space_in_its_path
from harness.bootstrap.pins import CONSTRAINTS, ROOT, Pins, load_pins, locked
from harness.bootstrap.programs import answer
from harness.bootstrap.pythons import dotted
from harness.bootstrap.toolkit import find_toolkit

STAMP = "hvdbench-setup"
WITHOUT_TENSORFLOW = (
    "set-up: for GPUs this environment gets PyTorch alone: tensorflow-cpu, which is pinned, does not import beside a "
    "Horovod for GPUs, and tensorflow[and-cuda] is of another CUDA than PyTorch (README.md, On a GPU)"
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m harness.bootstrap", description=__doc__)
    parser.add_argument("--here", action="store_true", help="install into this Python's own environment")
    parser.add_argument("--lock", action="store_true", help="rewrite constraints.txt from .venv")
    options = parser.parse_args()
    prefix = Path(sys.prefix) if options.here else ROOT / ".venv"
    try:
        if options.lock:
            lock(prefix, load_pins())
        else:
            set_up(prefix, load_pins(), os.environ)
    except (SetupError, OSError) as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("set-up: interrupted: the same command begins again, with what pip and the wheel's cache have by now")
        return 130
    return 0


def set_up(prefix: Path, pins: Pins, given: Mapping[str, str]) -> None:
    """Makes the environment at `prefix`; does nothing where a stamp says that these pins are installed there.

    given: environment variables. Options that they leave out are as they were at the last set-up.
    """
    stamp = prefix / STAMP
    installed = _read(stamp)
    before = installed.get("options", {})
    environ = beside_no_others({**before, **given})
    require_known_values(environ)
    options = options_set(environ)
    wanted = {"digest": pins.digest(str(ROOT)), "options": options}
    _refuse_what_is_there(prefix)
    if installed == wanted:
        return
    if asks_for_gpus(environ):
        pins = replace(pins, tensorflow=())
        print(WITHOUT_TENSORFLOW, flush=True)
    python = prefix / "bin" / "python"
    target = pinned_target(pins, python, find_toolkit(environ))
    has_torch = _has(prefix, pins.torch) and before.get("TORCH_INDEX") == options.get("TORCH_INDEX")
    _refuse_what_cannot_be(prefix, target, environ, has_torch, compiling=not _may_be_cached(target, environ))
    log = prefix / "hvdbench-setup.log"
    started = time.monotonic()
    print(f"set-up: into {prefix}, log in {log}", flush=True)
    if not python.exists():
        with step("making the virtual environment"):
            venv.create(prefix, symlinks=True, with_pip=True)
    log.unlink(missing_ok=True)
    stamp.unlink(missing_ok=True)
    if before.get("TORCH_INDEX") != options.get("TORCH_INDEX"):
        _remove_torch(prefix, environ, log)
    _install(pins, target, environ, log)
    stamp.write_text(json.dumps(wanted))
    print(f"set-up: done in {time.monotonic() - started:.0f} s", flush=True)
    for package in _imported_instead(given.get("PYTHONPATH", "")):
        print(f"set-up: PYTHONPATH has {package}, imported in the place of this environment's: unset PYTHONPATH")


def _imported_instead(python_path: str) -> Iterator[str]:
    """What is pinned and comes before the environment in another version, as a module of a cluster may have it."""
    pinned = dict(pin.lower().replace("_", "-").split("==") for pin in CONSTRAINTS.read_text().split())
    for folder in filter(None, python_path.split(os.pathsep)):
        for each in metadata.distributions(path=[folder]):
            name = str(each.metadata["Name"]).lower().replace("_", "-")
            if name in pinned and pinned[name] != each.version:
                yield f"{name} {each.version} ({folder})"


def _refuse_what_is_there(prefix: Path) -> None:
    """An environment that this Python cannot go on with."""
    python = prefix / "bin" / "python"
    if not os.path.lexists(python):
        return
    there, this = _version(python), dotted(sys.version_info[:2])
    if there is None:
        raise SetupError(f"{python} does not run, as after an upgrade of the system: make clean, then set up again")
    if there != this:
        raise SetupError(
            f"{prefix} is of Python {there}, not of {this} ({sys.executable}): make clean removes it, make without "
            "PYTHON goes on with it"
        )
    if not (packages_folder(prefix) / "pip").is_dir():
        raise SetupError(f"{prefix} has no pip: {python} -m ensurepip, or where set-up was interrupted, make clean")


def _version(python: Path) -> str | None:
    """As 3.11; None where it does not run."""
    asked: list[str | Path] = [python, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
    done = answer(asked)
    return None if done is None or done.returncode else done.stdout.strip()


def _may_be_cached(target: Target, environ: Mapping[str, str]) -> bool:
    """Whether there is a wheel beside one of PyTorch's builds: which one pip gets is known once it is there."""
    return any(cached_wheel(replace(target, is_beside_cuda=cuda), environ) is not None for cuda in (False, True))


def _has(prefix: Path, requirements: Iterable[str]) -> bool:
    """Whether these are installed there, in the pinned versions."""
    named = (requirement.replace("==", "-") for requirement in requirements)
    return all(any(packages_folder(prefix).glob(f"{name}*.dist-info")) for name in named)


def _refuse_what_cannot_be(
    prefix: Path, target: Target, environ: Mapping[str, str], has_torch: bool, *, compiling: bool
) -> None:
    missing = missing_prerequisites(
        prefix if prefix.exists() else prefix.parent,
        cache=wheel_dir(target, environ).parent if compiling else None,
        torch_index=environ.get("TORCH_INDEX", ""),
        cxx=environ.get("CXX"),
        has_torch=has_torch,
    )
    unfit = [toolkit_obstacle(target.toolkit, environ), space_in_its_path(target.mpi, environ) if compiling else None]
    missing += [said for said in unfit if said]
    if missing:
        raise SetupError("nothing was changed:\n  - " + "\n  - ".join(missing))


def _remove_torch(prefix: Path, environ: Mapping[str, str], log: Path) -> None:
    """Another index has another build of the same version, which pip would take for the one that is there."""
    if (packages_folder(prefix) / "torch").is_dir():
        pip: list[str | Path] = [prefix / "bin" / "python", "-m", "pip", "uninstall", "-y", "torch"]
        run(pip, "removing the PyTorch of another index", log, environ)


def _install(pins: Pins, target: Target, environ: Mapping[str, str], log: Path) -> None:
    """All that is pinned, and Horovod."""
    pip: list[str | Path] = [target.python, "-m", "pip", "install", "--disable-pip-version-check"]
    pip += [LEFT_OUT_BY_PIP, "-c", CONSTRAINTS]
    with ByteCode(target.python, packages_folder(target.python.parents[1])) as byte_code:
        _install_torch(pins, pip, environ, log)
        target = _beside_installed(pins, target, environ)
        wheel = cached_wheel(target, environ)
        if wheel is not None:
            pins = replace(pins, horovod_build_requires=())
        _install_others(pins, pip, environ, log)
        if wheel is None:
            with step(f"building horovod {VERSION} (3 to 15 minutes, once)"):
                wheel = build_wheel(target, environ, log)
        with step("installing horovod and hvdbench"):
            ours: list[str | Path] = ["--no-deps", "--no-build-isolation", "--force-reinstall", wheel, "-e", ROOT]
            run([*pip, *ours], "installing horovod and hvdbench", log, environ)
        with step("compiling to byte code what has none yet"):
            byte_code.finish()


def _install_torch(pins: Pins, pip: list[str | Path], environ: Mapping[str, str], log: Path) -> None:
    """Alone and first: nothing else is to come from its index."""
    index = environ.get("TORCH_INDEX")
    # Of one version pip takes the build with a local label (+cpu, +cu130), which is the index's.
    with step("installing torch (seconds; a build for CUDA, of several GB, two or three minutes)"):
        more = ["--extra-index-url", index] if index else []
        run([*pip, *more, *pins.torch], "installing torch", log, environ)


def _beside_installed(pins: Pins, target: Target, environ: Mapping[str, str]) -> Target:
    """The target, now that PyTorch is there, which says what CUDA it is for. TensorFlow's pin is the one for the CPU.

    Raises SetupError where Horovod cannot be built for it.
    """
    site = [str(packages_folder(target.python.parents[1]))]
    target = replace(target, is_beside_cuda=cuda_of("torch", site) is not None)
    found = cuda_obstacles({"torch": pins.torch[0]}, site, target.toolkit, environ)
    if cached_wheel(target, environ) is None:
        found += build_obstacles(target, environ)  # where another build of PyTorch had been counted on
    if found:
        raise SetupError("horovod was not built:\n  - " + "\n  - ".join(found))
    return target


def _install_others(pins: Pins, pip: list[str | Path], environ: Mapping[str, str], log: Path) -> None:
    if pins.tensorflow:
        with step("installing TensorFlow"):
            run([*pip, *pins.tensorflow], "installing TensorFlow", log, environ)
    with step("installing Open MPI and the rest (about half a minute)"):
        rest = (*pins.analysis, *pins.horovod_needs, *pins.tune, *pins.dev, *pins.horovod_build_requires)
        run([*pip, *rest], "installing the pinned packages", log, environ)


def packages_folder(prefix: Path) -> Path:
    """Of an environment of this Python's version; Debian's own has another layout by default."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(prefix), "platbase": str(prefix)}))


def _read(stamp: Path) -> dict[str, Any]:
    """What the last set-up noted; empty where none did."""
    try:
        return dict(json.loads(stamp.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def lock(prefix: Path, pins: Pins) -> None:
    listing = ("-m", "pip", "list", "--format", "freeze", "--exclude-editable", "--exclude", "pip")
    command: list[str | Path] = [prefix / "bin" / "python", *listing]
    listed = answer(command)
    if listed is None or listed.returncode:
        raise SetupError(f"{command[0]} lists no packages: make setup first")
    CONSTRAINTS.write_text("".join(f"{pin}\n" for pin in locked(listed.stdout.splitlines(), pins)))


@contextmanager
def step(doing: str) -> Iterator[None]:
    print(f"set-up: {doing} ...", end="", flush=True)
    started = time.monotonic()
    try:
        yield
    finally:
        print(f" {time.monotonic() - started:.0f} s", flush=True)
