"""`horovodrun` that waits less and says more: `python -m harness.launchers.quick_horovodrun RUN_DIR ARGUMENTS...`.

To learn whether Horovod was built with the controller asked for, horovodrun imports the frameworks, seconds each, until
one answers. Here it takes that for granted: workers whose Horovod lacks it say so themselves. When horovodrun gives up,
the reason is left in RUN_DIR for the record; where it is a worker that was killed, the exit code tells the signal, as
mpirun's does. All else is horovodrun's.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from horovod.runner import launch
from horovod.runner.util import cache

from harness.records.leftovers import clear_abandoned
from harness.records.run_files import ERROR_PREFIX, write_atomically

_KILLED = re.compile(r"^Exit code: (1(?:29|[3-9]\d))$", re.MULTILINE)  # of the first process that failed


def main() -> None:
    run_dir = Path(sys.argv.pop(1))
    sys.argv[0] = "horovodrun"
    if not _may_keep_files(Path(launch.CACHE_FOLDER)):
        sys.argv.insert(1, "--disable-cache")
    cache.Cache._dump = _dump_whole
    launch.gloo_built = launch.mpi_built = lambda verbose=False: True
    launch._check_all_hosts_ssh_successful = _naming_hosts(launch._check_all_hosts_ssh_successful)
    try:
        launch.run_commandline()
    except Exception as error:
        write_atomically(run_dir / f"{ERROR_PREFIX}horovodrun", f"horovodrun: {' '.join(str(error).split())}")
        killed = _KILLED.search(str(error))
        if killed is None:
            raise
        traceback.print_exc()
        sys.exit(int(killed[1]))


def _may_keep_files(folder: Path) -> bool:
    """Whether horovodrun can note there which hosts it has reached: a home may be read-only."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _dump_whole(kept: Any, content: Any) -> None:
    """The method, in one step: another launch of this home would take half a file for a broken one and remove it."""
    file = Path(kept._cache_file)
    clear_abandoned(file.parent, f".{file.name}.*")
    staged = file.with_name(f".{file.name}.{os.getpid()}")
    with staged.open("wb") as sink:
        cache.cloudpickle.dump(content, sink, protocol=kept._pickle_protocol)
    staged.rename(file)


def _naming_hosts(check: Callable[..., Any]) -> Callable[..., Any]:
    """The check, which only prints what ssh said of which host, raises it. Horovod's own error names none."""

    def checked(*args: Any, **kwargs: Any) -> Any:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            reached = check(*args, **kwargs)
        if not reached:
            raise ConnectionError(said.getvalue())
        return reached

    return checked


if __name__ == "__main__":
    main()
