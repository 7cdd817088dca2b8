"""Contests: launches whose times to target may be compared, over strategy and number of workers alike.

Serial training and every number of workers are entrants of one contest, since which strategy and how many workers is
one question. A number of workers at which a single strategy ran is not won by it.

Contests are split by framework, which differs in more than the strategy, by kind of worker, since threads and processes
share memory and cores in different ways, and by the resources of a worker: eight threads beat one whatever the
strategy. A single worker is a process with one thread on one host: it is like either kind, on any number of hosts.

What was tuned and what was not are two contests, as in AlgoPerf's two rulesets (arXiv 2306.07179), where each compares
something by itself. Where one does not, they are one contest whose entrants say how they were tuned.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.analysis.attempts import always_reached, with_retries
from harness.analysis.seeds import geometric_mean_by_seed
from harness.analysis.separation import Separation, separate
from harness.analysis.series import (
    RESOURCES,
    SPLIT_BY,
    aimed,
    labelled,
    setting_in_words,
    varied_settings,
)
from harness.analysis.tuned import RECIPE

PLACE = ("framework", "tuning", "worker_kind", *RESOURCES)  # what a contest is in
_PLACE = ["worker_kind", *RESOURCES]  # what all entrants of several workers share
_OF_A_WORKER = [column for column in RESOURCES if column != "hosts"]  # what single workers share with them
_NOT_SETTINGS = {*PLACE, "controller", "strategy_code", "target"}  # shared, or the strategy's own
MIXED = "not tuned alike"


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Launches whose times to target may be compared, with every number of workers."""

    topic: str  # the aim, with framework, kind of worker and resources where others of the pool differ in them
    name: str  # the topic, with the way of tuning likewise
    aim: str
    tuning: str  # `recipe`, `tuned in 20 trials`, or MIXED
    place: tuple[object, ...]  # values of PLACE: contests of other aims in the same place are about the same strategies
    # With columns `competitor`, the strategy with its options and the settings in which its launches that look for the
    # aim differ, but those of PLACE; `entrant`, the same with its number of workers; and `variant`, what it goes by on
    # other problems too: the strategy with its options, without them where they were tuned to this one.
    launches: pd.DataFrame
    other_kinds: tuple[str, ...]  # kinds of worker with the same aim in the same framework
    other_resources: tuple[str, ...]  # likewise, such as `threads=8`

    @property
    def entrants(self) -> dict[tuple[str, str, int], str]:
        """Their names, by problem, series and workers."""
        launches = self.launches
        keys = zip(launches["problem"], launches["series"], launches["workers"], strict=True)
        return dict(zip(keys, launches["entrant"], strict=True))

    @property
    def differing_settings(self) -> dict[str, list[object]]:
        """By name, each setting in which entrants differ beside strategy, workers and resources, with its values; None
        where some have it and some do not."""
        settings = [column for column in SPLIT_BY if column not in _NOT_SETTINGS]
        found = {column: _values(self.launches[column]) for column in settings}
        return {column: values for column, values in found.items() if len(values) > 1}

    def separation(self) -> Separation:
        """Of the entrants that reached the target reliably (attempts.py), with crashes paid for."""
        timed = {
            str(name): with_retries(rows)
            for name, rows in self.launches.groupby("entrant", sort=True)
            if always_reached(rows)
        }
        return separate(*(_seconds_by_seed(timed, f"time_to_target{which}_s") for which in ("_after", "")))


def contests(launches: pd.DataFrame) -> Iterator[Contest]:
    """Those of a pool, by name."""
    looking = _with_competitors(aimed(launches))
    num_frameworks = looking.groupby("aim")["framework"].nunique()
    is_tuning_told = looking["tuning"].nunique() > 1
    for key, rows in looking.groupby(["aim", "framework"], sort=True):
        aim, framework = map(str, key)
        told = [framework] * bool(num_frameworks[aim] > 1)
        for tuning, alike in _by_tuning(rows):
            yield from _in_places(alike, aim, told, tuning, is_tuning_told=is_tuning_told)


def place_in_words(place: tuple[object, ...], places: Collection[tuple[object, ...]], *columns: str) -> str:
    """Of a contest's `place`, what tells it from the others, `torch processes`; of these columns alone, where given."""
    of_columns = zip(PLACE, place, zip(*places, strict=True), strict=True)
    words = [
        setting_in_words(column, value).strip()
        for column, value, others in of_columns
        if len(set(others)) > 1 and column in (columns or PLACE)
    ]
    return " ".join(filter(None, words))


def _with_competitors(looking: pd.DataFrame) -> pd.DataFrame:
    competitor = looking["label"].copy()
    for _, rows in looking.groupby(["aim", "label"], sort=False):
        competitor.loc[rows.index] = labelled(rows, varied_settings(rows) - {*PLACE})
    return looking.assign(competitor=competitor)


def _by_tuning(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """What was tuned in each way, where each compares something; else all, who was tuned in which way in its name."""
    parts = [(str(tuning), part) for tuning, part in rows.groupby("tuning", sort=True)]
    if len(parts) > 1 and any(len(part[["competitor", "workers"]].drop_duplicates()) == 1 for _, part in parts):
        return [(MIXED, rows.assign(competitor=rows["competitor"] + " " + rows["tuning"]))]
    return parts


def _in_places(
    rows: pd.DataFrame, aim: str, told: list[str], tuning: str, *, is_tuning_told: bool
) -> Iterator[Contest]:
    """told: what names have beside aim, kind of worker and resources."""
    variant = rows[{RECIPE: "label", MIXED: "competitor"}.get(tuning, "strategy")]
    rows = rows.assign(entrant=rows["competitor"] + " ×" + rows["workers"].astype(str), variant=variant)
    places = _places(rows)
    for position, place in places.iterrows():
        said = [*told, *(_words(place, column, places) for column in _PLACE)]
        topic = ", ".join(filter(None, [aim, " ".join(filter(None, said))]))
        others = places.drop(index=position)
        yield Contest(
            topic=topic,
            name=f"{topic}, {tuning}" if is_tuning_told else topic,
            aim=aim,
            tuning=tuning,
            place=(str(rows["framework"].iloc[0]), tuning, *place[_PLACE]),
            launches=rows[_is_at(rows, place)],
            other_kinds=_others(place, others, places, ["worker_kind"]),
            other_resources=_others(place, others, places, list(RESOURCES)),
        )


def _places(rows: pd.DataFrame) -> pd.DataFrame:
    """Kind of worker and resources of each contest; of single workers whose like has no others, without a kind."""
    several = rows.loc[rows["workers"] > 1, _PLACE].drop_duplicates()
    alone = rows.loc[rows["workers"] == 1, _PLACE].assign(worker_kind="").drop_duplicates()
    theirs, ours = (pd.MultiIndex.from_frame(part[_OF_A_WORKER]) for part in (several, alone))
    is_apart = ~ours.isin(theirs)
    return pd.concat([several, alone[is_apart]]).sort_values(_PLACE, ignore_index=True)


def _is_at(rows: pd.DataFrame, place: pd.Series[Any]) -> pd.Series[bool]:
    is_alike = (rows[_OF_A_WORKER] == place[_OF_A_WORKER]).all(axis=1)
    is_placed = (rows["worker_kind"] == place["worker_kind"]) & (rows["hosts"] == place["hosts"])
    is_here: pd.Series[bool] = is_alike & ((rows["workers"] == 1) | is_placed)
    return is_here


def _words(place: pd.Series[Any], column: str, places: pd.DataFrame) -> str:
    """Of a column in which places differ; empty of any other."""
    values = places[column][places[column] != ""]
    return setting_in_words(column, place[column]).strip() if values.nunique() > 1 else ""


def _others(place: pd.Series[Any], others: pd.DataFrame, places: pd.DataFrame, columns: list[str]) -> tuple[str, ...]:
    """What the other places are in these columns, in words."""

    def said(one: pd.Series[Any]) -> str:
        return " ".join(filter(None, (_words(one, column, places) for column in columns)))

    return tuple(sorted({said(other) for _, other in others.iterrows()} - {said(place), ""}))


def _values(setting: pd.Series[Any]) -> list[object]:
    """In order; None comes last."""
    return [*sorted(setting.dropna().unique()), *([None] if setting.isna().any() else [])]


def _seconds_by_seed(timed: dict[str, pd.DataFrame], column: str) -> pd.DataFrame:
    """Geometric means over launches of one seed: seeds are rows, entrants columns."""
    return pd.DataFrame({name: geometric_mean_by_seed(rows, column) for name, rows in timed.items()})
