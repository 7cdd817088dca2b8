"""Starts an arm's own harness for one launch of one cell (harness/run_one.py), and reads the record that it leaves."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from harness.check.arms import Arm, environment_of
from harness.check.turn_taker import set_free
from harness.check.worktree import ArmError
from harness.launchers.deadline import longest_launch_s
from harness.module_process import module_argv, module_environ
from harness.records.record import SCHEMA_VERSION, Record
from harness.records.results_folder import ResultsFolder
from harness.records.software import NOT_TOLD, PYTHON, of_device
from harness.run.versions import python_series
from harness.suite.cell import Cell
from harness.timing.stopwatch import Stopwatch
from harness.timing.turns import TURN_VARIABLE, make_turn_folder

ENTRY, TURN_TAKER = "harness.run_one", "harness.check.turn_taker"
_TOO_OLD = f"its checkout is older than {ENTRY}, by which the check runs cells; take a newer ref"
_ABOUT_LIMIT_S = 120
_ENDING_S = 30.0  # beyond what the launch itself may take, for start and cleaning up

Tell = Callable[[float, float, float], None]  # share done, samples/s, loss


@dataclass(frozen=True, kw_only=True)
class About:
    """What an arm's checkout and environment are."""

    fingerprint: str
    revision: str | None
    versions: dict[str, str]  # of packages, of Python, and of what Horovod was built with
    settings: dict[str, str] = field(default_factory=dict)  # of the environment, that change speed
    takes_turns: bool = False


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
    return About(
        fingerprint=said["fingerprint"],
        revision=said["revision"],
        versions=_versions_of(arm, cells, said),
        settings=said.get("settings", {}),
        takes_turns=said.get("takes_turns", False),
    )


def _versions_of(arm: Arm, cells: Sequence[Cell], said: Mapping[str, Any]) -> dict[str, str]:
    """Those that matter to these cells, and what Horovod was built with. An older checkout does not tell of that, nor
    of its Python, which may be this one."""
    is_ours = arm.python == Path(sys.executable)
    python = said.get("python") or (python_series() if is_ours else NOT_TOLD)
    device = "gpu" if any(cell.device == "gpu" for cell in cells) else "cpu"
    builds: dict[str, str] = said.get("builds", {})
    return of_device(said["versions"], device) | builds | {PYTHON: python}


def _answer_about(arm: Arm, cells: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory(prefix="hvdbench-about-") as scratch:
        listed = Path(scratch) / "cells.json"
        listed.write_text(cells)
        try:
            return subprocess.run(
                [str(arm.python), "-m", ENTRY, "--about", str(listed)],
                capture_output=True,
                encoding="utf-8",
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
    with _Launch(arm, cell, folder, tell) as alone:
        _follow([alone], longest_launch_s(cell.time_limit_s) + _ENDING_S)
    return alone.record()


def launch_in_turns(
    sides: Mapping[str, tuple[Arm, Cell]], folder: Path, tell: Callable[[str], Tell]
) -> dict[str, Record]:
    """A launch by each of two arms at once, training by turns; the first one named begins.

    Records are left in `folder`/<name>. Raises ArmError when an arm left none.
    """
    with tempfile.TemporaryDirectory(prefix="hvdbench-turns-") as scratch, ExitStack() as stack:
        turns = {side: make_turn_folder(Path(scratch) / side) for side in sides}
        launches = {
            side: stack.enter_context(_Launch(arm, cell, folder / side, tell(side), turns[side]))
            for side, (arm, cell) in sides.items()
        }
        # Each gets twice its time (harness/run_one.py). One that has trained waits for the other through most of that.
        limit_s = 2 * max(cell.time_limit_s for _, cell in sides.values())
        taker = stack.enter_context(turn_taker(list(turns.values()), patience_s=0.75 * limit_s))
        _follow(list(launches.values()), longest_launch_s(limit_s) + _ENDING_S, first_ended=taker.close)
    return {side: launched.record() for side, launched in launches.items()}


class _Launch:
    """An arm's process, started on entry and ended on exit."""

    def __init__(self, arm: Arm, cell: Cell, folder: Path, tell: Tell, turn_folder: Path | None = None) -> None:
        self._arm, self._cell, self._folder, self._tell = arm, cell, folder, tell
        self._environ = environment_of(arm) | ({TURN_VARIABLE: str(turn_folder)} if turn_folder else {})
        self._rest = b""

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        self._cell_file = self._folder.parent / f"{self._folder.name}-cell.json"
        self._cell_file.write_text(json.dumps(_content(self._arm, self._cell)))
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            [str(self._arm.python), "-m", ENTRY, str(self._cell_file.resolve()), str(self._folder.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=self._arm.root or self._folder,
            env=self._environ,
            start_new_session=True,  # Ctrl-C is this process' to handle: closing its input ends it
        )
        assert self._process.stdout is not None
        self.output = self._process.stdout.fileno()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=_ENDING_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.seek(0)
        self._said = self._errors.read()
        self._errors.close()
        self._cell_file.unlink()

    def read(self) -> bool:
        """Reads what it has said; false once it has ended."""
        said = os.read(self.output, 1 << 16)
        *lines, self._rest = (self._rest + said).split(b"\n")
        for line in lines:
            progress = _progress(line.decode(errors="replace"))
            if progress is not None:
                self._tell(*progress)
        return bool(said)

    def kill(self) -> None:
        self._process.kill()

    def record(self) -> Record:
        records = ResultsFolder(self._folder).load()
        if self._process.returncode or len(records) != 1:
            why = self._said.strip().splitlines()[-1:] or [f"left {len(records)} records"]
            raise ArmError(f"arm {self._arm.name}: {why[0]} (exit {self._process.returncode})")
        return records[0]


def _follow(launches: Sequence[_Launch], limit_s: float, first_ended: Callable[[], None] = lambda: None) -> None:
    """Reads their progress until all have ended, by themselves or because they must."""
    watch = Stopwatch()
    with selectors.DefaultSelector() as running:
        for launched in launches:
            running.register(launched.output, selectors.EVENT_READ, launched)
        while running.get_map():
            ready = running.select(timeout=limit_s - watch.elapsed_s())
            if not ready:
                for left in list(running.get_map().values()):
                    left.data.kill()
                return
            for key, _ in ready:
                if not key.data.read():
                    running.unregister(key.fd)
                    first_ended()


@contextmanager
def turn_taker(folders: Sequence[Path], *, patience_s: float) -> Iterator[IO[bytes]]:
    """Lets the launches of these folders (harness/timing/turns.py) train by turns until what it yields is closed.

    patience_s: how long one that has trained stays stopped for the other.

    Raises ArmError where it was ended from outside. The launches went on then, both at once.
    """
    command = module_argv(TURN_TAKER, str(patience_s), *map(str, folders))
    environ = {**os.environ, **module_environ(os.environ)}
    taker = subprocess.Popen(command, stdin=subprocess.PIPE, env=environ, start_new_session=True)
    assert taker.stdin is not None
    guard = threading.Thread(target=_set_free_after, args=(taker, folders), daemon=True)
    guard.start()
    try:
        yield taker.stdin
    finally:
        taker.stdin.close()
        taker.wait(timeout=_ENDING_S)
        guard.join()
    if taker.returncode:
        raise ArmError(
            f"the process by which launches take turns was ended from outside (exit {taker.returncode}): "
            "the pair was no fair one; give the same command again"
        )


def _set_free_after(taker: subprocess.Popen[bytes], folders: Sequence[Path]) -> None:
    """As it does itself, unless it was killed: a launch that it had stopped would stay so."""
    if taker.wait():
        for folder in folders:
            set_free(folder)


def _progress(line: str) -> tuple[float, float, float] | None:
    """Share done, samples/s and loss; None for what something else in the arm has printed."""
    try:
        said = json.loads(line)
        return said["share"], said["samples_per_s"], said["loss"]
    except (ValueError, TypeError, KeyError):
        return None


def _content(arm: Arm, cell: Cell) -> dict[str, Any]:
    fault = arm.injections.get(cell.group)
    return cell.model_copy(update={"inject": fault}).asked()
