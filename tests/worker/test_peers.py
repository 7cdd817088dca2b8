"""Waiting for communication and waiting for a slower worker, on waits that were made up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from harness.records.record import Window
from harness.testing.thread_fabrics import Team, ThreadCollective
from harness.worker import peers
from harness.worker.peers import with_peers
from tests.analysis.handmade import window

Waits = list[list[float]]  # of each window


def told(*of_each_worker: Waits) -> list[list[Window]]:
    team = Team(len(of_each_worker), in_lockstep=True)

    def work(rank: int) -> list[Window]:
        waits_s = [np.array(waits) for waits in of_each_worker[rank]]
        windows = [window(place, exposed_s=float(waits.sum())) for place, waits in enumerate(waits_s)]
        return with_peers(windows, waits_s, ThreadCollective(rank, team))

    with ThreadPoolExecutor(team.size) as threads:
        return list(threads.map(work, range(team.size)))


@pytest.mark.parametrize("most_gathered", [2, 4, 2**20])
def test_with_peers_takes_what_is_waited_longer_than_by_the_last_to_come(
    most_gathered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Collectives of 1, 1 and 2 s. Rank 1 comes last to the first, rank 0 to the second, both together to the third;
    # the ranks' windows end after different ones.
    monkeypatch.setattr(peers, "MOST_GATHERED", most_gathered)
    first, second = told([[4.0, 1.0], [2.0]], [[1.0], [6.0, 2.0]])
    assert [each.peer_s for each in first] == [3.0, 0.0]
    assert [each.peer_s for each in second] == [0.0, 5.0]
    assert [each.exposed_s for each in first] == [5.0, 2.0]  # what is left is communication: 2 s, and 2 s


def test_with_peers_of_workers_that_never_meet_has_nothing_to_tell_apart() -> None:
    first, second = told([[], []], [[], []])
    assert [each.peer_s for each in (*first, *second)] == [0.0] * 4


def test_with_peers_does_not_compare_waits_of_different_collectives() -> None:
    first, second = told([[1.0, 2.0]], [[1.0]])
    assert [each.peer_s for each in (*first, *second)] == [None, None]


def test_with_peers_of_a_worker_alone_knows_none() -> None:
    ((only,),) = told([[0.5]])
    assert only.peer_s is None
