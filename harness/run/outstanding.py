"""What is left to do of a suite: cells without a finished record, and those finished under other circumstances.

Finished is a launch that trained to its end, or until its time limit stopped it: it would be stopped again. A cell is
done with the versions, the settings and the way of measuring that hold now. What was done with others is no repeat of
it: it is told, and left as it is until it is asked for again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.records.index import IndexEntry
from harness.records.record import MEASURING_VERSION
from harness.records.software import HOROVOD_NCCL, NO_NCCL, PYTHON, SHARED, of_build, of_device
from harness.run.versions import horovod_build, python_series, versions_on
from harness.suite.cell import Cell
from harness.worker.machine_description import describe_machine

Again = Literal["changed", "all"]
DONE_AGAIN = "`--again changed` does them again"  # what is left as it is, by the commands that have the option
SettingsOf = Callable[[Cell], Mapping[str, str]]
_MOST_SAID = 4  # differences, before the rest is counted


@dataclass(frozen=True, kw_only=True)
class Outstanding:
    """Cells in the suite's order."""

    missing: tuple[Cell, ...]
    changed: tuple[Cell, ...]  # finished, under other circumstances
    num_stopped: int  # of the others, those of which every launch was stopped at its time limit
    num_of_other_machines: int  # of the missing, those that are finished by another machine
    in_words: str | None  # of what changed: one sentence
    elsewhere_in_words: str | None  # on which machines others were done, of cells that train on other machines

    def chosen(self, cells: Sequence[Cell], again: Again | None) -> list[Cell]:
        """Those to run."""
        if again == "all":
            return list(cells)
        wanted = {cell.key for cell in (*self.missing, *(self.changed if again == "changed" else ()))}
        return [cell for cell in cells if cell.key in wanted]


def outstanding(
    cells: Sequence[Cell],
    records: Iterable[IndexEntry],
    settings_of: SettingsOf,
    is_elsewhere: Callable[[Cell], bool] = lambda cell: False,
    *,
    stopped_is_done: bool = True,
) -> Outstanding:
    """Of these cells on this machine.

    is_elsewhere: a cell trains on other machines too, which are unknown until it does: any will do.
    stopped_is_done: a launch that its time limit stopped counts as finished.
    """
    finished: defaultdict[str, list[IndexEntry]] = defaultdict(list)
    fingerprint = describe_machine().fingerprint
    for record in records:
        if record.status == "ok" or (record.was_stopped and stopped_is_done):
            finished[record.key].append(record)
    missing, changed, num_stopped, num_of_other_machines, differences = [], [], 0, 0, Counter[str]()
    machines = Counter[str]()
    for cell in cells:
        settings = settings_of(cell)
        elsewhere = is_elsewhere(cell)
        done = [record for record in finished[cell.key] if elsewhere or record.fingerprint == fingerprint]
        of_now = [record for record in done if is_of_now(record, cell, settings)]
        if not done:
            missing.append(cell)
            num_of_other_machines += bool(finished[cell.key])
        elif of_now:
            num_stopped += all(record.was_stopped for record in of_now)
            if all(record.fingerprint != fingerprint for record in of_now):
                machines[max(of_now, key=lambda record: record.started_at).machine] += 1
        else:
            changed.append(cell)
            newest = max(done, key=lambda record: record.started_at)
            differences.update(differences_from_now(newest, cell, settings))
    return Outstanding(
        missing=tuple(missing),
        changed=tuple(changed),
        num_stopped=num_stopped,
        num_of_other_machines=num_of_other_machines,
        in_words=_in_words(len(changed), differences),
        elsewhere_in_words=_elsewhere_in_words(machines),
    )


def _elsewhere_in_words(machines: Mapping[str, int]) -> str | None:
    """machines: of how many launches that are done."""
    said = "; ".join(f"{num} done on: {machine}" for machine, num in sorted(machines.items()))
    return said or None


def is_of_now(record: IndexEntry, cell: Cell, settings: Mapping[str, str]) -> bool:
    """Whether it was measured as a launch of its cell with these settings would be."""
    return not any(differences_from_now(record, cell, settings))


def differences_from_now(record: IndexEntry, cell: Cell, settings: Mapping[str, str]) -> Iterator[str]:
    """`torch 2.12 (now 2.13)` for each circumstance in which a launch of its cell with these settings would differ."""
    if record.measuring != MEASURING_VERSION:
        yield f"way of measuring {record.measuring} (now {MEASURING_VERSION})"
    python = {PYTHON: record.python}, {PYTHON: python_series()}
    versions = of_device(record.versions, cell.device), versions_on(cell.device)
    for then, now in (python, versions, _builds(record, cell), (record.settings, settings)):
        for name in sorted(then.keys() | now.keys()):
            if then.get(name) != now.get(name):
                yield f"{name} {then.get(name, 'not set')} (now {now.get(name, 'not set')})"


def _builds(record: IndexEntry, cell: Cell) -> tuple[dict[str, str], dict[str, str]]:
    """Of Horovod, what matters to the cell, then and now; of both what the record tells.

    Its shared NCCL may be any that there is now, even a linked one, as in older records.
    """
    then, now = (of_build(names, cell.controller, cell.device) for names in (record.horovod_build, horovod_build(cell)))
    if then.get(HOROVOD_NCCL) == SHARED and now.get(HOROVOD_NCCL) != NO_NCCL:
        del then[HOROVOD_NCCL]
    return then, {name: now[name] for name in then.keys() & now.keys()}


def _in_words(num_changed: int, differences: Counter[str]) -> str | None:
    if not num_changed:
        return None
    most = [said for said, _ in differences.most_common(_MOST_SAID)]
    rest = f" and {len(differences) - len(most)} more" if len(differences) > len(most) else ""
    cells = "1 launch was" if num_changed == 1 else f"{num_changed} launches were"
    return f"{cells} done with {', '.join(most)}{rest}: left as they are"
