"""How a process of a launch ends that has failed and left its word for the record."""

from __future__ import annotations

import os
import sys
import traceback
from typing import NoReturn

EXIT_FAILED = 1


def leave(error: BaseException) -> NoReturn:
    """Ends this process at once, by an exit code, and says where it failed.

    Other threads of it may wait for ever, and Python may crash as it ends where those of a library still run: what a
    signal ends has left no word, so a record can tell a crash from what others say of it.
    """
    try:
        traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:  # on a full disk too
        os._exit(EXIT_FAILED)
