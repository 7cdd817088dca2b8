"""A worker and a server of this machine, each a process: what 1.6 MB take there and back, applied in between.

What encryption costs is the ratio of two pairs that take turns.
"""

from __future__ import annotations

import fcntl
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import torch

from harness.fabrics.connection import Connection
from harness.fabrics.served_torch import ServedTorch
from harness.module_process import module_argv
from harness.protocols import ServerRule
from harness.records.run_files import CELL_FILE, PARENT_LOCK
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from harness.timing.stopwatch import Stopwatch
from harness.worker import process
from tests.perf.figure import Figure

NUM_VALUES, LIMIT_MS = 400_000, 1.3
NUM_SERIES, NUM_EACH = 7, 100
LOOPBACK = "127.0.0.1"
HOSTS = {"memory of this machine": [], "TCP on loopback": [LOOPBACK]}


def figures() -> list[Figure]:
    process.prepare(num_threads=1)
    torch.set_num_threads(1)
    return [*(_exchange(by, host) for by, host in HOSTS.items()), _encryption()]


def _exchange(by: str, host: list[str]) -> Figure:
    with _served(host) as fabric:
        taken_ms = tuple(_median_ms(fabric) for _ in range(NUM_SERIES + 1))
    what = f"1.6 MB pushed, added and pulled by {by}, ms"
    return Figure(what=what, values=taken_ms[1:], bar=LIMIT_MS, at_most=True)


def _encryption() -> Figure:
    with _served([LOOPBACK]) as clear, _served([LOOPBACK], encryption="curve") as encrypted:
        ratios = tuple(_median_ms(encrypted) / _median_ms(clear) for _ in range(NUM_SERIES + 1))
    return Figure(what="for comparison: TCP on loopback, encrypted over in the clear", values=ratios[1:], bar=None)


def _median_ms(fabric: ServedTorch) -> float:
    taken_s, update = [], torch.ones(NUM_VALUES)
    for _ in range(NUM_EACH):
        watch = Stopwatch()
        fabric.push_pull(update).wait()
        taken_s.append(watch.elapsed_s())
    return statistics.median(taken_s) * 1000


@contextmanager
def _served(host: list[str], *, encryption: str = "none") -> Iterator[ServedTorch]:
    cell = Cell.model_validate({"workload": "fnn", "strategy": {"name": "downpour", "server_encryption": encryption}})
    with tempfile.TemporaryDirectory() as scratch:
        run_dir = Path(scratch)
        (run_dir / CELL_FILE).write_text(json.dumps(cell.model_dump(mode="json")))
        with (run_dir / PARENT_LOCK).open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            argv = [*module_argv("harness.servers.shard_server", scratch, "0"), *host]
            server = subprocess.Popen(argv, env={"PYTHONPATH": ":".join(filter(None, sys.path))})
            place = Connection(rank=0, size=1, local_rank=0, local_size=1, run_dir=run_dir)
            with closing(ServedTorch(cell, place, Clock())) as fabric:
                fabric.serve(torch.zeros(NUM_VALUES), ServerRule())
                yield fabric
            server.kill()
            server.wait()
