"""What to do about failures whose own message does not say what is lacking."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path

from harness.records.machine_failures import SHARED_MEMORY, lacks_room, lacks_shared_memory

_GIB = 1024**3
_NEEDED_TO_SAY_SO_BYTES = 4096
# With the name of a file, or what no memory can be. Without, it may be a file in memory, which takes no more either.
_OF_DISKS = re.compile(
    rf"{os.strerror(errno.ENOSPC)}: ['\"]|{os.strerror(errno.EDQUOT)}|No usable temporary directory found in \["
)
_OF_ANY = ("a disk, a quota or shared memory", f"the disk, or {SHARED_MEMORY}")


def with_remedy(reason: str) -> str:
    """The reason of a failure, followed by what to do where that is known."""
    if lacks_shared_memory(reason):
        return f"{reason} ({_room()}: free some, or make it larger: mount -o remount,size=8G, docker run --shm-size=8g)"
    if lacks_room(reason):
        full, named = ("a disk or a quota", "the disk") if _OF_DISKS.search(reason) else _OF_ANY
        return f"{reason} ({full} is full, df -h names {named}: free some, and give the same command again)"
    return reason


def with_full_disk(reason: str, run_dir: Path) -> str:
    """How a launch ended whose processes left no word, and which disk is full: that of the results, where none would
    have found room, or of temporary files, without which Open MPI ends them."""
    temporary = Path(os.environ.get("TMPDIR", "/tmp"))
    for place, name in ((run_dir, run_dir.parents[1]), (temporary, temporary)):
        if _is_full(place):
            return f"{reason}: [Errno {errno.ENOSPC}] {os.strerror(errno.ENOSPC)}: '{name}'"
    return reason


def _is_full(place: Path) -> bool:
    try:
        return shutil.disk_usage(place).free < _NEEDED_TO_SAY_SO_BYTES
    except OSError:
        return False


def _room() -> str:
    """As it is now: what the launch itself had taken is free again."""
    try:
        found = shutil.disk_usage(SHARED_MEMORY)
    except OSError as error:
        return f"{SHARED_MEMORY}, where shared memory lies: {error.strerror}"
    total, free = found.total / _GIB, found.free / _GIB
    return f"shared memory lies in {SHARED_MEMORY}, {total:.3g} GiB, of which {free:.3g} are free without this launch"
