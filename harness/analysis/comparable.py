"""What may be compared with what. Nothing is pooled across these lines:

machine, measuring,         runs are split into pools, each reported by itself; runs without Horovod stand in the pool
versions, settings          of each of its settings
problem                     model and data set, judged by one metric; a report has one panel for each
series                      one line of a figure: the strategy with its options and with every setting in which its
                            runs differ; TensorFlow's threads and PyTorch's processes are never one series
series_any_hosts            a series whatever its number of hosts: a single worker has one host
series_any_layout           a series whatever its hosts and the compute threads of a worker, which are its layout: the
                            same cores divided differently answer the same question
competitor                  a series within its contest: without framework, kind of worker, RESOURCES and tuning, which
                            all share there
closest match               of several series, the one that agrees with a given one in most settings of SPLIT_BY
aim                         the problem with its target: times to different targets are not compared
contest                     an aim, a framework, a kind of worker, resources and a way of tuning: who reaches the target
                            soonest is asked within one (contests.py)
seed                        the unit: runs of one series, problem and number of workers repeat each other

A launch that failed or ran into its time limit has no speed, but it counts where success does: a strategy that breaks
in six of nine launches did not reach the target in nine, and one that was launched again until it ran did not reach it
whenever it ran. Where it failed for what its machine lacked (a full disk), and was made up for, it counts nowhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar, cast

import pandas as pd

from harness.analysis.attempts import tell_of_their_cells
from harness.analysis.pool_cautions import cautions_of
from harness.analysis.scores import METRIC_COLUMNS, metric_of, metrics_of, target_in_words
from harness.analysis.tuned import RECIPE, are_trials, tunings, without_outdated
from harness.plain_text import counted
from harness.suite.fields import FIELDS, SPLITTING
from harness.workloads.metric import Metric

# Settings that a series is split by where its runs differ in them. What is not here is the problem, the strategy with
# its options (`label`), the number of workers (an axis), the seed (the unit) or the time limit (no run that is kept
# ran into it).
SPLIT_BY = (*SPLITTING, "worker_kind", "tuning")
RESOURCES = ("device", "threads", "loader_workers", "hosts")  # of a worker, and how many machines they are spread over
_POOL = {  # column: what keeps pools apart that differ in it
    "fingerprint": "different machines",
    "measuring": "measured in different ways, see results/README.md",
    "versions": "different versions of the software",
    "process_settings": "different settings of the environment",
    "horovod_settings": "different settings of Horovod's launches",
}
_IN_NAMES = {"measuring": "way of measuring "}  # before values that do not speak for themselves
_NO_SETTINGS = "none of them set"
# Of a data set of ours (`problem` in suite/cell_facts.py); of a text, its name says which.
_OPTIONS = re.compile(r"^([\w-]+ on (?!text )[\w-]+) \(.*\)(?=$|, \S+ % of labels wrong$)")
UNIT = ["problem", "series", "workers"]  # runs that agree in these repeat each other
_Found = TypeVar("_Found")
_Asked = TypeVar("_Asked")


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Launches whose timings may be compared, with a column `series`."""

    name: str
    launches: pd.DataFrame  # all of them: a failure counts though its cell and seed ran well another time
    runs: pd.DataFrame  # those that ended well
    failed: pd.DataFrame  # all others
    trials: pd.DataFrame  # of tuning, on its problems: never judged with them
    cautions: tuple[str, ...]
    num_pools: int  # that are reported together: what is claimed of them shares one error
    _found: dict[object, Any] = field(default_factory=dict, init=False, repr=False)

    def of_launches(self, find: Callable[[pd.DataFrame], _Found]) -> _Found:
        """What is found of all launches, looked for once: many parts of a page ask the same."""
        return self._once(find, self.launches)

    def of_runs(self, find: Callable[[pd.DataFrame], _Found]) -> _Found:
        """Likewise of those that ended well."""
        return self._once(find, self.runs)

    def once(self, find: Callable[[Pool], _Found]) -> _Found:
        """Likewise of the pool, where that takes what was found of its launches."""
        return self._once(find, self)

    def _once(self, find: Callable[[_Asked], _Found], asked: _Asked) -> _Found:
        if find not in self._found:
            self._found[find] = find(asked)
        found: _Found = self._found[find]
        return found

    @cached_property
    def names(self) -> dict[tuple[str, str], str]:
        """By problem and series, what a reader sees: framework and kind of worker only where they differ there."""
        named = self.launches[["problem", "series", "shown_as"]].drop_duplicates()
        return dict(zip(zip(named["problem"], named["series"], strict=True), named["shown_as"], strict=True))


def pools(runs: pd.DataFrame) -> list[Pool]:
    """The comparable parts of a frame of runs, the largest first. Trials of tuning are no part of what is compared."""
    trials, runs = runs[are_trials(runs)], runs[~are_trials(runs)]
    runs, outdated = without_outdated(runs, trials)
    alike = [column for column in _POOL if column != "horovod_settings"]
    groups = (rows for _, rows in runs.groupby(alike, sort=False, dropna=False))
    parts = [part for rows in groups for part in _by_horovod_settings(rows)]
    parts.sort(key=len, reverse=True)
    return [_pool(part, trials, outdated, parts) for part in parts]


def _by_horovod_settings(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Runs that Horovod's settings do not reach are compared with those of each."""
    reached = rows["controller"].notna()
    different = rows.loc[reached, "horovod_settings"].unique()
    for settings in different:
        yield rows[~reached | (rows["horovod_settings"] == settings)]
    if not len(different):
        yield rows


def why_split(runs: pd.DataFrame) -> str | None:
    """One sentence on what keeps the pools of these runs apart; None where there is one."""
    found = {column: _values(runs, column) for column in _POOL}
    different = [f"{_POOL[column]} ({', '.join(values)})" for column, values in found.items() if len(values) > 1]
    return f"Reported apart, since their timings do not compare: {'; '.join(different)}." if different else None


def what_keeps_apart(now: pd.DataFrame, before: pd.DataFrame) -> list[str]:
    """Why the timings of these two pools do not compare, with the values of both; empty where they do."""
    found = {column: (_values(before, column), _values(now, column)) for column in _POOL}
    return [
        f"{_POOL[column]} ({', '.join(old)} before, {', '.join(new)} now)"
        for column, (old, new) in found.items()
        if old and new and old != new  # empty where Horovod's settings reach none of the runs
    ]


def _values(runs: pd.DataFrame, column: str) -> list[str]:
    """Those that tell pools apart, in words."""
    rows = runs[runs["controller"].notna()] if column == "horovod_settings" else runs
    return sorted(_NO_SETTINGS if value == "" else str(value) for value in rows[column].unique())


def with_series(runs: pd.DataFrame) -> pd.DataFrame:
    """A copy with the columns `problem_in_full`: as runs have it, with the worker that is slowed; `problem`: the same
    without its data set's options where all runs have the same, with its code or metric where runs of that name have
    several; `problem_any_speed`: the same whoever is slowed, which moves no score; `series`: `label`, and every setting
    in which runs of that label and problem differ; `series_any_hosts`: the same without the hosts; `series_any_layout`:
    without hosts and threads; `competitor`: without framework, kind of worker, resources and tuning; `tuning`: how its
    settings came about; `shown_as`: the series as it is called among the runs of its problem, with framework, kind of
    worker and tuning only where they differ there; and `aim`: the problem, with its target where it has several."""
    without: dict[str, set[str]] = {
        "series": set(),
        "series_any_hosts": {"hosts"},
        "series_any_layout": {"hosts", "threads"},
        "competitor": {"framework", "worker_kind", "tuning", *RESOURCES},
    }
    problems = runs["problem"]
    short = problems.map(_without_options(problems))
    named = runs.assign(
        problem_in_full=_with_slowed(problems, runs),
        problem=_problems(runs.assign(problem=_with_slowed(short, runs))),
        problem_any_speed=_problems(runs.assign(problem=short)),
        tuning=tunings(runs),
        **dict.fromkeys(without, runs["label"]),
    )
    everywhere = [column for column in ("framework", "worker_kind", "tuning") if named[column].nunique() > 1]
    for _, rows in named.groupby(["problem", "label"], sort=False):
        differing = {*everywhere, *_differing(rows)}
        different = [column for column in SPLIT_BY if column in differing]
        for name, left_out in without.items():
            kept = [column for column in different if column not in left_out]
            named.loc[rows.index, name] = _named_with(rows["label"], rows, kept)
    return named.assign(aim=_aims(named), shown_as=_shown_as(named))


def _differing(rows: pd.DataFrame) -> set[str]:
    """Settings in which runs differ that were tuned together: what tuning alone makes another is said by `tuning`."""
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


def _shown_as(named: pd.DataFrame) -> pd.Series[str]:
    """The series without the framework and the tuning where the problem has one, without the kind of worker where the
    framework has one there."""
    shown = named["label"].copy()
    for (problem, framework, _), rows in named.groupby(["problem", "framework", "label"], sort=False):
        of_problem = named[named["problem"] == problem]
        of_label = of_problem[of_problem["label"] == rows["label"].iloc[0]]
        among = {
            "framework": of_problem,
            "tuning": of_problem,
            "worker_kind": of_problem[of_problem["framework"] == framework],
        }
        different = _differing(of_label) - {*among}
        different |= {column for column, others in among.items() if others[column].nunique() > 1}
        told = [column for column in SPLIT_BY if column in different]
        shown.loc[rows.index] = _named_with(rows["label"], rows, told)
    return shown


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


def setting_in_words(column: str, value: object) -> str:
    """Of a setting, as a name has it: ` hosts=2`, ` gpu`; empty where it is missing."""
    if column not in FIELDS or FIELDS[column].speaks_for_itself:
        return "" if pd.isna(value) else f" {value}"  # type: ignore[call-overload]
    return f" {column}={value:g}" if isinstance(value, float) else f" {column}={value}"


def _pool(part: pd.DataFrame, trials: pd.DataFrame, outdated: pd.DataFrame, parts: list[pd.DataFrame]) -> Pool:
    told, by_machine = _without_made_up_for(part)
    named = _quick_to_slice(with_series(told))
    is_ok = named["status"] == "ok"
    num_outdated = int(outdated["problem"].isin(part["problem"]).sum())
    return Pool(
        name=_name(part, parts),
        launches=named.reset_index(drop=True),
        runs=named[is_ok].reset_index(drop=True),
        failed=named[~is_ok].reset_index(drop=True),
        trials=_trials_on(part, trials),
        cautions=(*by_machine, *cautions_of(named[is_ok], num_outdated)),
        num_pools=len(parts),
    )


def _without_made_up_for(part: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Without launches that failed for what their machine lacked, where another tells of the same cell and seed; and
    what is to be said of all such: no crash of a strategy, though those that stay are counted as one."""
    tells = tell_of_their_cells(part)
    is_made_up_for = ~tells & part["key"].isin(part.loc[tells, "key"])
    said = [
        f"{counted(int(which.sum()), 'launch', 'launches')} failed for what the machine lacked "
        f"({part.loc[which, 'reason'].iloc[0]}): {what}."
        for which, what in (
            (is_made_up_for, "left out, being made up for by others"),
            (~tells & ~is_made_up_for, "counted as crashes until the same command makes up for them"),
        )
        if which.any()
    ]
    return part[~is_made_up_for], said


def _quick_to_slice(runs: pd.DataFrame) -> pd.DataFrame:
    """The same in a few blocks. A page takes rows hundreds of times, and of texts that are no objects each column is
    taken by itself."""
    texts: list[str] = list(runs.select_dtypes("str"))
    return runs.astype(dict.fromkeys(texts, object)).copy()


def _trials_on(part: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Those on problems of the part, which are called as its runs call them (`with_series`)."""
    ours = trials[trials["problem"].isin(part["problem"])].reset_index(drop=True)
    return ours.assign(problem=_with_slowed(ours["problem"].map(_without_options(part["problem"])), ours))


def _name(part: pd.DataFrame, parts: list[pd.DataFrame]) -> str:
    first = part.iloc[0]
    gpus = f", {first['gpus']}" if first["gpus"] else ""
    name = f"{first['cpu']}, {counted(first['num_cores'], 'core')}{gpus}"
    same = pd.concat([other for other in parts if other["cpu"].iloc[0] == first["cpu"]])
    telling = [column for column in _POOL if len(_values(same, column)) > 1]
    said = [f"{_IN_NAMES.get(column, '')}{value}" for column in telling for value in _values(part, column)]
    return f"{name} [{', '.join(said)}]" if said else name
