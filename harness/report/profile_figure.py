"""The figure across problems: how many of them each strategy solves within so many times the best time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from harness.analysis.profiles import Profile, performance_profiles
from harness.report import drawing
from harness.report.end_labels import label_ends
from harness.report.material import Figure, Material, launches, panel_name
from harness.report.style import Look, Panel, canvas, finished, hint, titled
from harness.report.wording import count, listed, percent, times_in_short

_LEAST_REACH = 1.25  # of the axis, where all are as fast
_ROOM = 1.05  # behind the last step


def profile(given: Material) -> Figure:
    """Only where there are problems to be profiled over, and strategies to be compared."""
    profiles = performance_profiles(given.pool.launches)
    return Figure(
        name="performance-profile",
        title="Across problems",
        caption="Performance profile (Dolan and Moré 2002): the share of problems that a strategy solves within so "
        "many times the time of the best one; higher and further left is better. A problem is a model on a data set "
        "with a target. On each, a strategy has the setting and the number of workers with which it is soonest (the "
        "CSV names them), so whoever tried more of them had more chances; its time is the median over seeds "
        f"({launches(given)}), a missed target is never, a crash is paid for. No interval: these problems are counted, "
        f"they are not a sample of others.{_left_out(profiles)}",
        panels=tuple(_panel(given, each) for each in profiles),
    )


def _left_out(profiles: Sequence[Profile]) -> str:
    """A sentence, with a space before it, on strategies that did not run on every problem."""
    named = [f"{one}{f' in {each.name}' if each.name else ''}" for each in profiles for one in each.left_out]
    return f" Left out, since they did not run on every problem: {listed(named)}." if named else ""


def _panel(given: Material, each: Profile) -> Panel:
    strategies = sorted(each.solved["strategy"].unique())
    factors = each.solved["factor"].to_numpy()
    steps = np.unique([1.0, *factors[np.isfinite(factors)]])
    last = max(float(steps[-1]), _LEAST_REACH) * _ROOM
    over, look_of = f"over {count(each.num_problems, 'problem')}", _looks(given)
    with canvas() as (figure, axes):
        ends = []
        for strategy in strategies:
            look = look_of[strategy]
            shares = [each.share_within(strategy, step) for step in (*steps, last)]
            (line,) = axes.step(
                [*steps, last], shares, where="post", color=look.colour, linestyle=look.dash, linewidth=1.8
            )
            hint(line, f"{strategy}: {_solved_in_words(each, strategy)}")
            ends.append((strategy, look, last, shares[-1]))
        drawing.factor_axis(axes, 1.0, last, "time to target, at most × that of the best strategy")
        axes.set_ylim(0, 1.04)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_ylabel("share of problems")
        titled(figure, f"{each.name}, {over}" if each.name else over)
        label_ends(axes, ends)
        name = (
            panel_name(given, "performance-profile", each.name) if each.name else f"{given.prefix}performance-profile"
        )
        alt = f"Performance profile of the strategies, {each.name or over}"
        return finished(figure, name=name, data=each.solved, alt=alt)


def _solved_in_words(each: Profile, strategy: str) -> str:
    """`33 % within 1×, 100 % within 1.5×`."""
    factors = each.solved.loc[each.solved["strategy"] == strategy, "factor"]
    within = sorted(factor for factor in factors.unique() if math.isfinite(factor))
    said = [f"{percent(each.share_within(strategy, factor), 0)} within {times_in_short(factor)}" for factor in within]
    return ", ".join(said) or "no problem solved"


def _looks(given: Material) -> dict[str, Look]:
    """By what strategies go by on all problems: of the first series that does."""
    named = pd.concat([judged.contest.launches[["variant", "series"]] for judged in given.judged])
    return {
        str(variant): given.looks[str(series)] for variant, series in named.groupby("variant")["series"].min().items()
    }
