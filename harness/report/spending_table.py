"""What reaching the target costs, in one table: cores, time with start-up, CPU time, bytes and memory."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from harness.analysis.comparable import Pool
from harness.analysis.intervals import Interval
from harness.analysis.series import units
from harness.analysis.spending import Spending, spendings
from harness.report.table_cells import Row, Table, TableCell, interval_cell, intervals_of, text, value
from harness.report.tables import PEAK_RSS, mean_of
from harness.report.wording import at_least

CORE_S, GPU_S, WALL_S = "core-seconds to the target", "GPU-seconds to the target", "wall time to it, with start-up (s)"
CPU_S, SENT = "CPU time to it (s)", "sent by all until then (MB)"


def spending_table(pool: Pool, prefix: str) -> Table:
    """One row for each problem, series and number of workers that has a target and did not always crash."""
    runs = dict(units(pool.runs))
    spent = pool.once(spendings)
    has_gpus = any(each.gpu_s for each in spent)
    rows = tuple(_row(pool, each, runs, has_gpus=has_gpus) for each in spent)
    return Table(
        name=f"{prefix}spending",
        title="What reaching the target costs",
        caption=f"Geometric means with their {intervals_of(rows)} over seeds; start-up, bytes and memory are means. "
        "Core-seconds are the cores asked for times the training time, busy or not: times what a core costs a second, "
        "they are what to pay. CPU time is what workers and servers used of any core. A crash is paid for by another "
        "launch, and in wall time by as long as it lasted. ≥: some launch was given up before the target, or most "
        "crashed; what goes by the steps to it is not known then, core-seconds leave crashes out, and where most "
        "crashed, wall time does, too.",
        rows=rows,
    )


def _row(pool: Pool, spent: Spending, runs: dict[tuple[str, str, int], pd.DataFrame], *, has_gpus: bool) -> Row:
    row = spent.reaching
    finished = runs.get((row.problem, row.series, row.workers), pool.runs.head(0))
    gpu = {GPU_S: _bounded(spent, spent.gpu_s)} if has_gpus else {}
    return {
        "problem": text(row.problem),
        "strategy": text(pool.names[row.problem, row.series]),
        "workers": value(row.workers, str(row.workers)),
        "cores": value(spent.cores, str(spent.cores)),
        CORE_S: _bounded(spent, spent.core_s),
        **gpu,
        CPU_S: interval_cell(spent.cpu_s),
        WALL_S: _bounded(spent, spent.wall_s),
        "of it start-up (s)": value(mean_of(finished, "startup_s")),
        SENT: value(spent.sent_bytes / 1e6),
        PEAK_RSS: value(mean_of(finished, "peak_rss_bytes") / 2**20),
    }


def _bounded(spent: Spending, amount: Interval | None) -> TableCell:
    """Sorted by what is known, so that bounds stand among amounts."""
    if amount is None or not spent.is_lower_bound:
        return interval_cell(amount)
    return replace(value(amount.estimate, at_least(amount)), method=amount.method)
