"""What kept a run from running while it trained, as its workers saw it: for frames, cautions and the live line."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from harness.records.machines import kernels_of
from harness.records.record import Interruptions, Record, WorkerPart

MATTERS_FROM = 0.01  # of the time of training


def stopped_s(record: Record) -> float:
    """That the worker longest stopped was, or the machine asleep under it: each holds up the others. NaN: not known."""
    return _longest(told.paused_s + told.suspended_s for told in _told(record))


def throttled_s(record: Record) -> float:
    """For which a CPU quota held back the worker most held back, over cores; NaN: not known."""
    return _longest(told.throttled_s for told in _told(record))


def stolen_s(record: Record) -> float:
    """That the machine under a virtual one took of the cores of the worker that lost most; NaN: not known."""
    return _longest(told.steal_s for told in _told(record))


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
    said = [f"{what} for {seconds:.1f} s" for what, seconds in found if seconds > least_s]
    return ", ".join(said) or None


def _told(record: Record) -> list[Interruptions]:
    return [part.interruptions for part in record.workers if part.interruptions is not None]


def _longest(each: Iterable[float | None]) -> float:
    return max((seconds for seconds in each if seconds is not None), default=math.nan)
