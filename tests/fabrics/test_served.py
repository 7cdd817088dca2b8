"""Weights on servers: what workers, here threads, push and pull over real sockets."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from harness.fabrics.served_torch import ServedTorch
from harness.fabrics.shard_client import NUM_LOOKS, ShardClient, ShardError
from harness.protocols import ServerRule
from tests.command import LIMIT_S
from tests.fabrics.served_workers import SUM, fabric, in_threads, served

BY_MEMORY_OR_NETWORK = pytest.mark.parametrize("host", [None, "127.0.0.1"])


@BY_MEMORY_OR_NETWORK
def test_workers_push_to_one_set_of_weights_and_pull_it(tmp_path: Path, host: str | None) -> None:
    def work(made: ServedTorch) -> tuple[list[float], list[float], int]:
        first = made.serve(torch.tensor([1.0, 2.0, 3.0]) + made.rank, SUM).tolist()  # rank 0's are taken
        made.barrier()
        made.push(torch.tensor([1.0, 0.0, 0.0])).wait()
        after = made.push_pull(torch.tensor([0.0, 0.0, 1.0])).wait()
        assert after[2] >= 4
        made.barrier()
        return first, made.pull().wait().tolist(), made.bytes_sent

    with served(tmp_path, 1, 2, host=host):
        assert in_threads(2, tmp_path, work) == [([1, 2, 3], [3, 2, 5], 24)] * 2


@BY_MEMORY_OR_NETWORK
def test_what_is_under_way_is_not_written_over(tmp_path: Path, host: str | None) -> None:
    """Nobody waits between: pulls see what was pushed before them, and nothing after."""

    def work(made: ServedTorch) -> list[float]:
        made.serve(torch.zeros(1), SUM)
        first, pushed = made.pull(), [made.push(torch.tensor([value])) for value in (1.0, 2.0)]
        second, third = made.push_pull(torch.tensor([4.0])), made.pull()
        for each in pushed:
            each.wait()
        return [each.wait().item() for each in (third, second, first)]

    with served(tmp_path, 1, 1, host=host):
        assert in_threads(1, tmp_path, work) == [[7.0, 7.0, 0.0]]


@BY_MEMORY_OR_NETWORK
def test_weights_of_another_size_take_the_place_of_the_first(tmp_path: Path, host: str | None) -> None:
    def work(made: ServedTorch) -> list[float]:
        for size in (3, 5000, 2):
            made.serve(torch.zeros(size), SUM)
            last = made.push_pull(torch.ones(size)).wait()
            assert len(last) == size
            made.barrier()
        return made.pull().wait().tolist()

    with served(tmp_path, 1, 2, host=host):
        assert in_threads(2, tmp_path, work) == [[2.0, 2.0]] * 2


@BY_MEMORY_OR_NETWORK
@pytest.mark.parametrize("num_servers", [1, 3])
def test_parts_on_several_servers_are_the_same_vector(tmp_path: Path, num_servers: int, host: str | None) -> None:
    rule = ServerRule(name="momentum", momentum=0.5, num_parameters=5)

    def work(made: ServedTorch) -> list[float]:
        made.serve(torch.arange(7.0), rule)
        made.push(torch.ones(7)).wait()
        values: list[float] = made.push_pull(torch.ones(7)).wait().tolist()  # v = 1, then 1½; two buffers only add up
        return values

    with served(tmp_path, num_servers, 1, host=host):
        expected = [value + 2.5 for value in range(5)] + [7.0, 8.0]
        assert in_threads(1, tmp_path, work, servers=num_servers) == [expected]


@BY_MEMORY_OR_NETWORK
@pytest.mark.parametrize("num_servers", [1, 3])
def test_servers_take_nothing_below_0_that_began_above_it(tmp_path: Path, num_servers: int, host: str | None) -> None:
    rule = ServerRule(num_parameters=1, began_positive=((2, 4), (5, 6)))

    def work(made: ServedTorch) -> list[float]:
        made.serve(torch.ones(6), rule)
        values: list[float] = made.push_pull(torch.full((6,), -2.0)).wait().tolist()
        return values

    with served(tmp_path, num_servers, 1, host=host):
        assert in_threads(1, tmp_path, work, servers=num_servers) == [[-1, -1, 1, 1, -1, 1]]


def test_staleness_is_the_updates_of_others_since_the_read_it_was_made_from(tmp_path: Path) -> None:
    def work(made: ServedTorch) -> list[int]:
        made.serve(torch.zeros(1), SUM)
        if made.rank == 1:
            made.push(torch.ones(1)).wait()
            made.push(torch.ones(1)).wait()
        made.barrier()
        if made.rank == 0:
            made.pull(to_train=False).wait()
            first = made.push_pull(torch.ones(1))  # of the weights that were served: two came between
            second = made.push(torch.ones(1))  # of the same
            first.wait()
            second.wait()
            made.push(torch.ones(1)).wait()  # of those that came with the first
        return made.staleness_counts()[:3]

    with served(tmp_path, 1, 2):
        assert in_threads(2, tmp_path, work) == [[1, 0, 2], [2, 0, 0]]


@BY_MEMORY_OR_NETWORK
def test_update_of_another_size_is_refused_in_words(tmp_path: Path, host: str | None) -> None:
    def work(made: ServedTorch) -> None:
        made.serve(torch.zeros(3), SUM)
        made.push(torch.zeros(2)).wait()

    with served(tmp_path, 1, 1, host=host), pytest.raises(ShardError, match=r"^server 0 .*: 2 values; wanted: 3, as "):
        in_threads(1, tmp_path, work)


def test_server_that_is_gone_is_silent(tmp_path: Path) -> None:
    """Of a launch whose server has died its launcher says so first."""

    def work(made: ServedTorch) -> None:
        stop.close()
        made.barrier()

    said = r"^server 0 \(unix:@hvdbench-\w+\) has not answered for 1 s"
    with ExitStack() as stop:
        stop.enter_context(served(tmp_path, 1, 1))
        with pytest.raises(ShardError, match=said):
            in_threads(1, tmp_path, work, server_deadline_s=1)


def test_who_waits_for_the_others_does_not_give_up_a_server_that_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through more looks than make up the deadline, after each of which the server answers that it is there."""
    late, num_looks, really = threading.Event(), itertools.count(1), ShardClient._ping

    def ping(client: ShardClient) -> None:
        really(client)
        if next(num_looks) > NUM_LOOKS:
            late.set()

    def work(rank: int) -> None:
        if rank == 1:
            assert late.wait(LIMIT_S)
        fabric(tmp_path, rank, 2, server_deadline_s=2.0).close()

    monkeypatch.setattr(ShardClient, "_ping", ping)
    with served(tmp_path, 1, 2), ThreadPoolExecutor(2) as threads:
        for each in [threads.submit(work, rank) for rank in range(2)]:
            each.result(timeout=LIMIT_S)
