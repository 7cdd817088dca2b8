"""Which GPUs a process sees and what is near them, from what driver and kernel say; no GPU is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.worker import gpus
from harness.worker.gpus import (
    cores_near,
    cores_near_workers,
    driver_settings,
    parse_gpus,
    present_gpus,
    visible_gpus,
)

LISTED = """GPU-aaaa-1, 00000000:17:00.0, 575.57.08, NVIDIA H100 80GB HBM3
GPU-aabb-2, 00000000:C5:00.0, 575.57.08, NVIDIA H100 80GB HBM3
"""
FIRST, SECOND = PRESENT = parse_gpus(LISTED)


def test_gpus_are_read_from_the_drivers_list() -> None:
    assert (FIRST.uuid, FIRST.bus_id, FIRST.driver) == ("GPU-aaaa-1", "0000:17:00.0", "575.57.08")
    assert (SECOND.bus_id, SECOND.name) == ("0000:c5:00.0", "NVIDIA H100 80GB HBM3")
    assert parse_gpus("No devices were found\n") == ()


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (None, PRESENT),
        ("", ()),
        ("-1", ()),
        ("1", (SECOND,)),
        ("1,0", (SECOND, FIRST)),
        (" 0 , 1", PRESENT),
        ("0,7,1", (FIRST,)),  # what comes after a number that fits none is hidden
        ("0,0", ()),
        ("GPU-aabb", (SECOND,)),
        ("GPU-aa", ()),  # of both
        ("GPU-aabb-2,GPU-aaaa-1", (SECOND, FIRST)),
        ("none", ()),
    ],
)
def test_visible_gpus_are_those_that_cuda_shows(value: str | None, seen: tuple[gpus.Gpu, ...]) -> None:
    assert visible_gpus(PRESENT, {} if value is None else {"CUDA_VISIBLE_DEVICES": value}) == seen


@pytest.mark.parametrize(("present", "told"), [(PRESENT, {"driver": "575.57.08"}), ((), {})])
def test_driver_is_that_of_the_machine_that_trains(
    monkeypatch: pytest.MonkeyPatch, present: tuple[gpus.Gpu, ...], told: dict[str, str]
) -> None:
    monkeypatch.setattr(gpus, "present_gpus", lambda: present)
    assert driver_settings() == told


def test_part_of_a_gpu_is_one() -> None:
    (part,) = visible_gpus(PRESENT, {"CUDA_VISIBLE_DEVICES": "MIG-1234"})
    assert (part.uuid, part.name) == ("MIG-1234", "part of NVIDIA H100 80GB HBM3")
    assert cores_near(part) == frozenset()


def near(tmp_path: Path, gpu: gpus.Gpu, cores: str) -> None:
    folder = tmp_path / gpu.bus_id
    folder.mkdir()
    (folder / "local_cpulist").write_text(cores)


def test_cores_near_a_gpu_are_those_of_its_bus(tmp_path: Path) -> None:
    near(tmp_path, SECOND, "4-6,12\n")
    assert cores_near(SECOND, tmp_path) == {4, 5, 6, 12}
    assert cores_near(FIRST, tmp_path) == frozenset()


def test_cores_near_workers_follow_the_gpus_that_they_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near(tmp_path, FIRST, "0-3")
    near(tmp_path, SECOND, "4-7")
    monkeypatch.setattr(gpus, "present_gpus", lambda: PRESENT)
    monkeypatch.setattr(gpus.cores_near, "__defaults__", (tmp_path,))
    assert cores_near_workers(2, {}) == [{0, 1, 2, 3}, {4, 5, 6, 7}]
    assert cores_near_workers(1, {"CUDA_VISIBLE_DEVICES": "1"}) == [{4, 5, 6, 7}]
    assert cores_near_workers(2, {"CUDA_VISIBLE_DEVICES": "1"}) == []  # a worker may be shown its own alone


def test_cores_near_workers_are_unknown_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "present_gpus", lambda: PRESENT)
    monkeypatch.setattr(gpus, "cores_near", lambda gpu: {0} if gpu is FIRST else set())
    assert cores_near_workers(1, {}) == [{0}]
    assert cores_near_workers(2, {}) == []


def test_cores_near_workers_are_unknown_where_cuda_numbers_unlike_gpus_its_own_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unlike = parse_gpus(LISTED.replace("H100 80GB HBM3\n", "A10\n", 1))
    monkeypatch.setattr(gpus, "present_gpus", lambda: unlike)
    monkeypatch.setattr(gpus, "cores_near", lambda gpu: {gpu.name})
    assert cores_near_workers(1, {}) == []
    assert cores_near_workers(1, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}) == [{"NVIDIA A10"}]


def test_no_driver_means_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    present_gpus.cache_clear()
    try:
        assert present_gpus() == ()
    finally:
        present_gpus.cache_clear()
