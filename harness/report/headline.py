"""The headline of a contest: who is soonest with how many workers, how sure that is, and under which conditions.

It recommends from the entrants that are not shown to be slower than the soonest. Every claim in it is one of the
family (analysis/separation.py); what crashed, and every setting in which entrants differ, stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.analysis.contests import Contest
from harness.analysis.intervals import CONFIDENCE, MIN_LAUNCHES
from harness.analysis.series import setting_in_words
from harness.analysis.targets import Reaching
from harness.plain_text import on_its_side, plain_value
from harness.report.judged import JudgedContest
from harness.report.wording import count, listed, listed_briefly, number, percent, target_of, time_of

_MOST_BROKEN = 3  # named; of more, how many
_MOST_GROUPS = 3  # of entrants that agree in their settings; of more, the values alone


def headline(judged: JudgedContest) -> str:
    said = [
        f"{judged.contest.topic}, {judged.contest.tuning}: {_soonest(judged)}",
        too_few(judged),
        differing([judged.contest]),
        served(judged.contest),
        broken(judged.rows),
    ]
    return " ".join(filter(None, said))


def _soonest(judged: JudgedContest) -> str:
    rows = judged.rows
    if not judged.order:
        return f"no strategy reliably reached {target_of(rows[0])}."
    best, num_compared, group = judged.by_name[judged.first], len(judged.ranked), judged.best
    said = f"{best.series} reaches {target_of(best)} after {time_of(best)}"
    if len(rows) == 1:
        return f"{said}."
    if len(judged.order) == 1:
        return f"{said}; no other reached it reliably."
    if not judged.ranked:
        return f"too few seeds to tell who is soonest; {said} and came first."
    whole = "" if num_compared == len(rows) else " that reliably reached it"
    whole += " with enough seeds" if judged.too_few else ""
    if len(group) == num_compared:
        others = listed_briefly(list(group[1:]))
        return f"no strategy is shown to be the soonest; {said}, not told apart from {others}."
    sure = f"{percent(CONFIDENCE, 0)} sure of all claims together"
    if len(group) == 1:
        return f"{said}, sooner than every other of {num_compared}{whole} ({sure})."
    return (
        f"{said}; of {num_compared}{whole}, {listed_briefly(list(group))} are not shown to be slower than the soonest: "
        f"choose among them ({sure})."
    )


def too_few(judged: JudgedContest) -> str:
    """Sentences on entrants that no other can be told apart from, and what to run; empty where there are none."""
    if not (judged.is_comparison and judged.too_few):
        return ""
    named = [f"{name} ({_seeds_and_time(judged.by_name[name])})" for name in judged.too_few]
    return (
        f"Too few seeds to tell: {listed_briefly(named)}. It takes {MIN_LAUNCHES} in common with another: "
        f"hvdbench run --repeats {MIN_LAUNCHES} adds those that are missing."
    )


def _seeds_and_time(row: Reaching) -> str:
    return f"{count(row.time_s.n, 'seed')}, {number(row.time_s.estimate)}\u00a0s" if row.time_s else "–"


def differing(contests: Sequence[Contest]) -> str:
    """A sentence on the settings in which entrants differ, the same in each of these contests; empty where in none."""
    different = contests[0].differing_settings
    if not different:
        return ""
    groups = _alike(contests, list(different))
    if not 1 < len(groups) <= _MOST_GROUPS:
        values = [f"{name} ({listed_briefly(list(map(plain_value, each)))})" for name, each in different.items()]
        return f"Not only the strategy differs, but also {listed(values)}."
    said = (
        f"{listed_briefly(names)} {'has' if len(names) == 1 else 'have'} {settings}"
        for settings, names in groups.items()
    )
    return f"Not only the strategy differs: {'; '.join(said)}."


def differing_in_all(contests: Sequence[Contest]) -> str:
    """The same, where several contests have entrants that differ, all of them in the same settings; else empty."""
    found = [contest for contest in contests if contest.differing_settings]
    if len(found) < 2 or any(each.differing_settings != found[0].differing_settings for each in found):
        return ""
    return differing(found)


def _alike(contests: Sequence[Contest], columns: Sequence[str]) -> dict[str, list[str]]:
    """Competitors by their values of these settings, `lr_scaling=linear, no clip_norm`; empty where one of them has
    several."""
    parts = (contest.launches[["competitor", *columns]].drop_duplicates() for contest in contests)
    rows = pd.concat(list(parts)).drop_duplicates().sort_values("competitor")
    if rows["competitor"].duplicated().any():
        return {}
    groups: dict[str, list[str]] = {}
    for name, *values in rows.itertuples(index=False):
        words = (
            setting_in_words(column, value).strip() or f"no {column}"
            for column, value in zip(columns, values, strict=True)
        )
        groups.setdefault(", ".join(words), []).append(name)
    return groups


def served(contest: Contest) -> str:
    """`Beside their workers: servers of downpour (1), a core each.`; empty where nobody has servers."""
    launches = contest.launches[contest.launches["num_servers"] > 0]
    counts = launches.groupby("competitor", sort=True)["num_servers"].first()
    named = [f"{competitor} ({num})" for competitor, num in counts.items()]
    return f"Beside their workers: servers of {listed(named)}, a core each." if named else ""


def broken(rows: Sequence[Reaching]) -> str:
    """Sentences on launches that crashed, or ran out of time before the target; empty where none did."""
    return " ".join(
        filter(
            None,
            (
                _counted(rows, "Crashed", {row.series: row.num_crashed for row in rows}),
                _counted(rows, "Out of time", {row.series: row.num_unfinished - row.num_crashed for row in rows}),
            ),
        )
    )


def _counted(rows: Sequence[Reaching], what: str, of: dict[str, int]) -> str:
    """`Crashed: hogwild ×2 in 18 of 21 launches (86 %).`, the worst first."""
    hit = sorted((row for row in rows if of[row.series]), key=lambda row: -of[row.series] / row.num_launches)
    named = [
        f"{row.series} in {of[row.series]} of {count(row.num_launches, 'launch', 'launches')} "
        f"({_share_in_words(of[row.series] / row.num_launches)})"
        for row in hit[:_MOST_BROKEN]
    ]
    if len(hit) > _MOST_BROKEN:
        others = hit[_MOST_BROKEN:]
        launches = count(sum(row.num_launches for row in others), "launch", "launches")
        named.append(f"{len(others)} others in {number(sum(of[row.series] for row in others))} of {launches}")
    return f"{what}: {listed(named)}." if named else ""


def _share_in_words(share: float) -> str:
    """`86 %`; 100 % of all alone, 0 % of none."""
    return percent(on_its_side(on_its_side(share, 1.0, 2), 0.0, 2), 0)
