"""Starts an arm's own harness for one launch of one cell (harness/run_one.py), and reads the record that it leaves."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cell import Cell
from harness.check.arms import Arm, environment_of
from harness.check.worktree import ArmError
from harness.record import SCHEMA_VERSION, Record, ResultsFolder

ENTRY = "harness.run_one"
_TOO_OLD = f"its checkout is older than {ENTRY}, by which the check runs cells; take a newer ref"
_ABOUT_LIMIT_S = 120
_ENDING_S = 30.0  # beyond the cell's own time limit, for start, evaluation and cleaning up

Tell = Callable[[float, float, float], None]  # share done, samples/s, loss


@dataclass(frozen=True, kw_only=True)
class About:
    """What an arm's checkout and environment are."""

    fingerprint: str
    revision: str | None
    versions: dict[str, str]


def ask_about(arm: Arm, cells: Sequence[Cell]) -> About:
    """Makes sure that the arm can run the cells. Raises ArmError that says what it lacks."""
    # Looked for as a file: an editable install would offer its own module in place of one that an old ref lacks.
    if arm.root is not None and not (arm.root / f"{ENTRY.replace('.', '/')}.py").exists():
        raise ArmError(f"arm {arm.name}: {_TOO_OLD}")
    done = _answer_about(arm, json.dumps([_content(arm, cell) for cell in cells]))
    if done.returncode:
        raise ArmError(f"arm {arm.name}: {_why_not(done.stderr)}")
    said = _last_answer(arm, done.stdout)
    if arm.root is not None and Path(said["root"]) != arm.root.resolve():
        raise ArmError(f"arm {arm.name}: its Python takes the harness from another place; is it on a .pth file?")
    if said["schema_version"] > SCHEMA_VERSION:
        raise ArmError(
            f"arm {arm.name}: writes records of schema {said['schema_version']}; run the newer checkout's check"
        )
    if said["obstacle"]:
        raise ArmError(f"arm {arm.name}: {said['obstacle']}")
    return About(fingerprint=said["fingerprint"], revision=said["revision"], versions=said["versions"])


def _answer_about(arm: Arm, cells: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory(prefix="hvdbench-about-") as scratch:
        listed = Path(scratch) / "cells.json"
        listed.write_text(cells)
        try:
            return subprocess.run(
                [str(arm.python), "-m", ENTRY, "--about", str(listed)],
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                cwd=arm.root or scratch,
                env=environment_of(arm),
                timeout=_ABOUT_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ArmError(f"arm {arm.name}: its harness did not answer within {_ABOUT_LIMIT_S} s") from None


def _last_answer(arm: Arm, output: str) -> dict[str, Any]:
    """The last line: a library may have printed before it."""
    line = "".join(output.splitlines()[-1:])
    try:
        said = json.loads(line)
    except json.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise ArmError(f"arm {arm.name}: its harness answered {line[:80]!r} instead of what it is")
    return said


def _why_not(errors: str) -> str:
    if f"No module named {ENTRY}" in errors:
        return _TOO_OLD
    if "No module named" in errors or "ModuleNotFoundError" in errors:
        return f"its environment lacks what the harness needs: {errors.strip().splitlines()[-1]}"
    return f"its harness does not start: {' '.join(errors.strip().splitlines()[-1:])}"


def launch(arm: Arm, cell: Cell, folder: Path, tell: Tell) -> Record:
    """One launch of the cell by the arm, its record left in `folder`. Raises ArmError when the arm left none."""
    folder.mkdir(parents=True)
    cell_file = folder.parent / f"{folder.name}-cell.json"
    cell_file.write_text(json.dumps(_content(arm, cell)))
    command = [str(arm.python), "-m", ENTRY, str(cell_file.resolve()), str(folder.resolve())]
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            cwd=arm.root or folder,
            env=environment_of(arm),
            start_new_session=True,  # Ctrl-C is this process' to handle: closing its input ends it
        )
        _follow(process, cell.time_limit_s + _ENDING_S, tell)
        errors.seek(0)
        said = errors.read()
    cell_file.unlink()
    records = ResultsFolder(folder).load()
    if process.returncode or len(records) != 1:
        why = said.strip().splitlines()[-1:] or [f"left {len(records)} records"]
        raise ArmError(f"arm {arm.name}: {why[0]} (exit {process.returncode})")
    return records[0]


def _follow(process: subprocess.Popen[str], limit_s: float, tell: Tell) -> None:
    """Reads the progress until the process has ended, by itself or because it must."""
    assert process.stdin is not None
    assert process.stdout is not None
    too_late = threading.Timer(limit_s, process.kill)
    too_late.start()
    try:
        for line in process.stdout:
            progress = _progress(line)
            if progress is not None:
                tell(*progress)
        process.wait()
    finally:
        too_late.cancel()
        process.stdin.close()
        try:
            process.wait(timeout=_ENDING_S)
        except subprocess.TimeoutExpired:
            process.kill()
        process.stdout.close()


def _progress(line: str) -> tuple[float, float, float] | None:
    """Share done, samples/s and loss; None for what something else in the arm has printed."""
    try:
        said = json.loads(line)
        return said["share"], said["samples_per_s"], said["loss"]
    except (ValueError, TypeError, KeyError):
        return None


def _content(arm: Arm, cell: Cell) -> dict[str, Any]:
    fault = arm.injections.get(cell.group)
    content: dict[str, Any] = cell.model_copy(update={"inject": fault}).model_dump(mode="json")
    return content
