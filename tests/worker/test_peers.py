"""Waiting for communication and waiting for a slower worker, on waits that were made up."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from harness.records.record import Window
from harness.testing.thread_fabrics import Team, ThreadCollective
from harness.timing.clock import Meeting, Waits
from harness.worker import peers
from harness.worker.peers import with_peers
from tests.analysis.handmade import window

MACHINE = "00ff00ff00ff"
Of = tuple[float, float]  # when it was issued, and what it was waited for


def together(*took_s: float) -> Waits:
    """Waits that all workers leave together."""
    waited_s = np.array(took_s)
    return Waits(took_s=waited_s, came_s=-waited_s, meetings=np.full(len(took_s), Meeting.TOGETHER, np.uint8))


def under_way(*of: Of) -> Waits:
    """Waits for averages that were issued before."""
    came_s, took_s = np.array(of).T
    return Waits(took_s=took_s, came_s=came_s, meetings=np.full(len(of), Meeting.UNDER_WAY, np.uint8))


def alone(*took_s: float) -> Waits:
    meetings = np.full(len(took_s), Meeting.ALONE, np.uint8)
    return Waits(took_s=np.array(took_s), came_s=np.zeros(len(took_s)), meetings=meetings)


def told(*of_each_worker: list[Waits], machines: Sequence[str] = (MACHINE,) * 2) -> list[list[Window]]:
    team = Team(len(of_each_worker), in_lockstep=True)

    def work(rank: int) -> list[Window]:
        waits = of_each_worker[rank]
        windows = [window(place, exposed_s=float(each.took_s.sum())) for place, each in enumerate(waits)]
        return with_peers(windows, waits, ThreadCollective(rank, team), machine=machines[rank])

    with ThreadPoolExecutor(team.size) as threads:
        return list(threads.map(work, range(team.size)))


def peers_s(*of_each_worker: list[Waits], machines: Sequence[str] = (MACHINE,) * 2) -> list[list[float | None]]:
    return [[each.peer_s for each in windows] for windows in told(*of_each_worker, machines=machines)]


@pytest.mark.parametrize("most_gathered", [2, 4, 2**20])
def test_with_peers_takes_what_is_waited_longer_than_by_the_last_to_come(
    most_gathered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Collectives of 1, 1 and 2 s. Rank 1 comes last to the first, rank 0 to the second, both together to the third;
    # the ranks' windows end after different ones.
    monkeypatch.setattr(peers, "MOST_GATHERED", most_gathered)
    first, second = told([together(4.0, 1.0), together(2.0)], [together(1.0), together(6.0, 2.0)])
    assert [each.peer_s for each in first] == [3.0, 0.0]
    assert [each.peer_s for each in second] == [0.0, 5.0]
    assert [each.exposed_s for each in first] == [5.0, 2.0]  # what is left is communication: 2 s, and 2 s


def test_with_peers_calls_waiting_for_an_average_that_all_issued_at_once_communication() -> None:
    # It takes 0.5 s. What the first does meanwhile takes 0.25 s, so it waits; what the second does 0.625 s.
    assert peers_s([under_way((7.0, 0.25))], [under_way((7.0, 0.0))]) == [[0.0], [0.0]]


def test_with_peers_takes_of_an_average_under_way_what_a_worker_issued_it_sooner() -> None:
    # It takes 0.5 s from 7.125 s on, when the second has issued it; the first comes to wait for it at 7.25 s.
    assert peers_s([under_way((7.0, 0.375))], [under_way((7.125, 0.0))]) == [[0.125], [0.0]]


def test_with_peers_takes_no_more_of_an_average_under_way_than_was_waited_for_it() -> None:
    # It takes 0.125 s from 7.5 s on: had the second issued it at 7 s, too, the first had not waited.
    assert peers_s([under_way((7.0, 0.25))], [under_way((7.5, 0.0))]) == [[0.25], [0.0]]


def test_with_peers_knows_of_several_machines_who_came_last_where_all_leave_together() -> None:
    waits = [[together(3.0), under_way((7.0, 0.25))], [together(1.0), under_way((900.0, 0.0))]]
    assert peers_s(*waits, machines=[MACHINE, "00ff00ff00fe"]) == [[2.0, None], [0.0, None]]


def test_with_peers_calls_what_a_worker_waits_for_alone_communication() -> None:
    assert peers_s([alone(3.0)], [alone(1.0)]) == [[0.0], [0.0]]


def test_with_peers_of_workers_that_never_meet_has_nothing_to_tell_apart() -> None:
    assert peers_s([together(), together()], [together(), together()]) == [[0.0, 0.0]] * 2


def test_with_peers_does_not_compare_waits_of_different_collectives() -> None:
    assert peers_s([together(1.0, 2.0)], [together(1.0)]) == [[None], [None]]
    assert peers_s([together(1.0)], [under_way((7.0, 1.0))]) == [[None], [None]]


def test_with_peers_of_a_worker_without_a_window_has_nothing_to_tell() -> None:
    assert peers_s([], [together(1.0)]) == [[], [None]]
    assert peers_s([], [together()]) == [[], [0.0]]


def test_with_peers_of_a_worker_alone_knows_none() -> None:
    assert peers_s([together(0.5)]) == [[None]]
