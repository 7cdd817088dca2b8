"""A stopped process knows afterwards that it was stopped; one that is slow, or takes turns, is not taken for one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.records.interruptions import stopped_s
from harness.records.results_folder import ResultsFolder
from harness.timing.turns import StoppedTime, make_turn_folder
from tests.command import is_worker, started, training_has_begun, wait_until, workers_of, write_suite

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
        output, _ = worker.communicate("end\n", timeout=60)
    paused_s = float(output)
    assert paused_s == 0.0 if takes_turns else paused_s > STOPPED_S / 2


def test_a_run_whose_worker_was_stopped_says_so(tmp_path: Path) -> None:
    block = "{workload: fnn, strategy: serial, epochs: 1000000, time_limit_s: 20}"
    results = tmp_path / "r"
    with started("run", write_suite(tmp_path / "s.yaml", block), "--results", results) as run:
        wait_until(lambda: training_has_begun(results), "training to begin")
        (worker,) = [process for process in workers_of(results) if is_worker(process)]
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(STOPPED_S)
        os.kill(worker.pid, signal.SIGCONT)
        run.communicate(timeout=110)
    (record,) = ResultsFolder(results).load()
    assert stopped_s(record) > STOPPED_S / 2
