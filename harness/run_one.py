"""One launch of one cell, for whoever compares checkouts, environments or settings: `hvdbench check` starts it.

    python -m harness.run_one CELL.json RESULTS_DIR      runs the cell and leaves one Record in RESULTS_DIR
    python -m harness.run_one --about CELLS.json         says, in JSON, what this checkout and environment are, and
                                                         what keeps them from running these cells

A stable entry: a checkout of another age has to answer it too, so its arguments and its JSON only ever gain. A cell may
come from a newer checkout: fields at their neutral value are not sent (`Cell.asked`), and of what this one does not
know, null (not in use) is passed over and the rest refused.

With HVDBENCH_TURN in the environment the launch takes turns with another (harness/timing/turns.py).
It prints its progress as lines of JSON and ends when its standard input closes, so that it does not outlive its parent.
Exit codes: 0 a record was written, whatever its status; 2 the cell cannot run here, said on standard error.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from harness.launchers.hosts import this_machine
from harness.records.record import SCHEMA_VERSION, Record
from harness.records.results_folder import ResultsFolder
from harness.records.software import of_build
from harness.registry import STRATEGIES
from harness.run.feasible import first_obstacle
from harness.run.launch_settings import launch_settings
from harness.run.runner import Setting, run_cell
from harness.run.versions import horovod_build, installed_versions, python_series, revision
from harness.strict import describe
from harness.suite.cell import Cell
from harness.timing import turns
from harness.worker.machine_description import describe_machine

EXIT_REFUSED, EXIT_INTERRUPTED = 2, 130
USAGE = "usage: python -m harness.run_one CELL.json RESULTS_DIR | --about CELLS.json"


def main() -> None:
    arguments = sys.argv[1:]
    if len(arguments) != 2:
        sys.exit(USAGE)
    signal.signal(signal.SIGTERM, _interrupt)
    if arguments[0] == "--about":
        print(json.dumps(about(json.loads(Path(arguments[1]).read_bytes()))))
        return
    try:
        cell = read_cell(json.loads(Path(arguments[0]).read_bytes()))
    except ValueError as error:
        print(f"harness.run_one: {arguments[0]}: {error}", file=sys.stderr)
        sys.exit(EXIT_REFUSED)
    obstacle = first_obstacle([cell], this_machine())
    if obstacle:
        print(f"harness.run_one: {obstacle}", file=sys.stderr)
        sys.exit(EXIT_REFUSED)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder = ResultsFolder(Path(arguments[1]))
    folder.path.mkdir(parents=True, exist_ok=True)
    factor = 2.0 if turns.TURN_VARIABLE in os.environ else 1.0
    setting = Setting(suite="check", folder=folder, hosts=this_machine(), time_limit_factor=factor)
    run_cell(cell, setting, _Teller())


def read_cell(content: dict[str, Any]) -> Cell:
    """The cell, without the unknown keys that are not in use. Raises ValueError naming the key that is refused."""
    known = _without_unused(content, Cell.model_fields)
    options = STRATEGIES[known["strategy"]].Options if known.get("strategy") in STRATEGIES else None
    if options is not None and isinstance(known.get("options"), dict):
        known["options"] = _without_unused(known["options"], options.model_fields)
    try:
        return Cell.model_validate(known)
    except ValidationError as error:
        raise ValueError(describe(error)) from None


def about(contents: list[dict[str, Any]]) -> dict[str, Any]:
    """What a parent needs to know before it starts anything here."""
    settings: dict[str, str] = {}
    builds: dict[str, str] = {}
    try:
        cells = [read_cell(content) for content in contents]
        settings = {name: value for cell in cells for name, value in launch_settings(cell, os.environ).items()}
        builds = _builds(cells)
        obstacle = first_obstacle(cells, this_machine())
    except ValueError as error:
        obstacle = f"this checkout does not know the cell: {error}"
    return {
        "root": str(Path(__file__).resolve().parents[1]),
        "schema_version": SCHEMA_VERSION,
        "fingerprint": describe_machine().fingerprint,
        "revision": revision(),
        "versions": installed_versions(),
        "builds": builds,
        "python": python_series(),
        "settings": settings,
        "obstacle": obstacle,
        "takes_turns": turns.are_possible(),
    }


def _builds(cells: Sequence[Cell]) -> dict[str, str]:
    """What of Horovod matters to them; of each framework's where they differ."""
    told = [of_build(horovod_build(cell), cell.controller, cell.device).items() for cell in cells]
    found: dict[str, set[str]] = {}
    for name, build in (each for of_cell in told for each in of_cell):
        found.setdefault(name, set()).add(build)
    return {name: ", ".join(sorted(builds)) for name, builds in found.items()}


def _without_unused(content: dict[str, Any], known: Any) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name in known or value is not None}


class _Teller:
    """Implements harness.runner.Watcher: one line of JSON for what is to be shown."""

    def cell_started(self, cell: Cell) -> None: ...

    def cell_progress(self, share: float, samples_per_s: float, loss: float) -> None:
        print(json.dumps({"share": share, "samples_per_s": samples_per_s, "loss": loss}), flush=True)

    def cell_ended(self, record: Record) -> None: ...


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
