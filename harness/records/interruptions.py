"""What kept a run from running while it trained, as its workers saw it: for frames, cautions and the live line."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from harness.plain_text import lasting
from harness.records.machines import kernels_of
from harness.records.record import Interruptions, Record, WorkerPart

MATTERS_FROM = 0.01  # of the time of training


def stopped_s(record: Record) -> float:
    """That the worker longest stopped was, or the machine asleep under it: each holds up the others. NaN: not known."""
    return _longest(told.paused_s + told.suspended_s for _, told in _told(record))


def throttled_s(record: Record) -> float:
    """For which a CPU quota held back each core of the workers most held back, on the mean; NaN: not known."""
    return _longest(_each(told.throttled_s, _cores_beside(record, part)) for part, told in _told(record))


def stolen_s(record: Record) -> float:
    """That the machine under a virtual one took of each core of the worker that lost most, on the mean; NaN: not
    known."""
    return _longest(_each(told.steal_s, _num_cores(record, part)) for part, told in _told(record))


def _each(seconds: float | None, num_cores: int) -> float | None:
    return None if seconds is None else seconds / num_cores


def _cores_beside(record: Record, part: WorkerPart) -> int:
    """Of all workers on its host, whom a quota holds back together; those that several of them may use count once."""
    beside = [each.cores for each in record.workers if each.host == part.host]
    own = {core for cores in beside for core in cores or ()}
    return len(own) if all(beside) else _cores_of_host(record, part)


def _num_cores(record: Record, part: WorkerPart) -> int:
    """Those it may use: its own where it is pinned, else all of its host's."""
    return len(part.cores or ()) or _cores_of_host(record, part)


def _cores_of_host(record: Record, part: WorkerPart) -> int:
    machine = next((each.machine for each in record.workers if each.host == part.host and each.machine), None)
    return (machine or record.machine).num_cores


def others_share(record: Record) -> float:
    """Of the cores of the machine where it was most, what processes other than the launch's used while it trained.

    NaN: not known, as of servers whose machine is one of several.
    """
    kernels = kernels_of(record.workers)
    placed: defaultdict[str | None, list[WorkerPart]] = defaultdict(list)  # hosts that are one machine are one
    for part in record.workers:
        placed[kernels.get(part.host) or part.host].append(part)
    if record.servers and len(placed) > 1:
        return math.nan
    of_servers_s = sum(server.cpu_s for server in record.servers)
    shares = [_others_share(parts, of_servers_s) for parts in placed.values()]
    return math.nan if any(map(math.isnan, shares)) else max(shares, default=math.nan)


def _others_share(parts: list[WorkerPart], of_servers_s: float) -> float:
    """parts: of the workers of one machine."""
    machine = next((part.machine for part in parts if part.machine is not None), None)
    longest = max(parts, key=lambda part: part.train_s)
    told = longest.interruptions
    if machine is None or told is None or told.machine_cpu_s is None or not longest.train_s:
        return math.nan
    others_s = told.machine_cpu_s - sum(part.cpu_s for part in parts) - of_servers_s
    return max(0.0, others_s) / (longest.train_s * machine.num_cores)


def interruptions_in_words(record: Record) -> str | None:
    """`stopped for 8.0 s`; None where nothing kept it from running for long."""
    least_s = MATTERS_FROM * max((part.train_s for part in record.workers), default=0.0)
    found = (
        ("stopped", stopped_s(record)),
        ("held back by a CPU quota", throttled_s(record)),
        ("without its cores, which the host took,", stolen_s(record)),
    )
    said = [f"{what} for {lasting(seconds)}" for what, seconds in found if seconds > least_s]
    return ", ".join(said) or None


def _told(record: Record) -> list[tuple[WorkerPart, Interruptions]]:
    return [(part, part.interruptions) for part in record.workers if part.interruptions is not None]


def _longest(each: Iterable[float | None]) -> float:
    return max((seconds for seconds in each if seconds is not None), default=math.nan)
