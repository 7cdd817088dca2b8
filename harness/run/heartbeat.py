"""A parent's sign of life to workers on other hosts, who may not see its lock (harness/worker/parent_watch.py)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from harness.records.run_files import HEARTBEAT_FILE

BEAT_EVERY_S = 1.0


@contextmanager
def beating(run_dir: Path) -> Iterator[None]:
    """Counts in a file of the run folder while in the block."""
    has_ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(run_dir / HEARTBEAT_FILE, has_ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        thread.join()


def _beat(path: Path, has_ended: threading.Event) -> None:
    for number in count():
        with suppress(OSError):  # the next one counts; workers have patience
            path.write_text(str(number))  # opened and closed: NFS sends it
        if has_ended.wait(BEAT_EVERY_S):
            return
