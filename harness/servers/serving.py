"""How long a server stays, and what it leaves in the run's folder: what it used in training, or why it failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.protocols import Role
from harness.records.record import ServerPart
from harness.records.run_files import (
    ERROR_PREFIX,
    TRAINING_BEGAN,
    TRAINING_ENDED,
    is_there,
    part_path,
    server_part_path,
    write_atomically,
)
from harness.worker.failure import leave
from harness.worker.usage import UsageMeter

LOOK_EVERY_S = 0.05  # training is seen to begin and to end late by as much, so its length is right on average


@contextmanager
def telling_failure(run_dir: Path, *, role: Role, index: int) -> Iterator[None]:
    """Leaves word for the record of what ends this process, which then ends."""
    try:
        yield
    except Exception as error:
        message = f"{role} {index}: {type(error).__name__}: {error}"
        try:
            write_atomically(run_dir / f"{ERROR_PREFIX}{role}-{index}", message)
        finally:  # on a full disk too
            leave(error)


def stay(run_dir: Path, *, role: Role, index: int, bytes_sent: Callable[[], int] | None = None) -> None:
    """Returns when rank 0 has left its part of the record; this process' own has been in place since training ended.

    index: among the processes of this role. bytes_sent: by this process so far, where it knows.
    """
    _wait_for(run_dir / TRAINING_BEGAN)
    meter, sent_before = UsageMeter(), bytes_sent() if bytes_sent else 0
    _wait_for(run_dir / TRAINING_ENDED)
    sent = bytes_sent() - sent_before if bytes_sent else None
    part = ServerPart(role=role, index=index, bytes_sent=sent, **vars(meter.read()))
    write_atomically(server_part_path(run_dir, role, index), part.model_dump_json())
    _wait_for(part_path(run_dir, 0))  # evaluation may still read the weights


def _wait_for(path: Path) -> None:
    while not is_there(path):
        time.sleep(LOOK_EVERY_S)
