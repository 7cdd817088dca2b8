"""Builds Horovod's last release against today's frameworks, once for each set of versions, and caches the wheel."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.bootstrap.checks import SetupError, lacking_to_compile, no_place_to_cache, no_room_to_build
from harness.bootstrap.horovod_options import shaping
from harness.bootstrap.horovod_source import EDITS, SHA256, VERSION, unpack_edited
from harness.bootstrap.mpi import Mpi, space_in_its_path
from harness.bootstrap.pins import Pins
from harness.bootstrap.scratch import scratch_folder
from harness.bootstrap.toolkit import HOMES, Toolkit

# Compiler and linker bake the building environment's folders into the libraries. Relative to
# lib/python3.X/site-packages/horovod/<framework>/, these are those of whatever environment they land in: its lib
# folder, which has Open MPI's, and the places where pip puts NCCL and CUDA's runtime.
_NVIDIA = ("nvidia/nccl/lib", "nvidia/cu13/lib", "nvidia/cuda_runtime/lib", "torch/lib")
RELATIVE_RUN_PATH = ":".join(("$ORIGIN/../../../..", *(f"$ORIGIN/../../{folder}" for folder in _NVIDIA)))
BUILD_LIMIT_S = 3600


def beside_no_others(environ: Mapping[str, str]) -> dict[str, str]:
    """For what is made with pins of our own: a module's packages and an image's pins and places are no part of it."""
    others = ("PYTHONPATH", "PIP_CONSTRAINT", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")
    return {name: value for name, value in environ.items() if name not in others}


def cache_dir(environ: Mapping[str, str]) -> Path:
    if environ.get("HVDBENCH_CACHE"):
        return Path(environ["HVDBENCH_CACHE"])
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hvdbench"


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a wheel is built for: its frameworks are installed where `python` is."""

    python: Path
    frameworks: tuple[str, ...]  # `name==version` of each, by which the wheel is known
    shaped_by: tuple[str, ...]  # versions of what else shapes it: build tools, MPI
    mpi: Mpi | None
    toolkit: Toolkit | None = None  # where there is one, a PyTorch for CUDA gets a Horovod for CUDA, asked for or not
    is_beside_cuda: bool = False  # the PyTorch, of whose builds `frameworks` may name the version alone
    tools: Path | None = None  # a folder with what builds it, where `python` has none of it
    abi: str = str(sysconfig.get_config_var("SOABI"))  # of `python`

    @property
    def build_options(self) -> dict[str, str]:
        """Horovod's switches. One that is left out would have CMake look what there is."""
        wanted = {
            "PYTORCH": any(pin.startswith("torch==") for pin in self.frameworks),
            "TENSORFLOW": any(pin.startswith("tensorflow") for pin in self.frameworks),
            "MXNET": False,
            "GLOO": True,
            "MPI": self.mpi is not None,
        }
        return {f"HOROVOD_{'WITH' if is_wanted else 'WITHOUT'}_{name}": "1" for name, is_wanted in wanted.items()}

    def acting(self, given: Mapping[str, str]) -> dict[str, str]:
        """What the build sees of the environment: a folder that is named as a toolkit and is none is kept from it."""
        return {name: value for name, value in given.items() if self.toolkit is not None or name not in HOMES}

    def environ(self, given: Mapping[str, str]) -> dict[str, str]:
        """Of the build."""
        tools = [] if self.tools is None else [str(self.tools / "bin")]
        searched = [*tools, str(self.python.parent), given.get("PATH", "")]
        # NCCL as the framework links it: a process has one. Horovod would look for a static library first.
        environ = {"HOROVOD_NCCL_LINK": "SHARED", **beside_no_others(self.acting(given)), **self.build_options}
        environ |= {"MAKEFLAGS": f"-j{len(os.sched_getaffinity(0))}", "PATH": os.pathsep.join(searched)}
        environ |= {} if self.toolkit is None else self.toolkit.environ()
        # CMake would go by MPI_HOME, I_MPI_ROOT and CMAKE_PREFIX_PATH first, which modules set.
        environ |= {} if self.mpi is None else {"MPI_ROOT": str(self.mpi.compiler.parent.parent)}
        if self.tools is None:
            return environ
        imported = filter(None, [str(self.tools), given.get("PYTHONPATH")])  # a module's framework may lie there
        return {**environ, "PYTHONPATH": os.pathsep.join(imported)}


def pinned_target(pins: Pins, python: Path, toolkit: Toolkit | None) -> Target:
    """What `make setup` installs; its Open MPI is the wheel's."""
    return Target(
        python=python,
        frameworks=pins.frameworks,
        shaped_by=(*pins.horovod_needs, *pins.horovod_build_requires),
        mpi=Mpi(compiler=python.with_name("mpicxx"), is_of_this_python=True),
        toolkit=toolkit,
    )


def wheel_dir(target: Target, environ: Mapping[str, str]) -> Path:
    """The folder of the one wheel that fits these versions, this platform and these options."""
    parts = [
        SHA256,
        *target.frameworks,
        *target.shaped_by,
        *sorted(target.build_options),
        *shaping(target.acting(environ)),
        repr(EDITS),
        RELATIVE_RUN_PATH,
        *(platform.machine(), *platform.libc_ver()),  # a home is shared by hosts that differ
        target.abi,
        "no toolkit" if target.toolkit is None else f"CUDA {target.toolkit.release}",
        *([] if target.toolkit is None else [f"beside PyTorch for {'CUDA' if target.is_beside_cuda else 'CPUs'}"]),
    ]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return cache_dir(environ) / "wheels" / f"horovod-{VERSION}-{key}"


def cached_wheel(target: Target, environ: Mapping[str, str]) -> Path | None:
    return next(iter(wheel_dir(target, environ).glob("horovod-*.whl")), None)


def build_obstacles(target: Target, environ: Mapping[str, str]) -> list[str]:
    """One sentence for each thing that is in the way of building and keeping it here."""
    places = [no_room_to_build(), no_place_to_cache(wheel_dir(target, environ).parent)]
    found = [*places, space_in_its_path(target.mpi, environ)]
    return [*filter(None, found), *lacking_to_compile(environ.get("CXX"))]


def build_wheel(target: Target, environ: Mapping[str, str], log: Path) -> Path:
    """Builds the wheel and caches it. Raises SetupError with the log's tail when a step fails."""
    folder = wheel_dir(target, environ)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder() as work:
        source = unpack_edited(_source(target, environ, work, log), work)
        run(
            [target.python, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-w", work / "built", source],
            "building horovod",
            log,
            # CMake compiles through ccache, which would take code in another folder, as this one is, for other code.
            {"CCACHE_BASEDIR": str(work.resolve()), **target.environ(environ)},
        )
        wheel = _finished(next((work / "built").glob("horovod-*.whl")), target, environ, work, log)
        # Into place in one step: a build that was killed leaves no half wheel in the cache.
        staged = Path(tempfile.mkdtemp(dir=folder.parent))
        shutil.copy2(wheel, staged)
        try:
            staged.rename(folder)
        except OSError:  # another set-up was faster; its wheel is as good
            shutil.rmtree(staged)
    found = cached_wheel(target, environ)
    if found is None:
        raise SetupError(f"{folder} holds no wheel: remove that folder and set up again")
    return found


def kept_source(environ: Mapping[str, str]) -> Path:
    """Where the source archive is once a build has fetched it."""
    return cache_dir(environ) / "sources" / f"horovod-{VERSION}.tar.gz"


def _source(target: Target, environ: Mapping[str, str], work: Path, log: Path) -> Path:
    """The archive; fetched once, and looked at before each build."""
    kept = kept_source(environ)
    if kept.exists() and _digest(kept) == SHA256:
        return kept
    run(
        [
            *(target.python, "-m", "pip", "download", "--no-deps", "--no-build-isolation"),
            *("--no-binary", "horovod", "-d", work, f"horovod=={VERSION}"),
        ],
        "downloading horovod's source archive",
        log,
        target.environ(environ),
    )
    archive = next(work.glob("horovod-*.tar.gz"))
    if _digest(archive) != SHA256:
        raise SetupError(
            f"{archive.name}: SHA-256 is {_digest(archive)}, horovod_source.py states {SHA256}: the archive "
            "was altered on its way, do not use it"
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(archive, kept.with_suffix(f".{os.getpid()}"))
    kept.with_suffix(f".{os.getpid()}").replace(kept)
    return kept


def _digest(archive: Path) -> str:
    return hashlib.sha256(archive.read_bytes()).hexdigest()


def _finished(wheel: Path, target: Target, environ: Mapping[str, str], work: Path, log: Path) -> Path:
    """The same wheel without debug symbols, 2 MB of 37, which finds its MPI."""
    where = target.environ(environ)
    run([target.python, "-m", "wheel", "unpack", "-d", work / "unpacked", wheel], "unpacking the wheel", log, where)
    tree = next((work / "unpacked").iterdir())
    for library in tree.glob("horovod/*/mpi_lib*.so"):
        run(["strip", "--strip-debug", library], "leaving debug symbols out", log, where)
        if target.mpi is None or target.mpi.is_of_this_python:
            run(["patchelf", "--set-rpath", RELATIVE_RUN_PATH, library], "making the wheel relocatable", log, where)
    (work / "packed").mkdir()
    run([target.python, "-m", "wheel", "pack", "-d", work / "packed", tree], "packing the wheel", log, where)
    return next((work / "packed").glob("horovod-*.whl"))


def run(command: list[str | Path], doing: str, log: Path, environ: Mapping[str, str] | None = None) -> None:
    """Runs one step, its output appended to the log. Raises SetupError with the log's tail."""
    with log.open("a") as sink:
        sink.write(f"\n$ {' '.join(str(part) for part in command)}\n")
        sink.flush()
        try:
            done = subprocess.run(
                [str(part) for part in command],
                stdout=sink,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=None if environ is None else dict(environ),
                timeout=BUILD_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SetupError(f"{doing} took more than {BUILD_LIMIT_S} s; the log is {log}") from None
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        offline = ("Temporary failure in name resolution", "No matching distribution", "Connection", "timed out")
        hint = "\nIs there a network, and does pip reach PyPI? (pip config list)" if _any(offline, tail) else ""
        raise SetupError(f"{doing} failed (exit {done.returncode}); the log is {log}, its end:\n{tail}{hint}")


def _any(needles: tuple[str, ...], text: str) -> bool:
    return any(needle in text for needle in needles)
