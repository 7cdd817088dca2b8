"""When a launch of a time limit of 100 s is ended, by a clock that is set by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.launchers import deadline
from harness.launchers.deadline import Deadline, longest_launch_s
from harness.records.run_files import TRAINING_BEGAN, TRAINING_ENDED, stop_path

LIMIT_S = 100.0


class Launch:
    """Its deadline looks whenever the clock is moved."""

    def __init__(self, run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now_s = 1000.0
        monkeypatch.setattr(deadline.time, "monotonic", lambda: self._now_s)
        self._deadline = Deadline(run_dir, LIMIT_S)

    def is_over_at(self, seconds: float) -> bool:
        self._now_s = 1000.0 + seconds
        return self._deadline.is_over()


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Launch:
    return Launch(tmp_path, monkeypatch)


def test_launch_that_never_trains_is_ended_30_s_after_its_limit(launch: Launch) -> None:
    assert not launch.is_over_at(129.9)
    assert launch.is_over_at(130.1)


def test_limit_of_training_is_counted_from_when_it_begins(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / TRAINING_BEGAN).touch()
    assert not launch.is_over_at(28.0)  # horovodrun over ssh took as long
    assert not launch.is_over_at(157.9)
    assert launch.is_over_at(158.1)


def test_workers_that_know_where_they_stop_have_as_long_again_for_it(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / TRAINING_BEGAN).touch()
    assert not launch.is_over_at(10.0)
    stop_path(tmp_path, 0).touch()
    assert not launch.is_over_at(239.9)  # 10 + 130 + 100
    assert launch.is_over_at(240.1)


def test_what_was_trained_is_evaluated_in_as_long_again(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / TRAINING_BEGAN).touch()
    assert not launch.is_over_at(10.0)
    stop_path(tmp_path, 0).touch()
    assert not launch.is_over_at(200.0)
    (tmp_path / TRAINING_ENDED).touch()
    assert not launch.is_over_at(339.9)
    assert launch.is_over_at(340.1)


def test_no_launch_outlasts_the_longest(launch: Launch, tmp_path: Path) -> None:
    assert not launch.is_over_at(129.9)
    for path in (tmp_path / TRAINING_BEGAN, stop_path(tmp_path, 0), tmp_path / TRAINING_ENDED):
        path.touch()
    assert not launch.is_over_at(130.0)
    assert longest_launch_s(LIMIT_S) == 460.0
    assert launch.is_over_at(460.1)
