"""Where a comparison lies: its plan, what was measured for it, records and report. All of it is kept.

compare/fnn/fnn.yaml        the plan, a suite like any other
compare/fnn/request.json    what it was made for
compare/fnn/measured/       records of the measuring launches
compare/fnn/results/fnn/    records of the suite
compare/fnn/report/         the page
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from harness.compare.request import CompareError, Request
from harness.records.results_folder import ResultsFolder, writing_to


class ComparisonFolder:
    """title: of the suite and its results."""

    def __init__(self, path: Path, title: str) -> None:
        self.path = path
        self.suite = path / f"{title}.yaml"
        self.results = ResultsFolder(path / "results" / title)
        self.measured = ResultsFolder(path / "measured")
        self.report = path / "report"
        self._request = path / "request.json"

    def holds_plan_of(self, request: Request) -> bool:
        """Whether the plan of this request is there. Raises CompareError where something else is."""
        if not self._request.exists():
            if self.suite.exists():
                raise CompareError(f"{self.suite}: no plan of hvdbench compare; allowed: -o another folder")
            return False
        if not self.suite.exists():
            return False
        different = self._planned_for().differences(request)
        if different:
            raise CompareError(
                f"{self.path}: holds another plan: {'; '.join(different)}. Allowed: the command and code it is of, "
                "--fresh, which plans anew and keeps what is there, or -o another folder"
            )
        return True

    def keep(self, request: Request, suite: str) -> None:
        """The plan, with what it was made for. Raises ResultsError where it cannot be written."""
        with writing_to(self.path, "-o"):
            self.path.mkdir(parents=True, exist_ok=True)
            self.suite.write_text(suite, encoding="utf-8")
            self._request.write_text(request.model_dump_json(indent=1), encoding="utf-8")

    def set_aside(self) -> Path | None:
        """Moves all of a comparison into a folder below, which is returned; None where there is none."""
        if not self._request.exists():
            return None
        number = 1
        while (kept := self.path / f"earlier-{number}").exists():
            number += 1
        parts = (self.suite, self._request, self.measured.path, self.results.path, self.report)
        with writing_to(self.path, "-o"):
            for part in filter(Path.exists, parts):
                place = kept / part.relative_to(self.path)
                place.parent.mkdir(parents=True, exist_ok=True)
                part.rename(place)
        return kept

    def _planned_for(self) -> Request:
        try:
            return Request.model_validate_json(self._request.read_bytes())
        except (OSError, ValidationError):
            raise CompareError(
                f"{self._request}: unreadable; allowed: --fresh, which plans anew and keeps what is there"
            ) from None
