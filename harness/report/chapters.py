"""The chapters of the page's part about one pool, in their order: which figures and tables stand in each.

Whoever adds a figure or a table adds its function to a line here. Text that is neither is a template in parts/.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from harness.analysis.comparable import Pool
from harness.report.costs import consensus, gpu_memory, memory, merges, staleness, where_time_goes
from harness.report.implementation_table import implementation_table
from harness.report.leaderboard import leaderboard
from harness.report.material import Figure, Material
from harness.report.outcomes import speed_ups, time_to_target
from harness.report.profile_figure import profile
from harness.report.reached_share import reached_shares
from harness.report.scaling import scaling, throughput
from harness.report.score_figures import score_over, time_against_score
from harness.report.score_tables import quality_table
from harness.report.settings_table import settings_table
from harness.report.spending_figures import core_seconds, wall_time
from harness.report.spending_table import spending_table
from harness.report.stale_updates import stale_updates
from harness.report.table_cells import Table
from harness.report.tables import details_table, summary_table
from harness.report.tuning_chapter import score_over_rate, tuning_table
from harness.report.why import why


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """What stands in one chapter; it is left out where all of that is empty."""

    name: str  # of its anchor
    title: str
    figures: tuple[Callable[[Material], Figure], ...] = ()
    tables: tuple[Callable[[Pool, str], Table], ...] = ()
    part: str | None = None  # a template
    has_part: Callable[[Pool], bool] = lambda pool: True  # whether there is something in it


FIRST_SCREEN = Chapter(name="leaderboard", title="Leaderboard", figures=(leaderboard,))  # drawn by a part of its own
CHAPTERS = (
    Chapter(name="answer", title="The answer in detail", figures=(speed_ups, time_to_target, reached_shares, profile)),
    Chapter(name="why", title="Why: how fast a sample is, and how many it takes", figures=(why,)),
    Chapter(
        name="time",
        title="Where the time goes",
        figures=(where_time_goes,),
        tables=(details_table, implementation_table),
    ),
    Chapter(name="scaling", title="Scaling", figures=(throughput, scaling)),
    Chapter(
        name="learning",
        title="What is learned",
        figures=(
            partial(score_over, x="time_s", unit="training time (s)", over="time"),
            partial(score_over, x="num_samples", unit="samples trained on, all workers", over="samples"),
            time_against_score,
        ),
        tables=(quality_table,),
    ),
    Chapter(name="staleness", title="Staleness and drift", figures=(staleness, stale_updates, merges, consensus)),
    Chapter(name="memory", title="Memory", figures=(memory, gpu_memory)),
    Chapter(
        name="cost",
        title="Cost: cores, time with start-up, bytes",
        figures=(core_seconds, wall_time),
        tables=(spending_table,),
    ),
    Chapter(
        name="failures",
        title="What did not finish",
        part="parts/failures.html",
        has_part=lambda pool: len(pool.failed) > 0,
    ),
    Chapter(name="tuning", title="Tuning", figures=(score_over_rate,), tables=(tuning_table,)),
    Chapter(name="all-settings", title="Settings", tables=(settings_table,)),
    Chapter(name="numbers", title="All numbers", tables=(summary_table,)),
    Chapter(name="about", title="Where and with what", part="parts/about.html"),
)
