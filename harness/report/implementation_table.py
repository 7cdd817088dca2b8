"""What stepping by the libraries' own wrappers costs, apart from what the strategies do and wait for."""

from __future__ import annotations

import math

from harness.analysis.comparable import Pool
from harness.analysis.implementation import Implementation, implementations
from harness.analysis.targets import Ratio
from harness.report.table_cells import Table, TableCell, interval_cell, intervals_of, text, value
from harness.report.wording import count, times


def implementation_table(pool: Pool, prefix: str) -> Table:
    """A row each native series whose flat like ran."""
    rows = tuple(
        {
            "problem": text(found.problem),
            "strategy": text(pool.names[found.problem, found.series]),
            "read off with workers": value(found.workers, str(found.workers)),
            "implementation (ms a step)": value(found.extra_s * 1e3),
            "a step without waiting, ×": _ratio(found.compute),
            "its CPU time, ×": _ratio(found.cpu),
            "against": text(pool.names[found.problem, found.baseline]),
        }
        for found in pool.of_runs(implementations)
    )
    return Table(
        name=f"{prefix}implementation",
        title="Implementation: what stepping by the libraries' wrappers costs",
        caption="Horovod's optimizer and the frameworks' own data parallelism step through an optimizer a parameter, "
        "all other strategies through one flat vector. What a step of theirs takes more than one of the flat strategy "
        "that computes the same is the wrapper's and, in TensorFlow on a CPU, from way of measuring 4 on, that of "
        "handing each graph to another thread (most of it where steps are short), where the others' caller runs it: "
        "neither the algorithm's nor communication. With one worker nothing is sent; with more, waiting is taken off, "
        "and what Horovod's thread takes of the same core is not. In "
        f"brackets the {intervals_of(rows)} over seeds. Where a wrapper does not tell its waiting, only CPU time is "
        "known, that of communication included; strategies with an option set have no row.",
        rows=rows,
    )


def implementation_sentence(row: Implementation, names: dict[str, str]) -> str:
    """What a contest's answer says of it. names: what the contest calls its series."""
    who = f"with {count(row.workers, 'worker')}, a step of {names[row.series]}"
    if math.isnan(row.extra_s):
        return (
            f"Implementation: {who} takes {times(row.cpu)} the CPU time of one of {names[row.baseline]}, that of "
            "communication included: the wrapper does not tell its waits."
        )
    said = f"Implementation: {who}, its waits taken off, takes {times(row.compute)} that of {names[row.baseline]}"
    interval = row.compute.interval
    if interval is None or not interval.is_known:
        return f"{said}; nothing is claimed."
    if not interval.excludes(1.0):
        return f"{said}: no difference is shown."
    return f"{said}: that is how the library steps, not communication."


def _ratio(ratio: Ratio) -> TableCell:
    return interval_cell(ratio.interval)
