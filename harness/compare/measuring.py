"""The short launches that come first: one for each framework and number of workers, under the strategy that waits most.

They are real cells of few steps, kept apart from the results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.compare.planning import Pace, PaceKey
from harness.compare.request import CompareError
from harness.plain_text import one_line
from harness.protocols import EvaluatedModel, Plan
from harness.records.derived import average_alone_s, samples_per_s, steady_of
from harness.records.record import Record
from harness.suite.cell import Cell
from harness.worker.plan import drift_steps, evaluation_steps, most_merges, plan_of

MEASURED_STEPS = 50  # of each worker
SHARE_OF_MINUTES = 0.25  # that a measuring launch may train: more would leave no room for what is planned by it


def measuring_cells(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """One for each framework and number of workers among the cells."""
    alike: dict[PaceKey, list[Cell]] = {}
    for cell in sorted(cells, key=_pace_key):
        alike.setdefault(_pace_key(cell), []).append(cell)
    return tuple(_shortened(max(members, key=_waiting)) for members in alike.values())


def paces_of(cells: Sequence[Cell], records: Sequence[Record]) -> dict[PaceKey, Pace]:
    """Of the measuring cells. Raises CompareError where one of them has not ended well."""
    return {_pace_key(cell): _pace(cell, _newest(cell, records)) for cell in cells}


def launch_times_s(cells: Sequence[Cell], paces: Mapping[PaceKey, Pace]) -> dict[PaceKey, float]:
    """What the slowest of the cells to be compared takes."""
    longest_s: dict[PaceKey, float] = {}
    for cell in cells:
        key = _pace_key(cell)
        longest_s[key] = max(_launch_s(cell, paces[key]), longest_s.get(key, 0.0))
    return longest_s


def _launch_s(cell: Cell, pace: Pace) -> float:
    """As many evaluations as there will be, of a large model fewer than the cell asks for."""
    plan = plan_of(cell, cell.num_samples)
    return pace.launch_s(
        num_samples=cell.num_epochs * cell.num_samples,
        num_evaluations=len(evaluation_steps(cell, plan, num_weights=pace.num_weights)),
        num_means=_num_means(cell, plan, num_weights=pace.num_weights),
    )


def _num_means(cell: Cell, plan: Plan, *, num_weights: int) -> int:
    """After training, at most: one for each evaluation and each drawn step, two for each watched merge."""
    if cell.evaluated_model != EvaluatedModel.MEAN_OF_WORKERS:
        return 0
    num_evaluations = len(evaluation_steps(cell, plan, num_weights=num_weights))
    num_merges = min(num_evaluations, most_merges(num_weights))
    return num_evaluations + len(drift_steps(cell, plan, num_weights=num_weights)) + 2 * num_merges


def _pace_key(cell: Cell) -> PaceKey:
    return cell.framework, cell.workers


def _waiting(cell: Cell) -> tuple[bool, bool]:
    """Starting by horovodrun takes longest; after that waits most who holds the same model everywhere at every step."""
    return cell.needs.uses_horovod, cell.evaluated_model == EvaluatedModel.REPLICATED


def _shortened(cell: Cell) -> Cell:
    enough = MEASURED_STEPS * cell.workers * cell.batch_per_worker
    amount = cell.amount_of(enough) if enough < cell.num_epochs * cell.num_samples else {}
    return cell.model_copy(update={**amount, "evaluations": 1})


def _newest(cell: Cell, records: Sequence[Record]) -> Record:
    """Of the cell's launches the last, which has to have ended well."""
    mine = [record for record in records if record.key == cell.key]
    if not mine:
        raise CompareError(
            f"measuring {cell.title}: another hvdbench is at it; the same command goes on once it is done"
        )
    last = mine[-1]
    if last.status == "timeout":
        raise CompareError(
            f"measuring {cell.title}: {MEASURED_STEPS} steps took over {SHARE_OF_MINUTES:.0%} of the minutes; "
            "allowed: more --minutes"
        )
    if last.status != "ok":
        raise CompareError(
            f"measuring {cell.title}: {one_line(last.reason or last.status)}; nothing is planned before that is mended"
        )
    return last


def _pace(cell: Cell, record: Record) -> Pace:
    assert record.num_parameters is not None, "a launch that ended well tells the size of its model"
    train_s = max(part.train_s for part in record.workers)
    evaluation_s = sum(point.evaluation_s for point in record.curve)
    mean_s = average_alone_s(record.workers)
    num_means = _num_means(cell, plan_of(cell, cell.num_samples), num_weights=record.num_parameters)
    return Pace(
        startup_s=record.wall_s - train_s - evaluation_s - num_means * mean_s,
        samples_per_s=samples_per_s(record, steady_of(record)),
        evaluation_s=evaluation_s / max(1, len(record.curve)),
        mean_s=mean_s,
        num_weights=record.num_parameters,
    )
