"""What comes after the headline of a contest: the answers at equal workers, at equal cost, and against one worker.

Claims are those of the contest's family, so that no sentence here says what the headline's error does not cover.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.analysis.attempts import with_retries
from harness.analysis.contests import Contest
from harness.analysis.intervals import scaled
from harness.analysis.separation import Separation
from harness.analysis.series import closest_match
from harness.analysis.targets import Reaching, paired_ratio
from harness.report.wording import (
    count,
    listed,
    listed_briefly,
    number,
    percent,
    target_of,
    time_of,
    times,
    with_interval,
)

SERIAL = "serial"
_NUM_CHEAPEST = 3  # named


def missed(rows: Sequence[Reaching]) -> Iterator[str]:
    """Entrants of which some launch did not reach the target, and what is known of their time."""
    for row in rows:
        if row.num_reached == row.num_launches:
            continue
        share = row.share_reached
        broken = f", {row.num_unfinished} of which did not finish" if row.num_unfinished else ""
        said = (
            f"{row.series} reached {target_of(row)} in {row.num_reached} of "
            f"{count(row.num_launches, 'launch', 'launches')}{broken} "
            f"({_over_seeds(row)}: Wilson interval {percent(share.low, 0)} to {percent(share.high, 0)})"
        )
        if row.is_lower_bound:
            said += f"; its mean time is {time_of(row)}{_restricted(row)}"
        elif row.time_s is not None:
            said += f"; launched again until it runs, it takes {time_of(row)}"
        yield f"{said}."


def _over_seeds(row: Reaching) -> str:
    """What the interval of the share has as its units, since launches are counted beside it."""
    by = "" if row.num_launches == row.share_reached.n else ", each by the share of its launches"
    return f"over {count(row.share_reached.n, 'seed')}{by}"


def _restricted(row: Reaching) -> str:
    """What compares with other series; empty where the horizon tells nothing."""
    if not row.restricted_s < row.horizon_s:
        return ""
    horizon, mean = number(row.horizon_s), number(row.restricted_s)
    return f"; counted up to {horizon}\u00a0s at most, to which every launch was watched, it is {mean}\u00a0s"


def at_equal_workers(rows: Sequence[Reaching], separation: Separation, error: float) -> Iterator[str]:
    """One sentence a number of workers with which several entrants always reached the target, with enough seeds."""
    by_name = {row.series: row for row in rows}
    if len({row.workers for row in rows}) == 1:
        return
    for workers in sorted({row.workers for row in rows}):
        here = [name for name in separation.order if by_name[name].workers == workers]
        ranked = [name for name in here if name not in separation.too_few]
        if len(ranked) < 2:
            continue
        group = separation.not_slower(ranked, error=error)
        said = (
            f"With {count(workers, 'worker')} {ranked[0]} is first of {len(ranked)} with {time_of(by_name[ranked[0]])}"
        )
        if len(group) == 1:
            yield f"{said}, sooner than every other."
        else:
            yield f"{said}; not shown to be slower: {listed_briefly(group[1:])}."


def at_equal_cost(contest: Contest, rows: Sequence[Reaching]) -> Iterator[str]:
    """Who needs the fewest core-seconds, with individual intervals: nothing is claimed."""
    cores = dict(zip(contest.launches["entrant"], contest.launches["cores"], strict=True))
    costs = {row.series: scaled(row.time_s, cores[row.series]) for row in rows if row.time_s is not None}
    if len(costs) < 2 or len({cores[name] for name in costs}) < 2:  # as many cores: the order of times
        return
    cheapest = sorted(costs, key=lambda name: costs[name].estimate)[:_NUM_CHEAPEST]
    said = listed([f"{name} {with_interval(costs[name])}" for name in cheapest])
    yield f"Fewest core-seconds to the target, each by its individual interval: {said}."


def paying(contest: Contest, most: int, separation: Separation, error: float) -> Iterator[str]:
    """Whether the most workers pay: against serial training, or where that did not run, each strategy's single worker.

    One sentence for those where they do, one for those where they do not and one for those where it is open: also where
    the interval that stands beside the answer, which knows this pair alone, would leave it open.
    """
    launches = contest.launches
    always = launches[launches["entrant"].isin(separation.order)]
    singles = always[always["workers"] == 1]
    serial = singles[singles["strategy"] == SERIAL]
    workers = count(most, "worker")
    no, yes, unclear = f"{workers} do not pay for", f"{workers} pay for", f"Whether {workers} pay is open for"
    answers: dict[str, list[str]] = {no: [], yes: [], unclear: []}
    for (name, competitor), part in always[always["workers"] == most].groupby(["entrant", "competitor"], sort=True):
        single = closest_match(part, serial) if len(serial) else singles[singles["competitor"] == competitor]
        if most == 1 or single.empty:
            continue
        ratio = paired_ratio(with_retries(part), with_retries(single), "time_to_target_s")
        other = str(single["entrant"].iloc[0])
        is_sooner, is_later = (separation.is_sooner(*pair, error=error) for pair in ((name, other), (other, name)))
        is_open = ratio.interval is None or ratio.interval.low <= 1 <= ratio.interval.high
        answers[unclear if is_open else yes if is_sooner else no if is_later else unclear].append(
            f"{competitor} ({times(ratio)})"
        )
    whose = "one serial worker" if len(serial) else "its own single worker"
    for answer, names in answers.items():
        if names:
            yield f"{answer} {listed(names)}: time to target over that of {whose}, with individual intervals."


def elsewhere(contest: Contest) -> Iterator[str]:
    """Whom the contest leaves out, and why."""
    if contest.other_kinds:
        yield (
            f"Not compared with strategies whose workers are {listed(list(contest.other_kinds))}: "
            "threads and processes share memory and cores in different ways."
        )
    if contest.other_resources:
        yield (
            f"Not compared with what ran with {listed(list(contest.other_resources))}: "
            "other resources, whatever the strategy."
        )
