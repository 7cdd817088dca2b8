"""Do PyTorch and TensorFlow train the same thing? What `hvdbench parity` found, as a sentence and a table."""

from __future__ import annotations

import math
import shlex
from collections import defaultdict
from collections.abc import Sequence

from harness.records.parity_record import Difference, ParityRecord, verdict
from harness.report.table_cells import Table, TableCell, text, value
from harness.report.wording import count, listed


def frameworks_sentence(records: Sequence[ParityRecord], results: str) -> str:
    """The answer; where nothing was measured, the command that does it, for the results folder of this name."""
    if not records:
        command = f"hvdbench parity --results {shlex.quote(f'results/{results}')}"
        return f"Parity of PyTorch and TensorFlow was not measured for these results: {command} does it."
    missed = [record.problem for record in records if not record.holds]
    held = f"in {len(records) - len(missed)} of {count(len(records), 'comparison')}"
    if missed:
        return f"PyTorch and TensorFlow DIFFER for {listed(missed)}: parity holds {held}."
    return f"PyTorch and TensorFlow train the same thing: parity holds {held}."


def frameworks_table(records: Sequence[ParityRecord]) -> Table:
    """A row a workload, data set, optimizer and strategy, each difference beside its bar."""
    return Table(
        name="frameworks",
        title="Parity: do PyTorch and TensorFlow train the same thing?",
        caption="From the same weights, on the same batches; differences are relative to PyTorch's values, each beside "
        "its bar. The score is the initial weights' on the held-out set. Of the gradients on the first batch that of "
        "the parameter which differs most; of the losses the largest difference over the optimizer's steps. "
        "Of two workers by Horovod's own optimizer (allreduce), losses and score are the held-out ones of their model. "
        f"{_circumstances(records)}",
        rows=tuple(
            {
                "workload": text(record.workload),
                "data": text(record.dataset),
                "optimizer": text(record.optimizer),
                "strategy": text(record.strategy),
                "score": text("") if record.score is None else _against_bar(record.score),
                "first loss": _against_bar(record.first_loss),
                "worst gradient": text("") if record.worst_gradient is None else _against_bar(record.worst_gradient),
                "of": text("" if record.worst_gradient is None else record.worst_gradient.of),
                "losses": _against_bar(record.losses),
                "steps": value(record.num_steps, str(record.num_steps)),
                "parity": text(verdict(record.holds)),
            }
            for record in records
        ),
    )


def _against_bar(difference: Difference) -> TableCell:
    known = math.isfinite(difference.relative)
    return TableCell(text=difference.in_words(), sort_by=difference.relative if known else "", is_number=True)


def _circumstances(records: Sequence[ParityRecord]) -> str:
    """Where, with what and when: a sentence for each machine and set of versions."""
    moments = defaultdict(list)
    for record in records:
        versions = ", ".join(f"{name}={number}" for name, number in sorted(record.versions.items()))
        commit = record.revision or "unknown"
        machine = f"{record.machine.cpu}, {count(record.machine.num_cores, 'core')}"
        where = f"{machine}; {versions}; harness commit {commit}"
        moments[where].append(record.measured_at)
    return " ".join(
        f"Measured on {where}; {min(when):%F %H:%M} to {max(when):%F %H:%M} UTC." for where, when in moments.items()
    )
