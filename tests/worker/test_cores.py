"""Who gets which cores, on machines made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.worker.cores import halves, hyperthreads_beside, in_words, listed_cores, num_physical, shared_out


def machine(folder: Path, *siblings: str) -> Path:
    for group in siblings:
        for core in listed_cores(group):
            (folder / f"cpu{core}" / "topology").mkdir(parents=True)
            (folder / f"cpu{core}" / "topology" / "thread_siblings_list").write_text(f"{group}\n")
    return folder


@pytest.fixture
def hyperthreaded(tmp_path: Path) -> Path:
    """Four cores of two threads each."""
    return machine(tmp_path, "0,4", "1,5", "2,6", "3,7")


@pytest.mark.parametrize(("text", "cores"), [("0", {0}), ("0-3,8", {0, 1, 2, 3, 8}), ("5,1-2", {1, 2, 5})])
def test_cores_are_listed_as_the_kernel_does(text: str, cores: set[int]) -> None:
    assert listed_cores(text) == cores
    assert listed_cores(in_words(cores)) == cores


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,", "-2"])
def test_what_lists_no_cores_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|ends before it begins"):
        listed_cores(text)


def test_workers_get_physical_cores_of_their_own_while_there_are_some(hyperthreaded: Path) -> None:
    assert shared_out(range(8), 4, 1, cpus=hyperthreaded) == [[0], [1], [2], [3]]
    assert shared_out(range(8), 2, 2, cpus=hyperthreaded) == [[0, 1], [2, 3]]


def test_hyperthreads_of_a_core_are_one_workers(hyperthreaded: Path) -> None:
    assert shared_out(range(8), 2, 4, cpus=hyperthreaded) == [[0, 1, 4, 5], [2, 3, 6, 7]]


def test_halves_split_no_physical_core(hyperthreaded: Path) -> None:
    assert hyperthreads_beside(range(4), range(8), hyperthreaded) == [4, 5, 6, 7]
    assert halves(range(8), hyperthreaded) == ([0, 1, 4, 5], [2, 3, 6, 7])
    assert hyperthreads_beside([0, 1, 4, 5], range(8), hyperthreaded) == []
    assert halves([3, 7], hyperthreaded) == ([3, 7], [])


def test_neighbours_in_number_may_be_one_physical_core(tmp_path: Path) -> None:
    cpus = machine(tmp_path, "0-1", "2-3")
    assert shared_out(range(4), 2, 1, cpus=cpus) == [[0], [2]]
    assert num_physical({0, 1, 2}, cpus) == 2


def test_only_cores_that_are_free_are_given(hyperthreaded: Path) -> None:
    assert shared_out({2, 5, 6, 7}, 3, 1, cpus=hyperthreaded) == [[5], [2], [7]]
    assert shared_out({2, 5, 6, 7}, 5, 1, cpus=hyperthreaded) is None


def test_a_worker_takes_those_near_its_gpu_first(hyperthreaded: Path) -> None:
    near = [{2, 3, 6, 7}, {0, 1, 4, 5}]
    assert shared_out(range(8), 2, 2, near=near, cpus=hyperthreaded) == [[2, 3], [0, 1]]
    assert shared_out(range(8), 2, 2, near=[{2, 3, 6, 7}] * 2, cpus=hyperthreaded) == [[2, 3], [6, 7]]


def test_cores_without_a_known_topology_are_taken_for_physical_ones(tmp_path: Path) -> None:
    assert shared_out({3, 1, 2}, 2, 1, cpus=tmp_path) == [[1], [2]]
