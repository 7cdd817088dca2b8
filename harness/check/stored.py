"""Compares results that are already there. It screens and reports; it never convicts.

What was measured on another machine or another day differs by more than any change looked for, so such sides are
called incomparable. What remains for stored results of one machine and day: "nothing seen", "suspicious", and cells
that crash, crash more often or are missing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from harness.check.circumstances import differences_of_arms
from harness.check.crashes import Attempts
from harness.check.decision import decide
from harness.check.observed import Pair, Stage, ended_well, failed_by_its_machine, observed_of, run_of
from harness.check.verdict import Verdict
from harness.plain_text import counted
from harness.records.record import Record
from harness.records.results_folder import Contents, ResultsError, ResultsFolder
from harness.records.setting_names import differing, of_all, of_horovod, of_mpi
from harness.records.software import software_of
from harness.records.stored_cell import StoredCell
from harness.records.titles import titles_of
from harness.suite.gates import CheckSettings

SAME_DAY = timedelta(days=1)


def compare(baseline: Path, candidate: Path, settings: CheckSettings) -> Verdict:
    """The verdict on two results folders. Raises ResultsError for folders that cannot be compared at all."""
    contents = [_contents(folder) for folder in (baseline, candidate)]
    sides = [_without_made_up_for(each.records) for each in contents]
    suites = [sorted({record.suite for record in side}) for side in sides]
    if suites[0] != suites[1]:
        raise ResultsError(
            f"{candidate}: holds launches of {', '.join(suites[1])}, {baseline} of {', '.join(suites[0])}; "
            "allowed: results of the same suite"
        )
    chosen = [{(record.group, record.cell.seed): record for record in _best(side)} for side in sides]
    if not {group for group, _ in chosen[0]} & {group for group, _ in chosen[1]}:
        raise ResultsError(f"{candidate}: has no cell in common with {baseline}: did the suite change in between?")
    cells = _cells(sides[0])
    known = {cell.group for cell in cells}
    keys = sorted(key for key in chosen[0].keys() | chosen[1].keys() if key[0] in known)
    pairs = tuple(
        Pair(
            group=group,
            seed=seed,
            stage=Stage.SCREEN,
            a=run_of(chosen[0].get((group, seed))),
            b=run_of(chosen[1].get((group, seed))),
        )
        for group, seed in keys
    )
    new = {record.group: record.cell for record in sides[1] if record.group not in known}
    titles = titles_of([*cells, *new.values()])
    compared = {cell.group: titles[cell.group] for cell in cells}
    return decide(
        replace(observed_of(cells, pairs), titles=compared, all_attempts=_attempts(known, *sides)),
        settings,
        suite=", ".join(suites[0]),
        arm_a=_name(baseline, sides[0]),
        arm_b=_name(candidate, sides[1]),
        incomparable=_differences(*sides),
        notes=[
            # What was upgraded may be what is asked about: it forbids nothing, and may be what made the difference.
            *differences_of_arms(*map(_software, sides)),
            *(f"new in the candidate, not judged: {title}" for title in sorted(titles[group] for group in new)),
            *(
                note
                for folder, each, side in zip((baseline, candidate), contents, sides, strict=True)
                for note in _made_up_for_in_words(folder, len(each.records) - len(side))
            ),
            *(caution for each in contents for caution in each.cautions),
        ],
        may_convict=False,
    )


def _contents(folder: Path) -> Contents:
    contents = ResultsFolder(folder).read()
    if not contents.records:
        why = "".join(f"; {caution}" for caution in contents.cautions[:1])
        raise ResultsError(f"{folder}: holds no record; `hvdbench run SUITE --results DIR` makes some{why}")
    return contents


def _without_made_up_for(records: Sequence[Record]) -> list[Record]:
    """Without launches that failed for what their machine lacked, where another tells of the same cell and seed: they
    are no crashes of an arm."""
    told = {record.key for record in records if not failed_by_its_machine(record)}
    return [record for record in records if not (failed_by_its_machine(record) and record.key in told)]


def _made_up_for_in_words(folder: Path, num_launches: int) -> list[str]:
    """A note on so many that are left out."""
    which = f"{counted(num_launches, 'launch', 'launches')} of {folder.name}"
    said = f"{which} failed for what the machine lacked: left out, being made up for by others"
    return [said] if num_launches else []


def _best(records: Sequence[Record]) -> list[Record]:
    """Of each cell and seed the newest run that went well, or the newest at all."""
    return sorted(records, key=lambda record: (ended_well(record), record.started_at))


def _cells(records: Sequence[Record]) -> list[StoredCell]:
    by_group = {record.group: record.cell for record in records}
    return sorted(by_group.values(), key=lambda cell: cell.title)


def _attempts(known: set[str], a: Sequence[Record], b: Sequence[Record]) -> dict[str, Attempts]:
    """Every launch of these groups, those that ran again too."""
    launched = [Counter(record.group for record in side) for side in (a, b)]
    bad = [Counter(record.group for record in side if not ended_well(record)) for side in (a, b)]
    return {
        group: Attempts(a=launched[0][group], b=launched[1][group], bad_a=bad[0][group], bad_b=bad[1][group])
        for group in sorted(known)
    }


def _name(folder: Path, records: Sequence[Record]) -> str:
    revisions = sorted({record.revision for record in records if record.revision})
    return f"{folder.name} ({', '.join(revisions)})" if revisions else folder.name


def _software(records: Sequence[Record]) -> dict[str, str]:
    """By package, and of Python, every version that the records tell to matter to them."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for record in records:
        for name, version in software_of(record).items():
            found[name].add(version)
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _differences(a: Sequence[Record], b: Sequence[Record]) -> list[str]:
    """Why the two sides' timings cannot be held against each other; empty when they can."""
    reasons, records = [], [*a, *b]
    machines: defaultdict[str, set[str]] = defaultdict(set)
    for record in records:
        machines[record.machine.fingerprint].add(f"{record.machine.cpu} × {record.machine.num_cores}")
    if len(machines) > 1:
        named = "; ".join(sorted(f"{', '.join(sorted(cpus))} [{print_}]" for print_, cpus in machines.items()))
        reasons.append(f"different machines: {named}")
    if len({record.measuring for record in records}) > 1:
        reasons.append("measured in different ways, see results/README.md")
    over_horovod = [record for record in records if record.cell["controller"] is not None]
    different = [
        *differing(of_all(record.settings) for record in records),
        *differing(of_horovod(record.settings, record.cell["device"]) for record in over_horovod),
        *differing(
            of_mpi(record.settings, record.cell["device"])
            for record in over_horovod
            if record.cell["controller"] == "mpi"
        ),
    ]
    if different:
        reasons.append(f"different settings: {', '.join(different)}")
    moments = [datetime.fromisoformat(record.started_at) for record in records]
    if max(moments) - min(moments) > SAME_DAY:
        first, last = (f"{moment:%Y-%m-%d}" for moment in (min(moments), max(moments)))
        reasons.append(f"launches from {first} to {last}: machines drift from day to day")
    return reasons
