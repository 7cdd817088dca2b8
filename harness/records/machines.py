"""Where the workers of a launch were, as they tell themselves: the machine of the record."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable

from harness.records.record import Machine, Part, WorkerPart
from harness.records.stored_text import Text

_PYTHON = re.compile(r"Python (\d+\.\d+)")  # releases of a series are as fast as each other, series are not


class Place(Part):
    """Where a rank is, as it tells when it starts: one that crashes leaves no part."""

    host: Text  # as a part has it
    machine: Machine
    driver: Text | None = None  # of its GPUs


def hosts_of(parts: Iterable[WorkerPart | Place]) -> frozenset[str]:
    """The machines that they were on; empty where they do not tell."""
    return frozenset(part.host for part in parts if part.host is not None)


def kernels_of(parts: Iterable[WorkerPart]) -> dict[str | None, str | None]:
    """By host that tells its machine, the kernel, equal for hosts that are one machine; None where it is not told."""
    return {part.host: part.machine.kernel for part in parts if part.machine is not None}


def machine_of(parts: Iterable[WorkerPart | Place]) -> Machine | None:
    """The machine that all were on or that each of theirs is like; of unlike ones a summary, comparable with others of
    as many of each kind. None where none of them tells."""
    told = list({part.host: part.machine for part in parts if part.machine is not None}.values())
    if not told:
        return None
    counts = Counter(machine.fingerprint for machine in told)
    load_1min = max(machine.load_1min for machine in told)
    if len(counts) == 1:
        return told[0].model_copy(update={"load_1min": load_1min})
    first = {machine.fingerprint: machine for machine in told}
    kinds = [(counts[fingerprint], first[fingerprint]) for fingerprint in sorted(first)]
    return Machine(
        fingerprint=hashlib.sha256(json.dumps(sorted(counts.items())).encode()).hexdigest()[:12],
        cpu="; ".join(f"{count} × {machine.cpu}, {machine.num_cores} cores" for count, machine in kinds),
        num_cores=min(machine.num_cores for machine in told),
        memory_bytes=min(machine.memory_bytes for machine in told),
        gpus=sorted({gpu for machine in told for gpu in machine.gpus}),
        system="; ".join(sorted({machine.system for machine in told})),
        load_1min=load_1min,
        cpu_quota=min((machine.cpu_quota for machine in told if machine.cpu_quota is not None), default=None),
        num_kinds=len(counts),
    )


def python_of(machine: Machine) -> str:
    """The series of the Python that ran there, `3.11`; of several each, and empty where that is not told."""
    return ", ".join(sorted(set(_PYTHON.findall(machine.system))))
