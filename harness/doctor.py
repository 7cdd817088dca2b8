"""What this machine can run and what is missing, each with the command that mends it. Imports no framework."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.run.feasible import horovod_supports
from harness.run.machine import describe_machine, installed_versions
from harness.workloads.data import HOW_TO_GET_FASHION, find_fashion_mnist

SETUP = "make setup"
LAB_TOOLS = ("ip", "tc", "ssh", "ssh-keygen", "sshd")  # beside util-linux, which every Linux has


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked for."""

    what: str
    present: bool
    found: str
    mend: str | None = None


def examine() -> list[Finding]:
    """All findings, in the order a user would ask."""
    machine = describe_machine()
    versions = installed_versions()
    memory = f"{machine.memory_bytes / 1024**3:.0f} GiB"
    findings = [Finding(what="machine", present=True, found=f"{machine.cpu}, {machine.num_cores} cores, {memory}")]
    findings.append(
        Finding(
            what="GPUs",
            present=bool(machine.gpus),
            found=", ".join(machine.gpus) or "none; cells with device: gpu are refused",
        )
    )
    for framework in ("torch", "tensorflow"):
        found = versions.get(framework) or versions.get(f"{framework}-cpu")
        findings.append(_installed(framework, found))
        built = horovod_supports(framework)
        findings.append(_installed(f"horovod for {framework}", versions.get("horovod") if built else None))
    findings.append(_controller("gloo", horovod_supports("torch") or horovod_supports("tensorflow")))
    findings.append(_controller("mpi", (Path(sys.executable).parent / "mpirun").exists()))
    findings.append(_digits())
    findings.append(_fashion())
    findings.append(network_lab())
    return findings


def _installed(what: str, found: str | None) -> Finding:
    return Finding(what=what, present=found is not None, found=found or "missing", mend=None if found else SETUP)


def _controller(name: str, present: bool) -> Finding:
    found = "ready" if present else "missing"
    return Finding(what=f"controller {name}", present=present, found=found, mend=None if present else SETUP)


def _digits() -> Finding:
    present = importlib.util.find_spec("sklearn") is not None
    found = "with scikit-learn" if present else "missing"
    return Finding(what="dataset digits", present=present, found=found, mend=None if present else SETUP)


def _fashion() -> Finding:
    folder = find_fashion_mnist()
    return Finding(
        what="dataset fashion-mnist",
        present=folder is not None,
        found=str(folder or "missing"),
        mend=None if folder else HOW_TO_GET_FASHION,
    )


def network_lab() -> Finding:
    """Whether several hosts can be emulated here (tests/lab)."""
    missing = [tool for tool in LAB_TOOLS if shutil.which(tool, path=_admin_path()) is None]
    if os.geteuid() != 0:
        return Finding(what="network lab", present=False, found="needs root", mend="run as root to emulate hosts")
    if missing:
        return Finding(
            what="network lab",
            present=False,
            found=f"{', '.join(missing)} missing",
            mend="apt-get install iproute2 openssh-client openssh-server",
        )
    return Finding(what="network lab", present=True, found="root, iproute2 and OpenSSH: make lab")


def _admin_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
