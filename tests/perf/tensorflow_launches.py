"""TensorFlow strategies against each other, over real launches. Needs two cores."""

from __future__ import annotations

from tests.perf.figure import Figure, compare
from tests.perf.launches import NUM_PAIRS, launching


def figures() -> list[Figure]:
    with launching() as (launch, _):
        return [
            compare(
                "cnn, TensorFlow, 2 workers: allreduce-flat (MPI) over tf-multiworker",
                launch(framework="tensorflow", strategy="allreduce-flat", controller="mpi"),
                launch(framework="tensorflow", strategy="tf-multiworker"),
                num_pairs=NUM_PAIRS,
                bar=1.0,
            ),
            *(
                compare(
                    f"cnn, TensorFlow: a worker of delayed-averaging (MPI, period {period}) over serial",
                    launch(
                        framework="tensorflow",
                        strategy={"name": "delayed-averaging", "period": period},
                        controller="mpi",
                    ),
                    launch(framework="tensorflow", strategy="serial", workers=1),
                    num_pairs=NUM_PAIRS,
                    bar=0.9,
                )
                for period in (4, 16)
            ),
        ]
