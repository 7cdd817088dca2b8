"""What training took of memory, by hand: 100 made, 130 as training starts, at most 200 with 40 of copies."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.records import memory
from harness.records.record import Record, ServerPart
from tests.sample_records import finished

TOLD = {"made_rss_bytes": 100, "start_rss_bytes": 130, "peak_rss_bytes": 200, "measuring_bytes": 40, "pss_bytes": 180}


def told(num_workers: int = 1, *, servers: tuple[ServerPart, ...] = (), **changes: Any) -> Record:
    made = finished()
    part = made.workers[0].model_copy(update={**TOLD, **changes})
    return made.model_copy(update={"workers": [part] * num_workers, "servers": list(servers)})


def test_copies_that_measuring_keeps_are_no_need_of_trainings() -> None:
    record = told(2)
    assert (memory.needed_bytes(record), memory.grown_bytes(record), memory.pss_bytes(record)) == (320, 120, 280)


def test_copies_that_took_what_warm_up_had_freed_are_not_subtracted_from_less() -> None:
    assert memory.needed_bytes(told(peak_rss_bytes=140)) == 130
    assert memory.grown_bytes(told(peak_rss_bytes=140)) == 30


def test_need_is_a_lower_bound_where_the_peak_came_before_the_copies() -> None:
    """At a peak of 200 with none of the copies yet, training needed 200."""
    assert memory.needed_bytes(told()) == 160


@pytest.mark.parametrize(
    ("launcher", "needed", "grown"),
    [
        ("threads", 290, 90),  # of the process: 200 made, 260 as training starts, at most 350 with 60 of copies
        ("processes", 305, 105),  # 130, where rank 0's own copies are more than it grew by, and 175
    ],
)
def test_copies_are_those_of_a_process_whichever_of_its_threads_keeps_them(
    launcher: str, needed: int, grown: int
) -> None:
    made = told(peak_rss_bytes=175)
    parts = [made.workers[0].model_copy(update={"measuring_bytes": num_bytes}) for num_bytes in (60, 0)]
    record = made.model_copy(update={"workers": parts, "launcher": launcher})
    assert (memory.needed_bytes(record), memory.grown_bytes(record), memory.pss_bytes(record)) == (needed, grown, 300)


def test_thread_that_does_not_tell_leaves_its_process_unknown() -> None:
    made = told(2)
    parts = [made.workers[0], made.workers[1].model_copy(update={"peak_rss_bytes": None})]
    assert math.isnan(memory.needed_bytes(made.model_copy(update={"workers": parts, "launcher": "threads"})))


def test_servers_count_whole_and_grow_nothing() -> None:
    record = told(servers=(ServerPart(role="server", index=0, cpu_s=1.0, peak_rss_bytes=50, pss_bytes=20),))
    assert (memory.needed_bytes(record), memory.grown_bytes(record), memory.pss_bytes(record)) == (210, 60, 160)


@pytest.mark.parametrize("unknown", ["peak_rss_bytes", "made_rss_bytes"])
def test_growth_is_unknown_where_a_worker_does_not_tell(unknown: str) -> None:
    assert math.isnan(memory.grown_bytes(told(2, **{unknown: None})))


def test_tensors_are_those_of_the_worker_with_most() -> None:
    record = told(tensor_bytes=12)
    more = record.workers[0].model_copy(update={"tensor_bytes": 16})
    assert memory.tensor_bytes(record.model_copy(update={"workers": [*record.workers, more]})) == 16
    assert math.isnan(memory.tensor_bytes(told()))


def test_tensors_are_unknown_where_one_worker_of_two_does_not_tell() -> None:
    record = told(tensor_bytes=16)
    silent = record.workers[0].model_copy(update={"tensor_bytes": None})
    assert math.isnan(memory.tensor_bytes(record.model_copy(update={"workers": [*record.workers, silent]})))
