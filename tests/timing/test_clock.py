"""The clock, against a fake one: every number of a window is known."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from typing import Any
from unittest import mock

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.records.record import Window
from harness.timing.clock import MAX_UNREAD, Clock, Meeting, Phase


class FakeTime:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at

    def passes(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def clock(time: FakeTime) -> Clock:
    return Clock(time)


def step(clock: Clock, time: FakeTime, *, loader_s: float, compute_s: float, waiting_s: float, loss: float) -> bool:
    with clock.loader:
        time.passes(loader_s)
    time.passes(compute_s)
    with clock.waiting:
        time.passes(waiting_s)
    return clock.step_done(loss, 32)


def two_windows(clock: Clock, time: FakeTime) -> None:
    clock.start(num_steps=3, bytes_sent=600)
    step(clock, time, loader_s=0.5, compute_s=1.0, waiting_s=0.25, loss=4.0)  # 1.75 s
    step(clock, time, loader_s=0.5, compute_s=2.0, waiting_s=0.25, loss=3.0)  # 2.75 s
    time.passes(0.5)  # the fence
    clock.close_window(1_600)
    time.passes(1.0)  # something between windows belongs to the next one's first step
    step(clock, time, loader_s=0.125, compute_s=0.5, waiting_s=1.0, loss=2.0)  # 2.625 s with it
    clock.close_window(2_000)


def test_windows_hold_every_number(clock: Clock, time: FakeTime) -> None:
    two_windows(clock, time)
    first, second = clock.windows(waiting_is_known=True)
    assert first == Window(
        start_s=0.0,
        end_s=5.0,
        num_steps=2,
        num_samples=64,
        loss=3.5,
        loader_s=1.0,
        exposed_s=0.5,
        bytes_sent=1_000,
        step_p50_s=2.25,
        step_p95_s=2.7,
        step_max_s=2.75,
    )
    assert second == Window(
        start_s=5.0,
        end_s=7.625,
        num_steps=1,
        num_samples=32,
        loss=2.0,
        loader_s=0.125,
        exposed_s=1.0,
        bytes_sent=400,
        step_p50_s=2.625,
        step_p95_s=2.625,
        step_max_s=2.625,
    )


def test_windows_leave_no_gap_and_add_up_to_training(clock: Clock, time: FakeTime) -> None:
    two_windows(clock, time)
    first, second = clock.windows(waiting_is_known=True)
    assert first.end_s == second.start_s
    assert second.end_s == clock.now()


def test_waits_are_told_one_by_one_for_each_window(clock: Clock, time: FakeTime) -> None:
    two_windows(clock, time)
    assert [list(waits.took_s) for waits in clock.waits()] == [[0.25, 0.25], [1.0]]
    assert [list(waits.came_s) for waits in clock.waits()] == [[-0.25, -0.25], [-1.0]]  # to when all leave
    assert [list(waits.meetings) for waits in clock.waits()] == [[Meeting.TOGETHER] * 2, [Meeting.TOGETHER]]


def test_waits_tell_when_what_was_under_way_had_been_issued(clock: Clock, time: FakeTime) -> None:
    clock.start(num_steps=2)  # at 100 s
    time.passes(1.0)
    issued = clock.waiting.mark()
    with clock.waiting:
        time.passes(0.5)
    clock.step_done(0.0, 1)
    clock.close_window(0)
    with clock.waiting.alone():
        time.passes(0.125)
    with clock.waiting.since(issued):  # in the window before
        time.passes(0.25)
    clock.step_done(0.0, 1)
    clock.close_window(0)
    first, second = clock.waits()
    assert (list(first.took_s), list(first.came_s)) == ([0.5], [-0.5])
    assert (list(second.took_s), list(second.came_s)) == ([0.125, 0.25], [0.0, 101.0])
    assert list(second.meetings) == [Meeting.ALONE, Meeting.UNDER_WAY]
    assert [window.exposed_s for window in clock.windows(waiting_is_known=True)] == [0.5, 0.375]


def test_what_was_issued_before_training_was_issued_by_all_as_it_began(clock: Clock, time: FakeTime) -> None:
    """As a strategy is set up; the device's own moments are of another kind than the host's, which it was then."""
    issued = clock.waiting.mark()
    device = mock.Mock(wraps=Device(time))
    clock.start(num_steps=1, recorder=device)
    with clock.waiting.since(issued):
        time.passes(0.25)
    clock.step_done(0.0, 1)
    clock.close_window(0)
    clock.windows(waiting_is_known=True)
    (waits,) = clock.waits()
    assert (list(waits.took_s), list(waits.came_s)) == ([0.25], [0.0])
    asked = [moment for call in device.seconds_between.call_args_list for moments in call.args for moment in moments]
    assert np.isfinite(asked).all()


def test_start_forgets_what_was_under_way_before(clock: Clock, time: FakeTime) -> None:
    clock.start(num_steps=1)
    with clock.waiting.since(clock.waiting.mark()):
        time.passes(1.0)
    clock.start(num_steps=1)
    step(clock, time, loader_s=0.0, compute_s=1.0, waiting_s=0.5, loss=1.0)
    clock.close_window(0)
    (waits,) = clock.waits()
    assert (list(waits.took_s), list(waits.meetings)) == ([0.5], [Meeting.TOGETHER])


def test_waiting_that_is_not_known_is_not_called_zero(clock: Clock, time: FakeTime) -> None:
    two_windows(clock, time)
    assert [window.exposed_s for window in clock.windows(waiting_is_known=False)] == [None, None]


def test_start_forgets_what_was_before(clock: Clock, time: FakeTime) -> None:
    two_windows(clock, time)
    with clock.waiting:
        time.passes(9.0)
    clock.start(num_steps=1, bytes_sent=4)
    step(clock, time, loader_s=0.0, compute_s=1.0, waiting_s=0.5, loss=1.0)
    clock.close_window(10)
    (window,) = clock.windows(waiting_is_known=True)
    assert (window.start_s, window.end_s, window.exposed_s, window.bytes_sent) == (0.0, 1.5, 0.5, 6)


def test_window_without_a_step_is_none(clock: Clock) -> None:
    clock.start(num_steps=2)
    clock.close_window(0)
    assert clock.windows(waiting_is_known=True) == []


def test_last_loss_is_the_newest_steps(clock: Clock, time: FakeTime) -> None:
    two_windows(clock, time)
    assert clock.last_loss() == 2.0


def test_quantiles_of_steps_of_1_to_21_seconds(time: FakeTime) -> None:
    clock = Clock(time)
    clock.start(num_steps=21)
    for seconds in range(1, 22):
        time.passes(float(seconds))
        clock.step_done(0.0, 1)
    clock.close_window(0)
    (window,) = clock.windows(waiting_is_known=True)
    assert (window.step_p50_s, window.step_p95_s, window.step_max_s) == (11.0, 20.0, 21.0)


def lengths(clock: Clock, time: FakeTime, steps_s: list[float]) -> list[float]:
    """Of the windows that the clock makes of steps that take so long."""
    clock.start(num_steps=len(steps_s))
    for index, seconds in enumerate(steps_s, start=1):
        time.passes(seconds)
        if clock.step_done(0.0, 1, is_last=index == len(steps_s)):
            clock.close_window(0)
    return [window.end_s - window.start_s for window in clock.windows(waiting_is_known=True)]


def test_window_ends_with_the_first_step_past_its_time(clock: Clock, time: FakeTime) -> None:
    assert lengths(clock, time, [0.0078125] * 10)[0] == 0.0234375  # three steps, the first past 0.02 s


def test_window_ends_with_the_last_step(clock: Clock, time: FakeTime) -> None:
    assert lengths(clock, time, [0.0078125] * 2) == [0.015625]


def test_windows_grow_to_a_fiftieth_of_the_run(clock: Clock, time: FakeTime) -> None:
    made = lengths(clock, time, [0.0625] * 1600)  # 100 s
    assert made[:7] == [0.0625, 0.0625, 0.125, 0.1875, 0.375, 0.6875, 1.3125]  # past 0.02 s, 0.04 s and so on
    assert set(made[7:-1]) == {2.0}
    assert sum(made) == 100.0


def test_windows_of_a_slow_model_are_single_steps(clock: Clock, time: FakeTime) -> None:
    assert lengths(clock, time, [2.0] * 5) == [2.0] * 5


def test_windows_shrink_again_after_a_slow_first_step(clock: Clock, time: FakeTime) -> None:
    made = lengths(clock, time, [1.0, *[0.0009765625] * 10_000])  # 1 s, then 9.77 s in all
    assert 40 <= len(made) <= 60
    assert max(made[1:]) < 0.6  # of 10.77


def test_windows_of_a_long_run_do_not_last_for_ever(clock: Clock, time: FakeTime) -> None:
    assert max(lengths(clock, time, [1.0] * 2000)) == 20.0


def test_phase_counts_what_ends_in_an_error(time: FakeTime) -> None:
    phase = Phase(time)
    with contextlib.suppress(ZeroDivisionError), phase:
        time.passes(2.0)
        _ = 1 / 0
    assert phase.taken() == [100.0, 102.0]
    assert phase.taken() == []


class Device:
    """A device that works off what it is asked to, in order, while the host goes on. Implements Recorder.

    A moment is when the device gets there: the host's time, or later where it is still at something.
    """

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self.is_free_at = 0.0

    def works(self, seconds: float) -> None:
        self.is_free_at = self.moment() + seconds

    def moment(self) -> float:
        return max(self.is_free_at, self._time())

    def synchronize(self) -> None:
        self._time.at = self.moment()

    def seconds_between(self, firsts: Sequence[float], lasts: Sequence[float]) -> NDArray[np.float64]:
        return np.asarray(lasts) - np.asarray(firsts)

    def gathered(self, losses: Sequence[Any]) -> NDArray[np.float64]:
        return np.array(losses, np.float64)

    def values(self, gathered: NDArray[np.float64]) -> NDArray[np.float64]:
        return gathered


def test_steps_are_timed_on_the_device_while_the_host_runs_ahead(clock: Clock, time: FakeTime) -> None:
    device = Device(time)
    clock.start(num_steps=3, recorder=device)
    for seconds in (1.0, 2.0, 4.0):
        time.passes(0.001)  # to ask for it
        device.works(seconds)
        clock.step_done(0.0, 1)
    device.synchronize()
    clock.close_window(0)
    (window,) = clock.windows(waiting_is_known=True)
    assert (window.step_p50_s, window.step_max_s) == (2.0, 4.0)
    assert window.end_s == pytest.approx(7.001)


def test_waiting_is_what_the_device_stands_still_for(clock: Clock, time: FakeTime) -> None:
    # The host waits 3 s for a gradient that is 2 s in the making and 1 s on its way: the device waits for 1 s of them.
    device = Device(time)
    clock.start(num_steps=1, recorder=device)
    with clock.loader:  # over long before the device is free
        device.works(2.0)
    with clock.waiting:
        time.passes(3.0)
    clock.step_done(0.0, 1)
    clock.close_window(0)
    (window,) = clock.windows(waiting_is_known=True)
    assert (window.exposed_s, window.end_s) == (1.0, 3.0)


def test_average_under_way_is_issued_when_the_device_gets_there(clock: Clock, time: FakeTime) -> None:
    # The host asks at 100 s for what the device has to send at 102 s.
    device = Device(time)
    clock.start(num_steps=1, recorder=device)
    device.works(2.0)
    issued = clock.waiting.mark()
    device.works(1.0)
    with clock.waiting.since(issued):
        time.passes(4.0)
    clock.step_done(0.0, 1)
    clock.close_window(0)
    (waits,) = clock.waits()
    assert (list(waits.took_s), list(waits.came_s)) == ([1.0], [102.0])


def test_windows_of_a_device_that_the_host_runs_ahead_of_last_a_quarter_of_a_second(
    clock: Clock, time: FakeTime
) -> None:
    clock.start(num_steps=100, recorder=Device(time))
    assert [steps_to_close(clock, time) for _ in range(2)] == [4, 4]  # of 0.0625 s


def steps_to_close(clock: Clock, time: FakeTime) -> int:
    for count in itertools.count(1):
        time.passes(0.0625)
        if clock.step_done(0.0, 1):
            clock.close_window(0)
            return count
    raise AssertionError


def test_mark_is_when_the_device_gets_there(clock: Clock, time: FakeTime) -> None:
    device = Device(time)
    clock.start(num_steps=2, recorder=device)
    device.works(2.0)
    clock.step_done(0.0, 1)
    device.synchronize()
    clock.close_window(0)
    device.works(3.0)
    mark = clock.mark()
    assert clock.now() == 2.0
    assert clock.seconds_at([mark]) == [5.0]


def test_moments_of_a_long_run_are_read_on_the_way(clock: Clock, time: FakeTime) -> None:
    clock.start(num_steps=MAX_UNREAD)
    with mock.patch.object(clock, "_read", wraps=clock._read) as read:
        for index in range(MAX_UNREAD):
            with clock.loader:
                time.passes(0.001)
            if clock.step_done(1.0, 1, is_last=index == MAX_UNREAD - 1):
                clock.close_window(0)
        num_read = read.call_count
    windows = clock.windows(waiting_is_known=True)
    assert 0 < num_read < len(windows)
    assert sum(window.num_steps for window in windows) == MAX_UNREAD
    assert sum(window.loader_s for window in windows) == pytest.approx(MAX_UNREAD / 1000)
