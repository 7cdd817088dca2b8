"""Copies of weights find memory that was taken, and touched, before training."""

from __future__ import annotations

import resource
from collections.abc import Callable

import numpy as np

from harness.backends.host_room import HostRoom

PAGE_BYTES = resource.getpagesize()
NUM_VECTORS, PAGES_A_VECTOR = 16, 128


def test_copies_into_memory_made_ahead_touch_no_page_for_the_first_time() -> None:
    vector = np.arange(PAGES_A_VECTOR * PAGE_BYTES // 4, dtype=np.float32)
    room = HostRoom()
    room.make(NUM_VECTORS, like=vector)
    kept = []
    first_touched = _first_touched(lambda: kept.extend(room.of(vector) for _ in range(NUM_VECTORS)))
    assert first_touched < PAGES_A_VECTOR  # of 16 * 128; what Python itself takes is a few
    assert all(np.array_equal(copy, vector) for copy in kept)
    assert len({copy.ctypes.data for copy in kept}) == NUM_VECTORS


def test_more_copies_than_room_was_made_for_are_made_all_the_same() -> None:
    room = HostRoom()
    room.make(1, like=np.zeros(2, np.float32))
    kept = [room.of(np.array([k, -k], np.float32)) for k in range(3)]
    assert [copy.tolist() for copy in kept] == [[0, 0], [1, -1], [2, -2]]


def test_room_made_anew_leaves_what_was_put_into_the_last() -> None:
    room, vector = HostRoom(), np.array([1.0, 2.0], np.float32)
    room.make(1, like=vector)
    kept = room.of(vector)
    room.make(1, like=vector)
    room.of(-vector)
    assert kept.tolist() == [1, 2]


def _first_touched(act: Callable[[], None]) -> int:
    """Pages."""
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    act()
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before
