"""Workers, here threads, and servers over real sockets."""

from __future__ import annotations

import errno
import itertools
import platform
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
import zmq

from harness.fabrics.connection import Connection
from harness.fabrics.served_torch import ServedTorch
from harness.fabrics.shard_client import NUM_LOOKS, ShardClient, ShardError, address_of
from harness.fabrics.shard_memory import ShardMemory
from harness.fabrics.shard_wire import FRAME_BYTES, CurveKeys, Kind, ShardAddress, Token, tell_address
from harness.protocols import ServerRule
from harness.records.run_files import shard_path
from harness.servers.shard import Shard
from harness.servers.shard_server import ShardServer
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from tests.command import LIMIT_S

Given = TypeVar("Given")
SUM = ServerRule()
MANY_STEPS = 1_000_000  # to be claimed: their end is far
BY_MEMORY_OR_NETWORK = pytest.mark.parametrize("host", [None, "127.0.0.1"])


@contextmanager
def served(
    run_dir: Path, num_servers: int, num_workers: int, *, host: str | None = None, is_encrypted: bool = False
) -> Iterator[None]:
    """Servers in threads, their addresses in the run folder."""
    has_ended = threading.Event()
    with ExitStack() as stack:
        for index in range(num_servers):
            server = ShardServer(Shard(index, num_servers, num_workers), host=host, is_encrypted=is_encrypted)
            tell_address(run_dir, index, server.address)
            thread = threading.Thread(target=server.serve, args=(has_ended,))
            thread.start()
            stack.callback(server.close)
            stack.callback(thread.join)
        stack.callback(has_ended.set)
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


def test_every_step_is_claimed_once_whatever_is_served_meanwhile(tmp_path: Path) -> None:
    """Batches that are made ahead of time take steps before the weights are there that are trained."""

    def work(made: ServedTorch) -> list[int]:
        made.serve(torch.zeros(3), SUM)  # in warm-up, which takes none
        made.push_pull(torch.zeros(3)).wait()
        taken = [made.take_step(MANY_STEPS)]
        made.serve(torch.zeros(3), SUM)
        for step in range(60):
            taken.append(made.take_step(MANY_STEPS))
            if step % 4 == 0:
                made.push_pull(torch.zeros(3)).wait()
        while made._shards[0].num_claimed:  # and is not taken when training ends
            taken.append(made.take_step(MANY_STEPS))
        return taken

    with served(tmp_path, 1, 2):
        one, other = in_threads(2, tmp_path, work, push_every=4, fetch_every=4)
    assert sorted(one + other) == list(range(len(one) + len(other)))


def test_steps_last_from_one_exchange_to_the_next(tmp_path: Path) -> None:
    """Four of them, and as many while the answer is on its way."""

    def work(made: ServedTorch) -> list[int]:
        made.serve(torch.zeros(3), SUM)
        held = []
        for _ in range(3):
            held.append(made._shards[0].num_claimed)
            for _ in range(4):
                made.take_step(MANY_STEPS)
            made.push_pull(torch.zeros(3)).wait()
        return [*held, made._shards[0].num_claimed]

    with served(tmp_path, 1, 1):
        assert in_threads(1, tmp_path, work, push_every=4, fetch_every=4) == [[0, 8, 8, 8]]


def test_nothing_is_kept_of_a_claim_whose_steps_are_taken(tmp_path: Path) -> None:
    """However long training is: nobody waits for the answer itself."""

    def work(made: ServedTorch) -> tuple[int, int, int]:
        made.serve(torch.zeros(3), SUM)
        for _ in range(20):
            made.take_step(MANY_STEPS)
        (shard,) = made._shards
        return shard.num_claimed, len(shard._asked), len(shard._arrived)

    with served(tmp_path, 1, 1):
        assert in_threads(1, tmp_path, work) == [(0, 0, 0)]


def test_memory_that_is_too_short_leaves_values_to_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short, really = tmp_path / "short", ShardMemory.open
    short.touch()

    def work(made: ServedTorch) -> tuple[list[float], str]:
        made.serve(torch.zeros(2), SUM)
        return made.push_pull(torch.ones(2)).wait().tolist(), made.settings()["zmq.memory"]

    monkeypatch.setattr(ShardMemory, "open", lambda path, **size: really(str(short), **size))
    with served(tmp_path, 1, 1):
        assert in_threads(1, tmp_path, work) == [([1, 1], "cannot be opened: 0 bytes; wanted: 12288")]


@pytest.mark.parametrize(("host", "num_asked"), [(None, 0), ("127.0.0.1", 1)])
def test_weights_in_memory_are_pulled_without_a_message(tmp_path: Path, host: str | None, num_asked: int) -> None:
    def work(made: ServedTorch) -> tuple[list[float], int]:
        made.serve(torch.ones(2), SUM)
        before = made._shards[0]._last_number
        return made.pull().wait().tolist(), made._shards[0]._last_number - before

    with served(tmp_path, 1, 1, host=host):
        assert in_threads(1, tmp_path, work) == [([1, 1], num_asked)]


def test_weights_that_a_server_changes_are_asked_for_and_no_others(tmp_path: Path) -> None:
    def work(made: ServedTorch) -> tuple[list[float], list[int], list[int]]:
        made.serve(torch.ones(4), SUM)
        there, changing = (mapped for shard in made._shards if (mapped := shard._memory) is not None)
        before, copies_before = [shard._last_number for shard in made._shards], int(there.num_copies[0])
        held = ShardMemory.open(changing.path, num_workers=1, num_values=2)
        with held.exclusively():
            pulled: list[float] = made.pull().wait().tolist()
        held.close()
        asked = [shard._last_number - number for shard, number in zip(made._shards, before, strict=True)]
        return pulled, asked, [int(there.num_copies[0]) - copies_before]

    with served(tmp_path, 2, 1):
        assert in_threads(1, tmp_path, work, servers=2) == [([1, 1, 1, 1], [0, 1], [1])]


def test_memory_that_cannot_be_opened_leaves_values_to_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where /proc hides other processes, or a server's Python has capabilities of its own: of one worker of two."""
    may_open = ShardMemory.open

    def barred(path: str, **size: int) -> ShardMemory:
        if threading.current_thread().name.endswith("_0"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return may_open(path, **size)

    def work(made: ServedTorch) -> tuple[list[float], str]:
        made.serve(torch.zeros(2), SUM)
        made.push_pull(torch.ones(2)).wait()
        made.push(torch.ones(2)).wait()
        made.barrier()
        return made.pull().wait().tolist(), made.settings()["zmq.memory"]

    monkeypatch.setattr(ShardMemory, "open", barred)
    with served(tmp_path, 1, 2):
        said = in_threads(2, tmp_path, work)
    assert sorted(said) == [([4, 4], "cannot be opened: Permission denied"), ([4, 4], "shared")]


def test_memory_that_can_be_opened_again_is_used_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may_open, errors = ShardMemory.open, [OSError(errno.EMFILE, "Too many open files")]

    def barred(path: str, **size: int) -> ShardMemory:
        if errors:
            raise errors.pop()
        return may_open(path, **size)

    def work(made: ServedTorch) -> list[str]:
        said = []
        for _ in range(2):
            made.serve(torch.zeros(2), SUM)
            said.append(made.settings()["zmq.memory"])
        return said

    monkeypatch.setattr(ShardMemory, "open", barred)
    with served(tmp_path, 1, 1):
        assert in_threads(1, tmp_path, work) == [["cannot be opened: Too many open files", "shared"]]


def test_machine_that_reorders_writes_shares_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(made: ServedTorch) -> tuple[list[float], str]:
        made.serve(torch.zeros(2), SUM)
        return made.push_pull(torch.ones(2)).wait().tolist(), made.settings()["zmq.memory"]

    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    for module in ("fabrics.served", "servers.shard_server"):
        monkeypatch.setattr(f"harness.{module}.MEMORY_IS_ORDERED", False)
    with served(tmp_path, 1, 1):
        assert in_threads(1, tmp_path, work) == [([1, 1], "not on aarch64")]


def test_steps_may_be_taken_while_another_thread_trains(tmp_path: Path) -> None:
    """As where batches are made ahead of time: every answer goes to who asked, and the clock knows one thread alone."""

    def work(made: ServedTorch) -> list[int]:
        made.serve(torch.zeros(3), SUM)
        with ThreadPoolExecutor(1) as loader:
            taking = loader.submit(lambda: [made.take_step(MANY_STEPS) for _ in range(500)])
            for step in range(500):
                assert made.push_pull(torch.ones(3)).wait().tolist() == [step + 1] * 3
            taken = taking.result(timeout=LIMIT_S)
        waited = made._waiting.taken()
        assert (len(waited), waited) == (2 * (1 + 500), sorted(waited))
        return taken

    with served(tmp_path, 1, 1):
        assert in_threads(1, tmp_path, work) == [list(range(500))]


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


def test_steps_of_all_are_counted(tmp_path: Path) -> None:
    def work(made: ServedTorch) -> int:
        made.serve(torch.zeros(1), SUM)
        for _ in range(made.rank + 1):
            made.step_taken()
        made.barrier()
        return made.total_steps(0)

    with served(tmp_path, 1, 2):
        assert in_threads(2, tmp_path, work) == [3, 3]


def test_server_is_reached_at_the_address_that_it_tells(tmp_path: Path) -> None:
    with served(tmp_path, 1, 1, host="127.0.0.2"):
        assert address_of(tmp_path, 0).endpoint.startswith("tcp://127.0.0.2:")
        assert in_threads(1, tmp_path, lambda made: made.serve(torch.ones(2), SUM).tolist()) == [[1, 1]]


def test_address_is_for_the_eyes_of_this_user_alone(tmp_path: Path) -> None:
    tell_address(tmp_path, 0, ShardAddress(endpoint="ipc://@there", credentials=Token(token="secret")))
    assert stat.S_IMODE(shard_path(tmp_path, 0).stat().st_mode) == 0o600


def asked_with(address: ShardAddress, *, deadline_s: float = 1.0) -> None:
    """One PING. Raises ShardError."""
    context = zmq.Context()
    client = ShardClient(context, address, index=0, rank=0, deadline_s=deadline_s)
    try:
        client.answer_to(client.ask(Kind.PING))
    finally:
        client.close()
        context.term()


@pytest.mark.parametrize("host", [None, "127.0.0.1"])
def test_server_answers_none_without_its_token(tmp_path: Path, host: str | None) -> None:
    with served(tmp_path, 1, 1, host=host):
        address = address_of(tmp_path, 0)
        with pytest.raises(ShardError, match=rf"server 0 \({address.endpoint}\) has not answered for 1 s"):
            asked_with(address.model_copy(update={"credentials": Token(token="another")}))


def with_keys_of_ones_own(keys: CurveKeys) -> CurveKeys:
    public, secret = (key.decode() for key in zmq.curve_keypair())
    return keys.model_copy(update={"worker_public": public, "worker_secret": secret})


def test_server_that_encrypts_answers_none_without_its_keys(tmp_path: Path) -> None:
    with served(tmp_path, 1, 1, host="127.0.0.1", is_encrypted=True):
        address = address_of(tmp_path, 0)
        assert isinstance(address.credentials, CurveKeys)
        asked_with(address, deadline_s=LIMIT_S)
        for credentials in (with_keys_of_ones_own(address.credentials), Token(token="any")):
            with pytest.raises(ShardError, match="has not answered for 1 s"):
                asked_with(address.model_copy(update={"credentials": credentials}))


def test_what_is_sent_encrypted_is_the_same(tmp_path: Path) -> None:
    """In frames of their bound at most: two and a rest of one value."""
    num_values = 2 * FRAME_BYTES // 4 + 1

    def work(made: ServedTorch) -> tuple[list[float], str]:
        made.serve(torch.arange(num_values, dtype=torch.float32) % 1000, SUM)
        after = made.push_pull(torch.ones(num_values)).wait()
        return after[[0, FRAME_BYTES // 4, -1]].tolist(), made.settings()["zmq.transport"]

    with served(tmp_path, 1, 1, host="127.0.0.1", is_encrypted=True):
        assert in_threads(1, tmp_path, work) == [([1.0, 577.0, 153.0], "tcp, encrypted")]


def test_server_that_refuses_says_why(tmp_path: Path) -> None:
    def work(made: ServedTorch) -> None:
        made.serve(torch.zeros(3), SUM)
        made.push(torch.zeros(2)).wait()

    with served(tmp_path, 1, 1), pytest.raises(ShardError, match="refused: 2 values; wanted: 3"):
        in_threads(1, tmp_path, work)


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
