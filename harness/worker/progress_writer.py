"""What the parent shows of training, written in a thread beside it: a file system that takes its time costs no step.

Where the parent is on another host, so the folder on a file system that both share, or that file system is one of a
network anyway, it is written seldom: others wait for its server.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

from harness.records.run_files import PROGRESS_FILE, write_atomically
from harness.worker.machine_identity import is_beside_parent
from harness.worker.training import Progress

NEAR_EVERY_S, ELSEWHERE_EVERY_S = 1.0, 10.0
_MOUNTS = Path("/proc/self/mounts")
_ESCAPED = re.compile(r"\\([0-7]{3})")  # a space in a name, as that table has it
_OF_NETWORKS = {
    *("nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "smb3", "panfs", "pvfs2", "wekafs", "afs"),
    *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph-fuse", "fuse.beegfs"),
}


class ProgressWriter:
    """Training tells it how far it is, which costs an assignment."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._last: Progress | None = None

    @cached_property
    def _every_s(self) -> float:
        """Looked up by who writes, in its thread: no rank starts the later for it."""
        is_near = is_beside_parent(self._run_dir) and not _is_on_network(self._run_dir)
        return NEAR_EVERY_S if is_near else ELSEWHERE_EVERY_S

    def tell(self, progress: Progress) -> None:
        self._last = progress

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Writes what is told while in the block."""
        has_ended = threading.Event()
        thread = threading.Thread(target=self._write_until, args=(has_ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            has_ended.set()
            thread.join()

    def _write_until(self, has_ended: threading.Event) -> None:
        written = None
        while not has_ended.wait(self._every_s):
            last = self._last
            if last is not None and last is not written:
                with suppress(OSError):  # the next one is as good
                    write_atomically(self._run_dir / PROGRESS_FILE, json.dumps(vars(last)))
                written = last


def _is_on_network(folder: Path) -> bool:
    mounts: dict[Path, str] = {}
    with suppress(OSError):  # not told: it is taken for one of this machine
        mounts = dict(_mounts(_MOUNTS.read_bytes()))
    place = folder.resolve()
    return next((mounts[above] in _OF_NETWORKS for above in (place, *place.parents) if above in mounts), False)


def _mounts(table: bytes) -> Iterator[tuple[Path, str]]:
    """Where each is, and its kind, by the kernel's table: psutil before 6 asks every file system, and one whose server
    is gone never answers."""
    for line in os.fsdecode(table).strip("\n").split("\n"):
        _, place, kind, *_ = line.split(" ")
        yield Path(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), place)), kind
