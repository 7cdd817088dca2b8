"""Steps that servers give out: each is claimed once, whatever is pushed and pulled meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from harness.fabrics.served_torch import ServedTorch
from tests.command import LIMIT_S
from tests.fabrics.served_workers import SUM, in_threads, served

MANY_STEPS = 1_000_000  # to be claimed: their end is far


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


def test_steps_of_all_are_counted(tmp_path: Path) -> None:
    def work(made: ServedTorch) -> int:
        made.serve(torch.zeros(1), SUM)
        for _ in range(made.rank + 1):
            made.step_taken()
        made.barrier()
        return made.total_steps(0)

    with served(tmp_path, 1, 2):
        assert in_threads(2, tmp_path, work) == [3, 3]


def test_look_at_the_model_while_training_stands_still_is_waiting(tmp_path: Path) -> None:
    """For the weights and for the count of steps: two waits, each entered and left."""

    def work(made: ServedTorch) -> int:
        made.serve(torch.zeros(3), SUM)
        made._waiting.taken()
        made.pull(to_train=False).wait()
        made.total_steps(0)
        return len(made._waiting.taken())

    with served(tmp_path, 1, 1):
        assert in_threads(1, tmp_path, work) == [4]
