"""A worker and a server of this machine, each a process: what 1.6 MB take there and back, applied in between.

Each over two processes written by hand (tests/perf/by_hand.py), and encryption over none: two pairs that take turns.
"""

from __future__ import annotations

import fcntl
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import torch

from harness.fabrics.connection import Connection
from harness.fabrics.served_torch import ServedTorch
from harness.module_process import module_argv
from harness.protocols import ServerRule
from harness.records.run_files import CELL_FILE, PARENT_LOCK
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from harness.worker import process
from tests.perf.alternating import Alternated, Measurement, alternate, seconds_of
from tests.perf.by_hand import LOOPBACK, Exchange, exchanging_by_memory, exchanging_by_tcp
from tests.perf.figure import Figure

NUM_VALUES = 400_000
NUM_SERIES, NUM_BLOCKS, NUM_EACH = 7, 4, 100  # exchanges a block


def figures() -> list[Figure]:
    process.prepare(num_threads=1)
    torch.set_num_threads(1)
    return [
        *_over_by_hand("memory of this machine", [], exchanging_by_memory, bar=2.3),
        *_over_by_hand("TCP on loopback", [LOOPBACK], exchanging_by_tcp, bar=1.5),
        _encryption(),
    ]


def _over_by_hand(
    by: str, host: list[str], exchanging: Callable[[int], AbstractContextManager[Exchange]], *, bar: float
) -> list[Figure]:
    """Each series by fresh processes: what one pair takes by TCP, another like it may take half as often again."""
    series = []
    for _ in range(NUM_SERIES):
        with _served(*host) as fabric, exchanging(NUM_VALUES) as exchange:
            series.append(_alternate(fabric, exchange))
    what = f"1.6 MB pushed, added and pulled by {by}"
    ratios, taken_ms = tuple(each.ratio for each in series), tuple(statistics.median(each.ours) for each in series)
    return [
        Figure(what=f"{what}: over a server by hand", values=ratios, bar=bar, at_most=True),
        Figure(what=f"{what}, ms", values=taken_ms, bar=None),
    ]


def _alternate(fabric: ServedTorch, exchange: Exchange) -> Alternated:
    update = torch.ones(NUM_VALUES).numpy()
    return alternate(_pushing_and_pulling(fabric), _median_ms_of(lambda: exchange(update)), num_pairs=NUM_BLOCKS)


def _encryption() -> Figure:
    with _served(LOOPBACK) as clear, _served(LOOPBACK, encryption="curve") as encrypted:
        taken_ms = alternate(_pushing_and_pulling(encrypted), _pushing_and_pulling(clear), num_pairs=NUM_SERIES)
    return Figure(what="TCP on loopback, encrypted over in the clear", values=taken_ms.ratios, bar=None)


def _pushing_and_pulling(fabric: ServedTorch) -> Measurement:
    update = torch.ones(NUM_VALUES)
    return _median_ms_of(lambda: fabric.push_pull(update).wait())


def _median_ms_of(exchange: Callable[[], object]) -> Measurement:
    return lambda: 1000 * statistics.median(seconds_of(exchange) for _ in range(NUM_EACH))


@contextmanager
def _served(*host: str, encryption: str = "none") -> Iterator[ServedTorch]:
    cell = Cell.model_validate({"workload": "fnn", "strategy": {"name": "downpour", "server_encryption": encryption}})
    with tempfile.TemporaryDirectory() as scratch:
        run_dir = Path(scratch)
        (run_dir / CELL_FILE).write_text(json.dumps(cell.model_dump(mode="json")))
        with (run_dir / PARENT_LOCK).open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            argv = [*module_argv("harness.servers.shard_server", scratch, "0"), *host]
            place = Connection(rank=0, size=1, local_rank=0, local_size=1, run_dir=run_dir)
            with subprocess.Popen(argv, env={"PYTHONPATH": ":".join(filter(None, sys.path))}) as server:
                try:
                    with closing(ServedTorch(cell, place, Clock())) as fabric:
                        fabric.serve(torch.zeros(NUM_VALUES), ServerRule())
                        yield fabric
                finally:
                    server.kill()
