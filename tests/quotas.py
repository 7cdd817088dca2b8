"""Control groups with a CPU quota, for tests that need a real one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MOUNTS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/cpu,cpuacct"), Path("/sys/fs/cgroup"))
PERIOD_US = 100_000


def quota_parent() -> Path | None:
    """A group in which one with a quota can be made."""
    return next((mount for mount in _MOUNTS if _can_hold_quotas(mount)), None)


def _can_hold_quotas(mount: Path) -> bool:
    if not os.access(mount, os.W_OK) or os.geteuid():
        return False
    if (mount / "cpu.cfs_quota_us").exists():
        return True
    control = mount / "cgroup.subtree_control"
    return control.exists() and "cpu" in control.read_text().split()


@contextmanager
def quota_of(cores: float) -> Iterator[Path]:
    """A group that allows so many cores' worth of CPU time; gone when its processes are."""
    parent = quota_parent()
    assert parent is not None
    group = parent / f"hvdbench-test-{os.getpid()}"
    group.mkdir()
    try:
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text(f"{round(cores * PERIOD_US)} {PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(round(cores * PERIOD_US)))
        yield group
    finally:
        group.rmdir()
