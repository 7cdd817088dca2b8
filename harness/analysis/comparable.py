"""What may be compared with what: runs are split into pools, each reported by itself.

Nothing is pooled across machines, ways of measuring, series of Python, versions and settings. Runs that some of it
does not reach stand in the pool of each: those on CPUs in that of each driver of the GPUs, those without Horovod in
that of each of its settings, those that are not over MPI in that of each of MPI's, those that do not tell of a library,
as older ones and some that crashed, in that of each of its versions. What is told apart within a pool is in series.py
and contests.py.

A launch that failed or ran into its time limit has no speed, but it counts where success does: a strategy that breaks
in six of nine launches did not reach the target in nine, and one that was launched again until it ran did not reach it
whenever it ran. Where it failed for what its machine lacked (a full disk), and was made up for, it counts nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import pandas as pd

from harness.analysis.attempts import tell_of_their_cells
from harness.analysis.pool_cautions import cautions_of
from harness.analysis.series import problems_as_in, with_series
from harness.analysis.tuned import are_trials, without_outdated
from harness.plain_text import counted
from harness.records.software import NOT_TOLD

_POOL = {  # column: what keeps pools apart that differ in it
    "fingerprint": "different machines",
    "measuring": "measured in different ways, see results/README.md",
    "python": "different versions of Python",
    "versions": "different versions of the software",
    "gpu_driver": "different drivers of the GPUs",
    "gpu_libraries": "different NCCL or cuDNN beside the frameworks",
    "torch_libraries": "different NCCL or cuDNN of PyTorch",
    "horovod_nccl": "Horovod built with different NCCL",
    "horovod_mpi": "Horovod built for different MPI",
    "process_settings": "different settings of the environment",
    "horovod_settings": "different settings of Horovod's launches",
    "mpi_settings": "different settings of MPI",
}
_LIBRARIES = ("gpu_libraries", "torch_libraries", "horovod_nccl", "horovod_mpi")  # a launch that crashed tells few
_OF_SOME = ("gpu_driver", *_LIBRARIES, "horovod_settings", "mpi_settings")  # that do not reach all runs
# Before values that do not speak for themselves.
_IN_NAMES = {
    "measuring": "way of measuring ",
    "python": "Python ",
    "gpu_driver": "driver ",
    "horovod_nccl": "Horovod's NCCL ",
}
_NO_SETTINGS = "none of them set"
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
        """By problem or aim, and series, what a reader sees: framework and kind of worker only where they differ
        there, and settings where the strategy's runs do."""
        return {
            (topic, series): name
            for columns in (["aim", "series", "shown_in_aim"], ["problem", "series", "shown_as"])
            for topic, series, name in self.launches[columns].drop_duplicates().itertuples(index=False)
        }


def pools(runs: pd.DataFrame) -> list[Pool]:
    """The comparable parts of a frame of runs, the largest first. Trials of tuning are no part of what is compared."""
    trials, runs = runs[are_trials(runs)], runs[~are_trials(runs)]
    runs, outdated = without_outdated(runs, trials)
    alike = [column for column in _POOL if column not in _OF_SOME]
    parts = [rows for _, rows in runs.groupby(alike, sort=False, dropna=False)]
    for column in _OF_SOME:
        parts = [part for rows in parts for part in _by_values(rows, column)]
    parts.sort(key=len, reverse=True)
    return [_pool(part, trials, outdated, parts) for part in parts]


def _by_values(rows: pd.DataFrame, column: str) -> Iterator[pd.DataFrame]:
    """Runs that the column is not about are compared with those of each of its values."""
    reached, values = _is_reached(rows, column), rows[column].fillna("")  # reports from before have not each of them
    different = values[reached].unique()
    for one in different:
        yield rows[~reached | (values == one)]
    if not len(different):
        yield rows


def _is_reached(rows: pd.DataFrame, column: str) -> pd.Series[bool]:
    """Which runs the column is about."""
    if column in _LIBRARIES:
        return rows[column].fillna("") != ""
    match column:
        case "gpu_driver":
            return rows["device"] == "gpu"
        case "horovod_settings":
            return rows["controller"].notna()
        case "mpi_settings":
            return rows["controller"] == "mpi"
    return pd.Series(data=True, index=rows.index)


def why_split(runs: pd.DataFrame) -> str | None:
    """One sentence on what keeps the pools of these runs apart; None where there is one."""
    different = _differences(runs)
    return f"Reported apart, since their timings do not compare: {different}." if different else None


def unlike_trials(trials: pd.DataFrame) -> str | None:
    """One sentence on what would keep trials of a study apart, were they judged: each is launched once, by whichever
    command comes first. None where nothing would."""
    found = (_differences(rows) for _, rows in trials.groupby(["study", "seed"]))
    different = "; ".join(sorted({each for each in found if each}))
    return f"The best was chosen among trials whose timings do not compare: {different}." if different else None


def _differences(runs: pd.DataFrame) -> str:
    """In what pools differ, with the values; empty where it is nothing."""
    found = {column: _values(runs, column) for column in _POOL}
    return "; ".join(f"{_POOL[column]} ({', '.join(values)})" for column, values in found.items() if len(values) > 1)


def what_keeps_apart(now: pd.DataFrame, before: pd.DataFrame) -> list[str]:
    """Why the timings of these two pools do not compare, with the values of both; empty where nothing that they tell
    says so."""
    found = {column: (_told(before, column), _told(now, column)) for column in _POOL}
    return [
        f"{_POOL[column]} ({', '.join(old)} before, {', '.join(new)} now)"
        for column, (old, new) in found.items()
        if old and new and old != new  # empty where the column is about none of the runs, or nothing is told
    ]


def _told(runs: pd.DataFrame, column: str) -> list[str]:
    return [value for value in _values(runs, column) if value != NOT_TOLD]


def _values(runs: pd.DataFrame, column: str) -> list[str]:
    """Those that tell pools apart, in words; NOT_TOLD is one of them."""
    values = runs.loc[_is_reached(runs, column), column].unique()
    return sorted({NOT_TOLD if pd.isna(value) else _NO_SETTINGS if value == "" else str(value) for value in values})


def _pool(part: pd.DataFrame, trials: pd.DataFrame, outdated: pd.DataFrame, parts: list[pd.DataFrame]) -> Pool:
    told, by_machine = _without_made_up_for(part)
    named = _quick_to_slice(with_series(told))
    is_ok = named["status"] == "ok"
    num_outdated = int(outdated["problem"].isin(part["problem"]).sum())
    ours = _trials_on(part, trials)
    return Pool(
        name=_name(part, parts),
        launches=named.reset_index(drop=True),
        runs=named[is_ok].reset_index(drop=True),
        failed=named[~is_ok].reset_index(drop=True),
        trials=ours,
        cautions=(*by_machine, *cautions_of(named[is_ok], num_outdated), *filter(None, [unlike_trials(ours)])),
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
    """Those on problems of the part, which are called as its runs call them."""
    ours = trials[trials["problem"].isin(part["problem"])].reset_index(drop=True)
    return ours.assign(problem=problems_as_in(part, ours))


def _name(part: pd.DataFrame, parts: list[pd.DataFrame]) -> str:
    first = part.iloc[0]
    gpus = f", {first['gpus']}" if first["gpus"] else ""
    name = f"{first['cpu']}, {counted(first['num_cores'], 'core')}{gpus}"
    same = pd.concat([other for other in parts if other["cpu"].iloc[0] == first["cpu"]])
    telling = [column for column in _POOL if len(_values(same, column)) > 1]
    said = [f"{_IN_NAMES.get(column, '')}{value}" for column in telling for value in _values(part, column)]
    return f"{name} [{', '.join(said)}]" if said else name
