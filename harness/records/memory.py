"""How much memory training took, from what its processes say: defined once, for analysis and check alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from harness.records.record import Record, ServerPart, WorkerPart


def needed_bytes(record: Record) -> float:
    """The most resident memory that training took, over all processes, at least; NaN where one does not tell."""
    of_servers = ([server] for server in record.servers)
    return _total(map(_needed_bytes, _of_workers(record))) + _total(map(_needed_bytes, of_servers))


def grown_bytes(record: Record) -> float:
    """What of it came on top of framework, data and model; NaN where a worker does not tell."""
    return _total(map(_grown_bytes, _of_workers(record)))


def pss_bytes(record: Record) -> float:
    """The proportional memory at the end of training, over all processes; NaN where one does not tell."""
    return _total(None if each.pss_bytes is None else each.pss_bytes - _copies_bytes(each) for each in record.processes)


def gpu_bytes(record: Record) -> float:
    """The most that tensors took of GPUs, over all workers; NaN on a CPU."""
    return _total(part.gpu_memory_bytes for part in record.workers)


def tensor_bytes(record: Record) -> float:
    """Weights, gradient, optimizer state and buffers, of the worker that has most; NaN where one does not tell."""
    return float(np.max([math.nan if part.tensor_bytes is None else part.tensor_bytes for part in record.workers]))


def _of_workers(record: Record) -> list[list[WorkerPart]]:
    """The parts of each process. Threads have equal shares of its memory, and rank 0 may have all of its copies."""
    return [record.workers] if record.workers_are_threads else [[part] for part in record.workers]


def _needed_bytes(process: Sequence[WorkerPart | ServerPart]) -> int | None:
    """Without the copies of weights that only measuring keeps. There were none of them when training began.

    A lower bound: which copies there were at the peak is not known, so all are taken off.
    """
    peak_bytes = _sum(part.peak_rss_bytes for part in process)
    if peak_bytes is None:
        return None
    return max(peak_bytes - sum(map(_copies_bytes, process)), sum(part.start_rss_bytes or 0 for part in process))


def _grown_bytes(process: Sequence[WorkerPart]) -> int | None:
    needed_bytes, made_bytes = _needed_bytes(process), _sum(part.made_rss_bytes for part in process)
    return None if needed_bytes is None or made_bytes is None else max(0, needed_bytes - made_bytes)


def _copies_bytes(part: WorkerPart | ServerPart) -> int:
    return (part.measuring_bytes or 0) if isinstance(part, WorkerPart) else 0


def _sum(each: Iterable[int | None]) -> int | None:
    known = list(each)
    return None if None in known else sum(value or 0 for value in known)


def _total(each: Iterable[int | None]) -> float:
    return float(sum(math.nan if value is None else value for value in each))
