"""Ends a process of a launch once the one that started it is gone, on any host and whatever the file system can do.

The parent holds the lock of the run folder while it lives. A lock that is seen held says that it lives. One that is
free says little by itself: on some shared file systems (Lustre's `localflock`, NFS mounted so) a lock is seen on its
own host alone. So a parent with workers elsewhere also writes a count into a file (harness/run/heartbeat.py), and is
gone when neither sign was seen in several looks. Looks are counted, not seconds: a process that was stopped has not
looked.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from enum import Enum, auto
from pathlib import Path

from harness.records.run_files import HEARTBEAT_FILE, PARENT_LOCK

EXIT_ORPHANED = 70
WATCH_EVERY_S = 1.0
# Looks without a sign of life, one after another, until the parent is taken for dead.
LOOKS_WHERE_LOCKS_ARE_SEEN = 2
LOOKS_AT_MOST = 30  # of a file system that does not answer, or where only the count tells


class _Sign(Enum):
    ALIVE = auto()
    NONE = auto()
    NO_FOLDER = auto()  # the parent has ended the run and cleaned up
    NO_ANSWER = auto()


class ParentWatch:
    """What is known of the parent of this run folder."""

    def __init__(self, run_dir: Path) -> None:
        self._lock, self._heartbeat = run_dir / PARENT_LOCK, run_dir / HEARTBEAT_FILE
        self._lock_was_seen = False
        self._last_beat: bytes | None = None
        self._last, self._num_alike, self._num_silent = _Sign.ALIVE, 0, 0

    def is_gone(self) -> bool:
        """Looks once more."""
        sign = self._look()
        self._num_alike = self._num_alike + 1 if sign == self._last else 1
        self._num_silent = 0 if sign == _Sign.ALIVE else self._num_silent + 1
        self._last = sign
        most = LOOKS_WHERE_LOCKS_ARE_SEEN if self._tells(sign) else LOOKS_AT_MOST
        return self._num_silent >= LOOKS_AT_MOST or min(self._num_silent, self._num_alike) >= most

    def _tells(self, sign: _Sign) -> bool:
        """Whether it is a sign that the parent is gone."""
        return sign == _Sign.NO_FOLDER or (sign == _Sign.NONE and self._lock_was_seen)

    def _look(self) -> _Sign:
        try:
            sign = self._sign_of_lock()
            return _Sign.ALIVE if sign == _Sign.ALIVE or self._has_beaten() else sign
        except FileNotFoundError:
            return _Sign.NO_FOLDER
        except OSError:  # a server that is away for a moment, a handle gone stale
            return _Sign.NO_ANSWER

    def _sign_of_lock(self) -> _Sign:
        with self._lock.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                self._lock_was_seen = True
                return _Sign.ALIVE
            except OSError:
                return _Sign.NO_ANSWER  # there are no locks here, or not now
        return _Sign.NONE

    def _has_beaten(self) -> bool:
        """Since the last look. Read, not dated: a file that is opened is a fresh one on NFS, its time may not be."""
        if not self._heartbeat.exists():
            return False
        before, self._last_beat = self._last_beat, self._heartbeat.read_bytes()
        return self._last_beat != before


def die_with_parent(run_dir: Path) -> None:
    """From now on this process ends once the launching one is gone."""
    threading.Thread(target=_watch, args=(ParentWatch(run_dir),), daemon=True).start()


def _watch(parent: ParentWatch) -> None:
    while not parent.is_gone():
        time.sleep(WATCH_EVERY_S)
    os._exit(EXIT_ORPHANED)
