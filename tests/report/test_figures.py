"""Processes that draw: none outlives a report or delays its errors, and one that is ended from outside is no riddle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from harness.records.results_folder import ResultsError
from harness.report import figures
from harness.report.figures import drawing_of
from harness.report.material import Material
from tests.analysis.handmade import comparison
from tests.command import is_alive, wait_until
from tests.report.drawn import material_of

PARENT = """
import sys, time
from pathlib import Path
from harness.report import figures
from tests.report.test_figures import material_in

figures._FIGURES = (lambda given: time.sleep(600),) * 2
with figures.drawing_of(material_in(Path(sys.argv[1]))) as drawn:
    print("drawing", flush=True)
    drawn()
"""


def material_in(folder: Path):
    return material_of(folder, comparison({"serial": (6.0, 6.0, 6.0), "hogwild": (2.0, 2.0, 2.0)}))


def test_processes_that_draw_end_with_a_report_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "drawing\n"
        drawing = psutil.Process(parent.pid).children()
        assert drawing
        parent.kill()
    wait_until(lambda: not any(map(is_alive, drawing)), "processes that draw to end")


def test_process_that_draws_and_is_killed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_FIGURES", (lambda given: os.kill(os.getpid(), signal.SIGKILL),))
    with pytest.raises(ResultsError, match="was ended from outside"), drawing_of(material_in(tmp_path)) as drawn:
        drawn()


def test_error_in_a_table_does_not_wait_for_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each figure waits for the error to have arrived."""
    arrived = tmp_path / "arrived"
    monkeypatch.setattr(figures, "_FIGURES", (partial(wait_for, arrived),) * 8)
    with pytest.raises(ZeroDivisionError), drawing_of(material_in(tmp_path)):
        raise ZeroDivisionError
    arrived.touch()
    assert not list(tmp_path.glob("gave-up*"))


def wait_for(file: Path, given: Material) -> None:
    ends_by = time.monotonic() + 60
    while not file.exists():
        if time.monotonic() > ends_by:
            (file.parent / f"gave-up-{os.getpid()}").touch()
            return
        time.sleep(0.05)
