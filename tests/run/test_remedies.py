"""A full /dev/shm or disk names itself, whoever ran into it, with what to do."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.fabrics.connection import Connection
from harness.records.machine_failures import is_the_machines
from harness.run.remedies import with_full_disk, with_remedy
from harness.suite.cell import Cell
from harness.timing.clock import Clock

LOADER = (
    "rank 0: RuntimeError: DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's "
    "workers are out of shared memory."
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container of Docker's, 64 MiB."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=2**26, free=2**25))


@pytest.mark.parametrize(
    "reason",
    [
        LOADER,
        "a worker was killed by signal 7",
        "rank 1: RuntimeError: unable to write to file </torch_11_22_33>: No space left on device (28)",
        "rank 0: OSError: [Errno 28] No space left on device: '/dev/shm/hvdbench-5.new'",
    ],
)
def test_reason_of_a_full_shared_memory_says_where_it_lies_and_what_to_do(reason: str) -> None:
    said = with_remedy(reason)
    assert said.startswith(f"{reason} (shared memory lies in /dev/shm, 0.0625 GiB, of which 0.0312 are free")
    assert "mount -o remount,size=8G, docker run --shm-size=8g" in said


@pytest.mark.parametrize(
    "reason",
    [
        "a worker was killed by signal 9",
        "rank 0: OSError: [Errno 98] Address already in use",
        "rank 0: OutOfResources: out of resource: shared memory, Required: 147456, Hardware limit: 101376.",
        "rank 0: RuntimeError: shared memory of my cache is full",
    ],
)
def test_other_reasons_stay_as_they_are(reason: str) -> None:
    assert with_remedy(reason) == reason


@pytest.mark.parametrize(
    "reason",
    [
        "rank 0: OSError: [Errno 28] No space left on device: 'x'",
        'rank 0: OSError: [Errno 28] No space left on device: "it\'s"',
        "rank 1: OSError: [Errno 122] Disk quota exceeded",
        "rank 0: FileNotFoundError: [Errno 2] No usable temporary directory found in ['/tmp', '/var/tmp', '/x']",
    ],
)
def test_reason_of_a_full_disk_says_so_and_what_to_do(reason: str) -> None:
    assert with_remedy(reason) == (
        f"{reason} (a disk or a quota is full, df -h names the disk: free some, and give the same command again)"
    )


@pytest.mark.parametrize(
    "reason",
    [
        "rank 0: RuntimeError: [enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598",  # of torch.save
        "rank 0: OSError: [Errno 28] No space left on device",  # of a memfd, say
        "rank 0: RuntimeError: write(): fd 3 failed with No space left on device",
    ],
)
def test_reason_of_a_full_file_without_a_name_says_that_it_may_have_been_memory(reason: str) -> None:
    assert with_remedy(reason) == (
        f"{reason} (a disk, a quota or shared memory is full, df -h names the disk, or /dev/shm: free some, and give "
        "the same command again)"
    )


def test_launch_that_left_no_word_on_a_full_disk_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could write one."""
    run_dir = tmp_path / "results" / ".runs" / "0"
    assert with_full_disk("ended", run_dir) == "ended"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    reason = with_full_disk("a worker ended with exit code 1", run_dir)
    assert reason == f"a worker ended with exit code 1: [Errno 28] No space left on device: '{tmp_path}/results'"
    assert is_the_machines(reason)


def test_launch_that_left_no_word_without_room_for_temporary_files_has_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open MPI ends the workers then, with an exit code."""
    run_dir, temporary = tmp_path / "results" / ".runs" / "0", tmp_path / "temporary"
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0 if path == temporary else 4096))
    reason = with_full_disk("a worker or its launcher ended with exit code 1", run_dir)
    assert reason.endswith(f"exit code 1: [Errno 28] No space left on device: '{temporary}'")
    assert is_the_machines(reason)


def test_fabric_names_the_file_for_which_there_is_no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from harness.fabrics.shared_memory import SharedMemory

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    connection = Connection(rank=0, size=1, local_rank=0, local_size=1, run_dir=tmp_path / "full")
    fabric = SharedMemory(Cell(workload="fnn", strategy="serial"), connection, Clock())
    with pytest.raises(OSError, match=r"No space left on device: '/dev/shm/hvdbench-full\.new'"):
        fabric.broadcast(torch.zeros(3))
    Path("/dev/shm/hvdbench-full.new").unlink()
