"""A stopped process knows afterwards that it was stopped; one that is slow, or takes turns, is not taken for one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from harness.records.interruptions import stopped_s
from harness.records.results_folder import ResultsFolder
from harness.timing.turns import StoppedTime, make_turn_folder
from harness.worker.interruption_watch import InterruptionWatch
from tests.command import LIMIT_S, is_worker, started, wait_until, workers_of, write_suite

STOPPED_S = 2.0
WORK = """
import sys, time
from pathlib import Path
from harness.timing.turns import NoTurns, TurnFolder
from harness.worker.interruption_watch import InterruptionWatch
turns = TurnFolder(Path(sys.argv[1]), run="r", patience_s=9) if len(sys.argv) > 1 else NoTurns()
with InterruptionWatch(turns.now) as watch:
    print("begun", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        pass
print(watch.read().paused_s)
""".replace("import sys, time", "import select, sys")


@pytest.mark.parametrize("takes_turns", [False, True])
def test_a_stop_is_seen_unless_it_is_a_turn_of_another_launch(tmp_path: Path, takes_turns: bool) -> None:
    folder = make_turn_folder(tmp_path / "turn")
    argv = [sys.executable, "-c", WORK, *([str(folder)] if takes_turns else [])]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "begun\n"
        worker.send_signal(signal.SIGSTOP)
        stopped_at = time.monotonic_ns()
        time.sleep(STOPPED_S)
        if takes_turns:
            StoppedTime(folder).add(time.monotonic_ns() - stopped_at)
        worker.send_signal(signal.SIGCONT)
        output, _ = worker.communicate("end\n", timeout=LIMIT_S)
    paused_s = float(output)
    assert (paused_s > STOPPED_S / 2) is not takes_turns


def test_the_machine_is_seen_to_use_what_this_process_does() -> None:
    """A second of it: the system counts in ticks, of which some may be others' on the same core."""
    with InterruptionWatch(time.monotonic) as watch:
        began_s = time.process_time()
        while time.process_time() - began_s < 1.0:
            pass
    used_s = watch.read().machine_cpu_s
    assert used_s is not None
    assert used_s > 0.5


STOPS = """
import os, signal
from harness.strategies.serial import Serial

class StopsItself(Serial):
    def setup(self, replica, fabric):
        self._num_steps = 0

    def step(self, replica, fabric, batch):
        self._num_steps += 1
        if self._num_steps == 40:  # of 90; warm-up has fewer
            os.kill(os.getpid(), signal.SIGSTOP)
        return super().step(replica, fabric, batch)
"""


def stopped_workers(results: Path) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return [each for each in workers_of(results) if is_worker(each) and each.status() == psutil.STATUS_STOPPED]
    return []


def test_a_run_whose_worker_was_stopped_says_so(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(STOPS)
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: 'mine.py:StopsItself', epochs: 2}")
    results = tmp_path / "r"
    with started("run", suite, "--results", results) as run:
        wait_until(lambda: stopped_workers(results) != [], "the worker to be stopped in training")
        (worker,) = stopped_workers(results)
        time.sleep(STOPPED_S)
        worker.send_signal(signal.SIGCONT)
        run.communicate(timeout=LIMIT_S)
    (record,) = ResultsFolder(results).load()
    assert record.status == "ok"
    assert stopped_s(record) > STOPPED_S / 2
