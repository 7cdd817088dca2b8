"""What this machine can run and what is missing, each with the command that mends it. Imports no framework."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.bootstrap.checks import framework_obstacle
from harness.bootstrap.horovod_library import built_with, horovod_has_nccl, horovod_supports
from harness.bootstrap.mending import building_for_cuda, installing, installing_horovod
from harness.launchers.batch_job import batch_job
from harness.launchers.horovodrun import mpirun
from harness.launchers.hosts import HostsError, how_to_resolve, unresolved_name
from harness.plain_text import counted
from harness.run.gpu_support import is_built_for_cuda
from harness.run.mpi_support import mpi_obstacle
from harness.run.versions import installed_versions, version_of
from harness.worker.gpus import VISIBLE_VARIABLE, present_gpus, visible_gpus
from harness.worker.machine_description import describe_machine
from harness.workloads.cifar import HOW_TO_GET_CIFAR, find_cifar
from harness.workloads.data import HOW_TO_GET_FASHION, find_fashion_mnist
from harness.workloads.ratings import HOW_TO_GET_INSTEVAL, HOW_TO_GET_MOVIELENS, find_insteval, find_movielens

FRAMEWORKS = ("torch", "tensorflow")
CAP_SYS_ADMIN = 21  # its bit, in linux/capability.h
LAB_TOOLS = ("ip", "tc", "ssh", "ssh-keygen", "sshd")  # beside util-linux, which every Linux has


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One thing looked for."""

    what: str
    present: bool
    found: str
    mend: str | None = None


def examine() -> list[Diagnostic]:
    """All diagnostics, in the order a user would ask."""
    machine = describe_machine()
    versions = installed_versions()
    memory = f"{machine.memory_bytes / 1024**3:.0f} GiB"
    diagnostics = [
        Diagnostic(what="machine", present=True, found=f"{machine.cpu}, {counted(machine.num_cores, 'core')}, {memory}")
    ]
    diagnostics.append(_gpus())
    found = {framework: version_of(framework, versions) for framework in FRAMEWORKS}
    for framework, version in found.items():
        diagnostics.append(_framework(framework, version))
        diagnostics.append(_horovod(framework, versions.get("horovod"), is_asked_for=version is not None))
        if version and present_gpus():
            diagnostics.append(_on_gpus(framework))
    there = next(filter(found.get, FRAMEWORKS), FRAMEWORKS[0])
    horovod = _getting_horovod(there, is_there=found[there] is not None)
    diagnostics.append(_gloo(horovod))
    diagnostics.append(_mpi(horovod))
    diagnostics.append(_batch_job())
    diagnostics.append(_digits())
    diagnostics.append(_fetched("fashion-mnist", find_fashion_mnist(), HOW_TO_GET_FASHION))
    diagnostics.append(_fetched("movielens-100k", find_movielens(), HOW_TO_GET_MOVIELENS))
    diagnostics.append(_fetched("insteval", find_insteval(), HOW_TO_GET_INSTEVAL))
    diagnostics.append(_fetched("cifar-10", find_cifar(), HOW_TO_GET_CIFAR))
    diagnostics.append(network_lab())
    return diagnostics


def _gpus() -> Diagnostic:
    present = present_gpus()
    visible = visible_gpus(present)
    found = [gpu.name for gpu in visible] or ["none; cells with device: gpu are refused"]
    if len(visible) < len(present):
        found.append(f"{len(present) - len(visible)} hidden by {VISIBLE_VARIABLE}={os.environ[VISIBLE_VARIABLE]}")
    if present:
        found.append(f"driver {present[0].driver}")
    return Diagnostic(what="GPUs", present=bool(visible), found=", ".join(found))


def _on_gpus(framework: str) -> Diagnostic:
    """Asked where there are GPUs alone."""
    missing = []
    is_for_cuda = is_built_for_cuda(framework)
    if not is_for_cuda:
        missing.append(f"{framework} is built for the CPU alone")
    if not horovod_has_nccl(framework):
        missing.append("horovod is built without NCCL")
    return Diagnostic(
        what=f"{framework} on GPUs",
        present=not missing,
        found=", ".join(missing) or "ready",
        mend=building_for_cuda(framework, is_built_for_cuda=is_for_cuda) if missing else None,
    )


def _framework(name: str, version: str | None) -> Diagnostic:
    if version is None:
        return Diagnostic(what=name, present=False, found="missing", mend=installing(name))
    obstacle = framework_obstacle(name, version)
    return Diagnostic(what=name, present=obstacle is None, found=obstacle or version)


def _getting_horovod(framework: str, *, is_there: bool) -> str:
    """is_there: the framework, so that a Horovod for it can be built beside it."""
    for_gpus = bool(present_gpus()) and is_built_for_cuda(framework)
    return installing_horovod(framework, is_there=is_there, for_gpus=for_gpus)


def _controller(name: str, present: bool, mend: str) -> Diagnostic:
    found = "ready" if present else "missing"
    return Diagnostic(what=f"controller {name}", present=present, found=found, mend=None if present else mend)


def _gloo(horovod: str) -> Diagnostic:
    """horovod: what installs it."""
    unresolved = unresolved_name()
    if unresolved:
        found = f"this machine's name, {unresolved}, is not known"
        return Diagnostic(what="controller gloo", present=False, found=found, mend=how_to_resolve(unresolved))
    return _controller("gloo", any(map(horovod_supports, FRAMEWORKS)), horovod)


def _horovod(framework: str, version: str | None, *, is_asked_for: bool) -> Diagnostic:
    """is_asked_for: the framework is there."""
    what = f"horovod for {framework}"
    if version is None or not horovod_supports(framework):
        mend = _getting_horovod(framework, is_there=is_asked_for)
        return Diagnostic(what=what, present=False, found="missing", mend=mend)
    return Diagnostic(what=what, present=True, found=f"{version}, with {', '.join(built_with(framework))}")


def _mpi(horovod: str) -> Diagnostic:
    """Whether the MPI that would start workers is the one that Horovod loads. horovod: what installs it."""
    served = [framework for framework in FRAMEWORKS if horovod_supports(framework)]
    if not served:
        return _controller("mpi", present=False, mend=horovod)
    obstacle = mpi_obstacle(served[0])
    if obstacle is None:
        return Diagnostic(what="controller mpi", present=True, found=f"ready, {mpirun()}")
    mend = f"{obstacle.mend}, or take --controller gloo"
    return Diagnostic(what="controller mpi", present=False, found=obstacle.found, mend=mend)


def _batch_job() -> Diagnostic:
    """Whose hosts launches take unless -H or --hostfile names some."""
    try:
        job = batch_job(os.environ)
    except HostsError as error:
        return Diagnostic(what="batch job", present=False, found=str(error), mend="-H or --hostfile")
    found = job.in_words if job else "none around this process, of Slurm, LSF or PBS"
    return Diagnostic(what="batch job", present=job is not None, found=found)


def _digits() -> Diagnostic:
    present = importlib.util.find_spec("sklearn") is not None
    found = "with scikit-learn" if present else "missing"
    return Diagnostic(
        what="dataset digits", present=present, found=found, mend=None if present else installing("scikit-learn")
    )


def _fetched(name: str, place: Path | None, how_to_get: str) -> Diagnostic:
    return Diagnostic(
        what=f"dataset {name}",
        present=place is not None,
        found=str(place or "missing"),
        mend=None if place else how_to_get,
    )


def network_lab() -> Diagnostic:
    """Whether several hosts can be emulated here (tests/lab)."""
    missing = [tool for tool in LAB_TOOLS if shutil.which(tool, path=_admin_path()) is None]
    if os.geteuid() != 0 or not may_mount():
        mend = "run as root to emulate hosts, in a container with --privileged"
        return Diagnostic(what="network lab", present=False, found="needs root", mend=mend)
    if missing:
        return Diagnostic(
            what="network lab",
            present=False,
            found=f"{', '.join(missing)} missing",
            mend="apt-get install iproute2 openssh-client openssh-server",
        )
    return Diagnostic(what="network lab", present=True, found="root, iproute2 and OpenSSH: make lab")


def may_mount(status: Path = Path("/proc/self/status")) -> bool:
    """As root may, but for that of a container as a rule; the same makes namespaces."""
    (held,) = (line for line in status.read_text().splitlines() if line.startswith("CapEff:"))
    return bool(int(held.split()[1], 16) >> CAP_SYS_ADMIN & 1)


def _admin_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
