"""Windows of launches of many workers: bounded, and what they add up to is as before."""

from __future__ import annotations

import math

import pytest

from harness.records.derived import samples_per_s, steady_of
from harness.records.record import Drift, Record, Window
from harness.worker.kept_windows import joined, num_joined
from tests.sample_records import finished


def window(place: int, *, num_steps: int = 2, peer_s: float | None = 0.125) -> Window:
    return Window(
        start_s=float(place),
        end_s=place + 1.0,
        num_steps=num_steps,
        num_samples=10 * num_steps,
        loss=float(place),
        loader_s=0.25,
        exposed_s=0.5,
        peer_s=peer_s,
        bytes_sent=100,
        step_p50_s=0.25 * (place + 1),
        step_p95_s=0.5 * (place + 1),
        step_max_s=1.5 * (place + 1),
    )


@pytest.mark.parametrize(
    ("num_windows", "rank", "size", "each"),
    [
        (60, 0, 1, 1),
        (60, 31, 32, 1),
        (60, 0, 512, 1),
        (60, 1, 512, 8),
        (60, 16, 512, 1),
        (5, 1, 512, 1),
        (1001, 0, 2, 3),
    ],
)
def test_num_joined_keeps_all_of_few_ranks_and_few_of_the_rest(
    num_windows: int, rank: int, size: int, each: int
) -> None:
    assert num_joined(num_windows, rank=rank, size=size) == each


@pytest.mark.parametrize("size", [1, 31, 32, 33, 64, 100, 512])
def test_num_joined_is_1_on_up_to_32_ranks(size: int) -> None:
    assert sum(num_joined(60, rank=rank, size=size) == 1 for rank in range(size)) == min(32, size)


def test_joined_adds_up() -> None:
    first, second = joined([window(0, num_steps=1), window(1, num_steps=3), window(2)], 2)
    assert first == Window(
        start_s=0.0,
        end_s=2.0,
        num_steps=4,
        num_samples=40,
        loss=0.75,  # (1·0 + 3·1) / 4
        loader_s=0.5,
        exposed_s=1.0,
        peer_s=0.25,
        bytes_sent=200,
        step_p50_s=0.4375,  # (1·0.25 + 3·0.5) / 4
        step_p95_s=0.875,
        step_max_s=3.0,
    )
    assert second == window(2)


def test_joined_wait_is_unknown_where_one_is() -> None:
    assert joined([window(0), window(1, peer_s=None)], 2)[0].peer_s is None


def launch_of(size: int, num_windows: int) -> Record:
    """Whose workers take a window a second, the first eight of them at half the speed."""
    windows = [window(place, num_steps=1 if place < 8 else 2) for place in range(num_windows)]
    parts = []
    for rank in range(size):
        each = num_joined(num_windows, rank=rank, size=size)
        changes = {
            "rank": rank,
            "windows": joined(windows, each),
            "windows_joined": each,
            "snapshots_s": [1 / 3] * 60,
            "distances": [math.pi] * 60,
            "drift": [Drift(step=1000, distance=math.pi)] * 16,
            "settings": {f"HOROVOD_{place}": "a value" for place in range(30)},
        }
        parts.append(finished().workers[0].model_copy(update=changes))
    return finished(workers=parts)


def test_figures_of_many_workers_are_those_of_their_windows() -> None:
    record = launch_of(64, 60)
    steady = steady_of(record)
    assert (steady.from_s, steady.is_found) == (8.0, True)
    assert samples_per_s(record, steady) == pytest.approx(64 * 20, rel=0.02)


def test_record_of_512_workers_is_bounded_however_long_it_trains() -> None:
    assert len(launch_of(512, 60).model_dump_json()) < 6 * 2**20  # 13 MiB with all windows
    assert len(launch_of(512, 5000).model_dump_json()) < 10 * 2**20
