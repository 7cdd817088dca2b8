"""What a server answers, without a socket."""

from __future__ import annotations

import json
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.fabrics.shard_wire import Kind, Reply, ShardRequest, StepClaim
from harness.protocols import ServerRule
from harness.servers import free_memory
from harness.servers.shard import Shard
from harness.worker import process


def floats(*values: float) -> bytes:
    return np.array(values, np.float32).tobytes()


def ask(shard: Shard, rank: int, kind: Kind, *payload: bytes, **fields: Any) -> tuple[Reply, Any]:
    """The one answer, to who asked."""
    ((to, reply, sent),) = shard.answer(rank, ShardRequest(kind=kind, number=7, **fields), payload)
    assert (to, reply.number) == (rank, 7)
    return reply, sent


def hold(shard: Shard, *values: float, size: int | None = None, rule: str = "sum") -> tuple[Reply, Any]:
    whole = (size or len(values)).to_bytes(8, "little")
    return ask(shard, 0, Kind.HOLD, whole + json.dumps(asdict(ServerRule(name=rule))).encode(), floats(*values))


def of_many(num_steps: int) -> StepClaim:
    return StepClaim(num_steps=num_steps, num_in_all=1_000_000)


@pytest.fixture(autouse=True)
def as_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a server's process, whose malloc keeps what is freed; this one's is for other tests, too."""
    monkeypatch.setattr(process, "_keep_freed_memory", lambda: 1 << 30)


@pytest.fixture
def shard() -> Shard:
    made = Shard(0, 1, num_workers=3)
    hold(made, 1, 2)
    return made


def test_push_is_applied_and_pull_gives_what_is_there(shard: Shard) -> None:
    _, said = ask(shard, 1, Kind.PUSH, floats(10, 20))
    assert said == b""
    assert ask(shard, 0, Kind.PULL)[1].tolist() == [11, 22]
    assert ask(shard, 2, Kind.PUSH_PULL, floats(1, 1))[1].tolist() == [12, 23]


def test_replies_count_the_updates_of_others_before_ones_own(shard: Shard) -> None:
    foreign = [ask(shard, rank, Kind.PUSH, floats(0, 0))[0].num_foreign for rank in (0, 0, 1, 0)]
    assert foreign == [0, 0, 2, 1]
    assert [ask(shard, rank, Kind.PULL)[0].num_foreign for rank in range(3)] == [1, 3, 4]


def test_nobody_is_answered_before_all_have_met(shard: Shard) -> None:
    meets = [shard.answer(rank, ShardRequest(kind=Kind.MEET, number=10 + rank), []) for rank in (2, 0, 1)]
    assert meets[:2] == [[], []]
    assert [(rank, reply.number) for rank, reply, _ in meets[2]] == [(2, 12), (0, 10), (1, 11)]
    assert shard.answer(1, ShardRequest(kind=Kind.MEET, number=20), []) == []


def test_nobody_waits_for_a_worker_that_is_lost(shard: Shard) -> None:
    assert shard.answer(0, ShardRequest(kind=Kind.MEET, number=10), []) == []
    assert shard.lose(1) == []
    assert [rank for rank, _, _ in shard.answer(2, ShardRequest(kind=Kind.MEET, number=12), [])] == [0, 2]
    assert shard.answer(0, ShardRequest(kind=Kind.MEET, number=11), []) == []
    assert [rank for rank, _, _ in shard.lose(2)] == [0]


def test_steps_are_claimed_once_whatever_they_come_with(shard: Shard) -> None:
    claims = [(0, Kind.CLAIM, 2), (1, Kind.PULL, 3), (0, Kind.CLAIM, 1)]
    replies = [ask(shard, rank, kind, claim=of_many(claimed))[0] for rank, kind, claimed in claims]
    assert [(reply.count, reply.num_claimed) for reply in replies] == [(0, 2), (2, 3), (5, 1)]


def test_claims_shrink_to_one_step_towards_the_end_of_the_work() -> None:
    """Two workers that want eight of 36 steps get no more than a quarter of the 36, 28, 21, 16, 12, 9, 7, 6, … left."""
    shard, claim = Shard(0, 1, num_workers=2), StepClaim(num_steps=8, num_in_all=36)
    replies = [ask(shard, turn % 2, Kind.CLAIM, claim=claim)[0] for turn in range(14)]
    assert [reply.num_claimed for reply in replies] == [8, 7, 5, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1]
    assert [reply.count for reply in replies] == [0, 8, 15, 20, 24, 27, 29, 30, 31, 32, 33, 34, 35, 36]  # which is none


def test_who_is_lost_has_no_share_of_what_is_left() -> None:
    """Of 36 steps one of four workers gets 36 / 8, one of the last two 36 / 4."""
    claim = StepClaim(num_steps=36, num_in_all=36)
    all_there, with_two_lost = (Shard(0, 1, num_workers=4) for _ in range(2))
    for rank in (1, 3):
        with_two_lost.lose(rank)
    replies = [ask(shard, 0, Kind.CLAIM, claim=claim)[0] for shard in (all_there, with_two_lost)]
    assert [reply.num_claimed for reply in replies] == [4, 9]


def test_claim_for_no_step_gets_none_at_the_end_either(shard: Shard) -> None:
    assert ask(shard, 0, Kind.PULL, claim=StepClaim(num_steps=0, num_in_all=0))[0].num_claimed == 0


def test_steps_of_all_workers_are_counted_as_each_has_said_last(shard: Shard) -> None:
    ask(shard, 0, Kind.PULL, num_steps=5)
    ask(shard, 1, Kind.PULL, num_steps=4)
    ask(shard, 0, Kind.PING)  # which says nothing of them
    assert ask(shard, 2, Kind.COUNT, num_steps=1)[0].count == 10


def test_all_begins_anew_with_other_weights(shard: Shard) -> None:
    ask(shard, 1, Kind.PUSH, floats(1, 1), num_steps=4, claim=of_many(3))
    hold(shard, 5, 6)
    assert ask(shard, 0, Kind.PULL)[1].tolist() == [5, 6]
    assert ask(shard, 0, Kind.COUNT)[0].count == 0
    assert ask(shard, 0, Kind.PULL)[0].num_foreign == 0
    assert ask(shard, 0, Kind.CLAIM, claim=of_many(1))[0].count == 3  # but the steps, some of which may be taken by now


@pytest.mark.parametrize(
    ("values", "why"),
    [((1.0,), "1 values; wanted: 2, as this server holds"), ((1.0, 2.0, 3.0), "3 values; wanted: 2")],
)
def test_update_of_another_size_is_refused_and_leaves_the_weights(
    shard: Shard, values: tuple[float, ...], why: str
) -> None:
    reply, said = ask(shard, 1, Kind.PUSH, floats(*values))
    assert reply.is_refused
    assert why in said.decode()
    assert ask(shard, 0, Kind.PULL)[1].tolist() == [1, 2]


def test_bytes_that_are_no_floats_are_refused(shard: Shard) -> None:
    assert ask(shard, 1, Kind.PUSH, b"abcde")[0].is_refused


def test_weights_that_were_never_given_are_refused() -> None:
    reply, said = ask(Shard(0, 1, num_workers=1), 0, Kind.PULL)
    assert reply.is_refused
    assert said.decode() == "no weights yet; wanted: HOLD before any other"


def test_part_of_another_size_is_refused() -> None:
    """Of five values the second of two servers holds three."""
    assert not hold(Shard(1, 2, num_workers=1), 1, 2, 3, size=5)[0].is_refused
    assert hold(Shard(0, 2, num_workers=1), 1, 2, 3, size=5)[0].is_refused


@pytest.mark.parametrize(("rule", "num_bytes"), [("sum", 8), ("sgd", 8), ("momentum", 16), ("adagrad", 16)])
def test_weights_are_refused_where_there_is_no_memory_for_them_and_what_the_rule_keeps(
    monkeypatch: pytest.MonkeyPatch, rule: str, num_bytes: int
) -> None:
    def has(free: int) -> None:
        monkeypatch.setattr(free_memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
        monkeypatch.setattr(free_memory.cgroup, "free_bytes", lambda: None)

    shard = Shard(0, 1, num_workers=1)
    has(num_bytes - 1)
    reply, said = hold(shard, 1, 2, rule=rule)
    assert reply.is_refused
    assert said.decode() == (
        f"wanted {num_bytes} bytes of memory to hold weights by the rule {rule}, the machine has {num_bytes - 1} free: "
        "take a smaller model or a machine with more memory"
    )
    has(num_bytes)
    assert not hold(shard, 1, 2, rule=rule)[0].is_refused
    has(0)  # what they took is the server's still
    assert not hold(shard, 3, 4, rule=rule)[0].is_refused
    assert ask(shard, 0, Kind.PULL)[1].tolist() == [3, 4]


@pytest.mark.parametrize("reason", ["size", "choice"])
def test_weights_that_are_let_go_of_are_asked_for_again_where_their_memory_goes_back(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    """Large blocks, or any where a user has chosen how malloc works: what is free has them in it already."""

    def has(free: int) -> None:
        monkeypatch.setattr(free_memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
        monkeypatch.setattr(free_memory.cgroup, "free_bytes", lambda: None)

    if reason == "size":
        monkeypatch.setattr(process, "_keep_freed_memory", lambda: 8)
    else:
        monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "0")
    shard = Shard(0, 1, num_workers=1)
    has(8)
    assert not hold(shard, 1, 2)[0].is_refused
    assert not hold(shard, 3, 4)[0].is_refused
    has(7)
    assert hold(shard, 5, 6)[1].startswith(b"wanted 8 bytes of memory")


def test_weights_that_come_in_many_frames_are_held() -> None:
    shard = Shard(0, 1, num_workers=1)
    said = (3).to_bytes(8, "little") + json.dumps(asdict(ServerRule())).encode()
    assert not ask(shard, 0, Kind.HOLD, said, floats(1, 2), floats(3))[0].is_refused
    ask(shard, 0, Kind.PUSH, floats(1), floats(1, 1))
    assert ask(shard, 0, Kind.PULL)[1].tolist() == [2, 3, 4]


def test_requests_and_replies_are_unpacked_as_they_were() -> None:
    claim = StepClaim(num_steps=4, num_in_all=2**48)
    request = ShardRequest(kind=Kind.PUSH_PULL, number=2**40, num_steps=3, claim=claim)
    reply = Reply(number=2**40, is_refused=True, num_foreign=5, count=6, num_claimed=7)
    assert ShardRequest.unpacked(request.packed()) == request
    assert Reply.unpacked(reply.packed()) == reply


@pytest.mark.parametrize("header", [b"", b"\x01" * 24, b"\x63" + b"\x00" * 32])
def test_header_that_is_none_is_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match=r"a header of|is not a valid Kind"):
        ShardRequest.unpacked(header)
