"""What is told of training is written beside it, never in it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from harness.records.run_files import PARENT_LOCK, PROGRESS_FILE
from harness.worker import progress_writer
from harness.worker.machine_identity import machine_id
from harness.worker.progress_writer import ProgressWriter
from harness.worker.training import Progress


def progress(share: float) -> Progress:
    return Progress(share=share, samples_per_s=100.0, loss=0.5)


@pytest.fixture
def writers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """Which thread wrote which share."""
    seen: list[tuple[str, float]] = []
    write = progress_writer.write_atomically

    def noted(path: Path, text: str) -> None:
        seen.append((threading.current_thread().name, json.loads(text)["share"]))
        write(path, text)

    monkeypatch.setattr(progress_writer, "write_atomically", noted)
    return seen


def test_progress_is_written_by_another_thread_and_only_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writers: list[tuple[str, float]]
) -> None:
    monkeypatch.setattr(progress_writer, "NEAR_EVERY_S", 0.001)
    (tmp_path / PARENT_LOCK).write_text(machine_id())
    writer = ProgressWriter(tmp_path)
    for share in (0.1, 0.2, 0.3):
        writer.tell(progress(share))
    assert writers == []
    with writer.writing():
        while not writers:
            pass
    assert writers[0][0] != threading.current_thread().name
    assert [share for _, share in writers] == [0.3]  # once, though there was time for more
    assert json.loads((tmp_path / PROGRESS_FILE).read_text()) == {"share": 0.3, "samples_per_s": 100.0, "loss": 0.5}


@pytest.mark.parametrize("parent", ["another machine", None])
def test_progress_is_written_seldom_where_the_parent_is_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writers: list[tuple[str, float]], parent: str | None
) -> None:
    monkeypatch.setattr(progress_writer, "NEAR_EVERY_S", 600.0)
    monkeypatch.setattr(progress_writer, "ELSEWHERE_EVERY_S", 0.001)
    if parent is not None:
        (tmp_path / PARENT_LOCK).write_text(parent)
    writer = ProgressWriter(tmp_path)
    writer.tell(progress(0.5))
    with writer.writing():
        while not writers:
            pass


@pytest.mark.parametrize(
    ("kinds", "every_s"),
    [({}, 1.0), ({"a b": "nfs4"}, 10.0), ({"a b": "lustre", "a b/local": "ext4"}, 1.0)],
    ids=["local", "network", "local in it"],
)
def test_progress_is_written_seldom_on_a_file_system_of_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: dict[str, str], every_s: float
) -> None:
    """Whoever else has files there waits for each rename. No other file system is asked: its server may be gone."""
    run_dir = tmp_path / "a b" / "local" / "run"
    run_dir.mkdir(parents=True)
    (run_dir / PARENT_LOCK).write_text(machine_id())
    lines = ["/dev/vda / ext4 rw,relatime 0 0", "gone:/data /gone nfs4 rw,hard 0 0"]
    lines += [f"x {tmp_path}/{place} {kind} rw 0 0".replace("a b", r"a\040b") for place, kind in kinds.items()]
    table = tmp_path / "mounts"
    table.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(progress_writer, "_MOUNTS", table)
    assert ProgressWriter(run_dir)._every_s == every_s


def test_kinds_of_file_systems_are_read_from_the_table_of_the_kernel() -> None:
    assert dict(progress_writer._mounts(progress_writer._MOUNTS.read_bytes()))[Path("/proc")] == "proc"


def test_progress_that_cannot_be_written_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_writer, "ELSEWHERE_EVERY_S", 0.001)
    (tmp_path / PROGRESS_FILE).mkdir()
    writer = ProgressWriter(tmp_path)
    writer.tell(progress(0.5))
    with writer.writing():
        (tmp_path / PROGRESS_FILE).rmdir()
        while not (tmp_path / PROGRESS_FILE).exists():
            writer.tell(progress(0.75))
