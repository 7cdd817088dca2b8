"""A lab works like hosts on a network, and nothing of it stays."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from tests.command import LIMIT_S, is_alive, wait_until
from tests.lab.machines import Lab, LabError, network_lab

pytestmark = pytest.mark.lab

LAB = [sys.executable, "-m", "tests.lab"]


def output(lab: Lab, *command: str) -> str:
    argv = lab.argv(*command)
    return subprocess.run(argv, env=lab.environ(), capture_output=True, text=True, check=True, timeout=LIMIT_S).stdout


def links() -> list[str]:
    return sorted(path.name for path in Path("/sys/class/net").iterdir())


def folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("hvdbench-lab-*"))


def test_hosts_reach_each_other_by_name_and_see_their_own_processes_alone() -> None:
    with network_lab(3) as lab:
        assert lab.listed == "lab1:1,lab2:1,lab3:1"
        assert output(lab, "hostname") == "head\n"
        for host in lab.hosts:
            assert output(lab, "ssh", host.name, "hostname") == f"{host.name}\n"
        through = output(lab, "ssh", "lab1", f"ssh -F {lab.folder}/ssh_config lab2 'hostname; pgrep -c sshd'")
        assert through == "lab2\n2\n"  # the one that listens and that of this session
        assert [host.processes() for host in (lab.head, *lab.hosts)] == [[], [], [], []]


def test_rate_limits_what_a_host_sends() -> None:
    with network_lab(1, rate="20mbit") as lab:
        started = time.monotonic()
        output(lab, "ssh", "lab1", "head -c 2500000 /dev/zero")
        assert time.monotonic() - started > 0.9  # 20 Mbit, less the burst that is let through at once


def test_nothing_stays_after_an_error() -> None:
    before = links(), folders()
    seen = []
    with contextlib.suppress(RuntimeError), network_lab() as lab:
        output(lab, "ssh", "lab1", "setsid sleep 100 >/dev/null 2>&1 &")
        seen = [lab.head.pid, lab.hosts[0].pid, *(process.pid for process in lab.hosts[0].processes())]
        raise RuntimeError
    assert len(seen) == 3
    assert not any(map(psutil.pid_exists, seen))
    assert (links(), folders()) == before


def test_nothing_stays_after_a_tool_has_failed() -> None:
    before = links(), folders()
    with pytest.raises(LabError, match=r"tc qdisc add dev to-lab1 .*rate nonsense"), network_lab(rate="nonsense"):
        pass
    assert (links(), folders()) == before


def test_nothing_stays_of_a_lab_that_was_killed_outright() -> None:
    before = links(), folders()
    argv = [*LAB, "sh", "-c", "echo up; sleep 100"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "up\n"
        processes = psutil.Process(killed.pid).children(recursive=True)
        assert sum(process.name() == "sshd" for process in processes) == 3
        killed.kill()
    wait_until(lambda: not any(map(is_alive, processes)), "the lab's processes to end")
    wait_until(lambda: (links(), folders()) == before, "the lab's folder to go")


def test_command_line_hands_on_the_exit_code() -> None:
    assert subprocess.run([*LAB, "sh", "-c", "exit 7"], check=False).returncode == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_line_lasts_until_an_interrupted_command_has_cleaned_up(number: signal.Signals) -> None:
    cleaning_up = "trap 'kill $!; sleep 0.5; ssh lab1 hostname; exit 9' INT TERM; echo up; sleep 100 & wait"
    argv = [*LAB, "sh", "-c", cleaning_up]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        os.killpg(process.pid, number)  # as a terminal does: to all that it started
        output, _ = process.communicate(timeout=LIMIT_S)
    assert (output, process.returncode) == ("lab1\n", 9)
