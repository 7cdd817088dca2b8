"""What spoils the timings of a pool's launches, or makes something else of them than they seem, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from harness.analysis.series import units
from harness.plain_text import counted, lasting
from harness.protocols import LONGEST_REST_SHARE, EvaluatedModel
from harness.records.interruptions import MATTERS_FROM

INTERRUPTED = {  # by what kept runs from running, by column
    "stopped_s": "were stopped, or their machine was asleep,",
    "throttled_s": "were held back by a CPU quota",
    "stolen_s": "lost their cores to the host of a virtual machine",
}
_MOST_NAMED = 4  # commits, or series
_MUCH_MORE = 0.05  # samples, by which some train more than others
_MUCH_OF_OTHERS = 0.1  # of the machine's cores; launching and looking on takes one or two hundredths of two cores


def cautions_of(runs: pd.DataFrame, num_outdated: int) -> Iterator[str]:
    """runs: that ended well, with `series`. num_outdated: left out, being of points that are no longer the best."""
    if num_outdated:
        left_out = counted(num_outdated, "launch", "launches")
        yield f"{left_out} left out, of points that are no longer the best of the trials."
    revisions = sorted(runs["revision"].dropna().unique())
    if len(revisions) > 1:
        yield (
            f"Launches of {len(revisions)} commits of the harness are compared, and what changed in between may be "
            f"part of a difference: {_some(revisions)}."
        )
    yield from _beside_others(runs)
    mixed = runs[runs["machine_kinds"] > 1]
    if len(mixed):
        yield (
            f"{len(mixed)} of {len(runs)} launches trained on unlike machines at once ({mixed['cpu'].iloc[0]}): "
            "the slowest sets the pace of workers that keep step."
        )
    lost = runs[runs["num_lost"] > 0]
    if len(lost):
        yield (
            f"{', '.join(sorted(lost['series'].unique()))}: {len(lost)} of {len(runs)} launches went on without "
            f"workers that died, up to {lost['num_lost'].max():.0f} of them: their figures are those of the workers "
            "left."
        )
    over = runs[runs["cores"] > runs["num_cores"] * runs["hosts"]]
    if len(over):
        asked = "threads, loader processes and servers"
        yield f"{counted(len(over), 'launch', 'launches')} asked for more {asked} than the machine has cores."
    for name, codes in runs.groupby("workload")["workload_code"]:
        if codes.nunique() > 1:
            yield (
                f"{name} has changed between launches: those of each version of its code are compared among themselves."
            )
    yield from _unequal_amounts(runs)
    yield from _silent(runs)
    yield from _fallen_silent(runs)
    yield from _interrupted(runs)
    unsettled = runs[~runs["is_steady"]]
    if len(unsettled):
        yield (
            f"{len(unsettled)} of {len(runs)} launches did not settle in their first half; their throughput still "
            "moved."
        )


def _beside_others(runs: pd.DataFrame) -> Iterator[str]:
    """By the CPU time of others, where records tell it: helping threads of a launch alone make a load average."""
    beside = runs[runs["others_share"] > _MUCH_OF_OTHERS]
    if len(beside):
        most = beside["others_share"].max()
        yield (
            f"{len(beside)} of {len(runs)} launches trained beside other processes, which used up to "
            f"{100 * most:.0f} % of the machine's cores."
        )
    busy = runs[runs["others_share"].isna() & (runs["load_1min"] > runs["num_cores"] * 1.5)]
    if len(busy):
        yield (
            f"{len(busy)} of {len(runs)} launches ended with a load average above 1.5 times the cores: "
            "something else may have been running."
        )


def _interrupted(runs: pd.DataFrame) -> Iterator[str]:
    for column, what in INTERRUPTED.items():
        lost = runs[runs[column] > MATTERS_FROM * runs["train_s"]]
        if len(lost):
            most = lasting(lost[column].max())
            yield f"{len(lost)} of {len(runs)} launches {what} while they trained, for up to {most}."


def _unequal_amounts(runs: pd.DataFrame) -> Iterator[str]:
    """Whose models trained more than others that they are compared with, such as by whole steps that are large.

    What workers that died had trained is not known.
    """
    judged = runs[runs["observed_s"].notna() & (runs["num_lost"] == 0) & (runs["trained_samples"] > 0)]
    for problem, rows in judged.groupby("problem", sort=True):
        amounts = {
            f"{series} ×{workers}": float(part["trained_samples"].median())
            for (_, series, workers), part in units(rows)
        }
        least, most = min(amounts.values()), max(amounts.values())
        edge = (1 + _MUCH_MORE) * least
        if most > edge:
            less, more = ([name for name in amounts if (amounts[name] > edge) == is_more] for is_more in (False, True))
            yield (
                f"{problem}: {_some(less)} trained on {least:,.0f} samples, {_some(more)} on up to {most:,.0f}, "
                f"{100 * (most / least - 1):.0f} % more: their scores are of unequal training. Where whole steps make "
                "it so, a smaller batch_size or more epochs helps."
            )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _silent(runs: pd.DataFrame) -> Iterator[str]:
    for evaluated, due, what_follows in (
        (
            EvaluatedModel.MEAN_OF_WORKERS,
            "average",
            "their workers, or groups of them, train apart, and only the evaluated mean joins them",
        ),
        (EvaluatedModel.REPLICATED, "average", "their weights are never updated"),
        (EvaluatedModel.SHARED, "exchange", "the shared model hears of nothing while they train"),
    ):
        silent = runs[runs["never_exchanged"] & (runs["evaluated_model"] == evaluated)]
        if len(silent):
            yield (
                f"{', '.join(sorted(silent['series'].unique()))}: never communicates in {len(silent)} of {len(runs)} "
                f"launches, whose training ends before an {due} is due; {what_follows}."
            )


def _fallen_silent(runs: pd.DataFrame) -> Iterator[str]:
    """Whose averages get rarer, such as post-local-sgd's, where none is due any more."""
    falls_silent = runs["silent_end_share"].between(LONGEST_REST_SHARE, 1, inclusive="neither") & (runs["workers"] > 1)
    silent = runs[falls_silent & (runs["evaluated_model"] == EvaluatedModel.MEAN_OF_WORKERS)]
    if len(silent):
        most = min(silent["silent_end_share"].max(), 0.99)  # rounded to 100 %, it would never have communicated
        yield (
            f"{', '.join(sorted(silent['series'].unique()))}: communicates no more in the last "
            f"{100 * most:.0f} % of training, in {len(silent)} of {len(runs)} launches, "
            "since no average is due there; their workers train apart, and only the evaluated mean joins them."
        )
