"""When a launch is ended from outside, because it does not end by itself."""

from __future__ import annotations

import time
from pathlib import Path

from harness.records.run_files import TRAINING_BEGAN, TRAINING_ENDED, is_there, stop_path

STOPPING_S = 30.0  # beyond the limit, by which workers stop by themselves (harness/worker/time_limit.py): they have not
LEAST_FOR_EVALUATION_S = 60.0  # and for the steps that are left once workers know after which they stop


def longest_launch_s(time_limit_s: float) -> float:
    """After which the latest launch has been ended."""
    return 2 * (time_limit_s + STOPPING_S) + 2 * _as_long_again_s(time_limit_s)


class Deadline:
    """Of a launch that begins now.

    Starting has the time limit, and so has training, by this clock as by the workers' own: what starts them may take
    longer than they know of. Workers that know after which step they stop have as long again for the steps that are
    left, of which one may take minutes, and so has the evaluation of what was trained.
    """

    def __init__(self, run_dir: Path, time_limit_s: float, *, stopping_s: float = STOPPING_S) -> None:
        self._began = run_dir / TRAINING_BEGAN
        self._longer = [stop_path(run_dir, 0), run_dir / TRAINING_ENDED]  # of which each gives as long again
        self._each_s, self._again_s = time_limit_s + stopping_s, _as_long_again_s(time_limit_s)
        self._has_begun = False
        self._until = time.monotonic() + self._each_s

    def is_over(self) -> bool:
        now = time.monotonic()
        if not self._has_begun and is_there(self._began):
            self._has_begun, self._until = True, now + self._each_s
        if now > self._until:
            seen = {path for path in self._longer if _may_be_there(path)}
            self._longer = [path for path in self._longer if path not in seen]
            self._until += len(seen) * self._again_s
        return now > self._until


def _may_be_there(path: Path) -> bool:
    """Also where the file system does not answer now, which is no reason to end a launch."""
    try:
        return path.exists()
    except OSError:
        return True


def _as_long_again_s(time_limit_s: float) -> float:
    return max(time_limit_s, LEAST_FOR_EVALUATION_S)
