"""A worker's place among the others, from what its launcher put into the environment."""

from __future__ import annotations

import pytest

from harness.fabrics.connection import place_among_workers
from harness.timing.traffic import allreduce_bytes


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({}, None),
        ({"HVDBENCH_RANK": "1", "HVDBENCH_SIZE": "4"}, (1, 4, 1, 4)),
        (
            {
                "HOROVOD_RANK": "5",
                "HOROVOD_SIZE": "8",
                "HOROVOD_LOCAL_RANK": "1",
                "HOROVOD_LOCAL_SIZE": "4",
            },
            (5, 8, 1, 4),
        ),
        (
            {
                "OMPI_COMM_WORLD_RANK": "5",
                "OMPI_COMM_WORLD_SIZE": "8",
                "OMPI_COMM_WORLD_LOCAL_RANK": "1",
                "OMPI_COMM_WORLD_LOCAL_SIZE": "4",
            },
            (5, 8, 1, 4),
        ),
        ({"PMI_RANK": "3", "PMI_SIZE": "4"}, (3, 4, 3, 4)),
        ({"PMI_RANK": "3"}, None),
    ],
)
def test_place_is_read_from_every_launchers_variables(
    environ: dict[str, str], place: tuple[int, int, int, int] | None
) -> None:
    assert place_among_workers(environ) == place


@pytest.mark.parametrize(("workers", "sent"), [(1, 0), (2, 1000), (4, 1500), (8, 1750)])
def test_bytes_of_an_allreduce_are_the_rings(workers: int, sent: int) -> None:
    assert allreduce_bytes(1000, workers) == sent
