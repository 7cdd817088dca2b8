"""How a command ends before its work is done, and whose fault that is."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def is_the_users(error: Exception) -> bool:
    """Errors with a message for the user; places that the user may not look at; full disks, for which Python may find
    no folder for temporary files; and whatever code of the user's raises."""
    from harness.extensions import is_of_loaded_code

    return _has_a_message(error) or _is_of_the_file_system(error) or is_of_loaded_code(error)


def in_words(error: Exception) -> str:
    """Of an error that is the user's."""
    from harness.extensions import in_their_words, is_of_loaded_code

    if is_of_loaded_code(error):
        return in_their_words(error)
    if not isinstance(error, OSError):
        return str(error)
    if isinstance(error, PermissionError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if isinstance(error, FileNotFoundError):
        return f"{error.strerror}; free some room, or set TMPDIR to a folder that has some"
    where = error.filename or "standard output, or a file"
    return f"{where}: cannot be written ({error.strerror or error}); free some room, and give the same command again"


def _has_a_message(error: Exception) -> bool:
    """Kinds that are imported only when there is an error."""
    from harness.check.worktree import ArmError
    from harness.compare.request import CompareError
    from harness.extensions import ExtensionError
    from harness.launchers.hosts import HostsError
    from harness.records.results_folder import ResultsError
    from harness.suite.suite import SuiteError
    from harness.templates.new_file import NewFileError
    from harness.tuning.tuning_error import TuningError
    from harness.workloads.data import DatasetError

    found_by_us = (SuiteError, ResultsError, HostsError, DatasetError, ArmError)
    return isinstance(error, (*found_by_us, CompareError, NewFileError, TuningError, ExtensionError))


def _is_of_the_file_system(error: Exception) -> bool:
    from harness.records.machine_failures import lacks_room

    is_full = isinstance(error, OSError) and lacks_room(f"{type(error).__name__}: {error}")
    return isinstance(error, PermissionError) or is_full


@contextmanager
def interruptible() -> Iterator[None]:
    """A SIGTERM ends the block as Ctrl-C does: workers are stopped, nothing half done is recorded."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
