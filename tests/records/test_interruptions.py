"""What kept a run from running, by hand: two seconds of training."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.progress import outcome_of
from harness.records.interruptions import interruptions_in_words, others_share, stolen_s, stopped_s, throttled_s
from harness.records.record import Interruptions, Record, ServerPart, WorkerPart
from tests.analysis.handmade import MACHINE, worker
from tests.sample_records import finished

NONE = {"paused_s": 0.0, "suspended_s": 0.0, "throttled_s": None, "steal_s": 0.0}


def interrupted(*workers: dict[str, Any]) -> Record:
    made = finished()
    told = [Interruptions(**{**NONE, **worker}) for worker in workers]
    part = made.workers[0]
    parts = [part.model_copy(update={"cores": [rank], "interruptions": each}) for rank, each in enumerate(told)]
    return made.model_copy(update={"workers": parts})


def test_the_worker_that_was_kept_longest_counts() -> None:
    record = interrupted({"paused_s": 0.5, "suspended_s": 0.25, "steal_s": 0.125}, {"throttled_s": 3.0})
    assert (stopped_s(record), throttled_s(record), stolen_s(record)) == (0.75, 1.5, 0.125)
    words = "stopped for 0.8 s, held back by a CPU quota for 1.5 s, without its cores, which the host took, for 0.1 s"
    assert interruptions_in_words(record) == words
    assert outcome_of(record).endswith(f"; {words}")


@pytest.mark.parametrize(("ranks", "said"), [([1], "worker 1"), ([1, 3], "workers 1, 3")])
def test_workers_that_died_are_told_where_the_launch_went_on(ranks: list[int], said: str) -> None:
    record = interrupted({"paused_s": 0.75}).model_copy(update={"lost_ranks": ranks})
    assert outcome_of(record).endswith(f"; went on without {said}; stopped for 0.8 s")


def test_what_cores_lose_is_told_of_each_core() -> None:
    """A quota holds back both workers of a host, which have four cores; the host took some of the two of one."""
    told = Interruptions(paused_s=0.0, suspended_s=0.0, throttled_s=20.0, steal_s=3.0)
    parts = [worker(rank, host="x", cores=[2 * rank, 2 * rank + 1], interruptions=told) for rank in range(2)]
    record = finished().model_copy(update={"workers": parts})
    assert (throttled_s(record), stolen_s(record)) == (5.0, 1.5)
    machine = MACHINE.model_copy(update={"num_cores": 10})
    unpinned = finished().model_copy(
        update={"workers": [worker(host="x", cores=None, machine=machine, interruptions=told)]}
    )
    assert (throttled_s(unpinned), stolen_s(unpinned)) == (2.0, 0.3)


@pytest.mark.parametrize(
    ("each", "share_s"),
    [
        ((None, None), 5.0),  # of four: each may use all of its host
        (([0, 1], [0, 1]), 10.0),  # threads of one process, each of which has all of its cores
        (([0], None), 5.0),
        (([0, 1], [1, 2]), 20 / 3),
    ],
    ids=str,
)
def test_core_that_several_workers_may_use_loses_once(each: tuple[list[int] | None, ...], share_s: float) -> None:
    told = Interruptions(paused_s=0.0, suspended_s=0.0, throttled_s=20.0, steal_s=0.0)
    parts = [
        worker(rank, host="x", cores=cores, machine=None if rank else MACHINE, interruptions=told)
        for rank, cores in enumerate(each)
    ]
    assert throttled_s(finished().model_copy(update={"workers": parts})) == share_s


def test_cores_of_another_host_are_held_back_by_its_own_quota() -> None:
    told = Interruptions(paused_s=0.0, suspended_s=0.0, throttled_s=20.0, steal_s=0.0)
    parts = [worker(rank, host=host, machine=MACHINE, interruptions=told) for rank, host in enumerate(("x", "y"))]
    for cores, share_s in ((None, 5.0), ([0, 1], 10.0)):
        workers = [part.model_copy(update={"cores": cores}) for part in parts]
        assert throttled_s(finished().model_copy(update={"workers": workers})) == share_s


@pytest.mark.parametrize(
    ("kernels", "share"),
    [
        (("a", "b"), 0.25),  # of 2 s on 2 cores: the second machine's processes used 3 s, 2 of them its worker
        (("a", "a"), 0.0),  # hosts that are one: its processes used less than the 4 s of both, as the system rounds
    ],
)
def test_others_use_what_the_workers_of_a_machine_do_not(kernels: tuple[str, ...], share: float) -> None:
    record = finished().model_copy(update={"workers": [on_host("x", kernels[0], 2.0), on_host("y", kernels[1], 3.0)]})
    assert others_share(record) == share


def test_servers_of_a_machine_are_no_others() -> None:
    server = ServerPart(role="server", index=0, cpu_s=0.5, peak_rss_bytes=None, pss_bytes=None)
    alone = finished().model_copy(update={"workers": [on_host("x", "a", 3.0)], "servers": [server]})
    assert others_share(alone) == 0.125
    apart = [on_host("x", "a", 3.0), on_host("y", "b", 3.0)]
    assert math.isnan(others_share(alone.model_copy(update={"workers": apart})))  # which of the two has it?


@pytest.mark.parametrize("told", [{"interruptions": None}, {"machine": None}, {"train_s": 0.0}], ids=str)
def test_what_others_used_is_not_known_of_older_records(told: dict[str, Any]) -> None:
    parts = [on_host("x", "a", 3.0), on_host("y", "b", 3.0).model_copy(update=told)]
    assert math.isnan(others_share(finished().model_copy(update={"workers": parts})))


def on_host(host: str, kernel: str, machine_cpu_s: float) -> WorkerPart:
    """A worker that used 2 s in 2 s, on a machine of two cores."""
    return worker(
        host=host,
        machine=MACHINE.model_copy(update={"kernel": kernel, "num_cores": 2}),
        train_s=2.0,
        cpu_s=2.0,
        interruptions=Interruptions(**NONE, machine_cpu_s=machine_cpu_s),
    )


def test_less_than_a_hundredth_of_training_is_not_worth_a_word() -> None:
    assert interruptions_in_words(interrupted({"steal_s": 0.02})) is None
    assert interruptions_in_words(interrupted({"steal_s": 0.03})) == "without its cores, which the host took, for 30 ms"


def test_what_is_not_known_is_not_called_zero() -> None:
    assert math.isnan(throttled_s(interrupted({})))
    assert math.isnan(stopped_s(finished()))
    assert interruptions_in_words(finished()) is None
