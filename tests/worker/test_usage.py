"""What a process says that it used, its children included."""

from __future__ import annotations

import mmap
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from harness.worker import usage
from harness.worker.rank import meter_of, usage_of
from harness.worker.usage import UsageMeter
from tests.command import LIMIT_S


def test_meter_counts_cpu_time_from_when_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    taken_s = iter([3.0, 5.0, 9.0])
    monkeypatch.setattr(usage, "_cpu_s", lambda: next(taken_s))
    meter = UsageMeter()
    assert meter.read().cpu_s == 2.0
    assert meter.read(share=0.5).cpu_s == 3.0


class UntilTheLastHasTrained:
    """A fabric whose barrier the other worker comes to when the process has used 8 s since it started."""

    used_s = 2.0

    def barrier(self) -> None:
        self.used_s = 8.0


@pytest.mark.parametrize(
    ("share", "cpu_s"),
    [
        (0.5, 3.0),  # ½ (8 − 2) s, which with the other's are all 6 s; at its own end it was ½ (6 − 2) s
        (1.0, 4.0),  # a process of its own waits for nobody: 6 − 2 s
    ],
)
def test_thread_that_is_done_sooner_has_its_share_of_what_the_last_one_uses(
    monkeypatch: pytest.MonkeyPatch, share: float, cpu_s: float
) -> None:
    fabric: Any = UntilTheLastHasTrained()
    monkeypatch.setattr(usage, "_cpu_s", lambda: fabric.used_s)
    meter = UsageMeter()
    fabric.used_s = 6.0
    assert usage_of(meter, fabric, share=share).cpu_s == cpu_s


class UntilTheFirstHasMadeRoom:
    """A fabric beyond whose barrier another thread makes room for copies: the process has 100 bytes, then 180."""

    rss_bytes, is_metered = 100, False

    def barrier(self) -> None:
        assert self.is_metered
        self.rss_bytes = 180


@pytest.mark.parametrize(("share", "rss_bytes"), [(0.5, 180), (1.0, 100)])
def test_thread_begins_to_train_when_all_have_a_meter(
    monkeypatch: pytest.MonkeyPatch, share: float, rss_bytes: int
) -> None:
    """A process of its own waits for nobody."""
    fabric: Any = UntilTheFirstHasMadeRoom()

    def read_bytes() -> int:
        fabric.is_metered = True
        return int(fabric.rss_bytes)

    monkeypatch.setattr(usage, "rss_bytes", read_bytes)
    meter = meter_of(fabric, share=share)
    assert meter.read(share=share).start_rss_bytes == 100 * share
    assert fabric.rss_bytes == rss_bytes


def test_a_share_of_memory_is_of_the_whole_process(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, quarter = UsageMeter().read(), UsageMeter().read(share=0.25)
    assert whole.peak_rss_bytes is not None
    assert quarter.peak_rss_bytes == pytest.approx(whole.peak_rss_bytes / 4, rel=0.05)
    assert whole.pss_bytes is not None
    assert 0 < whole.pss_bytes <= whole.peak_rss_bytes
    monkeypatch.setattr(usage, "_pss_bytes", lambda: 1000)
    assert UsageMeter().read(share=0.25).pss_bytes == 250
    monkeypatch.setattr(usage, "_pss_bytes", lambda: None)
    assert UsageMeter().read(share=0.25).pss_bytes is None


def test_peak_is_of_training_alone() -> None:
    """In a process of its own: this one may have room left from other tests, which a block fits into."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as alone:
        before, used = alone.apply(_used_before_and_by_a_block)
    assert before.peak_rss_bytes < before.start_rss_bytes + BLOCK_BYTES / 2
    assert used.peak_rss_bytes >= used.start_rss_bytes + BLOCK_BYTES / 2


def _used_before_and_by_a_block() -> tuple[usage.Usage, usage.Usage]:
    del block_of_bytes()[:]  # a peak of this process' life, not of what follows
    before = UsageMeter().read()
    meter = UsageMeter()
    del block_of_bytes()[:]
    return before, meter.read()


def test_peak_is_unknown_where_it_cannot_be_of_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "_PEAK_OF_RESIDENT_MEMORY", "nothing that the kernel knows")
    unknown = UsageMeter().read()
    assert unknown.peak_rss_bytes is None
    assert unknown.start_rss_bytes > 0


def block_of_bytes() -> bytearray:
    return bytearray(b"1") * BLOCK_BYTES


BUSY_S, BLOCK_BYTES = 0.3, 100 << 20


def works(done: Any, go_on: Any) -> None:
    block = np.ones(BLOCK_BYTES, np.uint8)
    until = time.process_time() + BUSY_S
    while time.process_time() < until:
        pass
    done.set()
    go_on.wait()
    assert block.all()


@contextmanager
def working_child() -> Iterator[None]:
    """A process that has worked for BUSY_S of CPU time and still holds its block."""
    forked = multiprocessing.get_context("fork")  # as those that make batches are
    done, go_on = forked.Event(), forked.Event()
    child = forked.Process(target=works, args=(done, go_on))
    child.start()
    assert done.wait(timeout=LIMIT_S)
    yield
    go_on.set()
    child.join()


def holds(is_there: Any, go_on: Any) -> None:
    """A process that makes batches of its parent's data writes to none of them."""
    is_there.release()
    go_on.wait()


@contextmanager
def holding_children(num_children: int) -> Iterator[None]:
    forked = multiprocessing.get_context("fork")
    is_there, go_on = forked.Semaphore(0), forked.Event()
    children = [forked.Process(target=holds, args=(is_there, go_on)) for _ in range(num_children)]
    for child in children:
        child.start()
        assert is_there.acquire(timeout=LIMIT_S)
    yield
    go_on.set()
    for child in children:
        child.join()


@pytest.mark.parametrize("num_children", [1, 2])
def test_children_count_with_what_they_do_not_share(num_children: int) -> None:
    """A block that all share is this process' alone; once it has written to it, the old one is kept for them, once."""
    block = block_of_bytes()
    meter = UsageMeter()
    alone_bytes, alone = usage.rss_bytes(), meter.read()
    with holding_children(num_children):
        sharing_bytes, sharing = usage.rss_bytes(), meter.read()
        block[:: mmap.PAGESIZE] = b"2" * (BLOCK_BYTES // mmap.PAGESIZE)
        written_bytes = usage.rss_bytes()
    assert alone.peak_rss_bytes is not None
    assert sharing.peak_rss_bytes is not None
    assert max(sharing_bytes - alone_bytes, sharing.peak_rss_bytes - alone.peak_rss_bytes) < BLOCK_BYTES / 2
    assert written_bytes - alone_bytes == pytest.approx(BLOCK_BYTES, rel=0.5)


def test_children_count_while_they_live_and_their_cpu_time_afterwards() -> None:
    meter = UsageMeter()
    alone = meter.read()
    with working_child():
        together = meter.read()
    assert together.cpu_s >= BUSY_S
    assert alone.peak_rss_bytes is not None
    assert together.peak_rss_bytes is not None
    assert together.peak_rss_bytes >= alone.peak_rss_bytes + BLOCK_BYTES
    assert together.pss_bytes is not None
    assert alone.pss_bytes is not None
    assert together.pss_bytes >= alone.pss_bytes + BLOCK_BYTES / 2  # its pages that it shares count once in all
    assert meter.read().cpu_s >= BUSY_S
    assert UsageMeter().read().cpu_s < BUSY_S  # those from before it was made are not its own
