"""Where a check keeps its pairs: PAIRS/<group>-<seed>/{a,b}/<record>.json, each pair in place as a whole or not at all.

So a check that was interrupted goes on with what is missing, and no pair is ever made of halves from different days.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.check.observed import ended_well, failed_by_its_machine
from harness.records.record import Record
from harness.records.results_folder import ResultsError, ResultsFolder, lock, writing_to

SIDES = ("a", "b")
_STAGED = ".staged-"
_LOCK = ".lock"


class PairFolder:
    """One check's pairs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> dict[tuple[str, int], tuple[Record, Record]]:
        """(A, B) by (group, seed). Raises ResultsError for a file that is no record."""
        pairs = {}
        for folder in sorted(self.path.glob("[!.]*-*")):
            group, _, seed = folder.name.rpartition("-")
            a, b = (self._only_record(folder / side) for side in SIDES)
            pairs[group, int(seed)] = (a, b)
        return pairs

    @staticmethod
    def _only_record(folder: Path) -> Record:
        records = ResultsFolder(folder).load()
        if len(records) != 1:
            raise ResultsError(f"{folder}: holds {len(records)} records instead of one; remove {folder.parent.name}")
        return records[0]

    def forget_failures_that_say_nothing(self) -> None:
        """Removes pairs whose A has failed, or whose B did for what the machine lacked: neither says anything of B, and
        both may go well another time."""
        for (group, seed), (a, b) in self.load().items():
            if not ended_well(a) or failed_by_its_machine(b):
                shutil.rmtree(self.path / f"{group}-{seed}")

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Keeps other checks out of this folder, and clears what an interrupted one left. Raises ResultsError."""
        with writing_to(self.path, "--results"):
            self.path.mkdir(parents=True, exist_ok=True)
            claim = (self.path / _LOCK).open("w")
        with claim:
            if not lock(claim):
                raise ResultsError(f"{self.path}: another check is at work there; wait for it, or compare others")
            for leftover in self.path.glob(f"{_STAGED}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            yield

    @contextmanager
    def staged(self, group: str, seed: int) -> Iterator[Path]:
        """A folder for the pair's two runs, in place when the block ends well and gone when it does not."""
        folder = self.path / f"{_STAGED}{group}-{seed}"
        folder.mkdir()
        try:
            yield folder
            for side in SIDES:  # the machinery of a run in progress; only its record stays
                for rest in (folder / side).glob(".[!.]*"):
                    shutil.rmtree(rest, ignore_errors=True)
            folder.rename(self.path / f"{group}-{seed}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
