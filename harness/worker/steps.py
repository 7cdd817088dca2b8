"""Which steps a worker takes: as many as every other, or what it takes from a counter that all have in common.

The batches of a run are numbered 0, 1, 2, … as one worker would see them; m workers that keep step train on batches
s·m … s·m + m − 1 in step s. From the counter each takes the lowest number that nobody has taken: no sample comes twice
in an epoch, whoever is faster, and nobody idles while there is work. Batch k belongs to step ⌊k/m⌋: learning rate,
evaluation and progress go by that, so by what all have done together. Where batches are made ahead of time, steps are
taken as these are begun, and servers give out several at once, fewer near the end: a worker that is held up keeps the
few that it has.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from harness.protocols import Plan, SharesOutSteps


@dataclass(frozen=True, kw_only=True)
class Step:
    number: int  # of all workers' together: each of them, on average, has begun as many before
    batch: int  # which of those that the worker's `Share` gives


def equal_steps(plan: Plan) -> Iterator[Step]:
    """Of a worker with batches of its own."""
    return (Step(number=step, batch=step) for step in range(plan.num_steps))


def shared_out_steps(plan: Plan, counter: SharesOutSteps, *, rank: int, size: int) -> Iterator[Step]:
    """Of a worker that takes its batches from one stream for all. The first `size` are one for each."""
    batch, num_batches = rank, plan.num_steps * size
    while batch < num_batches:
        yield Step(number=batch // size, batch=batch)
        batch = size + counter.take_step(num_batches - size)


class StepsAhead:
    """Steps that whoever makes batches takes, and whoever trains on them follows; or the other way round.

    Either may be the first to want the next one, and they may be two threads.
    """

    def __init__(self, steps: Iterator[Step]) -> None:
        self._steps, self._lock = steps, threading.Lock()
        self._to_make: deque[Step] = deque()
        self._to_train: deque[Step] = deque()

    def __iter__(self) -> Iterator[Step]:
        return self._following(self._to_train)

    def batches(self) -> Iterator[int]:
        """The numbers of the batches, in the order of the steps."""
        return (step.batch for step in self._following(self._to_make))

    def _following(self, waiting: deque[Step]) -> Iterator[Step]:
        while (step := self._next(waiting)) is not None:
            yield step

    def _next(self, waiting: deque[Step]) -> Step | None:
        with self._lock:
            if not waiting and (taken := next(self._steps, None)) is not None:
                self._to_make.append(taken)
                self._to_train.append(taken)
            return waiting.popleft() if waiting else None
