"""How vectors of GPUs travel is what the cell says, or it is refused. Horovods here only tell how they were built."""

from __future__ import annotations

from typing import Any

import pytest

from harness.fabrics.gpu_exchange import check_exchange, check_gpu_each, exchange_settings, nccl_version
from harness.suite.cell import Cell


class Horovod:
    """As many processes as it has GPUs' UUIDs, built with NCCL of this version, or without."""

    def __init__(self, uuids: list[str], nccl: int = 0) -> None:
        self._uuids, self._nccl = uuids, nccl

    def size(self) -> int:
        return len(self._uuids)

    def nccl_built(self) -> int:
        return self._nccl

    def allgather_object(self, value: str, name: str) -> list[str]:
        return self._uuids


def cell_of(**fields: Any) -> Cell:
    return Cell.model_validate({"workload": "fnn", "strategy": "local-sgd", "workers": 2, "device": "gpu", **fields})


def test_horovod_without_nccl_is_refused_on_gpus() -> None:
    with pytest.raises(ValueError, match=r"built without NCCL, so that vectors would go through the host's memory"):
        check_exchange(cell_of(), Horovod(["a", "b"]), "a")


def test_staging_that_is_asked_for_needs_neither_nccl_nor_a_gpu_each() -> None:
    check_exchange(cell_of(strategy={"name": "local-sgd", "staging": "host"}), Horovod(["a", "a"]), "a")


@pytest.mark.parametrize("horovod", [Horovod(["a", "b"], nccl=21805), Horovod(["a"])])
def test_gpus_of_their_own_or_nobody_to_talk_to_will_do(horovod: Horovod) -> None:
    check_exchange(cell_of(), horovod, "a")


def test_cpus_need_no_nccl() -> None:
    check_exchange(cell_of(device="cpu"), Horovod(["", ""]))


def test_two_ranks_on_one_gpu_are_named() -> None:
    with pytest.raises(ValueError, match=r"ranks 1 and 2 are on one GPU \(GPU-b\), which NCCL refuses"):
        check_gpu_each(["GPU-a", "GPU-b", "GPU-b"])


def test_settings_name_nccl_on_gpus_alone() -> None:
    horovod = Horovod(["a", "b"], nccl=21805)
    assert exchange_settings(cell_of(), horovod) == {"horovod.nccl": "2.18.5"}
    assert exchange_settings(cell_of(device="cpu"), horovod) == {}
    assert exchange_settings(cell_of(), Horovod(["a", "b"])) == {"horovod.nccl": "none"}


def test_nccl_version_is_read_from_its_number() -> None:
    assert [nccl_version(code) for code in (21805, 22703)] == ["2.18.5", "2.27.3"]


def test_staging_of_what_lies_in_the_hosts_memory_is_refused() -> None:
    with pytest.raises(ValueError, match=r"options\.staging: host with device cpu; allowed: none"):
        cell_of(device="cpu", strategy={"name": "local-sgd", "staging": "host"})
