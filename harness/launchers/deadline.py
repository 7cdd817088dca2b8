"""When a launch is ended from outside, because it does not end by itself."""

from __future__ import annotations

import time
from pathlib import Path

from harness.records.run_files import TRAINING_ENDED

STOPPING_S = 30.0  # beyond the limit, at which training stops by itself (harness/worker/time_limit.py): it has not
LEAST_FOR_EVALUATION_S = 60.0


def longest_launch_s(time_limit_s: float) -> float:
    """After which the latest launch has been ended."""
    return time_limit_s + STOPPING_S + _for_evaluation_s(time_limit_s)


class Deadline:
    """Of a launch that begins now. Training has its limit; what was trained is then evaluated, in as long again."""

    def __init__(self, run_dir: Path, time_limit_s: float, *, stopping_s: float = STOPPING_S) -> None:
        self._ended = run_dir / TRAINING_ENDED
        self._training_until = time.monotonic() + time_limit_s + stopping_s
        self._evaluation_until = self._training_until + _for_evaluation_s(time_limit_s)

    def is_over(self) -> bool:
        now = time.monotonic()
        if now <= self._training_until:
            return False
        return now > self._evaluation_until or not self._has_ended()

    def _has_ended(self) -> bool:
        """Of training; true as well where the file system does not answer now, which is no reason to end a launch."""
        try:
            return self._ended.exists()
        except OSError:
            return True


def _for_evaluation_s(time_limit_s: float) -> float:
    return max(time_limit_s, LEAST_FOR_EVALUATION_S)
