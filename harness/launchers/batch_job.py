"""The hosts of the batch job that this process is in, as Slurm, LSF and PBS tell them by their variables.

Sources: sbatch(1), "OUTPUT ENVIRONMENT VARIABLES" (nodes are listed as scontrol(1), "show hostnames", takes them); IBM
Spectrum LSF's reference, "Environment variables set for job execution"; OpenPBS' qsub(1B), "PBS_NODEFILE".
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.fabrics.connection import tasks_of_nodes
from harness.launchers.hosts import Host, HostsError, parse_hosts, read_hostfile

_PARTS = re.compile(r"(?:[^,\[\]]|\[[^\[\]]*\])+")  # of a list: between commas that stand in no brackets
_PIECES = re.compile(r"\[([^\]]*)\]|([^\[]+)")
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True, kw_only=True)
class BatchJob:
    """A job that a scheduler started, with the slots that it was given on each host."""

    scheduler: str
    number: str
    variable: str  # that named the hosts
    hosts: tuple[Host, ...]

    @property
    def is_here_alone(self) -> bool:
        """Whether it has this machine and no other."""
        return all(host.is_this_machine for host in self.hosts)

    @property
    def in_words(self) -> str:
        named = ", ".join(f"{host.name}:{host.slots}" for host in self.hosts)
        return f"{named} of {self.scheduler} job {self.number} ({self.variable})"


def batch_job(environ: Mapping[str, str]) -> BatchJob | None:
    """The job around this process; None outside of any. Raises HostsError where its variables cannot be understood."""
    try:
        return _of_slurm(environ) or _of_lsf(environ) or _of_pbs(environ)
    except HostsError as error:
        raise HostsError(f"{error}; -H or --hostfile names hosts in their place") from None


def _of_slurm(environ: Mapping[str, str]) -> BatchJob | None:
    """A slot for each task that the job may start on a node, which is what --ntasks-per-node asks for."""
    number, listed = environ.get("SLURM_JOB_ID"), environ.get("SLURM_JOB_NODELIST")
    if not number or not listed:
        return None
    tasks = environ.get("SLURM_TASKS_PER_NODE", "")
    said = f"SLURM_JOB_NODELIST={listed} SLURM_TASKS_PER_NODE={tasks}"
    names, slots = list(_slurm_nodes(listed, said)), tasks_of_nodes(tasks)
    if len(names) != len(slots):
        raise HostsError(f"{said}: {len(names)} nodes and {len(slots)} numbers of tasks")
    text = ",".join(f"{name}:{count}" for name, count in zip(names, slots, strict=True))
    hosts = parse_hosts(text, given_as=said)
    return BatchJob(scheduler="Slurm", number=number, variable="SLURM_JOB_NODELIST", hosts=hosts)


def _slurm_nodes(listed: str, said: str) -> Iterator[str]:
    """`a[08-10,12],b` are a08, a09, a10, a12 and b; of several brackets in one name, the product."""
    for part in _PARTS.findall(listed):
        pieces = [list(_numbers(inside, said)) if inside else [plain] for inside, plain in _PIECES.findall(part)]
        yield from map("".join, itertools.product(*pieces))


def _numbers(inside: str, said: str) -> Iterator[str]:
    """`08-10,12`, each as wide as the first of its range."""
    for part in inside.split(","):
        found = _RANGE.fullmatch(part)
        if found is None:
            raise HostsError(f"{said}: {part!r} is no range of numbers")
        first, last = found[1], found[2] or found[1]
        yield from (f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1))


def _of_lsf(environ: Mapping[str, str]) -> BatchJob | None:
    """From a file with a line for each slot; where there is none, from `host slots host slots`."""
    number = environ.get("LSB_JOBID")
    file, listed = environ.get("LSB_DJOB_HOSTFILE"), environ.get("LSB_MCPU_HOSTS", "")
    if not number or not (file or listed):
        return None
    if file:
        variable, hosts = "LSB_DJOB_HOSTFILE", read_hostfile(Path(file), given_as=f"LSB_DJOB_HOSTFILE={file}")
    else:
        words = listed.split()
        pairs = ",".join(map(":".join, itertools.zip_longest(words[::2], words[1::2], fillvalue="")))
        variable, hosts = "LSB_MCPU_HOSTS", parse_hosts(pairs, given_as=f"LSB_MCPU_HOSTS={listed}")
    return BatchJob(scheduler="LSF", number=number, variable=variable, hosts=hosts)


def _of_pbs(environ: Mapping[str, str]) -> BatchJob | None:
    """From a file with a line for each process of a chunk (`mpiprocs` of OpenPBS, `ppn` of Torque)."""
    number, file = environ.get("PBS_JOBID"), environ.get("PBS_NODEFILE")
    if not number or not file:
        return None
    hosts = read_hostfile(Path(file), given_as=f"PBS_NODEFILE={file}")
    return BatchJob(scheduler="PBS", number=number, variable="PBS_NODEFILE", hosts=hosts)
