"""One measured launch at a time on any physical core of this machine, whoever started it.

A lock a core, which its hyperthreads share: a file in a folder that all users share, locked (flock) by whoever measures
there. The kernel drops the locks of a process that ends, however it does. They are taken for one launch, so that two
suites go on by turns.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import psutil

from harness.plain_text import one_line
from harness.worker.cores import in_words, physical_core

LOCKS_VARIABLE = "HVDBENCH_CORE_LOCKS"  # another folder; for tests, which measure nothing
_LOCKS = Path("/tmp/hvdbench-cores")
_OPEN_TO_ALL, _READ_BY_ALL = 0o1777, 0o644
_MOST_SAID = 100


@contextmanager
def held(
    cores: Collection[int],
    say: Callable[[str], None],
    *,
    remedy: str = "--cores N-M takes part of the machine",
) -> Iterator[None]:
    """The cores are this process' to measure on while in the block; waits for whoever measures on one of them.

    say: gets a sentence for each wait, with the remedy: what has it measure on other cores. Where no file can be made
    for the locks, or files have none there, there are none, and that is said.
    """
    folder = Path(os.environ.get(LOCKS_VARIABLE, _LOCKS))
    physical = sorted({physical_core(core) for core in cores})
    with ExitStack() as stack:
        try:
            files = [stack.enter_context(_lock_file(folder, core)) for core in physical]
            _take_all(files, cores, say, remedy)
        except OSError as error:
            stack.close()
            where = error.filename or folder  # flock's own errors name no file
            say(f"{where}: {error.strerror}: another hvdbench on these cores would not be seen")
        yield


def _take_all(files: list[IO[bytes]], cores: Collection[int], say: Callable[[str], None], remedy: str) -> None:
    """All or none at a time: who waits for one of them keeps none from others."""
    awaited: IO[bytes] | None = None
    while True:
        busy = next((file for file in files if file is not awaited and not _take(file)), None)
        if busy is None:
            return
        for file in files:
            fcntl.flock(file, fcntl.LOCK_UN)
        say(f"waiting for cores {in_words(cores)}: {_holder(busy)} measures there; Ctrl-C ends the wait, {remedy}")
        fcntl.flock(busy, fcntl.LOCK_EX)
        awaited = busy


def _take(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_file(folder: Path, core: int) -> IO[bytes]:
    """Made by the first who measures there; others need only read it."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(_OPEN_TO_ALL)  # whatever the umask takes away
    path = folder / str(core)
    with contextlib.suppress(FileExistsError):
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)
        os.fchmod(made, _READ_BY_ALL)
        os.close(made)
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")


def _holder(file: IO[bytes]) -> str:
    """`process 1234 (hvdbench run ...)`; of another container or user it may not be known."""
    inode = str(os.fstat(file.fileno()).st_ino)
    with contextlib.suppress(OSError, psutil.Error):
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, *_, owner, place, _, _ = line.split()
            if kind == "FLOCK" and place.rpartition(":")[2] == inode:
                return f"process {owner} ({_command_of(int(owner))})"
    return "another process"


def _command_of(process: int) -> str:
    first, *rest = psutil.Process(process).cmdline()
    return one_line(" ".join([Path(first).name, *rest]))[:_MOST_SAID]
