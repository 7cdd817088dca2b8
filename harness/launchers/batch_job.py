"""The hosts of the batch job that this process is in, as Slurm, LSF and PBS tell them by their variables.

Sources: sbatch(1), "OUTPUT ENVIRONMENT VARIABLES" (nodes are listed as scontrol(1), "show hostnames", takes them); IBM
Spectrum LSF's reference, "Environment variables set for job execution"; OpenPBS' qsub(1B), "PBS_NODEFILE".
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.fabrics.connection import MOST_NODES, tasks_of_nodes
from harness.launchers.hosts import Host, HostsError, parse_hosts, read_hostfile

_PART = r"(?:[^,\[\]]|\[[^\[\]]+\])+"  # of a list: between commas that stand in no brackets
_LIST = re.compile(f"{_PART}(?:,{_PART})*")
_PIECES = re.compile(r"\[([^\]]*)\]|([^\[]+)")
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
_OF_A_JOB = ("SLURM_JOB_NODELIST", "SLURM_TASKS_PER_NODE")
_OF_A_STEP = ("SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE")


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
        raise HostsError(f"{error}; -H names hosts in their place") from None


def _of_slurm(environ: Mapping[str, str]) -> BatchJob | None:
    """A slot for each task that may start on a node: of the job (--ntasks-per-node), or of its step around this."""
    variable, counted = _OF_A_STEP if _is_in_a_step(environ) else _OF_A_JOB
    number, listed, tasks = environ.get("SLURM_JOB_ID"), environ.get(variable), environ.get(counted, "")
    if not number or not listed:
        return None
    said = f"{variable}={listed} {counted}={tasks}"
    slots = tasks_of_nodes(tasks)
    if not slots:
        raise HostsError(f"{said}: no numbers of tasks; allowed: 2(x3),1, of up to {MOST_NODES} nodes")
    names = list(itertools.islice(_slurm_nodes(listed, said), MOST_NODES + 1))
    if len(names) != len(slots):
        raise HostsError(f"{said}: {len(names)} nodes and {len(slots)} numbers of tasks")
    text = ",".join(f"{name}:{count}" for name, count in zip(names, slots, strict=True))
    hosts = (_found_here(host, environ.get("SLURMD_NODENAME")) for host in parse_hosts(text, given_as=said))
    return BatchJob(scheduler="Slurm", number=number, variable=variable, hosts=tuple(hosts))


def _found_here(host: Host, here: str | None) -> Host:
    """This machine by a name that it knows. here: what Slurm calls it, which may resolve nowhere."""
    return replace(host, name="localhost") if host.name == here and not host.is_this_machine else host


def _is_in_a_step(environ: Mapping[str, str]) -> bool:
    """Whether an srun gave this process one node of the job; of several it would have made a launch.

    A job that is submitted from within a step has the step's variables still, beside a number of nodes of its own.
    """
    has_one = environ.get("SLURM_STEP_NUM_NODES") == environ.get("SLURM_NNODES") == "1"
    return has_one and environ.get("SLURM_STEP_NODELIST") == environ.get("SLURMD_NODENAME")


def _slurm_nodes(listed: str, said: str) -> Iterator[str]:
    """`a[08-10,12],b` are a08, a09, a10, a12 and b; of several brackets in one name, the product."""
    if not _LIST.fullmatch(listed):
        raise HostsError(f"{said}: no list of nodes; allowed: names and ranges of them, n[01-03,7],login")
    for part in re.findall(_PART, listed):
        pieces = [_numbers(inside, said) if inside else [plain] for inside, plain in _PIECES.findall(part)]
        yield from map("".join, itertools.product(*pieces))


def _numbers(inside: str, said: str) -> list[str]:
    """`08-10,12`, each as wide as the first of its range; one too many where there are too many."""
    return list(itertools.islice(_numbers_of_ranges(inside, said), MOST_NODES + 1))


def _numbers_of_ranges(inside: str, said: str) -> Iterator[str]:
    for part in inside.split(","):
        found = _RANGE.fullmatch(part)
        if found is None or not 0 <= int(found[2] or found[1]) - int(found[1]) < MOST_NODES:
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
        variable, hosts = "LSB_MCPU_HOSTS", _of_pairs(listed.split(), said=f"LSB_MCPU_HOSTS={listed}")
    return BatchJob(scheduler="LSF", number=number, variable=variable, hosts=hosts)


def _of_pairs(words: Sequence[str], said: str) -> tuple[Host, ...]:
    """From `host slots host slots`, where a host may stand again after another."""
    slots: Counter[str] = Counter()
    for name, count in itertools.zip_longest(words[::2], words[1::2], fillvalue=""):
        for host in parse_hosts(f"{name}:{count}", given_as=said):
            slots[host.name] += host.slots
    return tuple(Host(name=name, slots=count) for name, count in slots.items())


def _of_pbs(environ: Mapping[str, str]) -> BatchJob | None:
    """From a file with a line for each process of a chunk (`mpiprocs` of OpenPBS, `ppn` of Torque)."""
    number, file = environ.get("PBS_JOBID"), environ.get("PBS_NODEFILE")
    if not number or not file:
        return None
    hosts = read_hostfile(Path(file), given_as=f"PBS_NODEFILE={file}")
    return BatchJob(scheduler="PBS", number=number, variable="PBS_NODEFILE", hosts=hosts)
