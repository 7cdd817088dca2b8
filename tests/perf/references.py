"""The flat allreduce against what users of each framework would pick instead, over real launches. Needs two cores."""

from __future__ import annotations

from tests.perf.figure import Figure, compare
from tests.perf.launches import NUM_PAIRS, launching

REFERENCES = {"torch": "torch-ddp", "tensorflow": "tf-multiworker"}


def figures() -> list[Figure]:
    with launching() as launch:
        return [
            compare(
                f"cnn, {framework}, 2 workers: allreduce-flat (MPI) over {reference}",
                launch(framework=framework, strategy="allreduce-flat", controller="mpi"),
                launch(framework=framework, strategy=reference),
                num_pairs=NUM_PAIRS,
                bar=1.0,
            )
            for framework, reference in REFERENCES.items()
        ]
