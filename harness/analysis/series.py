"""What runs of a pool are called, by which they are told apart and put together:

problem                     model and data set, judged by one metric; a report has one panel for each
series                      one line of a figure: the strategy with its options and with every setting in which its
                            runs differ; TensorFlow's threads and PyTorch's processes are never one series
series_any_hosts            a series whatever its number of hosts: a single worker has one host
series_any_layout           a series whatever its hosts and the compute threads of a worker, which are its layout: the
                            same cores divided differently answer the same question
closest match               of several series, the one that agrees with a given one in most settings of SPLIT_BY
aim                         the problem with its target: times to different targets are not compared
contest                     an aim, a framework, a kind of worker, resources and a way of tuning: who reaches the target
                            soonest is asked within one (contests.py)
seed                        the unit: runs of one series, problem and number of workers repeat each other
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from functools import partial
from typing import Literal, cast

import pandas as pd

from harness.analysis.scores import METRIC_COLUMNS, metric_of, metrics_of, target_in_words
from harness.analysis.tuned import RECIPE, tunings
from harness.plain_text import plain_value
from harness.suite.fields import FIELDS, SPLITTING
from harness.workloads.metric import Metric

# Settings that a series is split by where its runs differ in them. What is not here is the problem, the strategy with
# its options (`label`), the number of workers (an axis), the seed (the unit) or the time limit (no run that is kept
# ran into it).
SPLIT_BY = (*SPLITTING, "worker_kind", "tuning")
RESOURCES = ("device", "threads", "loader_workers", "hosts")  # of a worker, and how many machines they are spread over
# Of a data set of ours (`problem` in suite/cell_facts.py); of a text, its name says which.
_OPTIONS = re.compile(r"^([\w-]+ on (?!text )[\w-]+) \(.*\)(?=$|, \S+ % of labels wrong$)")
UNIT = ["problem", "series", "workers"]  # runs that agree in these repeat each other


def with_series(runs: pd.DataFrame) -> pd.DataFrame:
    """A copy with the columns `problem_in_full`: as runs have it, with the worker that is slowed, and with its code or
    metric where runs of that name have several; `problem`: the same without its data set's options where all runs have
    the same; `problem_any_speed`: the same whoever is slowed, which moves no score; `series`: `label`, and every
    setting in which runs of that label and problem differ; `series_any_hosts`: the same without the hosts;
    `series_any_layout`: without hosts and threads; `tuning`: how its settings came about; `aim`: the problem, with its
    target where it has several; `shown_as`: the series as it is called among the runs of its problem, with framework,
    kind of worker and tuning only where they differ there; and `shown_in_aim`: likewise among those of its aim."""
    without: dict[str, set[str]] = {
        "series": set(),
        "series_any_hosts": {"hosts"},
        "series_any_layout": {"hosts", "threads"},
    }
    problems = runs["problem"]
    short = problems.map(_without_options(problems))
    named = runs.assign(
        problem_in_full=_problems(runs.assign(problem=_with_slowed(problems, runs))),
        problem=_problems(runs.assign(problem=_with_slowed(short, runs))),
        problem_any_speed=_problems(runs.assign(problem=short)),
        tuning=tunings(runs),
        **dict.fromkeys(without, runs["label"]),
    )
    everywhere = [column for column in ("framework", "worker_kind", "tuning") if named[column].nunique() > 1]
    for _, rows in named.groupby(["problem", "label"], sort=False):
        different = {*everywhere, *varied_settings(rows)}
        for name, left_out in without.items():
            named.loc[rows.index, name] = labelled(rows, different - left_out)
    named = named.assign(aim=_aims(named))
    named = named.assign(shown_as=_shown_as(named, "problem"))
    of_several = named[named["aim"] != named["problem"]]
    return named.assign(shown_in_aim=_shown_as(of_several, "aim").reindex(named.index).fillna(named["shown_as"]))


def problems_as_in(part: pd.DataFrame, trials: pd.DataFrame) -> pd.Series[str]:
    """What runs of the part call the problems of these trials (`with_series`)."""
    return _with_slowed(trials["problem"].map(_without_options(part["problem"])), trials)


def aimed(launches: pd.DataFrame) -> pd.DataFrame:
    """Those that look for a target: they have one, and evaluations to see whether it is reached."""
    return launches[launches["target"].notna() & (launches["evaluations"] > 0)]


def closest_match(rows: pd.DataFrame, among: pd.DataFrame) -> pd.DataFrame:
    """Of the series among these, the one that shares most settings with the rows of a unit; `among` is not empty."""
    series = among["series"]
    if series.nunique() > 1:
        ours = rows[list(SPLIT_BY)].iloc[0]
        theirs = among.drop_duplicates("series").set_index("series")[list(SPLIT_BY)].sort_index()
        num_shared = (theirs.eq(ours) | (theirs.isna() & ours.isna())).sum(axis="columns")
        return among[series == num_shared.idxmax()]
    return among


def units(runs: pd.DataFrame) -> Iterator[tuple[tuple[str, str, int], pd.DataFrame]]:
    """(problem, series, workers) and the runs that repeat each other."""
    for key, rows in runs.groupby(UNIT, sort=True):
        problem, series, workers = cast("tuple[str, str, int]", key)
        yield (problem, series, int(workers)), rows


def setting_in_words(column: str, value: object) -> str:
    """Of a setting, as a name has it: ` hosts=2`, ` gpu`, ` no clip_norm`; empty where one that speaks is missing."""
    is_missing = bool(pd.isna(value))  # type: ignore[call-overload]
    if column not in FIELDS or FIELDS[column].speaks_for_itself:
        return "" if is_missing else f" {value}"
    if is_missing:
        return f" no {column}"
    return f" {column}={plain_value(value)}"


def varied_settings(rows: pd.DataFrame) -> set[str]:
    """Those in which runs differ that were tuned together: what tuning alone makes another is said by `tuning`."""
    varying = [column for column in SPLIT_BY if rows[column].nunique(dropna=False) > 1]
    if not varying:
        return set()
    is_tuned = rows["tuning"] != RECIPE
    together = [
        rows["tuning"],
        *(rows[column].astype(object).where(is_tuned, "") for column in ("framework", "workers")),
    ]
    num_values = rows.groupby(together)[varying].nunique(dropna=False).max()
    return {str(column) for column in num_values.index[num_values > 1]}


def _shown_as(named: pd.DataFrame, topic: Literal["problem", "aim"]) -> pd.Series[str]:
    """The series without the framework and the tuning where the topic has one, without the kind of worker where the
    framework has one there."""
    shown = named["label"].copy()
    for (about, framework, _), rows in named.groupby([topic, "framework", "label"], sort=False):
        of_topic = named[named[topic] == about]
        of_label = of_topic[of_topic["label"] == rows["label"].iloc[0]]
        among = {
            "framework": of_topic,
            "tuning": of_topic,
            "worker_kind": of_topic[of_topic["framework"] == framework],
        }
        different = varied_settings(of_label) - {*among}
        different |= {column for column, others in among.items() if others[column].nunique() > 1}
        shown.loc[rows.index] = labelled(rows, different)
    return shown


def labelled(rows: pd.DataFrame, settings: Collection[str]) -> pd.Series[str]:
    """The labels, each followed by its row's values of these settings."""
    return _named_with(rows["label"], rows, [column for column in SPLIT_BY if column in settings])


def _named_with(names: pd.Series[str], rows: pd.DataFrame, columns: list[str]) -> pd.Series[str]:
    """The names, each followed by its row's values of these columns."""
    for column in columns:
        names = names + rows[column].map(lambda value, column=column: setting_in_words(column, value)).astype("str")
    return names


def _of_code(digest: object) -> str:
    return f" [code {str(digest)[:8]}]"


def _without_options(problems: pd.Series[str]) -> dict[str, str]:
    """`mf on synthetic-ratings` of `mf on synthetic-ratings (640 of 9×9, ...)`, unless sizes differ."""
    short = {problem: _OPTIONS.sub(r"\1", problem) for problem in problems.unique()}
    times = Counter(short.values())
    return {problem: name if times[name] == 1 else problem for problem, name in short.items()}


def _with_slowed(problems: pd.Series[str], runs: pd.DataFrame) -> pd.Series[str]:
    """With one worker slower it is another contest: who waits for nobody is asked there alone."""
    return problems.where(runs["slowed"].isna(), problems + ", " + runs["slowed"].astype(str))


def _problems(runs: pd.DataFrame) -> pd.Series[str]:
    """With its code or its metric where runs of one name have several: a workload changed in between."""
    problems = runs["problem"].copy()
    for _, rows in runs.groupby("problem", sort=False):
        if rows["workload_code"].nunique() > 1:
            problems.loc[rows.index] = rows["problem"] + rows["workload_code"].map(_of_code)
    for _, rows in runs.assign(problem=problems).groupby("problem", sort=False):
        num_metrics = len(metrics_of(rows))
        if num_metrics > 1:
            # As few columns as tell them apart: nearly always the metric's name alone.
            leading = (list(METRIC_COLUMNS[:length]) for length in range(1, len(METRIC_COLUMNS) + 1))
            telling = next(columns for columns in leading if len(rows[columns].drop_duplicates()) == num_metrics)
            problems.loc[rows.index] = _named_with(rows["problem"] + " by", rows, telling)
    return problems


def _aims(named: pd.DataFrame) -> pd.Series[str]:
    """The problem, with the target where its runs have several."""
    aims = named["problem"].copy()
    for _, rows in named.groupby("problem", sort=False):
        if rows["target"].nunique(dropna=False) > 1:
            aims.loc[rows.index] = rows["problem"] + rows["target"].map(partial(_to_target, metric_of(rows)))
    return aims


def _to_target(metric: Metric, target: float) -> str:
    return " without target" if pd.isna(target) else f" to {target_in_words(metric, target)}"
