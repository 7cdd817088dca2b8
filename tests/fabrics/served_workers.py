"""Workers, here threads, that train by servers over real sockets; their tests are test_served*.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from harness.fabrics.connection import Connection
from harness.fabrics.served_torch import ServedTorch
from harness.fabrics.shard_wire import tell_address
from harness.protocols import ServerRule
from harness.servers.shard import Shard
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from tests.command import LIMIT_S
from tests.servers.talking import serving

Given = TypeVar("Given")
SUM = ServerRule()


@contextmanager
def served(
    run_dir: Path, num_servers: int, num_workers: int, *, host: str | None = None, is_encrypted: bool = False
) -> Iterator[None]:
    """Servers in threads, their addresses in the run folder."""
    with ExitStack() as stack:
        for index in range(num_servers):
            shard = Shard(index, num_servers, num_workers)
            server = stack.enter_context(serving(shard, host=host, is_encrypted=is_encrypted))
            tell_address(run_dir, index, server.address)
        yield


def fabric(run_dir: Path, rank: int, size: int, **options: Any) -> ServedTorch:
    strategy = {"name": "downpour", **options}
    cell = Cell.model_validate({"workload": "fnn", "strategy": strategy, "workers": size})
    place = Connection(rank=rank, size=size, local_rank=rank, local_size=size, run_dir=run_dir)
    return ServedTorch(cell, place, Clock())


def in_threads(size: int, run_dir: Path, work: Callable[[ServedTorch], Given], **options: Any) -> list[Given]:
    def each(rank: int) -> Given:
        made = fabric(run_dir, rank, size, **options)
        try:
            return work(made)
        finally:
            made.close()

    with ThreadPoolExecutor(size) as threads:
        return [future.result(timeout=LIMIT_S) for future in [threads.submit(each, rank) for rank in range(size)]]
