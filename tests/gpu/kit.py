"""`make gpu-kit`: one folder with all that a CUDA machine without network needs to run hvdbench and `tests/gpu`.

Made on a machine with a network and a CUDA toolkit, which needs no GPU: Horovod is built for the other's Python,
PyTorch and card, with NCCL and once more without it, and imported here. Takes 7 GB of disk meanwhile and about 20
minutes on two cores; a kit that is made again takes both wheels from the cache.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from harness.bootstrap.checks import NEEDED_DISK_BYTES, SetupError, lacking_to_compile, too_little_disk
from harness.bootstrap.cuda_fit import cuda_of, installed_nccl, toolkit_obstacle
from harness.bootstrap.pins import ROOT, load_pins
from harness.bootstrap.toolkit import Toolkit, find_toolkit
from harness.git import git
from tests.gpu.kit_wheels import STAGED, WITH_NCCL, Machine, Workshop, packages_of
from tests.release.dist import tracked

LIMIT_BYTES = 64 * 1024**2  # what carries such a folder to a machine as a rule takes no more
# What an image with PyTorch for CUDA has as a rule, too large to carry along.
USUAL = ("torch", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "matplotlib")
READ_ME = """# hvdbench on a CUDA machine without network

For Python {python}, PyTorch {torch} (CUDA {cuda}, {nccl}) and compute capability {architectures}, on Linux
{machine} with glibc {glibc} or newer. Made by

    {command}

from commit {revision}. `wheels/` has Horovod with NCCL and what else hvdbench needs beside
{has};
`wheels-staged/` has the Horovod without NCCL with which two ranks can share a GPU. On that machine, in this folder:

    tar xzf hvdbench.tar.gz && mkdir -p out && bash hvdbench/tests/gpu/on_machine.sh . out

installs into the `python3` on the PATH (PYTHON=... for another) and does all there is to do in ten minutes: looks at
Horovod (`nccl_check.py`), runs tests/gpu, measures the loop against a bare one, and runs suites/gpu.yaml, whose records
and report come to lie in `out/`. `on_machine.sh . out check` does the first alone, in a minute or two.
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.kit", description=__doc__)
    parser.add_argument("--python", required=True, help="the machine's Python as 3.12, or one like it by its path")
    parser.add_argument("--torch", required=True, help="the machine's PyTorch, as 2.11.0")
    parser.add_argument("--arch", required=True, help="its cards' compute capabilities, as 9.0 or 8.0,9.0")
    parser.add_argument("--cuda", default="", help="of its PyTorch, as 13.0: another one that pip finds is refused")
    parser.add_argument("--index", default="", help="where that PyTorch comes from, if not from pip's usual index")
    parser.add_argument("--has", default="", help="a file with its packages (pip list --format freeze)")
    parser.add_argument("-o", dest="folder", type=Path, default=ROOT / "build" / "gpu-kit")
    options = parser.parse_args()
    try:
        make_kit(machine_of(options), options.folder)
    except (SetupError, OSError) as error:
        print(f"gpu-kit: {error}", file=sys.stderr)
        return 2
    return 0


def machine_of(options: argparse.Namespace) -> Machine:
    """Raises SetupError for what says nothing."""
    architectures = tuple(options.arch.split(","))
    for name, value, form, example in (
        ("KIT_TORCH", options.torch, r"\d+\.\d+(\.\d+)?", "2.11.0"),
        *(("KIT_ARCH", each, r"\d+\.\d", "9.0, or 8.0,9.0") for each in architectures),
        ("KIT_CUDA", options.cuda or "0.0", r"\d+\.\d+", "13.0"),
    ):
        if not re.fullmatch(form, value):
            raise SetupError(f"{name}={value}: wanted is a version as {example}")
    return Machine(
        python=find_python(options.python),
        torch=options.torch,
        cuda=options.cuda or None,
        architectures=architectures,
        index=options.index or None,
        has=packages_of(Path(options.has).read_text() if options.has else "\n".join(USUAL)),
    )


def find_python(wanted: str) -> Path:
    found = shutil.which(wanted if "/" in wanted else f"python{wanted}")
    if found is None or subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
        raise SetupError(f"KIT_PYTHON={wanted}: no such Python runs here; wanted is a version, as 3.12, or a path")
    return Path(found)


def make_kit(machine: Machine, folder: Path) -> None:
    toolkit = find_toolkit(os.environ)
    obstacles = [toolkit_obstacle(toolkit, WITH_NCCL), too_little_disk(tempfile.gettempdir(), NEEDED_DISK_BYTES)]
    obstacles += lacking_to_compile(os.environ.get("CXX"))
    if toolkit is None or any(obstacles):
        raise SetupError("this machine lacks:\n  - " + "\n  - ".join(filter(None, obstacles)))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder.with_suffix(".log")
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="hvdbench-kit-") as scratch:
        say(f"an environment with torch {machine.torch} (some minutes), log in {log}")
        workshop = Workshop.make(machine, load_pins(), Path(scratch), log)
        workshop.refuse_another_cuda()
        fill(folder, workshop, toolkit)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > LIMIT_BYTES:
        raise SetupError(
            f"{folder} has {size / 1024**2:.0f} MiB, more than 64: name more of what the machine has "
            "(KIT_HAS=<a file, as pip list --format freeze prints it there>)"
        )
    say(f"{folder}: {size / 1024**2:.0f} MiB; its README.md says what to do with it")


def fill(folder: Path, workshop: Workshop, toolkit: Toolkit) -> None:
    for name, options in (("wheels", WITH_NCCL), ("wheels-staged", STAGED)):
        say(f"horovod {'with' if options else 'without'} NCCL (3 to 15 minutes unless it is cached)")
        wheel = workshop.horovod(toolkit, options)
        (folder / name).mkdir()
        shutil.copy2(wheel, folder / name)
    say("what else the machine lacks")
    workshop.pip("download", "--no-deps", "-d", folder / "wheels", *workshop.lacking())
    shutil.copy2(ROOT / "tests" / "gpu" / "nccl_check.py", folder)
    with tarfile.open(folder / "hvdbench.tar.gz", "w:gz") as tar:
        for name in tracked(ROOT):
            if not name.startswith("reports/"):
                tar.add(ROOT / name, f"hvdbench/{name}", recursive=False)
    (folder / "README.md").write_text(read_me(workshop))


def read_me(workshop: Workshop) -> str:
    machine, path = workshop.machine, [str(workshop.site)]
    return READ_ME.format(
        python=workshop.version(),
        torch=machine.torch,
        cuda=cuda_of("torch", path),
        nccl=", ".join(installed_nccl(path)),
        architectures=", ".join(machine.architectures),
        machine=platform.machine(),
        glibc=platform.libc_ver()[1],
        command=_command(machine),
        revision=git(ROOT, "describe", "--always", "--dirty").strip(),
        has=", ".join(machine.has),
    )


def _command(machine: Machine) -> str:
    given = {
        "KIT_PYTHON": machine.python,
        "KIT_TORCH": machine.torch,
        "KIT_ARCH": ",".join(machine.architectures),
        "KIT_CUDA": machine.cuda,
        "KIT_INDEX": machine.index,
    }
    return " ".join(["make gpu-kit", *(f"{name}={value}" for name, value in given.items() if value)])


def say(what: str) -> None:
    print(f"gpu-kit: {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
